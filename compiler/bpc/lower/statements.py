"""Rules for statements: declarations, assignments, functions, loops."""

from __future__ import annotations

from typing import Any

from bpc import syntax
from bpc.diagnostics import did_you_mean
from bpc.ir import Argument, Initialiser, Literal, Var
from bpc.lower import static
from bpc.lower.context import Context, DimValue, rule
from bpc.lower.expressions import Function, describe, superscript
from bpc.lower.roles import LARGEST, axis_of
from bpc.lower.scope import Key, Scope, spelling, text
from bpc.ops import Expr
from bpc.source import Span
from bpc.types import Size, Type, dim, show, size

#: initialisers and how many numbers each takes
INITIALISERS = {
    "zeros": 0, "ones": 0, "constant": 1, "normal": 1, "uniform": 2, "he": 0, "he_uniform": 0,
    "glorot": 0, "glorot_uniform": 0, "lecun": 0, "orthogonal": 0, "identity": 0,
}  # fmt: skip


def key_of(c: Context, target: syntax.Target) -> Key:
    """The name that a target defines."""
    if target.superscript is None:
        return target.name, None
    return superscript(c, target.name, target.superscript)


def define(c: Context, scope: Scope, key: Key, value: Any, span: Span) -> None:
    """Define a name once in its scope."""
    conflict = scope.define(key, value)
    if conflict == "again":
        c.fail(span, "BP107", _again(key), name=text(key))
    if conflict == "both":
        c.fail(span, "BP108", name=key[0])
    if conflict is not None:
        c.fail(span, "BP109", name=text(key), other=conflict, spelling=spelling(key))


def _again(key: Key) -> str:
    name = key[0]
    return f"give the second one another name, or superscripts: `{name}[1]`, `{name}[2]`"


def _only_in_file(c: Context, node: syntax.Node, what: str) -> None:
    if c.calls:
        c.fail(node.span, "BP110", what=what)


# Declarations


@rule(syntax.Dim)
def _dim(c: Context, node: syntax.Dim) -> None:
    for item in node.items:
        key = key_of(c, item.target)
        name = spelling(key)
        setting = _setting(c, key)
        if setting is not None or item.value is not None:
            value = setting if setting is not None else c.evaluate(item.value)
            span = item.value.span if item.value is not None else item.span
            if isinstance(value, Size):
                length = value
            elif isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LARGEST:
                c.fail(span, "BP402", what=describe(value))
            else:
                length = size(value)
        else:
            length = dim(name)
            c.dims[name] = item.target.span
        define(c, c.scope.home(key), key, DimValue(name, length), item.target.span)


def _setting(c: Context, key: Key) -> int | float | None:
    for name in (spelling(key), text(key)):
        if name in c.settings:
            c.used_settings.add(name)
            return c.settings[name]
    return None


@rule(syntax.Const)
def _const(c: Context, node: syntax.Const) -> None:
    for item in node.items:
        key = key_of(c, item.target)
        value = _setting(c, key)
        if value is None:
            value = c.evaluate(item.value)
        if not isinstance(value, int | float | Size):
            c.fail(item.span, "BP406", name=text(key), what=describe(value))
        define(c, c.scope.home(key), key, value, item.target.span)


def _type(c: Context, node: syntax.TypeExpr | None) -> Type:
    if node is None:
        return Type("real")
    return Type(node.kind, tuple(axis_of(c, item) for item in node.shape))


@rule(syntax.Input)
def _input(c: Context, node: syntax.Input) -> None:
    _only_in_file(c, node, "input")
    for item in node.items:
        key, type, sample = _declared(c, item)
        if item.initialiser is not None:
            c.fail(item.initialiser.span, "BP111", name=text(key))
        var = Var(spelling(key), type, named=True)
        define(c, c.scope.home(key), key, Expr(c.m, var), item.target.span)
        c.inputs.append(Argument(spelling(key), var, item.target.span, sample=sample))


