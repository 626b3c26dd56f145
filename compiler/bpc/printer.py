"""The IR as text, one equation a line: what `bpc dump` and the goldens show.

`%` marks variables that have no name of the source.
"""

from __future__ import annotations

from collections.abc import Iterator

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
    if isinstance(value, Function):
        return value.name
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
    return "\n".join(_lines(function, _Names(), "")) + "\n"


def _lines(function: Function, name: _Names, pad: str) -> Iterator[str]:
    params = ", ".join(f"{name(p)}: {p.type}" for p in function.params)
    yield f"{pad}function {function.name}({params})"
    backward = bool(pad)
    for equation in function.body:
        if equation.adjoint and not backward:
            yield "    -- backward"
            backward = True
        for _, value in equation.attrs:
            if isinstance(value, Function):
                yield from _lines(value, name, f"{pad}    ")
        yield f"{pad}    {print_equation(equation, name)}  # {equation.span.line}"
    yield f"{pad}    return {', '.join(name(r) for r in function.results)}"


def print_program(program: Program) -> str:
    """All functions of a program."""
    return "\n".join(print_function(f) for f in program.functions.values())
