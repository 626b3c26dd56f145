"""What all parts of a module share: names of arguments and dims, comments, descriptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from bpc.codegen.names import Names
from bpc.codegen.spelling import Speller
from bpc.ir import Argument, Atom, Equation, Function, Literal, Program, Var
from bpc.ops.dropout import drops
from bpc.ops.loops import Loop
from bpc.plan import Plan
from bpc.record import record
from bpc.source import Source, Span
from bpc.types import Size, Type

if TYPE_CHECKING:
    from bpc.codegen.kernel import Kernel

#: functions that compute the outputs: they take just the inputs that those need, and never drop
FORWARD = ("forward", "jacobian", "jacobians", "vjps")


def plain(text: str) -> str:
    """Text that can stand in a comment or a docstring."""
    kept = text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)
    return kept.replace("\\", "/").replace('"', "'")


def type_text(type: Type) -> str:
    """`real [N, 64]`, `int`: kind and shape with dims by name."""
    shape = ", ".join(a.label or str(a.size) for a in type.shape)
    return f"{type.kind} [{shape}]" if type.shape else type.kind


def described(argument: Argument) -> str:
    """The same of an argument."""
    return type_text(argument.var.type)


def bare(length: Size) -> str | None:
    """The dim that a size is, if it is just one."""
    dims = length.dims()
    return next(iter(dims)) if len(dims) == 1 and str(length) in dims else None


@record()
class Writer:
    """One module being written."""

    program: Program
    source: Source
    wrt: tuple[str, ...]
    scalars: bool
    names: Names = field(default_factory=Names)
    arguments: dict[Var, str] = field(default_factory=dict)
    speller: Speller = field(init=False)
    #: the kernels written so far, by their plans
    printed: dict[Plan, Kernel] = field(default_factory=dict)
    #: numbers that are arrays made with a workspace
    numbers: dict[Atom, Atom] = field(default_factory=dict)
    #: whether `cost` and `value_and_grad` take rng
    drops: bool = field(init=False)

    def __post_init__(self) -> None:
        arguments = (*self.program.params, *self.program.inputs)
        plain_names = [a for a in arguments if a.key.isidentifier()]
        for argument in plain_names:
            self.arguments[argument.var] = self.names.claim(argument.key)
        dims = (*self.program.dims, *self.program.columns)
        self.speller = Speller({d: self.names.claim(d) for d in dims})
        for argument in arguments:  # `conv1.W` becomes conv1_W, if nothing of the source is that
            if argument.var not in self.arguments:
                self.arguments[argument.var] = self.names.claim(argument.key)
        self.drops = drops(self.program.functions["cost"])
        self.speller.infinity = "math" if self.scalars else "np"

    def name(self, argument: Argument) -> str:
        """The Python name of an argument."""
        return self.arguments[argument.var]

    def locals(self) -> Names:
        """Names for a function's variables: those of arguments and dims are taken."""
        return self.names.copy()

    def comment(self, span: Span) -> str:
        """`file.bp:12`."""
        return plain(str(span))

    def template(self, argument: Argument) -> str:
        """`("real", ("N", 64))`; None stands for a size that is computed from dims."""
        entries = []
        for axis in argument.var.type.shape:
            name = bare(axis.size)
            entries.append(f'"{self.speller.names[name]}"' if name else str(axis.size.value))
        inner = f"({entries[0]},)" if len(entries) == 1 else f"({', '.join(entries)})"
        return f'("{argument.var.type.kind}", {inner})'

    def needed(self, function: Function) -> list[Argument]:
        """The inputs that a function takes: `forward` those that it reads, or its dims are read off."""
        if function.name not in FORWARD:
            return list(self.program.inputs)
        used: set[object] = set(function.results)
        dims: set[str] = set()
        for equation in function.body:
            used.update(equation.args)
            dims |= dims_of(equation)
        varied = self.wrt if function.name != "forward" else ()
        inputs = [a for a in self.program.inputs if a.var in used or a.key in varied]
        held = {d for a in (*self.program.params, *inputs) for d in dims_in(a)}
        kept = {a.key for a in inputs}
        having = {d: a for a in reversed(self.program.inputs) for d in dims_in(a)}
        for name in self.program.dims:
            if name in dims and name not in held and name in having:
                kept.add(having[name].key)
                held |= dims_in(having[name])
        return [a for a in self.program.inputs if a.key in kept]

    def dims(self, arguments: Sequence[Argument]) -> list[str]:
        """The Python names of the free dims that arguments give, in declared order."""
        known = {d for a in arguments for d in dims_in(a)}
        return [self.speller.names[d] for d in self.program.dims if d in known]


def dims_in(argument: Argument) -> set[str]:
    """The dims in an argument's shape."""
    return {d for axis in argument.var.type.shape for d in axis.size.dims()}


def dims_of(equation: Equation) -> set[str]:
    """The dims that an equation's text may need."""
    found = {d for out in equation.outs for axis in out.type.shape for d in axis.size.dims()}
    if equation.op == "scan":
        loop = Loop.of(equation)
        found |= loop.length.dims().union(*map(dims_of, loop.body.body))
    for arg in equation.args:
        found |= {d for axis in arg.type.shape for d in axis.size.dims()}
        if isinstance(arg, Literal) and isinstance(arg.value, Size):
            found |= arg.value.dims()
    return found
