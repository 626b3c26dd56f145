"""Calls of layers by name: what each owns.

    h = nn.dense(x, 8) as up      in      y = block(x) as block[1]

makes the instance `block[1].up`; the keys of its params begin with `block1.up.`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import Any

from bpc.lower.scope import Key, Scope, spelling, text
from bpc.record import record
from bpc.source import Span


@record()
class Instance:
    """One call of a layer, with its params and the calls inside it; or the file, without a name.

    A call gets its place in its owner when it first owns something: until then a call without a
    name (`key` is None) is no mistake. `scopes` are the bodies that run on its behalf: its own, and
    those of each `def` that is being called there.
    """

    scopes: list[Scope]
    place: Scope  # where the call stands
    owner: Instance | None = None
    key: Key | None = None
    explicit: bool = False  # named by `as`, not by the target of an assignment
    function: str = ""  # the layer's name
    span: Span | None = None  # where the name stands; without one, the call
    calls: tuple[Span, ...] = ()  # the calls that it stands in
    settled: bool = False
    failed: bool = False  # then what it lacks is no further mistake
    members: dict[Key, Any] = field(default_factory=dict)
    spellings: dict[str, Key] = field(default_factory=dict)
    families: dict[str, bool] = field(default_factory=dict)  # whether a name has superscripts

    @property
    def prefix(self) -> str:
        """What the keys of its params begin with."""
        if self.owner is None or self.key is None:
            return self.owner.prefix if self.owner else ""
        return f"{self.owner.prefix}{spelling(self.key)}."

    @property
    def text(self) -> str:
        """Its name as the language writes it from the file: `block[1].up`."""
        if self.owner is None or self.key is None:
            return self.owner.text if self.owner else ""
        outer = self.owner.text
        return f"{outer}.{text(self.key)}" if outer else text(self.key)

    def add(self, key: Key, member: Any) -> None:
        """Own a param or a call; the spelling must be free."""
        self.members[key] = member
        self.spellings[spelling(key)] = key
        self.families.setdefault(key[0], key[1] is not None)

    def instance(self, key: Key) -> Any:
        """The param or call that a name means after `.`, or None."""
        return self.members.get(key)

    def instance_keys(self, name: str) -> list[Key]:
        """The members `name[...]`."""
        return [key for key in self.members if key[0] == name and key[1] is not None]

    def parameters(self) -> Iterator[str]:
        """Its params as the language writes them, those of the calls inside it too."""
        for key, member in self.members.items():
            if isinstance(member, Instance):
                yield from member.parameters()
            else:
                yield f"{self.text}.{text(key)}"
