"""`bpc train` and `bpc predict`: what they learn, write and say, and how they go on after an end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner, Result
from sklearn.datasets import load_digits

import bpc
from bpc.cli.app import app
from bpc.cli.predict import command as predict
from bpc.cli.progress import line, number
from bpc.cli.train import command as train
from bpc.training import checkpoint, loop, plot
from bpc.training.model import describe
from bpc.training.table import read_table

EXAMPLES = Path(__file__).parent.parent / "examples"
DIGITS = EXAMPLES / "digits.bp"
LINEAR = "dim N, D\ninput x: [N, D]\ninput y: [N]\nparam w: [D] ~ normal(0.1), b\ncost J = mean((x @ w + b - y)^2)\n"
LINEAR += "output p = x @ w + b\n"
Arrays = dict[str, Any]


def run(*args: Any) -> Result:
    return CliRunner().invoke(app, [str(a) for a in args])


def well(*args: Any) -> list[str]:
    """The lines of a command that succeeds and has nothing to complain about."""
    done = run(*args)
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    return done.stdout.splitlines()


def fails(*args: Any, code: int = 2) -> str:
    """What a command says that fails."""
    done = run(*args)
    assert (done.exit_code, done.stdout) == (code, ""), done.output
    return done.stderr.removeprefix("bpc: ").removesuffix("\n")


def load(path: str) -> Arrays:
    with np.load(path) as found:
        return dict(found)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def digits(home: Path) -> None:
    """300 digits to train on, 100 to validate, 100 to test."""
    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))[:500]
    x, label = pixels[order] / 16, labels[order]
    for name, rows in (
        ("train", slice(300)),
        ("valid", slice(300, 400)),
        ("test", slice(400, 500)),
    ):
        np.savez(f"{name}.npz", x=x[rows], label=label[rows])


@pytest.fixture
def linear(home: Path) -> Arrays:
    """Points near a plane, and linear.bp."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((50, 3))
    y = x @ [1.0, -2.0, 0.5] + 3 + 0.1 * rng.standard_normal(50)
    np.savez("points.npz", x=x, y=y)
    np.savez("more.npz", x=x[:20] + 0.1, y=y[:20])
    Path("linear.bp").write_text(LINEAR)
    return {"x": x, "y": y}


# What it learns


def test_digits_are_learnt_and_predicted(digits: None) -> None:
    said = well(
        "train", DIGITS, "--data", "train.npz", "--valid", "valid.npz", "--optimizer", "adam",
        "--epochs", 15, "--batch", 32, "--lr", 0.01, "--out", "params.npz",
    )  # fmt: skip
    assert len(said) == 16
    for epoch, text in enumerate(said[:-1], 1):
        assert re.fullmatch(
            rf"epoch {epoch:2}/15   cost \S+   valid \S+   accuracy \d+\.\d\d%", text
        )
    best = re.fullmatch(r"params.npz: the params of epoch (\d+), validation cost (.*)", said[-1])
    assert best is not None
    assert f"valid {best[2]} " in said[int(best[1]) - 1]

    model, params, test = bpc.load(DIGITS), load("params.npz"), load("test.npz")
    assert [(k, v.shape) for k, v in params.items()] == [
        ("W1", (64, 64)), ("b1", (64,)), ("W2", (64, 10)), ("b2", (10,)),
    ]  # fmt: skip
    said = well(
        "predict", DIGITS, "--params", "params.npz", "--data", "test.npz", "--out", "p.npz",
        "--batch", 33,
    )  # fmt: skip
    assert said == ["p.npz: p float64 [100, 10]"]
    p = load("p.npz")["p"]
    np.testing.assert_allclose(p, model.forward(params, test["x"]), rtol=1e-12)
    assert np.mean(p.argmax(axis=1) == test["label"]) > 0.85
    valid = load("valid.npz")
    np.testing.assert_allclose(
        float(best[2]), model.cost(params, valid["x"], valid["label"]), atol=1e-4
    )


def by_hand(model: Any, data: Arrays, epochs: int, batch: int, step: Callable[..., Any]) -> Arrays:
    """The loop in a few lines: the same batches in the same order."""
    params: Arrays = model.init(seed=5, D=3)
    for epoch in range(epochs):
        order = np.random.default_rng([5, epoch]).permutation(len(data["y"]))
        for rows in np.split(order, range(batch, len(order), batch)):
            _, grads = model.value_and_grad(params, data["x"][rows], data["y"][rows])
            params = step(params, grads)
    return params


@pytest.mark.parametrize("options", [["--lr", "0.1"], ["--lr", "0.1", "--clip", "0.5"]])
def test_it_is_the_loop_that_one_writes_by_hand(linear: Arrays, options: list[str]) -> None:
    model = bpc.load(LINEAR, emit=("sgd",))
    clip = 0.5 if "--clip" in options else None

    def step(params: Arrays, grads: Arrays) -> Arrays:
        new: Arrays = model.sgd_step(params, grads, model.sgd_init(params), lr=0.1, clip=clip)[0]
        return new

    expected = by_hand(model, linear, 3, 16, step)  # 50 = 3 * 16 + 2: the last batch counts too
    said = well(
        "train", "linear.bp", "--data", "points.npz", "--optimizer", "sgd", "--epochs", 3,
        "--batch", 16, "--seed", 5, "--out", "p.npz", *options,
    )  # fmt: skip
    assert said[-1] == "p.npz: the params after epoch 3"
    found = load("p.npz")
    assert list(found) == list(expected)
    assert all(np.array_equal(found[k], expected[k]) for k in expected)


