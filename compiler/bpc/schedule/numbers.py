"""Numbers that meet arrays as arrays without axes, which NumPy need not convert at each call.

    y = mul(2.0, x)    ->    two = number(2.0); y = mul(two, x)

A call on small arrays takes half the time. The arrays are made with the workspace. In loops numbers
stay.
"""

from __future__ import annotations

from dataclasses import replace

from bpc.ir import Equation, Function, Literal, Var
from bpc.ops import OPS
from bpc.types import Size, Type

#: what some are called; others are called after how they are written
CALLED = {0.0: "zero", 0.5: "half", 1.0: "one", 2.0: "two"}


def numbers(function: Function) -> Function:
    """The function with arrays for numbers in what one call of NumPy computes entry by entry."""
    made: dict[object, Var] = {}
    body: list[Equation] = []
    for e in function.body:
        if _reads(e):
            for a in e.args:
                if isinstance(a, Literal) and _key(a) not in made:
                    var = made[_key(a)] = Var(_called(a), Type("real"))
                    number = Literal(a.value, var.type)
                    body.append(Equation("number", (number,), (var,), e.span, (), e.adjoint))
            args = (made[_key(a)] if isinstance(a, Literal) else a for a in e.args)
            e = replace(e, args=tuple(args))
        body.append(e)
    return replace(function, body=tuple(body))


def _key(number: Literal) -> object:
    """What tells numbers apart: -0.0 is not 0.0."""
    return number.value if isinstance(number.value, Size) else repr(number.value)


def _reads(e: Equation) -> bool:
    """Whether a ufunc computes an array of reals and numbers."""
    op = OPS[e.op]
    ufunc = op.elementwise and isinstance(op.into, str) and op.into.startswith("np.")
    array = any(isinstance(a, Var) and a.type.shape for a in e.args)
    return ufunc and array and all(a.type.kind == "real" for a in e.args)


def _called(number: Literal) -> str:
    """`two`, `number_0_01`, `minus_400`: a name that tells the value."""
    value = number.value
    if isinstance(value, Size):
        return "count" if value.whole else "scale"
    if value in CALLED:
        return CALLED[value]
    digits = f"{abs(value):g}".replace("+", "")
    return ("minus_" if value < 0 else "number_") + digits.replace(".", "_").replace("-", "_")
