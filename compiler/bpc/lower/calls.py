"""Rules for calls: the user's functions are inlined, the language's get their arguments by role."""

from __future__ import annotations

from inspect import Parameter
from inspect import signature as python_signature
from typing import Any

from bpc import syntax
from bpc.diagnostics import Problem, did_you_mean
from bpc.lower import static
from bpc.lower.context import Context, DimValue, Failed, rule
from bpc.lower.expressions import Builtin, Function, describe, is_builtin, named_dim
from bpc.lower.roles import ROLES
from bpc.lower.scope import POISON
from bpc.ops import OPS, Expr
from bpc.ops.fold import evaluate_equation
from bpc.ops.networks import LATER

MOST_CALLS = 100
KEYWORDS = ("x", "y", "z")


@rule(syntax.Call)
def _call(c: Context, node: syntax.Call) -> Any:
    function = _function(c, node.function)
    if isinstance(function, Function):
        return inline(c, function, node)
    if isinstance(function, Builtin):
        return _builtin(c, str(function), node)
    return c.fail(node.function.span, "BP303", what=describe(function))


def _function(c: Context, node: Any) -> Any:
    """What is called. A name skips values that are no functions."""
    if not isinstance(node, syntax.Name):
        return c.evaluate(node)
    hidden = None
    for scope, visible in c.scope.chain():
        found = scope.values.get((node.name, None))
        if found is not None and scope.order[node.name, None] < visible:
            if isinstance(found, Function | Builtin):
                return found
            hidden = hidden or found
    if is_builtin(node.name):
        return Builtin(node.name)
    if hidden is POISON:
        raise Failed
    if hidden is not None:
        return hidden.size if isinstance(hidden, DimValue) else hidden
    if node.name in LATER:
        c.fail(node.span, "BP302", name=node.name)
    functions = {n for n in OPS if is_builtin(n)} | c.scope.functions(Function)
    return c.fail(node.span, "BP301", did_you_mean(node.name, sorted(functions)), name=node.name)


def inline(c: Context, function: Function, node: syntax.Call) -> Any:
    """The body of a `def`, with the arguments bound in a scope of its own."""
    definition = function.node
    name = definition.name.name
    if any(f is function for f, _ in c.calls):
        c.fail(node.span, "BP304", name=name)
    if len(c.calls) >= MOST_CALLS:
        c.fail(node.span, "BP404", limit=MOST_CALLS)
    given = _bind(c, node, name, [p.name for p in definition.parameters])
    for p in definition.parameters:
        if p.name not in given and p.default is None:
            c.fail(node.span, "BP307", name=name, argument=p.name)
    values = {key: named_dim(c, a.value) or c.evaluate(a.value) for key, a in given.items()}
    outer, hint = c.scope, c.m.hint
    c.scope = function.scope.inner(before=function.before)
    c.calls.append((function, node.span))
    try:
        for p in definition.parameters:
            value = values[p.name] if p.name in values else c.evaluate(p.default)
            c.scope.define((p.name, None), value)
        result = c.execute(definition.body)
    finally:
        c.calls.pop()
        c.scope, c.m.hint = outer, hint
    if result is None:
        c.fail(definition.name.span, "BP305", name=name)
    return result


def _bind(
    c: Context, node: syntax.Call, name: str, names: list[str], rest: int | None = None
) -> dict[str, syntax.Argument]:
    """Arguments by the names of the parameters; positional ones from `rest` on are left out."""
    given: dict[str, syntax.Argument] = {}
    named = False
    for position, argument in enumerate(node.arguments):
        key = argument.name
        if key is None:
            if named:
                c.fail(argument.span, "BP308")
            if rest is not None and position >= rest:
                continue
            if position >= len(names):
                takes = f"{len(names)} argument{'' if len(names) == 1 else 's'}"
                c.fail(node.span, "BP306", name=name, takes=takes, given=len(node.arguments))
            key = names[position]
        elif key not in names:
            help = did_you_mean(key, names) or f"it takes {', '.join(names) or 'no names'}"
            c.fail(argument.span, "BP309", help, name=name, argument=key)
        named = named or argument.name is not None
        if key in given:
            c.fail(argument.span, "BP310", name=name, argument=key)
        given[key] = argument
    return given


