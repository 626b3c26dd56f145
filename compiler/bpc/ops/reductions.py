"""Operators that take axes away: sums, extrema, statistics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from bpc.diagnostics import Problem
from bpc.ops.base import Expand, Op, Spelling, register
from bpc.ops.build import Builder, Expr
from bpc.ops.cost import (
    ITEM,
    NOTHING,
    Flops,
    Scratch,
    arrays,
    doubles,
    nbytes,
    per_entry,
    ratio,
)
from bpc.ops.roles import Axes, Flag, GivenAxes, Value
from bpc.ops.rows import MEAN, SUM, Meets, Rule, moves, reduces
from bpc.types import NEW, ONE, Axis, Shape, Size, Type, product, size

ROWS = 256  # at most, that are added up by one product
ENTRIES = 64  # that are added up by one product where all are
MANY = 4096  # entries, from which on that is faster


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


def _rows_of(type: Type, axes: tuple[int, ...]) -> Size:
    """How many results there are."""
    return product(a.size for i, a in enumerate(type.shape) if i not in axes)


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


# How reductions are written out


def number_of(m: Builder, x: Expr, axes: tuple[int, ...], what: str = "") -> Expr:
    """How many entries are reduced: an operator where only the call can tell that there are any."""
    n = counted(x.type, axes)
    if n.value is not None and n.value >= 1:
        return m.real(n)
    return m.emit("count", sizes=tuple(x.shape[i].size for i in axes), what=what)


def total(m: Builder, x: Expr, axes: tuple[int, ...], keep: bool) -> Expr:
    """The sum, which a pass of its own writes out: see passes/sums.py."""
    return m.emit("sum", x, axes=axes, keep=keep)


def _added(m: Builder, x: Expr, axes: tuple[int, ...], keep: bool) -> Expr | None:
    """The sum over the axes in front, behind or both, laid out as it comes; None for others."""
    rank = x.type.rank
    front = next(i for i in range(rank + 1) if i not in axes)
    behind = next(i for i in range(rank + 1) if rank - 1 - i not in axes)
    if x.type.kind != "real" or not rank:
        return None
    if front == rank:
        known = x.type.count.value
        if keep or (known is not None and known < MANY):
            return None
        return m.emit("add_all", x, _ones(m, (Axis(size(ENTRIES)),)))
    if front + behind != len(axes):
        return None
    left = x.shape[: rank - behind]
    if behind:
        inner = Axis(product(a.size for a in x.shape[rank - behind :]))
        rows = Axis(product(a.size for a in left))
        x = _laid(m, x, (rows, inner))
        column = (ONE,) if keep and not front else ()
        x = m.emit("matmul", x, _ones(m, (inner, *column)))
        if front:
            x = m.emit("reshape", x, shape=left)
    if front:
        lead = Axis(product(a.size for a in x.shape[:front]))
        columns = Axis(product(a.size for a in x.shape[front:]))
        ones = m.called(m.emit("ones_of", rows=lead), "ones")
        x = m.emit("add_rows", _laid(m, x, (lead, columns)), ones)
    return x


def _ones(m: Builder, shape: Shape) -> Expr:
    return m.called(m.emit("full", 1.0, shape=shape), "ones")


def _laid(m: Builder, x: Expr, shape: Shape) -> Expr:
    return x if x.shape == shape else m.emit("reshape", x, shape=shape)


def mean_of(m: Builder, x: Expr, axes: tuple[int, ...], keep: bool, what: str = "mean") -> Expr:
    """The mean as a sum over a number."""
    n = number_of(m, x, axes, what)
    return total(m, x, axes, keep) / n


def centre(m: Builder, x: Expr, axes: tuple[int, ...]) -> Expr:
    """The entries minus their mean, twice: equal ones give 0, and no digits are lost."""
    for _ in range(2):
        x = x - m.broadcast_to(mean_of(m, x, axes, True), x.shape)
    return x


def _all_rows(types: Sequence[Type], places: Sequence[int | None]) -> int:
    """All entries are added up, or the products of those in the same place."""
    if len(types) == 2 and places[0] != places[1]:
        raise Meets
    return SUM


register(
    Op(
        "count",
        "internal",
        "How many entries there are to reduce; with `what`, a ValueError where there are none.",
        infer=lambda sizes, what: (Type("real"),),
        flops=NOTHING,
        numpy=lambda c, sizes, what: c.size(product(sizes)),
        requires=lambda sizes, what: (
            [(n - size(1), f"{what} of no entries") for n in sizes] if what else []
        ),
    )
)
register(
    Op(
        "ones_of",
        "internal",
        f"A vector of ones, as many as there are rows, at most {ROWS}: what rows are added up with.",
        infer=lambda rows: (Type("real", (Axis(size(ROWS)),)),),
        flops=NOTHING,
        numpy=lambda c, rows: c.call(
            "np.ones", c.call("min", *c.sizes((rows,)), str(ROWS)), *c.dtype()
        ),
    )
)
register(
    Op(
        "add_rows",
        "internal",
        "The sum of the rows of a matrix, by products of blocks with a vector of ones.",
        mixes=lambda t, ones: (0,),
        rows=moves({(0, None): SUM, (1, None): 0}),
        infer=lambda t, ones: (t.with_shape(t.shape[1:]),),
        # A row for each block of 64 float32 or 256 float64.
        scratch=lambda into, out, x, ones: (
            x.type.count * (ratio(Fraction(3, 32)) - ITEM / size(128))
        ),
        numpy="_add_rows",
        into="_add_rows",
    )
)
register(
    Op(
        "add_all",
        "internal",
        "The sum of all entries, by products of blocks with a vector of ones.",
        mixes=lambda t, ones: tuple(range(t.rank)),
        rows=lambda types, places: _all_rows(types[:1], places[:1]),
        infer=lambda t, ones: (Type("real"),),
        scratch=lambda into, out, x, ones: nbytes(x.type) / size(ENTRIES),
        numpy="_add_all",
    )
)
register(
    Op(
        "sum_product",
        "internal",
        "The sum of the products of the entries of two arrays.",
        mixes=lambda a, b: tuple(range(a.rank)),
        rows=_all_rows,
        linear=True,
        infer=lambda a, b: (Type("real"),),
        flops=lambda out, a, b: size(2) * a.count,
        # Of blocks of 256 float32.
        scratch=lambda into, out, a, b: nbytes(a.type) / size(256),
        numpy="_sum_product",
    )
)


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
    expand: Expand | None = None,
    into: Spelling = "",
    rows: Rule | None = None,
    flops: Flops | None = None,
    scratch: Scratch | None = None,
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
            expand=expand,
            into=into,
            rows=rows,
            flops=flops,
            scratch=scratch,
            cases=tuple(
                ((("bool", *shape) if kind == "bool" else shape,), options)
                for shape, options in _CASES
            ),
        )
    )


def _sum(m: Builder, x: Expr, axes: tuple[int, ...], keep: bool) -> Expr | None:
    y = _added(m, x, axes, keep)
    return y and _laid(m, y, reduced(x.type, axes, keep).shape)


reduction(
    "sum",
    "Sum. float32 is added up so that 10^6 rows keep 6 digits.",
    "_sum",
    lambda m, g, out, x, axes, keep: (kept(m, g, axes, keep, x),),
    kind="number",
    expand=_sum,
    into=lambda c, out, x, axes, keep: c.call("_sum", x, _plain(axes), str(keep), out),
    rows=reduces(SUM),
    scratch=doubles,
)
reduction(
    "mean",
    "Mean; a ValueError of the generated function where there is nothing to average.",
    "_mean",
    lambda m, g, out, x, axes, keep: (kept(m, g / m.real(counted(x.type, axes)), axes, keep, x),),
    requires=nonempty("mean"),
    expand=mean_of,
    rows=reduces(MEAN),
    scratch=lambda into, out, x, axes, keep: out.count * size(8) if out.shape else size(0),
)


def _extremum(m: Builder, g: Expr, out: Expr, x: Expr, axes: Any, keep: bool) -> Sequence[Any]:
    """Equal entries share the gradient equally."""
    return (kept(m, g, axes, keep, x) * m.emit("tie_share", x, out, axes=axes, keep=keep),)


def _shares(m: Builder, x: Expr, top: Expr, axes: tuple[int, ...], keep: bool) -> Expr:
    ties = m.real(x.eq(kept(m, top, axes, keep, x)))
    return ties / m.broadcast_to(m.maximum(total(m, ties, axes, True), 1.0), x.shape)


register(
    Op(
        "tie_share",
        "internal",
        "1 at the entries that equal the extremum, shared equally among several; 0 elsewhere.",
        mixes=lambda t, top, axes, keep: axes,
        stacks=True,
        infer=lambda t, top, axes, keep: (t.with_kind("real"),),
        flops=per_entry(3),
        scratch=lambda into, out, x, top, axes, keep: (
            x.type.count + (nbytes(top.type) / ITEM) * (size(8) + ITEM)
        ),
        expand=_shares,
        numpy=lambda c, x, top, axes, keep: c.call("_tie_share", x, top, *c.over(x, axes, keep)),
    )
)


MOST_CHOICES = 16  # arguments of max and min: they nest in the generated code


def _choice(name: str, binary: str) -> Callable[..., Any]:
    def call(m: Builder, *xs: Value, axis: GivenAxes = None, keep: Flag = False) -> Expr:
        if len(xs) > MOST_CHOICES:
            takes = f"at most {MOST_CHOICES} arrays"
            help = f"join them: `{name}(stack(a, b, c), axis=0)`"
            raise Problem("BP306", help, name=name, takes=takes, given=len(xs))
        if len(xs) > 1:
            if keep or axis is not None:
                help = f"of several arrays `{name}` is elementwise"
                raise Problem("BP309", help, name=name, argument="keep" if keep else "axis")
            return m.elementwise(binary, *xs)
        x = m.real(xs[0]) if xs[0].type.kind == "bool" else xs[0]
        axis = tuple(range(x.type.rank)) if axis is None else axis
        return m.emit(name, x, axes=axis, keep=keep) if x.type.rank else x

    return call


def _by_place(m: Builder, x: Expr, axes: tuple[int, ...], keep: bool) -> Expr | None:
    """The largest of each row by its place; None where NumPy's own way is as fast."""
    known = all(x.shape[i].size.value for i in axes)
    if axes != (x.type.rank - 1,) or not axes[0] or x.type.kind != "real" or not known:
        return None
    y = m.emit("top", x, axes=axes)
    return y if keep else m.squeeze(y, axes=axes)


