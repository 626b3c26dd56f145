"""How many bytes of arrays a function takes at its peak, told from its lines as they were printed.

    h = np.tanh(x @ W + b)      two arrays at once: the sum is made in the memory of the product's
                                where NumPy can (else it is a third), and both go when h is there
    z = h.T                     none

A value with a name lives until its function returns, one inside a line until it is read. A step of a
loop gives names new values while the old ones are still there. What is handed in does not count,
results do. Which moment is the worst may depend on the dims: several formulas may be left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field

from bpc.codegen.kernel import Kernel
from bpc.codegen.trace import Line, Round
from bpc.cost.formula import Formula, largest
from bpc.cost.strides import Layouts
from bpc.ir import Atom, Equation, Literal, Var
from bpc.ops import OPS
from bpc.ops.cost import ITEM, nbytes
from bpc.plan import Given, Plan, home
from bpc.record import record
from bpc.types import Size, Type, size

#: operators that give back what they were given
SAME = ("checked_label",)
#: arithmetic that NumPy does in the memory of what it reads, where nobody else can see that
TEMPORARY = ("+", "-", "*", "/", "unary -", "unary ~", "&", "|")
#: loops this deep take one step when they are entered again: two in each would double with each
DEEP = 3
Printed = Mapping[Plan, Kernel]


@record()
class Block:
    """Memory of one value, and how many names and lines hold it."""

    amount: Size
    holders: int = 1


@record()
class Lines:
    """Goes through the lines of a kernel."""

    layouts: Layouts
    live: Formula = field(default_factory=Formula)
    moments: tuple[Formula, ...] = ()
    names: dict[str, Block | None] = field(default_factory=dict)
    #: whether there is more than at the moment noted last
    risen: bool = False
    #: the bytes of types seen, by their id
    known: dict[int, Size] = field(default_factory=dict)
    #: how many loops stand around, and which were gone through before, by their id
    depth: int = 0
    entered: set[int] = field(default_factory=set)

    def run(self, kernel: Kernel) -> None:
        """All lines, in order."""
        for item in kernel.trace:
            if isinstance(item, Round):
                self.loop(kernel, item)
            elif item.written:
                self.written(kernel, item)
            else:
                self.bind(item.target, self.compute(kernel, item.equation))

    def written(self, kernel: Kernel, line: Line) -> None:
        """A line that writes into memory that is there."""
        blocks = [self.value(kernel, a) for a in line.equation.args]
        self.note(self.scratch(line.equation, True))
        self.release(blocks)
        if line.target not in self.names:
            self.names[line.target] = None

    def loop(self, kernel: Kernel, round: Round) -> None:
        """What a loop starts with, and two steps: the second finds what the first has left."""
        loop = round.loop
        again = id(round) in self.entered and self.depth > DEEP
        self.entered.add(id(round))
        for name, out, init in zip(round.names, loop.outs, loop.inits):
            if out not in kernel.plan.places:
                self.bind(name, self.value(kernel, init))
        for name, out in list(zip(round.names, loop.outs))[loop.carries :]:
            if out not in kernel.plan.places:
                self.bind(name, self.alloc(self.bytes(out.type)))
        self.depth += 1
        for _ in range(1 if again else 2):
            self.run(round.steps)
            values = [(name, self.names.get(text)) for name, text in round.late]
            for _, block in values:
                if block is not None:
                    block.holders += 1
            for name, block in values:
                self.bind(name, block)
        self.depth -= 1

    def value(self, kernel: Kernel, atom: Atom) -> Block | None:
        """The memory of an argument, held once more; None where it is not ours, or nothing."""
        if isinstance(atom, Literal):
            return None
        if atom in kernel.inlined and atom in kernel.origin:
            return self.compute(kernel, kernel.origin[atom])
        block = self.names.get(kernel.code(atom).text)
        if block is not None:
            block.holders += 1
        return block

    def compute(self, kernel: Kernel, e: Equation) -> Block | None:
        """The memory of a result, held once."""
        blocks = [self.value(kernel, a) for a in e.args]
        shows = OPS[e.op].view and e.out not in self.layouts.copies
        if shows or e.op in SAME:
            self.release(blocks[1:])
            return blocks[0] if blocks else None
        taken = self.taken(kernel, e, blocks)
        if taken is None:
            result = self.alloc(self.bytes(e.out.type), self.scratch(e, False))
        else:
            result = blocks[taken]
            blocks[taken] = None
            if e.op != "pow" and any(isinstance(a, Literal) for a in e.args):
                self.note(
                    e.out.type.count * (size(8) - ITEM)
                )  # not of float32 and Python's numbers
        self.release(blocks)
        return result

    def taken(self, kernel: Kernel, e: Equation, blocks: list[Block | None]) -> int | None:
        """Which argument's memory the result of arithmetic takes: that of the first, if it can."""
        square = e.op == "pow" and getattr(e.args[1], "value", None) == 2
        if OPS[e.op].numpy not in TEMPORARY and not square:
            return None
        for i, (arg, block) in enumerate(zip(e.args, blocks)):
            others = [a for j, a in enumerate(e.args) if j != i]
            fits = all(
                a.type.shape in ((), arg.type.shape) or isinstance(a, Literal) for a in others
            )
            if fits and block is not None and self.temporary(kernel, arg, block, e.out.type):
                return i
            if not OPS[e.op].commutes:
                break
        return None

    def temporary(self, kernel: Kernel, arg: Atom, block: Block, type: Type) -> bool:
        """Whether an argument is an array of its own, of a type, that nobody else reads."""
        if isinstance(arg, Literal) or block.holders > 1 or arg.type != type:
            return False
        made = kernel.origin.get(arg) if arg in kernel.inlined else None
        return made is not None and (not OPS[made.op].view or arg in self.layouts.copies)

    def scratch(self, e: Equation, into: bool) -> Size:
        """What NumPy needs besides."""
        rule = OPS[e.op].scratch
        return rule(into, e.out.type, *e.args, **dict(e.attrs)) if rule else size(0)

    def alloc(self, amount: Size, more: Size | None = None) -> Block | None:
        """New memory, and what is needed until it is filled."""
        if not amount.terms:
            self.note(more)
            return None
        self.live.add(amount)
        self.risen = True
        self.note(more)
        return Block(amount)

    def note(self, more: Size | None = None) -> None:
        """A moment at which there is as much as is live, and more."""
        if more is not None and more.terms:
            self.moments = largest((*self.moments, self.live.copy().add(more)))

    def top(self) -> None:
        """Note how much is live, before it gets less."""
        if self.risen:
            self.moments = largest((*self.moments, self.live.copy()))
            self.risen = False

    def bytes(self, type: Type) -> Size:
        """The bytes of an array of a type."""
        if id(type) not in self.known:
            self.known[id(type)] = nbytes(type)
        return self.known[id(type)]

    def bind(self, name: str, block: Block | None) -> None:
        """Give a value a name, which may have had another; a place in a stack holds nothing."""
        if not name.isidentifier():
            self.release([block])
            return
        old = self.names.get(name)
        self.names[name] = block
        self.release([old])

    def release(self, blocks: Iterable[Block | None]) -> None:
        """Let values go."""
        for block in blocks:
            if block is None:
                continue
            block.holders -= 1
            if not block.holders:
                self.top()
                self.live.add(block.amount, -1)


def fresh(plan: Plan, printed: Printed) -> Lines:
    """What the lines of a plan take besides the memory that is there for them."""
    lines = Lines(Layouts(plan.function), moments=(Formula(),))
    if not plan.scalars:
        lines.run(printed[plan])
        lines.top()
    return lines


def workspace(plan: Plan) -> Formula:
    """The memory that lives on from call to call."""
    total = Formula()
    for type in (*(b.type for b in plan.buffers), *(e.out.type for e in plan.constants)):
        total.add(nbytes(type))
    return total


def given(plan: Plan, results: Iterable[Atom]) -> Iterator[Var]:
    """The results that are written into memory which is there for them."""
    return (r for r in results if isinstance(r, Var) and home(plan.places, r) == Given())
