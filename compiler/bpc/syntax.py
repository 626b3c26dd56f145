"""The syntax tree: what the grammar says a program is, before any name has a meaning.

Every node knows its span. Superscript or index (`w[1]`) is not decided here: both are `Index`.
"""

from __future__ import annotations

from bpc.record import record
from bpc.source import Source, Span


@record(frozen=True)
class Node:
    """Anything with a place in the text."""

    span: Span


# Expressions


@record(frozen=True)
class Number(Node):
    """`2`, `1.5`, `1_000`: an int where the text is one, else a float."""

    value: int | float


@record(frozen=True)
class Truth(Node):
    """`true` or `false`."""

    value: bool


@record(frozen=True)
class Text(Node):
    """`"ij,jk->ik"`: exists for einsum alone."""

    value: str


@record(frozen=True)
class Name(Node):
    """A plain name."""

    name: str


@record(frozen=True)
class Unary(Node):
    """`-x` or `not x`."""

    op: str
    operand: Expr


@record(frozen=True)
class Binary(Node):
    """Operators `+ - * / @ ^ < <= > >= == != and or`."""

    op: str
    left: Expr
    right: Expr


@record(frozen=True)
class Conditional(Node):
    """`then if condition else otherwise`."""

    then: Expr
    condition: Expr
    otherwise: Expr


@record(frozen=True)
class Slice(Node):
    """`start:stop:step` inside an index."""

    start: Expr | None
    stop: Expr | None
    step: Expr | None


@record(frozen=True)
class New(Node):
    """`new` inside an index: a fresh axis of size 1."""


@record(frozen=True)
class Ellipsis_(Node):
    """`...` inside an index: as many full slices as fit."""


@record(frozen=True)
class Index(Node):
    """`base[items]`: a superscript or an index, as the scope says."""

    base: Expr
    items: tuple[Expr | Slice | New | Ellipsis_, ...]


@record(frozen=True)
class Attribute(Node):
    """`base.name`: `x.T`, `conv1.W`, `nn.dense`."""

    base: Expr
    name: str


@record(frozen=True)
class Argument(Node):
    """One argument of a call; `name` is None where it is positional."""

    name: str | None
    value: Expr


@record(frozen=True)
class Call(Node):
    """`function(arguments)`."""

    function: Expr
    arguments: tuple[Argument, ...]


@record(frozen=True)
class Tuple(Node):
    """`(a, b)`, or the list `[a, b]` that gives a shape."""

    items: tuple[Expr, ...]


@record(frozen=True)
class As(Node):
    """`call as name` or `call as name[l]`: names a layer's call."""

    value: Expr
    target: Target


Expr = (
    Number
    | Truth
    | Text
    | Name
    | Unary
    | Binary
    | Conditional
    | Index
    | Attribute
    | Call
    | Tuple
    | As
)


# Parts of statements


@record(frozen=True)
class Target(Node):
    """A name being defined, with its superscript if it has one."""

    name: str
    superscript: Expr | None


@record(frozen=True)
class TypeExpr(Node):
    """`[N, 64]`, `int[N]`, `bool`: kind is `real`, `int` or `bool`."""

    kind: str
    shape: tuple[Expr, ...]


@record(frozen=True)
class Declarator(Node):
    """`w[1]: [64, H] = 2 ~ normal(0.1)`; initialiser is a Name or a Call."""

    target: Target
    type: TypeExpr | None
    value: Expr | None
    initialiser: Expr | None


@record(frozen=True)
class Parameter(Node):
    """A formal parameter of a `def` or `layer`."""

    name: str
    default: Expr | None


# Statements


@record(frozen=True)
class Dim(Node):
    """`dim N, H = 64`: declarators carry target and value alone."""

    items: tuple[Declarator, ...]


@record(frozen=True)
class Const(Node):
    """`const eps = 1e-5`: declarators carry target and value alone."""

    items: tuple[Declarator, ...]


@record(frozen=True)
class Input(Node):
    """`input x: [N, 64], y = 2`."""

    items: tuple[Declarator, ...]


@record(frozen=True)
class Param(Node):
    """`param W: [64, H] ~ he, b = 8`."""

    items: tuple[Declarator, ...]


@record(frozen=True)
class Assign(Node):
    """`a = expr` or `a, b = expr`."""

    targets: tuple[Target, ...]
    value: Expr


@record(frozen=True)
class Cost(Node):
    """`cost J = expr`."""

    target: Target
    value: Expr


@record(frozen=True)
class Output(Node):
    """`output p = expr`, or `output p, q`, where each value is None."""

    items: tuple[tuple[Target, Expr | None], ...]


@record(frozen=True)
class Def(Node):
    """`def` (or, with owns_parameters, `layer`): `= expr` is a body of one Return."""

    name: Name
    parameters: tuple[Parameter, ...]
    body: tuple[Statement, ...]
    owns_parameters: bool


@record(frozen=True)
class Return(Node):
    """`return expr` or `return a, b` (then a Tuple)."""

    value: Expr


@record(frozen=True)
class For(Node):
    """`for l in low..high { ... }`, both bounds included."""

    variable: Name
    low: Expr
    high: Expr
    body: tuple[Statement, ...]


@record(frozen=True)
class Scan(Node):
    """`scan t in low..high carry (h = e) { ... }`."""

    variable: Name
    low: Expr
    high: Expr
    carries: tuple[tuple[Target, Expr], ...]
    body: tuple[Statement, ...]


@record(frozen=True)
class Emit(Node):
    """`emit hs = h` inside a scan."""

    target: Target
    value: Expr


@record(frozen=True)
class Use(Node):
    """`use nn`."""

    name: Name


Statement = (
    Dim | Const | Input | Param | Assign | Cost | Output | Def | Return | For | Scan | Emit | Use
)


@record(frozen=True)
class Model:
    """A whole file; `lost` are the names in statements that are wrong and left out."""

    source: Source
    statements: tuple[Statement, ...]
    lost: frozenset[str] = frozenset()
