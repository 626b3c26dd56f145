"""Equations on numbers, computed at compile time by the same helpers that the output carries."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from bpc.ir import Equation, Literal, Var
from bpc.ops import scalars
from bpc.ops.base import OPS
from bpc.types import Size

OPERATORS: dict[str, Callable[..., Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "unary -": operator.neg,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq,
    "!=": operator.ne, "and": operator.and_, "or": operator.or_, "unary not ": operator.not_,
}  # fmt: skip
#: operators whose scalar spelling is no name
OTHERS: dict[str, Callable[..., Any]] = {
    "select": lambda c, x, y: x if c else y,
    "maximum": lambda *xs: _fold(scalars._maximum, xs),
    "minimum": lambda *xs: _fold(scalars._minimum, xs),
}
CASTS: dict[str, Callable[..., Any]] = {"real": float, "int": int, "bool": bool}


def _fold(function: Callable[..., Any], xs: tuple[Any, ...]) -> Any:
    value = xs[0]
    for x in xs[1:]:
        value = function(value, x)
    return value


def function_of(op: str) -> Callable[..., Any] | None:
    """The Python function that computes an elementwise operator on numbers."""
    if op in OTHERS:
        return OTHERS[op]
    spelling = OPS[op].scalar
    if not OPS[op].elementwise or not isinstance(spelling, str):
        return None
    if spelling in OPERATORS:
        return OPERATORS[spelling]
    if spelling == "abs":
        return abs
    module, _, name = spelling.rpartition(".")
    return getattr(math if module else scalars, name, None)


def evaluate_equation(equation: Equation, known: Mapping[Var, Any]) -> Any:
    """The number that an equation computes, if its arguments are numbers; else None."""
    args = []
    for arg in equation.args:
        value = arg.value if isinstance(arg, Literal) else known.get(arg)
        if value is None or isinstance(value, Size):
            return None
        args.append(value)
    if equation.op == "cast":
        return CASTS[dict(equation.attrs)["kind"]](args[0])
    if equation.op == "broadcast":
        return args[0]
    function = function_of(equation.op)
    if function is None:
        return None
    try:
        return function(*args)
    except (ArithmeticError, AttributeError, ValueError):  # AttributeError: SciPy's functions
        return None
