"""Hostile input: whatever the text, it compiles or there is a positioned error, in time and memory."""

import ast
import re
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bpc
from bpc.compiler import front
from bpc.source import Source

FACTOR = 3  # how much slower than promised a busy machine may be
DEEP = 10_000
DOUBLING = "param w = 2\ndef f0(x) = x\n" + "".join(
    f"def f{i + 1}(x) = f{i}(x) + f{i}(x)\n" for i in range(60)
)
DIMS = "dim A, B, C, D\ninput a: [A], b: [B], c: [C], d: [D]\n"

#: what each is expected to say, or "" where it compiles
PROGRAMS: dict[str, tuple[str, str]] = {
    # Nesting
    "brackets": ("cost J = " + "(" * DEEP + "1" + ")" * DEEP, "BP008"),
    "minus": ("cost J = " + "-" * DEEP + "1", "BP008"),
    "powers": ("cost J = " + "2^" * DEEP + "1", "BP008"),
    "choices": ("cost J = " + "1 if true else " * DEEP + "1", "BP008"),
    "calls": ("cost J = " + "exp(" * DEEP + "1" + ")" * DEEP, "BP008"),
    "indices": ("cost J = " + "x[" * DEEP + "1" + "]" * DEEP, "BP008"),
    "tuples": ("t = " + "(1, " * DEEP + "1" + ")" * DEEP + "\ncost J = 1", "BP008"),
    "blocks": ("for i in 1..2 {\n" * DEEP + "}" * DEEP + "\ncost J = 1", "BP008"),
    "postfix": ("input x: [3, 3]\ncost J = sum(x" + ".T" * DEEP + ")", "BP404"),
    "slices": ("input x: [3, 3]\ncost J = sum(x" + "[:]" * DEEP + ")", "BP404"),
    "functions of functions": (DOUBLING.replace("(x) + ", "(1) + ") + "cost J = f10(w)", ""),
    "deepest brackets": ("param w = 1\ncost J = " + "w*(" * 199 + "w" + ")" * 199, ""),
    "deepest calls": ("param w = 1\ncost J = " + "exp(-" * 99 + "w" + ")" * 99, ""),
    "deepest functions": (
        "param w = 2\ndef f(x) = x\ncost J = " + "f(" * 199 + "w" + ")" * 199,
        "",
    ),
    # Expansion
    "doubling": (DOUBLING + "cost J = f60(w)", "BP405"),
    "doubling by name": (
        "param w = 2\ndef two(g, x) = g(x) + g(x)\ndef f0(x) = x\n"
        + "".join(f"def f{i + 1}(x) = two(f{i}, x)\n" for i in range(40))
        + "cost J = f40(w)",
        "BP405",
    ),
    "itself by name": ("param w = 1\ndef y(f) = f(f)\ncost J = y(y)", "BP404"),
    "itself twice by name": ("param w = 1\ndef y(f) = f(f) + f(f)\ncost J = y(y)", "BP404"),
    "nested for": (
        (
            "param w = 1\nfor i in 1..1000 { for j in 1..1000 { for k in 1..1000 { x = w * i } } }\n"
            "cost J = w"
        ),
        "BP405",
    ),
    "long for": ("for i in 1..10^9 { x = i }\ncost J = 1", "BP405"),
    "long empty for": ("for i in 1..10^300 { }\ncost J = 1", "BP405"),
    "failing for": ("for i in 1..10^9 { x = undefined }\ncost J = 1", "BP405"),
    "almost too long for": (
        "param w = 2\nz[0] = w\nfor i in 1..3300 { z[i] = tanh(z[i-1]) }\ncost J = z[3300]",
        "",
    ),
    # Sizes and numbers
    "power of a size": (DIMS + "cost J = sum(zeros((A + B + C + D)^50))", "BP402"),
    "product of sizes": (
        DIMS + "s[0] = A + B + C + D\nfor i in 1..200 { s[i] = s[i-1] * (A + B + C + D) }\n"
        "cost J = 1",
        "BP403",
    ),
    "squares of a size": (
        DIMS + "s[0] = A\nfor i in 1..99 { s[i] = s[i-1]^2 }\ncost J = 1",
        "BP403",
    ),
    "continued fraction": (
        DIMS + "s[0] = A\nfor i in 1..99 { s[i] = 1 / (s[i-1] + 1) }\ncost J = 1",
        "BP403",
    ),
    "halves of a size": (
        DIMS + "z[0] = a\nfor i in 1..300 { z[i] = z[i-1][::2] }\ncost J = sum(z[300])",
        "BP403",
    ),
    "many dims": (
        "".join(f"dim D{i}\ninput x{i}: [D{i}]\n" for i in range(300))
        + f"cost J = sum(concat({', '.join(f'x{i}' for i in range(300))}))",
        "BP403",
    ),
    "many sums": (
        "".join(f"dim A{i}, B{i}\ninput x{i}: [A{i}], y{i}: [B{i}]\n" for i in range(30))
        + f"input z: [{', '.join(f'A{i} + B{i}' for i in range(30))}]\ncost J = mean(z)",
        "BP403",
    ),
    "large factor": (DIMS + "cost J = sum(zeros(A * 10^300 * 10^300))", "BP403"),
    "tower": ("const a = 9^9^9^9\ncost J = a", "BP401"),
    "factorial": ("z[0] = 1\nfor i in 1..500 { z[i] = z[i-1] * i }\ncost J = 1", "BP401"),
    "digits": ("cost J = " + "9" * 5000, "BP009"),
    "digits of a fraction": ("cost J = 0." + "3" * 5000, ""),
    "huge integers": ("param w = 1\ncost J = w * " + "7" * 300 + " + " + "8" * 300, ""),
    "division by zero": ("dim N\ninput x: [N]\ncost J = N / 0 + N / (N - N)", "BP401"),
    "huge shape": ("param w: [10^18, 10^18]\ncost J = sum(w)", ""),
    "too many entries": ("param w: [10^18, 10^18, 10^18]\ncost J = sum(w)", "BP403"),
    "too huge shape": ("param w: [10^19]\ncost J = sum(w)", "BP402"),
    "negative shape": ("param w: [-3]\ncost J = sum(w)", "BP402"),
    "fractional shape": ("param w: [5/2]\ncost J = sum(w)", "BP402"),
    "huge arrays": (
        (
            "input k: int[3]\nparam w = 1\n"
            "cost J = w * sum(one_hot(k, 10^12)) + sum(zeros(10^12)) + sum(eye(10^9))"
        ),
        "",
    ),
    "huge pad": ("param w: [2]\ncost J = sum(pad(w, 10^18))", ""),
    "huge step": ("param w: [2]\ncost J = sum(w[::10^300])", "BP403"),
    "huge roll": ("param w: [2]\ncost J = sum(roll(w, 10^300, axis=0))", ""),
    "huge split": ("param w: [10^6]\nt = split(w, 10^6, axis=0)\ncost J = sum(t[0])", "BP205"),
    "many axes": ("param w: [" + "1, " * 3000 + "]\ncost J = sum(w)", "BP226"),
    "many arguments": ("param w = 1\ncost J = max(" + "w, " * 5000 + ")", "BP306"),
    "many operands": (
        'param w: [2]\ncost J = einsum("' + "i," * 2000 + 'i->", ' + "w, " * 2001 + ")",
        "BP210",
    ),
    "many joined": ("param w: [2]\ncost J = sum(concat(" + "w, " * 500 + "))", ""),
    # Long programs
    "statements": (
        "param w = 1\n" + "".join(f"x{i} = w * {i}\n" for i in range(50_000)) + "cost J = x7",
        "",
    ),
    "unknown names": (
        "cost J = 1\n" + "".join(f"x{i} = undefined{i}\n" for i in range(20_000)),
        "BP101",
    ),
    "syntax errors": ("cost J = 1\n" + "x = = 1\n" * 20_000, "BP002"),
    "second definitions": ("cost J = 1\n" + "x = 1\n" * 20_000, "BP107"),
    "terms": ("param w = 1\ncost J = " + " + ".join(["w"] * 10_000), ""),
    "lines of terms": ("param w = 1\ncost J = (\n" + " +\n".join(["1"] * 20_000) + ")", ""),
    "params": (
        "".join(f"param w{i} = 1\n" for i in range(3000))
        + "cost J = "
        + " + ".join(f"w{i}" for i in range(3000)),
        "",
    ),
    "functions": ("".join(f"def f{i}(x) = x\n" for i in range(5000)) + "cost J = f4999(1)", ""),
    "long name": ("param " + "a" * 1_000_000 + " = 1\ncost J = 1", ""),
    "empty lines": ("\n" * 100_000 + "cost J = 1", ""),
    # Characters
    "NUL": ("cost J = 1\0", "BP001"),
    "BOM": ("\ufeffcost J = 1", ""),
    "BOM inside": ("cost J = \ufeff1", "BP001"),
    "CRLF": ("param w = 1\r\ncost J = (w +\r\n 1)\r\n", ""),
    "CR": ("param w = 1\rcost J = w\r", "BP001"),
    "tabs": ("\tparam\tw\t=\t1\t\n\tcost\tJ\t=\tw\t", ""),
    "no final newline": ("param w = 1\ncost J = w", ""),
    "form feed": ("cost J = 1\f", "BP001"),
    "surrogate": ("cost J = \ud800", "BP001"),
    "right to left": ("cost J = 1 # \u202e\u2066", ""),
    "nothing": ("", "BP121"),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name: str) -> None:
    """It compiles, or there is one of the expected errors, and it takes no longer than promised."""
    text, expected = PROGRAMS[name]
    start = time.perf_counter()
    try:
        ast.parse(bpc.compile_source(text, "hostile.bp"))
        found = {""}
    except bpc.BpcError as error:
        found = {d.code for d in error.diagnostics}
        assert str(error).startswith("hostile.bp:")
        assert all(d.span.start <= d.span.end <= len(text) for d in error.diagnostics)
    assert expected in found
    lines = max(text.count("\n"), len(text) / 80)
    assert time.perf_counter() - start < FACTOR * (2 + 0.001 * lines)


