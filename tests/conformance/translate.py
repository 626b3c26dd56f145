"""A call of another library, as a bp program text.

    Row("x, dim=None, keepdim=False", "sum({x}{dim:axis}{keepdim:keep})")

is how `torch.sum` is written. A row binds a sample's arguments by the signature; its rule, a format
string or a function of the bound arguments, says the rest. An option that a sample gives and a rule
does not read makes the sample inexpressible: nothing is left out by oversight.
"""

from __future__ import annotations

import inspect
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np


class Inexpressible(Exception):
    """The language cannot say it; the message is one of the few reasons of the table."""


@dataclass(frozen=True)
class Arg:
    """An array that a program is given (or computes): its text and its shape."""

    text: str
    shape: tuple[int, ...]
    kind: str = "real"

    @property
    def rank(self) -> int:
        return len(self.shape)

    def __str__(self) -> str:
        return self.text

    def __format__(self, spec: str) -> str:
        assert not spec
        return self.text


@dataclass
class Program:
    """What a rule builds: declared arrays, equations, one expression a result."""

    params: dict[str, np.ndarray] = field(default_factory=dict)
    inputs: dict[str, np.ndarray] = field(default_factory=dict)
    equations: list[str] = field(default_factory=list)
    results: list[str | None] = field(default_factory=list)
    count: int = 0

    def name(self, letter: str) -> str:
        """A name of its own; `run` puts a number before the `_` for each program of many."""
        self.count += 1
        return f"{letter}_{self.count}"

    def declare(self, array: np.ndarray, active: bool = False) -> Arg:
        """An argument of the program; an active one gets a gradient."""
        if np.iscomplexobj(array):
            raise Inexpressible("complex numbers")
        kind = {"b": "bool", "i": "int", "u": "int", "f": "real"}[array.dtype.kind]
        name = self.name("x")
        (self.params if active else self.inputs)[name] = array
        return Arg(name, array.shape, kind)

    def let(self, expression: str, shape: tuple[int, ...], kind: str = "real") -> Arg:
        """An equation, for what is read more than once."""
        name = self.name("t")
        self.equations.append(f"{name} = {expression}")
        return Arg(name, shape, kind)

    def let_several(self, expression: str, count: int) -> list[str]:
        """An equation with several names on the left."""
        names = [self.name("t") for _ in range(count)]
        self.equations.append(f"{', '.join(names)} = {expression}")
        return names


class Bound:
    """The arguments of one call by name. Reading one notes that the rule has considered it."""

    def __init__(self, values: dict[str, Any], program: Program, outputs: Sequence[Any]) -> None:
        self._values, self._read = values, set[str]()
        self.program, self.outputs = program, outputs

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        self._read.add(name)
        return self._values[name]

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def let(self, expression: str, shape: tuple[int, ...] = (), kind: str = "real") -> Arg:
        return self.program.let(expression, shape, kind)

    def given(self, array: Any) -> Arg:
        """An array of the sample's own numbers, as an input."""
        return self.program.declare(np.asarray(array))

    @property
    def first(self) -> Arg:
        return next(v for v in self._values.values() if isinstance(v, Arg))

    def unread(self) -> set[str]:
        return set(self._values) - self._read


Rule = str | Callable[[Any], "str | Sequence[str | None]"]


@dataclass(frozen=True)
class Row:
    """How the calls of one function are written in bp."""

    signature: str
    rule: Rule
    #: compare entry by entry, not by the largest entry
    entrywise: bool = False
    #: the tensors broadcast with each other
    broadcasts: bool = False
    #: lists of the arguments stay lists: they mean something else than tuples
    lists: bool = False
    #: how much rounding errors grow, from the arrays of a sample
    condition: Callable[..., float] | None = None
    #: how well both agree, relative to 1 and to the entry or the largest entry
    accuracy: float = 1e-12
    #: what of the result is not compared, or why `accuracy` is less
    note: str = ""


def elementwise(signature: str, rule: Rule, accuracy: float = 1e-12, note: str = "") -> Row:
    return Row(signature, rule, True, True, accuracy=accuracy, note=note)


@cache
def parameters(signature: str) -> dict[str, Any]:
    """Names and defaults of `x, dim=None, *, keepdim=False`."""
    found = inspect.signature(eval(f"lambda {signature}: None"))
    return dict(found.parameters)


