"""The syntax tree, built while the parser reduces: one function for each rule of the grammar.

Each takes the list of its rule's children: Lexemes for the terminals that the rule calls by name,
what their own functions returned for the rest, None for what is left out in `[ ]`. Nothing here
walks a tree, so the size of a program costs no stack.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import isinf
from types import SimpleNamespace
from typing import Any

from bpc import syntax
from bpc.diagnostics import BpcError, Problem, clip, did_you_mean
from bpc.fragments import Lexeme
from bpc.source import Span

Children = list[Any]
TYPES = ("int", "bool")


def _over(first: Any, last: Any) -> Span:
    """The span from a lexeme or node to another one, both included."""
    start = first.start if isinstance(first, Lexeme) else first.span.start
    if isinstance(last, Lexeme):
        return Span(last.source, start, last.end)
    return Span(last.span.source, start, last.span.end)


def _name(lexeme: Lexeme) -> syntax.Name:
    return syntax.Name(lexeme.span, lexeme.text)


# Statements


def _listing(node: Callable[..., Any]) -> Callable[[Children], Any]:
    """For a keyword and its declarators."""
    return lambda c: node(_over(c[0], c[-1]), tuple(c[1:]))


def _defining(node: Callable[..., Any]) -> Callable[[Children], Any]:
    """For a keyword, a target and a value."""
    return lambda c: node(_over(c[0], c[2]), c[1], c[2])


def _assign(c: Children) -> syntax.Assign:
    return syntax.Assign(_over(c[0], c[-1]), tuple(c[:-1]), c[-1])


def _output(c: Children) -> syntax.Output:
    target, value = c[-1]
    return syntax.Output(_over(c[0], value or target), tuple(c[1:]))


def _definition(c: Children, owns_parameters: bool) -> syntax.Def:
    keyword, (name, formals), body = c
    if isinstance(body, tuple):
        statements, end = body
    else:
        statements, end = (syntax.Return(body.span, body),), body
    return syntax.Def(_over(keyword, end), _name(name), formals, statements, owns_parameters)


def _result(c: Children) -> syntax.Return:
    value = c[1] if len(c) == 2 else syntax.Tuple(_over(c[1], c[-1]), tuple(c[1:]))
    return syntax.Return(_over(c[0], value), value)


def _loop(c: Children) -> syntax.For:
    keyword, variable, (low, high), (body, end) = c
    return syntax.For(_over(keyword, end), _name(variable), low, high, body)


def _scan(c: Children) -> syntax.Scan:
    keyword, variable, (low, high), carries, (body, end) = c
    return syntax.Scan(_over(keyword, end), _name(variable), low, high, carries or (), body)


# Parts of statements


def _target(c: Children) -> syntax.Target:
    name, superscript, end = c
    return syntax.Target(_over(name, end or name), name.text, superscript)


def _declarator(
    target: syntax.Target,
    type: syntax.TypeExpr | None,
    value: syntax.Expr | None,
    initialiser: syntax.Expr | None,
) -> syntax.Declarator:
    span = _over(target, initialiser or value or type or target)
    return syntax.Declarator(span, target, type, value, initialiser)


def _named_type(c: Children) -> syntax.TypeExpr:
    name, shape, end = c
    if name.text not in TYPES:
        help = did_you_mean(name.text, TYPES) or "types are `[N, 64]`, `int[N]` and `bool[N]`"
        raise BpcError([Problem("BP015", help, word=clip(name.text)).at(name.span)])
    return syntax.TypeExpr(_over(name, end or name), name.text, shape or ())


def _initialiser(c: Children) -> syntax.Name | syntax.Call:
    name, arguments, end = c
    function = _name(name)
    return syntax.Call(_over(name, end), function, arguments or ()) if end else function


def _formal(c: Children) -> syntax.Parameter:
    name, default = c
    return syntax.Parameter(_over(name, default or name), name.text, default)


# Expressions


def _binary(c: Children) -> syntax.Binary:
    left, operator, right = c
    span = Span(operator.source, left.span.start, right.span.end)
    return syntax.Binary(span, "^" if operator.text == "**" else operator.text, left, right)


def _argument(c: Children) -> syntax.Argument:
    name, value = c
    if name is None:
        return syntax.Argument(value.span, None, value)
    return syntax.Argument(_over(name, value), name.text, value)


def _slice(c: Children) -> syntax.Slice:
    start, colon, stop, second, step = c
    span = _over(start or colon, step or second or stop or colon)
    return syntax.Slice(span, start, stop, step)


def _group(c: Children) -> Any:
    """`(a)` is just a, but messages show it with its brackets."""
    return replace(c[1], span=_over(c[0], c[2]))


def _sequence(c: Children) -> syntax.Tuple:
    items = () if len(c) == 2 else (c[1], *(c[2] or ()))
    return syntax.Tuple(_over(c[0], c[-1]), items)


def _number(c: Children) -> syntax.Number:
    """A finite value, an int where it is written as one."""
    text = c[0].text
    try:
        value: int | float = float(text)
    except ValueError:  # 1__0, 1_
        raise BpcError([Problem("BP010", text=clip(text)).at(c[0].span)]) from None
    if isinf(value):
        raise BpcError([Problem("BP009").at(c[0].span)])
    if not any(mark in text for mark in ".eE"):
        value = int(text.lstrip("0_") or "0")  # int() refuses thousands of digits, zeros too
    return syntax.Number(c[0].span, value)


CALLBACKS = SimpleNamespace(
    start=tuple,
    dim=_listing(syntax.Dim),
    const=_listing(syntax.Const),
    input=_listing(syntax.Input),
    param=_listing(syntax.Param),
    assign=_assign,
    cost=_defining(syntax.Cost),
    output=_output,
    function=lambda c: _definition(c, False),
    layer=lambda c: _definition(c, True),
    result=_result,
    loop=_loop,
    scan=_scan,
    emit=_defining(syntax.Emit),
    use=lambda c: syntax.Use(_over(c[0], c[1]), _name(c[1])),
    block=lambda c: (tuple(c[:-1]), c[-1]),
    target=_target,
    size=lambda c: _declarator(c[0], None, c[1], None),
    constant=lambda c: _declarator(c[0], None, c[1], None),
    datum=lambda c: _declarator(c[0], c[1], c[2], None),
    parameter=lambda c: _declarator(*c),
    real_type=lambda c: syntax.TypeExpr(_over(c[0], c[2]), "real", c[1] or ()),
    named_type=_named_type,
    initialiser=_initialiser,
    shown=tuple,
    signature=lambda c: (c[0], c[1] or ()),
    formals=tuple,
    formal=_formal,
    bounds=tuple,
    carries=tuple,
    carry=tuple,
    conditional=lambda c: syntax.Conditional(_over(c[0], c[2]), *c),
    binary=_binary,
    unary=lambda c: syntax.Unary(_over(c[0], c[1]), c[0].text, c[1]),
    named=lambda c: syntax.As(_over(c[0], c[1]), c[0], c[1]),
    index=lambda c: syntax.Index(_over(c[0], c[2]), c[0], c[1]),
    attribute=lambda c: syntax.Attribute(_over(c[0], c[1]), c[0], c[1].text),
    call=lambda c: syntax.Call(_over(c[0], c[2]), c[0], c[1] or ()),
    expressions=tuple,
    arguments=tuple,
    argument=_argument,
    items=tuple,
    slice=_slice,
    new=lambda c: syntax.New(c[0].span),
    ellipsis=lambda c: syntax.Ellipsis_(c[0].span),
    number=_number,
    text=lambda c: syntax.Text(c[0].span, c[0].text[1:-1]),
    name=lambda c: _name(c[0]),
    truth=lambda c: syntax.Truth(c[0].span, c[0].type == "TRUE"),
    group=_group,
    sequence=_sequence,
    shape=lambda c: syntax.Tuple(_over(c[0], c[2]), c[1] or ()),
)
