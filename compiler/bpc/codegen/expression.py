"""Python expressions as text, spaced and parenthesised as Black leaves them."""

import math
import re
from collections.abc import Sequence

from bpc.record import record

CONDITIONAL, OR, AND, NOT, COMPARE, BIT_OR, BIT_AND, SUM, PRODUCT, UNARY, POWER, ATOM = range(12)

_BINARY = {"or": OR, "and": AND, "|": BIT_OR, "&": BIT_AND, "+": SUM, "-": SUM, "**": POWER}
_BINARY |= dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), COMPARE)
_BINARY |= dict.fromkeys(("*", "/", "@", "//", "%"), PRODUCT)

_NUMBER = r"\d[\d_]*(?:\.\d+)?(?:e-?\d+)?"
_DOTTED = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_LITERAL = re.compile(_NUMBER)
# What Black hugs on either side of `**`.  It looks back no further than two names, so
# `f(x).a.b` passes for a plain lookup, and forward no further than a number or operator.
_HUGGED_BASE = re.compile(rf"{_NUMBER}|{_DOTTED}|.*[)\]]\.\w+(?:\.\w+)+", re.DOTALL)
_HUGGED_EXPONENT = re.compile(rf"[-+~]?(?:{_NUMBER}|{_DOTTED}(?![\w.(\[]))")
# A hugged exponent that runs through keywords (names, to Black) into a bracket.  \0 stands
# for the invisible bracket Black puts before a conditional that follows `else`.
_UNHUGGED = re.compile(r"(?<=\w)\*\*(?=[-+~]?[^\W\d]\w*(?:[ .][^\W\d]\w*)* ?[(\[\0])")
_PLAIN_BOUND = re.compile(rf"[-+~]*(?:[^\W\d]\w*|{_NUMBER})")


@record()
class Code:
    """A rendered Python expression, which nobody changes (`frozen` makes it four times as slow).

    `text` is one line, as Black spaces it, with no magic trailing comma.  `precedence` is
    that of the outermost operator, one of the constants above.  `depth` is the height of
    the expression: 0 for a name or a number, one more than the deepest operand otherwise
    (arguments and subscripts given as text count as names).

    `terms` are the pieces at which Black cuts the whole text if it must, each operator with
    the operand after it: ("a * b", "+ c", "- d"); they are empty where the outermost operator
    is `**` or unary.  `call` is (head, arguments) where the whole text is one call.
    """

    text: str
    precedence: int
    depth: int
    terms: tuple[str, ...] = ()
    call: tuple[str, tuple[str, ...]] | None = None


def name(text: str) -> Code:
    """Give a name or a dotted name."""
    return Code(text, ATOM, 0)


def number(value: float) -> Code:
    """Give a finite number as Black spells it; a negative one binds as a unary minus."""
    if not math.isfinite(value):
        raise ValueError(f"{value} has no literal")
    if isinstance(value, float):
        text = float.__repr__(value).replace("e+", "e")
    else:
        text = int.__repr__(int(value))
    return Code(text, UNARY if text[0] == "-" else ATOM, 0)


def binary(op: str, left: Code, right: Code) -> Code:
    """Give `left op right`, evaluated in that order."""
    own = _BINARY[op]
    depth = 1 + max(left.depth, right.depth)
    if own == POWER:
        base, exponent = _at_least(ATOM, left), _at_least(UNARY, right)
        hugs = _HUGGED_BASE.fullmatch(base) and _HUGGED_EXPONENT.match(exponent)
        return Code(f"{base}**{exponent}" if hugs else f"{base} ** {exponent}", POWER, depth)
    first = _at_least(own + (own == COMPARE), left)
    second = _at_least(own + 1, right)
    text = f"{first} {op} {second}"
    if own == OR or own == AND:  # one level to Black
        before = left.terms if own <= left.precedence <= AND else (first,)
        after = right.terms if own < right.precedence <= AND else (second,)
        terms = (*before, f"{op} {after[0]}", *after[1:])
        return Code(_rehugged(text), own, depth, terms)
    before = left.terms if left.precedence == own and own != COMPARE else (first,)
    return Code(text, own, depth, (*before, f"{op} {second}"))