def bind(row: Row, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments by name. Raises Inexpressible for a named one that the row does not know."""
    known = parameters(row.signature)
    for key in kwargs:
        if key not in known:
            raise Inexpressible(f"option {key}")
    function = inspect.Signature(list(known.values()))
    try:
        bound = function.bind(*args, **kwargs)
    except TypeError as error:
        raise Inexpressible("another overload") from error
    bound.apply_defaults()
    return dict(bound.arguments)


def translate(row: Row, values: dict[str, Any], program: Program, outputs: Sequence[Any]) -> None:
    """Write the results of a call into the program. `values` holds Args where arrays were."""
    defaults = {k: p.default for k, p in parameters(row.signature).items()}
    given = {k for k, v in values.items() if not same(v, defaults[k])}
    if row.broadcasts:
        values = align(values)
    bound = Bound(values, program, outputs)
    if isinstance(row.rule, str):
        found: Any = FORMAT.vformat(row.rule, (), bound)  # type: ignore[arg-type]
    else:
        found = row.rule(bound)
    for name in sorted(bound.unread() & given):
        raise Inexpressible(f"option {name}")
    program.results = [found] if isinstance(found, str) else list(found)


def same(value: Any, default: Any) -> bool:
    if isinstance(value, Arg | list | tuple) or isinstance(default, Arg | list | tuple):
        return type(value) is type(default) and value == default
    return value is default or bool(value == default)


# Texts of values


def number(value: Any) -> str:
    """A number, a truth value or a tuple of them as the language writes it."""
    if isinstance(value, Arg):
        return value.text
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"({', '.join(map(number, value))}{',' * (len(value) == 1)})"
    if isinstance(value, complex):
        raise Inexpressible("complex numbers")
    if np.isnan(value):
        raise Inexpressible("NaN as a constant")
    text = repr(value) if abs(value) != np.inf else "inf" if value > 0 else "-inf"
    return f"({text})" if text[0] == "-" else text


def axes(value: Any, rank: int) -> tuple[int, ...]:
    """Axes as numbers from 0; None and () are all of them."""
    if value is None or value == ():
        return tuple(range(rank))
    several = value if isinstance(value, tuple | list) else (value,)
    return tuple(int(a) % max(rank, 1) for a in several)


def _axis(value: Any, bound: Bound) -> str:
    rank = bound.first.rank
    if not rank or value is None or value == () or value == []:
        return ""
    found = axes(value, rank)
    return f", axis={found[0] if len(found) == 1 else number(found)}"


def _keep(value: Any, bound: Bound) -> str:
    return ", keep=true" if value and bound.first.rank else ""


def _reduced(value: Any, bound: Bound) -> str:
    if value not in ("none", "mean", "sum"):
        raise Inexpressible(f"reduction {value}")
    return "" if value == "none" else value


SPECS: dict[str, Callable[[Any, Bound], str]] = {
    "": lambda value, bound: number(value),
    "axis": _axis,
    "keep": _keep,
    "reduce": _reduced,
}


class _Format(string.Formatter):
    bound: Bound

    def vformat(self, text: str, args: Any, bound: Any) -> str:
        self.bound = bound
        return super().vformat(text, args, bound)

    def check_unused_args(self, *_: Any) -> None:
        pass

    def format_field(self, value: Any, spec: str) -> str:
        return SPECS[spec](value, self.bound)


FORMAT = _Format()

# Broadcasting: bp stretches both operands only along axes that are made with `new`


def align(values: dict[str, Any]) -> dict[str, Any]:
    """The arguments with `new` axes where more than one operand would have to be stretched."""
    arrays = [v for v in values.values() if isinstance(v, Arg) and v.rank]
    full = np.broadcast_shapes(*(a.shape for a in arrays))
    if len(arrays) < 3 and any(a.shape == full for a in arrays):
        return values
    return {k: renewed(v, full) if isinstance(v, Arg) else v for k, v in values.items()}


def renewed(x: Arg, full: tuple[int, ...]) -> Arg:
    """`x[:, 0][:, new]` for an axis of size 1 that has to stretch."""
    tail = full[len(full) - x.rank :] if x.rank else ()
    for i, (size, wanted) in enumerate(zip(x.shape, tail)):
        if size == 1 and wanted != 1:
            x = Arg(f"{x}{at(x.rank, i, '0')}{at(x.rank, i, 'new')}", x.shape, x.kind)
    return x


def at(rank: int, axis: int, text: str) -> str:
    """An index of one axis: `[:, :, 0]`."""
    items = [":"] * rank
    items[axis] = text
    while len(items) > 1 and items[-1] == ":":
        items.pop()
    return f"[{', '.join(items)}]"


def sizes(shape: Sequence[int]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def reshaped(text: str, shape: Sequence[int]) -> str:
    return f"reshape({text}, {sizes(shape)})"


def transposed(text: str, order: Sequence[int]) -> str:
    order = tuple(order)
    if order == tuple(range(len(order))):
        return text
    return f"transpose({text}, {', '.join(map(str, order))})"


def moved(text: str, rank: int, source: int, target: int) -> str:
    """One axis moved."""
    order = [i for i in range(rank) if i != source % rank]
    order.insert(target % rank, source % rank)
    return transposed(text, order)
