"""Where an operator leaves the rows of its arguments: what can be done a part of the rows at a time.

    h = x @ W       rows on axis 0 of x      ->    on axis 0 of h
    S = x.T @ d     on axes 1 and 0          ->    SUM: the sum of what each part of the rows gives
    y = softmax(x, axis=0)                   ->    Meets: an entry depends on all rows

A rule is given the types of the arguments and the axis of the rows in each: None for an argument
whose entries are the same for all rows, in which no axis goes along with them. It says where the rows
are in the result; `tests/test_tiles.py` holds every rule to that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bpc.ops.base import OPS
from bpc.types import Type

#: the result is a sum over the rows, or a mean
SUM, MEAN = -1, -2
Place = int | None
Rule = Callable[..., int]

BOTH = "every example meets every other, along two axes {dim}"


class Meets(Exception):
    """Entries of different rows meet; `why` has the places {op} and {dim}."""

    def __init__(self, why: str = "`{op}` mixes the entries of {dim}") -> None:
        self.why = why
        super().__init__(why)


def rows_of(name: str, types: Sequence[Type], places: Sequence[Place], attrs: Any) -> int:
    """The axis of the rows in an operator's result; SUM, MEAN. Raises Meets.

    Some argument has rows; `attrs` are the equation's.
    """
    op, options = OPS[name], dict(attrs)
    if op.elementwise:
        return only(places)
    if op.rows is not None:
        return op.rows(types, places, **options)
    if op.mixes is not None and op.infer is not None:
        (result,) = op.infer(*types, **options)
        return along(types, places, op.mixes(*types, **options), result.rank)
    if op.aligned:
        return only(places)
    raise Meets


def only(places: Sequence[Place]) -> int:
    """The one axis that all rows are on."""
    found = {p for p in places if p is not None}
    if len(found) > 1:
        raise Meets(BOTH)
    return found.pop()


def along(types: Sequence[Type], places: Sequence[Place], mixed: Sequence[int], rank: int) -> int:
    """Entries meet along some axes of the first argument, which may go: the rows are on another.

    Further arguments have the axes of the first, or those that stay.
    """
    place = places[0]
    if place is None or place in mixed:
        raise Meets
    before = sum(a < place for a in mixed)
    for type, other in zip(types[1:], places[1:]):
        whole = type.rank == types[0].rank
        if other != (place if whole else place - before):
            raise Meets
    if not before or rank == types[0].rank:
        return place
    if rank != types[0].rank - len(mixed):
        raise Meets
    return place - before


def reduces(total: int) -> Rule:
    """The rule of a reduction that is `total` where it takes the rows away."""

    def rule(types: Sequence[Type], places: Sequence[Place], axes: Any, keep: bool) -> int:
        if places[0] in axes:
            return total
        rank = types[0].rank - (0 if keep else len(axes))
        return along(types, places, axes, rank)

    return rule


def moves(table: dict[tuple[Place, ...], int]) -> Rule:
    """The rule of an operator of fixed ranks: where rows go, by where they are."""

    def rule(types: Sequence[Type], places: Sequence[Place], groups: int = 1, **_: Any) -> int:
        found = table.get(tuple(places))
        if found is None or (groups > 1 and tuple(places) not in ((0, None), (0, 0))):
            raise Meets
        return found

    return rule
