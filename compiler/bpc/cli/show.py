"""What people read: messages on stderr, tables on stdout. Colour on terminals alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import IO, Any

import click

from bpc.diagnostics import Diagnostic, excerpt
from bpc.schedule.tiles import Tiles, Whole
from bpc.source import Source, Span


def say(message: str) -> None:
    """One line of bpc's own on stderr."""
    click.echo(f"bpc: {message}", err=True)


def report(diagnostics: Iterable[Diagnostic]) -> None:
    """Diagnostics on stderr."""
    for diagnostic in diagnostics:
        click.echo(paint(diagnostic) if coloured(sys.stderr) else diagnostic.render(), err=True)


def coloured(stream: IO[Any]) -> bool:
    """Whether the stream is a terminal that shows colour, and nobody objects."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream is not None and stream.isatty()


def paint(diagnostic: Diagnostic) -> str:
    """The diagnostic's text with colours: code and carets red, the word `help:` green."""
    from rich.style import Style

    head, line, carets, *rest = diagnostic.render().split("\n")
    place = len(head) - len(f"error[{diagnostic.code}]: {diagnostic.message}")
    end = place + len(f"error[{diagnostic.code}]:")
    red, green = Style.parse("bold red"), Style.parse("green")
    rows = [
        head[:place] + red.render(head[place:end]) + Style.parse("bold").render(head[end:]),
        line,
        carets.replace("^" * carets.count("^"), red.render("^" * carets.count("^"))),
    ]
    for row in rest:
        rows.append(green.render("help:") + row[5:] if row.startswith("help:") else row)
    return "\n".join(rows)


def renamed(diagnostics: Iterable[Diagnostic], name: str) -> tuple[Diagnostic, ...]:
    """The same diagnostics with another name for the file, but not for a library.

    The outermost place is in the file: a library is reached by a call alone.
    """
    sources: dict[Source, Source] = {}

    def move(span: Span, file: Source) -> Span:
        if span.source is not file:
            return span
        return replace(span, source=sources.setdefault(file, Source(name, file.text)))

    moved = []
    for d in diagnostics:
        file = (*d.calls, d.span)[0].source
        calls = tuple(move(call, file) for call in d.calls)
        moved.append(replace(d, span=move(d.span, file), calls=calls))
    return tuple(moved)


def tiles(found: Mapping[str, Tiles | tuple[Whole, ...]]) -> None:
    """How functions run, on stderr: those of one kind together, reasons at their places."""
    kinds: dict[str | tuple[Whole, ...], list[str]] = {}
    for name, how in found.items():
        kinds.setdefault(how.dim if isinstance(how, Tiles) else how, []).append(name)
    for kind, names in kinds.items():
        if isinstance(kind, str):
            say(f"{', '.join(names)}: in tiles along {kind}")
            continue
        say(f"{', '.join(names)}: whole{'' if kind else ', as nothing has a free dim'}")
        for whole in kind:
            place, *shown = excerpt(whole.span) if whole.span else [""]
            head = f"{place}: " if place else ""
            click.echo("\n".join([f"{head}not along {whole.dim}: {whole.why}", *shown]), err=True)


def table(rows: Sequence[Sequence[str]], heading: Sequence[str] = ()) -> None:
    """Columns on stdout; on a terminal the last one wraps."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    colour = coloured(sys.stdout)
    width = None if sys.stdout is not None and sys.stdout.isatty() else 10_000
    console = Console(file=sys.stdout, width=width, no_color=not colour, highlight=False)
    grid = Table(box=None, show_header=bool(heading), pad_edge=False)
    for i in range(len(heading or rows[0])):
        grid.add_column(Text(heading[i]) if heading else "")
    for row in rows:
        grid.add_row(*map(Text, row))
    with console.capture() as capture:
        console.print(grid)
    click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()), color=colour)