def signature(name: str) -> tuple[Parameter, ...]:
    """The arguments of a function of the language, each annotated with the name of its role."""
    op = OPS[name]
    if op.call is not None:
        return tuple(python_signature(op.call).parameters.values())[1:]
    names = ("x", "lo", "hi") if name == "clip" else KEYWORDS[: len(op.domain)]
    kind = Parameter.POSITIONAL_OR_KEYWORD
    return tuple(Parameter(n, kind, annotation="Value") for n in names)


def _builtin(c: Context, name: str, node: syntax.Call) -> Any:
    """Values first: the roles of the others (an axis, a label) are read against the first one."""
    parameters = signature(name)
    rest = next((p for p in parameters if p.kind is p.VAR_POSITIONAL), None)
    fixed = [p for p in parameters if p is not rest]
    leading = [p for p in fixed if p.kind is p.POSITIONAL_OR_KEYWORD]
    given = _bind(c, node, name, [p.name for p in fixed], len(leading) if rest else None)
    extra = [a for a in node.arguments if a.name is None][len(leading) :] if rest else []
    for p in [*fixed, *([rest] if rest and rest.annotation == "Value" and not extra else [])]:
        if p.name not in given and p.default is p.empty:
            help = f"`bpc ops {name}` tells what it takes"
            c.fail(node.span, "BP307", help, name=name, argument=p.name.rstrip("s"))
    values: dict[str, Any] = {}
    pairs = [(p, given[p.name]) for p in fixed if p.name in given]
    many = [(rest, a) for a in extra if rest is not None]
    tail: list[Any] = []
    first: Expr | None = None
    order = sorted(
        [*((p, a, False) for p, a in pairs), *((p, a, True) for p, a in many)],
        key=lambda t: t[0].annotation not in ("Value", "Bool"),
    )
    for p, argument, is_extra in order:
        value = ROLES[p.annotation](c, name, argument.value, first)
        first = first if first is not None or not isinstance(value, Expr) else value
        if is_extra:
            tail += value if p.annotation == "Shape" else [value]
        else:
            values[p.name] = value
    for p in fixed:
        if p.name not in values and p.annotation in ("Axis", "Axes", "NewAxis"):
            values[p.name] = ROLES[p.annotation](c, name, p.default, first, node.span)
    return _invoke(c, name, node, [values.pop(p.name) for p in leading if rest] + tail, values)


def _invoke(
    c: Context, name: str, node: syntax.Call, values: list[Any], named: dict[str, Any]
) -> Any:
    op, m = OPS[name], c.m
    m.span = node.span
    mark = len(m.body)
    try:
        if op.call is not None:
            result = op.call(m, *values, **named)
        else:
            result = m.elementwise(name, *named.values())
    except Problem as problem:
        c.record(problem, node.span)
        raise Failed from None
    if not isinstance(result, Expr) or result.type.rank:
        return static.simplest(result)
    return _known(c, node, result, mark)


def _known(c: Context, node: syntax.Call, result: Expr, mark: int) -> Any:
    """A scalar that was computed of numbers alone is a number still."""
    numbers: dict[Any, Any] = {}
    for equation in c.m.body[mark:]:
        value = evaluate_equation(equation, numbers)
        if value is None:
            return result
        numbers[equation.out] = value
    if result.atom in numbers:
        value = numbers[result.atom]
    elif result.number is not None and len(c.m.body) == mark:
        return result.number
    else:
        return result
    del c.m.body[mark:]
    try:
        return static.checked(value, (), name_of(node))
    except Problem as problem:
        c.record(problem, node.span)
        raise Failed from None


def name_of(node: syntax.Call) -> str:
    """The text of what is called."""
    return node.function.span.text
