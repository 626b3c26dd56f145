"""Committed outputs, byte for byte: `pytest --update` rewrites them; read the diff.

`generated/` has what bpc writes at -O1 for each program of `examples/`, `tests/ir/` the IR of a few
small programs at each stage.
"""

from __future__ import annotations

import difflib
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import black
import pytest

import bpc
from bpc.codegen.carried import sources
from bpc.compiler import differentiate, front, optimise
from bpc.printer import print_program
from bpc.source import Source

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").rglob("*.bp"))
GENERATED = ROOT / "generated"
IR = Path(__file__).parent / "ir"
STAGES = ("ir", "grad", "opt")


def example(path: Path) -> str:
    return path.relative_to(ROOT / "examples").with_suffix("").as_posix()


@cache
def compiled(path: Path, level: int) -> str:
    return bpc.compile_source(path.read_text(encoding="utf-8"), path.name, level=level)


def compare(got: str, expected: Path, update: bool) -> None:
    """Hold the text to the file, or rewrite the file."""
    if update:
        expected.parent.mkdir(parents=True, exist_ok=True)
        expected.write_bytes(got.encode())
    want = expected.read_bytes().decode() if expected.exists() else ""
    if got != want:
        lines = difflib.unified_diff(want.split("\n"), got.split("\n"), "committed", "now", n=1)
        pytest.fail("\n".join([f"{expected.name} differs:", *lines]), pytrace=False)


@pytest.mark.parametrize("path", EXAMPLES, ids=example)
def test_generated(path: Path, update: bool) -> None:
    compare(compiled(path, 1), GENERATED / f"{example(path)}.py", update)


def test_generated_has_nothing_else() -> None:
    files = {p.relative_to(GENERATED).with_suffix("") for p in GENERATED.rglob("*.py")}
    assert {p.as_posix() for p in files} == set(map(example, EXAMPLES))


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("path", EXAMPLES, ids=example)
def test_bytes_are_what_black_writes(path: Path, level: int) -> None:
    text = compiled(path, level)
    assert black.format_str(text, mode=black.Mode()) == text


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("path", sorted(IR.glob("*.bp")), ids=lambda path: path.stem)
def test_ir(path: Path, stage: str, update: bool) -> None:
    source = Source(path.name, path.read_text(encoding="utf-8"))
    program = front(source, {})
    if stage != "ir":
        program = differentiate(program, source, (), level=1, check=True)
    if stage == "opt":
        program = optimise(program, level=1, check=True)
    compare(print_program(program), IR / f"{path.stem}.{stage}.txt", update)


HASHES = """
import hashlib, sys
from pathlib import Path
import bpc
for path in map(Path, sys.argv[1:]):
    for level in (0, 1, 2):
        code = bpc.compile_source(path.read_text(encoding="utf-8"), path.name, level=level)
        print(path.name, level, hashlib.sha256(code.encode()).hexdigest())
"""


def test_hash_seed_does_not_matter() -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-c", HASHES, *EXAMPLES],
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("0", "1", "4242")
    ]
    outputs = {process.communicate()[0] for process in running}
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(outputs) == 1
    assert len(outputs.pop().splitlines()) == 3 * len(EXAMPLES)


@pytest.mark.parametrize("scalars", [True, False], ids=["scalars", "arrays"])
def test_helpers_are_what_black_writes(scalars: bool) -> None:
    for name, text in sources(scalars).items():
        text = f"{text.rstrip()}\n"
        assert black.format_str(text, mode=black.Mode()) == text, name
