"""The libraries that `use` brings in, each a file of bp."""

from __future__ import annotations

from pkgutil import get_data

from bpc.source import Source

NAMES = ("nn",)


def source(name: str) -> Source | None:
    """The text of a library; messages about places in it give its file's name, `nn.bp`."""
    if name not in NAMES:
        return None
    file = f"{name}.bp"
    return Source(file, (get_data("bpc.lib", file) or b"").decode())
