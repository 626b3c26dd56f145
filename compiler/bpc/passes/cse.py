"""Common subexpressions are computed once.

    a = mul(x, y)              a = mul(x, y)
    b = exp(mul(x, y))   ->    b = exp(a)

A repeated value that has a name of the source keeps its line: `b = identity(a)`.
"""

from __future__ import annotations

from bpc.ir import Atom, Equation, Function, Literal, Var
from bpc.ops import OPS, Expr
from bpc.passes.rewrite import View, rewrite

Key = tuple[object, ...]


def cse(function: Function) -> Function:
    """Give each distinct value one equation."""
    seen: dict[Key, Var] = {}
    numbers: dict[Key, Literal] = {}

    def rule(view: View, equation: Equation) -> Expr | Atom | None:
        if equation.op == "identity" or len(equation.outs) > 1:
            return None
        args = [
            id(a if isinstance(a, Var) else numbers.setdefault((repr(a.value), a.type), a))
            for a in equation.args
        ]
        if OPS[equation.op].commutes:
            args.sort()
        key = (equation.op, tuple(args), equation.attrs, equation.outs[0].type.kind)
        out = equation.outs[0]
        first = seen.setdefault(key, out)
        return first if first is not out else None

    return rewrite(function, rule)
