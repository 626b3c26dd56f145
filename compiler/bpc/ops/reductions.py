"""Operators that take axes away: sums, extrema, statistics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bpc.diagnostics import Problem
from bpc.ops.base import Op, register
from bpc.ops.build import Builder, Expr
from bpc.ops.roles import Axes, Flag, Value
from bpc.ops.rows import MEAN, SUM, Rule, reduces
from bpc.types import NEW, Size, Type, product, size


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
    rows: Rule | None = None,
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
            rows=rows,
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
    rows=reduces(SUM),
)
reduction(
    "mean",
    "Mean; a ValueError of the generated function where there is nothing to average.",
    "_mean",
    lambda m, g, out, x, axes, keep: (kept(m, g / m.real(counted(x.type, axes)), axes, keep, x),),
    requires=nonempty("mean"),
    rows=reduces(MEAN),
)


def _extremum(m: Builder, g: Expr, out: Expr, x: Expr, axes: Any, keep: bool) -> Sequence[Any]:
    """Equal entries share the gradient equally."""
    return (kept(m, g, axes, keep, x) * m.emit("tie_share", x, out, axes=axes, keep=keep),)


register(
    Op(
        "tie_share",
        "internal",
        "1 at the entries that equal the extremum, shared equally among several; 0 elsewhere.",
        mixes=lambda t, top, axes, keep: axes,
        stacks=True,
        infer=lambda t, top, axes, keep: (t.with_kind("real"),),
        numpy=lambda c, x, top, axes, keep: c.call("_tie_share", x, top, *c.over(x, axes, keep)),
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
