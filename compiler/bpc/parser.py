"""From text to syntax tree: lark runs the grammar, statement by statement.

The only module that knows lark. Tokens are cut into statements (fragments.py), fed to one LALR
parser whose state is set back where a statement is wrong, and become nodes on the way
(treebuilder.py). lark makes the table of the grammar, bp.json, and says what would fit where; the
two loops over all tokens are here, since its own take twice the time.
"""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, cast

from lark import Lark, Token, Tree
from lark import __version__ as lark_version
from lark.grammar import Rule
from lark.lexer import TerminalDef
from lark.parsers.lalr_interactive_parser import InteractiveParser

from bpc import syntax
from bpc.diagnostics import BpcError, Diagnostic, Problem, clip
from bpc.fragments import NESTING_LIMIT, Fragment, Lexeme, cut, unknown
from bpc.source import Source, Span
from bpc.syntaxerrors import Mistake, explain
from bpc.treebuilder import CALLBACKS

HALF = re.compile("[\ud800-\udfff]")
NESTING = frozenset(("LPAR", "LSQB", "LBRACE", "POWER", "ELSE", "NOT", "MINUS"))


def parse(source: Source) -> tuple[syntax.Model, list[Diagnostic]]:
    """The tree of all statements that are right, and every syntax error, in the order of the text.

    A syntax error costs its statement alone; the head of a block costs the block, whose inside is
    still checked. Nothing else is raised, whatever the text.
    """
    collecting = gc.isenabled()
    gc.disable()  # nothing here makes cycles, and lark is three times as fast without
    try:
        lexemes, foreign = _read_tokens(source)
        diagnostics = [Problem("BP014", name=clip(x.text)).at(x.span) for x in foreign]
        fragments, more = cut(lexemes)
        reader = _Reader()
        for fragment in fragments:
            reader.read(fragment)
        diagnostics += more + reader.diagnostics
        diagnostics += _halves(source, {d.span.start for d in diagnostics})
        diagnostics.sort(key=lambda d: (d.span.start, d.span.end))
        lost = reader.lost.union(x.text for x in foreign)
        return syntax.Model(source, reader.finish(source), frozenset(lost)), diagnostics
    finally:
        if collecting:
            gc.enable()


def _halves(source: Source, known: set[int]) -> Iterator[Diagnostic]:
    """Surrogates alone, which no file in UTF-8 has: an error in a comment too."""
    for found in () if source.text.isascii() else HALF.finditer(source.text):
        if found.start() not in known:
            yield unknown(found[0]).at(Span(source, *found.span()))


class _KeepUnknown:
    """Keeps lark from dropping the terminal that no rule mentions: any other character."""

    always_accept = ("UNKNOWN",)

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        return stream


@cache
def _lark() -> Lark:
    """lark with its table of the grammar, which stands in bp.json: making it takes ten times as long."""
    table = json.loads(_packaged("bp.json"), object_hook=_with_numbers)
    given: dict[str, Any] = {"transformer": CALLBACKS, "postlex": _KeepUnknown()}
    if table["of"] == _stamp():
        lark: Lark = cast(Any, Lark)._load_from_dict(table["data"], table["memo"], **given)
        return lark
    return Lark(_packaged("bp.lark"), parser="lalr", lexer="basic", **given)


def _packaged(name: str) -> str:
    return files("bpc.grammar").joinpath(name).read_text(encoding="utf-8")


def _with_numbers(table: dict[str, Any]) -> dict[Any, Any]:
    """A part of a table, whose states and tokens are numbers: JSON has no keys but texts."""
    return {int(k) if k.isdigit() else k: v for k, v in table.items()}


def _stamp() -> str:
    """What a table is of: the version of lark and the grammar."""
    return f"{lark_version} {sha256(_packaged('bp.lark').encode()).hexdigest()}"


def table_text() -> str:
    """The text of bp.json, for the grammar and the lark that are there."""
    keep = cast(Any, _KeepUnknown())
    lark = cast(Any, Lark(_packaged("bp.lark"), parser="lalr", lexer="basic", postlex=keep))
    data, memo = lark.memo_serialize([TerminalDef, Rule])
    data["options"]["postlex"] = None
    return json.dumps({"of": _stamp(), "data": data, "memo": memo}, separators=(",", ":")) + "\n"


@cache
def _terminals() -> tuple[re.Pattern[str], dict[str, str], frozenset[str]]:
    """One pattern, a group for each terminal; the words among them, and those to leave out."""
    terminals = sorted(
        _lark().terminals,
        key=lambda t: (-t.priority, -t.pattern.max_width, -len(t.pattern.value), t.name),
    )
    words = {t.pattern.value: t.name for t in terminals if t.pattern.value.isalpha()}
    groups = [f"(?P<{t.name}>{t.pattern.to_regexp()})" for t in terminals]
    return re.compile("|".join(groups)), words, frozenset(cast(Any, _lark()).lexer_conf.ignore)


def _read_tokens(source: Source) -> tuple[list[Lexeme], list[Lexeme]]:
    """All tokens of a file, and those names among them that have letters beyond ASCII."""
    pattern, words, ignored = _terminals()
    lexemes = []
    for match in pattern.finditer(source.text):  # UNKNOWN is any character: nothing is skipped
        type, text = match.lastgroup or "", match[0]
        if type == "NAME":
            lexemes.append(Lexeme(words.get(text, type), text, source, *match.span()))
        elif type not in ignored:
            lexemes.append(Lexeme(type, text, source, *match.span()))
    if source.text.isascii():
        return lexemes, []
    return lexemes, [x for x in lexemes if x.type == "NAME" and not x.text.isascii()]


