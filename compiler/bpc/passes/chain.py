"""Products of three matrices begin with the pair that makes them cheaper, at -O2 alone.

    s = matmul(matmul(A, B), v)      ->    s = matmul(A, matmul(B, v))

They stay where that depends on how large the dims are. Nobody else may read the first product: so it
is done before differentiation, and what comes of v is vectors on the way back too.
"""

from __future__ import annotations

from bpc.ir import Atom, Equation, Function, Var, live, uses
from bpc.ops import Expr
from bpc.passes.rewrite import View, rewrite
from bpc.types import ONE, Size, dim, product, size


def chain(function: Function) -> Function:
    """Multiply first what is surely better multiplied first."""
    if sum(e.op == "matmul" for e in function.body) < 2:
        return function
    read = uses(live(function, strict=True))

    def inner(view: View, atom: Atom) -> tuple[Atom, Atom] | None:
        """The matrices of a product that nobody else reads."""
        e = view.defined.get(atom) if isinstance(atom, Var) and read.get(atom) == 1 else None
        if e is None or e.op != "matmul" or any(a.type.rank != 2 for a in e.args):
            return None
        return e.args[0], e.args[1]

    def rule(view: View, e: Equation) -> Expr | None:
        if e.op != "matmul" or any(a.type.rank > 2 for a in e.args):
            return None
        left, right = map(view.expr, e.args)
        while (first := inner(view, left.atom)) is not None and _right(first[0], right.atom):
            right = view.m.emit("matmul", view.expr(first[1]), right)
            left = view.expr(first[0])
        while (last := inner(view, right.atom)) is not None and _left(left.atom, last[1]):
            left = view.m.emit("matmul", left, view.expr(last[0]))
            right = view.expr(last[1])
        changed = left.atom is not e.args[0] or right.atom is not e.args[1]
        return view.m.emit("matmul", left, right) if changed else None

    return rewrite(function, rule)


def _right(a: Atom, c: Atom) -> bool:
    """Whether a @ (b @ c) surely takes fewer products of numbers than (a @ b) @ c, for any b."""
    m, k = (axis.size for axis in a.type.shape)
    n, p = (axis.size for axis in (*c.type.shape, ONE)[:2])
    return _less(product((k, n, p)) + product((m, k, p)), product((m, k, n)) + product((m, n, p)))


def _left(a: Atom, c: Atom) -> bool:
    """Whether (a @ b) @ c surely takes fewer than a @ (b @ c), for any b."""
    m, k = (axis.size for axis in (ONE, *a.type.shape)[-2:])
    n, p = (axis.size for axis in c.type.shape)
    return _less(product((m, k, n)) + product((m, n, p)), product((k, n, p)) + product((m, k, p)))


def _less(x: Size, y: Size) -> bool:
    """Whether a number is smaller wherever all dims are at least 2."""
    more = y - x
    more = more.substitute({name: dim(name) + size(2) for name in more.dims()})
    return bool(more.terms) and all(factor > 0 for _, factor in more.terms)
