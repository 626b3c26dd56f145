"""Rules for expressions: numbers, names, operators, conditions."""

from __future__ import annotations

import math
from typing import Any

from bpc import syntax
from bpc.diagnostics import Problem, did_you_mean
from bpc.lower import static
from bpc.lower.context import Context, DimValue, Failed, rule
from bpc.lower.scope import POISON, Key
from bpc.ops import OPS, Expr
from bpc.source import Span
from bpc.types import show

CONSTANTS = {"pi": math.pi, "inf": math.inf}
ELEMENTWISE = {
    "+": "add", "-": "sub", "*": "mul", "/": "div", "^": "pow", "<": "lt", "<=": "le",
    ">": "gt", ">=": "ge", "==": "eq", "!=": "ne", "and": "logical_and", "or": "logical_or",
}  # fmt: skip


class Builtin(str):
    """A function of the language, as a value."""

    __slots__ = ()


class Function:
    """A `def`, with the scope that it stands in."""

    __slots__ = ("before", "node", "scope")

    def __init__(self, node: syntax.Def, scope: Any, before: int) -> None:
        self.node, self.scope, self.before = node, scope, before


def is_builtin(name: str) -> bool:
    """Whether the language has a function of this name."""
    op = OPS.get(name)
    return op is not None and op.group != "internal" and name not in ELEMENTWISE.values()


def describe(value: Any) -> str:
    """What a value is, for messages."""
    if isinstance(value, Expr):
        return f"an array of shape {show(value.shape)}" if value.shape else "a number"
    if isinstance(value, Function | Builtin):
        return "a function"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, tuple):
        return "a tuple"
    return f"`{value}`"


@rule(syntax.Number)
@rule(syntax.Truth)
@rule(syntax.Text)
def _constant(c: Context, node: Any) -> Any:
    return node.value


@rule(syntax.Name)
def _name(c: Context, node: syntax.Name) -> Any:
    value = c.scope.lookup((node.name, None))
    if value is POISON:
        raise Failed
    if value is not None:
        return static.simplest(value.size) if isinstance(value, DimValue) else value
    if c.scope.is_family(node.name):
        help = f"write the superscript, as in `{node.name}[1]`"
        return c.fail(node.span, "BP102", help, name=node.name)
    if node.name in CONSTANTS:
        return CONSTANTS[node.name]
    if is_builtin(node.name):
        return Builtin(node.name)
    return unknown(c, node.name, node.span)


def unknown(c: Context, name: str, span: Span) -> Any:
    """Report a name that nothing visible has."""
    return c.fail(span, "BP101", did_you_mean(name, sorted(c.scope.names())), name=name)


def superscript(c: Context, base: str, node: Any) -> Key:
    """The key of `base[node]`, where node must be an integer known at compile time."""
    value = c.evaluate(node)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        c.fail(node.span, "BP103", name=base)
    return base, value


def named_dim(c: Context, node: Any) -> DimValue | None:
    """The dim that an expression names, if it is just a dim's name."""
    key: Key | None = None
    if isinstance(node, syntax.Name):
        key = (node.name, None)
    elif isinstance(node, syntax.Index) and isinstance(node.base, syntax.Name):
        if c.scope.is_family(node.base.name) and len(node.items) == 1:
            key = superscript(c, node.base.name, node.items[0])
    value = c.scope.lookup(key) if key else None
    return value if isinstance(value, DimValue) else None


@rule(syntax.Tuple)
def _tuple(c: Context, node: syntax.Tuple) -> Any:
    return tuple(c.evaluate(item) for item in node.items)


def operand(c: Context, value: Any, node: syntax.Node) -> Any:
    """A value that arithmetic can take: an Expr or a number."""
    if isinstance(value, Expr) or static.is_number(value):
        return value
    return c.fail(node.span, "BP213", what=describe(value))