def unary(op: str, operand: Code) -> Code:
    """Give `-operand`, `~operand` or `not operand`."""
    if op == "not":
        return Code(f"not {_at_least(NOT, operand)}", NOT, operand.depth + 1)
    inner = _at_least(UNARY, operand)
    if operand.precedence == POWER and not _has_trailer(inner):
        inner = f"({inner})"  # Black insists, for a base with no call, subscript or attribute
    return Code(op + inner, UNARY, operand.depth + 1)


def call(head: str, args: Sequence[Code | str]) -> Code:
    """Give `head(arg, ...)`; an argument given as text may be `name=value`."""
    texts = tuple(arg if isinstance(arg, str) else arg.text for arg in args)
    depth = 1 + max((arg.depth for arg in args if isinstance(arg, Code)), default=0)
    return Code(f"{head}({', '.join(texts)})", ATOM, depth, (), (head, texts))


def method(obj: Code, attr: str, args: Sequence[Code | str]) -> Code:
    """Give `obj.attr(arg, ...)`."""
    code = call(f"{_owner(obj)}.{attr}", args)
    return Code(code.text, ATOM, max(code.depth, obj.depth + 1), (), code.call)


def attribute(obj: Code, attr: str) -> Code:
    """Give `obj.attr`."""
    return Code(f"{_owner(obj)}.{attr}", ATOM, obj.depth + 1)


def subscript(obj: Code, text: str) -> Code:
    """Give `obj[text]`."""
    return Code(f"{_at_least(ATOM, obj)}[{text}]", ATOM, obj.depth + 1)


def conditional(then: Code, cond: Code, otherwise: Code) -> Code:
    """Give `then if cond else otherwise`."""
    first, second, last = _at_least(OR, then), _at_least(OR, cond), otherwise.text
    terms = (first, f"if {second}", f"else {last}")
    nested = "\0" if otherwise.precedence == CONDITIONAL else ""
    text = _rehugged(f"{first} if {second} else {nested}{last}").replace("\0", "")
    depth = 1 + max(then.depth, cond.depth, otherwise.depth)
    return Code(text, CONDITIONAL, depth, terms)


def slice_text(
    start: Code | str | None = None,
    stop: Code | str | None = None,
    step: Code | str | None = None,
) -> str:
    """Give `start:stop:step` for a subscript; None leaves a part (and a last colon) out.

    Black spaces the colons when a part is more than a name or a number with a sign.
    """
    parts = (start, stop, step)
    first, second, third = (p.text if isinstance(p, Code) else p or "" for p in parts)
    if all(_PLAIN_BOUND.fullmatch(part) for part in (first, second, third) if part):
        return f"{first}:{second}:{third}" if third else f"{first}:{second}"
    text = f"{first} :" if first else ":"
    if second:
        text += f" {second}"
    if third:
        text += f" : {third}" if second else f": {third}"
    return text


def _at_least(level: int, code: Code) -> str:
    return code.text if code.precedence >= level else f"({code.text})"


def _owner(obj: Code) -> str:
    """Give the text before a dot; Black wants a number there in parentheses."""
    text = _at_least(ATOM, obj)
    return f"({text})" if _LITERAL.fullmatch(text) else text


def _rehugged(text: str) -> str:
    return _UNHUGGED.sub(" ** ", text) if "**" in text else text


def _has_trailer(power: str) -> bool:
    """Tell whether the base of a power is more than a name, a number or parentheses."""
    literal = _LITERAL.match(power)
    level = 0
    for i in range(literal.end() if literal else 0, len(power)):
        char = power[i]
        if level == 0 and (char == "." or char in "([{" and i > 0):
            return True
        if level == 0 and char == "*":
            break
        level += (char in "([{") - (char in ")]}")
    return False
