"""What the passes share: looking at definitions, and rebuilding a function equation by equation."""

from __future__ import annotations

from collections.abc import Callable

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
        if isinstance(atom, Literal):
            return None
        equation = self.defined.get(atom)
        if equation is None or equation.op != op or (atom.named and not self.through_names):
            return None
        return equation

    def arg(self, atom: Atom, op: str, position: int = 0) -> Atom | None:
        """An argument of the equation behind an atom, if that is of this operator."""
        equation = self.definition(atom, op)
        return equation.args[position] if equation is not None else None

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

    Named variables keep their names; what a rule builds goes before the equation it replaces.
    """
    replaced: dict[Var, Atom] = {}
    if not function.body:
        return function
    m = Builder(function.body[0].span)
    view = View(m)
    for old in function.body:
        args = tuple([replaced.get(a, a) if isinstance(a, Var) else a for a in old.args])
        equation = old
        if args != old.args:
            equation = Equation(old.op, args, old.outs, old.span, old.attrs, old.adjoint)
        mark = len(m.body)
        m.span, m.adjoint, m.hint = old.span, old.adjoint, ""
        found = rule(view, equation)
        if found is None:
            m.body.append(equation)
            view.defined[equation.out] = equation
            continue
        atom = found.atom if isinstance(found, Expr) else found
        out = equation.out
        if out.named:
            atom = _renamed(m, atom, out, mark)
        for new in m.body[mark:]:
            view.defined[new.out] = new
        if atom is not out:
            replaced[out] = atom
    results = tuple(replaced.get(r, r) if isinstance(r, Var) else r for r in function.results)
    return Function(function.name, function.params, tuple(m.body), results, function.labels)


def _renamed(m: Builder, atom: Atom, out: Var, mark: int) -> Atom:
    """The replacement under the name that it replaces: its last equation, or an identity."""
    if len(m.body) > mark and m.body[-1].out is atom:
        last = m.body.pop()
        m.body.append(Equation(last.op, last.args, (out,), last.span, last.attrs, last.adjoint))
    else:
        m.body.append(Equation("identity", (atom,), (out,), m.span, (), m.adjoint))
    return out