@pytest.mark.parametrize(
    "options",
    [
        "--optimizer sgd --lr 0.1 --momentum 0.5 --dampening 0.1",
        "--optimizer momentum --lr 0.05 --nesterov --weight-decay 1e-3",
        "--optimizer adam --lr 0.1 --betas 0.8,0.99 --eps 1e-6 --amsgrad",
        "--optimizer adamw --lr 0.1 --weight-decay 1e-3 --clip 10",
        "--optimizer lbfgs",
        "--optimizer adam --lr 0.1 --dtype float32 -O2",
        "--optimizer adam --lr 0.1 --level 0 --quiet",
    ],
)
def test_every_optimiser_finds_the_plane(linear: Arrays, options: str) -> None:
    said = well("train", "linear.bp", "--data", "points.npz", "--epochs", 60, "--batch", 25,
                *(o for o in options.split() if "--batch" not in o), "--out", "p.npz") \
        if "lbfgs" not in options else well(
            "train", "linear.bp", "--data", "points.npz", "--epochs", 60, *options.split(),
            "--out", "p.npz")  # fmt: skip
    assert (said == []) == ("--quiet" in options)
    found = load("p.npz")
    exact = np.linalg.lstsq(np.column_stack([linear["x"], np.ones(50)]), linear["y"])[0]
    tolerance = 1e-5 if "lbfgs" in options else 0.1
    np.testing.assert_allclose(found["w"], exact[:3], atol=tolerance)
    np.testing.assert_allclose(found["b"], exact[3], atol=tolerance)
    assert found["w"].dtype == (np.float32 if "float32" in options else np.float64)


def test_lbfgs_says_why_it_ended(linear: Arrays) -> None:
    base = ["train", "linear.bp", "--data", "points.npz", "--optimizer", "lbfgs", "--out", "p.npz"]
    said = well(*base, "--epochs", 2)
    assert [s[:9] for s in said[:2]] == ["epoch 1/2", "epoch 2/2"]
    assert said[2:] == ["p.npz: the params after epoch 2"]
    said = well(*base, "--epochs", 200, "--valid", "more.npz")
    assert re.fullmatch(r"converged after \d+ iterations", said[-2])
    assert "   valid " in said[0]


def test_a_model_of_scalars_trains_on_its_samples() -> None:
    for dtype in ("float64", "float32"):
        said = well("train", EXAMPLES / "neuron.bp", "--epochs", 3, "--optimizer", "sgd",
                    "--lr", 0.1, "--out", "p.npz", "--dtype", dtype)  # fmt: skip
        assert said == [
            "epoch 1/3   cost 2.0000", "epoch 2/3   cost 0.5000", "epoch 3/3   cost 0.1250",
            "p.npz: the params after epoch 3",
        ]  # fmt: skip
        assert load("p.npz")["w"].dtype == dtype
        said = well("predict", EXAMPLES / "neuron.bp", "--params", "p.npz", "--out", "q.csv")
        assert said == [f"q.csv: J {'float64'}"]
    assert Path("q.csv").read_text().startswith("J\n0.03")


def test_training_starts_from_given_params(linear: Arrays) -> None:
    base = ["train", "linear.bp", "--data", "points.npz", "--optimizer", "lbfgs", "--out"]
    well(*base, "a.npz", "--epochs", 200)
    said = well(*base, "b.npz", "--epochs", 200, "--params", "a.npz")
    assert said[-2] in ("converged after 0 iterations", "converged after 1 iterations")
    np.testing.assert_allclose(load("b.npz")["w"], load("a.npz")["w"], rtol=1e-6)


# What is kept


def test_early_stopping_keeps_the_best_params(linear: Arrays) -> None:
    rng = np.random.default_rng(0)
    np.savez("few.npz", x=rng.standard_normal((8, 6)), y=rng.standard_normal(8))
    np.savez("other.npz", x=rng.standard_normal((40, 6)), y=np.zeros(40))
    said = well("train", "linear.bp", "--data", "few.npz", "--valid", "other.npz", "--epochs", 500,
                "--patience", 4, "--lr", 0.05, "--out", "p.npz")  # fmt: skip
    costs = [float(s.split("valid ")[1]) for s in said[:-2]]
    best = int(np.argmin(costs)) + 1
    assert len(costs) == best + 4 < 500
    assert said[-2] == "no lower validation cost for 4 epochs"
    assert said[-1] == (f"p.npz: the params of epoch {best}, validation cost {number(min(costs))}")
    model, other = bpc.load(LINEAR), load("other.npz")
    assert model.cost(load("p.npz"), **other) == pytest.approx(min(costs), abs=1e-4)


EXPLODING = "dim N\ninput x: [N]\nparam w = 1\ncost J = mean(exp(w * x))\n"


def test_a_cost_that_is_not_finite_ends_it_with_the_last_good_params(home: Path) -> None:
    Path("m.bp").write_text(EXPLODING)
    np.savez("d.npz", x=-np.ones(4))
    np.savez("v.npz", x=np.full(4, -2.0))
    base = ["train", "m.bp", "--data", "d.npz", "--optimizer", "sgd", "--batch", 2, "--lr", -1]
    assert "-1.0 is not in the range x>0" in run(*base, "--out", "p.npz").stderr

    Path("m.bp").write_text(EXPLODING.replace("exp(w * x)", "1 / (w * x)"))
    base[-1] = 1e200  # w = 1, then 1e200, then the cost is tiny; its gradient at 0 is not
    Path("m.bp").write_text("dim N\ninput x: [N]\nparam w = 1\ncost J = mean((w * x)^2)\n")
    done = run(*base, "--out", "p.npz")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        "bpc: the cost is inf in epoch 1, step 2; p.npz has the last params with a finite cost\n"
    )
    assert load("p.npz")["w"] == 1.0
    done = run(*base[:-1], 1e60, "--valid", "v.npz", "--out", "p.npz", "--epochs", 9)
    assert done.exit_code == 1
    assert re.search(r"^bpc: the cost is inf in epoch 2, step 2; p.npz has the params of epoch 1, "
                     r"validation cost \S+$", done.stderr)  # fmt: skip
    assert done.stdout.startswith("epoch 1/9   cost ")


