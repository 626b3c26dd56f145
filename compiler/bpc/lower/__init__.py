"""AST to IR: names get their meaning, functions and `for` are expanded, shapes are checked.

    c = w * x        ->   c: real = mul(w, x)

One module for each concern; each adds its rules to `context.RULES`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from bpc import syntax
from bpc.diagnostics import BpcError, Diagnostic, Problem, did_you_mean
from bpc.ir import Atom, Equation, Function, Program, Var, live
from bpc.lower import calls, declarations, expressions, loops, statements
from bpc.lower.context import LIMIT, Context, Failed, Library, SettingError, no_library
from bpc.lower.scope import Scope
from bpc.ops import OPS, Builder
from bpc.ops.dropout import certain
from bpc.ops.loops import Loop
from bpc.source import Span
from bpc.types import Size

__all__ = ["LIMIT", "SettingError", "lower"]
RULE_MODULES = (calls, declarations, expressions, loops, statements)
FRAMES = 10_000  # more than DEPTH nested rules take


def lower(
    model: syntax.Model,
    diagnostics: list[Diagnostic],
    settings: Mapping[str, int | float],
    limit: int = LIMIT,
    library: Library = no_library,
) -> Program:
    """The program of a model, with functions `cost` and, where it has outputs, `forward`.

    `library` finds what `use` brings in.

    Raises BpcError with the given diagnostics and those found here; SettingError.
    """
    start = Span(model.source, 0, 0)
    c = Context(model, Builder(start), Scope(), dict(settings), library, limit, list(diagnostics))
    with _deep_stack():
        try:
            c.execute(model.statements)
        except Failed:
            raise BpcError(c.diagnostics) from None
    if not c.diagnostics:
        _check_dims(c)
        unused = sorted(set(settings) - c.used_settings)
        if unused:
            raise SettingError(_unused(c, unused[0]))
    if c.cost is None and not diagnostics and not any(_costs(model.statements)):
        end = len(model.source.text.rstrip())
        c.record(Problem("BP121", "write `cost J = ...`"), Span(model.source, end, end))
    if c.diagnostics:
        raise BpcError(c.diagnostics)
    return _program(c)


@contextmanager
def _deep_stack() -> Iterator[None]:
    """Room for rules to nest: the parser has bounded how deep, and DEPTH what `def` adds."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, FRAMES))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _costs(statements: tuple[syntax.Statement, ...]) -> Iterator[bool]:
    """For each statement whether it is a cost, or one stands in it."""
    for s in statements:
        yield isinstance(s, syntax.Cost) or (isinstance(s, syntax.For) and any(_costs(s.body)))


def _unused(c: Context, name: str) -> str:
    hint = did_you_mean(name, sorted(c.settable))
    return f"--set {name}: the program has no dim or const of this name" + (
        f"; {hint}" if hint else ""
    )


def _check_dims(c: Context) -> None:
    """Every free dim must be readable off some argument's shape."""
    found: set[str] = set()
    among: dict[str, str] = {}
    for argument in (*c.params, *c.inputs):
        for axis in argument.var.type.shape:
            found |= {d for d in [solvable(axis.size)] if d}
            for name in axis.size.dims():
                why = f"the size {axis.size} of `{argument.key}` does not give it alone"
                among.setdefault(name, why)
    for name, span in c.dims.items():
        if name not in found:
            help = f"fix it, as in `dim {name} = 8`, or leave it out"
            why = among.get(name, "it is in no shape of an input or param")
            c.record(Problem("BP225", help, name=name, why=why), span)


def solvable(length: Size) -> str | None:
    """The dim that a run-time length gives: one that stands linearly and alone, `N`, `T - 1`."""
    dims = length.dims()
    linear = [m for m, _ in length.terms if m]
    if len(dims) == 1 and len(linear) == 1 and linear[0] == ((next(iter(dims)), 1),):
        return next(iter(dims))
    return None


def _program(c: Context) -> Program:
    name, cost = c.costs[0]
    params = tuple(a.var for a in (*c.params, *c.inputs))
    body = tuple(_named(c, equation) for equation in c.m.body)
    result = _name(c, cost.atom)
    functions = {"cost": live(Function("cost", params, body, (result,), (name,)))}
    outputs = tuple(c.outputs)
    if outputs:
        results = tuple(_name(c, expr.atom) for expr in c.outputs.values())
        functions["forward"] = live(certain(Function("forward", params, body, results, outputs)))
    nodes = sum(1 for e in functions["cost"].body if not OPS[e.op].moves)
    return Program(tuple(c.params), tuple(c.inputs), tuple(c.dims), name, outputs, functions, nodes)


def _name(c: Context, atom: Atom) -> Atom:
    """The variable as the source calls it."""
    return c.names[atom][0] if isinstance(atom, Var) and atom in c.names else atom


def _named(c: Context, equation: Equation) -> Equation:
    """The equation with the names of the source, at the place of the statement that gives one."""
    if equation.op == "scan":
        loop = Loop.of(equation)
        equation = loop.with_body(_named_body(c, loop.body)).equation()
    args = tuple([_name(c, a) for a in equation.args])
    if equation.outs[0] in c.names:
        out, span = c.names[equation.outs[0]]
        return replace(equation, args=args, outs=(out, *equation.outs[1:]), span=span)
    return equation if args == equation.args else replace(equation, args=args)


def _named_body(c: Context, body: Function) -> Function:
    """The same of the body of a loop."""
    params = tuple([c.names[p][0] if p in c.names else p for p in body.params])
    equations = tuple([_named(c, e) for e in body.body])
    results = tuple([_name(c, r) for r in body.results])
    return Function(body.name, params, equations, results, body.labels)
