"""One expression as a list of elementwise operators: w^3 is w; 3; pow(0, 1)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NoReturn

from bpc.diagnostics import BpcError, Problem
from bpc.ops import OPS
from bpc.ops.fold import function_of
from bpc.source import Span

MOST_STEPS = 1000


@dataclass(frozen=True, slots=True)
class Step:
    """One value: `op` of earlier ones, or, without an op, a number or a name."""

    op: str
    args: tuple[int, ...] = ()
    content: int | float | bool | str = 0


@dataclass(slots=True)
class Formula:
    """The steps of an expression; the last is its value. `names` in order of appearance."""

    steps: list[Step] = field(default_factory=list)
    names: dict[str, None] = field(default_factory=dict)
    #: the place of each step, and its value where that takes no names
    spans: list[Span] = field(default_factory=list)
    known: list[Any] = field(default_factory=list)

    def add(self, span: Span, op: str, *args: int, content: float | bool | str = 0) -> int:
        """Append a step. Raises BpcError where numbers alone give no finite number."""
        if len(self.steps) == MOST_STEPS:
            fail(span, "BP405", limit=MOST_STEPS)
        values = [self.known[i] for i in args]
        number: Any = None
        if op and all(v is not None for v in values):
            number = compute(op, values)
            if not isinstance(number, bool) and not math.isfinite(number):
                fail(span, "BP401", op=span.text)
        elif not op and not isinstance(content, str):
            number = content
        self.steps.append(Step(op, args, content))
        self.spans.append(span)
        self.known.append(number)
        return len(self.steps) - 1

    def is_bool(self, i: int) -> bool:
        """Whether a step is true or false."""
        step = self.steps[i]
        if not step.op:
            return isinstance(step.content, bool)
        kinds = OPS[step.op].kinds
        if step.op == "select":
            return self.is_bool(step.args[1])
        return kinds is not None and kinds[1] == "bool"


def fail(span: Span, code: str, help: str | None = None, **values: object) -> NoReturn:
    """Stop with one diagnostic."""
    raise BpcError([Problem(code, help, **values).at(span)])


def elementwise(f: Formula, span: Span, op: str, *args: int) -> int:
    """A step of an operator, its arguments cast to the kinds that it takes."""
    kinds = OPS[op].kinds
    assert kinds is not None
    fitted = list(args)
    for k, i in enumerate(args):
        wants_bool = kinds[0] == "bool" or (op == "select" and k == 0)
        if wants_bool and not f.is_bool(i):
            fail(f.spans[i], "BP215", where=span.text[:40], what="a number")
        if not wants_bool and f.is_bool(i):
            fitted[k] = real(f, i, span)
    return f.add(span, op, *fitted)


def real(f: Formula, i: int, span: Span) -> int:
    """The step, or where it is true or false, 1 or 0."""
    if not f.is_bool(i):
        return i
    return f.add(span, "select", i, f.add(span, "", content=1), f.add(span, "", content=0))


def compute(op: str, args: list[Any]) -> Any:
    """An operator on Python numbers, as generated modules compute it."""
    function = function_of(op)
    assert function is not None, op
    args = [a if isinstance(a, bool) else float(a) for a in args]
    try:
        return function(*args)
    except (AttributeError, NameError):  # a helper that takes SciPy, which bpc itself does without
        import sympy

        from bpc.ops.derive import SYMBOLS, primal

        return float(sympy.N(primal(OPS[op]).xreplace(dict(zip(SYMBOLS, map(sympy.Float, args))))))
