"""What a syntax error means, in the language's words."""

from __future__ import annotations

from typing import Any

from bpc.diagnostics import Diagnostic, Problem, clip, did_you_mean
from bpc.fragments import STATEMENTS, Lexeme
from bpc.record import record
from bpc.source import Span

WORDS = {"NAME": "a name", "IN": "`in`", "RANGE": "`..`", "ELSE": "`else`", "CARRY": "`carry`"}
WORDS |= {"LPAR": "`(`", "LSQB": "`[`", "LBRACE": "`{`", "EQUAL": "`=`", "TILDE": "`~`"}
WORDS |= {"COLON": "`:`", "COMMA": "`,`", "RPAR": "`)`", "RSQB": "`]`", "RBRACE": "`}`"}
WORDS |= {"_NEWLINE": "the end of the line"}
RESERVED = STATEMENTS | {"in", "carry", "as", "if", "else", "and", "or", "not"}
RESERVED |= {"true", "false", "new"}
FROM_PYTHON = {
    "print": "`output p = ...` says what `forward` returns",
    "import": "`use nn` brings in the layer library",
    "from": "`use nn` brings in the layer library",
    "while": "loops are `for l in 1..3 { ... }` and `scan`",
}
OPERATOR_WORDS = ("if", "else", "and", "or", "as", "in")
INSTEAD = {
    "cost": "`cost J = ...` gives the cost a name",
    "if": "a choice is an expression: `a if c else b`",
    "new": "`new` makes an axis, and stands in an index alone",
}


@record(frozen=True)
class Mistake:
    """The token at `place` does not fit: what would, and the parser's stack there."""

    lexemes: list[Lexeme]
    place: int
    accepts: frozenset[str]
    values: list[Any]

    @property
    def found(self) -> Lexeme:
        """The token that does not fit."""
        return self.lexemes[self.place]

    @property
    def before(self) -> Lexeme | None:
        """The token before it in the statement."""
        return self.lexemes[self.place - 1] if self.place else None


def explain(mistake: Mistake) -> Diagnostic:
    """The message for a mistake: the first of the special cases that fits, else what is due."""
    for case in (_number, _comparison, _naming, _statement, _reserved):
        diagnostic = case(mistake)
        if diagnostic is not None:
            return diagnostic
    return _expected(mistake)


def _number(mistake: Mistake) -> Diagnostic | None:
    """`3x`, `0x10`, `1.2.3`."""
    before, found = mistake.before, mistake.found
    if before is None or before.type != "NUMBER" or before.end != found.start:
        return None
    if found.type != "NUMBER" and not found.text[:1].isidentifier():
        return None
    span = before.span.to(found.span)
    return Problem("BP010", text=clip(span.text)).at(span)


def _comparison(mistake: Mistake) -> Diagnostic | None:
    """`a < b < c`."""
    compared = mistake.values[-2:-1]
    if mistake.found.type != "COMPARE" or "AND" not in mistake.accepts:
        return None
    if not (isinstance(compared[0], Lexeme) and compared[0].type == "COMPARE"):
        return None
    return Problem("BP011", "write `a < b and b < c`").at(mistake.found.span)


def _naming(mistake: Mistake) -> Diagnostic | None:
    """`x as y`."""
    if mistake.found.type != "AS" or "AND" not in mistake.accepts:
        return None
    return Problem("BP013", "`as` stands right after a layer's call").at(mistake.found.span)


def _statement(mistake: Mistake) -> Diagnostic | None:
    """`inptu x`."""
    first, found = mistake.lexemes[0], mistake.found
    if mistake.place != 1 or first.type != "NAME":
        return None
    help = FROM_PYTHON.get(first.text) or did_you_mean(first.text, STATEMENTS)
    if found.type == "NAME" or (help and found.type not in ("LPAR", "DOT", "COLON", "COMPARE")):
        return Problem("BP012", help, word=clip(first.text)).at(first.span)
    return None


def _reserved(mistake: Mistake) -> Diagnostic | None:
    """`dim in = 3`, `cost = 3`."""
    word = mistake.found
    if "NAME" not in mistake.accepts:
        return None
    if word.type == "EQUAL" and mistake.before:
        word = mistake.before
    elif "NUMBER" in mistake.accepts and word.text in OPERATOR_WORDS:
        return None
    if word.text not in RESERVED:
        return None
    return Problem("BP003", INSTEAD.get(word.text), word=word.text).at(word.span)


def _expected(mistake: Mistake) -> Diagnostic:
    found, before = mistake.found, mistake.before
    values = {"expected": _due(mistake), "found": f"`{clip(found.text)}`"}
    span = found.span
    if found.type == "_NEWLINE" and found.text != "}":
        values["found"] = "the end of the line"
        if before is not None:
            span = Span(before.source, before.end, before.end)
    return Problem("BP002", _help(mistake), **values).at(span)


def _due(mistake: Mistake) -> str:
    """What would fit, as words."""
    accepts = mistake.accepts
    if mistake.place == 0:
        return "a statement" if "NAME" in accepts else "the end of the line"
    if "NUMBER" in accepts:
        return "an expression"
    if "AND" in accepts and "_NEWLINE" in accepts:
        return "an operator or the end of the line"
    if accepts == {"NAME", "LSQB"}:
        return "a type"
    skipped = {"AND": ("LPAR", "LSQB", "EQUAL"), "EQUAL": ("LPAR", "LSQB")}
    unsaid = {word for cue, words in skipped.items() if cue in accepts for word in words}
    words = [word for type, word in WORDS.items() if type in accepts and type not in unsaid]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _help(mistake: Mistake) -> str | None:
    """What to do about it, where the language has a spelling for what was meant."""
    found, first, accepts = mistake.found, mistake.lexemes[0], mistake.accepts
    after = [lexeme.type for lexeme in mistake.lexemes[mistake.place + 1 :]]
    if found.type == "_NEWLINE" and "LBRACE" in accepts:
        return "the `{` of a block stands on the line of its head"
    if found.type == "TILDE" and first.type == "INPUT":
        return "only params have initialisers"
    if found.type == "_SEMI" and after:
        return "outside blocks each statement has a line of its own"
    if found.type == "EQUAL" and "AND" in accepts:
        return "`==` compares; `=` gives one value one name"
    if "EQUAL" not in accepts or "AND" in accepts:
        return None
    if found.type == "COMPARE":
        return "`=` gives a value a name; `==` compares"
    if first.type == "COST":
        return INSTEAD["cost"]
    if first.type != "NAME":
        return None
    if after[:1] == ["EQUAL"]:
        return "a name is given a value once; give the new value a new name"
    if found.type == "LPAR" and "EQUAL" in after:
        return f"`def {clip(first.text)}(...) = ...` defines a function"
    return "a statement gives a value a name: `y = ...`"
