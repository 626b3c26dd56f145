"""Records: dataclasses that cost little to define and to make.

`dataclass` writes up to nine methods for a class and compiles each: for the hundred classes of bpc that
took a fifth of its import. A record has `__init__`; one that is equal to another by its fields says so,
with `eq=True`, the others are equal to themselves only; all share one `__repr__`. That a `frozen` one
never changes is for mypy to prove, as that of a dataclass: no run checks it, so fields are set in a
third of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:

    def record(*, frozen: bool = False, eq: bool = False) -> Callable[[type], type]:
        """A dataclass with slots; a frozen one that is equal by its fields has a hash too."""
        make = dataclass(slots=True, repr=False, eq=eq, unsafe_hash=frozen and eq)

        def decorate(cls: type) -> type:
            cls.__repr__ = _shown
            return make(cls)

        return decorate


def _shown(self: Any) -> str:
    shown = (f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if f.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


__all__ = ["record"]
