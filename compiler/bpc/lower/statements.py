"""Rules for statements: equations, the cost, outputs, functions, loops."""

from __future__ import annotations

from typing import Any

from bpc import syntax
from bpc.ir import Literal, Var
from bpc.lower.calls import right_side
from bpc.lower.context import Context, rule
from bpc.lower.declarations import in_a_loop, only_in_file
from bpc.lower.expressions import operand
from bpc.lower.naming import define, key_of
from bpc.lower.roles import check_rank
from bpc.lower.scope import Key, spelling, text
from bpc.lower.values import Function, is_integer, known
from bpc.ops import Expr
from bpc.source import Span
from bpc.types import Size, show

# Equations


def named(c: Context, value: Any, key: Key, mark: int) -> Any:
    """The value under a name of the source: what was computed since `mark` takes the name.

    Values that are older, or have a name already, get an equation that names them.
    """
    if not isinstance(value, Expr) or (isinstance(value.atom, Literal) and not value.type.rank):
        return value
    atom = value.atom
    fresh = any(equation.outs == (atom,) for equation in c.m.body[mark:])
    if not fresh or atom in c.names:
        value = c.m.emit("identity", value)
    c.names[value.atom] = Var(c.variable(key), value.type, named=True), c.m.span
    return value


@rule(syntax.Assign)
def _assign(c: Context, node: syntax.Assign) -> None:
    keys = [key_of(c, target) for target in node.targets]
    mark = len(c.m.body)
    c.m.hint = c.owner.prefix + spelling(keys[0])
    if len(keys) == 1:
        value: Any = (right_side(c, node.value, keys[0], node.targets[0].span),)
    else:
        value = c.meaning(node.value)
        if not isinstance(value, tuple) or len(value) != len(keys):
            found = f"{len(value)} values" if isinstance(value, tuple) else "one value"
            c.fail(node.value.span, "BP116", wanted=len(keys), found=found)
    for key, part, target in zip(keys, value, node.targets):
        _store(c, key, part, target.span, node, mark)


def _store(c: Context, key: Key, value: Any, span: Span, node: syntax.Node, mark: int) -> Any:
    c.m.span = node.span
    if isinstance(value, Expr):
        check_rank(c, value.type.rank, node.span)
    scope = c.scope.home(key)
    define(c, scope, key, value, span)
    scope.values[key] = value = named(c, value, key, mark)
    return value


def _equation(c: Context, target: syntax.Target, node: Any, statement: Any) -> tuple[Key, Any]:
    """Evaluate `target = node`, a number or an array, and define it; the key and its value."""
    key = key_of(c, target)
    mark = len(c.m.body)
    c.m.hint = c.owner.prefix + spelling(key)
    value = operand(c, known(right_side(c, node, key, target.span)), node)
    return key, _store(c, key, value, target.span, statement, mark)


@rule(syntax.Cost)
def _cost(c: Context, node: syntax.Cost) -> None:
    only_in_file(c, node, "cost")
    if c.cost is not None:
        help = f"the first one is in line {c.cost.span.line}; add them up into one"
        c.fail(node.span, "BP117", help)
    c.cost = node
    key, value = _equation(c, node.target, node.value, node)
    expr = c.m.expr(value)
    if expr.type.rank:
        help = "reduce it, as in `cost J = mean(...)`"
        c.fail(node.value.span, "BP224", help, shape=show(expr.shape))
    if expr.type.kind != "real":
        expr = named(c, c.m.real(expr), key, len(c.m.body) - 1)
    c.costs.append((spelling(key), expr))


@rule(syntax.Output)
def _output(c: Context, node: syntax.Output) -> None:
    only_in_file(c, node, "output")
    for target, value in node.items:
        if value is not None:
            key, found = _equation(c, target, value, node)
        else:
            key, found = key_of(c, target), _existing(c, target)
        if spelling(key) in c.outputs:
            c.fail(target.span, "BP118", name=text(key))
        c.outputs[spelling(key)] = c.m.expr(found)


def _existing(c: Context, target: syntax.Target) -> Any:
    """The value that `output p` names."""
    name = node = syntax.Name(target.span, target.name)
    if target.superscript is not None:
        node = syntax.Index(target.span, name, (target.superscript,))  # type: ignore[assignment]
    return operand(c, c.evaluate(node), node)


# Functions and loops


@rule(syntax.Def)
def _def(c: Context, node: syntax.Def) -> None:
    names = [p.name for p in node.parameters]
    for i, name in enumerate(names):
        if name in names[:i]:
            c.fail(node.parameters[i].span, "BP310", name=node.name.name, argument=name)
    key = (node.name.name, None)
    function = Function(node, c.scope, c.scope.clock[0] + 2, node.name.name)
    define(c, c.scope, key, function, node.name.span)


@rule(syntax.Return)
def _return(c: Context, node: syntax.Return) -> Any:
    in_a_loop(c, node, "return")
    if not c.calls:
        c.fail(node.span, "BP119")
    return c.meaning(node.value)


@rule(syntax.For)
def _for(c: Context, node: syntax.For) -> Any:
    low, high = (_bound(c, bound) for bound in (node.low, node.high))
    outer = c.scope
    c.rounds += 1
    try:
        for i in range(low, high + 1):
            c.step(node.span)
            c.scope = outer.round(i)
            c.scope.define((node.variable.name, None), i)
            result = c.execute(node.body)
            if result is not None:
                return result
    finally:
        c.rounds -= 1
        c.scope = outer
    return None


def _bound(c: Context, node: Any) -> int:
    value = c.evaluate(node)
    if not is_integer(value):
        help = "a free dim is known only when called; `--set` or `dim N = 8` fixes it"
        c.fail(node.span, "BP408", help if isinstance(value, Size) else None)
    return int(value)
