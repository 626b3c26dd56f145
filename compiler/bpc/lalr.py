"""The parser's table, and the loop that runs it over tokens.

Tokens and values are on a stack, and with each the state that the parser is in after it. A rule that
ends makes one value of the last ones, which are gone: `1 + 2` is NUMBER, PLUS, NUMBER, then a binary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bpc.fragments import Lexeme

Make = Callable[[list[Any]], Any]
#: which values a rule's function is given: see `larktable.table_text`
Takes = list[int | list[int] | None] | None


class Unexpected(Exception):
    """The next token does not fit."""


class Table:
    """What larktable.py writes, with the functions that make values."""

    def __init__(self, table: Mapping[str, Any], callbacks: Mapping[str, Make]) -> None:
        self.states: list[dict[str, int]] = table["states"]
        self.rules: list[tuple[int, str, Make | None]] = [
            (count, origin, None if node is None else _given(takes, callbacks.get(node, list)))
            for count, origin, node, takes in table["rules"]
        ]
        self.end: int = table["end"]
        self.passed: dict[tuple[int, int, str], int] = {}

    def passed_on(self, below: int, state: int, type: str) -> int:
        """The state once all rules have ended that only pass one value on: a name that is a sum."""
        key = below, state, type
        found = self.passed.get(key)
        if found is None:
            while (step := self.states[state].get(type)) is not None and step < 0:
                _, origin, make = self.rules[~step]
                if make is not None:
                    break
                state = self.states[below][origin]
            found = self.passed[key] = state
        return found


def _given(takes: Takes, make: Make) -> Make:
    """What makes a value of all that a rule takes."""
    if takes is None:
        return make

    def given(values: list[Any]) -> Any:
        chosen: list[Any] = []
        for take in takes:
            if isinstance(take, int):
                chosen.append(values[take])
            elif take is None:
                chosen.append(None)
            elif chosen:
                chosen += values[take[0]]
            else:
                chosen = values[take[0]]  # a list that grows: of statements, of items
        return chosen if make is list else make(chosen)

    return given


class Stack:
    """All that is open: the states, and the values that came after each but the last."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.states = [0]
        self.values: list[Any] = []

    def take(self, lexeme: Lexeme) -> None:
        """Take one token, after all rules that end before it; Unexpected."""
        states, values, table = self.states, self.values, self.table
        rows, type = table.states, lexeme.type
        while True:
            step = rows[states[-1]].get(type)
            if step is None:
                raise Unexpected
            if step >= 0:
                states.append(step)
                values.append(lexeme)
                return
            count, origin, make = table.rules[~step]
            if make is None:
                states[-1] = table.passed_on(states[-2], states[-1], type)
                continue
            first = len(values) - count
            values[first:] = [make(values[first:])]
            del states[len(states) - count :]
            states.append(rows[states[-1]][origin])

    def accepts(self) -> frozenset[str]:
        """The types of all tokens that would fit here."""
        return frozenset(t for t in self.table.states[self.states[-1]] if self._fits(t))

    def _fits(self, type: str) -> bool:
        """Whether a token would fit; names of rules, in small letters, are none."""
        states = self.states[:]
        while type.isupper():
            step = self.table.states[states[-1]].get(type)
            if step is None or step >= 0:
                return step is not None
            count, origin, _ = self.table.rules[~step]
            del states[len(states) - count :]
            states.append(self.table.states[states[-1]][origin])
        return False

    def mark(self) -> Callable[[], None]:
        """What sets all back to how it is now."""
        states, values = self.states[:], self.values[:]
        lists = [(v, len(v)) for v in values if v.__class__ is list]

        def back() -> None:
            self.states[:], self.values[:] = states, values
            for items, length in lists:
                del items[length:]

        return back
