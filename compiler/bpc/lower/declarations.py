"""Rules for declarations: dims, consts, inputs, params and their initialisers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from bpc import syntax
from bpc.diagnostics import Problem, did_you_mean
from bpc.ir import Argument, Initialiser, Var
from bpc.lower.arguments import bind
from bpc.lower.context import Context, Failed, SettingError, rule
from bpc.lower.layers import layers_of, own
from bpc.lower.naming import define, key_of
from bpc.lower.roles import axis_of, check_rank, checked_size
from bpc.lower.scope import Key, Scope, spelling, text
from bpc.lower.values import DimValue, Function, Module, describe, is_integer
from bpc.ops import Expr
from bpc.types import Size, Type, dim, show, size

#: initialisers and the numbers that each takes
INITIALISERS: dict[str, list[str]] = {
    "zeros": [], "ones": [], "constant": ["v"], "normal": ["std"], "uniform": ["lo", "hi"],
    "he": [], "he_uniform": [], "glorot": [], "glorot_uniform": [], "lecun": [],
    "orthogonal": [], "identity": [],
}  # fmt: skip
#: the fewest axes that each can fill; those with a fan need one
RANKS = {"zeros": 0, "ones": 0, "constant": 0, "normal": 0, "uniform": 0}
RANKS |= {"orthogonal": 2, "identity": 2}


def _each(what: str) -> Callable[[Callable[[Context, Any], None]], Callable[[Context, Any], None]]:
    """The rule of a declaration from that of one item: an error costs its item alone."""

    def put(declare: Callable[[Context, Any], None]) -> Callable[[Context, Any], None]:
        def declare_all(c: Context, node: Any) -> None:
            only_in_file(c, node, what)
            for item in node.items:
                try:
                    c.apply(declare, item)
                except Failed:
                    if c.exhausted or c.calls:
                        raise
                    c.scope.poison([item.target.name])

        return declare_all

    return put


def only_in_file(c: Context, node: syntax.Node, what: str) -> None:
    """Functions cannot have declarations, but layers have params."""
    function = c.calls[-1][0] if c.calls else None
    if isinstance(function, Function) and not (function.is_layer and what == "param"):
        help = f"a `layer` has params: write `layer {function.node.name.name}`"
        kind = "layer" if function.is_layer else "def"
        c.fail(node.span, "BP110", help if what == "param" else None, what=what, kind=kind)
    in_a_loop(c, node, what)


def in_a_loop(c: Context, node: syntax.Node, what: str) -> None:
    """Refuse what cannot be repeated: a step of a loop has no declarations."""
    if c.frames and c.frames[-1].calls == len(c.calls):
        c.fail(node.span, "BP144", what=what)


@rule(syntax.Dim)
@_each("dim")
def _dim(c: Context, item: syntax.Declarator) -> None:
    key = key_of(c, item.target)
    name = spelling(key)
    setting = _setting(c, key)
    if setting is not None:
        length = size(int(setting))
    elif item.value is None:
        length = dim(name)
        c.dims[name] = item.target.span
    else:
        value = c.evaluate(item.value)
        known = isinstance(value, Size)
        length = value if known else size(checked_size(c, value, item.value.span))
    define(c, c.scope.outside, key, DimValue(name, length), item.target.span)


def _setting(c: Context, key: Key, whole: bool = True) -> int | float | None:
    """What `--set` says of a dim (then `whole`) or const."""
    c.settable.add(text(key))
    for name in (spelling(key), text(key)):
        if name in c.settings:
            c.used_settings.add(name)
            value = c.settings[name]
            if whole and not (is_integer(value) and value >= 0):
                problem = Problem("BP402", what=describe(value))
                raise SettingError(f"--set {name}={value}: {problem}")
            if not math.isfinite(value):
                raise SettingError(f"--set {name}={value}: a const is a finite number")
            return value
    return None


@rule(syntax.Const)
@_each("const")
def _const(c: Context, item: syntax.Declarator) -> None:
    key = key_of(c, item.target)
    value: Any = _setting(c, key, whole=False)
    if value is None:
        value = c.evaluate(item.value)
    if not isinstance(value, int | float | Size):
        span = item.value.span if item.value is not None else item.span
        c.fail(span, "BP406", name=text(key), what=describe(value))
    define(c, c.scope.home(key), key, value, item.target.span)


@rule(syntax.Input)
@_each("input")
def _input(c: Context, item: syntax.Declarator) -> None:
    key, type, sample = _declared(c, item)
    if item.value is not None and type.rank:
        c.fail(item.value.span, "BP111", name=text(key), shape=show(type.shape))
    var = Var(spelling(key), type, named=True)
    define(c, c.scope.outside, key, Expr(c.m, var), item.target.span)
    c.inputs.append(Argument(spelling(key), var, item.target.span, sample=sample))


@rule(syntax.Param)
@_each("param")
def _param(c: Context, item: syntax.Declarator) -> None:
    key, type, value = _declared(c, item)
    if type.kind != "real":
        span = item.type.span if item.type is not None else item.span
        help = f"declare it as `input {text(key)}: {type}`"
        c.fail(span, "BP112", help, name=text(key), kind=type.kind)
    initialiser = Initialiser("zeros")
    if item.initialiser is not None:
        if item.value is not None:
            help = "`~ constant(v)` fills it with a value"
            c.fail(item.initialiser.span, "BP113", help, name=text(key))
        initialiser = _initialiser(c, item.initialiser, type)
    elif value is not None:
        initialiser = Initialiser("constant", (float(value),))
    name = c.owner.prefix + spelling(key)
    var = Var(name, type, named=True)
    define(c, c.scope.outside, key, Expr(c.m, var), item.target.span)
    own(c, key, Expr(c.m, var), item.target.span)
    c.params.append(Argument(name, var, item.target.span, initialiser))


@rule(syntax.Use)
def _use(c: Context, node: syntax.Use) -> None:
    """A library's functions see nothing but the language: in them `conv2d` is the built-in one."""
    only_in_file(c, node, "use")
    name = node.name.name
    model = c.library(name)
    if model is None:
        c.fail(node.name.span, "BP135", "there is `nn`, the layers", name=name)
    scope = Scope(clock=c.scope.clock)
    functions = {
        d.name.name: Function(d, scope, 0, f"{name}.{d.name.name}") for d in layers_of(model)
    }
    define(c, c.scope.outside, (name, None), Module(name, functions), node.name.span)


