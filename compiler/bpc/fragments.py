"""Tokens cut into statements, so that an error costs one statement and no bracket eats the file.

```
scan t in 0..3 carry (h = 0) {      # a fragment that opens a block
    h = f(h,                        # a fragment; the newline in the bracket is gone
          t)
}                                   # a fragment of its own
```
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

from bpc.diagnostics import Diagnostic, Problem
from bpc.record import record
from bpc.source import Source, Span

NESTING_LIMIT = 200
CLOSERS = {"LPAR": "RPAR", "LSQB": "RSQB"}
STATEMENTS = frozenset(
    ("dim", "const", "input", "param", "cost", "output", "def", "layer", "return")
    + ("for", "scan", "emit", "use")
)
OPERAND_ENDS = frozenset(("NAME", "NUMBER", "TEXT", "TRUE", "FALSE", "RPAR", "RSQB"))
CALLED = frozenset(("NAME", "RPAR", "RSQB", "CARRY"))  # what stands before the bracket of a call
TARGET_LENGTH = 12  # how many tokens of `name[...] =` are looked at for the `=`


@record()
class Lexeme:
    """One token: `type` is a terminal's name in the grammar, the text is source[start:end]."""

    type: str
    text: str
    source: Source
    start: int
    end: int

    @property
    def span(self) -> Span:
        """Where it stands."""
        return Span(self.source, self.start, self.end)


@record()
class Fragment:
    """A statement with its end, or its head up to `{`, or a lone `}`; `depth` counts open blocks.

    A broken one has had its error reported and is not worth parsing.
    """

    lexemes: list[Lexeme]
    depth: int
    broken: bool = False


def cut(lexemes: list[Lexeme]) -> tuple[list[Fragment], list[Diagnostic]]:
    """All statements in order, their blocks balanced, and what is wrong with brackets and text."""
    cutter = _Cutter()
    for place, lexeme in enumerate(lexemes):
        cutter.take(lexeme, lexemes, place)
    cutter.finish()
    return cutter.fragments, cutter.diagnostics


