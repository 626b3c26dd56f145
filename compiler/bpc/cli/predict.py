"""`bpc predict`: a model, its trained parameters and data in, the outputs out."""

from __future__ import annotations

import click

from bpc.cli import options, training
from bpc.cli.app import FileError
from bpc.cli.files import read, shown

EXAMPLES = """
\b
Examples:
  bpc predict digits.bp --params params.npz --data test.npz --out predictions.npz
  bpc predict digits.bp --params params.npz --data test.csv --columns x=0:64 --out p.csv
"""


@click.command("predict", epilog=EXAMPLES)
@options.model
@click.option("--params", required=True, metavar="FILE", help="Params that `bpc train` wrote.")
@click.option("--data", metavar="FILE", help="Arrays by input name (.npz), or a table (.csv).")
@click.option(
    "-o", "--out", required=True, metavar="FILE",
    help="Where the outputs go: .npz by name, or .csv with a row an example.",
)  # fmt: skip
@training.batch(256)
@training.batch_dim
@training.columns
@options.settings
@options.level
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
def command(
    model: str,
    params: str,
    data: str | None,
    out: str,
    batch: int,
    batch_dim: str | None,
    columns: dict[str, str],
    settings: tuple[tuple[str, int | float], ...],
    level: str,
    quiet: bool,
) -> None:
    """Compute the outputs of MODEL (a .bp file, or - for stdin) for data."""
    import numpy as np

    from bpc.training import data as datas
    from bpc.training import prediction
    from bpc.training.arrays import read_arrays
    from bpc.training.model import TrainingError, like

    try:
        prediction.check(out)
        training.check_out("--out", out, model, params, data)
        source = read(model, short=True)
        compiled = training.compiled(source, model, level, dict(settings))
        training.check_columns(compiled, columns, data)
        trained = like(compiled, read_arrays(params), params)
        dtypes = {np.asarray(v).dtype for v in trained.values()} or {np.dtype(float)}
        if len(dtypes) > 1:
            raise TrainingError(f"{params}: float32 and float64 do not go together")
        dim = datas.batch_dim(compiled, batch_dim)
        found = datas.load(data, compiled, dim, dtypes.pop(), columns, compiled.shown)
        with np.errstate(all="ignore"):
            what = f"{params} and {data}" if data else params
            outputs = prediction.predict(compiled, trained, found, batch, dim, what)
        prediction.save(out, outputs)
    except TrainingError as error:
        raise FileError(training.printable(error)) from None
    if not quiet:
        for name, array in outputs.items():
            shape = f" [{', '.join(map(str, array.shape))}]" if array.ndim else ""
            click.echo(f"{shown(out)}: {name} {array.dtype}{shape}")
