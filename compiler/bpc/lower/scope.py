"""Names and what they mean: scopes, superscripts, spellings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import field
from typing import Any

from bpc.record import record

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


@record()
class Scope:
    """One scope: the file, a function's body, or a round of a `for` (then `local`).

    Definitions are numbered over all scopes by `clock`; a function's scope sees of those around it
    what was defined `before`. `owner` is the function whose body it is; `suffix` tells rounds apart
    where local names become names of variables: `step_2`.
    """

    parent: Scope | None = None
    local: bool = False
    before: int | None = None
    owner: object = None
    suffix: str = ""
    clock: list[int] = field(default_factory=lambda: [0])
    values: dict[Key, Any] = field(default_factory=dict)
    order: dict[Key, int] = field(default_factory=dict)
    spellings: dict[str, Key] = field(default_factory=dict)
    families: dict[str, Key] = field(default_factory=dict)
    poisoned: set[str] = field(default_factory=set)
    #: calls of layers by their names, which are no values, and when each got its name
    instances: dict[Key, tuple[Any, int]] = field(default_factory=dict)
    lost_instances: set[str] = field(default_factory=set)

    def round(self, number: int) -> Scope:
        """The scope of a round of a `for` inside this one."""
        return Scope(self, local=True, suffix=f"{self.suffix}_{number}", clock=self.clock)

    def body(self, owner: object, before: int) -> Scope:
        """The scope of a function that was defined in this one."""
        return Scope(self, before=before, owner=owner, clock=self.clock)

    def chain(self) -> Iterator[tuple[Scope, float]]:
        """This scope and those around it, each with the first definition that it hides."""
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
            if key[0] in scope.poisoned:
                return POISON
        return None

    def name_instance(self, key: Key, instance: Any) -> None:
        """Let a name mean a call of a layer here, where its parameters are read."""
        self.clock[0] += 1
        self.instances[key] = instance, self.clock[0]

    def instance(self, key: Key) -> Any:
        """The call of a layer that has a name, or None; a nearer value hides it."""
        for scope, visible in self.chain():
            found, order = scope.instances.get(key, (None, math.inf))
            if order < visible:
                return found
            if key[0] in scope.lost_instances:
                return POISON
            if scope.order.get(key, math.inf) < visible:
                return None
        return None

    def instance_keys(self, name: str) -> list[Key]:
        """The superscripted names of calls `name[...]` that can be seen here."""
        return [
            key
            for scope, visible in self.chain()
            for key, (_, order) in scope.instances.items()
            if key[0] == name and key[1] is not None and order < visible
        ]

    def is_family(self, name: str) -> bool:
        """Whether `name[...]` is a name here: the innermost scope that knows `name` decides."""
        for scope, visible in self.chain():
            if scope.order.get((name, None), math.inf) < visible:
                return False
            if name in scope.families and scope.order[scope.families[name]] < visible:
                return True
        return False

    def home(self, key: Key) -> Scope:
        """Where a value goes: superscripted names leave the rounds of a `for`."""
        return self.outside if key[1] is not None else self

    @property
    def outside(self) -> Scope:
        """The scope around all rounds of a `for`: where params stay."""
        scope = self
        while scope.local and scope.parent is not None:
            scope = scope.parent
        return scope

    def define(self, key: Key, value: Any) -> str | None:
        """Define a name in this very scope. A conflict's text: the name that there is already."""
        name, superscript = key
        other = self.spellings.get(spelling(key))
        if other is not None:
            return text(other)
        self.clock[0] += 1
        self.values[key] = value
        self.order[key] = self.clock[0]
        self.spellings[spelling(key)] = key
        if superscript is not None:
            self.families.setdefault(name, key)
        return None

    def both_ways(self, key: Key) -> bool:
        """Whether the name has superscripts here, and this key has none; or the reverse."""
        scope = self
        while True:
            if key[0] in scope.families if key[1] is None else (key[0], None) in scope.values:
                return True
            if not scope.local or scope.parent is None:
                return False
            scope = scope.parent

    def poison(self, names: Iterable[str]) -> None:
        """Mark names whose definition failed."""
        self.outside.poisoned.update(names)

    def visible(self, kind: type[Any] | tuple[type[Any], ...] = object) -> Iterator[str]:
        """All names that can be seen whose values are of a kind, as the language writes them."""
        for scope, visible in self.chain():
            for key, value in scope.values.items():
                if isinstance(value, kind) and scope.order[key] < visible:
                    yield text(key)
