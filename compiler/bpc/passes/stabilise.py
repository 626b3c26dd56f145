"""Formulas that overflow or cancel as written become operators that do not.

    log(1 + exp(x))              ->    softplus(x)
    exp(x) / sum(exp(x))         ->    softmax(x)
    sqrt(sum(x^2))               ->    norm(x)

Logarithms, roots and softmax are seen through names, which then have no adjoint: else it would be
0 * inf. A logistic function of named parts, as the lecture builds it, keeps their lines and adjoints
up to -O1.
"""

from __future__ import annotations

import math
from functools import partial

from bpc.ir import Atom, Equation, Function, Literal, Var
from bpc.ops import Expr
from bpc.passes.rewrite import View, number, rewrite

Found = Expr | Atom | None
DEEPEST = 100  # sums of exponentials are followed so far


def stabilise(function: Function, all_names: bool = False) -> Function:
    """Apply the rules once, in order of the equations."""

    def rule(view: View, equation: Equation) -> Found:
        view.through_names = all_names or equation.op not in KEEP_NAMES
        rule = RULES.get(equation.op)
        return rule(view, equation) if rule is not None else None

    return rewrite(function, rule)


def _as_log(view: View, atom: Atom, depth: int = 0) -> Expr | None:
    """The u for which an atom is exp(u), through sums and products of exponentials."""
    value = number(atom)
    if value is not None:
        return view.expr(Literal(math.log(value), atom.type)) if value > 0 else None
    if isinstance(atom, Literal) or depth == DEEPEST:
        return None
    if atom in view.logs:
        return view.logs[atom]
    exponent = view.arg(atom, "exp")
    found = view.expr(exponent) if exponent is not None else None
    for op in ("add", "mul"):
        equation = view.definition(atom, op)
        if equation is not None:
            x = _as_log(view, equation.args[0], depth + 1)
            y = _as_log(view, equation.args[1], depth + 1) if x is not None else None
            if x is not None and y is not None:
                found = x + y if op == "mul" else _log_add(view, x, y)
    view.logs[atom] = found
    return found


def _log_add(view: View, x: Expr, y: Expr) -> Expr:
    for one, other in ((x, y), (y, x)):
        if one.number == 0:
            return view.m.softplus(other)
    return view.m.logaddexp(x, y)


def _log(view: View, e: Equation) -> Found:
    x, m = e.args[0], view.m
    found = _as_log(view, x)
    if found is not None and not isinstance(x, Literal):
        return found
    total = view.definition(x, "sum")
    if total is not None:
        inner = _as_log(view, total.args[0])
        if inner is not None:
            return m.emit("logsumexp", inner, **dict(total.attrs))
    inside = view.arg(x, "sigmoid")
    if inside is not None:
        return -m.softplus(-view.expr(inside))
    rest = view.definition(x, "sub")
    if rest is not None and number(rest.args[0]) == 1:
        inside = view.arg(rest.args[1], "sigmoid")
        if inside is not None:
            return -m.softplus(view.expr(inside))
        return m.log1p(-view.expr(rest.args[1]))
    soft = view.definition(x, "softmax")
    if soft is not None:
        return m.emit("log_softmax", view.expr(soft.args[0]), **dict(soft.attrs))
    plus = view.definition(x, "add")
    for i in (0, 1) if plus is not None else ():
        if plus is not None and number(plus.args[i]) == 1:
            return m.log1p(view.expr(plus.args[1 - i]))
    return None


def _log1p(view: View, e: Equation) -> Found:
    inner = _as_log(view, e.args[0]) if isinstance(e.args[0], Literal) is False else None
    return view.m.softplus(inner) if inner is not None else None


def _div(view: View, e: Equation) -> Found:
    """Logistic functions, and softmax as people write it."""
    above, below = e.args
    m = view.m
    plus = view.definition(below, "add")
    if plus is not None:
        for one, other in (plus.args, plus.args[::-1]):
            exponent = view.arg(other, "exp")
            if number(one) == 1 and exponent is not None and not _kept(view, below, other):
                u = view.expr(exponent)
                if view.arg(above, "exp") is exponent:
                    return m.sigmoid(u)
                logistic = m.sigmoid(-u)
                return logistic if number(above) == 1 else view.expr(above) * logistic
    return _softmax(view, above, below)