def test_fifty_thousand_terms_reach_the_ir() -> None:
    front(Source("terms.bp", "param w = 1\ncost J = " + " + ".join(["w"] * 50_000)), {})


MEASURE = r"""
import re, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import bpc
from test_hostile import PROGRAMS
for name in {names!r}:
    try:
        bpc.compile_source(PROGRAMS[name][0])
    except bpc.BpcError:
        pass
print(int(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory() -> None:
    """Short programs, all in one process that imports this file too: 300 MB at most."""
    names = [n for n, (_, code) in PROGRAMS.items() if code in ("BP403", "BP404") or "huge" in n]
    names += ["doubling", "nested for", "almost too long for", "tower"]
    script = MEASURE.format(tests=str(Path(__file__).parent), names=names)
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(result.stdout) < 300


# Text meant as code

EVIL = [
    'x"""\nraise SystemExit\n"""',
    "x\nraise SystemExit  # .bp",
    "x\r\nraise SystemExit",
    'x\\"""\nraise SystemExit',
    "x\u2028raise SystemExit",
    "x\x0craise SystemExit\x85raise SystemExit",
    "'; raise SystemExit #",
    "{__import__('os')}",
    "x\0y",
    "\ud800",
    "\x1b[2J",
    "",
    "%s%(x)s{0}",
]


