"""Factors of an array that depend on sizes alone are one factor, at -O2.

    d = mul(2.0, div(e, N*O))    ->    d = mul(e, 2/(N*O))

In between nobody else may read what is scaled.
"""

from __future__ import annotations

from fractions import Fraction

from bpc.ir import Atom, Equation, Function, Literal, Var, uses
from bpc.ops import Expr
from bpc.passes.rewrite import View, number, rewrite
from bpc.types import Size, size

EXACT = 2**10  # denominators of numbers that are written as fractions


def scale(function: Function) -> Function:
    """Gather the factors of each array that is scaled more than once."""
    read = uses(function)

    def rule(view: View, e: Equation) -> Expr | None:
        if not e.out.type.rank:
            return None
        rest, factor = _split(e)
        if not isinstance(rest, Var) or factor is None or read.get(rest, 1) > 1:
            return None
        inner = view.made(rest)
        if inner is None:
            return None
        rest, first = _split(inner)
        if rest is None or first is None or (factor * first).constant is not None:
            return None
        return view.expr(rest) * view.expr(Literal(factor * first, e.out.type))

    return rewrite(function, rule)


def _split(e: Equation) -> tuple[Atom | None, Size | None]:
    """What is scaled, and by which factor; None where nothing is, or by no fraction."""
    if e.op == "mul":
        for by, rest in (e.args, e.args[::-1]):
            if isinstance(by, Literal):
                return rest, _fraction(by)
    if e.op == "div" and isinstance(e.args[1], Literal):
        below = _fraction(e.args[1])
        return e.args[0], size(1) / below if below and below.terms else None
    return None, None


def _fraction(literal: Literal) -> Size | None:
    """A number of few digits as a size."""
    if isinstance(literal.value, Size):
        return literal.value
    value = number(literal)
    exact = Fraction(value) if value is not None and abs(value) < EXACT else None
    if exact is None or exact.denominator > EXACT:
        return None
    return size(exact.numerator) / size(exact.denominator)
