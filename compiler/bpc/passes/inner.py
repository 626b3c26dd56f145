"""Sums of products in one go, at -O2: the products need no memory.

    J = sum(mul(r, s))                        ->    J = inner(r, s)
    J = sum(add(mul(100.0, r*r), q*q))        ->    J = add(mul(100.0, inner(r, r)), inner(q, q))

A sum of sums is taken apart where all terms are squares: then nothing can cancel that did not before.
"""

from __future__ import annotations

from bpc.ir import Atom, Equation, Function, Literal, Var, uses
from bpc.ops import Expr
from bpc.passes.rewrite import View, number, rewrite

MODEST = (1e-9, 1e9)  # factors that may be moved about: no overflow comes of them
MOST = 8  # terms


def inner(function: Function) -> Function:
    """Write sums of all entries of products as inner products."""
    if not any(e.op == "sum" for e in function.body):
        return function
    read = uses(function)

    def rule(view: View, e: Equation) -> Expr | None:
        if e.op != "sum" or e.out.type.rank or e.out.type.kind != "real":
            return None
        terms = _terms(view, e.args[0], read)
        if not terms or (len(terms) > 1 and not all(a is b and f > 0 for f, a, b in terms)):
            return None
        found = [_times(f, view.m.emit("inner", view.expr(a), view.expr(b))) for f, a, b in terms]
        return sum(found[1:], found[0])

    return rewrite(function, rule)


def _times(factor: float, x: Expr) -> Expr:
    return x if factor == 1.0 else factor * x


def _terms(view: View, whole: Atom, read: dict[Var, int]) -> list[tuple[float, Atom, Atom]]:
    """The terms that are added up, as a number and two arrays; none where one is no product."""
    found: list[tuple[float, Atom, Atom]] = []
    waiting = [(1.0, whole)]
    while waiting and len(found) < MOST:
        factor, atom = waiting.pop()
        made = view.made(atom)
        if made is None or not isinstance(atom, Var) or read.get(atom, 1) > 1:
            return []
        by = number(made.args[0]) if made.op == "mul" else None
        if made.op == "add":
            waiting += [(factor, a) for a in reversed(made.args)]
        elif by is not None and MODEST[0] <= abs(factor * by) <= MODEST[1]:
            waiting.append((factor * by, made.args[1]))
        elif made.op == "mul" and not any(_stretched(view, a) for a in made.args):
            found.append((factor, made.args[0], made.args[1]))
        else:
            return []
    return [] if waiting else found


def _stretched(view: View, atom: Atom) -> bool:
    """Whether an argument of a product is no array of its own."""
    return isinstance(atom, Literal) or view.arg(atom, "broadcast") is not None