def statements(code: str) -> list[type[ast.AST]]:
    return [type(node) for node in ast.walk(ast.parse(code))]


@pytest.mark.parametrize("name", EVIL, ids=range(len(EVIL)))
@pytest.mark.parametrize("level", [0, 1])
def test_file_names_are_never_code(name: str, level: int) -> None:
    text = "dim N\ninput x: [N]\nparam w = 2\nh = w * x[0:2]\ncost J = sum(h)"
    code = bpc.compile_source(text, name, level=level)
    plain = bpc.compile_source(text, "p" * len(name), level=level)
    assert code.encode()
    assert statements(code) == statements(plain)
    with pytest.raises(bpc.BpcError) as error:
        bpc.compile_source("cost J = x", name)
    assert len(str(error.value).splitlines()) == 3


@pytest.mark.parametrize(
    "comment", ['"""', "'''", "\\", "{x}", "raise SystemExit", "\u2028raise SystemExit"]
)
def test_comments_and_texts_are_never_code(comment: str) -> None:
    """Those of params and inputs stand in docstrings."""
    text = "input x: [2] # {0}\nparam w = 1 # {0}\ncost J = w * sum(x) # {0}\n"
    code = bpc.compile_source(text.format(comment), "x.bp")
    plain = bpc.compile_source(text.format("p" * len(comment)), "x.bp")
    assert statements(code) == statements(plain)


# Random text: token soups, and real programs with some tokens changed

ROOT = Path(__file__).parent.parent
TEXTS = sorted(ROOT.glob("examples/**/*.bp")) + sorted(ROOT.glob("tests/bad/*.bp"))
SHORT = [text for text in (p.read_text(encoding="utf-8") for p in TEXTS) if len(text) < 1500]
TOKEN = re.compile(r"\w+|\s+|.")
TOKENS = sorted({token for text in SHORT for token in TOKEN.findall(text)} | {"..", "...", "\n"})
FAST = settings(max_examples=150, deadline=None, derandomize=True, database=None)


def only_its_own_errors(text: str) -> None:
    try:
        ast.parse(bpc.compile_source(text, "fuzz.bp", verify_ir=True))
    except (bpc.BpcError, bpc.UsageError) as error:
        assert str(error)


@FAST
@given(st.lists(st.sampled_from(TOKENS), max_size=60))
def test_token_soup(tokens: list[str]) -> None:
    only_its_own_errors(" ".join(tokens))


@FAST
@given(st.text(max_size=40))
def test_any_text(text: str) -> None:
    only_its_own_errors(text)


@FAST
@given(st.integers(0, 2**32))
def test_changed_programs(seed: int) -> None:
    """Up to three tokens dropped, doubled, replaced or swapped."""
    random = Random(seed)
    tokens = TOKEN.findall(random.choice(SHORT))
    for _ in range(random.randint(1, 3)):
        if tokens:
            i, j = random.randrange(len(tokens)), random.randrange(len(tokens))
            change = random.randrange(4)
            if change == 0:
                del tokens[i]
            elif change == 1:
                tokens.insert(i, tokens[j])
            elif change == 2:
                tokens[i] = random.choice(TOKENS)
            else:
                tokens[i], tokens[j] = tokens[j], tokens[i]
    only_its_own_errors("".join(tokens))
