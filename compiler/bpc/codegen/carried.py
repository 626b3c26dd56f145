"""The text of helpers that a generated module carries, read from the modules that define them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pkgutil import get_data

_NAME = re.compile(r"\b_[a-z]\w*")


@cache
def functions(package: str, module: str) -> dict[str, str]:
    """Name to source text of the functions of a module."""
    text = (get_data(package, f"{module}.py") or b"").decode()
    parts = re.split(r"(?<=\n\n\n)(?=\S)", text)
    found = {}
    for part in parts:
        match = re.match(r"(?:@.*\n)*def (\w+)\(", part)
        if match:
            found[match[1]] = part.rstrip() + "\n"
    return found


def closure(wanted: Iterable[str], source: dict[str, str]) -> list[str]:
    """The texts of the wanted functions and of those that they call, in the source's order."""
    needed: set[str] = set()
    waiting = list(wanted)
    while waiting:
        name = waiting.pop()
        if name in source and name not in needed:
            needed.add(name)
            waiting += _NAME.findall(source[name])
    return [text for name, text in source.items() if name in needed]


def sources(scalars: bool) -> dict[str, str]:
    """All functions that a module (of scalars) may carry."""
    binding = functions("bpc.codegen", "binding")
    steps = functions("bpc.codegen", "optimiser_text")
    steps |= functions("bpc.codegen", "second_text")
    steps |= functions("bpc.codegen", "workspace_text")
    if scalars:
        own = functions("bpc.codegen", "scalar_binding")
        shared = {name: binding[name] for name in ("_values", "_array")}
        return {**shared, **own, **functions("bpc.ops", "scalars"), **steps}
    networks = functions("bpc.ops", "network_helpers")
    return {**binding, **functions("bpc.ops", "helpers"), **networks, **steps}
