"""The cost contract: what `bpc info` and the docstrings say is what is measured."""

from __future__ import annotations

import json
import re
import tracemalloc
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import bpc
from bpc.cli import app
from bpc.compiler import execute
from bpc.cost import Contract
from bpc.cost.formula import Formula, largest
from bpc.ir import Program
from bpc.reports import costs
from bpc.source import Source
from bpc.types import dim, size

ROOT = Path(__file__).parents[1]
N, H = dim("N"), dim("H")

#: a model and the sizes of its free dims: two of them, at which arrays are large (see the test)
EXAMPLES: dict[str, tuple[dict[str, int], dict[str, int]]] = {
    "adding.bp": ({"N": 1000, "T": 3}, {"N": 2500, "T": 2}),
    "curve_fit.bp": ({"N": 100_000}, {"N": 200_000}),
    "deep_net.bp": ({"N": 2000}, {"N": 5000}),
    "digits.bp": ({"N": 8000}, {"N": 12_000}),
    "lenet.bp": ({"N": 100}, {"N": 200}),
    "linear_regression.bp": ({"N": 300_000, "D": 1}, {"N": 500_000, "D": 1}),
    "logistic_regression.bp": ({"N": 200_000, "D": 3}, {"N": 500_000, "D": 2}),
    "mixture.bp": ({"N": 50_000, "D": 4}, {"N": 9_000, "D": 20}),
    "pinn.bp": ({"N": 2500, "B": 100, "I": 900, "M": 900}, {"N": 1500, "B": 900, "I": 900, "M": 900}),
    "transformer.bp": ({"N": 8, "T": 16}, {"N": 6, "T": 32}),
    "vae.bp": ({"N": 1000}, {"N": 3000}),
}  # fmt: skip
HEAD = "dim N, C\ninput x: [N, 16, 16, C]\nparam W: [3, 3, C, 8] ~ he\n"
NETWORKS = {
    "softmax": "dim N, C\ninput x: [N, C]\nparam w: [C]\ncost J = sum(softmax(x * w)^2)",
    "logsumexp": "dim N, C\ninput x: [N, C]\nparam w: [C]\ncost J = mean(logsumexp(x * w, axis=1))",
    "nll": "dim N, C\ninput x: [N, C]\ninput t: int[N]\nparam w: [C]\n"
    "cost J = mean(nll(log_softmax(x * w), t))",
    "smoothed": "dim N, C\ninput x: [N, C]\ninput t: int[N]\nparam w: [C]\n"
    "cost J = mean(cross_entropy(x * w, t, smoothing=0.1))",
    "layer_norm": "dim N, C\ninput x: [N, C]\nparam g, b: [C]\n"
    "param h: [C]\ncost J = sum(layer_norm(x * h, h, 1.0)^2) + sum(b)",
    "bce": "dim N, C\ninput x: [N, C]\nparam w: [C]\ncost J = mean(bce_with_logits(x * w, x))",
    "sigmoid": "dim N, C\ninput x: [N, C]\nparam w: [C]\ncost J = mean(sigmoid(x * w) ** 3)",
    "conv": HEAD + "cost J = mean(conv2d(x, W, pad=1)^2)",
    "stride": HEAD + "cost J = mean(tanh(conv2d(x, W, stride=2)))",
    "pool": HEAD + "cost J = mean(max_pool2d(conv2d(x, W), 2))",
    "norm": "dim N, C\ninput x: [N, C]\nparam w: [C]\ncost J = sum(norm(x * w, axis=1)) + var(x * w)",
    "turned": "dim N, C\ninput x: [N, C]\nparam w: [C]\n"
    "cost J = sum(reshape((x * w).T, N * C)^2)",
}  # fmt: skip
WIDE = "dim N, D\ninput x: [N, D]\nparam W: [D, D]\n"
NETWORKS["wide"] = WIDE + "cost J = mean((x @ W)^2)"
NETWORKS["wide and long"] = WIDE + "cost J = mean(tanh(x @ W @ W.T))"
WIDES = ({"N": 2500, "D": 400}, {"N": 9000, "D": 200})
SIZES = ({"N": 20_000, "C": 40}, {"N": 60_000, "C": 20})
IMAGES = ({"N": 60, "C": 16}, {"N": 150, "C": 8})


def arrays(program: Program, dims: dict[str, int], dtype: str) -> tuple[Any, Any]:
    """Params and inputs of a program."""
    rng = np.random.default_rng(0)

    def make(argument: Any) -> Any:
        shape = tuple(int(a.size.evaluate(dims)) for a in argument.var.type.shape)
        if argument.var.type.kind == "int":
            return rng.integers(0, 2, shape)
        return (0.3 * rng.normal(size=shape)).astype(dtype) if shape else 0.3

    params = {a.key: make(a) for a in program.params}
    return params, {a.key: make(a) for a in program.inputs}


