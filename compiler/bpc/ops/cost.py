"""What the entries of `flops` and `scratch` are written with.

A flop is one arithmetic operation, or one call of a function, on one entry. Memory is in bytes, over
the dim ITEM: how many bytes a float has, 4 or 8.

    flops=per_entry(5)       five for each entry of the first argument
    scratch=arrays(2)        two arrays like the first argument, besides the arguments and the result
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from bpc.types import Size, Type, dim, product, size

#: no name of the language has a blank
ITEM = dim("item size")
BYTES = {"int": size(8), "bool": size(1), "real": ITEM}
#: (type of the result, *types of the arguments, **attrs) -> how many flops
Flops = Callable[..., Size]
#: (whether memory is given, type of the result, *arguments, **attrs) -> how many bytes
Scratch = Callable[..., Size]


def nbytes(type: Type) -> Size:
    """The bytes of an array; 0 for a single number."""
    return type.count * BYTES[type.kind] if type.shape else size(0)


def per_entry(count: int) -> Flops:
    """So many for each entry of the first argument."""
    return lambda out, first, *types, **attrs: first.count * size(count)


def per_result(count: int) -> Flops:
    """So many for each entry of the result."""
    return lambda out, *types, **attrs: out.count * size(count)


NOTHING: Flops = per_result(0)


def matrices(over: Fraction | int, *columns: Any) -> Flops:
    """So many times n^3 for each matrix of the first argument."""

    def flops(out: Type, first: Type, *types: Type) -> Size:
        total: Size = first.count * first.shape[-1].size * ratio(over)
        return total

    return flops


def ratio(number: Fraction | int) -> Size:
    """A number that need not be whole."""
    number = Fraction(number)
    return size(number.numerator) / size(number.denominator)


def arrays(real: int, *, bools: int = 0, rows: int = 0, given: bool = True) -> Scratch:
    """Arrays like the first argument, of reals and of bools, and bytes for each of its rows.

    With `given` false there are none where the result is written into memory that is given.
    """

    def scratch(into: bool, out: Type, first: Any, *args: Any, **attrs: Any) -> Size:
        if into and not given:
            return size(0)
        each: Size = first.type.count * (ITEM * size(real) + size(bools))
        if rows and first.type.shape:
            each = each + product(a.size for a in first.type.shape[:-1]) * size(rows)
        return each

    return scratch


def doubles(into: bool, out: Type, *args: Any, **attrs: Any) -> Size:
    """The float64 total of float32 entries."""
    return size(0) if into or not out.shape else out.count * (size(16) - ITEM * size(2))
