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
from scipy import special

from bpc.calculus.forward import dotted, jvp
from bpc.codegen.kernel import Kernel
from bpc.codegen.loosen import loosen
from bpc.codegen.names import Names
from bpc.codegen.spelling import Speller
from bpc.compiler import differentiate, front
from bpc.diagnostics import BpcError
from bpc.ir import Equation, Function, Literal, variables
from bpc.ops import OPS, helpers, network_helpers
from bpc.ops.loops import Loop
from bpc.ops.rows import SUM, Meets
from bpc.schedule.cut import Cut
from bpc.schedule.rows import TOTAL, Found, Rows
from bpc.source import Source, Span
from bpc.types import Size, Type
from bpc.verify import verify
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


def python(function: Function) -> Callable[..., Arrays]:
    """The printed kernel of a function, taking arrays, then dims by name."""
    names = Names()
    dims = {d: names.claim(d) for d in sorted(sizes_in(function))}
    for taken in ("dtype", "seed"):
        names.claim(taken)
    labels = tuple(f"r{i}" for i, _ in enumerate(function.results))
    printed = loosen(replace(function, labels=labels), False, START)
    taken = {p: names.claim(p.name) for p in printed.params}
    kernel = Kernel(printed, Speller(dict(dims)), names, taken, False)
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

    def call(arrays: Sequence[Any], sizes: dict[str, int], seed: int | None = None) -> Arrays:
        some = {name: sizes[d] for d, name in dims.items()}
        found = space["f"](*arrays, dtype=np.dtype(float), seed=seed, **some)
        return [np.asarray(x) for x in found]

    return call


def fill(
    type: Type, sizes: dict[str, int], rng: np.random.Generator, low: float, high: float
) -> Any:
    shape = tuple(int(a.size.evaluate(sizes)) for a in type.shape)
    if type.kind == "real":
        return np.asarray(rng.uniform(low, high, shape))
    if type.kind == "int":
        return np.asarray(rng.integers(0, 2, shape))
    return np.asarray(rng.uniform(size=shape) > 0.4)


# The rules of the entries


def claimed(call: Call) -> Iterator[Call]:
    """The call with N in place of a size, on one axis of each argument or none, in every way."""
    for size in sorted({n for a in call.arguments for n in a.shape if n != 1}):
        axes = [[None, *(i for i, n in enumerate(a.shape) if n == size)] for a in call.arguments]
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
    """Cost, gradient, and the gradient's derivative along a vector, as simple as they come."""
    source = Source("rules.bp", text)
    try:
        program = front(source, {})
    except BpcError:
        return
    for level in (0, 1):
        found = differentiate(program, source, (), level)
        gradient = found.functions["value_and_grad"]
        yield gradient
        if level:
            varied = tuple(a.var for a in program.params)
            yield jvp(gradient, varied, tuple(map(dotted, varied)), "hvp")


def key(e: Equation) -> str:
    given = [(str(a.type), getattr(a, "value", None)) for a in e.args]
    return f"{e.op} {given} {e.attrs}"


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
    (expected,) = python(whole)(arrays, sizes)
    run, results = python(part), []
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
    joined = results[0] + results[1] if state == TOTAL else np.concatenate(results, state)
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


#: operators without arguments that could have rows, or of which rows always meet
NEVER = {"scan", "grad", "eye", "arange", "full", "mask", "pick", "unpick", "copy"}


def test_rules_of_all_operators() -> None:
    """The programs claim something of every operator: none of the tests above is of nothing."""
    covered: dict[str, int] = {}
    check_rules(written(), set(), covered)
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
