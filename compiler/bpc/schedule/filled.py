"""Numbers in `maximum` and `minimum` as arrays, which NumPy goes through twice as fast or better.

    h = maximum(z, 0.0)    ->    zeros = full(0.0, shape of z); h = maximum(z, zeros)

The arrays are made with the workspace. In loops numbers stay.
"""

from __future__ import annotations

from dataclasses import replace

from bpc.ir import Equation, Function, Literal, Var
from bpc.types import Type


def filled(function: Function) -> Function:
    """The function with arrays for such numbers."""
    made: dict[tuple[object, Type], Var] = {}
    body: list[Equation] = []
    for e in function.body:
        if e.op in ("maximum", "minimum") and len(e.args) == 2 and e.out.type.kind == "real":
            first, second = e.args
            for number, other in ((first, second), (second, first)):
                if not isinstance(number, Literal) or other.type != e.out.type:
                    continue
                key = number.value, other.type
                if key not in made:
                    made[key] = Var("zeros" if number.value == 0 else "limit", other.type)
                    shape = (("shape", other.type.shape),)
                    body.append(Equation("full", (number,), (made[key],), e.span, shape))
                e = replace(e, args=tuple(made[key] if a is number else a for a in e.args))
        body.append(e)
    return replace(function, body=tuple(body))
