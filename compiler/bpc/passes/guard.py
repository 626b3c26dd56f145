"""What stands in a branch of `where` is computed only where the branch is taken.

    l = log(x)                        s = select(c, x, 1.0)
    y = select(c, l, 0.0)     ->      l = log(s)
                                      y = select(c, l, 0.0)

Else the branch not taken would send 0 * inf = NaN back. Before each partial function in a branch,
its argument is exchanged for a safe value where the condition does not hold. The condition travels
back from the branch to the function: through a broadcast an entry is needed if any copy is, through
a reduction if the result is, and so on. (The "double where", as users of frameworks write by hand.)
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

from bpc.ir import Atom, Equation, Function, Literal, Var, variables
from bpc.ops import OPS, Builder, Expr
from bpc.ops.loops import Loop
from bpc.passes.safe import IDENTITY, exchanged, guarded_loop, is_guarded, partial, safe_values
from bpc.types import Shape

#: how many equations the guards may add, for each one there is
GROWTH = 10


def guard(function: Function) -> Function:
    """Guard the partial functions in both branches of every `select`."""
    if not any(e.op == "select" for e in function.body):
        return function
    return _Guard(function).run()


class _Guard:
    """One run over a function: what has been written so far, by index and by result."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.m = Builder(function.body[0].span)
        self.index: dict[Var, int] = {}
        self.noted = 0
        #: what a partial function leads to
        self.unsafe: set[Var] = set()
        self.left = GROWTH * len(function.body) + 1000

    def run(self) -> Function:
        """The guarded function."""
        for equation in self.function.body:
            if equation.op == "select":
                condition, x, y = equation.args
                x = self.branch(condition, x, True)
                y = self.branch(condition, y, False)
                equation = Equation(
                    "select", (condition, x, y), equation.outs, equation.span, equation.attrs
                )
            self.m.body.append(equation)
            self.note()
        f = self.function
        return Function(f.name, f.params, tuple(self.m.body), f.results, f.labels)

    def note(self) -> None:
        """Remember where the newest equations stand."""
        for i in range(self.noted, len(self.m.body)):
            equation = self.m.body[i]
            self.index |= dict.fromkeys(equation.outs, i)
            if partial(equation) or not self.unsafe.isdisjoint(variables(equation.args)):
                self.unsafe.update(equation.outs)
        self.noted = len(self.m.body)

    def branch(self, condition: Atom, value: Atom, taken: bool) -> Atom:
        """The value computed anew under the condition, if it has something to guard."""
        if isinstance(value, Literal) or value not in self.index:
            return value
        cone = self.cone(value, condition)
        if not cone:
            return value
        m, mark = self.m, len(self.m.body)
        m.span = m.body[self.index[value]].span
        first = Expr(m, condition)
        needed: dict[Var, Expr] = {value: first if taken else m.logical_not(first)}
        order = sorted(cone, key=self.index.__getitem__)
        for var in reversed(order):
            equation = m.body[self.index[var]]
            m.span = equation.span
            for position, arg in enumerate(equation.args):
                if isinstance(arg, Var) and arg in cone:
                    here = _travel(m, equation, position, needed[var])
                    before = needed.get(arg)
                    needed[arg] = here if before is None else m.logical_or(before, here)
        copies, fresh = self.again(order, needed)
        if not fresh:
            for equation in m.body[mark:]:
                self.index.pop(equation.out, None)
            del m.body[mark:]
            self.noted = mark
            return value
        self.left -= len(m.body) - mark
        return copies[value]

    def cone(self, value: Var, condition: Atom) -> set[Var]:
        """What leads to the value from partial functions, as far as the condition can travel."""
        reached: list[Var] = []
        seen: set[Var] = set()
        waiting = [value]
        while waiting:
            var = waiting.pop()
            if var in seen or var not in self.index or var not in self.unsafe:
                continue
            seen.add(var)
            reached.append(var)
            equation = self.m.body[self.index[var]]
            if equation.op == "select" and self.left < 0:
                continue
            if _travels(equation, bool(condition.type.shape)):
                waiting += [a for a in equation.args if isinstance(a, Var)]
        cone: set[Var] = set()
        for var in sorted(reached, key=self.index.__getitem__):
            equation = self.m.body[self.index[var]]
            if partial(equation) or any(a in cone for a in equation.args):
                cone.add(var)
        return cone

    def again(self, order: list[Var], needed: dict[Var, Expr]) -> tuple[dict[Var, Var], bool]:
        """The cone once more, with guarded arguments; and whether any guard is new."""
        m, copies, fresh = self.m, dict[Var, Var](), False
        self.note()
        for var in order:
            if var in copies:  # with another result of its loop
                continue
            equation = m.body[self.index[var]]
            m.span, m.hint = equation.span, ""
            args = [copies.get(a, a) if isinstance(a, Var) else a for a in equation.args]
            for i, safe in enumerate(safe_values(equation)):
                if safe is not None:
                    shape = args[i].type.shape
                    condition = m.broadcast_to(_travel(m, equation, i, needed[var]), shape)
                    self.note()
                    if not self.guarded(args[i], condition.atom, safe):
                        args[i] = exchanged(m, args[i], condition, safe)
                        fresh = True
            outs = tuple(Var(o.name, o.type, o.named) for o in equation.outs)
            copy = replace(equation, args=tuple(args), outs=outs)
            if equation.op == "scan" and partial(copy) and not is_guarded(Loop.of(copy)):
                copy = guarded_loop(Loop.of(copy), self.anywhere(equation, needed)).equation()
                fresh = True
            m.body.append(copy)
            copies |= zip(equation.outs, outs)
        self.note()
        return copies, fresh

    def anywhere(self, loop: Equation, needed: dict[Var, Expr]) -> Atom:
        """Whether any entry of any result of a loop is needed."""
        conditions = [_anywhere(self.m, needed[o]) for o in loop.outs if o in needed]
        return reduce(self.m.logical_or, conditions).atom

    def guarded(self, arg: Atom, condition: Atom, safe: float | str) -> bool:
        """Whether an argument is already exchanged under a condition that computes the same."""
        if isinstance(arg, Literal) or arg not in self.index:
            return False
        select = self.m.body[self.index[arg]]
        other = select.args[-1] if select.op == "select" else None
        exchanged = isinstance(other, Literal) and other.value == safe
        if safe == IDENTITY and isinstance(other, Var) and other in self.index:
            exchanged = self.m.body[self.index[other]].op in ("eye", "broadcast")
        return exchanged and self.same(select.args[0], condition)

    def same(self, a: Atom, b: Atom) -> bool:
        """Whether two conditions are the same expression of the same variables."""
        if a is b or (isinstance(a, Literal) and a == b):
            return True
        if isinstance(a, Literal) or isinstance(b, Literal):
            return False
        if a not in self.index or b not in self.index:
            return False
        x, y = self.m.body[self.index[a]], self.m.body[self.index[b]]
        return (
            (x.op, x.attrs, len(x.args)) == (y.op, y.attrs, len(y.args))
            and x.op in CONDITIONS
            and all(self.same(s, t) for s, t in zip(x.args, y.args))
        )


