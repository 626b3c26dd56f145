"""The committed table is what a run gives."""

from pathlib import Path

from table import render

TABLE = Path(__file__).parent / "TABLE.md"


def test_the_table_is_what_a_run_gives(update: bool) -> None:
    found = render()
    if update:
        TABLE.write_text(found, encoding="utf-8")
    assert found == TABLE.read_text(encoding="utf-8")
