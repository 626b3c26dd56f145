"""AST to IR: names get their meaning, functions and `for` are expanded, shapes are checked.

    c = w * x        ->   c: real = mul(w, x)

One module for each concern; each adds its rules to `context.RULES`.
"""

from __future__ import annotations

from collections.abc import Mapping

from bpc import syntax
from bpc.diagnostics import BpcError, Diagnostic, Problem, did_you_mean
from bpc.ir import Function, Program, live
from bpc.lower import calls, index, statements
from bpc.lower.context import LIMIT, Context
from bpc.lower.scope import Scope
from bpc.ops import OPS, Builder
from bpc.source import Span
from bpc.types import Size

__all__ = ["LIMIT", "SettingError", "lower"]
RULE_MODULES = (calls, index, statements)


class SettingError(Exception):
    """A `--set` that names nothing to set."""


def lower(
    model: syntax.Model,
    diagnostics: list[Diagnostic],
    settings: Mapping[str, int | float],
    limit: int = LIMIT,
) -> Program:
    """The program of a model, with functions `cost` and `forward`.

    Raises BpcError with the given diagnostics and those found here; SettingError.
    """
    start = Span(model.source, 0, 0)
    c = Context(Builder(start), Scope(), dict(settings), limit, list(diagnostics))
    c.execute(model.statements)
    unused = sorted(set(settings) - c.used_settings)
    if unused and not c.diagnostics:
        raise SettingError(_unused(c, unused[0]))
    if c.cost is None and not diagnostics:
        span = Span(model.source, len(model.source.text), len(model.source.text))
        c.diagnostics.append(Problem("BP121", "write `cost J = ...`").at(span))
    if not c.diagnostics:
        _check_dims(c)
    if c.diagnostics:
        raise BpcError(c.diagnostics)
    return _program(c)


def _unused(c: Context, name: str) -> str:
    settable = sorted({*c.dims, *c.used_settings})
    hint = did_you_mean(name, settable)
    return f"--set {name}: the program has no dim or const of this name" + (
        f"; {hint}" if hint else ""
    )


def _check_dims(c: Context) -> None:
    """Every free dim must be readable off some argument's shape."""
    found: set[str] = set()
    for argument in (*c.params, *c.inputs):
        for axis in argument.var.type.shape:
            found |= {d for d in [solvable(axis.size)] if d}
    for name, span in c.dims.items():
        if name not in found:
            c.diagnostics.append(Problem("BP225", name=name).at(span))


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
    labels = tuple(label for label, _ in c.outputs) or (name,)
    results = tuple(expr.atom for _, expr in c.outputs) or (cost.atom,)
    body = tuple(c.m.body)
    functions = {
        "forward": live(Function("forward", params, body, results, labels)),
        "cost": live(Function("cost", params, body, (cost.atom,), (name,))),
    }
    nodes = sum(1 for e in functions["cost"].body if not OPS[e.op].moves)
    outputs = labels if c.outputs else ()
    return Program(
        tuple(c.params), tuple(c.inputs), tuple(c.dims), name, outputs, functions, nodes
    )
