"""The derivative of a formula by SymPy, and the formula's value by floats.

    derivative(read("w^3"), "w")              3*w**2
    value(read("w^3"), {"w": 2.001})          8.012006001

A formula's steps are computed in two algebras: SymPy's, and Python floats as generated modules
compute. No text of the user's ever reaches SymPy.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache
from typing import Any

import sympy

from bpc.derivation.formula import Formula, compute, fail
from bpc.ops import OPS
from bpc.ops.derive import SYMBOLS, primal

DEEPEST = 200  # with the recursion limit that `bpc derive` sets
EXACT_BITS = 1100  # a larger power of numbers becomes a float


def value(formula: Formula, at: Mapping[str, float]) -> float:
    """J by floats, at the given values of its names."""
    values: list[Any] = []
    for step in formula.steps:
        if step.op:
            values.append(compute(step.op, [values[i] for i in step.args]))
        else:
            values.append(at[step.content] if isinstance(step.content, str) else step.content)
    return float(values[-1])


def symbolic(formula: Formula) -> sympy.Expr:
    """J as a SymPy expression over `symbol(name)`."""
    values: list[Any] = []
    for step, span, known in zip(formula.steps, formula.spans, formula.known):
        if not step.op:
            leaf = step.content
            values.append(symbol(leaf) if isinstance(leaf, str) else _number(leaf))
            continue
        args = [values[i] for i in step.args]
        if step.op == "pow" and known is not None and _is_huge(*args):
            values.append(sympy.Float(repr(known)))
            continue
        try:
            values.append(ALGEBRA.get(step.op, _by_table(step.op))(*args))
        except (ArithmeticError, RecursionError, MemoryError):
            fail(span, "BP404", limit=DEEPEST)
    return values[-1]


@cache
def symbol(name: str) -> sympy.Symbol:
    """The real variable of a name."""
    return sympy.Symbol(name, real=True)


def derivative(formula: Formula, name: str) -> sympy.Expr:
    """SymPy's derivative by one name."""
    try:
        return slope(symbolic(formula), symbol(name))
    except RecursionError:
        return fail(formula.spans[-1], "BP404", limit=DEEPEST)


def slope(expression: sympy.Expr, by: sympy.Symbol) -> sympy.Expr:
    """SymPy's derivative, as bpc has it where there is none: 0 for a jump, 1/2 each for a tie."""
    found = sympy.diff(expression, by)
    jumps = found.atoms(sympy.DiracDelta, sympy.Derivative, sympy.Subs)
    found = found.xreplace({jump: sympy.S.Zero for jump in jumps})
    ties = found.atoms(sympy.Heaviside)
    return found.xreplace({h: (1 + sympy.sign(h.args[0])) / 2 for h in ties})


def evaluate(expression: sympy.Expr, at: Mapping[str, float]) -> float:
    """The float nearest to an expression's value; NaN where that is no real number."""
    known: dict[Any, Any] = {symbol(n): sympy.Float(repr(float(v)), 30) for n, v in at.items()}
    try:
        for node in sympy.postorder_traversal(expression):
            if node.args and node not in known:
                args = [known.get(a, a) for a in node.args]
                if node.is_Pow:
                    args[1] = _bounded(args[1])
                elif node.is_Function:
                    args = [_bounded(a) for a in args]
                known[node] = node.func(*args)
        return float(sympy.N(known.get(expression, expression), 30))
    except OverflowError:
        return math.inf
    except (TypeError, ValueError):
        return math.nan


def _bounded(value: Any) -> Any:
    """Infinity for a number beyond all floats: of a power by it SymPy would know every digit."""
    huge = isinstance(value, sympy.Float | sympy.Rational) and abs(value) > sys.float_info.max
    return sympy.sign(value) * sympy.oo if huge else value


def _number(content: Any) -> Any:
    """A literal as it is written: 0.1 is 1/10."""
    if isinstance(content, bool):
        return sympy.true if content else sympy.false
    if content == math.pi:
        return sympy.pi
    if not math.isfinite(content):
        return sympy.oo
    if isinstance(content, int):
        return sympy.Integer(content)
    fraction = Fraction(repr(content))
    if fraction.denominator <= 10**6 and abs(fraction.numerator) <= 10**15:
        return sympy.Rational(fraction.numerator, fraction.denominator)
    return sympy.Float(repr(content), 17)


def _is_huge(base: sympy.Expr, exponent: sympy.Expr) -> bool:
    """Whether SymPy would spell out a power of numbers with more digits than a float has."""
    if not (base.is_Rational and exponent.is_Rational):
        return False
    bits = max(abs(int(base.p)), int(base.q)).bit_length()
    return bool(bits * abs(exponent) > EXACT_BITS)


def _by_table(op: str) -> Callable[..., Any]:
    """An operator by its SymPy expression in the registry."""
    return lambda *args: primal(OPS[op]).xreplace(dict(zip(SYMBOLS, args)))


def _larger(x: Any, y: Any) -> Any:
    """max; a number takes the tie, and so has no share in the gradient."""
    if not x.free_symbols or not y.free_symbols:
        number, other = (y, x) if x.free_symbols else (x, y)
        return sympy.Piecewise((other, other > number), (number, True))
    return sympy.Max(x, y)


def _clip(x: Any, low: Any, high: Any) -> Any:
    return sympy.Piecewise((low, x <= low), (high, x >= high), (x, True))


ALGEBRA: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "neg": lambda x: -x,
    "pow": lambda x, y: x**y,
    "lt": lambda x, y: x < y,
    "le": lambda x, y: x <= y,
    "gt": lambda x, y: x > y,
    "ge": lambda x, y: x >= y,
    "eq": sympy.Eq,
    "ne": sympy.Ne,
    "logical_and": sympy.And,
    "logical_or": sympy.Or,
    "logical_not": sympy.Not,
    "select": lambda c, x, y: sympy.Piecewise((x, c), (y, True)),
    "maximum": _larger,
    "minimum": lambda x, y: -_larger(-x, -y),
    "clip": _clip,
}
