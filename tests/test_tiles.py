"""Tiles: every claim of an operator's entry on rows holds, and a split computes what the whole does.

A wrong claim would be a wrong gradient: the rules are held to all calls of tests/test_ops.py and to
their first and second derivatives, with the rows on every axis that they can be on.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from scipy import special

from bpc.calculus.forward import dotted, jvp
from bpc.cli.app import app
from bpc.codegen.kernel import Kernel
from bpc.codegen.names import Names
from bpc.codegen.spelling import Speller
from bpc.compiler import differentiate, front, optimise, simplified, written_out
from bpc.diagnostics import BpcError
from bpc.emit import extend
from bpc.ir import Equation, Function, Literal, Program, variables
from bpc.ops import OPS, helpers, network_helpers
from bpc.ops.loops import Loop
from bpc.ops.rows import SUM, Meets
from bpc.plan import Plan
from bpc.reports import tile
from bpc.schedule import stepped
from bpc.schedule.cut import Cut
from bpc.schedule.labels import pointed
from bpc.schedule.loosen import loosen
from bpc.schedule.rows import TOTAL, Found, Rows
from bpc.schedule.tiles import Tiles, Whole, choose, split
from bpc.source import Source, Span
from bpc.types import Size, Type, size
from bpc.verify import verify
from programs import Maker
from test_ops import LANGUAGE, Call, calls, entrywise

ROOT = Path(__file__).parents[1]
START = Span(Source("tiles", ""), 0, 0)
HELPERS = {**vars(helpers), **vars(network_helpers), "np": np, "math": math, "special": special}
Arrays = list[Any]


# A function of the IR as a function of Python


def sizes_in(function: Function) -> set[str]:
    """The dims of a function, in loops too."""
    types = [v.type for v in function.params]
    found: set[str] = set()
    for e in function.body:
        types += [v.type for v in (*e.outs, *e.args)]
        for a in e.args:
            if isinstance(a, Literal) and isinstance(a.value, Size):
                found |= a.value.dims()
        if e.op == "scan":
            found |= Loop.of(e).length.dims() | sizes_in(Loop.of(e).body)
        for _, value in e.attrs:
            for item in value if isinstance(value, tuple) else ():
                parts = item if isinstance(item, tuple) else (getattr(item, "size", item),)
                found |= {d for s in parts if isinstance(s, Size) for d in s.dims()}
    return found | {d for t in types for a in t.shape for d in a.size.dims()}


#: how many columns of a Jacobian are computed together
COLUMNS = 2


def python(function: Function) -> Callable[..., Arrays]:
    """The printed kernel of a function, taking arrays, then dims by name."""
    names = Names()
    dims = {d: names.claim(d) for d in sorted(sizes_in(function))}
    for taken in ("dtype", "seed"):
        names.claim(taken)
    labels = tuple(f"r{i}" for i, _ in enumerate(function.results))
    printed = pointed(loosen(replace(function, labels=labels), False, START))
    taken = {p: names.claim(p.name) for p in printed.params}
    plan = stepped(Plan(printed, scalars=False))
    kernel = Kernel(plan, printed, Speller(dict(dims)), names, taken, {})
    body = kernel.body(str)
    text = "\n".join(
        [
            f"def f({', '.join([*taken.values(), '*', 'dtype', 'seed', *dims.values()])}):",
            *body,
            f"    return [{', '.join(kernel.results())}]",
        ]
    )
    space: dict[str, Any] = dict(HELPERS)
    exec(text, space)  # noqa: S102 - the test wrote it

    def call(
        arrays: Sequence[Any], sizes: dict[str, int], seed: int | None = None, dtype: Any = float
    ) -> Arrays:
        some = {name: sizes.get(d, COLUMNS) for d, name in dims.items()}
        found = space["f"](*arrays, dtype=np.dtype(dtype), seed=seed, **some)
        return [np.asarray(x) for x in found]

    return call


def fill(
    type: Type, sizes: dict[str, int], rng: np.random.Generator, low: float, high: float
) -> Any:
    shape = tuple(int(a.size.evaluate({"columns": COLUMNS, **sizes})) for a in type.shape)
    if type.kind == "real":
        return np.asarray(rng.uniform(low, high, shape))
    if type.kind == "int":
        return np.asarray(rng.integers(0, 2, shape))
    return np.asarray(rng.uniform(size=shape) > 0.4)


# The rules of the entries


def claimed(call: Call) -> Iterator[Call]:
    """The call with N in place of a size, on one axis of each argument or none, in every way."""
    for length in sorted({n for a in call.arguments for n in a.shape if n != 1}):
        axes = [[None, *(i for i, n in enumerate(a.shape) if n == length)] for a in call.arguments]
        for chosen in itertools.product(*axes):
            if all(c is None for c in chosen):
                continue
            yield replace(
                call,
                arguments=tuple(
                    a if c is None else replace(a, shape=(*a.shape[:c], "N", *a.shape[c + 1 :]))
                    for a, c in zip(call.arguments, chosen)
                ),
            )


def programs_of(name: str) -> Iterator[str]:
    some = calls(name)
    for call in some[:2] if entrywise(OPS[name]) else some:
        for one in claimed(call):
            lines = ["dim N", "param anchor: [N]"]
            lines += dict.fromkeys(a.declared for a in one.arguments)
            lines.append(one.statements[0])
            terms = [f"sum(sin(1.0 * {r}))" for r in one.results]
            yield "\n".join([*lines, f"cost J = sum(0 * anchor) + {' + '.join(terms)}"])


WRITTEN = [
    "reshape(x, [N, 12])", "reshape(x, [3*N, 4])", "reshape(x, [12*N])", "reshape(x, [3, N, 4])",
    "reshape(x, [4, N, 3])", "reshape(x, [2*N, 6])", "reshape(x, [12, N])", "reshape(x, [1, N, 3, 4])",
    "broadcast(x, [5, N, 3, 4])", "broadcast(x[0], [N, 3, 4])", "x[:, 0]", "x[:, new]", "x[:, ::2]",
    "x[0]", "x[1:]", "x[:-1]", "x[::-1]", "x[:, ::-1]", "x[i]", "x[:, j]", "x[:, j, :2]", "w[i]",
    "w[:, i]", "w[i, i]", "x @ w[0]", "x[:, 0] @ w[0, :4]", "w[:3] @ x[:, :, :]", "x[..., 0] @ w[0, :3]",
    "x @ w[:4]", "triu(x)", "x[:, 0].T @ x[:, 1]", "x[:, 0] @ x[:, 0].T", "reshape(x, [3*N, 4]) @ w[0, :4]",
    "reshape(x, [N, 12]).T @ reshape(x, [N, 12])", "y @ x[:, 0]", "x[:, 0].T @ y", "outer(y, y)",
    "einsum('nab,n->ab', x, y)", "einsum('nab,mab->nm', x, x)", "einsum('nab->an', x)",
    "log_softmax(x[:, 0], axis=0)", "softmax(x, axis=1)", "softmax(x)", "cumsum(x, axis=1)",
    "nll(log_softmax(x), one)", "cross_entropy(x[:, 0], i)", "stack(y, y)", "stack(y, y, axis=1)",
    "concat(x, x, axis=1)", "concat(y, y)", "pad(x, ((0, 0), (1, 0), (0, 2)))", "pad(y, 1)",
    "mean(x, axis=(0, 2))", "mean(reshape(x, [3*N, 4]), axis=0)", "sum(x)", "sum(x, axis=0, keep=true)",
    "max(x, axis=1)", "max(x, axis=2, keep=true)", "min(x, axis=(1, 2))", "var(x, axis=1)",
    "norm(x, axis=2)", "std(x, axis=(1, 2))", "logsumexp(x, axis=1)", "where(any(x > 0, axis=1), 1, 0)",
    "one_hot(i, 3)", "one_hot(i, N)", "dropout(x, 0.5)", "solve(x[:, :, :3] + 4 * eye(3), x)",
    "solve(w[:3, :3] + 4 * eye(3), x[:, :, 0].T)", "inv(x[:, :, :3] + 4 * eye(3))",
    "logdet(x[:, :, :3] @ transpose(x[:, :, :3], 0, 2, 1) + eye(3))", "det(x[:, :, :3])",
    "diag(x[:, :, :3])", "trace(x[:, :, :3])", "tril(x)", "tril(x[:, 0])",
    "prod(x, axis=1)", "prod(y)", "group_norm(x, 1, 0, 2)", "layer_norm(x, 1, 0)", "roll(x, 1, 1)",
    "attention(x, x, x, causal=true)", "attention(y[:, new], y[:, new], y[:, new])",
]  # fmt: skip


def written() -> Iterator[str]:
    head = (
        "dim N\ninput i: int[N], j: int[2], one: int[N, 3]\nparam x: [N, 3, 4], y: [N], w: [5, 5]\n"
    )
    for text in WRITTEN:
        text = text.replace("'", '"')
        yield f"{head}cost J = sum(sin(1.0 * {text})) + sum(y)"


def equations(function: Function) -> Iterator[Equation]:
    for e in function.body:
        if e.op == "scan":
            yield from equations(Loop.of(e).body)
        else:
            yield e


def derivatives(text: str) -> Iterator[Function]:
    """The gradient and its derivative along a vector, as simple as they come and written out."""
    source = Source("rules.bp", text)
    try:
        program = front(source, {})
    except BpcError:
        return
    varied = tuple(a.var for a in program.params)
    for level in (0, 1, 2):
        found = differentiate(program, source, (), level)
        gradient = found.functions["value_and_grad"]
        functions = {"value_and_grad": gradient}
        if level:
            functions["hvp"] = jvp(gradient, varied, tuple(map(dotted, varied)), "hvp")
        if level == 2:
            functions = optimise(replace(found, functions=functions), 2).functions
        yield from functions.values()


def key(e: Equation) -> str:
    given = [(str(a.type), getattr(a, "value", None)) for a in e.args]
    return f"{e.op} {given} {e.attrs}"


def put_together(parts: Arrays, axis: int, ahead: int) -> Any:
    """Along an axis in which some entries come before the rows, and others behind them."""
    shape = parts[0].shape
    split = [
        x.reshape(*shape[:axis], ahead, n, -1, *shape[axis + 1 :]) for x, n in zip(parts, (2, 3))
    ]
    return np.concatenate(split, axis + 1).reshape(*shape[:axis], -1, *shape[axis + 1 :])


def holds(e: Equation, rows: Rows) -> bool | None:
    """Whether a claim is right; None if there is none. Raises AssertionError for a wrong one."""
    found = Found(rows, {})
    try:
        for v in variables(e.args):
            found.states[v] = rows.axis(v.type.shape)
        if not any(s is not None for s in found.states.values()):
            return None
        state = found.placed(e)
    except Meets:
        return None
    found.states[e.out] = state
    assert state is not None
    params = tuple(dict.fromkeys(variables(e.args)))
    cut = Cut(found)
    part = Function("tile", tuple(map(cut.var, params)), tuple(cut.equation(e)), ())
    part = replace(part, results=(cut.atom(e.out),))
    whole = Function("whole", params, (e,), (e.out,))
    verify(whole, "test")
    verify(part, "test")
    rng = np.random.default_rng(len(e.op))
    sizes = {"N": 5}
    arrays = [fill(p.type, sizes, rng, 0.2, 0.9) for p in params]
    if e.op == "add_rows":
        arrays[1][:] = 1.0
    (expected,) = python(whole)(arrays, sizes)
    run, results = python(part), []
    ahead = int(found.before.get(e.out, size(1)).evaluate(sizes))
    for start, count in ((0, 2), (2, 3)):
        some = []
        for p, array in zip(params, arrays):
            axis = found.states[p]
            if axis is not None:
                each = array.shape[axis] // 5
                array = np.take(array, range(start * each, (start + count) * each), axis)
            some.append(array)
        (result,) = run(some, {"N": 5, rows.tile: count})
        results.append(result)
    joined = results[0] + results[1] if state == TOTAL else put_together(results, state, ahead)
    np.testing.assert_allclose(joined, expected, rtol=1e-9, atol=1e-10, err_msg=f"{e.op} {e.attrs}")
    return True


def check_rules(texts: Iterator[str], seen: set[str], covered: dict[str, int]) -> None:
    rows = Rows("N", "rows")
    for text in texts:
        for function in derivatives(text):
            for e in equations(function):
                if key(e) not in seen:
                    seen.add(key(e))
                    if holds(e, rows):
                        covered[e.op] = covered.get(e.op, 0) + 1


@pytest.mark.parametrize("name", LANGUAGE)
def test_rules(name: str) -> None:
    check_rules(programs_of(name), set(), {})


#: a loop that is turned
GATES = """dim N
input x: [3, N, 4]
param W: [2, 4]
scan t in 0..2 carry (h = zeros(N, 2)) {
    a, s = split(x[t] + h @ W, 2, axis=1)
    h = tanh(a) * sigmoid(s)
    emit hs = h
}
cost J = sum(sin(hs))
"""
#: operators without arguments that could have rows, of which rows always meet, or of the schedule
NEVER = {"scan", "grad", "eye", "arange", "full", "count", "mask", "pick", "unpick"} | {
    "entry", "number", "ones_of", "overlaid", "stretch", "row_starts", "at_place", "put_at",
}  # fmt: skip


def test_rules_of_all_operators() -> None:
    """The programs claim something of every operator: none of the tests above is of nothing."""
    covered: dict[str, int] = {}
    check_rules(itertools.chain(written(), [GATES]), set(), covered)
    for name in LANGUAGE:
        if not entrywise(OPS[name]):
            check_rules(itertools.islice(programs_of(name), 6), set(), covered)
    operators = {op.name for op in OPS.values() if op.infer is not None}
    assert operators - covered.keys() == NEVER


def test_a_wrong_claim_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {
        "softmax": (lambda types, places, axis: places[0], "log(softmax(x, axis=0))"),
        "max": (lambda types, places, axes, keep: SUM, "max(x, axis=0)"),
        "cumsum": (lambda types, places, axis: places[0], "cumsum(x, axis=0)"),
        "roll": (lambda types, places, n, axis: places[0], "roll(x, 1, 0)"),
    }
    for name, (rule, text) in wrong.items():
        with monkeypatch.context() as patch:
            patch.setitem(OPS, name, replace(OPS[name], rows=rule))
            program = f"dim N\ninput j: int[2]\nparam x: [N, 3]\ncost J = sum(sin({text}))"
            with pytest.raises((AssertionError, ValueError)):
                check_rules(iter([program]), set(), {})


# Splits


def kernels(text: str, wrt: tuple[str, ...] = ()) -> tuple[Program, Program]:
    """All kernels that there can be of a program, as they are and written out."""
    source = Source("tiles.bp", text)
    program = differentiate(front(source, {}), source, wrt, 2)
    forward = program.functions.get("forward")
    real = forward and any(r.type.kind == "real" for r in forward.results)
    emit = ("jvp", "hvp", *(("jacobian",) if real else ()))
    program = simplified(extend(program, wrt, emit), 2)
    return program, written_out(program, 2)


def carried_out(
    tiles: Tiles, arrays: Arrays, sizes: dict[str, int], count: int, seed: int | None
) -> Arrays:
    """What a split computes with tiles of `count` rows."""
    for part in (tiles.before, tiles.tile, tiles.after):
        verify(part, "split")
    given = [*arrays, *python(tiles.before)(arrays, sizes, seed)]
    run = python(tiles.tile)
    assert len(tiles.sliced) == len(given) == len(tiles.tile.params)
    sums: Arrays = []
    pieces: list[Arrays] = [[] for _ in tiles.stored]
    for start in range(0, sizes[tiles.dim], count):
        here = range(start, min(start + count, sizes[tiles.dim]))
        some = [x if a is None else np.take(x, here, a) for x, a in zip(given, tiles.sliced)]
        found = run(some, {**sizes, tiles.rows: len(here)}, seed)
        totals = found[: tiles.totals]
        sums = [a + b for a, b in zip(sums, totals)] if sums else totals
        for piece, value in zip(pieces, found[tiles.totals :], strict=True):
            piece.append(value)
    stored = [np.concatenate(p, a) for p, a in zip(pieces, tiles.stored)]
    return python(tiles.after)([*given, *sums, *stored], sizes, seed)


def check_split(
    tiles: Tiles, function: Function, sizes: dict[str, int], seed: int | None = None,
    low: float = -1.0,
) -> None:  # fmt: skip
    """Tiles of any size give what the whole does."""
    rng = np.random.default_rng(3)
    arrays = [fill(p.type, sizes, rng, low, 1.0) for p in function.params]
    expected = python(function)(arrays, sizes, seed)
    for count in (1, 3, 7, sizes[tiles.dim]):
        found = carried_out(tiles, arrays, sizes, count, seed)
        for label, value, wanted in zip(function.labels, found, expected, strict=True):
            assert value.shape == wanted.shape and value.dtype == wanted.dtype, label
            scale = np.abs(wanted, where=np.isfinite(wanted), out=np.zeros(wanted.shape)).max(
                initial=1
            )
            np.testing.assert_allclose(
                value, wanted, rtol=1e-12, atol=1e-12 * scale, err_msg=f"{function.name} {label}"
            )


SIZES = {"N": 8, "T": 4, "D": 2, "K": 3, "M": 3}


def check_all(
    text: str, dim: str = "N", wrt: tuple[str, ...] = (), seed: int | None = None, low: float = -1.0
) -> dict[str, Tiles]:
    """Every kernel of a program is split along a dim, and right, as it is and written out."""
    program, written = kernels(text, wrt)
    inputs = {a.var for a in program.inputs}
    splits = {}
    for name, function in (*program.functions.items(), *written.functions.items()):
        if not function.body or name in program.whole:
            continue
        tiles = choose(function, program.dims, inputs)
        if name == "hvp" and isinstance(tiles, tuple) and "nothing is" in tiles[0].why:
            continue
        assert isinstance(tiles, Tiles), (name, tiles)
        assert tiles.dim == dim, name
        check_split(tiles, function, {d: SIZES[d] for d in program.dims}, seed, low)
        splits[name] = tiles
    return splits


def free(path: Path) -> bool:
    return bool(front(Source(path.name, path.read_text()), {}).dims)


EXAMPLES = [p for p in sorted((ROOT / "examples").rglob("*.bp")) if free(p)]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_examples(path: Path) -> None:
    check_all(path.read_text(), seed=5)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 10


USE = "use nn\ndim N\n"
TILED: dict[str, str] = {
    "mean and sum": "dim N\ninput x: [N, 3], y: [N]\nparam w: [3]\nr = x @ w - y\n"
    "cost J = mean(r^2) + 0.5 * sum(abs(r)) + 0.1 * sum(w^2) + mean(w)\noutput r, s = sum(r)",
    "sum / N": "dim N\ninput x: [N, 3]\nparam w: [3]\ncost J = sum(tanh(x @ w)) / N - log(N)",
    "(N - 1)": "dim N\ninput x: [N, 3]\nparam w: [3]\ncost J = sum((x @ w)^2) / (N - 1)",
    "two axes": "dim N, T\ninput x: [N, T, 3]\nparam w: [3], b: [T]\ncost J = mean(tanh(x @ w + b))",
    "merged rows": "dim N, T\ninput x: [N, T, 3]\nparam w: [3, 2]\n"
    "cost J = mean((reshape(x, [N*T, 3]) @ w)^2)",
    "rows last": "dim N\ninput x: [4, N]\nparam W: [2, 4], b: [2]\noutput h = tanh(W @ x + b[:, new])\n"
    "cost J = mean(h)",
    "latent": "dim N\ninput x: [N, 4]\nparam z: [N, 2], W: [2, 4]\n"
    "cost J = mean((z @ W - x)^2) + 0.1 * sum(z^2) / N",
    "embedding": USE + "input i: int[N, 5], l: int[N]\n"
    "h = mean(nn.embedding(i, 7, 4) as e, axis=1)\n"
    "cost J = mean(cross_entropy(nn.dense(h, 3) as head, l, smoothing=0.1, ignore=0))",
    "weights": "dim N\ninput x: [N, 3], k: [N]\nparam w: [3]\ncost J = sum(k * (x @ w)^2) / 8",
    "dropout": USE + "input x: [N, 4], y: [N]\nh = dropout(tanh(nn.dense(x, 5) as up), 0.5)\n"
    "cost J = mean(((dropout(nn.dense(h, 1) as down, 0.2))[:, 0] - y)^2)\noutput h",
    "resnet": USE + """input im: [N, 6, 6, 2], label: int[N]
