"""What must hold of IR: each variable defined once and before its use, types as the operators say."""

from __future__ import annotations

from bpc.ir import Atom, Equation, Function, Literal, Var
from bpc.ops import OPS
from bpc.ops.build import literal
from bpc.ops.loops import Loop
from bpc.printer import print_equation
from bpc.types import Type


class InvalidIR(Exception):
    """A bug in bpc: a pass has left something that makes no sense."""


def verify(function: Function, stage: str) -> None:
    """Raise InvalidIR, naming the stage and the equation, where an invariant is broken."""
    known: set[Var] = set(function.params)
    for equation in function.body:
        if equation.op == "scan":
            _verify_loop(function, stage, equation)
        for arg in equation.args:
            if isinstance(arg, Var) and arg not in known:
                _fail(function, stage, equation, f"{arg.name} is not defined")
            if isinstance(arg, Literal) and repr(literal(arg.value, arg.type.kind)) != repr(
                arg.value
            ):
                _fail(function, stage, equation, f"{arg.value!r} is not {arg.type.kind}")
        for out, wanted in zip(equation.outs, _types(equation), strict=True):
            if out in known:
                _fail(function, stage, equation, f"{out.name} is defined twice")
            if out.type != wanted:
                _fail(function, stage, equation, f"{out.name} should be {wanted}")
            known.add(out)
    for result in function.results:
        if isinstance(result, Var) and result not in known:
            raise InvalidIR(f"{stage}: {function.name}: result {result.name} is not defined")


def _types(equation: Equation) -> tuple[Type, ...]:
    op = OPS[equation.op]
    if op.infer is not None:
        return op.infer(*(a.type for a in equation.args), **dict(equation.attrs))
    assert op.kinds is not None, equation.op
    relevant: tuple[Atom, ...] = equation.args[1:] if equation.op == "select" else equation.args
    first = relevant[0].type
    same = all(a.type == first for a in relevant)
    shapes = all(a.type.shape == first.shape for a in equation.args)
    result = {"same": first.kind, "real": "real", "bool": "bool", "int": "int"}[op.kinds[1]]
    return (first.with_kind(result) if same and shapes else Type("mismatched"),)


def _verify_loop(function: Function, stage: str, equation: Equation) -> None:
    """The body by itself, and that it fits what goes in and out."""
    loop = Loop.of(equation)
    verify(loop.body, stage)
    for arg, param in zip(loop.args, loop.body.params[1:], strict=True):
        if arg in loop.sequences:
            continue
        if arg.type != param.type:
            _fail(function, stage, equation, f"{param.name} takes {arg.type}")
    for sequence, entry in zip(loop.sequences, loop.entries, strict=True):
        if sequence.type != loop.stacked(entry.type):
            _fail(function, stage, equation, f"{entry.name} is no entry of {sequence.type}")
    for state, update in zip(loop.states, loop.updates):
        if state.type != update.type:
            _fail(function, stage, equation, f"{state.name} becomes {update.type}")


def _fail(function: Function, stage: str, equation: Equation, why: str) -> None:
    raise InvalidIR(f"after {stage}: {function.name}: {print_equation(equation)}: {why}")
