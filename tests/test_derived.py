"""The local partials of elementwise operators are SymPy's, or equal to SymPy's."""

from __future__ import annotations

import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import black
import mpmath
import numpy as np
import pytest
import sympy
from scipy import special

import bpc.ops.derived
from bpc.ops import OPS, Op
from bpc.ops.derive import RESULT, SYMBOLS, derived, primal

POINTS = 20
DIGITS = 40

#: elementwise operators without a SymPy expression have no derivative to compare; their rules are
#: choices, tested as such in test_traps.py
CHOICES = {"select", "clip", "lt", "le", "gt", "ge", "eq", "ne", "logical_and", "logical_or",
           "logical_not"}  # fmt: skip


def test_derived_is_what_sympy_writes() -> None:
    path = Path(bpc.ops.derived.__file__)
    mode = black.Mode(line_length=100)
    assert path.read_text() == black.format_str(derived(), mode=mode)


def test_every_elementwise_operator_has_a_sympy_expression() -> None:
    without = {op.name for op in OPS.values() if op.elementwise and op.sympy is None}
    assert without == CHOICES


class Symbolic:
    """A SymPy expression that answers as the values of the rules do."""

    number = None  # no literal

    def __init__(self, expr: Any) -> None:
        self.expr = sympy.sympify(expr)


def plain(x: Any) -> Any:
    return x.expr if isinstance(x, Symbolic) else sympy.sympify(x)


def _arithmetic() -> None:
    def method(f: Any) -> Any:
        return lambda self, *others: Symbolic(f(self.expr, *map(plain, others)))

    for name, f in {
        "add": lambda x, y: x + y, "radd": lambda x, y: y + x, "sub": lambda x, y: x - y,
        "rsub": lambda x, y: y - x, "mul": lambda x, y: x * y, "rmul": lambda x, y: y * x,
        "truediv": lambda x, y: x / y, "rtruediv": lambda x, y: y / x,
        "pow": lambda x, y: x**y, "neg": lambda x: -x, "gt": sympy.Gt, "lt": sympy.Lt,
    }.items():  # fmt: skip
        setattr(Symbolic, f"__{name}__", method(f))
    Symbolic.eq = method(sympy.Eq)  # type: ignore[attr-defined]


_arithmetic()


def choice(c: Any, x: Any, y: Any) -> Symbolic:
    """Piecewise; SymPy's derivative holds where nothing is 0, so there the rule must agree."""
    if isinstance(c.expr, sympy.Eq) and c.expr.rhs == 0:
        return Symbolic(plain(y))
    return Symbolic(sympy.Piecewise((plain(x), plain(c)), (plain(y), True)))


class Rules(SimpleNamespace):
    """The `m` of rules, over SymPy."""

    active = (True, True, True)

    def __getattr__(self, name: str) -> Any:
        if name == "select":
            return choice
        if name == "cast":
            return lambda c, kind: Symbolic(sympy.Piecewise((1, plain(c)), (0, True)))
        if name in ("logical_and", "logical_or"):
            f = {"logical_and": sympy.And, "logical_or": sympy.Or}[name]
            return lambda x, y: Symbolic(f(plain(x), plain(y)))
        if name == "fill":
            return lambda number, like: Symbolic(number)
        op = OPS[name]
        return lambda *args: Symbolic(
            primal(op).subs(dict(zip(SYMBOLS, map(plain, args))), simultaneous=True)
        )

    def elementwise(self, name: str, *args: Any) -> Any:
        if name in ("gt", "lt"):
            return Symbolic({"gt": sympy.Gt, "lt": sympy.Lt}[name](*map(plain, args)))
        return getattr(self, name)(*args)


def rules_of(op: Op) -> list[tuple[int, str, Any]]:
    """(argument, which rule, its SymPy expression): the partials, and what the VJP says of g = 1."""
    n = len(op.domain)
    value = primal(op)
    xs = [Symbolic(s) for s in SYMBOLS[:n]]
    found: list[tuple[int, str, Any]] = []
    for i, partial in enumerate(op.partials):
        slope = plain(partial(Rules(), *xs, Symbolic(value))) if partial else sympy.Integer(0)
        found.append((i, "partial", slope))
    if op.vjp is not None:
        g = sympy.Symbol("g", real=True)
        slopes = op.vjp(Rules(), Symbolic(g), Symbolic(value), *xs)
        for i, slope in enumerate(slopes):
            found.append((i, "vjp", plain(0 if slope is None else slope).subs(g, 1)))
    return found


