"""Each program in tests/bad against all that bpc says about it; `pytest --update` rewrites that."""

import re
from pathlib import Path

import pytest

from bpc import BpcError, compile_source
from bpc.diagnostics import MESSAGES

BAD = Path(__file__).parent / "bad"
PROGRAMS = sorted(BAD.glob("*.bp"))


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_messages(path: Path, update: bool) -> None:
    text = path.read_bytes().decode()
    emit = re.findall(r"^# --emit (\w+)", text)
    with pytest.raises(BpcError) as error:
        compile_source(text, path.name, emit=emit)
    said = f"{error.value}\n"
    expected = path.with_suffix(".txt")
    if update:
        expected.write_text(said, encoding="utf-8")
    assert said == expected.read_text(encoding="utf-8")
    assert path.stem.split("-")[0].upper() in {d.code for d in error.value.diagnostics}


def test_each_message_has_a_program() -> None:
    texts = [path.read_text(encoding="utf-8") for path in BAD.glob("*.txt")]
    assert {code for text in texts for code in re.findall(r"error\[(BP\d+)\]", text)} == set(
        MESSAGES
    )


def test_each_text_has_its_program() -> None:
    assert {p.stem for p in BAD.glob("*.txt")} == {p.stem for p in PROGRAMS}
    assert len(PROGRAMS) >= 60