@rule(syntax.Binary)
def _binary(c: Context, node: syntax.Binary) -> Any:
    """Chains grow to the left and may be long: walk down them, then compute upwards."""
    spine: list[syntax.Binary] = []
    left: Any = node
    while isinstance(left, syntax.Binary):
        spine.append(left)
        left = left.left
    value = c.evaluate(left)
    span = left
    for link in reversed(spine):
        value = _apply(c, link, value, span)
        span = link
    return value


def _apply(c: Context, node: syntax.Binary, left: Any, left_node: syntax.Node) -> Any:
    if node.op in ("and", "or"):
        return _logic(c, node, left, left_node)
    right = operand(c, c.evaluate(node.right), node.right)
    left = operand(c, left, left_node)
    c.m.span = node.span
    try:
        if node.op == "@":
            return c.m.matmul(c.m.expr(left), c.m.expr(right))
        if not isinstance(left, Expr) and not isinstance(right, Expr):
            known = static.binary(node.op, left, right)
            if known is not None:
                return known
        return c.m.elementwise(ELEMENTWISE[node.op], left, right)
    except Problem as problem:
        c.record(problem, node.span)
        raise Failed from None


def _logic(c: Context, node: syntax.Binary, left: Any, left_node: syntax.Node) -> Any:
    left = truth(c, left, left_node, node.op)
    if isinstance(left, bool) and left is (node.op == "or"):
        return left
    right = truth(c, c.evaluate(node.right), node.right, node.op)
    if isinstance(left, bool):
        return right
    if isinstance(right, bool):
        return right if right is (node.op == "or") else left
    c.m.span = node.span
    try:
        return c.m.elementwise(ELEMENTWISE[node.op], left, right)
    except Problem as problem:
        c.record(problem, node.span)
        raise Failed from None


def truth(c: Context, value: Any, node: syntax.Node, where: str) -> Any:
    """A bool known at compile time, or a bool array."""
    if isinstance(value, bool) or (isinstance(value, Expr) and value.type.kind == "bool"):
        return value
    help = "compare it with something, as in `x > 0`"
    return c.fail(node.span, "BP215", help, where=where, what=describe(value))


@rule(syntax.Unary)
def _unary(c: Context, node: syntax.Unary) -> Any:
    value = c.evaluate(node.operand)
    if node.op == "not":
        value = truth(c, value, node.operand, "not")
        c.m.span = node.span
        return not value if isinstance(value, bool) else c.m.logical_not(value)
    value = operand(c, value, node.operand)
    if isinstance(value, Expr):
        c.m.span = node.span
        return -value
    return -int(value) if isinstance(value, bool) else -value


@rule(syntax.Conditional)
def _conditional(c: Context, node: syntax.Conditional) -> Any:
    """A condition known at compile time picks its branch; the other is not even looked at."""
    condition = truth(c, c.evaluate(node.condition), node.condition, "if")
    if isinstance(condition, bool):
        return c.evaluate(node.then if condition else node.otherwise)
    then = operand(c, c.evaluate(node.then), node.then)
    otherwise = operand(c, c.evaluate(node.otherwise), node.otherwise)
    c.m.span = node.span
    try:
        return c.m.select(condition, then, otherwise)
    except Problem as problem:
        c.record(problem, node.span)
        raise Failed from None


@rule(syntax.Attribute)
def _attribute(c: Context, node: syntax.Attribute) -> Any:
    value = operand(c, c.evaluate(node.base), node.base)
    if node.name != "T":
        help = "`x.T` swaps the last two axes" if isinstance(value, Expr) else None
        c.fail(node.span, "BP104", help, name=node.name, what=describe(value))
    expr = c.m.expr(value)
    rank = expr.type.rank
    c.m.span = node.span
    if rank < 2:
        c.fail(node.span, "BP206", "`.T` swaps the last two axes", name=".T")
    return c.m.emit("transpose", expr, order=(*range(rank - 2), rank - 1, rank - 2))


@rule(syntax.As)
def _as(c: Context, node: syntax.As) -> Any:
    return c.fail(node.span, "BP105", what="`as`, which names the call of a layer")
