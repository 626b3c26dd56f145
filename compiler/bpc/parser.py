"""From text to syntax tree, statement by statement.

Tokens are cut into statements (fragments.py), fed to one LALR parser (lalr.py) that is set back where
a statement is wrong, and become nodes on the way (treebuilder.py). Its table stands in bp.json, which
lark has made of the grammar (larktable.py).
"""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pkgutil import get_data
from typing import Any
from zlib import crc32

from bpc import syntax
from bpc.diagnostics import BpcError, Diagnostic, Problem, clip
from bpc.fragments import NESTING_LIMIT, Fragment, Lexeme, cut, unknown
from bpc.lalr import Stack, Table, Unexpected
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
    gc.disable()  # nothing here makes cycles
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


def table_text() -> str:
    """The text of bp.json, for the grammar and the lark that are there."""
    from bpc import larktable

    grammar = _packaged("bp.lark")
    return larktable.table_text(grammar, _stamp(grammar))


def _packaged(name: str) -> str:
    return (get_data("bpc.grammar", name) or b"").decode()


def _stamp(grammar: str) -> str:
    """What tells grammars apart."""
    return f"{crc32(grammar.encode()):08x}"


@cache
def _grammar() -> dict[str, Any]:
    """bp.json, or what would stand there where the grammar has changed."""
    found: dict[str, Any] = json.loads(_packaged("bp.json"))
    if found["of"] != _stamp(_packaged("bp.lark")):
        found = json.loads(table_text())
    return found


@cache
def _table() -> Table:
    return Table(_grammar(), vars(CALLBACKS))


@cache
def _terminals() -> tuple[re.Pattern[str], dict[str, str], frozenset[str]]:
    """One pattern, a group for each terminal; the words among names, and what to leave out."""
    grammar = _grammar()
    return re.compile(grammar["pattern"]), grammar["words"], frozenset(grammar["ignored"])


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


class _Reader:
    """Feeds fragments to the parser, which stands after the last right statement at any time.

    The inside of a block whose head is wrong goes to a parser of its own, whose tree is dropped.
    """

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self.parser = Stack(_table())
        self.outer: list[Stack | None] = []  # for each open block, where to go back to
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
            self.parser.take(replace(lexemes[-1], type="_NEWLINE"))
        self.head_may_follow = not right and not opens

    def finish(self, source: Source) -> tuple[syntax.Statement, ...]:
        """The statements of the file, once all fragments are read."""
        self.parser.take(Lexeme("$END", "", source, len(source.text), len(source.text)))
        statements: tuple[syntax.Statement, ...] = self.parser.values[0]
        return statements

    def _leave_block(self, closer: Lexeme) -> None:
        outer = self.outer.pop()
        if outer is None:
            self.parser.take(closer)
        else:
            self.parser = outer

    def _feed(self, lexemes: list[Lexeme]) -> bool:
        """Parse a fragment; where it is wrong, report it and leave the parser as it was."""
        stack = self.parser
        back = stack.mark()
        place = 0
        try:
            for place, lexeme in enumerate(lexemes):
                stack.take(lexeme)
                if lexeme.type in NESTING and _too_deep(stack.values):
                    raise BpcError([Problem("BP008", limit=NESTING_LIMIT).at(lexeme.span)])
            return True
        except BpcError as error:
            self.diagnostics += error.diagnostics
        except Unexpected:
            if not (self.head_may_follow and place == 0 and lexemes[0].type == "LBRACE"):
                mistake = Mistake(lexemes, place, stack.accepts(), stack.values)
                self.diagnostics.append(explain(mistake))
        back()
        return False


def _in_a_block(opener: Lexeme) -> Stack:
    """A parser that has read the head of some block: `def f() {`."""
    parser = Stack(_table())
    for type in ("DEF", "NAME", "LPAR", "RPAR", "LBRACE"):
        parser.take(replace(opener, type=type))
    return parser


def _too_deep(values: list[Any]) -> bool:
    """Whether too much is open in the parser's stack, where binary minus does not count."""
    if len(values) <= NESTING_LIMIT:
        return False
    depth = 0
    for place, value in enumerate(values):
        if isinstance(value, Lexeme) and value.type in NESTING:
            depth += value.type != "MINUS" or isinstance(values[place - 1], Lexeme)
    return depth > NESTING_LIMIT
