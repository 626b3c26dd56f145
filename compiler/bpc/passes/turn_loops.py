"""Loops whose steps cut rows apart work on the transposes, at -O2 alone.

    for t:                                      for t:
        z = x[t] + h @ W            [N, 2*H]        z = xT[t] + W.T @ h            [2*H, N]
        a = tanh(z[:, :H])                ->        a = tanh(z[:H])
        h = a * sigmoid(z[:, H:])                   h = a * sigmoid(z[H:])
        hs[t] = h                                   hs[t] = h
    S = hs.T @ hs                               hs = turned(hs); S = hs.T @ hs

A part of all rows is many short pieces, a part of the transpose is one. All matrices of such a
loop are turned; what comes from outside, and what is read there, is copied once for all steps.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bpc.ir import Atom, Equation, Function, Literal, Var, variables
from bpc.ops import OPS, Builder, Expr
from bpc.ops.loops import Loop
from bpc.passes.axes import reordered
from bpc.types import ONE, Type

ORDERS = {2: (1, 0), 3: (0, 2, 1)}


class _Fixed(Exception):
    """A step does what cannot be turned."""


def turn_loops(function: Function) -> Function:
    """Turn the loops of a function where it is possible, and of use."""
    turned = {e: found for e in function.body if e.op == "scan" and (found := _turned(Loop.of(e)))}
    if not turned:
        return function
    around = _Around(function, turned)
    for e in function.body:
        around.equation(e)
    return replace(function, body=tuple(around.body()))


# Inside of a loop


class _Body:
    """The steps of a loop, written with transposes."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.m = Builder(loop.span)
        #: matrices of the step, and what is their transpose
        self.turned: dict[Var, Expr] = {}
        #: new constants: columns that are stretched before the loop
        self.columns: dict[tuple[Var, Type], Var] = {}
        self.params = []
        for p in loop.body.params:
            if p in loop.shared or p.type.rank != 2:
                self.params.append(p)
            else:
                self.params.append(Var(p.name, _swapped(p.type), p.named))
                self.turned[p] = Expr(self.m, self.params[-1])

    def run(self) -> None:
        """Write all equations. Raises _Fixed."""
        for e in self.loop.body.body:
            self.m.span, self.m.adjoint, self.m.hint = e.span, e.adjoint, ""
            if all(a.type.rank < 2 for a in (*e.args, *e.outs)) and e.op != "scan":
                self.m.body.append(e)
                continue
            found = self.written(e)
            if e.out.type.rank == 2:
                self.turned[e.out] = self.named(found, e.out)
            else:
                self.m.body.append(
                    Equation("identity", (found.atom,), (e.out,), e.span, (), e.adjoint)
                )

    def function(self) -> Function:
        """The body as it was written."""
        body = self.loop.body
        results = tuple(self.of(r).atom if r.type.rank == 2 else r for r in body.results)
        params = (*self.params, *self.columns.values())
        return Function(body.name, params, tuple(self.m.body), results, body.labels)

    def named(self, value: Expr, out: Var) -> Expr:
        """A value that was computed just now under the name of what it is the transpose of."""
        last = self.m.body[-1] if self.m.body else None
        if last is None or last.outs != (value.atom,) or value.atom in self.turned:
            return value
        var = Var(out.name, value.type, out.named)
        self.m.body[-1] = replace(last, outs=(var,))
        return Expr(self.m, var)

    def of(self, atom: Atom) -> Expr:
        """The transpose of a matrix of the step; any other value as it is."""
        if atom.type.rank != 2:
            return Expr(self.m, atom)
        if isinstance(atom, Literal):
            return Expr(self.m, Literal(atom.value, _swapped(atom.type)))
        if atom not in self.turned:
            return self.m.emit("transpose", Expr(self.m, atom), order=(1, 0))
        return self.turned[atom]

    def plain(self, atom: Atom) -> Expr:
        """A matrix as it was."""
        if atom.type.rank == 2 and atom in self.turned:
            return self.m.emit("transpose", self.of(atom), order=(1, 0))
        return Expr(self.m, atom)

    def written(self, e: Equation) -> Expr:
        """The transpose of what an equation gives. Raises _Fixed."""
        m, rank = self.m, e.out.type.rank
        if len(e.outs) != 1 or rank > 2 or any(a.type.rank > 2 for a in e.args):
            raise _Fixed
        if OPS[e.op].elementwise:
            return m.elementwise(e.op, *map(self.of, e.args))
        if e.op == "matmul":
            return self.product(*e.args)
        if e.op == "rows_product":
            return m.emit("matmul", self.of(e.args[1]), self.plain(e.args[0]))
        if e.op == "transpose":
            return self.plain(e.args[0])
        if e.op == "broadcast" and rank == 2:
            return self.stretched(e)
        if e.op in ("reshape", "expand_dims") and all(_thin(v) for v in (e.args[0], e.out)):
            shape = e.out.type.shape[:: -1 if rank == 2 else 1]
            return m.emit("reshape", self.of(e.args[0]), shape=shape)
        given = list(map(self.of, e.args))
        matrices = rank == 2 or all(x.type.rank == 2 for x in given)
        attrs = reordered(e, ORDERS[2]) if matrices else None
        if attrs is None:
            raise _Fixed
        return m.emit(e.op, *given, **attrs)

    def product(self, a: Atom, b: Atom) -> Expr:
        """(a @ b).T is b.T @ a.T; a vector is its own transpose."""
        return self.m.emit("matmul", self.of(b), self.of(a))

    def stretched(self, e: Equation) -> Expr:
        """A row of all rows is a column of all columns; one that is constant is stretched once."""
        (arg,), type = e.args, _swapped(e.out.type)
        if isinstance(arg, Var) and arg.type.rank == 1 and arg in self.loop.shared:
            found = self.columns.setdefault((arg, type), Var(arg.name, type))
            return Expr(self.m, found)
        x = self.of(arg)
        if x.type.rank == 1:
            x = self.m.emit("expand_dims", x, axes=(1,))
        return self.m.broadcast_to(x, type.shape)


