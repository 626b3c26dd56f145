"""What an expression can mean besides an array: dims, functions, and how messages name them all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bpc import syntax
from bpc.diagnostics import clip
from bpc.lower.scope import Scope
from bpc.ops import Expr
from bpc.record import record
from bpc.types import Size, show


@record(frozen=True, eq=True)
class DimValue:
    """A dim: its size, and its name as a label for `axis=`."""

    label: str
    size: Size


@record(frozen=True, eq=True)
class Builtin:
    """A function of the language."""

    name: str


@record(frozen=True)
class Function:
    """A `def` or `layer`, the scope that it stands in, and how much of that was defined before it.

    One of a library has the name by which it is called: `nn.dense`.
    """

    node: syntax.Def
    scope: Scope
    before: int
    name: str

    @property
    def is_layer(self) -> bool:
        """Whether its calls own parameters, and so have names."""
        return self.node.owns_parameters


@record(frozen=True)
class Module:
    """What `use nn` brings in."""

    name: str
    functions: Mapping[str, Function]


def simplest(value: Any) -> Any:
    """A size that is a number as that number."""
    number = value.constant if isinstance(value, Size) else None
    if number is None:
        return value
    return int(number) if number.denominator == 1 else float(number)


def known(value: Any) -> Any:
    """A dim as the size that it stands for, anything else as it is."""
    return simplest(value.size) if isinstance(value, DimValue) else value


def all_known(value: Any) -> Any:
    """The same, inside tuples too."""
    return tuple(map(all_known, value)) if isinstance(value, tuple) else known(value)


def is_number(value: Any) -> bool:
    """Whether a value is a number or size known at compile time."""
    return isinstance(value, int | float | Size)


def is_integer(value: Any) -> bool:
    """Whether a value is an integer known at compile time."""
    return isinstance(value, int) and not isinstance(value, bool)


def describe(value: Any) -> str:
    """What a value is, for messages."""
    if isinstance(value, Expr):
        if value.shape:
            return f"an array of shape {show(value.shape)}"
        return "a number known only when called"
    if isinstance(value, Function | Builtin):
        return "a layer" if isinstance(value, Function) and value.is_layer else "a function"
    if isinstance(value, Module):
        return f"the library `{value.name}`"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, tuple):
        return "a tuple"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{clip(str(known(value)))}`"


def describe_kind(value: Any) -> str:
    """The same where it matters that a value is real, int or bool."""
    if isinstance(value, Expr):
        kind = "an int" if value.type.kind == "int" else f"a {value.type.kind}"
        return f"{kind} {'array' if value.shape else 'value'}"
    return describe(value)
