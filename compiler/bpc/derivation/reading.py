"""From the text of an expression to its steps, through bpc's own parser.

Functions that the language composes of others are taken apart: relu(w) is maximum(w, 0).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from typing import Any, NoReturn

from bpc import syntax
from bpc.derivation.formula import Formula, elementwise, fail, real
from bpc.diagnostics import BpcError, Problem, did_you_mean
from bpc.ir import Literal, Var
from bpc.lower.calls import signature
from bpc.lower.expressions import CONSTANTS, ELEMENTWISE, is_builtin
from bpc.ops import OPS, Builder, Expr
from bpc.parser import parse
from bpc.source import Source, Span
from bpc.types import Size, Type

NAME = "<expression>"
PREFIX = "cost J = "
CHOICES = {"max": "maximum", "min": "minimum"}
NUMBERS = ("Value", "Factor", "Bool")  # roles of arguments
UNARY = {"-": "neg", "not": "logical_not"}


def read(text: str) -> Formula:
    """The formula that a text is. Raises BpcError with places in that text."""
    source = Source(NAME, text)
    try:
        model, diagnostics = parse(Source(NAME, PREFIX + text))
        if diagnostics:
            raise BpcError(diagnostics)
        _, *more = model.statements
        if more:
            fail(more[0].span, "BP002", expected="one expression", found="a second statement")
        (cost,) = model.statements
        assert isinstance(cost, syntax.Cost)
        formula = Formula()
        real(formula, _Reader(formula).read(cost.value), cost.value.span)
    except BpcError as error:
        moved = [replace(d, span=_moved(d.span, source)) for d in error.diagnostics]
        raise BpcError(moved) from None
    formula.spans = [_moved(span, source) for span in formula.spans]
    return formula


def _moved(span: Span, source: Source) -> Span:
    """The place without the words that were put before the expression."""
    start, end = (min(max(0, i - len(PREFIX)), len(source.text)) for i in (span.start, span.end))
    return Span(source, start, end)


class _Reader:
    """Syntax to steps, without recursion: a chain may be as long as the limit on steps."""

    def __init__(self, formula: Formula) -> None:
        self.formula = formula

    def read(self, root: syntax.Expr) -> int:
        """The step that is the value of an expression."""
        waiting: list[tuple[Any, bool]] = [(root, False)]
        done: list[int] = []
        while waiting:
            node, ready = waiting.pop()
            operands = _operands(node)
            if operands and not ready:
                waiting.append((node, True))
                waiting += [(operand, False) for operand in reversed(operands)]
                continue
            args = done[len(done) - len(operands) :]
            del done[len(done) - len(operands) :]
            done.append(self.step(node, args))
        return done[0]

    def step(self, node: Any, args: list[int]) -> int:
        """The step for one node, whose operands are done."""
        f, span = self.formula, node.span
        if isinstance(node, syntax.Number | syntax.Truth):
            return f.add(span, "", content=node.value)
        if isinstance(node, syntax.Name | syntax.Index):
            return self.name(node)
        if isinstance(node, syntax.Call):
            return _call(f, node, args)
        if isinstance(node, syntax.Conditional):
            condition, then, otherwise = args
            return elementwise(f, span, "select", condition, then, otherwise)
        op = UNARY[node.op] if isinstance(node, syntax.Unary) else ELEMENTWISE[node.op]
        return elementwise(f, span, op, *args)

    def name(self, node: syntax.Name | syntax.Index) -> int:
        """A variable, perhaps with a superscript, or a constant."""
        name = node.span.text if isinstance(node, syntax.Name) else _superscripted(node)
        if name in CONSTANTS:
            return self.formula.add(node.span, "", content=CONSTANTS[name])
        self.formula.names.setdefault(name)
        return self.formula.add(node.span, "", content=name)


def _superscripted(node: syntax.Index) -> str:
    if isinstance(node.base, syntax.Name) and len(node.items) == 1:
        item = node.items[0]
        if isinstance(item, syntax.Number) and isinstance(item.value, int):
            return f"{node.base.name}[{item.value}]"
    return fail(node.span, "BP213", "here names stand for numbers", what="an index")


def _operands(node: Any) -> list[Any]:
    """What is to be computed before a node; fails where the node is no elementwise expression."""
    if isinstance(node, syntax.Number | syntax.Truth | syntax.Name | syntax.Index):
        return []
    if isinstance(node, syntax.Unary):
        return [node.operand]
    if isinstance(node, syntax.Binary) and node.op != "@":
        return [node.left, node.right]
    if isinstance(node, syntax.Conditional):
        return [node.condition, node.then, node.otherwise]
    if isinstance(node, syntax.Call):
        return [a.value for a in node.arguments]
    what = f"`{node.op}`" if isinstance(node, syntax.Binary) else f"`{node.span.text[:40]}`"
    return fail(node.span, "BP213", "`bpc derive` takes numbers, names and functions", what=what)


def _call(f: Formula, node: syntax.Call, args: list[int]) -> int:
    """A function of the language whose body is elementwise operators alone."""
    name = node.function.name if isinstance(node.function, syntax.Name) else ""
    if not is_builtin(name):
        help = did_you_mean(name, sorted(n for n in OPS if is_builtin(n)))
        fail(node.function.span, "BP301", help, name=node.function.span.text[:40])
    if name in CHOICES and len(args) > 1 and all(a.name is None for a in node.arguments):
        return reduce(lambda i, j: elementwise(f, node.span, CHOICES[name], i, j), args)
    given = _bind(node, name, args)
    call = OPS[name].call
    if call is None:
        return elementwise(f, node.span, name, *given.values())
    m = Builder(node.span)
    places = {Var("", Type("bool" if f.is_bool(i) else "real")): i for i in given.values()}
    values = {i: Expr(m, variable) for variable, i in places.items()}
    try:
        result = call(m, **{key: values[i] for key, i in given.items()})
    except Problem as problem:
        raise BpcError([problem.at(node.span)]) from None
    for equation in m.body:
        inputs = [_atom(f, node.span, a, places) for a in equation.args]
        if equation.op == "cast":
            places[equation.out] = real(f, inputs[0], node.span)
        elif equation.op == "broadcast":
            places[equation.out] = inputs[0]
        elif OPS[equation.op].elementwise:
            places[equation.out] = elementwise(f, node.span, equation.op, *inputs)
        else:
            _no_numbers(node)
    return _atom(f, node.span, result.atom, places)


def _atom(f: Formula, span: Span, atom: Any, places: Mapping[Any, int]) -> int:
    if not isinstance(atom, Literal):
        return places[atom]
    assert not isinstance(atom.value, Size)
    return f.add(span, "", content=atom.value)


def _no_numbers(node: syntax.Call) -> NoReturn:
    help = "`bpc derive` takes functions of numbers"
    fail(node.function.span, "BP213", help, what=f"`{node.function.span.text[:40]}`")


def _bind(node: syntax.Call, name: str, args: list[int]) -> dict[str, int]:
    """The arguments of a function that takes numbers alone, by name, in its order."""
    names = [p.name for p in signature(name)]
    if any(p.annotation not in NUMBERS or "*" in str(p) for p in signature(name)):
        _no_numbers(node)
    given: dict[str, int] = {}
    for argument, i in zip(node.arguments, args):
        if argument.name is None and len(given) >= len(names):
            fail(node.span, "BP306", name=name, takes=_count(len(names)), given=len(args))
        key = argument.name or names[len(given)]
        if key not in names:
            fail(argument.span, "BP309", did_you_mean(key, names), name=name, argument=key)
        if key in given:
            fail(argument.span, "BP310", name=name, argument=key)
        given[key] = i
    for p in signature(name):
        if p.name not in given and p.default is p.empty:
            fail(node.span, "BP307", name=name, argument=p.name)
    return {key: given[key] for key in names if key in given}


def _count(n: int) -> str:
    return f"{n} argument{'' if n == 1 else 's'}"
