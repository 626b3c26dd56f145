"""Operators that take axes away: sums, extrema, statistics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bpc.diagnostics import Problem
from bpc.ops.base import Op, register
from bpc.ops.build import Builder, Expr
from bpc.ops.roles import Axes, Axis, Flag, Value
from bpc.types import NEW, Size, Type, product, size
from bpc.types import Axis as AxisType


def reduced(type: Type, axes: tuple[int, ...], keep: bool, kind: str | None = None) -> Type:
    """The type after reducing over axes; kept ones have size 1 and may stretch."""
    shape = [
        NEW if i in axes else axis for i, axis in enumerate(type.shape) if keep or i not in axes
    ]
    return Type(kind or type.kind, tuple(shape))


def counted(type: Type, axes: tuple[int, ...]) -> Size:
    """How many entries go into each result."""
    return product(type.shape[i].size for i in axes)


def kept(m: Builder, value: Expr, axes: tuple[int, ...], keep: bool, like: Expr) -> Expr:
    """A reduced value stretched back over the shape that it was reduced from."""
    if not keep and axes:
        value = m.expand(value, axes=axes)
    return m.broadcast_to(value, like.shape)


def nonempty(what: str) -> Callable[..., list[tuple[Size, str]]]:
    """The requirement that there is at least one entry to reduce."""

    def requires(type: Type, axes: tuple[int, ...], keep: bool) -> list[tuple[Size, str]]:
        return [(type.shape[i].size - size(1), f"{what} of no entries") for i in axes]

    return requires


def _call(name: str, kind: str | None = "real") -> Callable[..., Any]:
    """The language's reduction: `name(x, axis=None, keep=false)`."""

    def call(m: Builder, x: Value, axis: Axes = None, keep: Flag = False) -> Expr:
        if kind == "real" or (x.type.kind == "bool" and kind == "number"):
            x = m.real(x)
        elif kind == "bool" and x.type.kind != "bool":
            help = "compare it with something, as in `x > 0`"
            raise Problem("BP214", help, name=name, kind=x.type.kind)
        if x.type.rank:
            return m.emit(name, x, axes=axis, keep=keep)
        if name == "norm":
            return m.abs(x)
        return x if name not in ("var", "std") else m.fill(0, x)

    return call


_CASES: tuple[tuple[tuple[int, ...], dict[str, Any]], ...] = (
    ((3, 4), {}),
    ((3, 4), {"axis": 0}),
    ((2, 3, 4), {"axis": (0, 2)}),
    ((3, 4), {"axis": -1, "keep": True}),
    ((), {}),
)


def reduction(
    name: str,
    doc: str,
    numpy: str,
    vjp: Callable[..., Sequence[Any]] | None,
    *,
    kind: str | None = "real",
    result: str | None = None,
    call: Callable[..., Any] | None = None,
    requires: Callable[..., list[tuple[Size, str]]] | None = None,
) -> None:
    """Register a reduction over `axes`."""
    register(
        Op(
            name,
            "reductions",
            doc,
            call=call or _call(name, kind),
            mixes=lambda t, axes, keep: axes,
            stacks=True,
            infer=lambda t, axes, keep: (reduced(t, axes, keep, result),),
            vjp=vjp,
            numpy=lambda c, x, axes, keep: c.reduce(numpy, x, axes, keep),
            requires=requires,
            cases=tuple(
                ((("bool", *shape) if kind == "bool" else shape,), options)
                for shape, options in _CASES
            ),
        )
    )


reduction(
    "sum",
    "Sum. float32 is added up so that 10^6 rows keep 6 digits.",
    "_sum",
    lambda m, g, out, x, axes, keep: (kept(m, g, axes, keep, x),),
    kind="number",
)
reduction(
    "mean",
    "Mean; a ValueError of the generated function where there is nothing to average.",
    "_mean",
    lambda m, g, out, x, axes, keep: (kept(m, g / m.real(counted(x.type, axes)), axes, keep, x),),
    requires=nonempty("mean"),
)


def _extremum(m: Builder, g: Expr, out: Expr, x: Expr, axes: Any, keep: bool) -> Sequence[Any]:
    """Equal entries share the gradient equally."""
    ties = x.eq(kept(m, out, axes, keep, x))
    count = m.emit("count", ties, axes=axes, keep=True)
    share = g if keep else m.expand(g, axes=axes)
    return (m.real(ties) * (share / m.real(m.elementwise("maximum", count, 1))),)


register(
    Op(
        "count",
        "internal",
        "How many entries are true.",
        mixes=lambda t, axes, keep: axes,
        stacks=True,
        infer=lambda t, axes, keep: (reduced(t, axes, keep, "int"),),
        numpy=lambda c, x, axes, keep: c.reduce("np.count_nonzero", x, axes, keep),
    )
)


MOST_CHOICES = 16  # arguments of max and min: they nest in the generated code