@cache
def compiled(text: str, level: int) -> tuple[Program, Contract, Any]:
    """The program, what is said of its costs, and its module."""
    program, found = costs(Source("m.bp", text), level=level)
    assert found is not None
    return program, found, execute(bpc.compile_source(text, "m.bp", level=level), "m.bp")


def measured(text: str, level: int, dims: dict[str, int], dtype: str) -> tuple[int, int]:
    """What is said of the peak, and what tracemalloc sees."""
    program, found, module = compiled(text, level)
    params, inputs = arrays(program, dims, dtype)
    with np.errstate(all="ignore"):
        if level < 2:
            module.value_and_grad(params, **inputs)
        tracemalloc.start()  # at -O2 the first call makes the workspace
        try:
            module.value_and_grad(params, **inputs)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    itemsize = np.dtype(dtype).itemsize
    return found.functions["value_and_grad"].peak.evaluate(dims, itemsize), peak


def test_every_example_with_arrays_is_measured() -> None:
    paths = (ROOT / "examples").glob("*.bp")
    assert {p.name for p in paths if "[" in p.read_text()} - {"two_layer.bp"} == set(EXAMPLES)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("name", [*EXAMPLES, *NETWORKS])
def test_peak_bytes_are_those_measured(name: str, level: int, dtype: str) -> None:
    text = NETWORKS.get(name) or (ROOT / "examples" / name).read_text()
    sizes = EXAMPLES.get(name) or (
        IMAGES if text.startswith(HEAD) else WIDES if text.startswith(WIDE) else SIZES
    )
    for dims in sizes:
        said, peak = measured(text, level, dims, dtype)
        assert peak >= 4 * 10**5, f"{dims}: {peak} bytes are too few to tell"
        assert abs(said - peak) <= 0.1 * peak, f"{dims}: said {said}, measured {peak}"


def flops(text: str, level: int = 1, function: str = "cost") -> str:
    _, found = costs(Source("m.bp", text), level=level)
    assert found is not None
    return str(found.functions[function].flops)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("sum(x @ W)", "2*N*H*H + N*H"),
        ("sum(tanh(x))", "2*N*H"),
        ("sum(x.T)", "N*H"),
        ("sum(x[0])", "H"),
        ("sum(softmax(x))", "6*N*H"),
        ('sum(einsum("ij,jk->ik", x, W))', "2*N*H*H + N*H"),
        ('sum(einsum("i,j->ij", W[0], W[1]))', "2*H*H"),
        ("sum(inv(W))", "2*H*H*H + H*H"),
        ("sum(solve(W, W))", "8*H*H*H/3 + H*H"),
        ("det(W)", "2*H*H*H/3"),
        ("mean(x)", "N*H"),
    ],
)
def test_flops(line: str, expected: str) -> None:
    text = f"dim N, H\ninput x: [N, H]\nparam W: [H, H]\ncost J = {line}"
    assert Formula.of(_size(expected)).terms == _found(text)


def _found(text: str) -> Any:
    _, found = costs(Source("m.bp", text), level=1)
    assert found is not None
    return found.functions["cost"].flops.terms


def _size(text: str) -> Any:
    names = {"N": N, "H": H}
    return eval(re.sub(r"\d+", r"size(\g<0>)", text), {"size": size, **names})


def test_flops_of_a_loop_are_those_of_its_steps() -> None:
    text = "dim T, H\ninput X: [T, H]\nparam w: [H]\n"
    text += "scan t in 0..T-1 carry (h = zeros(H)) {\n  h = tanh(X[t] * w + h)\n}\ncost J = sum(h)"
    assert set(flops(text).split(" + ")) == {"3*H*T", "H"}


def test_gradient_of_a_product_costs_two_more() -> None:
    text = (
        "dim N, H\ninput x: [N, H]\nparam A: [H, H]\nparam B: [H, H]\ncost J = sum((x @ A @ B)^2)"
    )
    _, found = costs(Source("m.bp", text))
    assert found is not None
    assert found.ratio({"N": 10**6, "H": 10**4}) == pytest.approx(2.5, rel=0.01)


def test_saved_values_are_what_the_backward_part_reads() -> None:
    _, found = costs(Source("d.bp", (ROOT / "examples" / "digits.bp").read_text()))
    assert found is not None
    assert [v.name for v in found.saved] == ["h", "logits"]
    assert str(found.saved_bytes) == "74*N*itemsize"


