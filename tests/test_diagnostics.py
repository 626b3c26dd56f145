"""How messages look, and what they carry."""

import pytest

from bpc.diagnostics import MESSAGES, BpcError, Diagnostic, Problem, clip, did_you_mean
from bpc.source import Source, Span


def rendered(text: str, start: int, end: int, help: str | None = None) -> list[str]:
    span = Span(Source("dir.bp", text), start, end)
    return Diagnostic("BP999", "wrong", span, help).render().split("\n")


@pytest.mark.parametrize(
    ("text", "start", "end", "lines"),
    [
        ("x = abc + 1", 4, 7, ["dir.bp:1:5: error[BP999]: wrong", "  x = abc + 1", "      ^^^"]),
        ("\nab\n", 1, 3, ["dir.bp:2:1: error[BP999]: wrong", "  ab", "  ^^"]),
        # At least one caret, also after the end of the line and of the file
        ("x =", 3, 3, ["dir.bp:1:4: error[BP999]: wrong", "  x =", "     ^"]),
        ("x =\n", 4, 4, ["dir.bp:2:1: error[BP999]: wrong", "  ", "  ^"]),
        ("", 0, 0, ["dir.bp:1:1: error[BP999]: wrong", "  ", "  ^"]),
        # A span of several lines: up to the end of the first
        ("x = f(\n1)\n", 4, 9, ["dir.bp:1:5: error[BP999]: wrong", "  x = f(", "      ^^"]),
        ("x = f(\r\n1)", 4, 10, ["dir.bp:1:5: error[BP999]: wrong", "  x = f(", "      ^^"]),
        # Tabs stay tabs, other control characters do not reach the terminal
        ("\tx =\ty", 5, 6, ["dir.bp:1:6: error[BP999]: wrong", "  \tx =\ty", "  \t   \t^"]),
        ("x\x1b[1m", 1, 2, ["dir.bp:1:2: error[BP999]: wrong", "  x\ufffd[1m", "   ^"]),
    ],
)
def test_render(text: str, start: int, end: int, lines: list[str]) -> None:
    assert rendered(text, start, end) == lines


def test_help_is_the_last_line() -> None:
    assert rendered("x", 0, 1, "write y")[-1] == "help: write y"


@pytest.mark.parametrize("start", [0, 10, 500, 990, 999])
def test_long_lines_are_shown_around_the_span(start: int) -> None:
    text = "a" * start + "BBB" + "a" * (1000 - start)
    _, line, carets = rendered(text, start, start + 3)
    assert len(line) <= 2 + 160 + 6
    assert line[carets.index("^") :].startswith("BBB"[: carets.count("^")])
    assert line.startswith("  ...") == (start > 40)
    assert line.endswith("...") == (start < 800)


def test_as_dict() -> None:
    span = Span(Source("m.bp", "x = f(\n1)\n"), 4, 9)
    assert Diagnostic("BP999", "wrong", span, "help").as_dict() == {
        "code": "BP999",
        "message": "wrong",
        "file": "m.bp",
        "line": 1,
        "column": 5,
        "end_line": 2,
        "end_column": 3,
        "help": "help",
    }


def test_problem_becomes_a_diagnostic() -> None:
    span = Span(Source("m.bp", "in"), 0, 2)
    diagnostic = Problem("BP003", "another name", word="in").at(span)
    assert diagnostic.message == "`in` is a reserved word, not a name"
    assert (diagnostic.code, diagnostic.span, diagnostic.help) == ("BP003", span, "another name")


def test_error_keeps_the_order_of_the_text() -> None:
    source = Source("m.bp", "ab")
    second, first = (Diagnostic("BP999", "wrong", Span(source, i, i + 1)) for i in (1, 0))
    assert BpcError([second, first]).diagnostics == (first, second)


def test_did_you_mean() -> None:
    assert did_you_mean("inptu", ["input", "param"]) == "did you mean `input`?"
    assert did_you_mean("zzz", ["input", "param"]) is None


def test_clip() -> None:
    assert clip("short") == "short"
    assert clip("a" * 100) == "a" * 30 + "..." + "a" * 6


def test_messages_are_short_and_plain() -> None:
    for code, message in MESSAGES.items():
        assert code.startswith("BP") and len(code) == 5
        assert not message.endswith(".") and len(message) < 100