h = relu(nn.conv2d(im, 4, 3, pad=1) as c1)
h2 = relu(h + (nn.conv2d(relu(group_norm(nn.conv2d(h, 4, 3, pad=1) as c2, 1, 0, 2)), 4, 3, pad=1) as c3))
cost J = mean(cross_entropy(nn.dense(mean(h2, axis=(1, 2)), 3) as head, label))
output h2""",
    "pools, strides": USE + """input im: [N, 8, 8, 2], y: [N]
h = max_pool2d(relu(nn.conv2d(im, 4, 3, stride=2, pad=1) as a), 3, stride=1, pad=1)
g = avg_pool2d(conv_transpose2d(h, ones(3, 3, 2, 4), stride=2), 2)
k = conv2d(g, 0.3 * ones(2, 2, 1, 2), groups=2)
cost J = mean((mean(k, axis=(1, 2, 3)) - y)^2)""",
    "sounds": USE + """input s: [N, 9, 2], y: [N]
param K: [3, 2, 4], w: [4]
cost J = mean((mean(layer_norm(conv1d(s, K, pad=1), 1, 0), axis=1) @ w - y)^2)""",
    "attention": USE + """dim T
input x: [N, T, 8], y: [N]
h = x + (nn.attention(nn.layer_norm(x) as n[1], 2, causal=true) as at)
cost J = mean((max(h, axis=(1, 2)) - y)^2)
output h""",
    "lstm": USE + """dim T