#: what moves conditions about, besides what moves anything
STRUCTURAL = ("any", "unslice")
#: what conditions are made of on their way
CONDITIONS = frozenset(
    (
        *("any", "logical_not", "logical_or", "broadcast", "reshape", "expand_dims"),
        *("transpose", "unslice", "cast", "scatter", "gt", "slice", "roll"),
        *("conv2d", "conv_transpose2d", "conv2d_kernel", "windows", "unwindows"),
    )
)


def _travels(equation: Equation, array: bool) -> bool:
    """Whether a condition on the result says something of the arguments."""
    op = OPS[equation.op]
    known = op.elementwise or op.aligned or op.linear or op.mixes is not None
    return known or not array or equation.op == "scan"


def _travel(m: Builder, equation: Equation, position: int, condition: Expr) -> Expr:
    """The condition under which an argument's entries are needed."""
    op, shape = OPS[equation.op], equation.args[position].type.shape
    if not condition.shape or op.elementwise or op.aligned:
        return condition
    if op.linear:
        return _adjoint(m, equation, position, condition)
    if op.mixes is not None:
        return _groups(m, equation, condition, shape)
    # a loop, or under a condition that was one number where the way began
    return _anywhere(m, condition)


def _anywhere(m: Builder, c: Expr) -> Expr:
    """Whether any entry is needed."""
    if not c.shape:
        return c
    result: Expr = m.emit("any", c, axes=tuple(range(c.type.rank)), keep=False)
    return result


def _adjoint(m: Builder, e: Equation, position: int, c: Expr) -> Expr:
    """Of what is linear: an entry is needed where the VJP sends it anything of the condition."""
    vjp = OPS[e.op].vjp
    assert vjp is not None
    args = [Expr(m, a) if i != position else m.expr(1.0, a.type) for i, a in enumerate(e.args)]
    args = [x if x.type.kind != "real" else m.expr(1.0, x.type) for x in args]
    m.active = tuple(i == position for i in range(len(args)))
    mark = len(m.body)
    hits: Expr = vjp(m, c, None, *args, **dict(e.attrs))[position]
    if all(OPS[made.op].moves or made.op in STRUCTURAL for made in m.body[mark:]):
        return hits
    del m.body[mark:]
    hits = vjp(m, m.cast(c, kind="real"), None, *args, **dict(e.attrs))[position]
    return hits > 0


def _groups(m: Builder, e: Equation, c: Expr, shape: Shape) -> Expr:
    """Entries that meet are all needed where any of their results is."""
    mixes = OPS[e.op].mixes
    assert mixes is not None
    axes = mixes(*(a.type for a in e.args), **dict(e.attrs))
    if len(axes) > len(shape):  # the vector beside a matrix
        axes = tuple(range(len(shape)))
    if c.type.rank == len(shape) - len(axes):
        return m.broadcast_to(m.expand(c, axes=axes) if axes else c, shape)
    if c.type.rank != len(shape):
        return _anywhere(m, c)
    if any(c.shape[i].size.value != 1 for i in axes):
        c = m.emit("any", c, axes=axes, keep=True)
    return m.broadcast_to(c, shape)