@record()
class _Cutter:
    fragments: list[Fragment] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    current: list[Lexeme] = field(default_factory=list)
    broken: bool = False
    brackets: list[int] = field(default_factory=list)  # where in `current` each open ( and [ is
    blocks: list[tuple[Lexeme, int]] = field(default_factory=list)  # each `{`, its fragment

    def take(self, lexeme: Lexeme, lexemes: list[Lexeme], place: int) -> None:
        """Add one token of the file; the others are there to look ahead."""
        match lexeme.type:
            case "_NEWLINE":
                if not self.brackets or self._statement_follows(lexemes, place + 1):
                    self._end(lexeme)
            case "_SEMI" if self.blocks:
                self._end(lexeme)
            case "LBRACE":
                self._open_block(lexeme)
            case "RBRACE":
                self._close_block(lexeme)
            case "LPAR" | "LSQB":
                self.brackets.append(len(self.current))
                self.current.append(lexeme)
                if len(self.brackets) + len(self.blocks) > NESTING_LIMIT:
                    self._fault(Problem("BP008", limit=NESTING_LIMIT), lexeme.span)
            case "RPAR" | "RSQB":
                self.current.append(lexeme)
                self._close_bracket(lexeme)
            case "UNKNOWN":
                self.current.append(lexeme)
                self._fault(unknown(lexeme.text), lexeme.span)
            case _:
                self.current.append(lexeme)

    def finish(self) -> None:
        """End the last statement and the blocks that are still open."""
        if self.current:
            last = self.current[-1]
            self._end(Lexeme("_NEWLINE", "", last.source, last.end, last.end))
        for opener, place in reversed(self.blocks):
            head = self.fragments[place]
            end = len(self.fragments)
            if not head.broken:
                self.diagnostics.append(Problem("BP004", bracket="{").at(opener.span))
                end = next(self._ends_of_block(place), end)
            for fragment in self.fragments[end:]:
                fragment.depth -= 1
            closer = Lexeme("RBRACE", "}", opener.source, opener.end, opener.end)
            newline = Lexeme("_NEWLINE", "", opener.source, opener.end, opener.end)
            closing = [Fragment([closer], head.depth + 1), Fragment([newline], head.depth)]
            self.fragments[end:end] = closing

    def _fault(self, problem: Problem, span: Span) -> None:
        if not self.broken:
            self.diagnostics.append(problem.at(span))
        self.broken = True

    def _end(self, terminator: Lexeme) -> None:
        if self.brackets:
            opener = self.current[self.brackets[-1]]
            self._fault(Problem("BP004", bracket=opener.text), opener.span)
        self._push([*self.current, terminator])

    def _push(self, lexemes: list[Lexeme]) -> None:
        self.fragments.append(Fragment(lexemes, len(self.blocks), self.broken))
        self.current = []
        self.brackets = []
        self.broken = False

    def _open_block(self, opener: Lexeme) -> None:
        if len(self.blocks) == NESTING_LIMIT:
            self._fault(Problem("BP008", limit=NESTING_LIMIT), opener.span)
        self.broken = self.broken or len(self.blocks) > NESTING_LIMIT
        self._end(opener)
        self.blocks.append((opener, len(self.fragments) - 1))

    def _close_block(self, closer: Lexeme) -> None:
        if self.current:
            end = "_SEMI" if self.blocks else "_NEWLINE"
            self._end(Lexeme(end, "}", closer.source, closer.start, closer.end))
        if not self.blocks:
            self._fault(Problem("BP005", bracket="}"), closer.span)
        self._push([closer])
        if self.blocks:
            self.blocks.pop()

    def _close_bracket(self, closer: Lexeme) -> None:
        if not self.brackets:
            self._fault(Problem("BP005", bracket=closer.text), closer.span)
            return
        opener = self.current[self.brackets.pop()]
        if CLOSERS[opener.type] != closer.type:
            line, column = opener.source.position(opener.start)
            help = f"the `{opener.text}` of line {line}, column {column} is still open"
            problem = Problem("BP006", help, bracket=closer.text, opener=opener.text)
            self._fault(problem, closer.span)

    def _statement_follows(self, lexemes: list[Lexeme], place: int) -> bool:
        """Whether a statement obviously starts on the next line, though a bracket is open.

        That is a statement's keyword; or `name =` or `name[1] =`, no further to the right than the
        statement that is open, where no argument of that name can be meant.
        """
        ahead = lexemes[place : place + TARGET_LENGTH]
        if len(ahead) < 2:
            return False
        first, second = ahead[:2]
        if first.text in STATEMENTS:
            return second.type != "EQUAL"
        opener = self.brackets[-1]
        in_call = opener > 0 and self.current[opener - 1].type in CALLED
        if in_call and self.current[-1].type not in OPERAND_ENDS:
            return False
        if first.type != "NAME" or _column(first) > _column(self.current[0]):
            return False
        types = [lexeme.type for lexeme in ahead]
        if second.type == "LSQB" and "RSQB" in types:
            return types[types.index("RSQB") + 1 :][:1] == ["EQUAL"]
        return second.type == "EQUAL"

    def _ends_of_block(self, opening: int) -> Iterator[int]:
        """Where the block of an unclosed `{` may have been meant to end: at a line not indented."""
        depth = self.fragments[opening].depth + 1
        for place in range(opening + 1, len(self.fragments)):
            fragment = self.fragments[place]
            first = fragment.lexemes[0]
            starts = first.type not in ("RBRACE", "_NEWLINE", "_SEMI") and _column(first) == 1
            if fragment.depth == depth and starts:
                yield place


def _column(lexeme: Lexeme) -> int:
    return lexeme.source.position(lexeme.start)[1]


#: characters that look like the language's, or do its work elsewhere, by what is meant
MEANT = {
    "not": "!", "and": "&", "or": "|", "*": "×·⋅∗", "/": "÷∕", "-": "−–—‐‑", "<=": "≤", ">=": "≥",
    "!=": "≠", "inf": "∞", "sqrt": "√",
}  # fmt: skip
HELPS = {c: f"write `{word}`" for word, characters in MEANT.items() for c in characters}
HELPS |= dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff", "take it out: it has no width")


def unknown(character: str) -> Problem:
    """What is wrong with a character that the language does not have."""
    if character in "\"'":
        return Problem("BP007")
    help = "write a plain space" if character.isspace() else HELPS.get(character)
    shown = f"`{character}`" if character.isprintable() else f"U+{ord(character):04X}"
    return Problem("BP001", help, character=shown)