@rule(syntax.Param)
def _param(c: Context, node: syntax.Param) -> None:
    _only_in_file(c, node, "param")
    for item in node.items:
        key, type, value = _declared(c, item)
        if type.kind != "real":
            c.fail(item.span, "BP112", name=text(key), kind=type.kind)
        initialiser = Initialiser("zeros")
        if item.initialiser is not None:
            if item.value is not None:
                c.fail(item.initialiser.span, "BP113", name=text(key))
            initialiser = _initialiser(c, item.initialiser, type)
        elif value is not None:
            initialiser = Initialiser("constant", (float(value),))
        var = Var(spelling(key), type, named=True)
        define(c, c.scope.outermost_round(), key, Expr(c.m, var), item.target.span)
        c.params.append(Argument(spelling(key), var, item.target.span, initialiser))


def _declared(
    c: Context, item: syntax.Declarator
) -> tuple[Key, Type, float | int | bool | None]:
    """Name, type, and the sample or initial value."""
    key = key_of(c, item.target)
    type = _type(c, item.type)
    if item.value is None:
        return key, type, None
    value = c.evaluate(item.value)
    fits = {
        "real": isinstance(value, int | float) and not isinstance(value, bool),
        "int": isinstance(value, int) and not isinstance(value, bool),
        "bool": isinstance(value, bool),
    }
    if not fits[type.kind]:
        c.fail(item.value.span, "BP407", name=text(key), kind=type.kind, what=describe(value))
    return key, type, float(value) if type.kind == "real" else value


