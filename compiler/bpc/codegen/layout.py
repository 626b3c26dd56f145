"""Statements laid out over lines exactly as Black does it (default mode, 88 columns).

A statement that fits is one line.  A long one of a frequent shape is cut here; any other is
given to Black by itself.  Texts are one line, spaced and quoted as Black writes them, with no
magic trailing comma; comments come without their "# ", stripped, on one line; indents are
multiples of four.  Lines have no line ends.
"""

import re
from collections.abc import Sequence

from .expression import Code

WIDTH = 88

_SIMPLE = re.compile(r"[^\W\d]\w*|\d[\d_]*(?:\.\d+)?(?:e-?\d+)?")
_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
# A target with no bracket that Black would rather open than the brackets of the value.
_TARGET = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*(?:\[(?!.*\*\*)[^\[\]]+\])?")
_TARGETS = re.compile(rf"{_TARGET.pattern}|[^\W\d]\w*(?:, \*?[^\W\d]\w*)+")
_DICTIONARY_HEAD = re.compile(r"return(?: [^\W\d]\w*,)?|[^\W\d]\w*(?:\[[^\[\]*]+\])? =")
_ELEMENT_END = re.compile(r""".*[\w)\]]\[(?:[^\[\]"']*|"[^"\[\]]*")\]""")
# Characters one column wide to Black.
_NARROW = re.compile("[\x20-\x7e\xa1-\u02ff\u0370-\u0482\u1e00-\u1fff\u2010-\u2027\u2030-\u205e"
                     "\u2070-\u20cf\u2100-\u2319]*")  # fmt: skip
_BRACKET = re.compile(r'"[^"]*"|[(\[{]|[)\]}]|,')
# What may stand around brackets that are opened without a look at operators.
_OUTSIDE = re.compile(r'(?:"[^"]*": |[^\W\d]\w*=)?[\w.]*(?:\(\)\.\w+)?[(\[{]')
_PRAGMA = re.compile(r"type:|fmt:|yapf:")


def fits(indent: int, target: str, code: Code, comment: str | None = None, sign: str = "=") -> bool:
    """Tell whether `target = code  # comment` is no wider than 88 columns."""
    return _width(_line(indent, f"{target} {sign} {code.text}", comment)) <= WIDTH


def statement(
    indent: int, target: str, code: Code, comment: str | None = None, sign: str = "="
) -> list[str]:
    """Give the lines of `target = code  # comment`; the sign may be `+=`."""
    head = f"{target} {sign}"
    line = _line(indent, f"{head} {code.text}", comment)
    if _short(line):
        return [line]
    lines = None
    if _plain(line, comment) and _TARGET.fullmatch(target):
        if code.terms:
            lines = _chain(indent, head, code, comment)
        elif code.call:
            lines = _call(indent, f"{head} {code.call[0]}", code.call, comment)
        elif target.isidentifier() and _SIMPLE.fullmatch(code.text):
            lines = _simple(indent, head, code.text, comment)
        elif code.text[0] in "([{":
            lines = _opened(indent, f"{head} ", code.text, _line(0, "", comment))
    return lines or _by_black([line])


def fits_call(indent: int, target: str, head: str, args: Sequence[str]) -> bool:
    """Tell whether `target = head(args)` is one line."""
    return _short(_line(indent, f"{target} = {head}({', '.join(args)})"))


def call_statement(
    indent: int,
    target: str | None,
    head: str,
    args: Sequence[str],
    comment: str | None = None,
    *,
    modern: bool = False,
) -> list[str]:
    """Give the lines of `target = head(args)`, or of `head(args)` if there is no target.

    `modern` is as for `signature`.
    """
    start = head if target is None else f"{target} = {head}"
    line = _line(indent, f"{start}({', '.join(args)})", comment)
    if _short(line):
        return [line]
    lines = None
    if _plain(line, comment) and (target is None or _TARGETS.fullmatch(target)):
        lines = _call(indent, start, (head, tuple(args)), comment, modern)
    return lines or _by_black([line], modern=modern)


def tuple_statement(indent: int, target: str, items: Sequence[str]) -> list[str]:
    """Give the lines of `target = (item, item, ...)`."""
    text = f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"
    line = _line(indent, f"{target} = {text}")
    lines = [line] if _short(line) else _exploded(indent, f"{target} = (", items, ")")
    return lines or _by_black([line])


def unpacked(indent: int, names: Sequence[str], value: str) -> list[str]:
    """Give the lines of `name, name, ... = value`, where the value is a name."""
    if len(names) == 1:
        return [_line(indent, f"({names[0]},) = {value}")]
    line = _line(indent, f"{', '.join(names)} = {value}")
    if _short(line):
        return [line]
    lines = None
    if _plain(line, None):
        head = f"{', '.join(names)} = ("
        lines = _bracketed(indent, head, value, (), ")")
        lines = lines or _exploded(indent, "(", names, f") = {value}")
    return lines or _by_black([line])


