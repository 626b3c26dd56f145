"""Compiling is linear in the program, loads nothing that it does not need, and says what it does."""

from __future__ import annotations

import cProfile
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import black
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bpc
from bpc.cli.timings import Timings
from bpc.codegen import layout
from bpc.codegen.check import OutputError, check_output
from bpc.compiler import execute, front, run
from bpc.larktable import lark
from bpc.parser import _read_tokens
from bpc.passes import cse, dce, simplify
from bpc.source import Source

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").rglob("*.bp"))
LEVELS = (0, 1, 2)


def lines(n: int, text: str) -> str:
    """The line n times, `#` standing for 1, 2, ... and `%` for one less."""
    return "".join(text.replace("#", str(i)).replace("%", str(i - 1)) for i in range(1, n + 1))


def joined(n: int, text: str, between: str = " + ") -> str:
    return lines(n, f"{text}{between}").removesuffix(between)


def chain(n: int) -> str:
    """Statements that are each a weighted sum of three values under tanh."""
    text = "input x = 1\nn0 = x\nn_1 = x\nn_2 = x\n"
    text += lines(n, "param a# = 0.3, b# = -0.4, c# = 0.5\n")
    names = ["n_2", "n_1", "n0", *(f"n{i}" for i in range(1, n + 1))]
    for i in range(1, n + 1):
        p, q, r = names[i - 1 : i + 2]
        text += f"n{i} = tanh(a{i} * {r} + b{i} * {q} + c{i} * {p})\n"
    return f"{text}cost J = n{n}^2\n"


#: programs of a size, which grow in one way each
SHAPES: dict[str, Callable[[int], str]] = {
    "chain of statements": chain,
    "one expression": lambda n: f"param w\ninput x\ncost J = {joined(n, 'w * x^#')}\n",
    "one product": lambda n: f"param {joined(n, 'w#', ', ')}\ncost J = {joined(n, 'w#', ' * ')}\n",
    "one line of params": lambda n: (
        f"param {joined(n, 'w#', ', ')}\ncost J = {joined(n, 'w#^2')}\n"
    ),
    "rounds of a for": lambda n: (
        f"param w\ninput x\nh[0] = x\nfor l in 1..{n} {{\n  h[l] = tanh(w * h[l-1])\n}}\n"
        f"cost J = h[{n}]^2\n"
    ),
    "layers": lambda n: (
        "use nn\ndim N\ninput x: [N, 4]\nh0 = x\n"
        + lines(n, "h# = tanh(nn.dense(h%, 4) as l#)\n")
        + f"cost J = mean(h{n}^2)\n"
    ),
    "matmuls": lambda n: (
        f"dim N\ninput x: [N, 4]\nparam {joined(n, 'W#: [4, 4]', ', ')}\nh0 = x\n"
        + lines(n, "h# = relu(h% @ W#)\n")
        + f"cost J = mean(h{n}^2)\n"
    ),
    "fan out": lambda n: (
        "param w\na = tanh(w)\n" + lines(n, "b# = tanh(a * #)\n") + f"cost J = {joined(n, 'b#')}\n"
    ),
    "concat": lambda n: f"param w: [3]\ncost J = sum(concat({joined(n, 'w * #', ', ')})^2)\n",
    "stack": lambda n: f"param w\ncost J = sum(stack({joined(n, 'w * #', ', ')})^2)\n",
    "stack of params": lambda n: (
        f"param {joined(n, 'w#', ', ')}\ncost J = sum(stack({joined(n, 'w#', ', ')})^2)\n"
    ),
    "calls of a def": lambda n: (
        "param w\ndef f(a, b) = tanh(a * b)\nh0 = 0.5\n"
        + lines(n, "h# = f(w, h%)\n")
        + f"cost J = h{n}\n"
    ),
    "scans": lambda n: (
        "param w\nh0 = 0.5\n"
        + lines(n, "scan t in 0..3 carry (s# = h%) {\n  s# = tanh(w * s#)\n}\nh# = s#\n")
        + f"cost J = h{n}\n"
    ),
    "slices": lambda n: f"param w: [{n + 1}]\ncost J = {joined(n, 'w[#]^2')}\n",
    "branches": lambda n: (
        "param w\nh0 = w\n"
        + lines(n, "h# = tanh(h%)\n")
        + lines(n, "y# = where(h# > 0, log(h#), h#)\n")
        + f"cost J = {joined(n, 'y#')}\n"
    ),
    "gradients inside": lambda n: (
        "param w\ninput x\n"
        + lines(n, "u# = tanh(w * x + #)\ng# = grad(u#, x)\n")
        + f"cost J = {joined(n, 'g#^2')}\n"
    ),
    "outputs": lambda n: (
        "param w\n"
        + lines(n, "h# = tanh(w * #)\n")
        + f"output {joined(n, 'h#', ', ')}\ncost J = h1\n"
    ),
    "inputs": lambda n: (
        f"input {joined(n, 'x#', ', ')}\nparam w\ncost J = {joined(n, 'tanh(w * x#)')}\n"
    ),
    "dims": lambda n: (
        f"dim {joined(n, 'N#', ', ')}\ninput {joined(n, 'x#: [N#]', ', ')}\nparam w\n"
        f"cost J = {joined(n, 'sum(w * x#)')}\n"
    ),
    "errors": lambda n: lines(n, "a# = ) 1\nb# = undefined#\n"),
}

