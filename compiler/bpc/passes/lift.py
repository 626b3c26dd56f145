"""One step's equation for all steps at once: each operator with one more axis in front.

z = matmul(x, W)    with x: [N, D] in each of T steps    ->    z = matmul(x, W) with x: [T, N, D]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bpc.ir import Equation, Literal
from bpc.ops import OPS, Builder, Expr
from bpc.types import ONE, Axis, Shape, Size, size

#: (builder, equation, arguments, which of them are stacked, steps) -> the stack of results
Rule = Callable[[Builder, Equation, list[Expr], Sequence[bool], Size], Expr]


def liftable(e: Equation, stacked: Sequence[bool]) -> bool:
    """Whether there is a rule for an equation, some of whose arguments differ from step to step."""
    if OPS[e.op].elementwise or e.op in RULES:
        return True
    if e.op == "matmul":
        ranks = [a.type.rank for a in e.args]
        return ranks[0] > 1 or not stacked[1] or (stacked[0] and ranks[1] > 1)
    if e.op == "gather":
        return dict(e.attrs)["axis"] == 0 and not stacked[0] and all(stacked[1:])
    return False


def lift(m: Builder, e: Equation, args: list[Expr], stacked: Sequence[bool], steps: Size) -> Expr:
    """The equation for all steps at once."""
    if OPS[e.op].elementwise:
        return m.elementwise(e.op, *(_even(m, x, s, steps) for x, s in zip(args, stacked)))
    rule = RULES.get(e.op)
    if rule is not None:
        return rule(m, e, args, stacked, steps)
    return {"matmul": _matmul, "gather": _gather}[e.op](m, e, args, stacked, steps)


def _even(m: Builder, x: Expr, stacked: bool, steps: Size) -> Expr:
    """An argument that has all steps: one that does not differ is stretched."""
    if stacked:
        return x
    shape = (Axis(steps), *x.shape)
    if isinstance(x.atom, Literal):
        return Expr(m, Literal(x.atom.value, x.type.with_shape(shape)))
    return m.broadcast_to(x, shape)


def _attributes(**changes: Callable[[object], object]) -> Rule:
    """The rule of an operator of one array whose attributes count axes."""

    def rule(
        m: Builder, e: Equation, args: list[Expr], stacked: Sequence[bool], steps: Size
    ) -> Expr:
        attrs = {k: changes[k](v) if k in changes else v for k, v in e.attrs}
        return m.emit(e.op, *args, **attrs)

    return rule


def _several(axis: str) -> Rule:
    """The rule of an operator of several arrays along an axis."""

    def rule(
        m: Builder, e: Equation, args: list[Expr], stacked: Sequence[bool], steps: Size
    ) -> Expr:
        even = [_even(m, x, s, steps) for x, s in zip(args, stacked)]
        attrs = dict(e.attrs)
        return m.emit(e.op, *even, **{**attrs, axis: attrs[axis] + 1})

    return rule


def _shaped(
    m: Builder, e: Equation, args: list[Expr], stacked: Sequence[bool], steps: Size
) -> Expr:
    """`broadcast` and `reshape`."""
    shape: Shape = (Axis(steps), *dict(e.attrs)["shape"])
    (x,) = args
    if e.op == "broadcast":
        ones = (ONE,) * (len(shape) - x.type.rank)
        if ones:
            x = m.emit("reshape", x, shape=(x.shape[0], *ones, *x.shape[1:]))
    return m.emit(e.op, x, shape=shape)


def _sliced(
    m: Builder, e: Equation, args: list[Expr], stacked: Sequence[bool], steps: Size
) -> Expr:
    attrs = dict(e.attrs)
    attrs["items"] = ((size(0), steps, 1), *attrs["items"])
    if "shape" in attrs:
        attrs["shape"] = (Axis(steps), *attrs["shape"])
    return m.emit(e.op, *args, **attrs)


def _matmul(
    m: Builder, e: Equation, args: list[Expr], stacked: Sequence[bool], steps: Size
) -> Expr:
    a, b = args
    if not stacked[0] and e.args[1].type.rank == 1:  # A @ x[t] for all t is X @ A.T
        rank = a.type.rank
        return m.matmul(b, m.emit("transpose", a, order=(*range(rank - 2), rank - 1, rank - 2)))
    if stacked[0] and stacked[1] and e.args[1].type.rank < e.args[0].type.rank:
        ones = (ONE,) * (e.args[0].type.rank - e.args[1].type.rank)
        b = m.emit("reshape", b, shape=(b.shape[0], *ones, *b.shape[1:]))
    return m.matmul(a, b)


def _gather(
    m: Builder, e: Equation, args: list[Expr], stacked: Sequence[bool], steps: Size
) -> Expr:
    return m.emit("gather", *args, axis=0)


def _next(axis: object) -> object:
    return axis + 1 if isinstance(axis, int) else axis


def _all_next(axes: object) -> object:
    return tuple(_next(a) for a in axes) if isinstance(axes, tuple) else axes


def _first_stays(order: object) -> object:
    shifted = _all_next(order)
    return (0, *shifted) if isinstance(shifted, tuple) else order


RULES: dict[str, Rule] = {
    **dict.fromkeys(("cast", "identity", "stop"), _attributes()),
    **dict.fromkeys(("broadcast", "reshape"), _shaped),
    **dict.fromkeys(("slice", "unslice"), _sliced),
    **dict.fromkeys(
        (
            "sum",
            "mean",
            "max",
            "min",
            "var",
            "std",
            "norm",
            "logsumexp",
            "any",
            "all",
            "count",
            "centred",
        ),
        _attributes(axes=_all_next),
    ),
    **dict.fromkeys(
        ("softmax", "log_softmax", "cumsum", "prod", "argmax", "argmin"), _attributes(axis=_next)
    ),
    **dict.fromkeys(("concat", "stack"), _several("axis")),
    "expand_dims": _attributes(axes=_all_next),
    "transpose": _attributes(order=_first_stays),
    "one_hot": _attributes(),
}