def _declared(c: Context, item: syntax.Declarator) -> tuple[Key, Type, float | int | bool | None]:
    """Name, type, and the sample or initial value."""
    key = key_of(c, item.target)
    type = Type("real")
    if item.type is not None:
        check_rank(c, len(item.type.shape), item.type.span)
        type = Type(item.type.kind, tuple([axis_of(c, entry) for entry in item.type.shape]))
        type.count  # noqa: B018  a shape whose size is too large is refused here
    if item.value is None:
        return key, type, None
    value = c.evaluate(item.value)
    fits = {
        "real": isinstance(value, int | float) and not isinstance(value, bool),
        "int": is_integer(value),
        "bool": isinstance(value, bool),
    }
    if not fits[type.kind]:
        c.fail(item.value.span, "BP407", name=text(key), kind=type.kind, what=describe(value))
    return key, type, float(value) if type.kind == "real" else value


def _initialiser(c: Context, node: Any, type: Type) -> Initialiser:
    head: Any = node.function if isinstance(node, syntax.Call) else node
    name: str = head.name
    if name not in INITIALISERS:
        help = did_you_mean(name, INITIALISERS) or f"there are {', '.join(INITIALISERS)}"
        c.fail(head.span, "BP114", help, name=name)
    call = node if isinstance(node, syntax.Call) else syntax.Call(node.span, node, ())
    given = bind(c, call, name, INITIALISERS[name])
    numbers = []
    for wanted in INITIALISERS[name]:
        if wanted not in given:
            help = f"write `{name}({', '.join(INITIALISERS[name])})`"
            c.fail(node.span, "BP307", help, name=name, argument=wanted)
        value = c.evaluate(given[wanted].value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            values = {"name": name, "what": "a number", "found": describe(value)}
            c.fail(given[wanted].span, "BP311", **values)
        numbers.append(float(value))
    if name == "normal" and numbers[0] < 0:
        c.fail(
            node.span,
            "BP311",
            name=name,
            what="a deviation of 0 or more",
            found=f"`{numbers[0]:g}`",
        )
    if name == "uniform" and numbers[0] > numbers[1]:
        found = f"`{numbers[0]:g}` and `{numbers[1]:g}`"
        c.fail(node.span, "BP311", name=name, what="the lower bound first", found=found)
    square = type.rank == 2 and type.shape[0] == type.shape[1]
    rank = RANKS.get(name, 1)
    if type.rank < rank or (name == "identity" and not square):
        help = "it fills a square matrix" if name == "identity" else f"it needs {rank} axes or more"
        c.fail(node.span, "BP115", help, name=name, shape=show(type.shape))
    return Initialiser(name, tuple(numbers))
