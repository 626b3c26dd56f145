"""Text of a program and places in it."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import field

from bpc.record import record


@record(frozen=True)
class Source:
    """A program's text under the name that messages give it."""

    name: str
    text: str
    _starts: list[int] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        """A name stays on one line, and is nothing but characters that print."""
        name = "".join(c if c.isprintable() else "\ufffd" for c in self.name)
        object.__setattr__(self, "name", name)

    def line_of(self, offset: int) -> int:
        """Line of an offset, counted from 1."""
        if not self._starts:
            self._starts.append(0)
            self._starts.extend(i + 1 for i, c in enumerate(self.text) if c == "\n")
        return bisect_right(self._starts, offset)

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both counted from 1."""
        line = self.line_of(offset)
        return line, offset - self._starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a line, counted from 1, without its end."""
        self.position(0)
        start = self._starts[number - 1]
        end = self._starts[number] - 1 if number < len(self._starts) else len(self.text)
        return self.text[start:end].rstrip("\r")


@record(frozen=True, eq=True)
class Span:
    """The half-open range [start, end) of offsets into a source's text.

    What stands in a function that is inlined also knows the calls, the outermost first.
    """

    source: Source
    start: int
    end: int
    calls: tuple[Span, ...] = field(default=(), compare=False, repr=False)

    def inside(self, calls: tuple[Span, ...]) -> Span:
        """The same place, reached by calls."""
        return Span(self.source, self.start, self.end, calls) if calls else self

    @property
    def line(self) -> int:
        """Line of the first character, counted from 1."""
        return self.source.line_of(self.start)

    @property
    def column(self) -> int:
        """Column of the first character, counted from 1."""
        return self.source.position(self.start)[1]

    def to(self, other: Span) -> Span:
        """The span from here to the end of the other."""
        return Span(self.source, self.start, other.end)

    @property
    def text(self) -> str:
        """What the span covers."""
        return self.source.text[self.start : self.end]

    def __str__(self) -> str:
        """`file:line`, as comments and run-time errors give it."""
        return f"{self.source.name}:{self.source.line_of(self.start)}"