def test_a_cost_that_never_was_finite(home: Path) -> None:
    Path("m.bp").write_text("dim N\ninput x: [N]\nparam w = 1\ncost J = mean(log(w * x))\n")
    np.savez("d.npz", x=-np.ones(4))
    for optimizer in ("adam", "lbfgs"):
        said = fails("train", "m.bp", "--data", "d.npz", "--out", "p.npz",
                     "--optimizer", optimizer, code=1)  # fmt: skip
        where = "epoch 1, step 1" if optimizer == "adam" else "epoch 1"
        assert said == (
            f"the cost is nan in {where}, with the params that it starts from; nothing is written"
        )
    assert not Path("p.npz").exists()


RUNNING = """\
dim N
input x: [N, 3], y: [N]
param w: [3], mu: [3], v: [3] ~ ones, scale = 1
centred = (x - mean(x, axis=0)) / sqrt(var(x, axis=0) + 1e-5)
cost J = mean((scale * centred @ w - y)^2)
output mean_x = mean(x, axis=0)
output var_x = var(x, axis=0)
output p = ((x - mu) / sqrt(v + 1e-5)) @ w
output bias = mean(x @ w - y)
"""


def test_running_statistics_follow_outputs(linear: Arrays) -> None:
    Path("m.bp").write_text(RUNNING)
    said = well("train", "m.bp", "--data", "points.npz", "--running", "mean_x=mu,var_x=v",
                "--running-momentum", 0.25, "--epochs", 2, "--batch", 20, "--seed", 3,
                "--metric", "bias", "--weight-decay", 0.1, "--out", "p.npz")  # fmt: skip
    assert re.search("   bias -?[0-9.e-]+$", said[0])
    mu, v = np.zeros(3), np.ones(3)
    for epoch in range(2):
        order = np.random.default_rng([3, epoch]).permutation(50)
        for rows in (order[:20], order[20:40], order[40:]):
            mu = 0.75 * mu + 0.25 * linear["x"][rows].mean(axis=0)
            v = 0.75 * v + 0.25 * linear["x"][rows].var(axis=0)
    found = load("p.npz")
    np.testing.assert_allclose(found["mu"], mu, rtol=1e-12)
    np.testing.assert_allclose(found["v"], v, rtol=1e-12)
    assert list(found) == ["w", "mu", "v", "scale"]
    assert found["scale"] != 1.0
    said = well("predict", "m.bp", "--params", "p.npz", "--data", "points.npz", "--out", "q.npz")
    assert "q.npz: mean_x float64 [3]" in said  # not of each example: all data are taken at once
    np.testing.assert_allclose(load("q.npz")["mean_x"], linear["x"].mean(axis=0), rtol=1e-12)


# Going on


def interrupt(monkeypatch: pytest.MonkeyPatch, at: int, how: str) -> None:
    """Let Ctrl-C come in the given call of the gradient, or of the evaluation."""
    name = {"evaluation": "evaluate", "two signals": "cut_off"}.get(how, "_step")
    real, calls = getattr(loop, name), iter(range(1, 10**9))

    def step(*args: Any) -> Any:
        if next(calls) == at:
            if how == "signal":
                os.kill(os.getpid(), signal.SIGINT)
            elif how == "terminate":
                os.kill(os.getpid(), signal.SIGTERM)
            else:
                raise KeyboardInterrupt
        return real(*args)

    @contextmanager
    def cut_off(run: loop.Run) -> Iterator[None]:
        with real(run):
            if next(calls) == at:
                os.kill(os.getpid(), signal.SIGINT)
                os.kill(os.getpid(), signal.SIGINT)
                raise AssertionError("the second Ctrl-C came to nothing")
            yield

    monkeypatch.setattr(loop, name, cut_off if name == "cut_off" else step)


def whole_and_in_parts(
    monkeypatch: pytest.MonkeyPatch, command: list[Any], interruptions: list[tuple[int, str]]
) -> list[Result]:
    """Hold a run that is interrupted, again and again, to one that is not; the interrupted ones."""
    expected = well(*command, "--out", "whole.npz", "--plot", "whole.svg")
    said: list[str] = []
    parts = []
    for i, (at, how) in enumerate(interruptions):
        with monkeypatch.context() as patch:
            interrupt(patch, at, how)
            parts.append(run(*command, "--out", "parts.npz", *(["--resume"] if i else [])))
        said += parts[-1].stdout.splitlines()
    said += well(*command, "--out", "parts.npz", "--plot", "parts.svg", "--resume")
    assert said[:-1] == expected[:-1]
    assert said[-1] == expected[-1].replace("whole", "parts")
    assert Path("parts.npz").read_bytes() == Path("whole.npz").read_bytes()
    assert Path("parts.svg").read_bytes() == Path("whole.svg").read_bytes()
    return parts