def returned(indent: int, items: Sequence[str], *, modern: bool = False) -> list[str]:
    """Give the lines of `return item`, or of `return item, item, ...`.

    `modern` is as for `signature`.
    """
    line = _line(indent, f"return {', '.join(items)}")
    if _short(line):
        return [line]
    lines = None
    if not _plain(line, None) or not items:
        pass
    elif len(items) > 1:
        # Black would rather open a bracket at either end of a pair, or the invisible one it
        # puts around a conditional.
        ends = len(items) == 2 and (items[0][0] in "([{" or items[1][-1] in ")]}")
        ends = ends or len(items) == 2 and any(" if " in item for item in items)
        if not ends and not any(item.startswith("*") for item in items):
            lines = _exploded(indent, "return (", items, ")")
    elif _SIMPLE.fullmatch(items[0]):
        lines = _simple(indent, "return", items[0], None)
    else:
        lines = _opened(indent, "return ", items[0], "", modern)
    return lines or _by_black([line], modern=modern)


def signature(indent: int, name: str, params: Sequence[str], *, modern: bool = False) -> list[str]:
    """Give the lines of `def name(params):`.

    Black puts a comma after the last of many lines of parameters with a `*` among them only
    in a module it can tell is Python 3.6 or later: one with an f-string, a `:=`, `match`, or
    such a comma already.  `modern` says that the module is.
    """
    line = _line(indent, f"def {name}({', '.join(params)}):")
    if _short(line):
        return [line]
    lines = None
    if _plain(line, None) and len(params) > 1 and "/" not in params:
        starred = any(param.startswith("*") for param in params)
        last = "" if starred and not modern else ","
        pieces = [*(f"{param}," for param in params[:-1]), params[-1] + last]
        lines = _bracketed(indent, f"def {name}(", ", ".join(params), pieces, "):")
    return lines or _by_black([line], modern=modern)


def dictionary(indent: int, head: str, entries: Sequence[tuple[str, str]]) -> list[str]:
    """Give the lines of `head {key: value, ...}`.

    `head` is `NAME =`, `return` or `return NAME,` for a fast answer; keys come quoted.
    """
    items = [f"{key}: {value}" for key, value in entries]
    line = _line(indent, f"{head} {{{', '.join(items)}}}")
    if _short(line):
        return [line]
    lines = None
    if _plain(line, None) and _DICTIONARY_HEAD.fullmatch(head):
        if len(items) > 1:
            lines = _exploded(indent, f"{head} {{", items, "}")
        elif items:
            lines = _bracketed(indent, f"{head} {{", items[0], (), "}")
    return lines or _by_black([line])


def _line(indent: int, text: str, comment: str | None = None) -> str:
    return f"{' ' * indent}{text}  # {comment}" if comment else f"{' ' * indent}{text}"


def _short(line: str) -> bool:
    """Tell whether a line fits; False where only Black can say."""
    return len(line) <= WIDTH and (line.isascii() or _NARROW.fullmatch(line) is not None)


def _width(line: str) -> int:
    if line.isascii() or _NARROW.fullmatch(line):
        return len(line)
    from black.strings import str_width

    return str_width(line)


def _plain(line: str, comment: str | None) -> bool:
    """Tell whether each character is one column and the comment means nothing to Black."""
    narrow = line.isascii() or _NARROW.fullmatch(line) is not None
    return narrow and not (comment and _PRAGMA.search(comment))


def _bracketed(
    indent: int, head: str, body: str, pieces: Sequence[str], tail: str
) -> list[str] | None:
    """Give head, body and tail on lines of their own, or each piece on one if need be.

    None if the head or a piece is too long.
    """
    pad = " " * indent
    if indent + len(head) > WIDTH:
        return None
    if indent + 4 + len(body) <= WIDTH:
        return [pad + head, f"{pad}    {body}", pad + tail]
    if not pieces or indent + 4 + max(map(len, pieces)) > WIDTH:
        return None
    return [pad + head, *(f"{pad}    {piece}" for piece in pieces), pad + tail]


def _exploded(
    indent: int, head: str, items: Sequence[str], tail: str, modern: bool = False
) -> list[str] | None:
    """Give each item on a line, as Black does for a long tuple or dictionary."""
    pad = " " * indent
    rows = _rows(indent + 4, items, modern)
    return None if rows is None or indent + len(head) > WIDTH else [pad + head, *rows, pad + tail]