input x: [T, N, 4], y: [N]
h = nn.lstm(x, 3)
param v: [3]
cost J = mean((h[-1] @ v - y)^2)
output h""",
    "gru": USE + """dim T
input x: [T, N, 4], label: int[T, N]
cost J = mean(cross_entropy(nn.dense(nn.gru(x, 3) as g, 3) as head, label))""",
    "a loss in the loop": """dim N, T
input x: [T, N, 3], y: [N]
param w: [3], s0, h0: [N]
scan t in 0..T-1 carry (s = s0, h = h0) { h = tanh(h + x[t] @ w); s = s + mean((h - y)^2) }
cost J = s""",
    "a carry without rows": """dim N, T
input x: [T, N, 3], y: [N]
param w: [3]
scan t in 0..T-1 carry (k = 1.0, h = zeros(N)) { k = 0.9 * k; h = tanh(h + k * (x[t] @ w)); emit ks = k }
cost J = mean((h - y)^2) + k^2 + sum(ks)
output ks, k, h""",
    "totals of steps": """dim N, T
input x: [T, N, 3]
param w: [3]
scan t in 0..T-1 carry (s = zeros(3)) { r = tanh(x[t] * w); s = s * 0.5 + sum(r, axis=0); emit e = mean(r, axis=0) * t }
cost J = sum(s) + sum(e * w)
output s, e""",
    "a loop in a loop": """dim N, T