for _name, _binary, _word in (("max", "maximum", "Largest"), ("min", "minimum", "Smallest")):
    reduction(
        _name,
        f"{_word} entry of one array, or entrywise of several; ties share the gradient.",
        f".{_name}",
        _extremum,
        call=_choice(_name, _binary),
        requires=nonempty(_name),
        expand=_by_place if _name == "max" else None,
        into=lambda c, out, x, axes, keep, ufunc=f"np.{_binary}": c.call(
            f"{ufunc}.reduce", x, _plain(axes), "None", out, str(keep)
        ),
    )


register(
    Op(
        "centred",
        "internal",
        "The entries minus their mean; exactly 0 where all are equal.",
        mixes=lambda t, axes: axes,
        stacks=True,
        infer=lambda t, axes: (t,),
        flops=per_entry(4),
        scratch=lambda into, out, x, axes: nbytes(x.type) + _rows_of(x.type, axes) * size(8),
        vjp=lambda m, g, out, x, axes: (m.emit("centred", g, axes=axes),),
        expand=centre,
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


def _var(m: Builder, x: Expr, axes: tuple[int, ...], keep: bool, what: str = "var") -> Expr:
    n = number_of(m, x, axes, what)
    c = m.emit("centred", x, axes=axes)
    return total(m, c * c, axes, keep) / n


reduction(
    "var",
    "Variance, divided by n, in two passes.",
    "_var",
    _variance,
    requires=nonempty("var"),
    expand=_var,
    flops=per_entry(6),
    scratch=arrays(2),
)
reduction(
    "std",
    "Standard deviation, divided by n; derivative 0 where all entries are equal.",
    "_std",
    _deviation,
    requires=nonempty("std"),
    expand=lambda m, x, axes, keep: m.sqrt(_var(m, x, axes, keep, "std")),
    flops=per_entry(6),
    scratch=arrays(2),
)


def _norm(m: Builder, g: Expr, out: Expr, x: Expr, axes: Any, keep: bool) -> Sequence[Any]:
    """x / norm, and 0 at 0."""
    zero = out.eq(0)
    slope = m.select(zero, 0, g / m.select(zero, 1, out))
    return (kept(m, slope, axes, keep, x) * x,)


reduction(
    "norm",
    "Square root of the sum of squares; derivative 0 at 0.",
    "_norm",
    _norm,
    expand=lambda m, x, axes, keep: m.sqrt(total(m, x * x, axes, keep)),
    flops=per_entry(2),
    scratch=arrays(1),
)


def _logsumexp(m: Builder, g: Expr, out: Expr, x: Expr, axes: Any, keep: bool) -> Sequence[Any]:
    """Softmax, not as exp(x - out), where rounding of a large `out` is an error; 0 if all are -inf."""
    _, e, added = exponentials(m, x, axes, True)
    share = e / m.broadcast_to(added + m.real(added.eq(0)), x.shape)
    return (kept(m, g, axes, keep, x) * share,)


def _plain(axes: tuple[int, ...]) -> str:
    return str(axes[0] if len(axes) == 1 else axes)


def _finite(finite: bool) -> list[str]:
    return ["finite=True"] if finite else []


def exponentials(
    m: Builder, x: Expr, axes: tuple[int, ...], finite: bool = False
) -> tuple[Expr, Expr, Expr]:
    """A shift of each row, exp(x - shift), and the sum of that: what softmaxes and losses share.

    Some sum is neither 0 nor inf where x is finite. With `finite` the shift of a row is 0 where its
    largest entry is not finite.
    """
    shift = m.emit("shift", x, axes=axes, finite=finite)
    e = m.called(m.exp_less(x, m.broadcast_to(shift, x.shape)), "exp")
    return shift, e, total(m, e, axes, True)


def logsumexp_parts(m: Builder, x: Expr, axes: tuple[int, ...], keep: bool) -> Expr:
    """The logarithm of a sum of exponentials that do not overflow; -inf of nothing."""
    shift, _, added = exponentials(m, x, axes, True)
    empty = added.eq(0)
    result = m.log(added + m.real(empty)) + m.select(empty, float("-inf"), shift)
    return result if keep else m.squeeze(result, axes=axes)


def _by_argmax(type: Type, axes: tuple[int, ...]) -> bool:
    """Whether `_top` finds the place of the largest entry first."""
    last = type.shape[-1].size.value
    return axes == (type.rank - 1,) and (last is None or last > 4)


def _places(out: Type, x: Any, axes: tuple[int, ...]) -> Size:
    """Bytes for places: of the entries, of where each row starts, and both together."""
    return out.count * size(24) if _by_argmax(x.type, axes) else size(0)


register(
    Op(
        "top",
        "internal",
        "The largest entry along axes, which stay with size 1; -inf of none.",
        scratch=lambda into, out, x, axes: _places(out, x, axes),
        mixes=lambda t, axes: axes,
        stacks=True,
        infer=lambda t, axes: (reduced(t, axes, True),),
        numpy=lambda c, x, axes: c.call("_top", x, _plain(axes)),
        into=lambda c, out, x, axes: c.call("_top", x, _plain(axes), out),
    )
)
register(
    Op(
        "shift",
        "internal",
        "What keeps exp(x - shift) in range, along axes which stay with size 1.",
        scratch=lambda into, out, x, axes, finite: _places(out, x, axes),
        mixes=lambda t, axes, finite: axes,
        stacks=True,
        infer=lambda t, axes, finite: (reduced(t, axes, True),),
        numpy=lambda c, x, axes, finite: c.call("_shift", x, _plain(axes), *_finite(finite)),
        into=lambda c, out, x, axes, finite: c.call(
            "_shift", x, _plain(axes), *_finite(finite), f"out={out.code.text}"
        ),
    )
)


reduction(
    "logsumexp",
    "log(sum(exp(x))), shifted by the maximum; -inf with gradient 0 where all entries are.",
    "_logsumexp",
    _logsumexp,
    expand=logsumexp_parts,
    flops=per_entry(4),
    scratch=arrays(2),
)
reduction("any", "Whether some entry is true.", ".any", None, kind="bool")
reduction("all", "Whether every entry is true.", ".all", None, kind="bool")
