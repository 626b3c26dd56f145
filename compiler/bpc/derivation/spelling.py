"""SymPy's expressions as bp spells them: `3*w^2`, `a if c else b`."""

from __future__ import annotations

from typing import Any

import sympy
from sympy.printing.precedence import precedence
from sympy.printing.str import StrPrinter

SPELLED = {"Abs": "abs", "loggamma": "lgamma", "Max": "max", "Min": "min"}


class _Printer(StrPrinter):  # type: ignore[misc]
    """`3*w^2`, `a if c else b`: what `read` can read again."""

    def _print_Function(self, expr: Any) -> str:
        name = expr.func.__name__
        args = expr.args
        if name == "polygamma" and args[0] == 0:
            name, args = "digamma", args[1:]
        return f"{SPELLED.get(name, name)}({', '.join(map(self._print, args))})"

    _print_Max = _print_Min = _print_Function

    def _print_Pow(self, expr: Any, rational: bool = False) -> str:
        return str(super()._print_Pow(expr, rational)).replace("**", "^")

    def _print_Exp1(self, expr: Any) -> str:
        return "exp(1)"

    def _print_Infinity(self, expr: Any) -> str:
        return "inf"

    def _print_Float(self, expr: Any) -> str:
        return repr(float(expr))

    def _print_Relational(self, expr: Any) -> str:
        left, right = (self.parenthesize(side, precedence(expr)) for side in expr.args)
        return f"{left} {expr.rel_op} {right}"

    def _print_And(self, expr: Any) -> str:
        return " and ".join(f"({self._print(a)})" for a in expr.args)

    def _print_Or(self, expr: Any) -> str:
        return " or ".join(f"({self._print(a)})" for a in expr.args)

    def _print_Not(self, expr: Any) -> str:
        return f"not ({self._print(expr.args[0])})"

    def _print_BooleanTrue(self, expr: Any) -> str:
        return "true"

    def _print_BooleanFalse(self, expr: Any) -> str:
        return "false"

    def _print_Piecewise(self, expr: Any) -> str:
        *cases, last = expr.args
        text = self._print(last[0])
        for case, condition in reversed(cases):
            text = f"{self._print(case)} if {self._print(condition)} else {text}"
        return f"({text})"


def bp(expression: sympy.Expr) -> str:
    """A SymPy expression as bp spells it."""
    try:
        text = str(_Printer().doprint(expression))
    except RecursionError:
        return "(too deep to print)"
    return text[1:-1] if isinstance(expression, sympy.Piecewise) else text