def _kept(view: View, *atoms: Atom) -> bool:
    """Whether names stand in the way."""
    return not view.through_names and any(isinstance(a, Var) and a.named for a in atoms)


def _softmax(view: View, above: Atom, below: Atom) -> Found:
    """exp(x) over its own sum along one axis, stretched back along that axis."""
    exponent, wide = _any(view, above, "exp"), _any(view, below, "broadcast")
    if exponent is None or wide is None:
        return None
    spread = _any(view, wide.args[0], "expand_dims")
    total = _any(view, (spread or wide).args[0], "sum")
    inner = _any(view, total.args[0], "exp") if total is not None else None
    if total is None or inner is None or inner.args[0] is not exponent.args[0]:
        return None
    attrs, rank = dict(total.attrs), exponent.out.type.rank
    along = spread is not None and dict(spread.attrs)["axes"] == attrs["axes"]
    if len(attrs["axes"]) != 1 or not (attrs["keep"] or rank == 1 or along):
        return None
    if attrs["keep"] and spread is not None:
        return None
    return view.m.emit("softmax", view.expr(exponent.args[0]), axis=attrs["axes"][0])


def _any(view: View, atom: Atom, op: str) -> Equation | None:
    """The equation behind an atom, under a name or not."""
    equation = view.defined.get(atom) if isinstance(atom, Var) else None
    return equation if equation is not None and equation.op == op else None


def _sub(view: View, e: Equation) -> Found:
    exponent = view.arg(e.args[0], "exp")
    if exponent is not None and number(e.args[1]) == 1:
        return view.m.expm1(view.expr(exponent))
    return None


def _add(view: View, e: Equation) -> Found:
    for one, other in (e.args, e.args[::-1]):
        exponent = view.arg(other, "exp")
        if number(one) == -1 and exponent is not None:
            return view.m.expm1(view.expr(exponent))
    return None


def _square(view: View, atom: Atom) -> Atom | None:
    """The x of which an atom is the square."""
    power = view.definition(atom, "pow")
    if power is not None and number(power.args[1]) == 2:
        return power.args[0]
    product = view.definition(atom, "mul")
    if product is not None and product.args[0] is product.args[1]:
        return product.args[0]
    return None


def _sqrt(view: View, e: Equation) -> Found:
    x, m = e.args[0], view.m
    inner = _square(view, x)
    if inner is not None:
        return m.abs(view.expr(inner))
    total = view.definition(x, "sum")
    if total is not None:
        inner = _square(view, total.args[0])
        if inner is not None:
            return m.emit("norm", view.expr(inner), **dict(total.attrs))
    dot = view.definition(x, "matmul")
    if dot is not None and dot.args[0] is dot.args[1] and dot.args[0].type.rank == 1:
        return m.emit("norm", view.expr(dot.args[0]), axes=(0,), keep=False)
    plus = view.definition(x, "add")
    if plus is not None:
        a, b = (_square(view, arg) for arg in plus.args)
        if a is not None and b is not None:
            return m.hypot(view.expr(a), view.expr(b))
    return None


def _pow(view: View, e: Equation) -> Found:
    if number(e.args[1]) != 0.5:
        return None
    root = Equation("sqrt", e.args[:1], e.outs, e.span)
    found = _sqrt(view, root)
    return found if found is not None else view.m.sqrt(view.expr(e.args[0]))


RULES = {
    "add": _add,
    "log": _log,
    "log1p": _log1p,
    "div": _div,
    "sub": _sub,
    "sqrt": _sqrt,
    "pow": _pow,
}
#: operators whose patterns end at a name of the source
KEEP_NAMES = frozenset(("add", "sub", "div"))
#: at -O2, where names need no lines, all patterns see through them
stabilise_all = partial(stabilise, all_names=True)
