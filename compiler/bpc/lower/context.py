"""What lowering carries along: the builder, the scope, the errors found so far, the budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bpc import syntax
from bpc.diagnostics import Diagnostic, Problem
from bpc.ir import Argument
from bpc.lower.scope import Scope
from bpc.ops import Builder
from bpc.source import Span
from bpc.types import Size

#: rules of evaluation, one for each kind of node; the modules of this package fill it
RULES: dict[type[Any], Callable[..., Any]] = {}
DEPTH = 400
LIMIT = 100_000


class Failed(Exception):
    """The error is on record, or follows from one that is."""


def rule(kind: type[Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Put a function in the table of rules."""

    def put(function: Callable[..., Any]) -> Callable[..., Any]:
        RULES[kind] = function
        return function

    return put


@dataclass(slots=True)
class Context:
    """The state of one lowering."""

    m: Builder
    scope: Scope
    settings: dict[str, int | float]
    limit: int = LIMIT
    diagnostics: list[Diagnostic] = field(default_factory=list)
    used_settings: set[str] = field(default_factory=set)
    params: list[Argument] = field(default_factory=list)
    inputs: list[Argument] = field(default_factory=list)
    dims: dict[str, Span] = field(default_factory=dict)
    cost: syntax.Cost | None = None
    costs: list[Any] = field(default_factory=list)
    outputs: list[tuple[str, Any]] = field(default_factory=list)
    #: functions being inlined, the outermost first, with the place of the call
    calls: list[tuple[object, Span]] = field(default_factory=list)
    rounds: int = 0
    steps: int = 0
    depth: int = 0

    def evaluate(self, node: Any) -> Any:
        """The value of an expression: an Expr, or what is known at compile time."""
        self.step(node.span)
        self.depth += 1
        if self.depth > DEPTH:
            self.fail(node.span, "BP404", limit=DEPTH)
        try:
            return RULES[type(node)](self, node)
        finally:
            self.depth -= 1

    def execute(self, statements: tuple[Any, ...]) -> Any:
        """Run statements; each failure costs its statement alone. The value of a `return`."""
        for statement in statements:
            try:
                self.step(statement.span)
                value = RULES[type(statement)](self, statement)
            except Failed:
                if self.calls or self.steps > self.limit:
                    raise
                self.scope.poison(_targets(statement))
                continue
            if isinstance(statement, syntax.Return):
                return value
        return None

    def step(self, span: Span) -> None:
        """Count against the budget what a loop or a function expands to."""
        if self.calls or self.rounds:
            self.steps += 1
            if self.steps > self.limit:
                self.fail(self.calls[0][1] if self.calls else span, "BP405", limit=self.limit)

    def fail(self, span: Span, code: str, help: str | None = None, **values: object) -> Any:
        """Record an error and give up what is being evaluated."""
        self.record(Problem(code, help, **values), span)
        raise Failed

    def record(self, problem: Problem, span: Span) -> None:
        """Record an error once; inside a function its call is shown too."""
        diagnostic = problem.at(span, tuple(place for _, place in self.calls))
        if all(d.code != diagnostic.code or d.span != span for d in self.diagnostics):
            self.diagnostics.append(diagnostic)


def _targets(statement: Any) -> list[syntax.Target]:
    """The names that a statement would have defined."""
    if isinstance(statement, syntax.Assign):
        return list(statement.targets)
    if isinstance(statement, syntax.Cost):
        return [statement.target]
    if isinstance(statement, syntax.Output):
        return [target for target, value in statement.items if value is not None]
    if isinstance(statement, syntax.Def):
        return [syntax.Target(statement.name.span, statement.name.name, None)]
    if isinstance(statement, syntax.For | syntax.Scan):
        return [t for s in statement.body for t in _targets(s)]
    if isinstance(statement, syntax.Dim | syntax.Const | syntax.Input | syntax.Param):
        return [item.target for item in statement.items]
    return []


@dataclass(frozen=True, slots=True)
class DimValue:
    """A dim: its size, and its name as a label for `axis=`."""

    label: str
    size: Size
