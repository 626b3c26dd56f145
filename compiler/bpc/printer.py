"""The IR as text, one equation a line: what `bpc dump` and the goldens show.

`%` marks variables that have no name of the source.
"""

from __future__ import annotations

from bpc.ir import Atom, Equation, Function, Literal, Program, Var
from bpc.types import Axis, Size, show


class _Names:
    """Unique names for variables, in order of appearance."""

    def __init__(self) -> None:
        self._names: dict[Var, str] = {}
        self._taken: dict[str, int] = {}

    def __call__(self, atom: Atom) -> str:
        if isinstance(atom, Literal):
            return f"{atom.value}"
        if atom not in self._names:
            count = self._taken.get(atom.name, 0)
            self._taken[atom.name] = count + 1
            name = f"{atom.name}.{count}" if count else atom.name
            self._names[atom] = name if atom.named else f"%{name}"
        return self._names[atom]


def _attribute(value: object) -> str:
    if isinstance(value, tuple):
        if value and all(isinstance(v, Axis) for v in value):
            return show(value)
        return f"({', '.join(map(_attribute, value))})"
    if isinstance(value, Size | Axis):
        return str(value)
    return repr(value)


def print_equation(equation: Equation, name: _Names | None = None) -> str:
    """`h: [N, 64] = add(h_matmul, b1)`."""
    name = name or _Names()
    args = [name(a) for a in equation.args]
    args += [f"{key}={_attribute(value)}" for key, value in equation.attrs]
    outs = ", ".join(f"{name(v)}: {v.type}" for v in equation.outs)
    return f"{outs} = {equation.op}({', '.join(args)})"


def print_function(function: Function) -> str:
    """The whole function; a rule stands where the backward part begins."""
    name = _Names()
    params = ", ".join(f"{name(p)}: {p.type}" for p in function.params)
    lines = [f"function {function.name}({params})"]
    backward = False
    for equation in function.body:
        if equation.adjoint and not backward:
            lines.append("    -- backward")
            backward = True
        lines.append(f"    {print_equation(equation, name)}  # {equation.span.line}")
    lines.append(f"    return {', '.join(name(r) for r in function.results)}")
    return "\n".join(lines) + "\n"


def print_program(program: Program) -> str:
    """All functions of a program."""
    return "\n".join(print_function(f) for f in program.functions.values())
