"""What lowering carries along: the builder, the scope, the errors found so far, the budget."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import field, fields
from typing import Any, NoReturn

from bpc import syntax
from bpc.diagnostics import MORE, Diagnostic, Problem, did_you_mean
from bpc.ir import Argument, Var
from bpc.lower.instances import Instance
from bpc.lower.scope import Key, Scope, spelling
from bpc.lower.values import Module, known
from bpc.ops import Builder
from bpc.record import record
from bpc.source import Span
from bpc.types import SizeTooLarge

#: rules of evaluation, one for each kind of node; the modules of this package fill it
RULES: dict[type[Any], Callable[..., Any]] = {}
DEPTH = 400  # how deep expressions may nest, with the functions that are inlined in them
LIMIT = 30_000  # how many steps all `def` and `for` may expand to
SUGGESTIONS = 100  # how many errors are worth a search for similar names


#: where the file defines a name, and the `for` that it is in
Place = tuple[syntax.Target, syntax.For | None]

#: the tree of a library, or None where there is none of the name
Library = Callable[[str], syntax.Model | None]


def no_library(name: str) -> None:
    """The library of a compiler that has none."""


class SettingError(Exception):
    """A `--set` that names nothing to set, or a value that cannot be."""


class Failed(Exception):
    """The error is on record, or follows from one that is."""


def rule(kind: type[Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Put a function in the table of rules."""

    def put(function: Callable[..., Any]) -> Callable[..., Any]:
        RULES[kind] = function
        return function

    return put


