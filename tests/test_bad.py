"""Each program in tests/bad against all that bpc says about it; `pytest --update` rewrites that."""

from pathlib import Path

import pytest

from bpc.diagnostics import MESSAGES
from bpc.parser import parse
from bpc.source import Source

BAD = Path(__file__).parent / "bad"
PROGRAMS = sorted(BAD.glob("*.bp"))


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_messages(path: Path, update: bool) -> None:
    _, diagnostics = parse(Source(path.name, path.read_bytes().decode()))
    said = "\n".join(d.render() for d in diagnostics) + "\n"
    expected = path.with_suffix(".txt")
    if update:
        expected.write_text(said, encoding="utf-8")
    assert said == expected.read_text(encoding="utf-8")
    assert path.stem.split("-")[0].upper() in {d.code for d in diagnostics}


def test_each_message_of_the_parser_has_a_program() -> None:
    shown = {path.stem.split("-")[0].upper() for path in PROGRAMS}
    assert {code for code in MESSAGES if code < "BP050"} <= shown <= set(MESSAGES)
