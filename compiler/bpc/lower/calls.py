"""Rules for calls: the user's functions are inlined, the language's get their arguments by role."""

from __future__ import annotations

from functools import partial
from inspect import Parameter
from inspect import signature as python_signature
from typing import Any

from bpc import lib, syntax
from bpc.diagnostics import Problem, clip
from bpc.ir import Equation
from bpc.lower import static
from bpc.lower.arguments import bind
from bpc.lower.context import Context, Failed, rule
from bpc.lower.expressions import is_builtin
from bpc.lower.layers import CallName, begin, layers_of
from bpc.lower.naming import elsewhere, key_of, use
from bpc.lower.roles import ROLES, default
from bpc.lower.scope import Key
from bpc.lower.values import Builtin, Function, describe_kind, simplest
from bpc.ops import OPS, Expr
from bpc.ops.fold import evaluate_equation
from bpc.source import Span

MOST_CALLS = 100
RECURSION = "functions are inlined, so recursion has no end; `for` repeats"
KEYWORDS = ("x", "y", "z")
VALUES = ("Value", "Bool")
AXES = ("Axis", "Axes", "NewAxis")


@rule(syntax.Call)
def call(c: Context, node: syntax.Call, name: CallName | None = None) -> Any:
    """The value of a call, which has the name if it is that of a layer."""
    function = _function(c, node.function)
    if name is not None and name.explicit and not _is_layer(function):
        _no_layer(c, function, node, name.span)
    if isinstance(function, Function):
        return inline(c, function, node, name)
    if isinstance(function, Builtin):
        return _builtin(c, function.name, node)
    text = clip(node.function.span.text)
    return c.fail(node.function.span, "BP303", name=text, what=describe_kind(function))


@rule(syntax.As)
def _as(c: Context, node: syntax.As) -> Any:
    name = CallName(key_of(c, node.target), node.target.span, explicit=True)
    return c.meaning(node.value, partial(call, name=name))


def right_side(c: Context, node: Any, key: Key, span: Span) -> Any:
    """The value of a right side; where that is the call of a layer, the target names it."""
    return c.meaning(node, partial(call, name=CallName(key, span)) if _calls(node) else None)


def _calls(node: Any) -> bool:
    return isinstance(node, syntax.Call)


def _is_layer(function: Any) -> bool:
    return isinstance(function, Function) and function.is_layer


def _no_layer(c: Context, function: Any, node: syntax.Call, span: Span) -> None:
    """Refuse a name for a call that owns nothing."""
    help = "the target of an assignment names its value"
    if isinstance(function, Function):
        help = f"declared as `layer {function.name}`, its calls have names"
    name = clip(node.function.span.text)
    c.fail(span, "BP134", help, name=name, what=describe_kind(function))


def _function(c: Context, node: Any) -> Any:
    """What is called. A name skips values that are no functions."""
    if not isinstance(node, syntax.Name):
        return c.evaluate(node)
    owners: list[object] = []
    for scope, visible in c.scope.chain():
        found = scope.values.get((node.name, None))
        if isinstance(found, Function | Builtin) and scope.order[node.name, None] < visible:
            if any(owner is found for owner in owners):
                c.fail(node.span, "BP304", RECURSION, name=node.name)
            return found
        owners.append(scope.owner)
    hidden = use(c.scope.lookup((node.name, None)))
    if is_builtin(node.name):
        return Builtin(node.name)
    if hidden is not None:
        return hidden
    if node.name in c.model.lost:
        raise Failed
    return c.fail(node.span, "BP301", _similar(c, node), name=node.name)


def _similar(c: Context, node: syntax.Name) -> str | None:
    functions = {n for n in OPS if is_builtin(n)} | {*c.scope.visible((Function, Builtin))}
    for library in lib.NAMES:
        model = c.library(library)
        if model is not None and any(node.name == d.name.name for d in layers_of(model)):
            name = f"{library}.{node.name}"
            used = c.is_module(library)
            return f"did you mean `{name}`?" if used else f"`use {library}` brings in `{name}`"
    return c.suggest(node.name, functions) or elsewhere(c, node.name, node.span)


