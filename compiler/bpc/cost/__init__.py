"""What a module costs, as formulas in its dims: flops, saved values, bytes at the peak.

work.py    flops of functions          saved.py   what the backward part reads of the forward part
memory.py  bytes of printed lines      peak.py    with workspaces, results and tiles
formula.py the formulas                strides.py which reshapes copy
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from bpc.codegen.module import TILE_BYTES
from bpc.cost.formula import USUAL, Formula
from bpc.cost.memory import Printed
from bpc.cost.peak import Peak, peak
from bpc.cost.saved import bytes_of, saved
from bpc.cost.work import flops
from bpc.ir import Program, Var
from bpc.plan import Plan
from bpc.record import record
from bpc.sizes import SizeTooLarge

WIDTH = 88


@record(frozen=True)
class Cost:
    """What one function costs."""

    flops: Formula
    peak: Peak


@record(frozen=True)
class Contract:
    """What a program costs: each of its functions, and what the gradient saves."""

    functions: dict[str, Cost]
    saved: tuple[Var, ...]
    saved_bytes: Formula

    def ratio(self, dims: Mapping[str, int]) -> float | None:
        """The flops of the gradient by those of the cost, for given dims."""
        forward = self.functions["cost"].flops.evaluate(dims)
        return self.functions["value_and_grad"].flops.evaluate(dims) / forward if forward else None


def contract(program: Program, plans: Mapping[str, Plan], printed: Printed) -> Contract | None:
    """What a program costs whose plans were printed; None where that is too long to say."""
    try:
        functions = {
            name: Cost(flops(program.functions[name]), peak(plans[name], printed, TILE_BYTES))
            for name in ("forward", "cost", "value_and_grad")
            if name in plans
        }
        values = saved(program.functions["value_and_grad"])
        return Contract(functions, values, bytes_of(values))
    except SizeTooLarge:
        return None


def header(program: Program, plans: Mapping[str, Plan], printed: Printed) -> list[str]:
    """The lines that state in a module what it costs; those that are not too long."""
    dims = dict.fromkeys(program.dims, USUAL)
    lines: list[str] = []
    with suppress(SizeTooLarge, ZeroDivisionError):
        cost, gradient = (flops(program.functions[k]) for k in ("cost", "value_and_grad"))
        forward = cost.evaluate(dims)
        times = f" ({gradient.evaluate(dims) / forward:.1f} times)" if forward else ""
        lines.append(_line("cost: ", cost, " flops"))
        lines.append(_line("gradient: ", gradient, f" flops{times}"))
        worst = peak(plans["value_and_grad"], printed, TILE_BYTES)
        if worst.usual.terms:
            lines.append(_line("peak: ", worst, " bytes"))
    return lines


def _line(head: str, formula: Formula | Peak, tail: str) -> str:
    return f"{head}{formula.text(WIDTH - len(head) - len(tail))}{tail}"