def difference(op: Op, position: int, slope: Any) -> Any:
    exact = sympy.diff(primal(op), SYMBOLS[position]).subs(RESULT, primal(op))
    return slope - exact


def zero_by_algebra(expr: Any) -> bool:
    for simplify in (sympy.simplify, lambda e: sympy.simplify(e.rewrite(sympy.exp))):
        try:
            if simplify(sympy.piecewise_fold(expr)) == 0:
                return True
        except (NotImplementedError, TypeError, ValueError):
            continue
    return False


def zero_at_points(op: Op, expr: Any) -> bool:
    """At random points of the domain, off the kinks, to 32 digits; to 15 if a constant has no more."""
    rng = random.Random(1)
    tiny = 1e-15 if expr.atoms(sympy.Float) else sympy.Float(10) ** (8 - DIGITS)
    for _ in range(POINTS):
        point = {
            s: sympy.Float(rng.uniform(low, high), DIGITS)
            for s, (low, high) in zip(SYMBOLS, op.domain)
        }
        value = expr.subs(point).doit().evalf(DIGITS)
        if not value.is_number or abs(value) > tiny:
            return False
    return True


WITH_SLOPES = [op.name for op in OPS.values() if op.elementwise and op.sympy is not None]
#: piecewise constant: SymPy's derivative is made of deltas; and the last of the digamma family,
#: which is never differentiated again
FLAT = ("sign", "floor", "polygamma2")
#: what SymPy does not simplify to 0 is compared at 20 random points
BY_POINTS = {
    "erf": "2/sqrt(pi) stands there as a double",
    "erfc": "2/sqrt(pi) stands there as a double",
    "maximum": "equalities with Max against Heaviside's function",
    "minimum": "equalities with Min against Heaviside's function",
}


@pytest.mark.parametrize("name", WITH_SLOPES)
def test_slopes_are_sympys(name: str) -> None:
    op = OPS[name]
    rules = rules_of(op)
    assert {i for i, _, _ in rules} == set(range(len(op.domain)))
    for i, which, slope in rules:
        expr = difference(op, i, slope)
        if name in FLAT:
            assert slope == 0
        elif name in BY_POINTS:
            assert zero_at_points(op, expr), (i, which, slope)
        else:
            assert zero_by_algebra(expr), (i, which, slope)


def test_wrong_slopes_are_found() -> None:
    """The proof can fail."""
    x = SYMBOLS[0]
    assert not zero_by_algebra(difference(OPS["tanh"], 0, 1 - sympy.tanh(x)))
    assert not zero_at_points(OPS["tanh"], difference(OPS["tanh"], 0, 1 - sympy.tanh(x)))
    assert not zero_at_points(OPS["pow"], difference(OPS["pow"], 1, x))


SPECIAL = {
    "erf": (special.erf, mpmath.erf),
    "erfc": (special.erfc, mpmath.erfc),
    "lgamma": (special.gammaln, mpmath.loggamma),
    "digamma": (special.digamma, mpmath.digamma),
    "polygamma1": (lambda x: special.polygamma(1, x), lambda x: mpmath.psi(1, x)),
    "polygamma2": (lambda x: special.polygamma(2, x), lambda x: mpmath.psi(2, x)),
    "xlogy": (special.xlogy, lambda x, y: x * mpmath.log(y)),
}


@pytest.mark.parametrize("name", SPECIAL)
def test_sympy_expressions_mean_what_scipy_computes(name: str) -> None:
    """`loggamma(x)` in the table is SciPy's `gammaln`, and so on; mpmath is the judge."""
    op = OPS[name]
    ours, exact = SPECIAL[name]
    rng = np.random.default_rng(0)
    for _ in range(POINTS):
        point = [float(rng.uniform(low, high)) for low, high in op.domain]
        expected = float(exact(*map(mpmath.mpf, point)))
        assert float(ours(*point)) == pytest.approx(expected, rel=1e-13)
        value = primal(op).subs(dict(zip(SYMBOLS, point)))
        assert float(value.evalf(20)) == pytest.approx(expected, rel=1e-13)