def inline(c: Context, function: Function, node: syntax.Call, called: CallName | None) -> Any:
    """The body of a `def` or `layer`, with the arguments bound in a scope of its own."""
    definition = function.node
    name = function.name
    if len(c.calls) >= MOST_CALLS:
        c.fail(node.span, "BP404", limit=MOST_CALLS)
    given = bind(c, node, name, [p.name for p in definition.parameters])
    for p in definition.parameters:
        if p.name not in given and p.default is None:
            help = f"it takes {', '.join(p.name for p in definition.parameters)}"
            c.fail(node.span, "BP307", help, name=name, argument=p.name)
    values = {key: c.meaning(a.value) for key, a in given.items()}
    outer, hint, owner = c.scope, c.m.hint, c.owner
    instance = begin(c, function, node, called) if function.is_layer else owner
    c.owner, c.scope = instance, function.scope.body(function, function.before)
    instance.scopes.append(c.scope)
    if called is not None and called.explicit:
        c.m.hint = instance.prefix.removesuffix(".")
    c.calls.append((function, node.span))
    c.m.calls = (*c.m.calls, node.span)
    try:
        for p in definition.parameters:
            value = values[p.name] if p.name in values else c.meaning(p.default)
            c.scope.define((p.name, None), value)
        result = c.execute(definition.body)
        own_name = called is not None and called.explicit and isinstance(result, Expr)
        if own_name and result.atom not in c.names:
            c.m.hint = instance.prefix.removesuffix(".")
            result = c.m.called(result)
    except Failed:
        instance.failed = True
        raise
    finally:
        c.calls.pop()
        c.m.calls = c.m.calls[:-1]
        instance.scopes.pop()
        c.scope, c.m.hint, c.owner = outer, hint, owner
    if result is None:
        _no_result(c, function)
    return result


def _no_result(c: Context, function: Function) -> None:
    """Unless its `return` is a statement that could not be read."""
    definition = function.node
    start, end = definition.span.start, definition.span.end
    if any(start <= d.span.start < end for d in c.diagnostics):
        raise Failed
    help = "a block ends with `return ...`"
    c.fail(definition.name.span, "BP305", help, name=function.name)


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
    given = bind(c, node, name, [p.name for p in fixed], len(leading) if rest else None)
    positional = [a for a in node.arguments if a.name is None]
    read = [(p, given[p.name]) for p in fixed if p.name in given]
    if rest is not None:
        read += [(rest, a) for a in positional[len(leading) :]]
    _check_complete(c, name, node, parameters, {p.name for p, _ in read})
    values: dict[str, Any] = {}
    tail: list[Any] = []
    first: Expr | None = None
    for p, argument in sorted(read, key=lambda pair: pair[0].annotation not in VALUES):
        value = ROLES[p.annotation](c, name, argument.value, first)
        first = value if first is None and isinstance(value, Expr) else first
        if p is rest:
            tail += value if p.annotation == "Shape" else [value]
        else:
            values[p.name] = value
    for p in fixed:
        if p.name not in values and p.annotation in AXES:
            values[p.name] = default(c, p.annotation, name, p.default, first, node.span)
    return _invoke(c, name, node, [values.pop(p.name) for p in leading if rest] + tail, values)


def _check_complete(
    c: Context, name: str, node: syntax.Call, parameters: tuple[Parameter, ...], given: set[str]
) -> None:
    """Nothing is missing that has no default; of the values in a row there is one at least."""
    for p in parameters:
        many = p.kind is p.VAR_POSITIONAL
        wanted = p.annotation == "Value" if many else p.default is p.empty
        if wanted and p.name not in given:
            takes = ["x, ..." if q.kind is q.VAR_POSITIONAL else q.name for q in parameters]
            help = f"it takes {', '.join(takes)}"
            c.fail(node.span, "BP307", help, name=name, argument="x" if many else p.name)


def _invoke(
    c: Context, name: str, node: syntax.Call, values: list[Any], named: dict[str, Any]
) -> Any:
    op, m = OPS[name], c.m
    m.span = node.span
    mark = len(m.body)
    if op.call is not None:
        result = op.call(m, *values, **named)
    else:
        result = m.elementwise(name, *named.values())
    for equation in m.body[mark:]:
        _check_sizes(equation)
    if not isinstance(result, Expr) or result.type.rank:
        return simplest(result)
    numbers = [v.number for v in (*values, *named.values()) if isinstance(v, Expr)]
    return _known(c, name, result, mark, tuple(n for n in numbers if n is not None))


def _check_sizes(equation: Equation) -> None:
    """Refuse what no call could compute; what only a call can tell, the generated module checks."""
    requires = OPS[equation.op].requires
    if requires is not None:
        for length, what in requires(*(a.type for a in equation.args), **dict(equation.attrs)):
            if length.value is not None and length.value < 0:
                raise Problem("BP237", what=what)


def _known(c: Context, name: str, result: Expr, mark: int, given: tuple[Any, ...]) -> Any:
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
    return static.checked(value, given, name)