@record()
class Context:
    """The state of one lowering."""

    model: syntax.Model
    m: Builder
    scope: Scope
    settings: dict[str, int | float]
    library: Library = no_library
    limit: int = LIMIT
    diagnostics: list[Diagnostic] = field(default_factory=list)
    settable: set[str] = field(default_factory=set)
    used_settings: set[str] = field(default_factory=set)
    params: list[Argument] = field(default_factory=list)
    inputs: list[Argument] = field(default_factory=list)
    dims: dict[str, Span] = field(default_factory=dict)
    cost: syntax.Cost | None = None
    costs: list[Any] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    #: what computed variables are called in the source, and where
    names: dict[Var, tuple[Var, Span]] = field(default_factory=dict)
    #: how often each name of a variable was wanted
    wanted: dict[str, int] = field(default_factory=dict)
    #: functions being inlined, the outermost first, with the place of the call
    calls: list[tuple[object, Span]] = field(default_factory=list)
    #: loops whose bodies are being read, the outermost first (see `loops.Frame`)
    frames: list[Any] = field(default_factory=list)
    rounds: int = 0
    steps: int = 0
    depth: int = 0
    suggestions: int = 0
    places: dict[str, Place] = field(default_factory=dict)
    seen: set[object] = field(default_factory=set)
    #: the call of a layer whose params are being declared; for the file one without a name
    owner: Instance = field(init=False)

    def __post_init__(self) -> None:
        self.owner = Instance([self.scope], self.scope)

    def evaluate(self, node: Any) -> Any:
        """The value of an expression: an Expr, or what is known at compile time."""
        return known(self.meaning(node))

    def meaning(self, node: Any, rule: Callable[..., Any] | None = None) -> Any:
        """The same, but what names a dim is a DimValue, which has the label too.

        A `rule` takes the place of that for the kind of node.
        """
        self.step(node.span)
        self.depth += 1
        try:
            if self.depth > DEPTH:
                self.fail(node.span, "BP404", limit=DEPTH)
            return self.apply(rule or RULES[type(node)], node)
        finally:
            self.depth -= 1

    def apply(self, rule: Callable[..., Any], node: Any) -> Any:
        """What a rule makes of a node; a problem that has no place gets the node's."""
        try:
            return rule(self, node)
        except Problem as problem:
            self.give_up(problem, node.span)
        except SizeTooLarge:
            self.fail(node.span, "BP403")

    def execute(self, statements: tuple[Any, ...]) -> Any:
        """Run statements up to a `return`; its value. Each failure costs its statement alone."""
        for i, statement in enumerate(statements):
            try:
                self.step(statement.span)
                value = self.apply(RULES[type(statement)], statement)
            except Failed:
                if self.calls or self.exhausted:
                    raise
                self.scope.poison(t.name for t in targets(statement))
                lost = {n for n in named_calls(statement) if not self.is_module(n)}
                self.scope.outside.lost_instances.update(lost)
                continue
            if value is not None:
                if i + 1 < len(statements):
                    self.fail(statements[i + 1].span, "BP123")
                return value
        return None

    @property
    def exhausted(self) -> bool:
        """Whether the budget is spent: then nothing goes on."""
        return self.steps > self.limit

    def is_module(self, name: str) -> bool:
        """Whether a name means a library here."""
        return isinstance(self.scope.lookup((name, None)), Module)

    def variable(self, key: Key) -> str:
        """The name of a variable: that of a layer's call, the name, in a `for` the round's number.

        Repeated ones are counted.
        """
        name = self.owner.prefix + spelling(key) + (self.scope.suffix if key[1] is None else "")
        count = self.wanted[name] = self.wanted.get(name, 0) + 1
        return name if count == 1 else f"{name}_{count}"

    def step(self, span: Span) -> None:
        """Count against the budget what a loop or a function expands to."""
        if self.calls or self.rounds:
            self.steps += 1
            if self.exhausted:
                place = self.calls[0][1] if self.calls else span
                self.record(Problem("BP405", MORE, limit=self.limit), place, calls=())
                raise Failed

    def fail(self, span: Span, code: str, help: str | None = None, **values: object) -> NoReturn:
        """Record an error and give up what is being evaluated."""
        self.give_up(Problem(code, help, **values), span)

    def give_up(self, problem: Problem, span: Span) -> NoReturn:
        """The same for a problem that was found elsewhere."""
        self.record(problem, span)
        raise Failed

    def record(self, problem: Problem, span: Span, calls: tuple[Span, ...] | None = None) -> None:
        """Record an error once; inside a function its calls are shown too."""
        inside = tuple(place for _, place in self.calls) if calls is None else calls
        key: object = (problem.code, span)
        if span.source is not self.model.source:  # the mistake is in the call: one for each
            key = (key, inside)
        if key not in self.seen:
            self.seen.add(key)
            self.diagnostics.append(problem.at(span, inside))

    def suggest(self, name: str, candidates: Iterable[str]) -> str | None:
        """`did you mean ...?`; after many errors no more, since that takes its time."""
        self.suggestions += 1
        return did_you_mean(name, sorted(candidates)) if self.suggestions <= SUGGESTIONS else None


def targets(statement: Any) -> list[syntax.Target]:
    """The names that a statement would define."""
    if isinstance(statement, syntax.Assign):
        return list(statement.targets)
    if isinstance(statement, syntax.Cost | syntax.Emit):
        return [statement.target]
    if isinstance(statement, syntax.Output):
        return [target for target, value in statement.items if value is not None]
    if isinstance(statement, syntax.Def | syntax.Use):
        return [syntax.Target(statement.name.span, statement.name.name, None)]
    if isinstance(statement, syntax.Scan):
        return [t for t, _ in statement.carries] + [t for s in statement.body for t in targets(s)]
    if isinstance(statement, syntax.For):
        return [t for s in statement.body for t in targets(s)]
    if isinstance(statement, syntax.Dim | syntax.Const | syntax.Input | syntax.Param):
        return [item.target for item in statement.items]
    return []


def named_calls(statement: Any) -> set[str]:
    """The names that `as` would give in a statement."""
    found: set[str] = set()
    waiting = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, syntax.As):
            found.add(node.target.name)
        if isinstance(node, tuple):
            waiting += node
        elif isinstance(node, syntax.Node) and not isinstance(node, syntax.Def):
            waiting += [getattr(node, f.name) for f in fields(node)]
    return found
