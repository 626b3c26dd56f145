"""Arithmetic on what is known at compile time: numbers and sizes."""

from __future__ import annotations

import math
from typing import Any

from bpc.diagnostics import Problem
from bpc.types import Size, size

MOST_TERMS = 64
COMPARE = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


def is_number(value: Any) -> bool:
    """Whether a value is a number or size known at compile time."""
    return isinstance(value, int | float | Size)


def simplest(value: Any) -> Any:
    """A size that is a number as that number."""
    if isinstance(value, Size):
        if len(value.terms) > MOST_TERMS:
            raise Problem("BP403", terms=MOST_TERMS)
        number = value.constant
        if number is not None:
            return int(number) if number.denominator == 1 else float(number)
    return value


def binary(op: str, left: Any, right: Any) -> Any:
    """The number or size, or None where only the generated code can know.

    Raises Problem where the value is no finite number.
    """
    if op in COMPARE:
        if isinstance(left, Size) or isinstance(right, Size):
            return None
        return COMPARE[op](left, right)
    left = int(left) if isinstance(left, bool) else left
    right = int(right) if isinstance(right, bool) else right
    if isinstance(left, Size) or isinstance(right, Size):
        return _sizes(op, left, right)
    try:
        value = _numbers(op, left, right)
    except (OverflowError, ZeroDivisionError):
        raise Problem("BP401", op=op) from None
    return checked(value, (left, right), op)


def checked(value: Any, operands: tuple[Any, ...], op: str) -> Any:
    """The value; Problem where it is not finite though the operands are."""
    finite = all(isinstance(o, int) or math.isfinite(o) for o in operands)
    if isinstance(value, complex) or value != value or (finite and not _finite(value)):
        raise Problem("BP401", op=op)
    return value


def _finite(value: int | float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _numbers(op: str, left: Any, right: Any) -> Any:
    if op == "+":
        return left + right
    if op == "-":
        return left - right
    if op == "*":
        return left * right
    if op == "/":
        if isinstance(left, int) and isinstance(right, int) and right and left % right == 0:
            return left // right
        return left / right
    if isinstance(left, int) and isinstance(right, int) and right >= 0:
        if left not in (-1, 0, 1) and right * math.log2(abs(left)) > 1100:
            raise OverflowError
        return left**right
    return float(left) ** float(right)


def _sizes(op: str, left: Any, right: Any) -> Any:
    if isinstance(left, float) or isinstance(right, float):
        return None
    a = left if isinstance(left, Size) else size(left)
    b = right if isinstance(right, Size) else size(right)
    if op == "+":
        return simplest(a + b)
    if op == "-":
        return simplest(a - b)
    if op == "*":
        if len(a.terms) * len(b.terms) > MOST_TERMS**2:
            raise Problem("BP403", terms=MOST_TERMS)
        return simplest(a * b)
    if op == "/":
        if not b.terms:
            raise Problem("BP401", op=op)
        return simplest(a / b)
    power = b.value
    if power is None or not 0 <= power <= 16:
        return None
    result = size(1)
    for _ in range(power):
        result = result * a
        simplest(result)
    return simplest(result)
