"""The pipeline: text -> AST -> IR -> gradient -> passes -> Python. The one module that knows all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from bpc.codegen.module import write_module
from bpc.diagnostics import did_you_mean
from bpc.ir import Program
from bpc.lower import LIMIT, SettingError, lower
from bpc.parser import parse
from bpc.reverse import gradient
from bpc.source import Source, Span
from bpc.version import VERSION

STAGES = ("ast", "ir", "grad", "opt")


class UsageError(Exception):
    """An option that does not fit the program: `--set` or `--wrt` of an unknown name."""


def compile_source(
    text: str,
    name: str = "<text>",
    *,
    level: int = 1,
    settings: Mapping[str, int | float] | None = None,
    wrt: Iterable[str] = (),
    limit: int = LIMIT,
    verify: bool = False,
) -> str:
    """The text of the Python module for the model in `text`.

    `name` stands in messages and comments; `level` is 0, 1 or 2; `settings` are dims and consts to
    set; `wrt` names what the gradient is by, instead of all params; `limit` bounds the steps that
    `def` and `for` expand to; `verify` checks the IR after each pass.
    Raises BpcError with all diagnostics, UsageError.
    """
    source = Source(name, text.removeprefix("\ufeff"))
    targets = tuple(wrt)
    program = front(source, settings or {}, limit)
    program = optimise(differentiate(program, source, targets, level), level, verify)
    return write_module(program, source, VERSION, level, targets)


def load(model: str | Path, **options: object) -> ModuleType:
    """The module for a model, given as a path to a `.bp` file or as its text.

    A Path, or a string of one line that ends in `.bp`, is read as a file. Options are those of
    `compile_source`. Raises OSError too.
    """
    if isinstance(model, Path) or ("\n" not in model and model.endswith(".bp")):
        path = Path(model)
        text, name = path.read_text(encoding="utf-8-sig"), path.name
    else:
        text, name = model, "<text>"
    code = compile_source(text, name, **options)  # type: ignore[arg-type]
    module = ModuleType(Path(name).stem.strip("<>"))
    exec(compile(code, f"<gradient of {name}>", "exec"), module.__dict__)
    return module


def front(source: Source, settings: Mapping[str, int | float], limit: int = LIMIT) -> Program:
    """Text to primal IR."""
    model, diagnostics = parse(source)
    try:
        return lower(model, diagnostics, settings, limit)
    except SettingError as error:
        raise UsageError(str(error)) from None


def differentiate(program: Program, source: Source, wrt: tuple[str, ...], level: int) -> Program:
    """The program with its `value_and_grad`."""
    by = {a.key: a.var for a in (*program.params, *program.inputs)}
    for key in wrt:
        if key not in by or by[key].type.kind != "real":
            help = did_you_mean(key, by) or f"there are {', '.join(by)}"
            raise UsageError(f"--wrt {key}: no real param or input of this name; {help}")
    targets = tuple(by[k] for k in wrt) if wrt else tuple(a.var for a in program.params)
    cost = program.functions["cost"]
    grad = gradient(cost, targets, Span(source, 0, 0), edges=level == 0)
    return replace(program, functions={**program.functions, "value_and_grad": grad})


def optimise(program: Program, level: int, verify: bool = False) -> Program:
    """The program after the passes of a level."""
    return program
