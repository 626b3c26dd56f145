"""Images are worked on with their examples last, where they come from convolutions, at -O2 alone.

    y = conv2d(x, W)            columns = window_columns(examples_last(x)); u = matmul(W.T, columns)
    h = maximum(y + c, 0)  ->   v = maximum(u + c[:, new, new, new], 0)     [C, H, W, N]
                                h = transpose(v)                            [N, H, W, C], if it is read

What NumPy then goes through at once is as long as there are examples, not channels. A convolution
leaves a view of its result; such views are taken of what is computed of them. What must have its
entries in the order of the source reads a copy.
"""

from __future__ import annotations

from typing import Any

from bpc.ir import Atom, Equation, Function, Literal, Var
from bpc.ops import OPS, Expr
from bpc.ops.windows import EXAMPLES_LAST
from bpc.passes.rewrite import View, rewrite
from bpc.types import NEW, Shape

CONVOLUTIONS = ("conv2d", "conv_transpose2d", "conv2d_kernel")
#: what works entry by entry, besides elementwise operators
ALIGNED = ("cast", "identity", "copy", "stop")
#: operators whose attribute has an entry for each axis, or a shape
BY_AXIS = {"slice": "items", "pad": "widths", "lay_windows": "shape"}
#: operators along axes, whose arguments all have the axes of the images
ALONG = (
    "sum", "mean", "max", "min", "prod", "any", "all", "var", "std", "norm", "logsumexp", "top",
    "centred", "softmax", "log_softmax", "softmax_slope",
)  # fmt: skip


def images(function: Function) -> Function:
    """Write out convolutions, and let what follows work on images laid out as theirs are."""
    if not any(e.op in CONVOLUTIONS for e in function.body):
        return function
    copies: dict[Atom, Expr] = {}
    written = rewrite(function, _written_out)
    return rewrite(written, lambda view, e: _rule(view, e, copies))


def _written_out(view: View, e: Equation) -> Expr | None:
    expand = OPS[e.op].expand if e.op in CONVOLUTIONS else None
    if expand is None:
        return None
    view.m.hint = ""
    found: Expr | None = expand(view.m, *(view.expr(a) for a in e.args), **dict(e.attrs))
    return found


def _rule(view: View, e: Equation, copies: dict[Atom, Expr]) -> Expr | None:
    view.through_names = True
    view.m.hint = e.out.name
    inner = [_inside(view, a) for a in e.args]
    if not any(inner):
        return None
    if e.op == "examples_last":
        return inner[0]
    attrs = dict(e.attrs)
    if OPS[e.op].elementwise or e.op in (*ALIGNED, "window", *BY_AXIS):
        given = [x or _turned(view, a, copies) for x, a in zip(inner, e.args)]
        if e.op in BY_AXIS:
            values = attrs[BY_AXIS[e.op]]
            attrs[BY_AXIS[e.op]] = tuple(values[i] for i in EXAMPLES_LAST)
        write = view.m.elementwise if OPS[e.op].elementwise else view.m.emit
        return _back(view, write(e.op, *given, **attrs))
    if e.op in ALONG and all(a.type.rank == len(EXAMPLES_LAST) for a in e.args):
        given = [x or _turned(view, a, copies) for x, a in zip(inner, e.args)]
        return _along(view, e, given, attrs)
    if e.op == "scan" or (OPS[e.op].view and e.op != "reshape"):
        return None
    args = [_in_order(view, a, copies) if x else view.expr(a) for x, a in zip(inner, e.args)]
    view.m.hint = ""
    return view.m.called(view.m.emit(e.op, *args, **attrs), e.out.name)


def _inside(view: View, atom: Atom) -> Expr | None:
    """The images with the examples last that a value is a view of."""
    made = view.made(atom)
    if made is None or made.op != "transpose" or dict(made.attrs)["order"] != EXAMPLES_LAST:
        return None
    return view.expr(made.args[0])


def _back(view: View, y: Expr) -> Expr:
    """The result as the source has it: a view."""
    return view.m.emit("transpose", view.m.called(y), order=EXAMPLES_LAST)


def _order(shape: Shape) -> Shape:
    return tuple(shape[i] for i in EXAMPLES_LAST)


def _turned(view: View, atom: Atom, copies: dict[Atom, Expr]) -> Expr:
    """A value with the examples last: what is stretched stays small, others are copied once."""
    m, shape = view.m, _order(atom.type.shape)
    if isinstance(atom, Literal):
        return view.expr(Literal(atom.value, atom.type.with_shape(shape)))
    small = view.arg(atom, "broadcast")
    if small is not None:
        x = view.expr(small)
        full = ((NEW,) * (len(shape) - x.type.rank)) + x.shape
        if sum(a != NEW for a in full) > 1:
            x = x if x.shape == full else m.emit("reshape", x, shape=full)
            x = m.emit("transpose", x, order=EXAMPLES_LAST)
        elif x.shape != _order(full):
            x = m.emit("reshape", x, shape=_order(full))
        return m.broadcast_to(x, shape)
    return _copied(view, "examples_last", atom, atom, copies)


def _in_order(view: View, atom: Atom, copies: dict[Atom, Expr]) -> Expr:
    """A copy of what a view shows, with its entries in order."""
    inner = _inside(view, atom)
    assert inner is not None
    return _copied(view, "copy", atom, inner.atom, copies)


def _copied(view: View, op: str, atom: Atom, key: Atom, copies: dict[Atom, Expr]) -> Expr:
    """A copy under the name of what it is a copy of, made once."""
    if key not in copies:
        assert isinstance(atom, Var)
        hint, view.m.hint = view.m.hint, atom.name
        copies[key] = view.m.called(view.m.emit(op, view.expr(atom)))
        view.m.hint = hint
    return copies[key]


def _along(view: View, e: Equation, given: list[Expr], attrs: dict[str, Any]) -> Expr:
    """A reduction, or what is like one. Sums go along a row of images first: fewer digits get lost."""
    m, axes = view.m, attrs.get("axes", (attrs.get("axis"),))
    moved = tuple(sorted(EXAMPLES_LAST.index(a) for a in axes))
    named: dict[str, Any] = {"axes": moved} if "axes" in attrs else {"axis": moved[0]}
    if attrs.get("keep", True):
        return _back(view, m.emit(e.op, *given, **(attrs | named)))
    if e.op in ("sum", "mean") and moved[-2:] == (2, 3) and moved[:-2]:
        first = m.emit(e.op, *given, axes=(2, 3), keep=False)
        y = m.emit(e.op, first, axes=moved[:-2], keep=False)
    else:
        y = m.emit(e.op, *given, **(attrs | named))
    left = [i for i in range(len(EXAMPLES_LAST)) if i not in moved]
    order = tuple(left.index(i) for i in EXAMPLES_LAST if i in left)
    return y if order == tuple(range(len(order))) else m.emit("transpose", y, order=order)
