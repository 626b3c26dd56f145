"""SymPy writes the local partials: `python -m bpc.ops.derive` prints `derived.py`.

The derivative of each elementwise operator that gives no partials of its own, in terms of the
arguments and of the operator's result `o`, which is at hand: `1 - o**2` for tanh.
"""

from __future__ import annotations

import sympy
from sympy.printing.str import StrPrinter

from bpc.ops.base import OPS, Op

SYMBOLS = tuple(sympy.Symbol(s, real=True) for s in "xyz")
RESULT = sympy.Symbol("o", real=True)
HEADER = '''"""Local partials that SymPy derived; written by `python -m bpc.ops.derive`, held by a test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

DERIVED: dict[str, tuple[Callable[..., Any], ...]] = {
'''


class _RulePrinter(StrPrinter):  # type: ignore[misc]
    """SymPy expressions in the language of the rules: functions hang on `m`."""

    def _print_Function(self, expr: sympy.Function) -> str:
        return f"m.{expr.func.__name__}({', '.join(self._print(a) for a in expr.args)})"

    def _print_Pi(self, expr: object) -> str:
        return "math.pi"


def primal(op: Op) -> sympy.Expr:
    """The operator as a SymPy expression over x, y, z."""
    assert op.sympy is not None
    return sympy.sympify(op.sympy, locals={s.name: s for s in SYMBOLS})


def partial(op: Op, position: int) -> sympy.Expr:
    """SymPy's partial by one argument, rewritten by the result where the result occurs in it."""
    value = primal(op)
    slope = sympy.diff(value, SYMBOLS[position])
    rewritten = slope.subs(value, RESULT)
    return rewritten if rewritten.has(RESULT) else sympy.together(slope)


def derived() -> str:
    """The text of `derived.py`."""
    printer = _RulePrinter({"order": "none"})
    rows = []
    for op in OPS.values():
        if op.sympy is None or not op.derives:
            continue
        arity = len(op.domain)
        names = ", ".join(["m", *(s.name for s in SYMBOLS[:arity]), "o"])
        body = "".join(
            f"        lambda {names}: {printer.doprint(partial(op, i).evalf(17))},\n"
            for i in range(arity)
        )
        rows.append(f'    "{op.name}": (\n{body}    ),\n')
    return HEADER + "".join(rows) + "}\n"


if __name__ == "__main__":
    print(derived(), end="")
