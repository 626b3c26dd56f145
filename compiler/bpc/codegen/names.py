"""Python names for variables: the source's where possible, never captured by anything else."""

from __future__ import annotations

import builtins
import keyword
import re

RESERVED = frozenset(
    {*keyword.kwlist, *keyword.softkwlist, *dir(builtins), "np", "math", "special", "params"}
    | {"dtype", "seed", "rng", "dims", "vector", "PARAMS", "INPUTS", "OUTPUTS", "forward", "cost"}
    | {"value_and_grad", "init", "ravel", "unravel", "arrays", "values", "grads", "self"}
    | {"tangents", "out"}
)


class Names:
    """Hands out each name once; a second claim gets `_2`, a reserved word a `_`.

    Names that start with `_` are the module's own helpers: from the source they get a `_` too.
    """

    def __init__(self) -> None:
        self._taken = set(RESERVED)
        self._counts: dict[str, int] = {}

    def copy(self) -> Names:
        """One that goes on from here by itself."""
        other = Names()
        other._taken, other._counts = set(self._taken), dict(self._counts)
        return other

    def claim(self, wanted: str) -> str:
        """A name that nobody else has, as close to the wanted one as can be."""
        base = wanted if wanted.isidentifier() else re.sub(r"\W", "_", wanted)
        name = f"{base}_" if base in RESERVED or base.startswith("_") else base
        while name in self._taken:
            self._counts[base] = self._counts.get(base, 1) + 1
            name = f"{base}_{self._counts[base]}"
        self._taken.add(name)
        return name

    def free(self, name: str) -> None:
        """Let a name be claimed again: that of a loop's index, after the loop."""
        self._taken.discard(name)
