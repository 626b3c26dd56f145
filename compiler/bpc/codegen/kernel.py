"""A function of the IR as the lines of a Python function of explicit arrays.

A variable without a name of its own that is read once is written where it is read, as long as the
line stays short and the expression shallow; the others get a line each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bpc.codegen import expression as e
from bpc.codegen import layout
from bpc.codegen.expression import Code
from bpc.codegen.names import Names
from bpc.codegen.spelling import Speller, Term
from bpc.ir import Atom, Equation, Function, Literal, Var, uses
from bpc.ops import OPS
from bpc.source import Span

DEEPEST = 20
WIDEST = 64
SECTIONS = ("# forward, left to right", "# backward, right to left")


class Kernel:
    """Prints one function."""

    def __init__(
        self, function: Function, speller: Speller, names: Names, arguments: dict[Var, str],
        scalars: bool,
    ) -> None:  # fmt: skip
        self.function, self.speller, self.scalars = function, speller, scalars
        self.names = names
        self.known: dict[Var, str] = dict(arguments)
        self.inlined: dict[Var, Code] = {}
        self.origin: dict[Var, Equation] = {}
        self.uses = uses(function)
        self.last: dict[Var, Equation] = {}
        self.lines: list[str] = []
        self.section = -1
        for equation in function.body:
            for arg in equation.args:
                if isinstance(arg, Var):
                    self.last[arg] = equation
            for out in equation.outs:
                if out.named and out not in self.known:
                    self.known[out] = names.claim(out.name)

    def body(self, comment: Callable[[Span], str]) -> list[str]:
        """The lines between the signature and the return."""
        results = set(self.function.results)
        for equation in self.function.body:
            code = self.render(equation)
            out = equation.out
            self.origin[out] = equation
            if out not in results and self.fits_inside(out, code):
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
        if len(code.text) <= WIDEST:
            return True
        reader = self.last[out]
        return len(code.terms) > 1 and reader.op in ("add", "sub") and reader.args[0] is out

    def assign(self, equation: Equation, code: Code, comment: Callable[[Span], str]) -> None:
        """Write a line; where it is too long, arguments get lines of their own first."""
        out = equation.out
        if out not in self.known:
            self.known[out] = self.names.claim(out.name)
        target, note = self.known[out], comment(equation.span)
        while not layout.fits(4, target, code, note) and len(code.terms) < 3:
            if not self.shorten(equation, comment):
                break
            code = self.render(equation)
        self.open_section(equation.adjoint)
        self.lines += layout.statement(4, target, code, note)

    def shorten(self, equation: Equation, comment: Callable[[Span], str]) -> bool:
        """Give the longest argument a line of its own, or make it shorter if it would not fit one."""
        inside = [a for a in equation.args if isinstance(a, Var) and a in self.inlined]
        longest = max(inside, key=lambda a: len(self.inlined[a].text), default=None)
        if longest is None or self.inlined[longest].depth == 0:
            return False
        origin = self.origin[longest]
        code = self.inlined[longest]
        fits = len(code.terms) > 2 or layout.fits(4, longest.name, code, comment(origin.span))
        if not fits and self.shorten(origin, comment):
            self.inlined[longest] = self.render(origin)
            return True
        self.assign(origin, self.inlined.pop(longest), comment)
        return True

    def open_section(self, adjoint: bool) -> None:
        """A comment where the forward or the backward part begins."""
        if self.section < int(adjoint):
            self.section = int(adjoint)
            self.lines.append(f"    {SECTIONS[self.section]}")

    def render(self, equation: Equation) -> Code:
        """The right side of an equation."""
        op = OPS[equation.op]
        terms = [Term(self.code(a), a.type) for a in equation.args]
        spelling = op.scalar if self.scalars else op.numpy
        if self.scalars and equation.op == "pow":
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
        return e.name(self.known[atom])