input x: [T, N, 3]
param w: [3], A: [3, 3]
scan t in 0..T-1 carry (h = zeros(N, 3)) {
    scan k in 0..2 carry (g = h) { g = tanh(g @ A + x[t] * w) }
    h = h + g
}
cost J = mean(h^2)""",
    "a sum of what is the same for all rows": """dim N, T
input x: [T, N]
param b
scan t in 0..T-1 carry (k = 1.0, h = zeros(N)) {
    k = tanh(k * b)
    c = broadcast(k, [N])
    h = tanh(h + x[t] * c)
    emit e = sum(exp(c))
}
cost J = mean(h) + sum(e)
output e, h""",
    "rows joined the other way": """dim N
input x: [N, 3]
param w: [3]
r = reshape((x * w).T, [3*N])
cost J = mean(tanh(r)^2) + sum(reshape(exp(r), [3, N])[1]) / N
output q = reshape(r, [3, N])""",
    "a mixture": """dim N, D = 2, K = 3
input x: [N, D]
param mu: [K, D], lp: [K]
d = x[:, new, :] - mu[new, :, :]
cost J = -mean(logsumexp(log_softmax(lp) - sum(d^2, axis=-1) / 2, axis=1))""",
    "a masked softmax": """dim N, T
input x: [N, T, 3], m: bool[N, T], y: [N]
param w: [3]
s = softmax(where(m, x @ w, -1e9), axis=1)
cost J = mean(huber(sum(s[:, :, new] * x, axis=(1, 2)), y))""",
    "matrices": """dim N
