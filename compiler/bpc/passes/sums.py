"""Sums as the products that they are, or by products with ones, at -O2 alone.

    s = sum(mul(x, y))                          s = sum_product(x, y)
    q = sum(add(mul(100.0, mul(x, x)), mul(y, y)))    q = 100.0 * sum_product(x, x) + sum_product(y, y)
    t = sum(mul(x, g[:, new]), axes=(0,))       t = matmul(g, x)
    u = sum(matmul(d, W), axes=(0,))      ->    u = matmul(sum(d, axes=(0,)), W)
    v = sum(x, axes=(1,))                       v = matmul(x, ones)

What is added up is not computed entry by entry, unless somebody else reads it. A sum of sums is taken
apart where all terms are squares: then nothing can cancel that did not before.
"""

from __future__ import annotations

from bpc.ir import Atom, Equation, Function, Var, live, uses
from bpc.ops import OPS, Expr
from bpc.passes.rewrite import View, number, rewrite
from bpc.passes.simplify import MODEST
from bpc.types import ONE, Axis, Size, product

MOST_SQUARES = 8


def sums(function: Function) -> Function:
    """Write out all sums."""
    if not any(e.op == "sum" for e in function.body):
        return function
    read = uses(live(function, strict=True))

    def rule(view: View, e: Equation) -> Expr | None:
        if e.op != "sum" or e.out.type.kind != "real":
            return None
        view.m.hint = ""
        x = e.args[0]
        inner = view.defined.get(x) if isinstance(x, Var) and read.get(x) == 1 else None
        axes, keep = dict(e.attrs)["axes"], dict(e.attrs)["keep"]
        found = _of(view, inner, axes, read) if inner is not None else None
        if found is None:
            found = _plain(view, view.expr(x), axes, keep)
        elif found.shape != e.out.type.shape:
            found = view.m.emit("reshape", found, shape=e.out.type.shape)
        view.m.hint = e.out.name
        return view.m.called(found) if found is not None else None

    return rewrite(function, rule)


def _plain(view: View, x: Expr, axes: tuple[int, ...], keep: bool) -> Expr | None:
    """The sum of what is there."""
    rule = OPS["sum"].expand
    assert rule is not None
    found: Expr | None = rule(view.m, x, axes=axes, keep=keep)
    return found


def _sum(view: View, x: Atom, axes: tuple[int, ...]) -> Expr:
    """The same, where it is written in any case."""
    found = _plain(view, view.expr(x), axes, False)
    return found if found is not None else view.m.emit("sum", view.expr(x), axes=axes, keep=False)


def _of(view: View, e: Equation, axes: tuple[int, ...], read: dict[Var, int]) -> Expr | None:
    """The sum of what an equation computes, without its axes."""
    if e.op == "add":
        return _squares(view, e, read) if len(axes) == e.out.type.rank else None
    if e.op == "mul":
        return _product(view, e, axes)
    if e.op == "matmul":
        return _matmul(view, e, axes)
    return _einsum(view, e, axes) if e.op == "einsum" else None


def _product(view: View, e: Equation, axes: tuple[int, ...]) -> Expr | None:
    """A sum of products of entries: with weights along the axes that go, a product of matrices."""
    x, y = e.args
    rank = e.out.type.rank
    if len(axes) == rank:
        flat = all(isinstance(a, Var) and _whole(view, a) for a in e.args)
        return view.m.emit("sum_product", view.expr(x), view.expr(y)) if flat else None
    for one, other in ((x, y), (y, x)):
        weight = _weight(view, one, axes)
        if weight is not None and isinstance(other, Var):
            return _weighted(view, weight, other, axes)
    return None


