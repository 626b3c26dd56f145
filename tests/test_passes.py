"""Each pass on small programs: the IR before and after, that they settle, and what they compute."""

import re
from pathlib import Path

import numpy as np
import pytest

import bpc
from bpc.calculus.columns import columns as together
from bpc.calculus.columns import examples
from bpc.calculus.forward import dotted, jvp
from bpc.calculus.reverse import gradient
from bpc.compiler import ADJOINT, AT_ONCE, LOOPS, PRIMAL, STACKS, WRITTEN_OUT, front, run
from bpc.emit import along
from bpc.ir import Var
from bpc.passes import (
    chain,
    columns,
    cse,
    dce,
    expand,
    factors,
    gates,
    guard,
    hoist,
    images,
    join,
    name,
    propagate,
    regroup,
    share,
    simplify,
    sink,
    squeeze,
    stabilise,
    sums,
    turn_loops,
    turn_rows,
    units,
    unstack,
)
from bpc.printer import print_function
from bpc.source import Source, Span
from bpc.verify import InvalidIR, verify
from programs import agree, draw, everything, taken

CASES = sorted((Path(__file__).parent / "passes").glob("*.bp"))
PASSES = {
    "stabilise": stabilise,
    "guard": guard,
    "name": name,
    "propagate": propagate,
    "simplify": simplify,
    "cse": cse,
    "join": join,
    "hoist": hoist,
    "sink": sink,
    "dce": dce,
    "expand": expand,
    "images": images,
    "turn_loops": turn_loops,
    "unstack": unstack,
    "gates": gates,
    "columns": columns,
    "units": units,
    "squeeze": squeeze,
    "share": share,
    "factors": factors,
    "sums": sums,
    "turn_rows": turn_rows,
    "chain": chain,
    "regroup": regroup,
}
ON_PRIMAL = ("chain", "stabilise", "guard", "name", "gates", "share")


def tidy(function):
    """A function without what the reverse pass leaves to be simplified."""
    return run(function, ADJOINT[1], check=True)


def before(path):
    """The function that a case's pass runs on, and the pass, which the file's name begins with."""
    which = path.name.partition("-")[0]
    source = Source(path.name, path.read_text())
    program = front(source, {})
    cost = program.functions["cost"]
    if which not in ON_PRIMAL:
        cost = gradient(cost, tuple(a.var for a in program.params), Span(source, 0, 0))
    if which in ("columns", "units"):  # of a Hessian
        varied = tuple(a.var for a in program.params)
        tangents = tuple(map(dotted, varied))
        hvp = along(jvp(cost, varied, tangents, "hvp"))
        cost = together(tidy(hvp), tangents, "columns", "first", [Span(source, 0, 0)])
    if which == "units":
        cost = tidy(columns(cost))
    if which == "squeeze":  # of gradients of examples
        cost = tidy(cost)
        cost = tidy(
            columns(examples(cost, cost.results[1:], cost.labels[1:], "N", "first", "every"))
        )
    if which == "turn_loops":
        cost = run(tidy(cost), LOOPS[2], check=True)
    if which in ("factors", "regroup", "sums", "turn_rows"):
        cost = tidy(expand(cost))
    if which in ("dce", "hoist", "images", "sink", "unstack"):  # what simplifying leaves dead
        cost = simplify(cost)
    return cost, PASSES[which]


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_text(path, request):
    function, apply = before(path)
    result = apply(function)
    verify(result, path.stem)
    text = print_function(function) + "\nbecomes\n\n" + print_function(result)
    golden = path.with_suffix(".txt")
    if request.config.getoption("--update"):
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_levels_agree(path):
    """What -O2 computes is what -O0 does, of one row and of five; so are gradients of examples."""
    text, emit = path.read_text(), ["per_example"]
    try:
        plain = bpc.load(text, level=0, emit=emit)
    except (bpc.BpcError, bpc.UsageError):  # examples meet, or there are none
        plain, emit = bpc.load(text, level=0), []
    m = bpc.load(text, level=2, emit=emit)
    shapes = " ".join((*m.PARAMS.values(), *m.INPUTS.values()))
    for rows in (1, 5):
        sizes = dict.fromkeys(re.findall(r"\b[A-Z]\w*", shapes), 4) | {"N": rows}
        params, inputs = draw(m, sizes, seed=1)
        params = {k: np.abs(v) + 0.1 for k, v in params.items()}
        with np.errstate(invalid="ignore"):  # what -O0 computes of branches that are not taken
            agree(everything(m, params, inputs), everything(plain, params, inputs), 1e-9, path.stem)
        if emit:
            given = taken(m, "per_example", inputs)
            found, expected = (x.per_example(params, **given) for x in (m, plain))
            agree(found, expected, 1e-9, "per_example")


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_it_changes_something(path):
    function, apply = before(path)
    assert print_function(apply(function)) != print_function(function)


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_idempotent(path):
    function, apply = before(path)
    for _ in range(4):  # algebra may uncover more algebra
        function = apply(function)
    again = apply(function)
    assert print_function(dce(again)) == print_function(dce(function))


def test_every_pass_has_a_case():
    assert {p.name.partition("-")[0] for p in CASES} == set(PASSES)
    used = {
        getattr(p, "__name__", "stabilise")
        for table in (PRIMAL, ADJOINT, LOOPS, WRITTEN_OUT)
        for level in table.values()
        for p in level
    } | {p.__name__ for p in (AT_ONCE, *STACKS)}
    assert used <= set(PASSES)


def test_verify_finds_a_broken_function():
    function, _ = before(CASES[0])
    missing = type(function)(function.name, (), function.body, function.results, function.labels)
    with pytest.raises(InvalidIR, match="is not defined"):
        verify(missing, "test")
    first = function.body[0]
    wrong = Var(first.out.name, first.out.type.with_kind("bool"))
    body = (
        type(first)(first.op, first.args, (wrong,), first.span, first.attrs),
        *function.body[1:],
    )
    with pytest.raises(InvalidIR, match="should be"):
        verify(type(function)(function.name, function.params, body, (), ()), "test")