#: shapes with many statements each; one in which something still reaches its limit at 160
SIZES = {"scans": (70, 90, 130), "layers": (70, 90, 130), "slices": (210, 320, 540)}


def calls(text: str, level: int) -> int:
    """How many functions are called while a program is compiled and its output checked."""
    profile = cProfile.Profile()
    with suppress(bpc.BpcError):
        profile.runcall(lambda: check_output(bpc.compile_source(text, "shape.bp", level=level)))
    return sum(entry.callcount for entry in profile.getstats())  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("shape", "level"),
    [*((shape, 2) for shape in SHAPES), *((next(iter(SHAPES)), i) for i in (0, 1))],
)
def test_twice_the_program_is_twice_the_work(shape: str, level: int) -> None:
    """Between sizes that are beyond what has a limit of its own, such as rows of a docstring."""
    calls(SHAPES[shape](3), level)  # what is read once
    sizes = SIZES.get(shape, (105, 160, 270))
    small, middle, large = (calls(SHAPES[shape](n), level) for n in sizes)
    assert large - middle < 2.02 * (middle - small)


@pytest.mark.parametrize("level", LEVELS)
def test_a_program_of_2000_statements_has_the_right_gradient(level: int) -> None:
    n, x = 2000, 0.7
    text = bpc.compile_source(chain(n), "chain.bp", level=level)
    check_output(text)
    module = execute(text, "chain.bp")
    rng = np.random.default_rng(level)
    w = rng.normal(0, 0.6, (n, 3))
    flat = np.stack([w[:, 0], w[:, 1], w[:, 2]], 1).ravel()
    params = module.unravel(flat)
    assert list(params)[:4] == ["a1", "b1", "c1", "a2"]
    value = np.full(n + 3, x)
    for i in range(n):
        value[i + 3] = np.tanh(w[i] @ value[i : i + 3][::-1])
    bar, want = np.zeros(n + 3), np.zeros((n, 3))
    bar[-1] = 2 * value[-1]
    for i in reversed(range(n)):
        slope = bar[i + 3] * (1 - value[i + 3] ** 2)
        want[i] = slope * value[i : i + 3][::-1]
        bar[i : i + 3] += slope * w[i][::-1]
    cost, grads = module.value_and_grad(params, x)
    assert cost == pytest.approx(value[-1] ** 2, rel=1e-12)
    np.testing.assert_allclose(module.ravel(grads), want.ravel(), rtol=1e-9, atol=1e-14)
    assert module.cost(params, x) == module.forward(params, x) == cost
    converted = {name: np.float64(v) for name, v in params.items()}
    assert module.value_and_grad(converted, np.float64(x))[0] == cost
    for _ in range(3):
        direction = rng.normal(size=flat.size) * (np.abs(want.ravel()) > 1e-6)
        ahead, behind = (
            module.cost(module.unravel(flat + h * direction), x) for h in (1e-6, -1e-6)
        )
        assert (ahead - behind) / 2e-6 == pytest.approx(want.ravel() @ direction, rel=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_no_shape_needs_black(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> list[str]:
        raise AssertionError("went to Black")

    monkeypatch.setattr(layout, "_by_black", refuse)
    for level in LEVELS:
        try:
            text = bpc.compile_source(SHAPES[shape](20), "shape.bp", level=level)
        except bpc.BpcError:
            assert shape == "errors"
        else:
            assert black.format_str(text, mode=black.Mode()) == text


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_a_plain_compilation_loads_nothing_that_it_does_not_need(path: Path) -> None:
    code = (
        "import sys\n"
        "from bpc.cli import app\n"
        "try:\n"
        "    app.main([*sys.argv[1:]])\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "print(*({'black', 'lark', 'numpy', 'rich', 'scipy', 'sympy'} & set(sys.modules)))\n"
    )
    command = [sys.executable, "-c", code, "compile", str(path), "-O2", "-o", "/dev/null"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


# What the loops over all tokens and lines stand for


LARK = lark((ROOT / "grammar" / "bp.lark").read_text())


def lark_tokens(text: str) -> list[tuple[str, str, int | None]]:
    parser = LARK.parse_interactive(text)
    tokens = parser.lexer_thread.lex(parser.parser_state)
    return [(t.type, str(t), t.start_pos) for t in tokens]


def own_tokens(text: str) -> list[tuple[str, str, int | None]]:
    return [(x.type, x.text, x.start) for x in _read_tokens(Source("text.bp", text))[0]]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_tokens_of_examples_are_those_of_lark(path: Path) -> None:
    text = path.read_text()
    assert own_tokens(text) == lark_tokens(text)


WORDS = st.sampled_from(
    [
        "input",
        "inputs",
        "in",
        "for",
        "x1",
        "ä",
        "1",
        "1.5e-3",
        "1e",
        "0..3",
        "...",
        ".5",
        "'a'",
        '"',
    ]
    + ["==", "=", "**", "*", "^", "#", "\n", "\r\n", "\r", ";", "{", "}", "\ufeff", "$"]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(WORDS, st.sampled_from([" ", "", "\t"])), max_size=12).map("".join))
def test_tokens_are_those_of_lark(text: str) -> None:
    assert own_tokens(text) == lark_tokens(text)


def test_a_pass_that_has_nothing_to_change_is_not_asked_again() -> None:
    function = front(Source("m.bp", "param w = 3\ncost J = 1 * tanh(w)\n"), {}).functions["cost"]
    asked = []

    def watched(f: object) -> object:
        asked.append(f)
        return simplify(f)  # type: ignore[arg-type]

    result = run(function, (watched, watched, watched, cse, watched, dce), False)  # type: ignore[arg-type]
    assert len(asked) == 2  # once for what it changes, once to see that it is done
    assert [e.op for e in result.body] == ["tanh", "identity"]


KERNEL = "def f(x, y):\n    a = x * y - 1.5e-3  # f.bp:1\n    b = (\n        a\n        + {}\n    )\n    return b\n"


def test_plain_assignments_are_checked_by_their_tokens() -> None:
    check_output(KERNEL.format("2 * y"))
    with pytest.raises(
        OutputError, match="line 5: the name eval is not defined|line 3: the name eval"
    ):
        check_output(KERNEL.format("eval"))
    with pytest.raises(OutputError, match="a.__class__"):
        check_output(KERNEL.format("a.__class__"))
    with pytest.raises(OutputError, match="the name eval is not defined"):
        check_output(KERNEL.format("eval(a)"))
    with pytest.raises(OutputError, match="the function x is called where a value hides it"):
        check_output(KERNEL.format("x(a)"))
    with pytest.raises(OutputError, match="line"):
        check_output(KERNEL.format("2 * (y"))


def test_a_thousand_parameters_are_checked() -> None:
    check_output(bpc.compile_source(SHAPES["one line of params"](1000)))


# Timings


def test_each_stage_is_told_of_in_order() -> None:
    told: list[tuple[str, str]] = []
    bpc.compile_source(chain(3), timings=lambda *stage: told.append(stage))
    stages = ["parse", "lower", "primal passes", "reverse", "adjoint passes", "loop passes"]
    order = [stage for stage, _ in told]
    assert [s for s in order if s in (*stages, "codegen")] == [*stages, "codegen"]
    assert dict(told)["parse"] == "11 statements"
    assert re.fullmatch(r"\d+ lines", dict(told)["codegen"])
    bpc.compile_source(chain(3), emit=["hvp"], timings=lambda *stage: told.append(stage))
    assert ("emit", "hvp") in told


def test_timings_of_a_stage_are_what_has_passed_since_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter([10.0, 10.5, 12.0])
    clocks = SimpleNamespace(perf_counter=lambda: next(clock), process_time=lambda: 2.0)
    monkeypatch.setattr("bpc.cli.timings.time", clocks)
    timings = Timings()
    timings("parse", "3 statements")
    timings("check", "")
    assert list(timings.table()) == [
        "stage              seconds   share",
        "start                2.000   50.0%  the interpreter and its imports",
        "parse                0.500   12.5%  3 statements",
        "check                1.500   37.5%",
        "total                4.000  100.0%",
    ]


def test_the_command_shows_timings_on_stderr(tmp_path: Path) -> None:
    model = tmp_path / "model.bp"
    model.write_text("param w = 3\ncost J = w^2\n")
    command = [sys.executable, "-m", "bpc", "compile", str(model)]
    plain = subprocess.run(command, capture_output=True, text=True, check=True)
    done = subprocess.run([*command, "--timings"], capture_output=True, text=True, check=True)
    assert (plain.stderr, plain.stdout) == ("", done.stdout)
    rows = [line.split() for line in done.stderr.splitlines()]
    assert rows[0] == ["stage", "seconds", "share"]
    assert [r[0] for r in rows[1:]][:3] == ["start", "read", "parse"]
    assert [r[0] for r in rows[1:]][-3:] == ["check", "write", "total"]
    assert "2 statements" in done.stderr and f"{len(done.stdout):,} bytes" in done.stderr
