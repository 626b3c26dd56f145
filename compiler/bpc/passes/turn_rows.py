"""Rows lie along the last axis where each of them meets each of something else, at -O2 alone.

    d = sub(broadcast(x[:, new, :]), broadcast(c))      x' = copy(transpose(x))
    q = mul(d, d)                                       d = sub(broadcast(x'[new, :, :]), broadcast(c[:, :, new]))
    s = sum(q, axes=(2,))                        ->     q = mul(d, d)
    y = sum(s, axes=(0,))                               s = sum(q, axes=(1,))
                                                        y = sum(s, axes=(1,))

NumPy goes through the last axis quickly if it is long: there are many rows, and here few columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bpc.ir import Atom, Equation, Function, Literal, Var
from bpc.ops import OPS, Builder, Expr
from bpc.passes.axes import reordered
from bpc.types import ONE, Axis, Shape, Type, dim

#: columns from which on rows had better stay as they are
MANY = 32


class _Apart(Exception):
    """An array of many axes would have to be turned back."""


def turn_rows(function: Function) -> Function:
    """Turn the arrays of a function where that pays."""
    meeting = (e.out.type.shape[0] for e in function.body if _meet(e))
    rows = next((axis for axis in meeting if _data(function, axis)), None)
    if rows is None or any(e.op == "scan" or _many(e, rows) for e in function.body):
        return function
    try:
        return _Turner(function, rows).run()
    except _Apart:
        return function


def _meet(e: Equation) -> bool:
    """Whether rows are stretched along an axis in the middle."""
    if e.op != "broadcast" or e.out.type.rank < 3 or e.args[0].type.rank != e.out.type.rank:
        return False
    source, shape = e.args[0].type.shape, e.out.type.shape
    middle = any(a == ONE != b for a, b in zip(source[1:-1], shape[1:-1]))
    few = shape[-1].size.value is None or shape[-1].size.value <= MANY
    many = source[0] == shape[0] and _free(shape[0])
    return middle and many and few and source[-1] == shape[-1] != ONE


def _free(axis: Axis) -> bool:
    """Whether an axis is as long as a free dim says."""
    names = axis.size.dims()
    return len(names) == 1 and axis.size == dim(*names)


def _data(function: Function, rows: Axis) -> bool:
    """Whether an axis is the first one of an argument, and no axis of something to be found."""
    first = any(p.type.rank > 1 and p.type.shape[0] == rows for p in function.params)
    found = () if function.name == "forward" else function.results
    return first and not any(rows in r.type.shape for r in found)


def _many(e: Equation, rows: Axis) -> bool:
    """Whether rows meet rows, or are joined with another axis."""
    (name,) = rows.size.dims()
    axes = [a for v in (*e.outs, *e.args) for a in v.type.shape if name in a.size.dims()]
    each = any(sum(a == rows for a in v.type.shape) > 1 for v in (*e.outs, *e.args))
    return each or any(a != rows for a in axes)


class _Turner:
    """Goes through the equations of a function and writes them anew."""

    def __init__(self, function: Function, rows: Axis) -> None:
        self.function, self.rows = function, rows
        self.m = Builder(function.body[0].span)
        #: what values are called as they were, and turned
        self.plain: dict[Var, Atom] = {}
        self.turned: dict[Var, Atom] = {}

    def run(self) -> Function:
        """The new function. Raises _Apart."""
        for e in self.function.body:
            self.m.span, self.m.hint, self.m.adjoint = e.span, "", e.adjoint
            if not self.turn(e):
                args = tuple(self.normal(a, inner=True) for a in e.args)
                self.m.body.append(replace(e, args=args))
        results = tuple(map(self.normal, self.function.results))
        return replace(self.function, body=tuple(self.m.body), results=results)

    # Arrays as they were, and turned

    def has(self, atom: Atom) -> bool:
        """Whether an array has rows in front, and other axes."""
        shape = atom.type.shape
        return len(shape) > 1 and shape[0] == self.rows and not self.within(shape[1:])

    def within(self, shape: Shape) -> bool:
        """Whether a shape depends on how many rows there are."""
        return any(self.rows.size.dims() & a.size.dims() for a in shape)

    def normal(self, atom: Atom, inner: bool = False) -> Atom:
        """An array as it was. Raises _Apart where this has many axes, and an equation needs it."""
        if not isinstance(atom, Var) or atom not in self.turned or atom in self.plain:
            return self.plain.get(atom, atom) if isinstance(atom, Var) else atom
        if inner and atom.type.rank > 2:
            raise _Apart
        rank = atom.type.rank
        back = self.m.emit("transpose", self.expr(atom), order=(rank - 1, *range(rank - 1)))
        self.plain[atom] = back.atom
        return back.atom

    def expr(self, atom: Atom) -> Expr:
        """An array, turned; one without rows, or with nothing else, as it is."""
        if isinstance(atom, Literal):
            return Expr(self.m, replace(atom, type=self.type(atom.type)))
        if not self.has(atom):
            return Expr(self.m, self.normal(atom))
        if atom not in self.turned:
            order = (*range(1, atom.type.rank), 0)
            moved = self.m.emit("transpose", Expr(self.m, self.normal(atom)), order=order)
            self.m.hint = atom.name
            self.turned[atom] = self.m.called(self.m.emit("copy", moved), "turned").atom
            self.m.hint = ""
        return Expr(self.m, self.turned[atom])

    def type(self, type: Type) -> Type:
        """The type of what is turned."""
        return type.with_shape((*type.shape[1:], *type.shape[:1]))

    # Equations

    def turn(self, e: Equation) -> bool:
        """Write an equation for what is turned; False where it does not know how."""
        if len(e.outs) != 1 or not any(map(self.has, (e.out, *e.args))):
            return False
        made = RULES.get(e.op, _Turner.others)(self, e)
        if made is None:
            return False
        name, args, attrs = made
        write = self.m.elementwise if OPS[e.op].elementwise else self.m.emit
        result = write(name, *args, **attrs)
        has = self.has(e.out)
        if result.type != (self.type(e.out.type) if has else e.out.type):
            self.m.body.pop()
            return False
        out = Var(e.out.name, result.type, e.out.named) if has else e.out
        if has:
            self.turned[e.out] = out
        self.m.body.append(replace(self.m.body.pop(), outs=(out,)))
        return True

    def broadcast(self, e: Equation) -> _Made | None:
        """What has no rows gets an axis for them behind."""
        source = e.args[0]
        x = self.expr(source)
        if not self.has(source) and source.type.rank:
            if self.within(source.type.shape):
                return None
            front = source.type.rank == e.out.type.rank
            shape = source.type.shape[1:] if front else source.type.shape
            x = self.m.emit("reshape", x, shape=shape) if front else x
            x = self.m.emit("expand_dims", x, axes=(len(shape),))
        return "broadcast", [x], {"shape": self.type(e.out.type).shape}

    def expand(self, e: Equation) -> _Made | None:
        """New axes come before the rows."""
        axes = dict(e.attrs)["axes"]
        if 0 in axes:
            return None
        return "expand_dims", [self.expr(e.args[0])], {"axes": tuple(i - 1 for i in axes)}

    def reshape(self, e: Equation) -> _Made | None:
        """The axes before the rows in another shape."""
        if e.args[0].type.shape[:1] != e.out.type.shape[:1] or self.within(e.out.type.shape[1:]):
            return None
        return "reshape", [self.expr(e.args[0])], {"shape": self.type(e.out.type).shape}

    def transpose(self, e: Equation) -> _Made | None:
        """What is turned already."""
        known = dict(e.attrs)["order"] == (1, 0) and e.args[0] in self.turned
        return ("identity", [self.expr(e.args[0])], {}) if known else None

    def others(self, e: Equation) -> _Made | None:
        """Entry by entry, or along axes: of the rows, sums alone."""
        attrs, rank = dict(e.attrs), max((a.type.rank for a in e.args), default=1)
        if 0 in attrs.get("axes", ()) and (e.op != "sum" or attrs["keep"]):
            return None
        found = reordered(e, (*range(1, rank), 0))
        return (e.op, [self.expr(a) for a in e.args], found) if found is not None else None

    def einsum(self, e: Equation) -> _Made | None:
        """The letter of the rows comes last."""
        operands, result = dict(e.attrs)["operands"], dict(e.attrs)["result"]
        letters = {o[0] for o, a in zip(operands, e.args) if self.has(a)}
        if len(letters) != 1:
            return None
        (letter,) = letters
        having = [self.has(a) for a in e.args]
        if any(o.count(letter) != h for o, h in zip(operands, having)):
            return None
        if letter in result and not self.has(e.out):
            return None
        words = tuple(o[1:] + o[0] if h else o for o, h in zip(operands, having))
        moved = result.replace(letter, "") + letter if letter in result else result
        return "einsum", [self.expr(a) for a in e.args], {"operands": words, "result": moved}

    def matmul(self, e: Equation) -> _Made | None:
        """Columns times a matrix from the left."""
        a, b = e.args
        if a.type.rank == 2 and self.has(a) and b.type.rank < 3 and not self.within(b.type.shape):
            matrix = Expr(self.m, self.normal(b))
            if b.type.rank == 2:
                matrix = self.m.emit("transpose", matrix, order=(1, 0))
            return "matmul", [matrix, self.expr(a)], {}
        if a.type.rank == 1 and b.type.rank == 2 and self.has(b):
            return "matmul", [self.expr(b), Expr(self.m, self.normal(a))], {}
        return None


_Made = tuple[str, list[Expr], dict[str, object]]
RULES: dict[str, Callable[[_Turner, Equation], _Made | None]] = {
    "broadcast": _Turner.broadcast,
    "expand_dims": _Turner.expand,
    "reshape": _Turner.reshape,
    "transpose": _Turner.transpose,
    "einsum": _Turner.einsum,
    "matmul": _Turner.matmul,
}