input A: [N, 3, 3], b: [N, 3]
param w: [3, 3]
S = A @ w @ w.T @ transpose(A, 0, 2, 1) + 3 * eye(3)
cost J = mean(solve(S, b[:, :, new])^2) + mean(logdet(S)) + mean(tril(inv(S))) + mean(det(A @ w))""",
    "an equation": """dim N
input x: [N]
param w: [5], b: [5], v: [5]
u = tanh(x[:, new] * w[new, :] + b) @ v
ux = grad(sum(u), x)
cost J = mean((grad(sum(ux), x) + sin(x))^2)""",
    "einsum": """dim N, T
input x: [N, T, 3]
param q: [3]
cost J = mean(einsum("nt,ntd->nd", softmax(x @ q), x)^2)""",
    "places": "dim N\ninput y: [N]\nparam b\ncost J = mean(tanh(y * b * arange(N)))",
    "vectors": "dim N\ninput x: [N], y: [N]\nparam b\ncost J = dot(x * b, y) + norm(stack(b, b))",
    "sum of all": "dim N\ninput x: [N, 2]\nparam b\ncost J = exp(b) * mean(x * b)\noutput m = max(x, axis=1), b",
    "pairs": "dim N, K, D\ninput x: [N, D], k: [N]\nparam c: [K, D], W: [K, D, D], u: [D, 2], v: [D]\n"
    "d = (x[:, new, :] - c) * exp(c)\nnear = exp(-sum(d^2, axis=2))\n"
    'apart = einsum("nkd,kde->nke", d, W)\n'
    "cost J = mean(log(1 + sum(near, axis=1)) * (x @ v)) + sum(max(apart, axis=2)) / N"
    " + mean(k[:, new] * (x @ u))\noutput near, best = argmax(near, axis=1)",
    "columns": "dim N\ninput x: [N, 3]\nparam w: [3]\np, q = split(concat(x * w, x^2, axis=1), 2, axis=1)\n"
    "cost J = mean(p * q) + mean(prod(x * w, axis=1)) + mean(cumsum(x * w, axis=1)^2)",
}  # fmt: skip


@pytest.mark.parametrize("case", TILED)
def test_tiles(case: str) -> None:
    check_all(TILED[case], seed=11)


@pytest.mark.parametrize(
    "case", ["mean and sum", "embedding", "attention", "lstm", "resnet", "rows last"]
)
def test_gradients_by_inputs(case: str) -> None:
    """Rows of the gradient are put where they belong."""
    text = TILED[case]
    program = front(Source("tiles.bp", text), {})
    wrt = [a.key for a in (*program.params, *program.inputs) if a.var.type.kind == "real"]
    splits = check_all(text, wrt=tuple(wrt))
    if case != "embedding":
        assert splits["value_and_grad"].stored


HEAD = """dim N
input x: [N, 3], y: [N], label: int[N], k: [N], q: [N, N], m: bool[N]
param w: [3], b, E: [9, 3], z: [2*N]
"""
SUMS = "`{}` of rows needs a sum over all rows of N"
OWN = "`{}` mixes the entries of N"
BOTH = "every example meets every other, along two axes N"
PART = "a part of the axis N is taken"
REFUSED: dict[str, tuple[str, str]] = {
    "h, me, va = batch_norm(x * w, 1, 0)\ncost J = sum(h^2)": (OWN.format("batch_norm"), "batch_norm(x * w, 1, 0)"),
    "cost J = mean(softmax(x @ w, axis=0) * y)": (OWN.format("softmax"), "softmax(x @ w, axis=0)"),
    "cost J = max(x @ w)": (OWN.format("max"), "max(x @ w)"),
    "cost J = mean(max(x * w, axis=0))": (OWN.format("max"), "max(x * w, axis=0)"),
    "cost J = var(x @ w)": (OWN.format("var"), "var(x @ w)"),
    "cost J = norm(x @ w)": (OWN.format("norm"), "norm(x @ w)"),
    "cost J = logsumexp(x @ w)": (OWN.format("logsumexp"), "logsumexp(x @ w)"),
    "cost J = prod(x @ w)": (OWN.format("prod"), "prod(x @ w)"),
    "cost J = mean(where(any(x @ w > 0), y, b * y))": (OWN.format("any"), "any(x @ w > 0)"),
    "cost J = mean(x[argmax(y)] * w)": (OWN.format("argmax"), "argmax(y)"),
    "cost J = mean(cumsum(x * w, axis=0)^2)": (OWN.format("cumsum"), "cumsum(x * w, axis=0)"),
    "cost J = mean(roll(y * b, 1, 0) * y)": (OWN.format("roll"), "roll(y * b, 1, 0)"),
    "cost J = sum(x[0] * w)": (PART, "x[0]"),
    "cost J = mean((x[1:] @ w)^2)": (PART, "x[1:]"),
    "cost J = mean(flip(y * b, 0) * y)": (PART, "flip(y * b, 0)"),
    "cost J = mean((x * w)[label] * x)": ("an index picks among the entries of N", "[label]"),
    "cost J = mean((y * b)[:, new] * y[new, :])": (BOTH, "(y * b)[:, new] * y[new, :]"),
    "cost J = sum((x * w) @ x.T)": (BOTH, "(x * w) @ x.T"),
    "cost J = mean(attention(x * w, x, x))": (BOTH, "attention(x * w, x, x)"),
    "cost J = mean(tanh(q @ (x * w)))": (BOTH, "q @ (x * w)"),
    "cost J = sum(one_hot(label, N) * b)": (BOTH, "one_hot(label, N)"),
    "cost J = mean((x @ w - mean(x @ w))^2)": (SUMS.format("sub"), "x @ w - mean(x @ w)"),
    "s = x.T @ (x * w)\ncost J = mean(tanh(x @ s))": (SUMS.format("matmul"), "x @ s"),
    "cost J = sum(k * (x @ w)^2) / sum(k) * mean(x @ w)": (SUMS.format("mul"), ""),
    "cost J = sqrt(mean((x @ w - y)^2))": (SUMS.format("mul"), "(x @ w - y)^2"),
    "cost J = mean(concat(y * b, y)^2)": ("`concat` along N mixes its entries", "concat(y * b, y)"),
    "cost J = mean(reshape(x * w, [3, N])^2)": ("`reshape` joins N with another axis", "reshape(x * w, [3, N])"),
    "cost J = mean(tanh(pad(y * b, 1)))": (OWN.format("pad"), "pad(y * b, 1)"),
    "scan t in 0..N-1 carry (s = 0) { s = tanh(s + y[t] * b) }\ncost J = s": ("`scan` runs over N", "scan"),
    "scan t in 0..2 carry (s = 0) { s = tanh(s + sum(tanh(y * b * s))) }\ncost J = s":
        ("`broadcast` of a sum over N is no sum over N", "y * b * s"),
    "scan t in 0..2 carry (h = zeros(N)) { h = tanh(h + softmax(y * b)) }\ncost J = mean(h)":
        (OWN.format("softmax"), "softmax(y * b)"),
    "scan t in 0..2 carry (p = 1.0, h = zeros(N)) {\n    p = tanh(p * b)\n    c = exp(broadcast(p, [N]))\n"
    "    h = tanh(h + y * c / sum(c))\n}\ncost J = mean(h)": ("`broadcast` of a sum over N is no sum over N", "sum"),
    "cost J = mean(reshape(tanh(x * w), [3*N]) * reshape(x.T, [3*N]))":
        ("`reshape` joins N with another axis", "reshape(x.T"),
    "cost J = mean(tanh(z * b) * reshape(stack(y, y, axis=1), [2*N]))":
        ("a value of [2*N] would have to be cut", "z * b"),
}  # fmt: skip


#: of which the gradient alone runs whole
COST_IN_TILES = {
    t for t in REFUSED if t[9:].startswith(("sum(k", "norm", "sqrt", "mean(tanh(z * b)"))
}


@pytest.mark.parametrize("text", REFUSED)
def test_refusals(text: str) -> None:
    """The cost and its gradient run whole, or at least the gradient: why, and where."""
    why, place = REFUSED[text]
    program, written = kernels(HEAD + text)
    found = tile(program, written)
    if text in COST_IN_TILES:
        check_split(found["cost"], written.functions["cost"], SIZES, low=0.1)  # type: ignore[arg-type]
    for name in ("cost", "value_and_grad")[text in COST_IN_TILES :]:
        how = found[name]
        assert isinstance(how, tuple)
        (whole,) = (w for w in how if w.dim == "N")
        assert whole.why == why
        assert place in (whole.span.text if whole.span else "")
        assert isinstance(split(written.functions[name], "N"), Whole)


def test_split_as_written_out() -> None:
    """A triangle is a mask, which is made before the rows; the operator would mix them."""
    program, written = kernels(HEAD + "cost J = mean(tril(x * w))")
    assert isinstance(split(program.functions["cost"], "N"), Whole)
    for name in ("cost", "value_and_grad"):
        found = split(written.functions[name], "N")
        assert isinstance(found, Tiles)
        check_split(found, written.functions[name], SIZES)


LABELLED = {
    "plain": ("label: int[N]", "mean(cross_entropy(x @ w, label))"),
    "ignored": ("label: int[N]", "mean(cross_entropy(x @ w, label, ignore=0))"),
    "nll": ("label: int[N]", "mean(nll(log_softmax(x @ w), label))"),
    "several": ("label: int[N, 3]", "mean(cross_entropy((x[:, new] * w.T)[:, :, :3], label))"),
    "a part": ("label: int[N, 3]", "mean(cross_entropy(x @ w, label[:, 1]))"),
    "joined": (
        "label: int[N, 2]",
        "mean(cross_entropy(reshape((x @ w)[:, new] * ones(N, 2, 3), [2*N, 3]), reshape(label, [2*N])))",
    ),
    "joined the other way": (
        "label: int[N, 2]",
        "mean(cross_entropy(reshape((x @ w) * ones(2, N, 3), [2*N, 3]), reshape(label.T, [2*N])))",
    ),
    "in a loop": ("label: int[2, N]", "s"),
}  # fmt: skip


@pytest.mark.parametrize("case", LABELLED)
def test_labels_are_checked_before_the_rows(case: str) -> None:
    """An error counts the entries of all rows, as the whole function does."""
    label, cost = LABELLED[case]
    loop = "scan t in 0..1 carry (s = 0.0) { s = s + mean(cross_entropy(tanh(x @ w), label[t])) }\n"
    text = (
        f"dim N\ninput x: [N, 4], {label}\nparam w: [4, 3]\n{loop * (cost == 's')}cost J = {cost}"
    )
    _, written = kernels(text)
    for name in ("cost", "value_and_grad"):
        function = written.functions[name]
        found = split(function, "N")
        assert isinstance(found, Tiles)
        check_split(found, function, SIZES)
        assert not any(OPS[e.op].raises for e in found.tile.body)
        rng = np.random.default_rng(3)
        arrays = [fill(p.type, SIZES, rng, -1.0, 1.0) for p in function.params]
        place = [p.name for p in function.params].index("label")
        arrays[place].flat[-2:] = 5
        with pytest.raises(ValueError, match="expected 0 to 2") as whole:
            python(function)(arrays, SIZES)
        with pytest.raises(ValueError, match="expected 0 to 2") as tiles:
            python(found.before)(arrays, SIZES)
        assert str(tiles.value) == str(whole.value)


def test_as_many_entries_as_rows() -> None:
    """A part of a param is none of the rows; it is cut where it meets them."""
    text = "dim N\ninput x: [N]\nparam w: [64]\ncost J = mean(tanh(x * w[:N]))"
    functions = kernels(text)[1].functions
    found = split(functions["cost"], "N")
    assert isinstance(found, Tiles)
    check_split(found, functions["cost"], SIZES)
    slope = split(functions["value_and_grad"], "N")
    assert isinstance(slope, Whole) and slope.why == PART


@pytest.mark.parametrize("rows", [100, 256, 1000, 5000])
@pytest.mark.parametrize("number", [None, 0.1, 1 / 3])
def test_many_float32(rows: int, number: float | None) -> None:
    """Totals of 10^6 rows keep 6 digits: tiles give float32, which is added up in float64."""
    text = """dim N
