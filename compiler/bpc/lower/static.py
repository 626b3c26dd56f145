"""Arithmetic on what is known at compile time: numbers and sizes."""

from __future__ import annotations

import math
from typing import Any

from bpc.diagnostics import Problem
from bpc.lower.values import simplest
from bpc.types import Size, product, size

LARGEST_POWER = 16
COMPARE = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


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
    infinite = isinstance(value, float) and math.isinf(value) and not all(map(_finite, operands))
    if _finite(value) or infinite:
        return value
    raise Problem("BP401", op=op)


def _finite(value: Any) -> bool:
    """Whether a number, or a size, is one that a float can be."""
    try:
        return isinstance(value, Size) or math.isfinite(value)
    except (OverflowError, TypeError):  # an int that is too large, a complex number
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
        return simplest(a * b)
    if op == "/":
        if not b.terms:
            raise Problem("BP401", op=op)
        return simplest(a / b)
    power = b.value
    if power is None or not 0 <= power <= LARGEST_POWER:
        return None
    return simplest(product([a] * power))
