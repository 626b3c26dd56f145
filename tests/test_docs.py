"""README.md and docs/language.md: their programs compile, their excerpts are real, their commands run."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

import bpc
from bpc.lower.expressions import is_builtin
from bpc.ops import OPS

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
LANGUAGE = ROOT / "docs" / "language.md"


def blocks(path: Path, kind: str) -> list[str]:
    """The text of each fenced block of a kind."""
    return re.findall(
        rf"^```{kind}\n(.*?)^```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


PROGRAMS = [(p.name, i, b) for p in (README, LANGUAGE) for i, b in enumerate(blocks(p, "bp"))]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: f"{p[0]}-{p[1]}")
def test_program_compiles(program: tuple[str, int, str]) -> None:
    name, _, text = program
    for level in (0, 1, 2):
        assert "def value_and_grad(" in bpc.compile_source(text, name, level=level)


def test_readme_shows_the_real_program_and_the_real_gradient(update: bool) -> None:
    program = (ROOT / "examples" / "neuron.bp").read_text(encoding="utf-8")
    output = bpc.compile_source(program, "neuron.bp")
    kernel = re.search(r"^def _value_and_grad\(.*?(?=\n\n\n)", output, re.MULTILINE | re.DOTALL)
    assert kernel is not None
    if update:
        text = README.read_text(encoding="utf-8")
        text = re.sub(
            r"```bp\n.*?```", lambda _: f"```bp\n{program}```", text, count=1, flags=re.DOTALL
        )
        text = re.sub(
            r"```python\ndef .*?```",
            lambda _: f"```python\n{kernel[0]}\n```",
            text,
            flags=re.DOTALL,
        )
        README.write_text(text, encoding="utf-8")
    assert blocks(README, "bp") == [program]
    assert blocks(README, "python")[0] == f"{kernel[0]}\n"


def test_python_of_the_readme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    session = "\n".join(b for b in blocks(README, "python") if ">>>" in b)
    example = doctest.DocTestParser().get_doctest(session, {}, "README.md", None, 0)
    results = doctest.DocTestRunner().run(example)
    assert results.attempted > 10
    assert results.failed == 0


def test_first_command_of_the_readme(tmp_path: Path) -> None:
    """What it runs once it has installed, with the output elsewhere."""
    install, *run = [part.strip() for part in blocks(README, "sh")[0].split("&& .venv/bin/")]
    assert install == "python3 -m venv .venv"
    commands = [c.replace("digits_grad.py", str(tmp_path / "digits_grad.py")) for c in run]
    assert [c.split()[0] for c in commands] == ["pip", "bpc", "python"]
    for command in commands[1:]:
        program, *arguments = command.split()
        done = subprocess.run(
            [Path(sys.executable).parent / program, *arguments],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    written = (tmp_path / "digits_grad.py").read_bytes()
    assert written == (ROOT / "generated" / "digits.py").read_bytes()
    assert re.search(r"^9[789]\.\d+% of the held-out third", done.stdout, re.MULTILINE)


def test_readme_links_exist() -> None:
    for path in (README, LANGUAGE):
        for link in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


def test_functions_of_the_reference_are_those_of_the_compiler() -> None:
    text = LANGUAGE.read_text(encoding="utf-8")
    section = text.partition("## Built-in functions\n")[2].partition("`bpc ops` prints")[0]
    listed = re.findall(r"`(\w+)(?:\(x\))?`", section)
    assert len(listed) == len(set(listed)) + 2  # max and min are of two families
    assert set(listed) == {name for name in OPS if is_builtin(name)}


def test_message_of_the_reference() -> None:
    program = "dim N\ninput x: [N, 3]\nparam weight: [3]\ncost J = mean((x @ wieght)^2)\n"
    with pytest.raises(bpc.BpcError) as error:
        bpc.compile_source(program, "model.bp")
    assert blocks(LANGUAGE, "text") == [f"{error.value}\n"]