input x: [N, 3]
param w: [3], b: [3]
cost J = mean(tanh(x * w + b)^2) + sum(mean(x * w, axis=0))"""
    _, written = kernels(text)
    count = 10**6
    x = np.random.default_rng(1).uniform(size=(count, 3)) if number is None else number
    x = np.broadcast_to(x, (count, 3)).astype(np.float32)
    params = [np.array([0.1, 0.5, 0.7]), np.full(3, 0.3)]
    for name in ("cost", "value_and_grad"):
        found = split(written.functions[name], "N")
        assert isinstance(found, Tiles)
        before, run, after = map(python, (found.before, found.tile, found.after))
        expected = python(written.functions[name])([*params, x.astype(float)], {"N": count})
        few = [*(p.astype(np.float32) for p in params), x]
        numbers = (v if v.ndim else v.item() for v in before(few, {"N": count}, None, np.float32))
        given = [*few, *numbers]
        sums: Arrays = []
        for start in range(0, count, rows):
            part = slice(start, start + rows)
            some = [v if a is None else v[part] for v, a in zip(given, found.sliced)]
            parts = run(some, {"N": count, found.rows: len(x[part])}, None, np.float32)
            assert all(p.dtype == np.float32 for p in parts)
            wide = [p.astype(float) for p in parts]
            sums = [a + p for a, p in zip(sums, wide)] if sums else wide
        sums = [s.astype(np.float32) for s in sums]
        results = after([*given, *sums], {"N": count}, None, np.float32)
        for result, wanted in zip(results, expected, strict=True):
            np.testing.assert_allclose(result, wanted, rtol=1e-6)


def test_the_first_dim_that_works() -> None:
    def dim_of(text: str) -> Any:
        program = kernels(text)[1]
        inputs = {a.var for a in program.inputs}
        found = choose(program.functions["value_and_grad"], program.dims, inputs)
        return found.dim if isinstance(found, Tiles) else [w.dim for w in found]

    assert dim_of("dim N, T\ninput x: [N, T]\nparam w\ncost J = mean(tanh(w * x))") == "N"
    assert dim_of("dim T, N\ninput x: [N, T]\nparam w\ncost J = mean(tanh(w * x))") == "N"
    assert dim_of("dim T, N\ninput x: [N, T]\nparam w: [T]\ncost J = mean(tanh(x @ w))") == "N"
    assert (
        dim_of("dim T, N\ninput x: [T, N]\nparam w\ncost J = mean(tanh(max(w * x, axis=0)))") == "N"
    )
    assert dim_of("dim T, N\ninput x: [T, N]\nparam w\ncost J = max(w * x)") == ["T", "N"]
    assert dim_of("dim N\nparam w: [N]\ncost J = sum(w^2)") == "N"
    assert dim_of("param w: [3]\ncost J = sum(w^2)") == []


def test_the_name_of_the_rows_is_free() -> None:
    text = "dim rows, N\ninput x: [N, rows]\nparam w: [rows]\ncost J = mean(tanh(x @ w))"
    functions = kernels(text)[1].functions
    found = split(functions["value_and_grad"], "N")
    assert isinstance(found, Tiles) and found.rows == "rows_"
    check_split(found, functions["value_and_grad"], {"N": 8, "rows": 3})


# Random programs

tiled: list[bool] = []


@settings(
    max_examples=30, derandomize=True, database=None, deadline=None, report_multiple_bugs=False,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(st.randoms(use_true_random=False), st.sampled_from(["", "x"]))
def random_splits_are_right(random: Any, wrt: str) -> None:
    made = Maker(random).program()
    note(made.text)
    with np.errstate(all="ignore"):
        program, written = kernels(made.text, tuple(wrt and [wrt, "y"]))
        for name, function in (*program.functions.items(), *written.functions.items()):
            for dim in program.dims if name != "hvp" else ():
                found = split(function, dim)
                tiled.append(isinstance(found, Tiles))
                if isinstance(found, Tiles):
                    sizes = {d: SIZES.get(d, 3) for d in program.dims}
                    check_split(found, function, {**sizes, dim: 5})


def test_random_programs() -> None:
    tiled.clear()
    random_splits_are_right()
    assert sum(tiled) >= 15, f"{sum(tiled)} of {len(tiled)} functions were split"


# bpc compile --report


def reported(text: str, tmp_path: Path, *options: str) -> list[str]:
    path = tmp_path / "m.bp"
    path.write_text(text)
    done = CliRunner().invoke(app, ["compile", str(path), "-O2", "--report", *options])
    assert done.exit_code == 0, done.output
    plain = CliRunner().invoke(app, ["compile", str(path), "-O2", *options])
    assert (done.stdout, plain.stderr) == (plain.stdout, "")
    return done.stderr.splitlines()


def test_report(tmp_path: Path) -> None:
    text = "dim N\ninput x: [N, 3]\nparam w: [3]\nz = x @ w\n"
    assert reported(f"{text}cost J = mean(z^2)\noutput z", tmp_path) == [
        "bpc: cost, forward, value_and_grad: in tiles along N"
    ]
    assert reported(f"{text}cost J = max(z)\noutput z", tmp_path) == [
        "bpc: cost, value_and_grad: whole",
        "m.bp:5:1: not along N: `max` mixes the entries of N",
        "  cost J = max(z)",
        "  ^^^^^^^^^^^^^^^",
        "bpc: forward: in tiles along N",
    ]
    assert reported("param w: [3]\ncost J = sum(w^2)", tmp_path) == [
        "bpc: cost, value_and_grad: whole, as nothing has a free dim"
    ]
    rows = reported(f"{text}cost J = mean(z^2)", tmp_path, "--emit", "hvp", "--wrt", "x")
    assert rows == ["bpc: cost, value_and_grad, hvp: in tiles along N"]


def test_report_of_each_dim(tmp_path: Path) -> None:
    text = "dim T, N\ninput x: [T, N]\nparam w\ncost J = logsumexp(w * x)"
    assert reported(text, tmp_path) == [
        "bpc: cost, value_and_grad: whole",
        "m.bp:4:1: not along T: `logsumexp` mixes the entries of T",
        "  cost J = logsumexp(w * x)",
        "  ^^^^^^^^^^^^^^^^^^^^^^^^^",
        "m.bp:4:1: not along N: `logsumexp` mixes the entries of N",
        "  cost J = logsumexp(w * x)",
        "  ^^^^^^^^^^^^^^^^^^^^^^^^^",
    ]