def _choice(name: str, binary: str) -> Callable[..., Any]:
    def call(m: Builder, *xs: Value, axis: Axes = None, keep: Flag = False) -> Expr:
        if len(xs) > MOST_CHOICES:
            takes = f"at most {MOST_CHOICES} arrays"
            help = f"join them: `{name}(stack(a, b, c), axis=0)`"
            raise Problem("BP306", help, name=name, takes=takes, given=len(xs))
        if len(xs) > 1:
            if keep or axis != tuple(range(xs[0].type.rank)):
                help = f"of several arrays `{name}` is elementwise"
                raise Problem("BP309", help, name=name, argument="keep" if keep else "axis")
            return m.elementwise(binary, *xs)
        x = m.real(xs[0]) if xs[0].type.kind == "bool" else xs[0]
        return m.emit(name, x, axes=axis, keep=keep) if x.type.rank else x

    return call


for _name, _binary, _word in (("max", "maximum", "Largest"), ("min", "minimum", "Smallest")):
    reduction(
        _name,
        f"{_word} entry of one array, or entrywise of several; ties share the gradient.",
        f".{_name}",
        _extremum,
        call=_choice(_name, _binary),
        requires=nonempty(_name),
    )


register(
    Op(
        "centred",
        "internal",
        "The entries minus their mean; exactly 0 where all are equal.",
        mixes=lambda t, axes: axes,
        stacks=True,
        infer=lambda t, axes: (t,),
        vjp=lambda m, g, out, x, axes: (m.emit("centred", g, axes=axes),),
        numpy=lambda c, x, axes: c.reduce("_centred", x, axes, False),
    )
)


def _variance(m: Builder, g: Expr, out: Expr, x: Expr, axes: Any, keep: bool) -> Sequence[Any]:
    n = m.real(counted(x.type, axes))
    return (kept(m, g * (2.0 / n), axes, keep, x) * m.emit("centred", x, axes=axes),)


def _deviation(m: Builder, g: Expr, out: Expr, x: Expr, axes: Any, keep: bool) -> Sequence[Any]:
    """0 where all entries are equal."""
    n = m.real(counted(x.type, axes))
    flat = out.eq(0)
    slope = m.select(flat, 0, g / (n * m.select(flat, 1, out)))
    return (kept(m, slope, axes, keep, x) * m.emit("centred", x, axes=axes),)


reduction(
    "var", "Variance, divided by n, in two passes.", "_var", _variance, requires=nonempty("var")
)
reduction(
    "std",
    "Standard deviation, divided by n; derivative 0 where all entries are equal.",
    "_std",
    _deviation,
    requires=nonempty("std"),
)


def _norm(m: Builder, g: Expr, out: Expr, x: Expr, axes: Any, keep: bool) -> Sequence[Any]:
    """x / norm, and 0 at 0."""
    zero = out.eq(0)
    slope = m.select(zero, 0, g / m.select(zero, 1, out))
    return (kept(m, slope, axes, keep, x) * x,)


reduction("norm", "Square root of the sum of squares; derivative 0 at 0.", "_norm", _norm)


def _logsumexp(m: Builder, g: Expr, out: Expr, x: Expr, axes: Any, keep: bool) -> Sequence[Any]:
    """Softmax, as exp(x - out); 0 where all entries are -inf."""
    shift = m.select(out.eq(float("-inf")), 0, out)
    return (kept(m, g, axes, keep, x) * m.exp(x - kept(m, shift, axes, keep, x)),)


reduction(
    "logsumexp",
    "log(sum(exp(x))), shifted by the maximum; -inf with gradient 0 where all entries are.",
    "_logsumexp",
    _logsumexp,
)
reduction("any", "Whether some entry is true.", ".any", None, kind="bool")
reduction("all", "Whether every entry is true.", ".all", None, kind="bool")


# Along one axis


def along(
    name: str,
    doc: str,
    call: Callable[..., Any] | None,
    numpy: Callable[..., Any],
    vjp: Callable[..., Sequence[Any]] | None,
    infer: Callable[..., tuple[Type, ...]] = lambda t, axis: (t,),
    requires: Callable[..., list[tuple[Size, str]]] | None = None,
    group: str = "reductions",
) -> None:
    """Register an operator that works along one axis."""
    cases = ((((3, 4),), {"axis": 0}), (((3, 4),), {"axis": -1}))
    register(
        Op(
            name,
            group,
            doc,
            call=call,
            mixes=lambda t, axis: (axis,),
            stacks=True,
            infer=infer,
            vjp=vjp,
            numpy=numpy,
            requires=requires,
            cases=cases if call else (),
        )
    )


def _arg(name: str) -> Callable[..., Any]:
    def call(m: Builder, x: Value, axis: Axis = None) -> Expr:
        if axis is None:
            x, axis = m.reshape(x, shape=(AxisType(x.type.count),)), 0
        return m.emit(name, x, axis=axis)

    return call


