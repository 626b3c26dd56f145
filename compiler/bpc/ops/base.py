"""What an operator is: one entry that holds all that bpc knows of it.

    elementwise("tanh", "tanh(x)", numpy="np.tanh", scalar="math.tanh", doc="Hyperbolic tangent.")

gives the language its function, the type checker its rule, the reverse pass its VJP, the generated
code its spelling, the tests their cases and `bpc ops` its row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bpc.record import record
from bpc.types import Size, Type

#: (m, g, out, *args, **attrs) -> a cotangent, or None, for each argument
Vjp = Callable[..., Sequence[Any]]
#: (types of the arguments, **attrs) -> types of the results
Infer = Callable[..., tuple[Type, ...]]
#: (m, *args, **attrs) -> the same in simpler operators, or None where they are no simpler
Expand = Callable[..., Any]
#: a dotted name (`np.exp`), an operator (`+`), or a function (c, *args, **attrs) -> rendered code
Spelling = str | Callable[..., Any]
#: (types of the arguments, **attrs) -> [(size that must not be negative, what to say)]
Requires = Callable[..., list[tuple[Size, str]]]


@record(frozen=True)
class Op:
    """An operator of the IR, a function of the language, or both."""

    name: str
    group: str
    doc: str
    #: how the language calls it, (m, *args) -> value; None for an operator of the IR alone
    call: Callable[..., Any] | None = None
    #: None for a function that its `call` expresses through other operators
    infer: Infer | None = None
    vjp: Vjp | None = None
    #: the same in simpler operators, each one call of NumPy: what -O2 computes (passes/expand.py)
    expand: Expand | None = None
    numpy: Spelling = ""
    #: what writes the result into memory given last, (c, out, *args, **attrs) -> rendered code; an
    #: elementwise one may find an argument of its own type there. None: only into fresh memory
    into: Spelling = ""
    #: the same on Python floats
    scalar: Spelling = ""
    #: kinds that the arguments of an elementwise operator take, and the kind of its result
    kinds: tuple[str, str] | None = None
    #: the operator as SymPy writes it, in x, y, ...
    sympy: str | None = None
    #: local partials (m, *args, out) -> value, one an argument; None where it is zero
    partials: tuple[Callable[..., Any] | None, ...] = ()
    #: whether the partials are SymPy's, in `derived.py`
    derives: bool = False
    #: intervals that tests draw the arguments from
    domain: tuple[tuple[float, float], ...] = ()
    #: for each argument, a value where operator and partials are finite (None: they always are);
    #: "identity" for matrices
    safe: tuple[float | str | None, ...] = ()
    #: whether the result may share memory with an argument
    view: bool = False
    #: only moves entries about: elementwise functions commute with it
    moves: bool = False
    #: linear in each array argument: the VJP tells which entries of the result read an entry
    linear: bool = False
    #: an entry of the result reads that entry of the argument alone, and perhaps where it is
    aligned: bool = False
    #: (types of the arguments, **attrs) -> axes of the first argument along which its entries meet
    mixes: Callable[..., tuple[int, ...]] | None = None
    #: works on a stack of arguments: its attributes count axes, or it works on the last ones
    stacks: bool = False
    #: (types of the arguments, axis of the rows in each, **attrs) -> the axis in the result, or a
    #: total; needed where `mixes` and `aligned` do not say it all (see ops/rows.py)
    rows: Callable[..., int] | None = None
    #: whether the generated function raises for some values of the arguments
    raises: bool = False
    #: how many flops, where it is not the usual (see cost/work.py); and how many bytes NumPy needs
    #: besides arguments and result (see ops/cost.py)
    flops: Callable[..., Size] | None = None
    scratch: Callable[..., Size] | None = None
    #: whether the order of the arguments does not matter
    commutes: bool = False
    requires: Requires | None = None
    #: cases for the table tests: (shapes of the arguments, attrs of the call); an argument that is
    #: not real says its kind first, ("int<4", 3) or ("bool", 3); ("regular", 3, 3) is a matrix that
    #: has a good inverse; attrs under "*" are positional
    cases: tuple[tuple[tuple[Any, ...], dict[str, Any]], ...] = ()

    @property
    def elementwise(self) -> bool:
        """Whether it works entry by entry on arguments of one shape."""
        return self.kinds is not None


OPS: dict[str, Op] = {}


def register(op: Op) -> Op:
    """Put an entry in the table. A second entry of one name is a mistake."""
    assert op.name not in OPS, op.name
    OPS[op.name] = op
    return op