# 300 examples are 5 steps of 64 (or less, the last)
@pytest.mark.parametrize(
    ("options", "interruptions"),
    [
        ("--optimizer sgd --lr 0.1", [(3, "signal")]),
        ("--optimizer momentum --nesterov --lr 0.1", [(8, "raise"), (1, "raise"), (6, "signal")]),
        ("--optimizer adam --amsgrad --weight-decay 0.01", [(12, "signal"), (4, "two signals")]),
        ("--optimizer adamw --clip 0.5 --dtype float32", [(5, "terminate"), (2, "evaluation")]),
        ("--optimizer adam --lr 0.03 --patience 2", [(1, "evaluation"), (21, "signal")]),
    ],
)  # fmt: skip
def test_an_interrupted_run_goes_on_with_the_same_numbers(
    digits: None, monkeypatch: pytest.MonkeyPatch, options: str,
    interruptions: list[tuple[int, str]],
) -> None:  # fmt: skip
    command = ["train", DIGITS, "--data", "train.npz", "--valid", "valid.npz", "--epochs", 6,
               "--batch", 64, "--set", "H=8", *options.split()]  # fmt: skip
    parts = whole_and_in_parts(monkeypatch, command, interruptions)
    for part, (_, how) in zip(parts, interruptions):
        assert part.exit_code == (143 if how == "terminate" else 130)
        assert re.fullmatch(
            r"bpc: interrupted in epoch \d, after \d of 5 steps, and saved in "
            r"parts.checkpoint.npz: the same command with --resume goes on from there\n",
            part.stderr,
        )
    assert not Path("parts.checkpoint.npz").exists()


def test_dropout_goes_on_with_the_same_masks(digits: None, monkeypatch: pytest.MonkeyPatch) -> None:
    text = DIGITS.read_text().replace("logits = h", "logits = dropout(h, 0.5)")
    Path("m.bp").write_text(text)
    command = ["train", "m.bp", "--data", "train.npz", "--epochs", 3, "--batch", 64]
    whole_and_in_parts(monkeypatch, command, [(7, "signal"), (2, "raise")])
    other = well(*command, "--out", "other.npz", "--seed", 1)
    again = well(*command, "--out", "again.npz", "--seed", 1)
    assert other[:-1] == again[:-1]


