"""Equations for the rows at hand, in place of all rows.

    h: [N, 64] = reshape(x, shape=[N, 64])      ->    h: [rows, 64] = reshape(x, shape=[rows, 64])
    m: real = mean(h: [N, 64])                  ->    s: real = sum(h); m: real = div(s, 64*N)

Types, and attributes that are shapes, have the rows at hand; the number of all rows stays what it is
where it is computed with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, replace
from typing import Any

from bpc.ir import Atom, Equation, Function, Literal, Var
from bpc.ops.build import literal
from bpc.ops.loops import Loop
from bpc.record import record
from bpc.schedule.rows import TOTAL, Found, inner
from bpc.types import Axis, Size, Type, product


@record()
class Cut:
    """Writes the equations of a function whose rows are known, for a tile of it."""

    found: Found
    #: what values are called in the tile, where that is something else
    called: dict[Var, Var] = field(default_factory=dict)
    #: results of loops that start from something other than 0, and what the tile adds to that
    parts: dict[Var, Var] = field(default_factory=dict)

    def type(self, type: Type) -> Type:
        """The type with the rows at hand."""
        if not self.found.rows.within(type.shape):
            return type
        return type.with_shape(self.found.rows.cut(a) for a in type.shape)

    def atom(self, atom: Atom) -> Atom:
        """A value for the rows at hand."""
        if isinstance(atom, Literal):
            return replace(atom, type=self.type(atom.type))
        return self.called.get(atom, atom)

    def var(self, var: Var) -> Var:
        """A variable that holds the rows at hand."""
        if self.found.rows.within(var.type.shape):
            self.called[var] = Var(var.name, self.type(var.type), var.named)
        return self.called.get(var, var)

    def equations(self, body: Sequence[Equation]) -> list[Equation]:
        """Equations for the rows at hand."""
        return [cut for e in body for cut in self.equation(e)]

    def equation(self, e: Equation) -> list[Equation]:
        """One equation; a mean over the rows is a sum, divided by how many there are in all."""
        if e.op == "scan":
            return [self.loop(e)]
        args = tuple(map(self.atom, e.args))
        attrs = tuple((k, self.attribute(v)) for k, v in e.attrs)
        out = self.var(e.out)
        if e.op != "mean" or self.found.of(e.out) != TOTAL or self.found.of(e.args[0]) == TOTAL:
            return [replace(e, args=args, outs=(out,), attrs=attrs)]
        axes = dict(e.attrs)["axes"]
        count = literal(product(e.args[0].type.shape[i].size for i in axes), "real")
        total = Var(f"{out.name}_sum", out.type)
        return [
            replace(e, op="sum", args=args, outs=(total,), attrs=attrs),
            replace(e, op="div", args=(total, Literal(count, out.type)), outs=(out,), attrs=()),
        ]

    def attribute(self, value: Any) -> Any:
        """An attribute: of shapes, and of slices, all of the rows are those at hand."""
        rows = self.found.rows
        if isinstance(value, Axis):
            return rows.cut(value)
        if isinstance(value, tuple) and value and all(isinstance(v, Axis) for v in value):
            return tuple(map(rows.cut, value))
        if isinstance(value, tuple):
            return tuple(self.item(v) if isinstance(v, tuple) else v for v in value)
        return value

    def item(self, item: tuple[Any, ...]) -> tuple[Any, ...]:
        """A slice of one axis, (start, count, step): of a shape, too, the count is one of entries."""
        if len(item) == 3 and isinstance(item[1], Size):
            return item[0], self.found.rows.count(item[1]), item[2]
        return item

    def loop(self, e: Equation) -> Equation:
        """A loop over something else than the rows; its totals start from 0."""
        loop = Loop.of(e)
        within = self.found.inner
        given = [self.found.of(a) for a in loop.args]
        totals = {p for p, s in zip(loop.body.params[1:], given) if s is not None and s < 0}
        inside = Cut(inner(loop, self.found.rows, totals if within else ()))
        params = tuple(map(inside.var, loop.body.params))
        body = tuple(inside.equations(loop.body.body))
        results = tuple(map(inside.atom, loop.body.results))
        inits, outs = list(map(self.atom, loop.inits)), []
        for i, out in enumerate(loop.outs):
            if out in self.parts:
                inits[i] = Literal(literal(0, out.type.kind), out.type)
                outs.append(self.parts[out])
            elif self.found.of(out) is None and not within:
                outs.append(Var(out.name, self.type(out.type)))  # known before; the steps need it
            else:
                outs.append(self.var(out))
        changed = Function(loop.body.name, params, body, results, loop.body.labels)
        sequences, constants = (tuple(map(self.atom, x)) for x in (loop.sequences, loop.constants))
        return replace(
            loop,
            body=changed,
            inits=tuple(inits),
            sequences=sequences,
            constants=constants,
            outs=tuple(outs),
        ).equation()
