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

from collections.abc import Callable

from bpc.ir import Atom, Equation, Function, Literal, Var
from bpc.ops import OPS, Builder, Expr
from bpc.ops.cutting import part, take_one
from bpc.types import Shape, size

#: how many equations the guards may add, for each one there is
GROWTH = 10


def guard(function: Function) -> Function:
    """Guard the partial functions in both branches of every `select`."""
    if not any(e.op == "select" for e in function.body):
        return function
    return _Guard(function).run()


def _safe(equation: Equation) -> tuple[float | None, ...]:
    """Safe values of the arguments that need one."""
    op = OPS[equation.op]
    values = op.safe
    if equation.op == "pow" and isinstance(equation.args[1], Literal):
        exponent = equation.args[1].value
        if exponent in (1.0, 2.0):
            return ()
    kept = [v if isinstance(a, Var) else None for a, v in zip(equation.args, values)]
    return tuple(kept) if any(v is not None for v in kept) else ()


class _Guard:
    """One run over a function: what has been written so far, by index and by result."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.m = Builder(function.body[0].span)
        self.index: dict[Var, int] = {}
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
        for i in range(len(self.index), len(self.m.body)):
            self.index[self.m.body[i].out] = i

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
            if var in seen or var not in self.index:
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
            if _safe(equation) or any(a in cone for a in equation.args):
                cone.add(var)
        return cone

    def again(self, order: list[Var], needed: dict[Var, Expr]) -> tuple[dict[Var, Var], bool]:
        """The cone once more, with guarded arguments; and whether any guard is new."""
        m, copies, fresh = self.m, dict[Var, Var](), False
        self.note()
        for var in order:
            equation = m.body[self.index[var]]
            m.span, m.hint = equation.span, ""
            args = [copies.get(a, a) if isinstance(a, Var) else a for a in equation.args]
            for i, safe in enumerate(_safe(equation)):
                if safe is not None:
                    condition = m.broadcast_to(needed[var], args[i].type.shape)
                    self.note()
                    if not self.guarded(args[i], condition.atom, safe):
                        args[i] = m.select(condition, Expr(m, args[i]), safe).atom
                        fresh = True
            out = Var(var.name, var.type, var.named)
            m.body.append(Equation(equation.op, tuple(args), (out,), equation.span, equation.attrs))
            copies[var] = out
        self.note()
        return copies, fresh

    def guarded(self, arg: Atom, condition: Atom, safe: float) -> bool:
        """Whether an argument is already exchanged under a condition that computes the same."""
        if isinstance(arg, Literal) or arg not in self.index:
            return False
        select = self.m.body[self.index[arg]]
        other = select.args[-1]
        exchanged = isinstance(other, Literal) and other.value == safe
        return select.op == "select" and exchanged and self.same(select.args[0], condition)

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
    return OPS[equation.op].elementwise or not array or equation.op in _TRAVEL


def _travel(m: Builder, equation: Equation, position: int, condition: Expr) -> Expr:
    """The condition under which an argument's entries are needed."""
    shape: Shape = equation.args[position].type.shape
    if not condition.shape or OPS[equation.op].elementwise:
        return condition
    travel = _TRAVEL.get(equation.op)
    if travel is None:  # under a condition that was one number where the way began
        return _anywhere(m, condition)
    if equation.op in _SEVERAL:
        return travel(m, equation, condition, shape, position)
    return travel(m, equation, condition, shape)


def _anywhere(m: Builder, c: Expr) -> Expr:
    """Whether any entry is needed."""
    return m.emit("any", c, axes=tuple(range(c.type.rank)), keep=False)


def _broadcast(m: Builder, e: Equation, c: Expr, shape: Shape) -> Expr:
    lead = c.type.rank - len(shape)
    axes = tuple(
        i for i in range(c.type.rank) if i < lead or shape[i - lead].size != c.shape[i].size
    )
    result: Expr = m.emit("any", c, axes=axes, keep=False)
    return result if result.shape == shape else m.emit("reshape", result, shape=shape)


def _reshape(m: Builder, e: Equation, c: Expr, shape: Shape) -> Expr:
    return m.emit("reshape", c, shape=shape)


def _transpose(m: Builder, e: Equation, c: Expr, shape: Shape) -> Expr:
    order = dict(e.attrs)["order"]
    inverse = tuple(sorted(range(len(order)), key=lambda i: order[i]))
    return m.emit("transpose", c, order=inverse)


def _slice(m: Builder, e: Equation, c: Expr, shape: Shape) -> Expr:
    return m.emit("unslice", c, shape=shape, items=dict(e.attrs)["items"])


def _gather(m: Builder, e: Equation, c: Expr, shape: Shape) -> Expr:
    hits = m.cast(c, kind="real")
    ids = [m.expr(0) if isinstance(a, Literal) else Expr(m, a) for a in e.args[1:]]
    count = m.emit("scatter", hits, *ids, shape=shape, axis=dict(e.attrs)["axis"])
    return count > 0


def _reduce(m: Builder, e: Equation, c: Expr, shape: Shape) -> Expr:
    attrs = dict(e.attrs)
    axes = attrs["axes"] if "axes" in attrs else (attrs["axis"],)
    if not attrs.get("keep", False) and axes:
        c = m.expand(c, axes=axes)
    return m.broadcast_to(c, shape)


