"""Columns of derivatives together: a function along tangents, for a stack of tangents at once.

    hvp(w, w_dot)   ->   hvps(w, w_dots): for k: dots[k] = hvp(w, w_dots[k])

The loop carries nothing, so the passes leave of it what operators cannot do for a stack. Where one
variable alone is varied the tangents need not be given: they are rows of the identity.

    J = mean((x @ w - y)^2)   ->   for n: gradient of J, where row n of x and y is all there is
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bpc.calculus.reverse import pullback
from bpc.ir import Atom, Equation, Function, Literal, Var
from bpc.ops import Builder, Expr
from bpc.ops.build import literal
from bpc.ops.loops import Loop, close, stacked
from bpc.source import Span
from bpc.types import INT, Axis, Size, Type, dim, size


def reversed_mode(
    function: Function, wrt: Sequence[Var], place: Span
) -> tuple[Function, list[Var]]:
    """Cotangents of variables, for cotangents of the real results, which are its last parameters."""
    real = [r.type.kind == "real" for r in function.results]
    given = [Var(f"d_{x}", r.type) for x, r in zip(function.labels, function.results)]
    seeds = [v if is_real else None for v, is_real in zip(given, real)]
    pulled = pullback(function, wrt, seeds, place, "out")
    found = [v for v in seeds if v is not None]
    labels = tuple(v.name for v in wrt)
    params = (*function.params, *found)
    body = (*pulled.primal, *pulled.adjoint)
    return Function("vjp", params, body, pulled.cotangents, labels), found


def columns(
    function: Function, tangents: Sequence[Var], count: str, first: str, places: Sequence[Span]
) -> Function:
    """The function for as many tangents as the dim `count` says, results stacked in front.

    The last parameters of the function are the tangents; those of the new one are stacks of them.
    Of one tangent alone they are the rows of the identity from `first` on, and no parameters.
    """
    if not function.results or not places:  # nor anything to be varied
        return replace(function, name=f"{function.name}s", body=(), results=(), labels=())
    length = dim(count)
    m = Builder(places[0])
    given = tuple(function.params[: len(function.params) - len(tangents)])
    more = tuple(Var(t.name, stacked(t.type, length)) for t in tangents)
    stacks: tuple[Atom, ...] = more
    if len(tangents) == 1:
        stacks, more = (_units(m, tangents[0], length, dim(first)),), ()
    index = Var("k", INT)
    body, shared = close(index, (), tuple(tangents), function.body, function.results, "column")
    outs = tuple(
        Var(r.name if isinstance(r, Var) else label, stacked(r.type, length))
        for label, r in zip(function.labels, function.results)
    )
    loop = Loop(body, length, (), stacks, shared, outs, m.span)
    equations = (*m.body, loop.equation())
    return Function(f"{function.name}s", (*given, *more), equations, outs, function.labels)


def _units(m: Builder, tangent: Var, length: Size, first: Size) -> Atom:
    """Rows of the identity, each in the shape of a tangent."""
    m.hint = tangent.name
    eye = m.emit("eye", size=Axis(tangent.type.count))
    whole = (size(0), tangent.type.count, 1)
    units = m.emit("slice", eye, items=((first, length, 1), whole))
    shape = (Axis(length), *tangent.type.shape)
    return (units if units.shape == shape else m.emit("reshape", units, shape=shape)).atom


def examples(
    function: Function,
    results: Sequence[Atom],
    labels: Sequence[str],
    batch: str,
    first: str,
    every: str,
) -> Function:
    """Some results of a function for each example by itself, stacked in front.

    The examples are counted by the dim `batch`: what has it as an axis is cut into parts of one entry.
    Masks of dropout are made for all examples that there are, as many as the dim `every` says, of
    which those at hand begin at `first`: each has its own part of what a batch has.
    """
    if not results:  # nothing varies
        return replace(function, name="per_example", body=(), results=(), labels=())
    place = function.body[0].span
    masks, equations = _masks(function.body, batch)
    m = Builder(place)
    drawn = [_drawn(m, e, batch, first, every) for e in masks.values()]
    one = _One({batch: size(1)})
    sequences: list[Atom] = []
    entries: list[Var] = []
    arguments = [(p, Expr(m, p)) for p in function.params]
    for var, value in (*arguments, *zip(masks, drawn)):
        axis = next((i for i, a in enumerate(var.type.shape) if a.size == dim(batch)), None)
        if axis is None:
            continue
        order = (axis, *(i for i in range(var.type.rank) if i != axis))
        m.hint = var.name
        sequence = m.emit("transpose", value, order=order) if axis else value
        entry = Var(var.name, var.type.with_shape(sequence.shape[1:]))
        sequences.append(sequence.atom)
        entries.append(entry)
        part = one.var(var)
        shape = (("shape", part.type.shape),)
        one.body.append(Equation("reshape", (entry,), (part,), place, shape))
    one.run(equations)
    found = tuple(map(one.atom, results))
    index = Var("n", INT)
    body, shared = close(index, (), tuple(entries), tuple(one.body), found, "example")
    length = dim(batch)
    outs = tuple(Var(label, stacked(r.type, length)) for label, r in zip(labels, found))
    loop = Loop(body, length, (), tuple(sequences), shared, outs, place)
    return Function("per_example", function.params, (*m.body, loop.equation()), outs, tuple(labels))


def _drawn(m: Builder, e: Equation, batch: str, first: str, every: str) -> Expr:
    """The part of a mask that belongs to the examples at hand."""
    attrs = dict(e.attrs)
    attrs["shape"] = tuple(map(_One({batch: dim(every)}).axis, e.out.type.shape))
    m.span, m.hint = e.span, e.out.name
    mask = m.emit("mask", **attrs)
    part = (dim(first), dim(batch), 1)
    shape = e.out.type.shape
    items = [part if a.size == dim(batch) else (size(0), a.size, 1) for a in shape]
    return m.emit("slice", mask, items=tuple(items))


def _masks(body: Sequence[Equation], batch: str) -> tuple[dict[Var, Equation], list[Equation]]:
    """Masks that have an entry for each example, out of all loops, and the other equations."""
    masks: dict[Var, Equation] = {}
    rest: list[Equation] = []
    for e in body:
        if e.op == "mask" and any(batch in a.size.dims() for a in e.out.type.shape):
            masks[e.out] = e
        elif e.op == "scan":
            loop = Loop.of(e)
            found, inner = _masks(loop.body.body, batch)
            masks |= found
            rest.append(_closed(loop, inner) if found else e)
        else:
            rest.append(e)
    return masks, rest


def _closed(loop: Loop, equations: Sequence[Equation]) -> Equation:
    """The loop over other equations, which may read what stands outside."""
    body, shared = close(
        loop.index, loop.states, loop.entries, tuple(equations), loop.body.results, loop.body.name
    )
    known = dict(zip(loop.shared, loop.constants))
    return replace(loop, body=body, constants=tuple(known.get(p, p) for p in shared)).equation()


class _One:
    """Equations where there is one example."""

    def __init__(self, sizes: Mapping[str, Size]) -> None:
        self.sizes = sizes
        self.body: list[Equation] = []
        self.called: dict[Var, Var] = {}

    def axis(self, axis: Axis) -> Axis:
        """An axis: that of the examples has one entry, and no name."""
        length = axis.size.substitute(self.sizes)
        return axis if length == axis.size else Axis(length)

    def type(self, type: Type) -> Type:
        """A type."""
        shape = tuple(map(self.axis, type.shape))
        return type if shape == type.shape else type.with_shape(shape)

    def var(self, var: Var) -> Var:
        """A variable that is computed."""
        type = self.type(var.type)
        self.called[var] = var if type is var.type else Var(var.name, type, var.named)
        return self.called[var]

    def atom(self, atom: Atom) -> Atom:
        """What is read."""
        if isinstance(atom, Var):
            return self.called.get(atom, atom)
        value = atom.value
        if isinstance(value, Size):
            value = literal(value.substitute(self.sizes), atom.type.kind)
        return Literal(value, self.type(atom.type))

    def attribute(self, value: Any) -> Any:
        """A value of compile time."""
        if isinstance(value, Size):
            return value.substitute(self.sizes)
        if isinstance(value, Axis):
            return self.axis(value)
        return tuple(map(self.attribute, value)) if isinstance(value, tuple) else value

    def run(self, equations: Sequence[Equation]) -> None:
        """All equations."""
        for e in equations:
            self.body.append(self.loop(Loop.of(e)) if e.op == "scan" else self.plain(e))

    def plain(self, e: Equation) -> Equation:
        """An equation that is no loop."""
        args = tuple(map(self.atom, e.args))
        attrs = tuple((k, self.attribute(v)) for k, v in e.attrs)
        return replace(e, args=args, outs=tuple(map(self.var, e.outs)), attrs=attrs)

    def loop(self, loop: Loop) -> Equation:
        """A loop, over something else."""
        inner = _One(self.sizes)
        params = tuple(map(inner.var, loop.body.params))
        inner.run(loop.body.body)
        results = tuple(map(inner.atom, loop.body.results))
        body = Function(loop.body.name, params, tuple(inner.body), results, loop.body.labels)
        return replace(
            loop,
            body=body,
            inits=tuple(map(self.atom, loop.inits)),
            sequences=tuple(map(self.atom, loop.sequences)),
            constants=tuple(map(self.atom, loop.constants)),
            outs=tuple(map(self.var, loop.outs)),
        ).equation()