def _initialiser(c: Context, node: Any, type: Type) -> Initialiser:
    head = node.function if isinstance(node, syntax.Call) else node
    name = head.name if isinstance(head, syntax.Name) else head.span.text
    if name not in INITIALISERS:
        help = did_you_mean(name, INITIALISERS) or f"there are {', '.join(INITIALISERS)}"
        c.fail(head.span, "BP114", help, name=name)
    numbers = []
    for argument in node.arguments if isinstance(node, syntax.Call) else ():
        value = c.evaluate(argument.value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            c.fail(argument.span, "BP311", name=name, what="a number", found=describe(value))
        numbers.append(float(value))
    if len(numbers) != INITIALISERS[name]:
        takes = f"{INITIALISERS[name]} number{'' if INITIALISERS[name] == 1 else 's'}"
        c.fail(node.span, "BP306", name=name, takes=takes, given=len(numbers))
    square = type.rank == 2 and type.shape[0] == type.shape[1]
    if (name == "identity" and not square) or (name == "orthogonal" and type.rank < 2):
        c.fail(node.span, "BP115", name=name, shape=show(type.shape))
    return Initialiser(name, tuple(numbers))


# Equations


def named(c: Context, value: Any, key: Key, mark: int) -> Any:
    """The value under a name of the source: the variable that was just computed is renamed.

    Names of values that are older, or are numbers, become an identity.
    """
    if not isinstance(value, Expr):
        return value
    body, name = c.m.body, spelling(key)
    atom = value.atom
    if isinstance(atom, Literal) and not atom.type.rank:
        return value
    fresh = [i for i in range(mark, len(body)) if atom in body[i].outs]
    if not fresh or atom.named:  # type: ignore[union-attr]
        result: Expr = c.m.emit("identity", value)
        return named(c, result, key, len(body) - 1)
    renamed = Var(name, atom.type, named=True)
    for i in range(fresh[0], len(body)):
        old = body[i]
        if atom in old.outs or atom in old.args:
            body[i] = type(old)(
                old.op,
                tuple(renamed if a is atom else a for a in old.args),
                tuple(renamed if o is atom else o for o in old.outs),
                c.m.span if atom in old.outs else old.span,
                old.attrs,
                old.adjoint,
            )
    return Expr(c.m, renamed)


@rule(syntax.Assign)
def _assign(c: Context, node: syntax.Assign) -> None:
    keys = [key_of(c, target) for target in node.targets]
    mark = len(c.m.body)
    c.m.hint = spelling(keys[0])
    value = c.evaluate(node.value)
    if len(keys) == 1:
        _store(c, keys[0], value, node.targets[0].span, node, mark)
        return
    if not isinstance(value, tuple) or len(value) != len(keys):
        found = f"{len(value)} values" if isinstance(value, tuple) else describe(value)
        c.fail(node.value.span, "BP116", wanted=len(keys), found=found)
    for key, part, target in zip(keys, value, node.targets):
        _store(c, key, part, target.span, node, mark)


def _store(
    c: Context, key: Key, value: Any, span: Span, node: syntax.Node, mark: int
) -> None:
    c.m.span = node.span
    scope = c.scope.home(key)
    define(c, scope, key, value, span)
    scope.values[key] = named(c, value, key, mark)


def _expression(c: Context, target: syntax.Target, node: Any, statement: Any) -> tuple[Key, Any]:
    """Evaluate `target = node` and define it; the key and its value."""
    key = key_of(c, target)
    mark = len(c.m.body)
    c.m.hint = spelling(key)
    value = c.evaluate(node)
    if not isinstance(value, Expr) and not static.is_number(value):
        c.fail(node.span, "BP213", what=describe(value))
    _store(c, key, value, target.span, statement, mark)
    return key, c.scope.lookup(key)


@rule(syntax.Cost)
def _cost(c: Context, node: syntax.Cost) -> None:
    _only_in_file(c, node, "cost")
    if c.cost is not None:
        c.fail(node.span, "BP117", f"the first one is in line {c.cost.span.line}")
    c.cost = node
    key, value = _expression(c, node.target, node.value, node)
    expr = c.m.expr(value)
    if expr.type.rank:
        help = "reduce it, as in `cost J = mean(...)`"
        c.fail(node.value.span, "BP224", help, shape=show(expr.shape))
    if expr.type.kind != "real":
        expr = c.m.real(expr)
        expr = named(c, expr, key, len(c.m.body) - 1)
    c.costs.append((spelling(key), expr))


@rule(syntax.Output)
def _output(c: Context, node: syntax.Output) -> None:
    _only_in_file(c, node, "output")
    for target, value in node.items:
        if value is not None:
            key, found = _expression(c, target, value, node)
        else:
            key = key_of(c, target)
            if key[1] is None:
                found = c.evaluate(syntax.Name(target.span, target.name))
            else:
                found = c.scope.lookup(key)
            if found is None or not (isinstance(found, Expr) or static.is_number(found)):
                close = did_you_mean(text(key), sorted(c.scope.names()))
                c.fail(target.span, "BP101", close, name=text(key))
        if any(name == spelling(key) for name, _ in c.outputs):
            c.fail(target.span, "BP118", name=text(key))
        c.outputs.append((spelling(key), c.m.expr(found)))


@rule(syntax.Def)
def _def(c: Context, node: syntax.Def) -> None:
    if node.owns_parameters:
        c.fail(node.span, "BP105", what="`layer`")
    names = [p.name for p in node.parameters]
    for i, name in enumerate(names):
        if name in names[:i]:
            c.fail(node.parameters[i].span, "BP310", name=node.name.name, argument=name)
    key = (node.name.name, None)
    function = Function(node, c.scope, 0)
    define(c, c.scope, key, function, node.name.span)
    function.before = c.scope.order[key] + 1


@rule(syntax.Return)
def _return(c: Context, node: syntax.Return) -> Any:
    if not c.calls:
        c.fail(node.span, "BP119")
    return c.evaluate(node.value)


@rule(syntax.For)
def _for(c: Context, node: syntax.For) -> Any:
    bounds = []
    for bound in (node.low, node.high):
        value = c.evaluate(bound)
        if isinstance(value, bool) or not isinstance(value, int):
            help = "a free dim is known only when called; `--set` or `dim N = 8` fixes it"
            c.fail(bound.span, "BP408", help if isinstance(value, Size) else None)
        bounds.append(value)
    outer = c.scope
    c.rounds += 1
    try:
        for i in range(bounds[0], bounds[1] + 1):
            c.step(node.span)
            c.scope = outer.inner(local=True)
            c.scope.define((node.variable.name, None), i)
            result = c.execute(node.body)
            if result is not None:
                return result
    finally:
        c.rounds -= 1
        c.scope = outer
    return None


@rule(syntax.Scan)
def _scan(c: Context, node: syntax.Scan) -> None:
    c.fail(node.span, "BP105", what="`scan`")


@rule(syntax.Emit)
def _emit(c: Context, node: syntax.Emit) -> None:
    c.fail(node.span, "BP120")


@rule(syntax.Use)
def _use(c: Context, node: syntax.Use) -> None:
    c.fail(node.span, "BP105", what="`use`")

