"""The pipeline: text -> AST -> IR -> gradient -> passes -> Python. The one module that knows all."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from bpc.codegen.module import write_module
from bpc.diagnostics import did_you_mean
from bpc.ir import Function, Program
from bpc.lower import LIMIT, SettingError, lower
from bpc.parser import parse
from bpc.passes import ADJOINT, PRIMAL, Pass
from bpc.reverse import gradient
from bpc.source import Source, Span
from bpc.verify import verify
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
    verify_ir: bool = False,
) -> str:
    """The text of the Python module for the model in `text`.

    `name` stands in messages and comments; `level` is 0, 1 or 2; `settings` are dims and consts to
    set; `wrt` names what the gradient is by, instead of all params; `limit` bounds the steps that
    `def` and `for` expand to; `verify_ir` checks the IR after each pass.
    Raises BpcError with all diagnostics, UsageError.
    """
    source = Source(name, text.removeprefix("\ufeff"))
    targets = tuple(dict.fromkeys(wrt))
    with _no_collection():
        program = front(source, settings or {}, limit)
        program = differentiate(program, source, targets, level, verify_ir)
        program = optimise(program, level, verify_ir)
        return write_module(program, source, VERSION, level, targets)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without the garbage collector: all that a compilation builds lives until it ends."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


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
    exec(compile(code, f"<gradient of {name}>", "exec"), module.__dict__)  # noqa: S102 - bpc wrote it
    return module


def front(source: Source, settings: Mapping[str, int | float], limit: int = LIMIT) -> Program:
    """Text to primal IR."""
    model, diagnostics = parse(source)
    try:
        return lower(model, diagnostics, settings, limit)
    except SettingError as error:
        raise UsageError(str(error)) from None


def differentiate(
    program: Program, source: Source, wrt: tuple[str, ...], level: int, check: bool = False
) -> Program:
    """The program, prepared by the passes on the primal, with its `value_and_grad`."""
    by = {a.key: a.var for a in (*program.params, *program.inputs)}
    for key in wrt:
        if key not in by or by[key].type.kind != "real":
            help = did_you_mean(key, by) or f"there are {', '.join(by)}"
            raise UsageError(f"--wrt {key}: no real param or input of this name; {help}")
    targets = tuple(by[k] for k in wrt) if wrt else tuple(a.var for a in program.params)
    functions = {k: run(f, PRIMAL[level], check) for k, f in program.functions.items()}
    grad = gradient(functions["cost"], targets, Span(source, 0, 0), edges=level == 0)
    if check:
        verify(grad, "reverse")
    return replace(program, functions={**functions, "value_and_grad": grad})


def optimise(program: Program, level: int, check: bool = False) -> Program:
    """The program after the passes that follow the reverse pass."""
    functions = {k: run(f, ADJOINT[level], check) for k, f in program.functions.items()}
    return replace(program, functions=functions)


def run(function: Function, passes: Iterable[Pass], check: bool) -> Function:
    """A function after some passes, verified after each if wanted."""
    for apply in passes:
        function = apply(function)
        if check:
            verify(function, getattr(apply, "__name__", str(apply)))
    return function
