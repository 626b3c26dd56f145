"""Operators that make arrays, and matrices with a diagonal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bpc.diagnostics import Problem
from bpc.ops.arrays import array, internal
from bpc.ops.build import Builder, Expr
from bpc.ops.cost import NOTHING, per_result
from bpc.ops.roles import Integer, Length, Shape, Value
from bpc.types import Axis as AxisType
from bpc.types import Type, show

# Making


def _filled(name: str, number: float) -> None:
    def call(m: Builder, *shape: Shape) -> Expr:
        return m.expr(number, Type("real", shape))

    array(name, f"An array of {name}: `{name}(N, H)`.", call=call, cases=(((), {"*": (3, 4)}),))


_filled("zeros", 0.0)
_filled("ones", 1.0)


def _eye(m: Builder, n: Length) -> Expr:
    return m.emit("eye", size=AxisType(n))


array(
    "eye",
    "The identity matrix.",
    call=_eye,
    infer=lambda size: (Type("real", (size, size)),),
    numpy=lambda c, size: c.call(
        "np.eye", *c.sizes((size,)), c.keyword("dtype", c.dtype()[0].text)
    ),
    cases=(((), {"*": (3,)}),),
)


def _arange(m: Builder, n: Length) -> Expr:
    return m.emit("arange", size=AxisType(n))


array(
    "arange",
    "The integers 0 to n - 1.",
    call=_arange,
    infer=lambda size: (Type("int", (size,)),),
    numpy=lambda c, size: c.call("np.arange", *c.sizes((size,))),
    cases=(((), {"*": (5,)}),),
)


internal(
    "number",
    "A number as an array without axes, which NumPy takes as it is.",
    infer=lambda t: (t,),
    flops=NOTHING,
    numpy=lambda c, x: c.call("np.array", x, *c.dtype()),
)


def _one_hot(m: Builder, label: Value, classes: Length) -> Expr:
    if label.type.kind != "int":
        raise Problem("BP212", name="one_hot", kind=label.type.kind)
    return m.emit("one_hot", label, classes=AxisType(classes))


def _hot(m: Builder, label: Expr, classes: AxisType) -> Expr:
    shape = (*label.shape, classes)
    places = m.broadcast_to(m.emit("arange", size=classes), shape)
    return m.real(m.broadcast_to(m.expand(label, axes=(label.type.rank,)), shape).eq(places))


array(
    "one_hot",
    "1 at the label and 0 elsewhere on a new last axis; no 1 where the label is out of range.",
    mixes=lambda t, classes: (),
    flops=per_result(1),
    scratch=lambda into, out, t, classes: out.count,
    stacks=True,
    call=_one_hot,
    infer=lambda t, classes: (Type("real", (*t.shape, classes)),),
    expand=_hot,
    numpy=lambda c, x, classes: c.call("_one_hot", x, *c.sizes((classes,)), *c.dtype()),
    cases=(((("int<5", 3),), {"classes": 4}), ((("int<4", 2, 3),), {"classes": 4})),
)


def _triangle(name: str) -> Any:
    def call(m: Builder, x: Value, k: Integer = 0) -> Expr:
        if x.type.rank < 2:
            raise Problem("BP206", name=name, shape=show(x.shape))
        return m.emit(name, m.real(x), k=k)

    return call


def triangle(m: Builder, rows: AxisType, columns: AxisType, k: int = 0) -> Expr:
    """Which entries of a matrix are on and below the k-th diagonal."""
    shape = (rows, columns)
    down = m.broadcast_to(m.expand(m.emit("arange", size=rows), axes=(1,)), shape)
    across = m.broadcast_to(m.emit("arange", size=columns), shape)
    return down >= across - k if k else down >= across


def _part(name: str) -> Any:
    def parts(m: Builder, x: Expr, k: int) -> Expr:
        below = name == "tril"
        mask = triangle(m, x.shape[-2], x.shape[-1], k if below else k - 1)
        mask = m.broadcast_to(mask if below else m.logical_not(mask), x.shape)
        return m.select(mask, x, 0)

    return parts


for _name, _word in (("tril", "below"), ("triu", "above")):
    array(
        _name,
        f"The entries on and {_word} the k-th diagonal, 0 elsewhere.",
        call=_triangle(_name),
        aligned=True,
        mixes=lambda t, k: (t.rank - 2, t.rank - 1),
        stacks=True,
        infer=lambda t, k: (t,),
        scratch=lambda into, out, t, k: out.shape[-1].size * out.shape[-2].size,
        vjp=lambda m, g, out, x, k, name=_name: (m.emit(name, g, k=k),),
        expand=_part(_name),
        numpy=lambda c, x, k, name=_name: c.call(f"np.{name}", x, *c.nonzero("k", k)),
        cases=((((3, 4),), {}), (((3, 3),), {"k": -1})),
    )


def _diag(m: Builder, x: Value) -> Expr:
    if x.type.rank == 1:
        eye = m.emit("eye", size=x.shape[0])
        return m.select(eye.eq(1), m.expand(x, axes=(0,)), 0)
    if x.type.rank < 2 or x.shape[-1] != x.shape[-2]:
        raise Problem("BP208", name="diag", shape=show(x.shape))
    return m.emit("diagonal", x)


array(
    "diag",
    "The matrix with a vector on its diagonal, or the diagonal of (a batch of) square matrices.",
    call=_diag,
    cases=((((3,),), {}), (((3, 3),), {}), (((2, 3, 3),), {})),
)


def _diagonal_vjp(m: Builder, g: Expr, out: Expr, x: Expr) -> Sequence[Any]:
    eye = m.broadcast_to(m.emit("eye", size=x.shape[-1]), x.shape)
    return (m.select(eye.eq(1), m.expand(g, axes=(g.type.rank - 1,)), 0),)


internal(
    "diagonal",
    "The diagonal of the last two axes.",
    linear=True,
    mixes=lambda t: (t.rank - 2, t.rank - 1),
    infer=lambda t: (t.with_shape(t.shape[:-1]),),
    vjp=_diagonal_vjp,
    numpy=lambda c, x: c.diagonal(x),
    view=True,
)
