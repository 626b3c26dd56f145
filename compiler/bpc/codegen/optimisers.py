"""The optimisers that `--emit` adds to a generated module: `adam_init` and `adam_step`, and so on."""

from __future__ import annotations

from collections.abc import Collection

from bpc.codegen.carried import functions as texts

#: in the order in which a module has them
OPTIMISERS = ("sgd", "momentum", "adam", "adamw")


def functions(emit: Collection[str]) -> list[str]:
    """The lines of the public functions of the named optimisers; their helpers are carried."""
    source = texts("bpc.codegen", "optimiser_text")
    lines: list[str] = []
    for name in OPTIMISERS:
        if name in emit:
            for function in (f"{name}_init", f"{name}_step"):
                lines += ["", "", *source[function].splitlines()]
    return lines
