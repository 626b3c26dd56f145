"""What can be wrong with a program: one table of messages, values that carry them, and how they print.

Every message that the compiler can give is a row of `MESSAGES`; `tests/bad/` has a program for each.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from bpc.record import record
from bpc.source import Span

MESSAGES: dict[str, str] = {
    # Syntax
    "BP001": "unexpected character {character}",
    "BP002": "expected {expected}, found {found}",
    "BP003": "`{word}` is a reserved word, not a name",
    "BP004": "`{bracket}` is never closed",
    "BP005": "`{bracket}` closes nothing",
    "BP006": "`{bracket}` cannot close `{opener}`",
    "BP007": "the text does not end on its line",
    "BP008": "nesting is too deep: more than {limit} levels",
    "BP009": "the number is too large: it is no finite float",
    "BP010": "`{text}` is not a number",
    "BP011": "comparisons cannot be chained",
    "BP012": "`{word}` does not start a statement",
    "BP013": "only a call can be named by `as`",
    "BP014": "`{name}` is not a name: names are ASCII letters, digits and `_`",
    "BP015": "`{word}` is not a type",
    # Names and statements
    "BP101": "unknown name `{name}`",
    "BP102": "`{name}` has superscripts",
    "BP103": "a superscript of `{name}` is one whole number, 0 or more, known at compile time",
    "BP104": "{what} has no `.{name}`",
    "BP106": "the index of a tuple is a whole number within its length, {length}",
    "BP107": "`{name}` is already defined",
    "BP108": "`{name}` is used both with and without superscripts in one scope",
    "BP109": "`{name}` and `{other}` are both spelled `{spelling}` in Python",
    "BP110": "`{what}` cannot stand inside a `{kind}`",
    "BP111": "`{name}` has the shape {shape}: only scalar inputs have samples",
    "BP112": "`{name}` is a param of kind {kind}: params are real",
    "BP113": "`{name}` has both a value and an initialiser",
    "BP114": "unknown initialiser `{name}`",
    "BP115": "`{name}` does not fit the shape {shape}",
    "BP116": "{wanted} names on the left, {found} on the right",
    "BP117": "a second cost",
    "BP118": "`{name}` is an output already",
    "BP119": "`return` outside a `def` or `layer`",
    "BP120": "`emit` outside a `scan`",
    "BP121": "the program has no cost",
    "BP123": "nothing behind `return` is reached",
    # Loops
    "BP141": "the bounds of `scan` are whole numbers or sizes, not {what}",
    "BP142": "a `scan` from {low} to {high} has no steps",
    "BP143": "the carry `{name}` starts as {old} and becomes {new}",
    "BP144": "`{what}` cannot stand inside a `scan`",
    "BP147": "the cost has no gradient for each example of `{dim}`: {why}",
    "BP145": "`grad` takes one real number to differentiate, not {what}",
    "BP146": "`grad` differentiates by a real value under a name, not {what}",
    # Layers
    "BP131": "`{name}` already names a call of a layer",
    "BP132": "a call of the layer `{name}` needs a name",
    "BP133": "`{name}` names the call of a layer, it is no value",
    "BP134": "`as` names the call of a layer, but `{name}` is {what}",
    "BP135": "there is no library `{name}`",
    # Types and shapes
    "BP201": "shapes {shapes} do not match",
    "BP202": "shapes {shapes} would both have to be stretched",
    "BP203": "{old} does not fit the shape {new}",
    "BP204": "({order}) is no order of the {rank} axes",
    "BP205": "an axis of size {size} cannot be split into {parts} equal parts",
    "BP206": "`{name}` needs an array with more axes than {shape}",
    "BP207": "`pad` takes (before, after) for each of the {rank} axes, none negative",
    "BP208": "`{name}` needs square matrices, not the shape {shape}",
    "BP209": "no matrix product of shapes {left} and {right}",
    "BP210": "einsum({spec!r}): {why}",
    "BP211": "`{name}`: scores of shape {scores} and labels of shape {label} do not match",
    "BP212": "`{name}` takes int labels, not {kind}: declare them as `int[N]`",
    "BP213": "{what} cannot stand where a number or an array is due",
    "BP214": "`{name}` takes a bool array, not {kind}",
    "BP215": "`{where}` takes a bool, not {what}",
    "BP216": "an index is a whole number or an int array, not {what}",
    "BP217": "index arrays must stand side by side",
    "BP218": "{what} for the shape {shape}",
    "BP219": "{what} leaves the axis of size {length}",
    "BP220": "the step of a slice is a whole number known at compile time, and not 0",
    "BP221": "there is no axis {axis} in the shape {shape}",
    "BP222": "`{label}` fits {what} of the shape {shape}",
    "BP223": "an axis is named twice",
    "BP224": "the cost is one number, this has the shape {shape}",
    "BP225": "the size of `{name}` cannot be found: {why}",
    "BP226": "an array has at most {limit} axes, as in NumPy, not {rank}",
    # Networks
    "BP231": "`{option}` of `{name}` is {wanted}, not {found}",
    "BP232": "`{name}` takes {what}, not the shape {shape}",
    "BP233": "`{name}`: {what}",
    "BP234": "`{name}`: {channels} channels do not fit the kernel {kernel} with groups={groups}",
    "BP235": "`output_pad` of {more} is not less than the stride, {stride}",
    "BP236": "`{name}`: a pad of {pad} is more than half of the window, {size}",
    "BP237": "{what}",
    # Calls
    "BP301": "unknown function `{name}`",
    "BP303": "`{name}` is {what}, not a function",
    "BP304": "`{name}` calls itself",
    "BP305": "`{name}` returns nothing",
    "BP306": "`{name}` takes {takes}, not {given}",
    "BP307": "`{name}` needs the argument `{argument}`",
    "BP308": "a positional argument after a named one",
    "BP309": "`{name}` has no argument `{argument}`",
    "BP310": "`{name}` has the argument `{argument}` twice",
    "BP311": "`{name}` takes {what}, not {found}",
    # Compile-time values and limits
    "BP401": "the value of `{op}` is no finite number",
    "BP402": "{what} is no size: sizes are whole numbers from 0 on",
    "BP403": "the size is too large an expression",
    "BP404": "nested more than {limit} deep",
    "BP405": "this expands to more than {limit} steps",
    "BP406": "const `{name}` must be a number known at compile time, not {what}",
    "BP407": "`{name}` is {kind}: {what} cannot be its value",
    "BP408": "the bounds of `for` are whole numbers known at compile time",
}

MORE = "`--limit` (from Python: `limit=`) allows more"  # of what BP405 bounds
LINE_LIMIT = 160  # a longer source line is shown as a window around the span
BEFORE_SPAN = 40  # how much of the line such a window shows before the span


CALLS_SHOWN = 6


@record(frozen=True, eq=True)
class Diagnostic:
    """One thing that is wrong, where, and what to do about it."""

    code: str
    message: str
    span: Span
    help: str | None = None
    calls: tuple[Span, ...] = ()

    def render(self) -> str:
        """The message, the source line, carets under the span, and the help, without a last newline.

        m.bp:3:5: error[BP003]: `in` is a reserved word, not a name
          dim in = 3
              ^^
        help: ...
        """
        place, *shown = excerpt(self.span)
        rows = [f"{place}: error[{self.code}]: {self.message}", *shown]
        calls = list(dict.fromkeys(reversed(self.calls)))
        for call in calls[:CALLS_SHOWN]:
            rows.append(f"in the call at {call}:{call.column}: {clip(call.text.splitlines()[0])}")
        if len(calls) > CALLS_SHOWN:
            rows.append(f"in {len(calls) - CALLS_SHOWN} more calls")
        if self.help:
            rows.append(f"help: {self.help}")
        return "\n".join(rows)

    def as_dict(self) -> dict[str, str | int | None]:
        """The same for JSON; `end_line` and `end_column` are those just after the span."""
        source = self.span.source
        line, column = source.position(self.span.start)
        end_line, end_column = source.position(self.span.end)
        return {
            "code": self.code,
            "message": self.message,
            "file": source.name,
            "line": line,
            "column": column,
            "end_line": end_line,
            "end_column": end_column,
            "help": self.help,
        }


def excerpt(span: Span) -> list[str]:
    """`file:line:column`, the source line, and carets under the span."""
    source = span.source
    line, column = source.position(span.start)
    text = source.line(line)
    width = max(1, min(span.end - span.start, len(text) - column + 1))
    text, offset, width = _window(text, column - 1, width)
    indent = "".join(c if c == "\t" else " " for c in text[:offset])
    return [
        f"{source.name}:{line}:{column}",
        "  " + "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in text),
        "  " + indent + "^" * width,
    ]


def _window(text: str, offset: int, width: int) -> tuple[str, int, int]:
    """The part of a line to show, and where in it the carets start and how many there are."""
    if len(text) <= LINE_LIMIT:
        return text, offset, width
    start = max(0, min(offset - BEFORE_SPAN, len(text) - LINE_LIMIT))
    head = "..." if start else ""
    tail = "..." if start + LINE_LIMIT < len(text) else ""
    shown = f"{head}{text[start : start + LINE_LIMIT]}{tail}"
    offset -= start
    return shown, offset + len(head), max(1, min(width, LINE_LIMIT - offset))


def _place(diagnostic: Diagnostic) -> tuple[int, int]:
    """Where in the file; a mistake in a library counts as one in the call that leads there."""
    span, calls = diagnostic.span, diagnostic.calls
    if calls and calls[0].source is not span.source:
        span = calls[0]
    return span.start, span.end


class BpcError(Exception):
    """A program with errors: `diagnostics` holds them in the order of the text."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(sorted(diagnostics, key=_place))
        super().__init__("\n".join(d.render() for d in self.diagnostics))


class Problem(Exception):
    """A message without a place: the stage that knows the span turns it into a Diagnostic."""

    def __init__(self, code: str, help: str | None = None, **values: object) -> None:
        self.code, self.help = code, help
        self.message = MESSAGES[code].format(**values)
        super().__init__(self.message)

    def at(self, span: Span, calls: tuple[Span, ...] = ()) -> Diagnostic:
        """The same, at a place, and inside calls, the outermost first, unless the place knows them."""
        return Diagnostic(self.code, self.message, span, self.help, calls or span.calls)


def did_you_mean(name: str, candidates: Iterable[str]) -> str | None:
    """`did you mean `x`?` for the closest candidate, if one is close."""
    close = get_close_matches(name, list(candidates), n=1, cutoff=0.6) if len(name) > 2 else []
    return f"did you mean `{close[0]}`?" if close else None


def clip(text: str) -> str:
    """A text for a message: the middle of a long one left out."""
    return text if len(text) <= 40 else f"{text[:30]}...{text[-6:]}"


class UsageError(Exception):
    """An option that does not fit the program: `--set`, `--wrt` or `--emit` of an unknown name."""
