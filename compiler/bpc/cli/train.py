"""`bpc train`: a model and data in, the parameters that fit them out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import click

from bpc.cli import options, training, trainoptions, trainrun
from bpc.cli.app import ERRORS, FileError
from bpc.cli.files import read
from bpc.cli.progress import Interrupts
from bpc.cli.show import say

EXAMPLES = """
\b
Examples:
  bpc train digits.bp --data train.npz --valid valid.npz --epochs 20 --out params.npz
  bpc train digits.bp --data train.csv --columns x=0:64,label=64 --out params.npz
  bpc train digits.bp --data train.npz --out params.npz --checkpoint run.npz --resume
  bpc train curve.bp --data points.npz --optimizer lbfgs --epochs 200 --out params.npz
"""


class Betas(click.ParamType):  # type: ignore[type-arg]
    """Two numbers with a comma between."""

    name = "B1,B2"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float]:
        """The two."""
        try:
            first, second = map(float, value.split(","))
            if 0 <= first < 1 and 0 <= second < 1:
                return first, second
        except ValueError:
            pass
        self.fail(
            f"{value!r} is not two numbers from 0 on and below 1, as in 0.9,0.999", param, ctx
        )


class Finite(click.FloatRange):
    """A number of a range, which neither NaN nor inf is in."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number.", param, ctx)
        return number


POSITIVE = Finite(min=0, min_open=True)
FROM_ZERO = Finite(min=0)


@click.command("train", epilog=EXAMPLES)
@options.model
@click.option("--data", metavar="FILE", help="Arrays by input name (.npz), or a table (.csv).")
@click.option(
    "--valid", metavar="FILE", help="Further data: the params that do best on it are kept."
)
@click.option(
    "-o", "--out", required=True, metavar="FILE", help="Where the params go: an .npz file."
)
@click.option(
    "--optimizer", type=click.Choice(list(trainoptions.TAKES)), default="adam", show_default=True,
    help="lbfgs takes all data at once, and needs SciPy.",
)  # fmt: skip
@click.option("--epochs", type=click.IntRange(min=1), default=20, show_default=True)
@training.batch(32)
@click.option("--lr", type=POSITIVE, help="Learning rate. Default: 0.001.")
@click.option("--weight-decay", type=FROM_ZERO, help="Default: 0, and 0.01 for adamw.")
@click.option("--clip", type=POSITIVE, help="The most that the norm of all gradients may be.")
@click.option("--momentum", type=FROM_ZERO, help="Default: 0 for sgd, 0.9 for momentum.")
@click.option("--dampening", type=float, help="Default: 0.")
@click.option("--nesterov", is_flag=True, default=None, help="Nesterov's momentum.")
@click.option("--betas", type=Betas(), help="Of Adam. Default: 0.9,0.999.")
@click.option("--eps", type=FROM_ZERO, help="Of Adam. Default: 1e-8.")
@click.option("--amsgrad", is_flag=True, default=None, help="Of Adam: the largest average so far.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--dtype", type=click.Choice(["float32", "float64"]), default="float64", show_default=True
)
@options.settings
@options.level
@click.option("--params", metavar="FILE", help="Start from these params.")
@click.option(
    "--patience", type=click.IntRange(min=1), metavar="N",
    help="Stop after N epochs without a lower validation cost.",
)  # fmt: skip
@click.option("--checkpoint", metavar="FILE", help="Save everything here after each epoch.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint.")
@click.option("--plot", metavar="FILE", help="Draw the costs: .svg, or .png with matplotlib.")
@training.batch_dim
@training.columns
@click.option(
    "--metric", multiple=True, callback=options.listed, metavar="NAMES",
    help="Scalar outputs to show after each epoch.",
)  # fmt: skip
@click.option(
    "--running", multiple=True, callback=training.pairs, metavar="OUTPUT=PARAM",
    help="Params that follow an output, as in mean=mu,var=v, instead of the gradient.",
)  # fmt: skip
@click.option(
    "--running-momentum", type=click.FloatRange(0, 1), default=0.1, show_default=True,
    help="How much of it is new at each step.",
)  # fmt: skip
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
@click.pass_context
def command(context: click.Context, /, model: str, **given: Any) -> None:
    """Train MODEL (a .bp file, or - for stdin) on data.

    Ctrl-C saves where it is, and --resume goes on from there with the same numbers.
    """
    from bpc.training.loop import Diverged
    from bpc.training.model import TrainingError

    try:
        context.exit(_train(model, given))
    except TrainingError as error:
        raise FileError(training.printable(error)) from None
    except Diverged as error:  # before a step was made
        say(f"{error}, with the params that it starts from; nothing is written")
        context.exit(ERRORS)


def _train(path: str, given: Mapping[str, Any]) -> int:
    """Read, compile, train, write; the exit code."""
    import numpy as np

    from bpc.training import checkpoint, data, evaluation, loop, plot
    from bpc.training import model as models
    from bpc.training.arrays import read_arrays

    trainoptions.check(given)
    saved = trainoptions.checkpoint(given)
    trainoptions.check_files(path, saved, given)
    if given["plot"]:
        plot.check(given["plot"])
    source, settings = read(path, short=True), dict(given["settings"])
    dtype, optimizer = np.dtype(given["dtype"]), given["optimizer"]
    model = training.compiled(
        source, path, given["level"], settings,
        wrt=trainoptions.trained(source, settings, given["running"]),
        emit=() if optimizer == "lbfgs" else (optimizer,),
    )  # fmt: skip
    training.check_columns(model, given["columns"], given["data"], given["valid"])
    dim = data.batch_dim(model, given["batch_dim"])
    first = data.load(given["data"], model, dim, dtype, given["columns"])
    valid = None
    if given["valid"]:
        valid = data.load(given["valid"], model, dim, dtype, given["columns"])
        data.agree(model, first, valid, (given["data"], given["valid"]))
    if given["params"]:
        params = models.like(model, read_arrays(given["params"]), given["params"], dtype)
    else:
        params = models.start(model, given["seed"], dtype, first.dims)
    plan = loop.Plan(
        given["epochs"], given["batch"], given["seed"], optimizer,
        trainoptions.step_options(model, given), given["running"], given["running_momentum"],
        given["patience"], evaluation.metrics(model, given["metric"]),
    )  # fmt: skip
    run = loop.begin(model, plan, params)
    config = trainoptions.config(source, given, plan, dim, first, valid)
    if given["resume"]:
        checkpoint.restore(saved, model, run, config)
    job = trainrun.Job(
        model, plan, first, valid, config, given["out"], given["checkpoint"], saved, given["plot"],
        f"{source.name}: cost", given["quiet"],
    )  # fmt: skip
    with np.errstate(all="ignore"), Interrupts(run) as interrupts:
        return trainrun.execute(job, run, interrupts)
