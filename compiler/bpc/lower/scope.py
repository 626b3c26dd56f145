"""Names and what they mean: scopes, superscripts, spellings."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Key = tuple[str, int | None]


class Poison:
    """What a name means whose definition failed: using it is no further error."""


POISON = Poison()


def spelling(key: Key) -> str:
    """`w[1]` as Python spells it: `w1`."""
    name, superscript = key
    return name if superscript is None else f"{name}{superscript}"


def text(key: Key) -> str:
    """As the language writes it."""
    name, superscript = key
    return name if superscript is None else f"{name}[{superscript}]"


@dataclass(slots=True)
class Scope:
    """One scope: the file, a function's body, or a round of a `for` (then `local`).

    Definitions are numbered over all scopes by `clock`; a function's scope sees of those around it
    what was defined `before`.
    """

    parent: Scope | None = None
    local: bool = False
    before: int | None = None
    clock: list[int] = field(default_factory=lambda: [0])
    values: dict[Key, Any] = field(default_factory=dict)
    order: dict[Key, int] = field(default_factory=dict)
    spellings: dict[str, Key] = field(default_factory=dict)
    families: dict[str, Key] = field(default_factory=dict)
    poisoned_families: set[str] = field(default_factory=set)

    def inner(self, local: bool = False, before: int | None = None) -> Scope:
        """A scope inside this one."""
        return Scope(self, local, before, self.clock)

    def chain(self) -> Iterator[tuple[Scope, float]]:
        """This scope and those around it, each with the first definition it hides."""
        scope: Scope | None = self
        visible = math.inf
        while scope is not None:
            yield scope, visible
            if scope.before is not None:
                visible = min(visible, scope.before)
            scope = scope.parent

    def lookup(self, key: Key) -> Any:
        """The innermost visible value of a name, or None."""
        for scope, visible in self.chain():
            if key in scope.values and scope.order[key] < visible:
                return scope.values[key]
            if key[0] in scope.poisoned_families:
                return POISON
        return None

    def is_family(self, name: str) -> bool:
        """Whether `name[...]` is a name here: the innermost scope that knows `name` decides."""
        for scope, visible in self.chain():
            if name in scope.poisoned_families:
                return True
            if scope.order.get((name, None), math.inf) < visible:
                return False
            if name in scope.families and scope.order[scope.families[name]] < visible:
                return True
        return False

    def home(self, key: Key) -> Scope:
        """Where a definition goes: superscripted names leave the rounds of a `for`."""
        scope = self
        while scope.local and key[1] is not None and scope.parent is not None:
            scope = scope.parent
        return scope

    def outermost_round(self) -> Scope:
        """The scope around all rounds of a `for`: where params stay."""
        scope = self
        while scope.local and scope.parent is not None:
            scope = scope.parent
        return scope

    def define(self, key: Key, value: Any) -> str | None:
        """Define a name in this very scope. A conflict's text: `again`, `both`, or the other name."""
        name, superscript = key
        if isinstance(self.values.get(key), Poison):
            del self.values[key]
        if key in self.values:
            return "again"
        other = self.spellings.get(spelling(key))
        clash = (name, None) in self.values if superscript is not None else name in self.families
        if clash:
            return "both"
        if other is not None and other != key:
            return text(other)
        self.values[key] = value
        self.order[key] = self._tick()
        self.spellings[spelling(key)] = key
        if superscript is not None:
            self.families.setdefault(name, key)
        return None

    def poison(self, targets: list[Any]) -> None:
        """Mark names whose definition failed."""
        for target in targets:
            if target.superscript is not None:
                self.outermost_round().poisoned_families.add(target.name)
            else:
                key = (target.name, None)
                if key not in self.values:
                    self.values[key], self.order[key] = POISON, self._tick()

    def _tick(self) -> int:
        self.clock[0] += 1
        return self.clock[0]

    def names(self) -> set[str]:
        """All names that are visible, as the language writes them."""
        return {
            text(key)
            for scope, visible in self.chain()
            for key in scope.values
            if scope.order[key] < visible
        }

    def functions(self, kind: type[Any]) -> set[str]:
        """The visible names whose values are of a kind."""
        return {
            text(key)
            for scope, visible in self.chain()
            for key, value in scope.values.items()
            if isinstance(value, kind) and scope.order[key] < visible
        }