def test_running_statistics_and_scalars_go_on(
    linear: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("m.bp").write_text(RUNNING)
    command = ["train", "m.bp", "--data", "points.npz", "--running", "mean_x=mu,var_x=v"]
    whole_and_in_parts(monkeypatch, [*command, "--epochs", 4], [(3, "signal"), (2, "raise")])
    command = ["train", EXAMPLES / "neuron.bp", "--epochs", 9]
    whole_and_in_parts(monkeypatch, command, [(3, "signal"), (2, "raise")])


def test_a_checkpoint_of_ones_own_is_written_after_each_epoch(
    linear: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = ["train", "linear.bp", "--data", "points.npz", "--checkpoint", "run.npz"]
    well(*base, "--epochs", 3, "--out", "a.npz")
    assert sorted(os.listdir()) == ["a.npz", "linear.bp", "more.npz", "points.npz", "run.npz"]
    said = well(*base, "--epochs", 5, "--out", "a.npz", "--resume")  # longer than it was to be
    assert [s[:9] for s in said] == ["epoch 4/5", "epoch 5/5", "a.npz: th"]
    well("train", "linear.bp", "--data", "points.npz", "--epochs", 5, "--out", "b.npz")
    assert Path("a.npz").read_bytes() == Path("b.npz").read_bytes()
    assert well(*base, "--epochs", 5, "--out", "c.npz", "--resume") == [
        "c.npz: the params after epoch 5"
    ]

    # killed while it writes, it has the epoch before
    def killed(*args: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        assert run(*base, "--epochs", 6, "--out", "d.npz", "--resume").exit_code == 130
    assert well(*base, "--epochs", 5, "--out", "c.npz", "--resume") == [
        "c.npz: the params after epoch 5"
    ]


def test_ctrl_c_in_a_process(linear: Arrays) -> None:
    base = ["train", "linear.bp", "--data", "points.npz", "--epochs", "4000", "--out"]
    with subprocess.Popen(
        [sys.executable, "-m", "bpc", *base, "p.npz"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        assert running.stdout is not None
        for _ in range(5):
            assert running.stdout.readline().startswith("epoch ")
        running.send_signal(signal.SIGINT)
        stdout, stderr = running.communicate(timeout=60)
    assert running.returncode == 130, stderr
    assert re.fullmatch(r"bpc: interrupted in epoch \d+, after \d+ of 2 steps.*\n", stderr)
    assert 'p.npz"' not in stdout and not Path("p.npz").exists()
    assert well(*base, "p.npz", "--resume", "--quiet") == []
    assert well(*base, "q.npz", "--quiet") == []
    assert Path("p.npz").read_bytes() == Path("q.npz").read_bytes()


def test_ctrl_c_in_lbfgs_keeps_the_params(linear: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    base = ["train", "linear.bp", "--data", "points.npz", "--optimizer", "lbfgs", "--out", "p.npz"]
    real = loop.evaluate

    def evaluate(*args: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return real(*args)

    monkeypatch.setattr(loop, "evaluate", evaluate)
    done = run(*base)
    assert done.exit_code == 130
    assert done.stderr == (
        "bpc: interrupted in epoch 2; with --params p.npz the same command goes on from there\n"
    )
    assert load("p.npz")["w"].shape == (3,)


def test_what_does_not_go_on(linear: Arrays) -> None:
    base = ["train", "linear.bp", "--data", "points.npz", "--out", "p.npz", "--checkpoint", "c.npz"]
    well(*base, "--epochs", 1)
    start = "cannot resume from c.npz: it was made with "
    again = [*base, "--resume"]
    assert fails(*again, "--lr", 0.5) == f"{start}--lr 0.001, not 0.5"
    assert fails(*again, "--batch", 5, "--seed", 2) == f"{start}--batch 32, not 5; --seed 0, not 2"
    assert fails(*again, "--optimizer", "sgd") == (
        f"{start}--optimizer adam, not sgd; --momentum nothing, not 0.0; "
        "--dampening nothing, not 0.0; --nesterov nothing, not False"
    )
    assert fails(*again, "--valid", "more.npz") == f"{start}another --valid"
    again[3] = "more.npz"
    assert fails(*again) == f"{start}another --data"
    again[3] = "points.npz"
    Path("linear.bp").write_text(LINEAR.replace("0.1", "0.2"))
    assert fails(*again) == f"{start}another model"
    again[-2] = "points.npz"
    assert fails(*again) == "--checkpoint points.npz: it is a file that is read"
    again[-2] = "more.npz"
    assert fails(*again) == "cannot resume from more.npz: it is no checkpoint of bpc"
    again[-2] = "none.npz"
    assert fails(*again) == "cannot read none.npz: no such file or directory"


def test_a_checkpoint_holds_what_a_run_is() -> None:
    fields = set(loop.Run.__slots__)
    assert fields - set(checkpoint.NUMBERS) == {
        "params", "previous", "state", "rng", "rng_state", "best", "computing",
    }  # fmt: skip


# Data


def table(path: str, x: Any, label: Any, heading: str = "", separator: str = ",") -> None:
    rows = [separator.join([*map(repr, map(float, r)), str(n)]) for r, n in zip(x, label)]
    Path(path).write_text("\n".join([*([heading] if heading else []), *rows, ""]))


@pytest.mark.parametrize(
    ("name", "heading", "columns"),
    [
        ("t.csv", "", "x=0:64,label=64"),
        ("t.csv", "", "x=:64, label=-1"),
        ("t.csv", ",".join(f"pixel {i}" for i in range(64)) + ",digit", "x=0:64,label=digit"),
        ("t.tsv", "", "label=64,x=0:32+32:64"),
    ],
)
def test_tables(digits: None, name: str, heading: str, columns: str) -> None:
    data = load("train.npz")
    table(name, data["x"], data["label"], heading, "\t" if name == "t.tsv" else ",")
    base = ["train", DIGITS, "--epochs", 1, "--set", "H=4", "--out"]
    expected = well(*base, "a.npz", "--data", "train.npz")
    said = well(*base, "b.npz", "--data", name, "--columns", columns)
    assert said[0] == expected[0]
    assert Path("a.npz").read_bytes() == Path("b.npz").read_bytes()


def test_a_table_has_the_layout_of_arrays(digits: None) -> None:
    data = load("train.npz")
    table("t.csv", data["x"], data["label"])
    found = read_table("t.csv", describe(bpc.load(DIGITS)).inputs, {"x": "0:64", "label": "64"})
    assert {n: (a.flags.c_contiguous, a.strides) for n, a in found.items()} == {
        n: (True, data[n].strides) for n in ("x", "label")
    }
    assert all(np.array_equal(found[n], data[n]) for n in found)


def test_a_table_by_the_names_of_its_columns(home: Path) -> None:
    Path("m.bp").write_text(
        "dim N\ninput age: [N], y: [N], old: bool[N]\nparam w = 1\n"
        "cost J = mean((w * age - where(old, y, 0))^2)\noutput p = w * age\noutput q = old\n"
    )
    Path("t.csv").write_text('id,y,"age",old\na,2.0,1,1\n\nb,4,2,0\n')
    well("train", "m.bp", "--data", "t.csv", "--epochs", 1, "--out", "p.npz", "--lr", 1e-9)
    said = well("predict", "m.bp", "--params", "p.npz", "--data", "t.csv", "--out", "q.csv")
    assert said == ["q.csv: p float64 [2]", "q.csv: q bool [2]"]
    w = float(load("p.npz")["w"])
    assert Path("q.csv").read_text() == f"p,q\n{w!r},1\n{2 * w!r},0\n"


def test_predictions_as_a_table(digits: None) -> None:
    base = [DIGITS, "--set", "H=4"]
    well("train", *base, "--data", "train.npz", "--epochs", 1, "--dtype", "float32",
         "--out", "p.npz")  # fmt: skip
    assert well("predict", *base, "--params", "p.npz", "--data", "test.npz", "--out", "p.csv") == [
        "p.csv: p float32 [100, 10]"
    ]
    first, *rows = Path("p.csv").read_text().splitlines()
    assert first == ",".join(f"p[{i}]" for i in range(10))
    well("predict", *base, "--params", "p.npz", "--data", "test.npz", "--out", "q.npz")
    q = load("q.npz")["p"]
    assert np.array_equal(np.array([r.split(",") for r in rows]).astype(np.float32), q)
    test = load("test.npz")
    table("t.csv", test["x"], test["label"])
    well("predict", *base, "--params", "p.npz", "--data", "t.csv", "--columns", "x=0:64",
         "--out", "r.npz")  # fmt: skip
    assert np.array_equal(load("r.npz")["p"], q)


SEQUENCES = """\
dim T, N, K
input x: [T, N, 2], y: [N], table: [K, 2]
param w: [2] ~ ones, s = 1
cost J = mean((sum(x @ w, axis=0) + s * sum(table) - y)^2)
output p = sum(x @ w, axis=0)
output each = x @ w
"""


def test_the_batch_dim_may_be_any_axis_and_other_inputs_are_whole(home: Path) -> None:
    rng = np.random.default_rng(0)
    x, k = rng.standard_normal((4, 30, 2)), rng.standard_normal((5, 2))
    np.savez("d.npz", x=x, y=rng.standard_normal(30), table=k, extra=np.zeros(7))
    Path("m.bp").write_text(SEQUENCES)
    base = ["train", "m.bp", "--data", "d.npz", "--out", "p.npz", "--epochs", 2, "--batch", 8]
    assert fails(*base) == "which of T, N and K counts the examples? --batch-dim N would say so"
    well(*base, "--batch-dim", "N")
    said = well("predict", "m.bp", "--params", "p.npz", "--data", "d.npz", "--batch-dim", "N",
                "--batch", 7, "--out", "q.npz")  # fmt: skip
    assert said == ["q.npz: p float64 [30]", "q.npz: each float64 [4, 30]"]
    w = load("p.npz")["w"]
    np.testing.assert_allclose(load("q.npz")["each"], x @ w, rtol=1e-12)
    assert fails("predict", "m.bp", "--params", "p.npz", "--data", "d.npz", "--batch-dim", "N",
                 "--out", "q.csv") == (
        "cannot write q.csv: a table has a row for each example, and the outputs are "
        "p (30,), each (4, 30); .npz holds them"
    )  # fmt: skip


def test_ints_are_cast_to_floats_and_images_cut_from_rows(home: Path) -> None:
    Path("m.bp").write_text(
        "dim N\ninput x: [N, 2, 3], y: [N]\nparam w: [3, 1] ~ ones\n"
        "cost J = mean((sum(x @ w, axis=(1, 2)) - y)^2)\n"
    )
    x, y = np.arange(12, dtype=np.uint8).reshape(2, 2, 3), np.array([1, 2])
    np.savez("d.npz", x=x, y=y)
    table("d.csv", x.reshape(2, 6), y)
    base = ["train", "m.bp", "--epochs", 2, "--dtype", "float32", "--out"]
    a = well(*base, "a.npz", "--data", "d.npz")
    b = well(*base, "b.npz", "--data", "d.csv", "--columns", "x=0:6,y=6")
    assert a[:2] == b[:2]
    assert Path("a.npz").read_bytes() == Path("b.npz").read_bytes()


def test_without_a_batch_dim_all_data_are_one_step(linear: Arrays) -> None:
    base = ["train", "linear.bp", "--data", "points.npz", "--epochs", 2, "--optimizer", "sgd"]
    a = well(*base, "--set", "N=50", "--batch", 10, "--out", "a.npz")
    b = well(*base, "--batch", 50, "--out", "b.npz")
    assert a[:2] == b[:2]


# Pictures


def test_plot_as_svg(linear: Arrays) -> None:
    base = ["train", "linear.bp", "--data", "points.npz", "--out", "p.npz", "--plot", "l.svg"]
    well(*base, "--valid", "more.npz", "--epochs", 5)
    root = ElementTree.parse("l.svg").getroot()
    name = "{http://www.w3.org/2000/svg}"
    lines = root.findall(f".//{name}polyline")
    assert [len(p.get("points", "").split()) for p in lines] == [5, 5]
    texts = [t.text for t in root.iter(f"{name}text")]
    assert {"linear.bp: cost", "epoch", "training", "validation", "1", "5"} <= set(texts)
    well(*base, "--epochs", 1)
    root = ElementTree.parse("l.svg").getroot()
    assert len(root.findall(f".//{name}polyline")) == 1
    assert "nan" not in Path("l.svg").read_text()


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (1, 9, ["2", "4", "6", "8"]),
        (-0.003, 0.004, ["-0.002", "0", "0.002", "0.004"]),
        (5.0, 5.0, ["5"]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[str]) -> None:
    assert [f"{t:.3g}" for t in plot.ticks(low, high)] == expected


def test_the_axis_is_logarithmic_where_the_cost_falls_far() -> None:
    far = [{"cost": 10.0**-i} for i in range(4)]
    assert plot.logarithmic(far) and not plot.logarithmic([{"cost": 1.0}, {"cost": 0.5}])
    assert not plot.logarithmic([{"cost": -1.0}, {"cost": 100.0}])
    assert [f">{t}<" in plot.svg(far, "t") for t in ("1", "0.1", "0.01", "0.001", "0.2")] == [
        True, True, True, True, False,
    ]  # fmt: skip
    assert ">a &lt; b<" in plot.svg(far, "a < b")
    near = plot.svg([{"cost": 3.0}, {"cost": 0.1}], "t")
    assert all(f">{t}<" in near for t in ("0.1", "0.2", "0.5", "1", "2"))


def test_plot_as_png(linear: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    base = ["train", "linear.bp", "--data", "points.npz", "--out", "p.npz", "--plot", "l.png"]
    well(*base, "--epochs", 2)
    assert Path("l.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    Path("p.npz").unlink()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert fails(*base) == (
        "--plot: .png needs matplotlib, which is not installed: pip install 'bpc[train]'; "
        ".svg needs nothing"
    )
    assert not Path("p.npz").exists()


# What is wrong is said


def test_lbfgs_needs_scipy(linear: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    assert fails("train", "linear.bp", "--data", "points.npz", "--optimizer", "lbfgs",
                 "--out", "p.npz") == (
        "--optimizer lbfgs needs SciPy, which is not installed: pip install 'bpc[train]'"
    )  # fmt: skip


WRONG = [
    ("--data none.npz", "cannot read none.npz: no such file or directory"),
    ("--data linear.bp", "linear.bp: data are in an .npz, .csv or .tsv file"),
    ("--data text.npz", "cannot read text.npz: it is no .npz file"),
    ("--data objects.npz", "cannot read objects.npz: it holds Python objects"),
    ("", "the input x (real [N, D]) has no sample: --data FILE is needed"),
    ("--data a.npz", "a.npz has no x (real [N, D]); it has X float64 (4, 3), y int64 (4,)"),
    ("--data empty.npz", "empty.npz has no x (real [N, D]); it has nothing"),
    ("--data b.npz", "b.npz: y has shape (5,), expected [N], N = 4 as in x"),
    ("--data c.npz", "c.npz: x has shape (4,), expected [N, D]"),
    ("--data words.npz", "words.npz: y has dtype <U1, expected numbers"),
    ("--data zero.npz", "zero.npz: there are no examples: N = 0"),
    ("--data d.npz --valid wide.npz", "wide.npz has D = 4, where d.npz has D = 3"),
    ("--data d.npz --out no/p.npz", "cannot write no/p.npz: no such file or directory"),
    ("--data d.npz --out .", "cannot write .: is a directory"),
    ("--data d.npz --out d.npz", "--out d.npz: it is a file that is read"),
    ("--data d.npz --plot p.npz", "--out and --plot are one file, p.npz"),
    ("--data d.npz --plot p.gif", "--plot p.gif: a name that ends in .svg or .png is expected"),
    ("--data d.npz --batch-dim M", "--batch-dim M: no input has this free dim; free are N, D"),
    ("--data d.npz --batch-dim D", "--batch-dim D: the params' shapes depend on it"),
    ("--data d.npz --metric q", "--metric q: no scalar output of this name; there is none"),
    ("--data d.npz --running q=b", "--running q=b: no output q; there are p"),
    ("--data d.npz --running p=bb", "--running p=bb: no param bb; there are w, b"),
    (
        "--data d.npz --running p=b",
        "--running p=b: the output has shape (4,), the param ()",
    ),
    ("--data d.npz --patience 3", "--patience needs --valid"),
    ("--data d.npz --nesterov", ("--nesterov does not go with --optimizer adam, which takes "
     "--lr, --betas, --eps, --weight-decay, --amsgrad, --clip")),
    ("--data d.npz --optimizer sgd --nesterov", "--nesterov needs a momentum, and no dampening"),
    ("--data d.npz --optimizer lbfgs --lr 1",
     "--lr does not go with --optimizer lbfgs, which takes none of these"),
    ("--data d.npz --optimizer lbfgs --resume", "--resume does not go with --optimizer lbfgs"),
    ("--data d.npz --columns x=0:3", "--columns is for .csv and .tsv files"),
    ("--data d.npz --set Q=3", "--set Q: the program has no dim or const of this name"),
    ("--data t.csv", "t.csv: say which columns are which, as in --columns x=0,y=1"),
    ("--data t.csv --columns z=0",
     "--columns z: the model has no such input; its inputs are x, y"),
    ("--data t.csv --columns x=0:3,y=4", "--columns y=4: t.csv has 4 columns, 0 to 3"),
    ("--data t.csv --columns x=0:9,y=3", "--columns x=0:9: t.csv has 4 columns, 0 to 3"),
    ("--data t.csv --columns x=1:1,y=3", "--columns x=1:1: this is no column at all"),
    ("--data t.csv --columns x=0:3,y=prize",
     "--columns y=prize: t.csv has no column 'prize'; did you mean `price`?"),
    ("--data t.csv --columns x=0:3,y=price", "t.csv:3: column 1 is 'oops', no number"),
    ("--data t.csv --columns x=0,y=price", "t.csv:4: 1 columns, where column 3 is needed"),
    ("--data e.csv --columns x=0,y=1", "cannot read e.csv: it is empty"),
    ("--data d.npz --params w.npz", "w.npz lacks b, has the unknown c"),
    ("--data d.npz --params i.npz", "i.npz: w has dtype int64, expected float32 or float64"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "message"), WRONG, ids=[o or "none" for o, _ in WRONG])
def test_what_is_wrong(linear: Arrays, options: str, message: str) -> None:
    x, y = np.zeros((4, 3)), np.zeros(4)
    Path("text.npz").write_text("text")
    Path("t.csv").write_text("a,b,c,price\n1,2,3,4\n1,oops,3,4\n1\n")
    Path("e.csv").write_text("\n")
    np.savez("objects.npz", x=np.array([{}]), y=y)
    np.savez("a.npz", X=x, y=y.astype(int))
    np.savez("empty.npz")
    np.savez("b.npz", x=x, y=np.zeros(5))
    np.savez("c.npz", x=y, y=y)
    np.savez("d.npz", x=x, y=y)
    np.savez("words.npz", x=x, y=np.array(["a"] * 4))
    np.savez("zero.npz", x=x[:0], y=y[:0])
    np.savez("wide.npz", x=np.zeros((4, 4)), y=y)
    np.savez("w.npz", w=np.zeros(3), c=0.0)
    np.savez("i.npz", w=np.zeros(3, int), b=0.0)
    out = [] if "--out" in options else ["--out", "p.npz"]
    said = fails("train", "linear.bp", "--epochs", 1, *options.split(), *out)
    assert said == message
    assert not Path("p.npz").exists()


def test_metrics_of_ones_own(digits: None) -> None:
    text = DIGITS.read_text() + "output accuracy = 0.5 * mean(p)\noutput valid = 1 + 0 * sum(p)\n"
    Path("m.bp").write_text(text)
    base = ["train", "m.bp", "--data", "train.npz", "--epochs", 1, "--out", "p.npz"]
    assert well(*base, "--metric", "accuracy")[0].endswith("   accuracy 5.00%")
    assert fails(*base, "--metric", "valid") == (
        "--metric valid: this is how the validation cost is called"
    )


def test_labels_out_of_range_name_the_step(digits: None) -> None:
    np.savez("d.npz", x=np.zeros((4, 64)), label=[1, 2, 10, 3])
    assert fails("train", DIGITS, "--data", "d.npz", "--batch", 4, "--out", "p.npz") == (
        "epoch 1, step 1: label[0] is 10, expected 0 to 9"
    )
    np.savez("d.npz", x=np.zeros((4, 64)), label=[1.0, 2, 3, 3])
    assert fails("train", DIGITS, "--data", "d.npz", "--out", "p.npz") == (
        "d.npz: label has dtype float64, expected int"
    )
    table("d.csv", np.zeros((2, 64)), [1, 2.5])
    assert fails("train", DIGITS, "--data", "d.csv", "--columns", "x=0:64,label=64",
                 "--out", "p.npz") == (
        "d.csv: label is int, and one of its values is 2.5"
    )  # fmt: skip


def test_errors_of_the_program_end_with_1(home: Path) -> None:
    Path("m.bp").write_text("cost J = q\n")
    done = run("train", "m.bp", "--out", "p.npz")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("m.bp:1:10: error[BP101]")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--params points.npz --data points.npz --out q.npz",
         "points.npz lacks w, lacks b, has the unknown x, has the unknown y"),
        ("--params p.npz --data none.npz --out q.npz",
         "cannot read none.npz: no such file or directory"),
        ("--params p.npz --out q.npz",
         "the input x (real [N, D]) has no sample: --data FILE is needed"),
        ("--params p.npz --data points.npz --out q.txt",
         "--out q.txt: a name that ends in .npz or .csv is expected"),
        ("--params p.npz --data points.npz --out p.npz", "--out p.npz: it is a file that is read"),
        ("--params p.npz --data wide.npz --out q.npz",
         "p.npz and wide.npz: x has shape (4, 4), expected [N, D], D = 3"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_prediction(linear: Arrays, options: str, message: str) -> None:
    np.savez("p.npz", w=np.zeros(3), b=0.0)
    np.savez("wide.npz", x=np.zeros((4, 4)))
    assert fails("predict", "linear.bp", *options.split()) == message
    assert not Path("q.npz").exists()


# What is shown


def test_numbers_in_a_few_digits() -> None:
    shown = [number(v) for v in (0.0, 0.01234567, 12.3, 1e-5, 123456.7, -0.5)]
    assert shown == ["0.0000", "0.0123", "12.3000", "1.000e-05", "1.235e+05", "-0.5000"]
    assert (
        line(3, 20, {"cost": 0.5, "accuracy": 0.9321})
        == "epoch  3/20   cost 0.5000   accuracy 93.21%"
    )


def test_a_bar_on_a_terminal(linear: Arrays) -> None:
    import pty

    command = [sys.executable, "-m", "bpc", "train", "linear.bp", "--data", "points.npz",
               "--epochs", "3", "--out", "p.npz"]  # fmt: skip

    def shown(**environment: str) -> str:
        master, slave = pty.openpty()
        env = {**os.environ, "TERM": "xterm", "COLUMNS": "100", **environment}
        env.pop("NO_COLOR", None) if "NO_COLOR" not in environment else None
        with subprocess.Popen(command, stdout=slave, stderr=slave, env=env) as running:
            os.close(slave)
            data = b"".join(chunks(master))
        os.close(master)
        assert running.returncode == 0, data
        return data.decode().replace("\r\n", "\n")

    bar = shown()
    assert "\x1b" in bar and "━" in bar
    plain = shown(NO_COLOR="1")
    assert "\x1b" not in plain
    for text in plain.splitlines():
        assert text in bar
    assert re.match("epoch 1/3   cost .*\n", plain)


def chunks(master: int) -> Iterator[bytes]:
    while True:
        try:
            data = os.read(master, 65536)
        except OSError:  # the other end is closed
            return
        if not data:
            return
        yield data


def test_the_command_line_does_not_load_what_training_needs() -> None:
    code = (
        "import sys, bpc.cli; print([m for m in sys.modules if 'bpc.training' in m or 'rich' in m])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# Documentation

DOCS = Path(__file__).parent.parent / "docs" / "training.md"
README = Path(__file__).parent.parent / "README.md"


def test_the_reference_names_every_option() -> None:
    text = DOCS.read_text()
    for command in (train, predict):
        for option in command.params:
            for name in option.opts:
                assert not name.startswith("--") or f"{name}" in text, name


def test_the_program_of_the_reference_trains(linear: Arrays) -> None:
    (program,) = re.findall(r"^```bp\n(.*?)^```$", DOCS.read_text(), re.MULTILINE | re.DOTALL)
    Path("m.bp").write_text(program)
    well("train", "m.bp", "--data", "points.npz", "--running", "mean=mu,var=v", "--out", "p.npz")
    np.testing.assert_allclose(load("p.npz")["mu"], linear["x"].mean(axis=0), atol=0.2)


def test_the_session_of_the_readme(home: Path) -> None:
    (session,) = re.findall(
        r"^```console\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL
    )
    first, *commands = re.findall(r"^\$ (.*)\n((?:[^$].*\n)*)", session, re.MULTILINE)
    assert first == ("python examples/digits_data.py", "")
    subprocess.run([sys.executable, EXAMPLES / "digits_data.py"], check=True)
    for command, expected in commands:
        _, *words = command.replace("examples", str(EXAMPLES)).split()
        assert well(*words) == expected.splitlines()


@pytest.mark.parametrize("option", ["--lr", "--clip", "--weight-decay"])
@pytest.mark.parametrize("number", ["nan", "inf"])
def test_numbers_are_finite(option: str, number: str) -> None:
    done = run("train", "m.bp", "--data", "d.npz", "--out", "p.npz", option, number)
    assert done.exit_code == 2 and "is no finite number" in done.output
