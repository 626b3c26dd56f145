"""A function of the IR as the lines of a Python function of explicit arrays.

A variable without a name of its own that is read once is written where it is read, as long as the
line stays short and the expression shallow; the others get a line each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bpc.codegen import expression as e
from bpc.codegen import layout
from bpc.codegen.expression import Code
from bpc.codegen.names import Names
from bpc.codegen.spelling import Speller, Term
from bpc.codegen.trace import Line, Round
from bpc.ir import Atom, Equation, Function, Literal, Var, uses
from bpc.ops import OPS
from bpc.ops.loops import Loop
from bpc.plan import Buffer, Place, Plan, Slice, Step
from bpc.source import Span

DEEPEST = 20
WIDEST = 64
#: calls that write into memory and give nothing back
NO_RESULT = ("np.copyto", ".fill")
MOST = layout.WIDTH // 3  # arguments that can fit in a line
SECTIONS = ("# forward, left to right", "# backward, right to left")
Comment = Callable[[Span], str]


class Kernel:
    """Prints one function, or the body of a loop in it."""

    def __init__(
        self, plan: Plan, function: Function, speller: Speller, names: Names,
        arguments: Mapping[Var, str], buffers: Mapping[Buffer, str], indent: int = 4,
        called: dict[Var, str] | None = None,
    ) -> None:  # fmt: skip
        self.buffers = buffers
        self.plan, self.function, self.speller = plan, function, speller
        self.names, self.indent = names, indent
        #: what values are called in any loop of the function: a reversed loop says the same again
        self.called: dict[Var, str] = {} if called is None else called
        self.known: dict[Var, str] = dict(arguments)
        self.inlined: dict[Var, Code] = {}
        self.origin: dict[Var, Equation] = {}
        self.uses = uses(function)
        self.last: dict[Var, Equation] = {}
        #: arrays that were made of one number, and belong to nobody else yet
        self.filled: set[Atom] = set()
        #: carries, whose names get new values
        self.states: set[Var] = set()
        #: new values of carries whose arrays are the loop's own, with the old values
        self.totals: dict[Var, Var] = {}
        #: entries that are read more than once, each with its text
        self.entries: dict[Var, Code] = {}
        #: where results of a loop's body go: `hs[t]`
        self.stores: dict[Var, list[str]] = {}
        #: values that a name passes through on the way to the one it is given for
        self.leaders: dict[Var, Var] = {}
        for equation in reversed(function.body):
            place = plan.places.get(equation.outs[0])
            if isinstance(place, Var) and not place.named:
                self.leaders[place] = self.leaders.get(equation.out, equation.out)
        #: what those are called where they have no name: after the first of them
        self.firsts: dict[Var, str] = {}
        for var, leader in self.leaders.items():
            if not leader.named:
                self.firsts[leader] = var.name
        self.lines: list[str] = []
        #: what the lines do
        self.trace: list[Line | Round] = []
        self.section = -1
        #: of the body of a loop: the name of the step, and those of its stacks
        self.index = ""
        self.stacks: dict[Var, str] = {}
        #: what is joined of parts that are written where they belong
        places = [plan.places.get(o) for e in function.body for o in e.outs]
        self.joined = {place.whole for place in places if isinstance(place, Slice)}
        #: those of them that have a name for their memory by now
        self.opened: set[Var] = set()
        #: what loops read: it has a line of its own before them
        self.looped = {a for e in function.body if e.op == "scan" for a in e.args}
        for equation in function.body:
            for arg in equation.args:
                if isinstance(arg, Var):
                    self.last[arg] = equation
            for out in equation.outs:
                if out.named and out not in self.known:
                    self.claim(out)

    def body(self, comment: Comment) -> list[str]:
        """The lines between the signature and the return."""
        results = set(self.function.results)
        for equation in self.function.body:
            if equation.op == "scan":
                self.open_entries(equation)
                self.loop(Loop.of(equation), comment)
                continue
            if self.entries:
                self.open_entries(equation)
            if equation.out in self.plan.places:
                self.write(equation, comment)
                continue
            self.origin[equation.out] = equation
            code = self.render(equation)
            out = equation.out
            if equation.op == "full" and self.uses.get(out, 0) == 1:
                self.filled.add(out)
            if out not in results and (self.fits_inside(out, code) or self.turned(equation)):
                self.inlined[out] = code
            else:
                self.assign(equation, code, comment)
        return self.lines

    def results(self) -> list[str]:
        """The names (or numbers) that the function returns."""
        return [self.code(r).text for r in self.function.results]

    def fits_inside(self, out: Var, code: Code) -> bool:
        """Whether a value may be written where it is read."""
        if out.named or self.uses.get(out, 0) != 1 or code.depth >= DEEPEST - 4:
            return False
        if self.plan.ordered and not self.still(out):
            return False
        reader = self.last[out]
        if reader.op == "scan":
            return out in Loop.of(reader).inits
        if len(code.text) <= WIDEST:
            return True
        return len(code.terms) > 1 and reader.op in ("add", "sub") and reader.args[0] is out

    def still(self, out: Var) -> bool:
        """Whether a value is the same wherever it is written: a view, or a number of numbers."""
        equation = self.origin[out]
        numbers = not any(a.type.shape for a in (out, *equation.args))
        return OPS[equation.op].view or numbers

    def turned(self, equation: Equation) -> bool:
        """Whether it is no more than `W.T` of something that keeps its value."""
        if equation.op != "transpose" or equation.out.named or equation.out in self.looped:
            return False
        arg, order = equation.args[0], dict(equation.attrs)["order"]
        return arg in self.known and arg not in self.states and order == (1, 0)

    def assign(self, equation: Equation, code: Code, comment: Comment) -> None:
        """Write a line; where it is too long, arguments get lines of their own first."""
        out = equation.out
        target, note = self.target(out), comment(equation.span)
        if len(equation.args) > MOST:
            self.shorten_all(equation, comment)
            code = self.render(equation)
        while not layout.fits(self.indent, target, code, note) and len(code.terms) < 3:
            if not self.shorten(equation, comment):
                break
            code = self.render(equation)
        self.open_section(equation.adjoint)
        added = self.added(equation)
        if added is not None:
            self.lines += layout.statement(self.indent, target, added, note, "+=")
        else:
            self.lines += layout.statement(self.indent, target, code, note)
        self.trace.append(Line(equation, target, added is not None))
        self.store(out)

    def write(self, equation: Equation, comment: Comment) -> None:
        """A line that writes into memory: `h = np.tanh(z, N_by_16)`, `z += b`, `np.tanh(h, h)`."""
        out, place = equation.out, self.plan.places[equation.out]
        op, note = OPS[equation.op], comment(equation.span)
        if out in self.joined:
            self.store(out)  # its parts stand there
            return
        if isinstance(place, Slice) and place.whole not in self.opened:
            self.open_section(equation.adjoint)
            self.opened.add(place.whole)
            room = self.memory(place.whole, self.plan.places[place.whole])
            called = self.known.get(place.whole) or self.claim(place.whole)
            if called != room:
                self.lines += layout.statement(self.indent, called, e.name(room), note)
        memory = self.memory(out, place)
        inside = isinstance(place, (Step, Slice))
        alone = inside and self.uses.get(out, 0) == 1 and out not in self.known
        target = memory if alone else self.target(out)
        self.open_section(equation.adjoint)
        self.trace.append(Line(equation, target, True))
        there = Term(e.name(memory), out.type)
        if len(equation.args) > MOST:
            self.shorten_all(equation, comment)
        terms, code = self.into(equation, there)
        while not layout.fits(self.indent, target, code, note) and self.shorten(equation, comment):
            terms, code = self.into(equation, there)
        rest = self.augmented(equation, place) if target == memory else None
        if rest is not None:
            self.lines += layout.statement(self.indent, target, rest, note, f"{op.numpy}=")
            self.store(out)
            return
        assert code.call is not None
        head, args = code.call
        if target != memory and head.endswith(NO_RESULT):
            self.lines += layout.statement(self.indent, target, there.code, note)
            code = self.speller.write(
                op.into, terms, dict(equation.attrs), Term(e.name(target), out.type)
            )
            assert code.call is not None
            (head, args), memory = code.call, target
        if target == memory:
            self.lines += layout.call_statement(self.indent, None, head, args, note)
        else:
            self.lines += layout.statement(self.indent, target, code, note)
        self.store(out)

    def into(self, equation: Equation, memory: Term) -> tuple[list[Term], Code]:
        """The arguments of an equation, and the call that writes its result into memory."""
        terms = [Term(self.code(a), a.type) for a in equation.args]
        into = OPS[equation.op].into
        return terms, self.speller.write(into, terms, dict(equation.attrs), memory)

    def memory(self, out: Var, place: Place) -> str:
        """The name of the memory that a value goes to."""
        if isinstance(place, Buffer):
            return self.buffers[place]
        if isinstance(place, Step):
            return f"{self.stacks[place.stack]}[{self.index}]"
        if isinstance(place, Slice):
            whole = Term(e.name(self.known[place.whole]), place.whole.type)
            return self.speller.slice(whole, place.items).text
        return self.known[place] if isinstance(place, Var) else self.claim(out)

    def augmented(self, equation: Equation, place: Place) -> Code | None:
        """What stands right of `z +=` where an equation does no more than that to z."""
        if OPS[equation.op].numpy not in ("+", "-", "*", "/"):
            return None
        first, second = equation.args
        if first is place:
            return self.code(second)
        commutes = OPS[equation.op].commutes and second is place
        return self.code(first) if commutes else None

    def added(self, equation: Equation) -> Code | None:
        """What is added to a total in place, where the equation does no more than that."""
        state = self.totals.get(equation.out)
        if state is None or equation.op != "add" or self.uses.get(state, 0) != 1:
            return None
        rest = [a for a in equation.args if a is not state]
        return self.code(rest[0]) if len(rest) == 1 else None

    def open_entries(self, equation: Equation) -> None:
        """Lines for the entries that an equation is the first to read, of those read again."""
        for arg in equation.args:
            if arg in self.entries and isinstance(arg, Var):
                code = self.entries.pop(arg)
                self.lines += layout.statement(self.indent, self.claim(arg), code)

    def target(self, out: Var) -> str:
        """What a value is assigned to: its name, or its place in a stack that alone needs it."""
        stores = self.stores.get(out, [])
        if out not in self.known and len(stores) == self.uses.get(out, 0) == 1:
            return stores.pop()
        return self.known[out] if out in self.known else self.claim(out)

    def claim(self, var: Var) -> str:
        """A name for a variable: the one that it had, if a loop before read or made it."""
        leader = self.leaders.get(var, var)
        if leader not in self.called:
            self.called[leader] = self.names.claim(self.firsts.get(leader, leader.name))
        self.known[var] = self.known[leader] = self.called[leader]
        return self.known[var]

    def store(self, out: Var) -> None:
        """Put a value into the stacks that want it."""
        for target in self.stores.pop(out, []):
            self.lines += layout.statement(self.indent, target, self.code(out))

    def shorten(self, equation: Equation, comment: Comment) -> bool:
        """Give the longest argument a line of its own, or make it shorter if it would not fit one."""
        inside = self.inside(equation)
        return self.shorten_one(inside[0], comment) if inside else False

    def shorten_all(self, equation: Equation, comment: Comment) -> None:
        """The same for all arguments, since no line takes so many."""
        for arg in self.inside(equation):
            while arg in self.inlined and self.shorten_one(arg, comment):
                pass

    def inside(self, equation: Equation) -> list[Var]:
        """The arguments that are written where they are read, the longest first."""
        inside = [a for a in equation.args if isinstance(a, Var) and a in self.inlined]
        return sorted(inside, key=lambda a: -len(self.inlined[a].text))

    def shorten_one(self, longest: Var, comment: Comment) -> bool:
        """Give one argument a line of its own, or make it shorter."""
        if self.inlined[longest].depth == 0:
            return False
        origin = self.origin[longest]
        code = self.inlined[longest]
        wide = not layout.fits(self.indent, longest.name, code, comment(origin.span))
        if wide and len(code.terms) <= 2 and self.shorten(origin, comment):
            self.inlined[longest] = self.render(origin)
            return True
        self.assign(origin, self.inlined.pop(longest), comment)
        return True

    def open_section(self, adjoint: bool) -> None:
        """A comment where the forward or the backward part begins."""
        if self.section < int(adjoint):
            self.section = int(adjoint)
            self.lines.append(f"    {SECTIONS[self.section]}")

    # Loops

    def loop(self, loop: Loop, comment: Comment) -> None:
        """What the loop starts with, room for what it stacks, and its steps."""
        self.open_section(loop.adjoint)
        pad, note = self.indent, comment(loop.span)
        for out in loop.outs:
            if out not in self.known:
                self.claim(out)
        for out, init in zip(loop.outs, loop.inits):
            code = self.code(init)
            if out in self.plan.places:
                memory = e.name(self.memory(out, self.plan.places[out]))
                self.lines += layout.statement(pad, self.known[out], memory, note)
                args = (self.known[out], code.text)
                self.lines += layout.call_statement(pad, None, "np.copyto", args, note)
                continue
            self.lines += layout.statement(pad, self.known[out], code, note)
        for out in loop.outs[loop.carries :]:
            place = self.plan.places.get(out)
            room = e.name(self.memory(out, place)) if place else self.speller.empty(out.type)
            self.lines += layout.statement(pad, self.known[out], room, note)
        index = self.names.claim(loop.index.name)
        steps = f"range({self.speller.size(loop.length).text})"
        steps = f"reversed({steps})" if loop.reverse else steps
        head = f"{' ' * pad}for {index} in {steps}:"
        self.lines.append(f"{head}  # {note}" if len(head) + len(note) + 4 <= 88 else head)
        self.lines += self.steps(loop, index, comment)
        self.names.free(index)
        for out in loop.outs:
            self.store(out)

    def steps(self, loop: Loop, index: str, comment: Comment) -> list[str]:
        """The lines of one step."""
        names = [self.known[out] for out in loop.outs]
        carried = names[: loop.carries]
        known = {loop.index: index, **dict(zip(loop.states, carried))}
        carries = self.plan.carries[loop.body]
        direct = carries.direct
        known |= {u: name for u, name in zip(loop.updates, carried) if u in direct}
        inner = Kernel(
            self.plan, loop.body, self.speller, self.names, known, self.buffers, self.indent + 4,
            self.called,
        )  # fmt: skip
        inner.section, inner.index = 1, index
        inner.stacks = dict(zip(loop.outs[loop.carries :], names[loop.carries :]))
        inner.states.update(loop.states)
        own = {s for s, init in zip(loop.states, loop.inits) if init in self.filled}
        inner.totals = {u: s for u, s in carries.totals.items() if u in direct and s in own}
        inner.inlined.update((p, self.code(a)) for p, a in zip(loop.shared, loop.constants))
        for p, sequence in zip(loop.entries, loop.sequences):
            text = e.name(f"{self.code(sequence).text}[{index}]")
            often = inner.uses.get(p, 0) > 1
            (inner.entries if often else inner.inlined)[p] = text
        for atom, out, stack in zip(loop.emits, loop.outs[loop.carries :], names[loop.carries :]):
            target = f"{stack}[{index}]"
            if isinstance(atom, Var) and self.plan.places.get(atom) == Step(out):
                continue
            if isinstance(atom, Var) and atom not in loop.body.params:
                inner.stores.setdefault(atom, []).append(target)
            else:
                inner.lines += layout.statement(inner.indent, target, inner.code(atom))
        inner.body(comment)
        late = [
            (name, inner.code(u).text)
            for name, s, u in zip(carried, loop.states, loop.updates)
            if u not in direct and u is not s
        ]
        if late:
            target, values = (", ".join(column) for column in zip(*late))
            inner.lines += layout.statement(inner.indent, target, e.name(values))
        self.trace.append(Round(loop, names, inner, late))
        return inner.lines

    # Expressions

    def render(self, equation: Equation) -> Code:
        """The right side of an equation."""
        op, code = OPS[equation.op], self.code
        terms = [Term(code(a), a.type) for a in equation.args]
        spelling = op.scalar if self.plan.scalars else op.numpy
        if self.plan.scalars and equation.op == "pow":
            squared = self.square(equation, terms)
            if squared is not None:
                return squared
        return self.speller.apply(spelling, terms, dict(equation.attrs))

    def square(self, equation: Equation, terms: Sequence[Term]) -> Code | None:
        """x * x for the square of a plain name: `**` on floats raises where NumPy gives inf."""
        exponent = equation.args[1]
        base = terms[0].code
        if isinstance(exponent, Literal) and exponent.value == 2 and base.text.isidentifier():
            return e.binary("*", base, base)
        return None

    def code(self, atom: Atom) -> Code:
        """An argument: a number, a name, or the expression that is written in its place."""
        if isinstance(atom, Literal):
            return self.speller.literal(atom)
        if atom in self.inlined:
            return self.inlined[atom]
        if atom in self.entries:
            return self.entries[atom]
        return e.name(self.known[atom])
