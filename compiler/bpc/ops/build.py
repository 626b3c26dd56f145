"""The language that operators' rules are written in: `m` builds equations, `Expr` is a value.

    lambda m, g, y, x: (g * (1 - y * y),)

A rule says `m.exp(x)`, `a * b`; the builder infers types, makes literals fit, casts kinds and writes
the broadcasts. It simplifies nothing: that is the passes' business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bpc.diagnostics import Problem
from bpc.ir import Atom, Equation, Literal, Var
from bpc.ops.base import OPS, Op
from bpc.source import Span
from bpc.types import KINDS, Axis, Mismatch, Shape, Size, Type, broadcast_shapes, show

Number = float | int | bool | Size
Value = Any  # an Expr or a Number


class Expr:
    """A value while it is being built on: an atom and the builder that it came from."""

    __slots__ = ("atom", "m")

    def __init__(self, m: Builder, atom: Atom) -> None:
        self.m, self.atom = m, atom

    @property
    def type(self) -> Type:
        """Its type."""
        return self.atom.type

    @property
    def shape(self) -> Shape:
        """Its shape."""
        return self.atom.type.shape

    @property
    def number(self) -> Number | None:
        """The number that it is, where it is a literal."""
        return self.atom.value if isinstance(self.atom, Literal) else None

    def __add__(self, other: Value) -> Expr:
        return self.m.elementwise("add", self, other)

    def __radd__(self, other: Value) -> Expr:
        return self.m.elementwise("add", other, self)

    def __sub__(self, other: Value) -> Expr:
        return self.m.elementwise("sub", self, other)

    def __rsub__(self, other: Value) -> Expr:
        return self.m.elementwise("sub", other, self)

    def __mul__(self, other: Value) -> Expr:
        return self.m.elementwise("mul", self, other)

    def __rmul__(self, other: Value) -> Expr:
        return self.m.elementwise("mul", other, self)

    def __truediv__(self, other: Value) -> Expr:
        return self.m.elementwise("div", self, other)

    def __rtruediv__(self, other: Value) -> Expr:
        return self.m.elementwise("div", other, self)

    def __pow__(self, other: Value) -> Expr:
        return self.m.elementwise("pow", self, other)

    def __neg__(self) -> Expr:
        return self.m.elementwise("neg", self)

    def __lt__(self, other: Value) -> Expr:
        return self.m.elementwise("lt", self, other)

    def __le__(self, other: Value) -> Expr:
        return self.m.elementwise("le", self, other)

    def __gt__(self, other: Value) -> Expr:
        return self.m.elementwise("gt", self, other)

    def __ge__(self, other: Value) -> Expr:
        return self.m.elementwise("ge", self, other)

    def eq(self, other: Value) -> Expr:
        """Entrywise `==`."""
        return self.m.elementwise("eq", self, other)


class Builder:
    """Collects equations; `span` with its `calls`, `hint` and `adjoint` go on each that it writes."""

    def __init__(self, span: Span, hint: str = "", adjoint: bool = False) -> None:
        self.body: list[Equation] = []
        self.span, self.hint, self.adjoint = span, hint, adjoint
        #: the calls that lead to the span
        self.calls: tuple[Span, ...] = ()
        #: for the VJP at hand: which arguments have a gradient
        self.active: tuple[bool, ...] = ()
        #: how many masks of dropout there are
        self.masks = 0

    def __getattr__(self, name: str) -> Callable[..., Expr]:
        """`m.softmax(x, axis=-1)`: the language's function, or the IR's operator."""
        op = OPS.get(name)
        if op is None:
            raise AttributeError(name)
        if op.call is not None:
            call = op.call
            return lambda *args, **attrs: call(self, *args, **attrs)
        if op.elementwise:
            return lambda *args: self.elementwise(name, *args)
        return lambda *args, **attrs: self.emit(name, *args, **attrs)

    def expr(self, value: Value, type: Type | None = None) -> Expr:
        """A value as an Expr: numbers become literals (of the given type)."""
        if isinstance(value, Expr):
            return value
        return Expr(self, Literal(value, type or Type(kind_of(value))))

    def emit(self, name: str, *values: Value, **attrs: Any) -> Expr:
        """One equation; its result. Raises Problem where types do not fit."""
        args = tuple(self.expr(v).atom for v in values)
        infer = OPS[name].infer
        assert infer is not None, name
        (type,) = infer(*(a.type for a in args), **attrs)
        hint = f"{self.hint}_{name}" if self.hint else name
        out = Var(hint, type)
        span = self.span.inside(self.calls)
        self.body.append(Equation(name, args, (out,), span, tuple(attrs.items()), self.adjoint))
        return Expr(self, out)

    def called(self, value: Expr, name: str = "") -> Expr:
        """A value that was computed just now under a name that tells what it is, after the hint."""
        last = self.body[-1] if self.body else None
        if last is None or last.outs != (value.atom,):
            return value
        out = Var("_".join(part for part in (self.hint, name) if part), value.type)
        self.body[-1] = replace(last, outs=(out,))
        return Expr(self, out)

    def elementwise(self, name: str, *values: Value) -> Expr:
        """An elementwise equation over arguments that broadcast; casts kinds."""
        op = OPS[name]
        assert op.kinds is not None
        types = [v.atom.type for v in values if isinstance(v, Expr)]
        first = types[0] if types else None
        if first is None or any(t is not first and t != first or not plain(t) for t in types):
            first = Type("real", _common(tuple([t.shape for t in types])))
        kind, result = _kinds(op, values)
        full, shape = first.with_kind(kind), first.shape
        args = []
        for i, v in enumerate(values):
            fitted = full if name != "select" or i else Type("bool", shape)
            args.append(self.fit(v, fitted))
        hint = f"{self.hint}_{name}" if self.hint else name
        out = Var(hint, full.with_kind(result))
        span = self.span.inside(self.calls)
        self.body.append(Equation(name, tuple(args), (out,), span, (), self.adjoint))
        return Expr(self, out)

    def fit(self, value: Value, type: Type) -> Atom:
        """The atom of this type: cast and broadcast as needed."""
        if not isinstance(value, Expr):
            return Literal(literal(value, type.kind), type)
        atom = value.atom
        if atom.type is type:
            return atom
        if isinstance(atom, Literal):
            return Literal(literal(atom.value, type.kind), type)
        if atom.type.kind != type.kind:
            value = self.emit("cast", value, kind=type.kind)
        if value.shape != type.shape:
            value = self.emit("broadcast", value, shape=type.shape)
        fitted: Atom = value.atom
        return fitted

    def fill(self, number: Number, like: Expr) -> Expr:
        """A literal of another value's type."""
        return Expr(self, Literal(literal(number, like.type.kind), like.type))

    def real(self, value: Value) -> Expr:
        """The value as a real one."""
        expr = self.expr(value)
        if expr.type.kind == "real":
            return expr
        return Expr(self, self.fit(expr, expr.type.with_kind("real")))

    def broadcast_to(self, value: Value, shape: Shape) -> Expr:
        """A value stretched to a shape, its kind kept."""
        expr = self.expr(value)
        return Expr(self, self.fit(expr, Type(expr.type.kind, shape)))


