"""What the passes share: looking at definitions, and rebuilding a function equation by equation."""

from __future__ import annotations

from collections.abc import Callable
from operator import is_

from bpc.ir import Atom, Equation, Function, Literal, Var
from bpc.ops import Builder, Expr

#: (view of what is defined so far, equation) -> what to compute instead, or None
Rule = Callable[["View", Equation], "Expr | Atom | None"]


class View:
    """What a rule sees: the definitions before an equation, and a builder for what replaces it."""

    def __init__(self, m: Builder) -> None:
        self.m, self.through_names = m, False
        self.defined: dict[Var, Equation] = {}
        #: for variables that are exponentials: of what (see stabilise)
        self.logs: dict[Var, Expr | None] = {}
        #: by operator, argument and number: max(x, 0) and such (see simplify)
        self.extrema: dict[tuple[str, Atom, float], Var] = {}

    def definition(self, atom: Atom, op: str) -> Equation | None:
        """The equation behind an atom, if it is of this operator and has no name of the source."""
        equation = self.made(atom)
        return equation if equation is not None and equation.op == op else None

    def made(self, atom: Atom) -> Equation | None:
        """The equation behind an atom, of whatever operator, if it has no name of the source."""
        if isinstance(atom, Literal) or (atom.named and not self.through_names):
            return None
        return self.defined.get(atom)

    def arg(self, atom: Atom, op: str, position: int = 0) -> Atom | None:
        """An argument of the equation behind an atom, if that is of this operator."""
        equation = self.made(atom)
        return equation.args[position] if equation is not None and equation.op == op else None

    def expr(self, atom: Atom) -> Expr:
        """An atom to build with."""
        return Expr(self.m, atom)


def number(atom: Atom) -> float | int | None:
    """The number that an atom is, if it is a known one."""
    if isinstance(atom, Literal) and isinstance(atom.value, float | int):
        return atom.value
    return None


def rewrite(function: Function, rule: Rule) -> Function:
    """The function with each equation replaced by what the rule gives for it.

    Named variables keep their names; what a rule builds goes before the equation it replaces. Where
    no rule has anything to give, it is the same function.
    """
    replaced: dict[Atom, Atom] = {}
    if not function.body:
        return function
    m = Builder(function.body[0].span)
    view = View(m)
    defined, body = view.defined, m.body
    for old in function.body:
        equation = old
        if not replaced.keys().isdisjoint(old.args):
            args = tuple([replaced.get(a, a) for a in old.args])
            equation = Equation(old.op, args, old.outs, old.span, old.attrs, old.adjoint)
        mark = len(body)
        m.span, m.adjoint = old.span, old.adjoint
        found = rule(view, equation)
        if found is None:
            body.append(equation)
            defined[equation.outs[0]] = equation
            continue
        atom = found.atom if isinstance(found, Expr) else found
        out = equation.out
        if out.named:
            atom = _renamed(m, atom, out, mark)
        for new in body[mark:]:
            defined[new.out] = new
        if atom is not out:
            replaced[out] = atom
    if len(body) == len(function.body) and all(map(is_, body, function.body)):
        return function
    results = tuple([replaced.get(r, r) for r in function.results])
    return Function(function.name, function.params, tuple(m.body), results, function.labels)


def _renamed(m: Builder, atom: Atom, out: Var, mark: int) -> Atom:
    """The replacement under the name that it replaces: its last equation, or an identity."""
    if len(m.body) > mark and m.body[-1].out is atom:
        last = m.body.pop()
        m.body.append(Equation(last.op, last.args, (out,), last.span, last.attrs, last.adjoint))
    else:
        m.body.append(Equation("identity", (atom,), (out,), m.span, (), m.adjoint))
    return out