def _rows(indent: int, items: Sequence[str], modern: bool) -> list[str] | None:
    """Give each item on a line, those too long for it opened in turn."""
    pad, rows = " " * indent, []
    for item in items:
        if indent + len(item) < WIDTH:
            rows.append(f"{pad}{item},")
        elif opened := _opened(indent, "", item, ",", modern):
            rows += opened
        else:
            return None
    return rows


def _opened(indent: int, start: str, text: str, end: str, modern: bool = False) -> list[str] | None:
    """Give a call or a display between start and end, opened at its last bracket.

    None where Black might rather cut at an operator, or at a bracket before.
    """
    depth = first = place = 0
    commas: list[int] = []
    outside: list[str] = []
    for match in _BRACKET.finditer(text):
        sign, at = match[0], match.start()
        if sign in ("(", "[", "{"):
            if not depth:
                outside.append(text[place : at + 1])
                first, commas = at, []
            depth += 1
        elif sign in (")", "]", "}"):
            depth -= 1
            place = at
        elif sign == "," and depth == 1:
            commas.append(at)
    pad, head, body = " " * indent, f"{start}{text[: first + 1]}", text[first + 1 : -1]
    whole = place == len(text) - 1 and _OUTSIDE.fullmatch("".join(outside))
    called = text[first - 1 : first] not in ("", " ", "=")
    if "'" in text or "\\" in text:  # quotes that are not looked for
        return None
    if not whole or not body or indent + len(head) > WIDTH or called and text[-1] != ")":
        return None
    ends = [*commas, len(text) - 1]
    items = [text[a + 1 : b].lstrip() for a, b in zip([first, *commas], ends)]
    if not items[-1] or called and not modern and any(item.startswith("*") for item in items):
        return None
    if indent + 4 + len(body) <= WIDTH and (called or not commas):
        rows: list[str] | None = [f"{pad}    {body}"]
    elif commas:
        rows = _rows(indent + 4, items, modern)
    else:
        rows = _opened(indent + 4, "", body, "", modern)
    return None if rows is None else [pad + head, *rows, f"{pad}{text[-1]}{end}"]


def _chain(indent: int, head: str, code: Code, comment: str | None) -> list[str] | None:
    """Give a chain of operators in parentheses."""
    first, last = code.terms[0], code.terms[-1]
    if len(code.terms) == 2 and (
        # With one operator Black may rather open a bracket at either end.
        first[0] in "([{"
        or last[-1] in ")}"
        or last[-1] == "]"
        and not _ELEMENT_END.fullmatch(last)
    ):
        return None
    tail = _line(0, ")", comment)
    return _bracketed(indent, f"{head} (", code.text, code.terms, tail)


def _call(
    indent: int,
    start: str,
    call: tuple[str, tuple[str, ...]],
    comment: str | None,
    modern: bool = False,
) -> list[str] | None:
    """Give a call opened at its brackets; `start` is all before them."""
    head, args = call
    starred = any(arg.startswith("*") for arg in args)
    if not args or not _DOTTED.fullmatch(head) or starred and not modern:
        return None
    body, tail = ", ".join(args), _line(0, ")", comment)
    if indent + 4 + len(body) <= WIDTH:
        return _bracketed(indent, f"{start}(", body, (), tail)
    if len(args) == 1:
        return _opened(indent, start, f"({body})", tail[1:], modern)
    return _exploded(indent, f"{start}(", args, tail, modern)


def _simple(indent: int, start: str, text: str, comment: str | None) -> list[str] | None:
    """Give a name or number, in parentheses if that makes it fit; the comment stays by it."""
    if indent + len(start) + 2 > WIDTH:
        return None
    body = _line(indent + 4, text, comment)
    if len(body) <= WIDTH:
        pad = " " * indent
        return [f"{pad}{start} (", body, f"{pad})"]
    return [_line(indent, f"{start} {text}", comment)]


def _by_black(lines: Sequence[str], *, modern: bool = False) -> list[str]:
    """Give the lines of one statement as Black formats it, whatever its shape."""
    from black import format_str
    from black.mode import Mode, TargetVersion

    indent = len(lines[0]) - len(lines[0].lstrip(" "))
    blocks = [f"{' ' * i}def _():" for i in range(0, indent, 4)]
    body = [" " * (indent + 4) + "pass"] if lines[0].lstrip(" ").startswith("def ") else []
    versions = {v for v in TargetVersion if v.value >= 6} if modern else set()
    mode = Mode(target_versions=versions)
    text = format_str("\n".join([*blocks, *lines, *body, ""]), mode=mode)
    return text.splitlines()[len(blocks) : -1 if body else None]