for _name, _word in (("argmax", "largest"), ("argmin", "smallest")):
    along(
        _name,
        f"Index of the {_word} entry, the first of equal ones; without axis of all entries.",
        _arg(_name),
        lambda c, x, axis, name=_name: c.method(x, name, c.axis(x, axis)),
        None,
        lambda t, axis: (reduced(t, (axis,), False, "int"),),
        lambda t, axis: [(t.shape[axis].size - size(1), "argmax or argmin of no entries")],
    )


def _cumsum(m: Builder, x: Value, axis: Axis) -> Expr:
    return m.emit("cumsum", m.real(x) if x.type.kind == "bool" else x, axis=axis)


along(
    "cumsum",
    "Running sum along an axis.",
    _cumsum,
    lambda c, x, axis: c.method(x, "cumsum", c.keyword("axis", axis)),
    lambda m, g, out, x, axis: (m.flip(m.emit("cumsum", m.flip(g, axis), axis=axis), axis),),
)


def _prod(m: Builder, x: Value, axis: Axes = None, keep: Flag = False) -> Expr:
    """One axis after the other."""
    x = m.real(x)
    for i in sorted(axis, reverse=True):
        x = m.emit("prod", x, axis=i)
    return m.expand(x, axes=axis) if keep and axis else x


register(
    Op(
        "prod",
        "reductions",
        "Product; its derivative divides by nothing, so zeros are fine.",
        mixes=lambda t, axis: (axis,),
        stacks=True,
        call=_prod,
        infer=lambda t, axis: (reduced(t, (axis,), False),),
        vjp=lambda m, g, out, x, axis: (
            m.broadcast_to(m.expand(g, axes=(axis,)), x.shape) * m.prod_others(x, axis=axis),
        ),
        numpy=lambda c, x, axis: c.method(x, "prod", c.axis(x, axis)),
        cases=((((3, 4),), {}), (((3, 4),), {"axis": 0}), (((2, 3),), {"axis": -1, "keep": True})),
    )
)


def _prod_others(m: Builder, g: Expr, out: Expr, x: Expr, axis: int) -> Sequence[Any]:
    """d out_i / d x_j is the product of all entries but i and j: one more prod_others a column.

    Entry i of the result is a product over x with entry i set to 1; so for all i at once, take x
    with its diagonal set to 1 on two copies of the axis.
    """
    n = x.type.shape[axis]
    last = m.moveaxis(x, axis, x.type.rank - 1)
    others = m.broadcast_to(m.expand(last, axes=(x.type.rank - 1,)), (*last.shape, n))
    eye = m.broadcast_to(m.emit("eye", size=n), others.shape).eq(1)
    pairs = m.prod_others(m.select(eye, 1, others), axis=x.type.rank)
    columns = m.expand(m.moveaxis(g, axis, x.type.rank - 1), axes=(x.type.rank,))
    slope = m.select(eye, 0, pairs * m.broadcast_to(columns, pairs.shape))
    total = m.emit("sum", slope, axes=(x.type.rank - 1,), keep=False)
    return (m.moveaxis(total, x.type.rank - 1, axis),)


along(
    "prod_others",
    "For each entry the product of all the others along an axis, without division.",
    None,
    lambda c, x, axis: c.call("_prod_others", x, c.number(axis)),
    _prod_others,
    group="internal",
)


# Normalised exponentials


def _softmax(m: Builder, x: Value, axis: Axis = -1) -> Expr:
    return m.emit("softmax", m.real(x), axis=axis)


def _log_softmax(m: Builder, x: Value, axis: Axis = -1) -> Expr:
    return m.emit("log_softmax", m.real(x), axis=axis)


def _softmax_slope_vjp(
    m: Builder, h: Expr, out: Expr, g: Expr, y: Expr, axis: int
) -> Sequence[Any]:
    """By g the operator again, as it is symmetric."""
    both = m.emit("sum", g * y, axes=(axis,), keep=True)
    other = m.emit("sum", h * y, axes=(axis,), keep=True)
    return m.emit("softmax_slope", h, y, axis=axis), h * (g - both) - g * other


along(
    "softmax",
    "exp(x) / sum(exp(x)) along an axis.",
    _softmax,
    lambda c, x, axis: c.call("_softmax", x, *c.last(x, axis)),
    lambda m, g, y, x, axis: (m.emit("softmax_slope", g, y, axis=axis),),
    group="activations",
)
register(
    Op(
        "softmax_slope",
        "internal",
        "y * (g - sum(g * y)): the adjoint g of y = softmax(x) becomes that of x.",
        mixes=lambda g, y, axis: (axis,),
        stacks=True,
        infer=lambda g, y, axis: (g,),
        vjp=_softmax_slope_vjp,
        numpy=lambda c, g, y, axis: c.call("_softmax_slope", g, y, *c.last(g, axis)),
    )
)
along(
    "log_softmax",
    "x - logsumexp(x) along an axis.",
    _log_softmax,
    lambda c, x, axis: c.call("_log_softmax", x, *c.last(x, axis)),
    lambda m, g, y, x, axis: (g - m.exp(y) * m.emit("sum", g, axes=(axis,), keep=True),),
    group="activations",
)