class _Unexpected(Exception):
    """The next token does not fit."""


#: for each state, by the type of the next token or the name of the last rule: the state after it,
#: or the rule that ends (how many values it takes, its name, what makes one value of them)
Table = list[dict[str, Any]]


@cache
def _table() -> Table:
    conf = cast(Any, _lark().parse_interactive().parser_state).parse_conf
    table: Table = [{} for _ in conf.states]
    for state, actions in conf.states.items():
        for type, (_, arg) in actions.items():
            step = arg if isinstance(arg, int) else _reduction(arg, conf.callbacks)
            table[state][str(type)] = step  # lark's own strings compare slowly
    return table


def _reduction(
    rule: Any, callbacks: dict[Any, Any]
) -> tuple[int, str, Callable[[list[Any]], Any] | None]:
    """The step that ends a rule; one that only passes its child on makes nothing."""
    passes_on = rule.options.expand1 and not rule.alias and len(rule.expansion) == 1
    return len(rule.expansion), str(rule.origin.name), None if passes_on else callbacks[rule]


def _advance(table: Table, states: list[int], values: list[Any], lexeme: Lexeme) -> None:
    """Take one token, after all rules that end before it; _Unexpected."""
    type = lexeme.type
    while True:
        step = table[states[-1]].get(type)
        if step.__class__ is int:
            states.append(step)
            values.append(lexeme)
            return
        if step is None:
            raise _Unexpected
        count, origin, make = step
        if make is None:
            states[-1] = _passed_on(states[-2], states[-1], type)
            continue
        first = len(values) - count
        values[first:] = [make(values[first:])]
        del states[len(states) - count :]
        states.append(table[states[-1]][origin])


@cache
def _passed_on(below: int, state: int, type: str) -> int:
    """The state once all rules have ended that only pass one value on: a name that is a sum."""
    table = _table()
    while True:
        step = table[state].get(type)
        if step.__class__ is not tuple or step[2] is not None:
            return state
        state = table[below][step[1]]


class _Reader:
    """Feeds fragments to the parser, which stands after the last right statement at any time.

    The inside of a block whose head is wrong goes to a parser of its own, whose tree is dropped.
    """

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self.parser = _lark().parse_interactive()
        self.outer: list[InteractiveParser | None] = []  # for each open block, where to go back to
        self.head_may_follow = False
        self.lost: set[str] = set()  # the names in what is wrong, which it may define

    def read(self, fragment: Fragment) -> None:
        """Take the next fragment of the file."""
        lexemes = fragment.lexemes
        if lexemes[0].type == "RBRACE" and not fragment.broken:
            self._leave_block(lexemes[0])
            return
        right = not fragment.broken and self._feed(lexemes)
        if not right or any(self.outer):
            self.lost.update(x.text for x in lexemes if x.type == "NAME")
        opens = lexemes[-1].type == "LBRACE"
        if opens:
            self.outer.append(None if right else self.parser)
            if not right:
                self.parser = _in_a_block(lexemes[-1])
        elif not right and lexemes[-1].type != "RBRACE":
            self.parser.feed_token(_token(replace(lexemes[-1], type="_NEWLINE")))
        self.head_may_follow = not right and not opens

    def finish(self, source: Source) -> tuple[syntax.Statement, ...]:
        """The statements of the file, once all fragments are read."""
        end = Lexeme("$END", "", source, len(source.text), len(source.text))
        statements: tuple[syntax.Statement, ...] = self.parser.feed_token(_token(end))
        return statements

    def _leave_block(self, closer: Lexeme) -> None:
        outer = self.outer.pop()
        if outer is None:
            self.parser.feed_token(_token(closer))
        else:
            self.parser = outer

    def _feed(self, lexemes: list[Lexeme]) -> bool:
        """Parse a fragment; where it is wrong, report it and leave the parser as it was."""
        state = self.parser.parser_state
        states, values = state.state_stack, state.value_stack
        saved = states[:], values[:]
        # lark adds a statement to the list of those before it in place
        lists = [(v.children, len(v.children)) for v in values if isinstance(v, Tree)]
        table = _table()
        place = 0
        try:
            for place, lexeme in enumerate(lexemes):
                _advance(table, states, values, lexeme)
                if lexeme.type in NESTING and _too_deep(values):
                    raise BpcError([Problem("BP008", limit=NESTING_LIMIT).at(lexeme.span)])
            return True
        except BpcError as error:
            self.diagnostics += error.diagnostics
        except _Unexpected:
            if not (self.head_may_follow and place == 0 and lexemes[0].type == "LBRACE"):
                accepts = frozenset(cast(Any, self.parser).accepts())
                self.diagnostics.append(explain(Mistake(lexemes, place, accepts, values)))
        states[:], values[:] = saved
        for children, length in lists:
            del children[length:]
        return False


def _in_a_block(opener: Lexeme) -> InteractiveParser:
    """A parser that has read the head of some block: `def f() {`."""
    parser = _lark().parse_interactive()
    for type in ("DEF", "NAME", "LPAR", "RPAR", "LBRACE"):
        parser.feed_token(_token(replace(opener, type=type)))
    return parser


def _token(lexeme: Lexeme) -> Token:
    """The parser asks a token for nothing but its type."""
    return cast(Token, lexeme)


def _too_deep(values: list[Any]) -> bool:
    """Whether too much is open in the parser's stack, where binary minus does not count."""
    if len(values) <= NESTING_LIMIT:
        return False
    depth = 0
    for place, value in enumerate(values):
        if isinstance(value, Lexeme) and value.type in NESTING:
            depth += value.type != "MINUS" or isinstance(values[place - 1], Lexeme)
    return depth > NESTING_LIMIT
