"""What has an axis of one entry is computed without it: such axes stand where one example was.

    x1 = reshape(x, [N, 1, 64])
    z = matmul(x1, W)                  y = matmul(x, W)
    d = sum(z, axes=(1,))       ->     d = y
    S = matmul(x1.T, z)                S = x[:, :, new] * y[:, new, :]

It is for stacks of examples (see columns.py); a `reshape` costs nothing.
"""

from __future__ import annotations

from bpc.ir import Atom, Equation, Function, Literal
from bpc.ops import OPS, Expr
from bpc.passes.rewrite import View, rewrite
from bpc.types import ONE, Shape

#: reductions of one entry that are this entry
SAME = frozenset(("sum", "mean", "max", "min", "prod", "any", "all"))
#: attributes that say nothing of axes
PLAIN = frozenset(("keep", "kind", "label", "smoothing", "ignore", "amount", "eps", "finite"))
Axes = frozenset[int]


def squeeze(function: Function) -> Function:
    """Let axes of one entry come last, by a `reshape` of what is computed without them."""
    return rewrite(function, _rule)


def _rule(view: View, e: Equation) -> Expr | None:
    gone = next((g for a in e.args if (g := _gone(view, a))), None)
    view.m.hint = e.out.name
    if e.op == "matmul":
        return _outer(view, e) or (_product(view, e, gone) if gone else None)
    if gone is None or len(e.outs) != 1:
        return None
    attrs = dict(e.attrs)
    if e.op == "gather":
        return _gathered(view, e)
    if e.op == "transpose":
        order = [i for i in attrs["order"] if i not in gone]
        x = _without(view, e.args[0], gone)
        y = view.m.emit("transpose", x, order=tuple(map(_places(e.args[0], gone).index, order)))
        return _laid(view, y, e)
    if OPS[e.op].elementwise or e.op in ("cast", "identity"):
        given = [_without(view, a, gone) for a in e.args]
        write = view.m.elementwise if OPS[e.op].elementwise else view.m.emit
        y = write(e.op, *given, **attrs)
        return _laid(view, y, e)
    return _along(view, e, gone)


def _gone(view: View, atom: Atom) -> Axes:
    """The axes of one entry that a `reshape` put into a value."""
    inner = view.arg(atom, "reshape") or view.arg(atom, "expand_dims")
    if inner is None or ONE in inner.type.shape:
        return frozenset()
    found = frozenset(i for i, a in enumerate(atom.type.shape) if a == ONE)
    return found if _cut(atom.type.shape, found) == inner.type.shape else frozenset()


def _laid(view: View, y: Expr, e: Equation) -> Expr:
    """The value, under the name of what it is, in the shape that this had."""
    return view.m.emit("reshape", view.m.called(y), shape=e.out.type.shape)


def _cut(shape: Shape, gone: Axes) -> Shape:
    return tuple(a for i, a in enumerate(shape) if i not in gone)


def _places(atom: Atom, gone: Axes) -> list[int]:
    return [i for i in range(atom.type.rank) if i not in gone]


def _without(view: View, atom: Atom, gone: Axes) -> Expr:
    """A value without some axes of one entry."""
    shape = _cut(atom.type.shape, gone)
    if isinstance(atom, Literal):
        return view.expr(Literal(atom.value, atom.type.with_shape(shape)))
    inner = view.arg(atom, "reshape") or view.arg(atom, "expand_dims")
    if inner is not None and inner.type.shape == shape:
        return view.expr(inner)
    source = view.arg(atom, "broadcast")
    if source is not None:
        lead = atom.type.rank - source.type.rank
        less = frozenset(i - lead for i in gone if i >= lead)
        small = _cut(source.type.shape, less)
        x = view.expr(source)
        x = x if small == source.type.shape else view.m.emit("reshape", x, shape=small)
        return view.m.broadcast_to(x, shape)
    return view.m.emit("reshape", view.expr(atom), shape=shape)


def _along(view: View, e: Equation, gone: Axes) -> Expr | None:
    """What works along other axes; a reduction over some that hold one entry leaves these out."""
    op, attrs, first = OPS[e.op], dict(e.attrs), e.args[0]
    if not op.stacks or op.mixes is None or not attrs.keys() <= PLAIN | {"axis", "axes"}:
        return None
    mixed = set(op.mixes(*(a.type for a in e.args), **attrs))
    places = _places(first, gone)
    if not mixed.isdisjoint(gone) and e.op not in SAME:
        return None
    ranks = {a.type.rank for a in e.args}
    if len(ranks) > 1 and (not mixed or max(gone) >= min(mixed) or max(gone) >= min(ranks)):
        return None  # further arguments lack axes before those
    if any(a.type.shape[i] != ONE for a in e.args for i in gone):
        return None
    if "axis" in attrs:
        attrs["axis"] = places.index(attrs["axis"])
    if "axes" in attrs:
        attrs["axes"] = tuple(places.index(i) for i in attrs["axes"] if i not in gone)
    given = [_without(view, a, gone) for a in e.args]
    y = given[0] if e.op in SAME and not attrs["axes"] else view.m.emit(e.op, *given, **attrs)
    return _laid(view, y, e)


def _gathered(view: View, e: Equation) -> Expr | None:
    """What indices without such axes pick."""
    x, *ids = e.args
    gone = _gone(view, ids[0])
    if dict(e.attrs)["axis"] or not gone:
        return None
    y = view.m.emit("gather", view.expr(x), *(_without(view, i, gone) for i in ids), axis=0)
    return _laid(view, y, e)


def _product(view: View, e: Equation, gone: Axes) -> Expr | None:
    """Rows times one matrix, or a vector."""
    a, b = e.args
    gone = _gone(view, a)
    if not gone or b.type.rank > 2 or a.type.rank - 1 in gone or len(gone) > a.type.rank - 2:
        return None
    y = view.m.emit("matmul", _without(view, a, gone), view.expr(b))
    return _laid(view, y, e)


def _outer(view: View, e: Equation) -> Expr | None:
    """A column times a row, for each of a stack, is all products of their entries."""
    a, b = e.args
    if a.type.rank != b.type.rank or a.type.rank < 3 or a.type.shape[-1] != ONE:
        return None
    shape = e.out.type.shape
    x, y = (view.m.broadcast_to(view.expr(v), shape) for v in (a, b))
    return view.m.called(x * y)