def _squares(view: View, e: Equation, read: dict[Var, int]) -> Expr | None:
    """The sum of all entries of a few squares, with numbers before them."""
    found: list[Expr] = []
    waiting: list[tuple[float, Atom]] = [(1.0, a) for a in reversed(e.args)]
    while waiting and len(found) < MOST_SQUARES:
        factor, atom = waiting.pop()
        made = view.made(atom)
        if made is None or not isinstance(atom, Var) or read.get(atom) != 1:
            return None
        by = number(made.args[0]) if made.op == "mul" else None
        if made.op == "add":
            waiting += [(factor, a) for a in reversed(made.args)]
        elif by is not None and by > 0 and MODEST[0] <= factor * by <= MODEST[1]:
            waiting.append((factor * by, made.args[1]))
        elif made.op == "mul" and made.args[0] is made.args[1] and _whole(view, made.args[0]):
            x = view.expr(made.args[0])
            square = view.m.emit("sum_product", x, x)
            found.append(square if factor == 1.0 else factor * square)
        else:
            return None
    return None if waiting else sum(found[1:], found[0])


def _whole(view: View, atom: Atom) -> bool:
    """Whether an array lies in memory as its shape says."""
    e = view.defined.get(atom) if isinstance(atom, Var) else None
    return e is None or not (OPS[e.op].view or e.op == "broadcast") or e.op == "reshape"


def _weight(view: View, atom: Atom, axes: tuple[int, ...]) -> Expr | None:
    """What is stretched to an array along all axes but those given, as a vector."""
    e = view.defined.get(atom) if isinstance(atom, Var) else None
    if e is None or e.op != "broadcast":
        return None
    source, ahead = e.args[0], atom.type.rank - e.args[0].type.rank
    held = tuple(i + ahead for i, a in enumerate(source.type.shape) if a != ONE)
    if held != axes or any(source.type.shape[i - ahead] != atom.type.shape[i] for i in held):
        return None
    return _laid(view, view.expr(source), (source.type.count,))


def _weighted(view: View, weight: Expr, x: Var, axes: tuple[int, ...]) -> Expr | None:
    """A vector times a matrix, or the other way round, where the axes are in front or behind."""
    shape = x.type.shape
    count, rank = len(axes), len(shape)
    front, behind = axes == tuple(range(count)), axes == tuple(range(rank - count, rank))
    if not (front or behind) or not _whole(view, x):
        return None
    cut = count if front else rank - count
    sizes = (product(a.size for a in shape[:cut]), product(a.size for a in shape[cut:]))
    matrix = _laid(view, view.expr(x), sizes)
    return view.m.emit("matmul", *((weight, matrix) if front else (matrix, weight)))


def _laid(view: View, x: Expr, sizes: tuple[Size, ...]) -> Expr:
    shape = tuple(map(Axis, sizes))
    return x if x.shape == shape else view.m.emit("reshape", x, shape=shape)


def _matmul(view: View, e: Equation, axes: tuple[int, ...]) -> Expr | None:
    """The sum of rows times a matrix is that of the rows, times the matrix."""
    a, b = e.args
    if b.type.rank > 2 or axes[-1] >= a.type.rank - 1:
        return None
    return view.m.emit("matmul", _sum(view, a, axes), view.expr(b))


def _einsum(view: View, e: Equation, axes: tuple[int, ...]) -> Expr | None:
    """Letters that one operand alone has, once, are summed there."""
    operands, result = dict(e.attrs)["operands"], dict(e.attrs)["result"]
    gone = {result[i] for i in axes}
    having = [i for i, o in enumerate(operands) if gone & set(o)]
    if len(having) != 1 or len(operands) < 2:
        return None
    (i,) = having
    if any(operands[i].count(c) != 1 for c in gone) or gone == set(operands[i]):
        return None
    given = [view.expr(a) for a in e.args]
    given[i] = _sum(view, e.args[i], tuple(k for k, c in enumerate(operands[i]) if c in gone))
    left = tuple("".join(c for c in o if c not in gone) for o in operands)
    kept = "".join(c for c in result if c not in gone)
    return view.m.emit("einsum", *given, operands=left, result=kept)