def test_formulas() -> None:
    small, large = Formula.of(N * H), Formula.of(N * N * H + size(3))
    assert large.covers(small) and not small.covers(large)
    assert len(largest([small, large, Formula.of(H * H)])) == 2
    assert str(Formula.of(N * size(2) - H)) == "2*N - H"
    assert Formula.of(N * H + H * H + N * N + size(1)).text(14).endswith("+ ...")


def test_tiles_are_counted_at_all_sizes() -> None:
    text = (ROOT / "examples" / "linear_regression.bp").read_text()
    _, found = costs(Source("m.bp", text), level=2)
    assert found is not None
    peak = found.functions["value_and_grad"].peak
    assert peak.tiles is not None
    few, many = ({"N": n, "D": 3} for n in (100, 10**6))
    assert peak.evaluate(many, 8) < 10 * 2**20 < 8 * 10**6 * 3
    assert peak.evaluate(few, 8) < 10_000
    assert "rows" in peak.text() and "(N % rows)" in peak.text()


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.bp")), ids=lambda p: p.stem)
def test_header_states_it(path: Path, level: int) -> None:
    text = path.read_text()
    module = bpc.compile_source(text, path.name, level=level)
    lines = _stated(module)
    assert lines == _stated(bpc.compile_source(text, path.name, level=level))
    assert lines[0].endswith(" flops") and re.search(r"\(\d+\.\d times\)$", lines[1])
    assert all(len(line) <= 88 for line in lines)


def _stated(module: str) -> list[str]:
    doc = module.split('"""')[1].splitlines()
    return [line for line in doc if re.match("cost|gradient|peak", line)]


def test_too_many_dims_for_a_peak() -> None:
    """The flops are stated all the same; a module is compiled in time."""
    names = [f"N{i}" for i in range(100)]
    text = f"dim {', '.join(names)}\n" + "".join(f"input x{n}: [{n}]\n" for n in names)
    text += "param w\ncost J = " + " + ".join(f"sum(tanh(w * x{n}))" for n in names)
    assert costs(Source("m.bp", text))[1] is None
    stated = _stated(bpc.compile_source(text, "m.bp"))
    assert [line.split(":")[0] for line in stated] == ["cost", "gradient"]
    assert all(" + ... flops" in line and len(line) <= 88 for line in stated)


# The command


def info(*args: str) -> Any:
    return CliRunner().invoke(app, ["info", *args], catch_exceptions=False)


def test_table_and_json_say_the_same() -> None:
    model = str(ROOT / "examples" / "digits.bp")
    table, told = info(model, "--at", "N=128"), info(model, "--at", "N=128", "--format", "json")
    assert table.exit_code == told.exit_code == 0
    facts = json.loads(told.stdout)
    assert facts["at"] == {"N": 128}
    assert facts["steps"]["sum"]["number"] == facts["nodes"] + facts["params"]["count"]["number"]
    assert (
        facts["steps"]["product"]["number"] == facts["nodes"] * facts["params"]["count"]["number"]
    )
    for both in (*facts["flops"].values(), facts["params"]["count"]):
        assert both["formula"] in table.stdout and f"{both['number']:,}" in table.stdout
    for both in (*facts["peak"].values(), facts["saved"]["bytes"]):
        assert f"{both['float64']:,} float64, {both['float32']:,} float32" in table.stdout
    assert f"{facts['ratio']['number']:.2f} times" in table.stdout


def test_says_what_runs_in_tiles() -> None:
    result = info(str(ROOT / "examples" / "linear_regression.bp"), "-O2", "--at", "N=1000000")
    assert re.search(r"value_and_grad +in tiles along N, \d+ rows each", result.stdout)
    result = info(str(ROOT / "examples" / "neuron.bp"), "-O2")
    assert "nothing has a free dim" in result.stdout


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--at", "M=3"], "--at M: no free dim of this name"),
        (["--at", "N=0"], "--at N=0: a dim is a whole number from 1 on"),
        (["--at", "N=1.5"], "--at N=1.5"),
        (["--at", "N"], "is not NAME=VALUE"),
        (["--set", "Q=1"], "Q"),
    ],
)
def test_usage(args: list[str], message: str) -> None:
    result = info(str(ROOT / "examples" / "digits.bp"), *args)
    assert result.exit_code == 2
    assert message in result.stderr


def test_errors_have_their_places(tmp_path: Path) -> None:
    path = tmp_path / "bad.bp"
    path.write_text("param w = 1\ncost J = v\n")
    result = info(str(path))
    assert result.exit_code == 1
    assert re.search(r"bad\.bp:2:10: error\[BP\d+\]", result.stderr)
