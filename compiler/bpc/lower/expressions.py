"""Rules for expressions: numbers, names, operators, conditions."""

from __future__ import annotations

import math
from typing import Any

from bpc import syntax
from bpc.diagnostics import Problem, clip, did_you_mean
from bpc.lower import static
from bpc.lower.context import Context, rule
from bpc.lower.index import subscript
from bpc.lower.instances import Instance
from bpc.lower.layers import attribute, missing, no_value, resolve
from bpc.lower.naming import NO_EXPRESSION, superscript, unknown, use
from bpc.lower.scope import text
from bpc.lower.values import (
    Builtin,
    DimValue,
    Function,
    Module,
    describe,
    describe_kind,
    is_number,
    simplest,
)
from bpc.ops import OPS, Expr
from bpc.types import show

CONSTANTS = {"pi": math.pi, "inf": math.inf}
ELEMENTWISE = {
    "+": "add", "-": "sub", "*": "mul", "/": "div", "^": "pow", "<": "lt", "<=": "le",
    ">": "gt", ">=": "ge", "==": "eq", "!=": "ne", "and": "logical_and", "or": "logical_or",
}  # fmt: skip


def is_builtin(name: str) -> bool:
    """Whether the language has a function of this name."""
    op = OPS.get(name)
    return op is not None and op.group not in ("internal", "arithmetic")


@rule(syntax.Number)
@rule(syntax.Truth)
@rule(syntax.Text)
def _constant(c: Context, node: Any) -> Any:
    return node.value


@rule(syntax.Name)
def _name(c: Context, node: syntax.Name) -> Any:
    value = use(c.scope.lookup((node.name, None)))
    if value is not None:
        return value
    if c.scope.is_family(node.name):
        help = f"write the superscript, as in `{node.name}[1]`"
        return c.fail(node.span, "BP102", help, name=node.name)
    if node.name in CONSTANTS:
        return CONSTANTS[node.name]
    if is_builtin(node.name):
        return Builtin(node.name)
    instance = use(c.scope.instance((node.name, None)))
    if instance is not None:
        return no_value(c, instance, node.span)
    calls = c.scope.instance_keys(node.name)
    if calls:
        help = f"write the superscript, as in `{text(calls[0])}`"
        return c.fail(node.span, "BP102", help, name=node.name)
    return unknown(c, (node.name, None), node.span)


@rule(syntax.Index)
def _index(c: Context, node: syntax.Index) -> Any:
    """A name with its superscript, an entry of a tuple, or an index into an array."""
    if isinstance(node.base, syntax.Name) and c.scope.is_family(node.base.name):
        if len(node.items) != 1:
            c.fail(node.span, "BP103", name=node.base.name)
        key = superscript(c, node.base.name, node.items[0])
        value = use(c.scope.lookup(key))
        return unknown(c, key, node.span) if value is None else value
    if not _is_value(c, node.base):
        found = resolve(c, node)
        if isinstance(found, Expr):
            return found
        if isinstance(found, Instance):
            return no_value(c, found, node.span)
        missing(c, node)
    value = c.evaluate(node.base)
    if isinstance(value, tuple):
        return _entry(c, node, value)
    return subscript(c, node, c.m.expr(operand(c, value, node.base)))


def _is_value(c: Context, base: Any) -> bool:
    """Whether a plain name means a value, so that its index is one whatever calls are named."""
    value = c.scope.lookup((base.name, None)) if isinstance(base, syntax.Name) else None
    return value is not None and not isinstance(value, Function)


def _entry(c: Context, node: syntax.Index, value: tuple[Any, ...]) -> Any:
    item = node.items[0]
    plain = len(node.items) == 1 and not isinstance(item, NO_EXPRESSION)
    i = c.evaluate(item) if plain else None
    if not isinstance(i, int) or isinstance(i, bool) or not -len(value) <= i < len(value):
        return c.fail(node.span, "BP106", length=len(value))
    return value[i]


@rule(syntax.Tuple)
def _tuple(c: Context, node: syntax.Tuple) -> Any:
    return tuple([c.meaning(item) for item in node.items])


def operand(c: Context, value: Any, node: syntax.Node) -> Any:
    """A value that arithmetic can take: an Expr or a number."""
    if isinstance(value, Expr) or is_number(value):
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
        try:
            value = _apply(c, link, value, span)
        except Problem as problem:
            c.give_up(problem, link.span)
        span = link
    return value


def _apply(c: Context, node: syntax.Binary, left: Any, left_node: syntax.Node) -> Any:
    if node.op in ("and", "or"):
        return _logic(c, node, left, left_node)
    right = operand(c, c.evaluate(node.right), node.right)
    left = operand(c, left, left_node)
    c.m.span = node.span
    if node.op == "@":
        return c.m.matmul(c.m.expr(left), c.m.expr(right))
    if not isinstance(left, Expr) and not isinstance(right, Expr):
        value = static.binary(node.op, left, right)
        if value is not None:
            return value
    return c.m.elementwise(ELEMENTWISE[node.op], left, right)


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
    return c.m.elementwise(ELEMENTWISE[node.op], left, right)


def truth(c: Context, value: Any, node: syntax.Node, where: str) -> Any:
    """A bool known at compile time, or a bool array."""
    if isinstance(value, bool) or (isinstance(value, Expr) and value.type.kind == "bool"):
        return value
    help = "compare it with something, as in `x > 0`"
    return c.fail(node.span, "BP215", help, where=where, what=describe_kind(value))


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
        return c.meaning(node.then if condition else node.otherwise)
    then = operand(c, c.evaluate(node.then), node.then)
    otherwise = operand(c, c.evaluate(node.otherwise), node.otherwise)
    c.m.span = node.span
    return c.m.select(condition, then, otherwise)


@rule(syntax.Attribute)
def _attribute(c: Context, node: syntax.Attribute) -> Any:
    param = attribute(c, node)
    if param is not None:
        return param
    base = c.evaluate(node.base)
    if isinstance(base, Module):
        return _function(c, node, base)
    value = operand(c, base, node.base)
    if node.name == "shape":
        return tuple(
            [
                DimValue(a.label, a.size) if a.label else simplest(a.size)
                for a in c.m.expr(value).shape
            ]
        )
    if node.name != "T":
        help = "`x.T` swaps the last two axes"
        if is_builtin(node.name):
            help = f"`{node.name}` is a function: write `{node.name}({clip(node.base.span.text)})`"
        c.fail(node.span, "BP104", help, name=node.name, what=describe(value))
    expr = c.m.expr(value)
    rank = expr.type.rank
    c.m.span = node.span
    if rank < 2:
        help = "`.T` swaps the last two axes"
        c.fail(node.span, "BP206", help, name=".T", shape=show(expr.shape))
    return c.m.emit("transpose", expr, order=(*range(rank - 2), rank - 1, rank - 2))


def _function(c: Context, node: syntax.Attribute, module: Module) -> Function:
    """`nn.dense`: a function of a library."""
    if node.name in module.functions:
        return module.functions[node.name]
    names = [f"{module.name}.{name}" for name in module.functions]
    help = did_you_mean(f"{module.name}.{node.name}", names) or f"it has {', '.join(names)}"
    if is_builtin(node.name):
        help = f"`{node.name}` needs no library: write `{node.name}(...)`"
    return c.fail(node.span, "BP104", help, name=node.name, what=describe(module))