def plain(type: Type) -> bool:
    """Whether equal shapes need no second look: none can stretch, none could give a label."""
    for axis in type.shape:
        if axis.stretch or axis.label is None:
            return False
    return True


def kind_of(value: Number) -> str:
    """The kind of a number of the language: a size is an int."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, Size):
        return "int" if value.whole else "real"
    return "int" if isinstance(value, int) else "real"


def literal(value: Number, kind: str) -> Number:
    """The number as one of this kind."""
    if isinstance(value, Size):
        known = value.constant
        if known is None:
            return value
        value = int(known) if known.denominator == 1 else float(known)
    if kind == "real":
        return float(value)
    return value if kind == "bool" or not isinstance(value, bool) else int(value)


def _common(shapes: tuple[Shape, ...]) -> Shape:
    try:
        return broadcast_shapes(shapes)
    except Mismatch as mismatch:
        full = tuple(s for s in mismatch.shapes if s)
        shapes_text = " and ".join(dict.fromkeys(show(s) for s in full))
        if mismatch.both:
            raise Problem(
                "BP202",
                help="make the axis that shall stretch with `new`, as in `x[:, new] - y[new, :]`",
                shapes=shapes_text,
            ) from None
        raise Problem("BP201", help=_why(full), shapes=shapes_text) from None


def _why(shapes: tuple[Shape, ...]) -> str:
    """Which aligned axes differ."""
    rank = max(map(len, shapes))
    for position in range(-1, -rank - 1, -1):
        axes: list[Axis] = []
        for shape in shapes:
            real = len(shape) >= -position and shape[position].size.value != 1
            if real and all(shape[position] != a for a in axes):
                axes.append(shape[position])
        if len(axes) > 1:
            return f"axis {position} is {axes[0]} in one and {axes[1]} in the other"
    return "shapes align at their last axes"


def _kinds(op: Op, values: tuple[Value, ...]) -> tuple[str, str]:
    """The kind to cast the arguments to, and the result's kind."""
    assert op.kinds is not None
    wanted, result = op.kinds
    if wanted in KINDS:
        return wanted, result if result in KINDS else wanted
    relevant = values[1:] if op.name == "select" else values
    widest = 0
    for value in relevant:
        kind = value.atom.type.kind if isinstance(value, Expr) else kind_of(value)
        widest = max(widest, KINDS.index(kind))
        if widest == 2:
            break
    if wanted == "number" and widest == 0:
        widest = 2  # a bool counts as 0 or 1 where a real is due
    kind = KINDS[widest]
    return kind, kind if result == "same" else result