def _along(m: Builder, e: Equation, c: Expr, shape: Shape) -> Expr:
    """All entries of a row are needed where one of its results is."""
    rows: Expr = m.emit("any", c, axes=(dict(e.attrs)["axis"],), keep=True)
    return m.broadcast_to(rows, shape)


def _concat(m: Builder, e: Equation, c: Expr, shape: Shape, position: int) -> Expr:
    axis = dict(e.attrs)["axis"]
    start = sum((a.type.shape[axis].size for a in e.args[:position]), size(0))
    return part(m, c, axis, start, shape[axis].size)


def _stack(m: Builder, e: Equation, c: Expr, shape: Shape, position: int) -> Expr:
    return take_one(m, c, dict(e.attrs)["axis"], size(position))


def _pad(m: Builder, e: Equation, c: Expr, shape: Shape) -> Expr:
    widths = dict(e.attrs)["widths"]
    items = tuple((size(before), a.size, 1) for (before, _), a in zip(widths, shape))
    return m.emit("slice", c, items=items)


def _roll(m: Builder, e: Equation, c: Expr, shape: Shape) -> Expr:
    attrs = dict(e.attrs)
    return m.emit("roll", c, n=-attrs["n"], axis=attrs["axis"])


def _matmul(m: Builder, e: Equation, c: Expr, shape: Shape, position: int) -> Expr:
    """A row of the left is needed where its row of the result is, a column of the right likewise."""
    other, last = e.args[1 - position].type.rank, c.type.rank - 1
    if len(shape) == 1:
        return m.broadcast_to(_anywhere(m, c), shape)
    if other == 1:
        return m.broadcast_to(m.expand(c, axes=(last + 1,)) if position == 0 else c, shape)
    if position == 1 and len(shape) == 2:
        return m.broadcast_to(m.emit("any", c, axes=tuple(range(last)), keep=False), shape)
    axis = last if position == 0 else last - 1
    return m.broadcast_to(m.emit("any", c, axes=(axis,), keep=True), shape)


def _einsum(m: Builder, e: Equation, c: Expr, shape: Shape, position: int) -> Expr:
    """Entries are needed where a result with the same letters is."""
    attrs = dict(e.attrs)
    letters, result = attrs["operands"][position], attrs["result"]
    if len(set(letters)) < len(letters):
        return m.broadcast_to(_anywhere(m, c), shape)
    gone = tuple(i for i, letter in enumerate(result) if letter not in letters)
    rest = [letter for letter in result if letter in letters]
    c = m.emit("any", c, axes=gone, keep=False) if gone else c
    c = m.emit("transpose", c, order=tuple(rest.index(x) for x in letters if x in rest))
    new = tuple(i for i, letter in enumerate(letters) if letter not in rest)
    return m.broadcast_to(m.expand(c, axes=new) if new else c, shape)


def _per_row(m: Builder, e: Equation, c: Expr, shape: Shape) -> Expr:
    """Losses of rows of scores."""
    return (
        m.broadcast_to(m.expand(c, axes=(c.type.rank,)), shape) if len(shape) > c.type.rank else c
    )


def _adjoint(m: Builder, e: Equation, c: Expr, shape: Shape, position: int) -> Expr:
    """Of what is linear: entries are needed where the adjoint of all ones sends anything."""
    vjp = OPS[e.op].vjp
    assert vjp is not None
    ones = [m.expr(1.0, a.type) for a in e.args]
    m.active = tuple(i == position for i in range(len(ones)))
    hits: Expr = vjp(m, m.cast(c, kind="real"), None, *ones, **dict(e.attrs))[position]
    return hits > 0


def _normalised(m: Builder, e: Equation, c: Expr, shape: Shape, position: int) -> Expr:
    """All entries that one is compared with are needed."""
    rows = m.emit("any", c, axes=dict(e.attrs)["axes"], keep=True)
    if position == 1:
        return m.emit("reshape", rows, shape=shape)
    return m.broadcast_to(rows, shape)


_LINEAR = ("conv2d", "conv_transpose2d", "conv2d_kernel", "windows", "unwindows")
_NORMALISED = ("centred", "normalise")
#: what may have several array arguments
_SEVERAL = ("concat", "stack", "matmul", "einsum", *_LINEAR, *_NORMALISED)
_TRAVEL: dict[str, Callable[..., Expr]] = {
    "concat": _concat,
    "stack": _stack,
    "pad": _pad,
    "roll": _roll,
    "matmul": _matmul,
    "einsum": _einsum,
    "tril": lambda m, e, c, shape: c,
    "triu": lambda m, e, c, shape: c,
    "past": lambda m, e, c, shape: c,
    **dict.fromkeys(_LINEAR, _adjoint),
    **dict.fromkeys(_NORMALISED, _normalised),
    "root_mean_square": lambda m, e, c, shape: m.broadcast_to(c, shape),
    **dict.fromkeys(("cross_entropy", "nll"), _per_row),
    "broadcast": _broadcast,
    "reshape": _reshape,
    "expand_dims": _reshape,
    "transpose": _transpose,
    "slice": _slice,
    "gather": _gather,
    "cast": lambda m, e, c, shape: c,
    "identity": lambda m, e, c, shape: c,
    "stop": lambda m, e, c, shape: c,
    **dict.fromkeys(
        ("sum", "mean", "max", "min", "var", "std", "norm", "logsumexp", "prod"), _reduce
    ),
    **dict.fromkeys(("softmax", "log_softmax", "cumsum"), _along),
}