def _turned(loop: Loop) -> _Body | None:
    """The loop with all matrices of its body turned; None where that is no use, or cannot be."""
    if not any(_cuts_rows(e) for e in loop.body.body):
        return None
    if any(v.type.rank > 2 for v in (*loop.body.params, *loop.body.results)):
        return None
    body = _Body(loop)
    try:
        body.run()
    except _Fixed:
        return None
    return body


def _cuts_rows(e: Equation) -> bool:
    """Whether an equation takes a part of all rows of a matrix, or lays parts side by side."""
    attrs = dict(e.attrs)
    if e.op == "concat":
        return e.out.type.rank == 2 and attrs["axis"] == 1
    if e.op != "slice" or e.out.type.rank != 2:
        return False
    return bool(attrs["items"][1][1] != e.args[0].type.shape[1].size)


def _thin(atom: Atom) -> bool:
    """Whether a value has the same order of entries as its transpose."""
    return atom.type.rank < 2 or ONE.size in [a.size for a in atom.type.shape]


def _swapped(type: Type) -> Type:
    """The type of the transposed matrices."""
    return type.with_shape(type.shape[i] for i in ORDERS[type.rank])


# Around the loops


class _Around:
    """The equations of a function some of whose loops are turned."""

    def __init__(self, function: Function, loops: dict[Equation, _Body]) -> None:
        self.loops = loops
        self.m = Builder(function.body[0].span)
        self.made = {o: e for e in function.body for o in e.outs}
        #: what else than turned loops reads a value
        self.read = set(variables(function.results))
        for e in function.body:
            self.read.update(variables(Loop.of(e).constants if e in loops else e.args))
        #: values whose transposes are there
        self.turned: dict[Var, Atom] = {}

    def body(self) -> Iterable[Equation]:
        """What was written."""
        return self.m.body

    def equation(self, e: Equation) -> None:
        """Write an equation, a loop as it is turned."""
        self.m.span, self.m.adjoint, self.m.hint = e.span, e.adjoint, ""
        if e not in self.loops:
            self.m.body.append(e)
            return
        loop, turned = Loop.of(e), self.loops[e]
        inits = tuple(self.given(a, 2) for a in loop.inits)
        sequences = tuple(self.given(a, 3) for a in loop.sequences)
        known = dict(zip(loop.shared, loop.constants))
        columns = [self.column(known[p], type) for p, type in turned.columns]
        outs = []
        for i, out in enumerate(loop.outs):
            whole = out.type.rank == (2 if i < loop.carries else 3)
            outs.append(Var(out.name, _swapped(out.type), out.named) if whole else out)
        changed = replace(
            loop, body=turned.function(), inits=inits, sequences=sequences,
            constants=(*loop.constants, *columns), outs=tuple(outs),
        )  # fmt: skip
        self.m.body.append(changed.equation())
        for old, new in zip(loop.outs, outs):
            if old is not new:
                self.turned[old] = new
                if old in self.read:
                    copy = Equation("turned", (new,), (old,), e.span, (), e.adjoint)
                    self.m.body.append(copy)

    def given(self, atom: Atom, rank: int) -> Atom:
        """The transpose of what a loop starts with, or goes through."""
        if atom.type.rank != rank:
            return atom
        if isinstance(atom, Literal):
            return Literal(atom.value, _swapped(atom.type))
        if atom not in self.turned:
            product = self.product(atom)
            self.m.hint = atom.name
            found = product or self.m.emit("turned", Expr(self.m, atom))
            self.turned[atom] = self.m.called(found).atom
        return self.turned[atom]

    def column(self, atom: Atom, type: Type) -> Atom:
        """A vector as a column, stretched to a matrix."""
        self.m.hint = atom.name if isinstance(atom, Var) else ""
        x = self.m.emit("expand_dims", Expr(self.m, atom), axes=(1,))
        return self.m.called(self.m.emit("copy", self.m.broadcast_to(x, type.shape))).atom

    def product(self, atom: Var) -> Expr | None:
        """X @ W for all steps, computed as the transposes are wanted, where nothing else reads it."""
        e = self.made.get(atom)
        if e is None or e.op != "matmul" or atom in self.read or atom.type.rank != 3:
            return None
        a, b = e.args
        if (a.type.rank, b.type.rank) != (3, 2):
            return None
        steps = atom.type.shape[0]
        left = self.m.broadcast_to(self.transposed(b), (steps, *b.type.shape[::-1]))
        return self.m.emit("matmul", left, self.transposed(a))

    def transposed(self, atom: Atom) -> Expr:
        """A view with the last two axes changed."""
        return self.m.emit("transpose", Expr(self.m, atom), order=ORDERS[atom.type.rank])
