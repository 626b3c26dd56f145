"""The pipeline: text -> AST -> IR -> gradient -> passes -> Python. The one module that knows all."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType

from bpc import lib
from bpc.calculus.inside import expand
from bpc.calculus.reverse import gradient
from bpc.codegen.module import write_module
from bpc.codegen.second import STACKED
from bpc.cost import header
from bpc.cost.memory import Printed
from bpc.diagnostics import UsageError, did_you_mean
from bpc.emit import batch_dim, emitted, extend
from bpc.ir import Function, Program
from bpc.lower import LIMIT, SettingError, lower
from bpc.ops.loops import map_bodies
from bpc.parser import parse
from bpc.passes import ADJOINT, AT_ONCE, INNER, LOOPS, PRIMAL, STACKS, WRITTEN_OUT, Pass
from bpc.schedule import all_scalar, arrange
from bpc.source import Source, Span
from bpc.syntax import Model
from bpc.verify import verify
from bpc.version import VERSION

STAGES = ("ast", "ir", "grad", "opt")
#: told of each stage as it ends: what it is called, and what came out of it
Watch = Callable[[str, str], None]


def _unwatched(stage: str, result: str) -> None:
    """Nobody looks on."""


def compile_source(
    text: str,
    name: str = "<text>",
    *,
    level: int = 1,
    settings: Mapping[str, int | float] | None = None,
    wrt: Iterable[str] = (),
    emit: Iterable[str] = (),
    limit: int = LIMIT,
    verify_ir: bool = False,
    tile: int | None = None,
    timings: Watch | None = None,
) -> str:
    """The text of the Python module for the model in `text`.

    `name` stands in messages and comments; `level` is 0, 1 or 2; `settings` are dims and consts to
    set; `wrt` names what the gradient is by, instead of all params; `emit` names further functions
    to write, of EMIT; `limit` bounds the steps that `def` and `for` expand to; `verify_ir` checks the
    IR after each pass; `tile` is how many rows a tile has at level 2 (None: as many as its memory leaves
    in the cache); `timings` is called as each stage ends, with its name and what came out, such
    as `("parse", "12 statements")`.
    Raises BpcError with all diagnostics, UsageError.
    """
    if level not in ADJOINT:
        raise UsageError(f"level {level}: there are {', '.join(map(str, ADJOINT))}")
    if tile is not None and level < 2:
        raise UsageError(f"a tile of {tile} rows at level {level}: only -O2 works in tiles")
    source = Source(name, text.removeprefix("\ufeff"))
    targets, extras = names(wrt, emit)
    done = timings or _unwatched

    def compiled() -> str:
        program = optimised(source, settings or {}, targets, extras, level, limit, verify_ir, done)
        program = written_out(program, level, verify_ir, done)
        plans = arrange(program, level, Span(source, 0, 0))
        done("schedule", f"{sum(len(p.buffers) for p in plans.values()):,} buffers")

        def describe(printed: Printed) -> list[str]:
            return header(program, plans, printed)

        module = write_module(
            program, plans, source, VERSION, level, targets, extras, tile, describe
        )
        lines = module.count("\n")
        done("codegen", f"{lines:,} lines")
        return module

    with no_collection():  # all that is built goes with `compiled`: nothing is left to collect
        return compiled()


def names(wrt: Iterable[str], emit: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of `wrt`, and those of `emit`, each once; either may be given as one text."""
    wrt, emit = ([x] if isinstance(x, str) else x for x in (wrt, emit))
    return tuple(dict.fromkeys(wrt)), emitted(emit)


def optimised(
    source: Source,
    settings: Mapping[str, int | float],
    wrt: tuple[str, ...],
    emit: tuple[str, ...],
    level: int,
    limit: int,
    check: bool = False,
    done: Watch = _unwatched,
) -> Program:
    """The program with all functions of the module, optimised but not written out."""
    program = front(source, settings, limit, done)
    rows = batch_dim(program) if "per_example" in emit else ""
    program = differentiate(program, source, wrt, level, check, limit, done)
    program = extend(replace(program, batch=rows), wrt, emit, check)
    if emit:
        done("emit", ", ".join(emit))
    return simplified(program, level, check, done)


def _size(functions: Mapping[str, Function]) -> str:
    """What a stage that makes IR reports."""
    return f"{sum(len(f.body) for f in functions.values()):,} equations"


@contextmanager
def no_collection() -> Iterator[None]:
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
    return execute(compile_source(text, name, **options), name)  # type: ignore[arg-type]


def execute(code: str, name: str) -> ModuleType:
    """The module that a text of `compile_source` is, as if it were imported."""
    module = ModuleType(Path(name).stem.strip("<>"))
    exec(compile(code, f"<gradient of {name}>", "exec"), module.__dict__)  # noqa: S102 - bpc wrote it
    return module


def front(
    source: Source,
    settings: Mapping[str, int | float],
    limit: int = LIMIT,
    done: Watch = _unwatched,
) -> Program:
    """Text to primal IR."""
    model, diagnostics = parse(source)
    done("parse", f"{len(model.statements):,} statements")
    try:
        program = lower(model, diagnostics, settings, limit, _library)
    except SettingError as error:
        raise UsageError(str(error)) from None
    done("lower", _size(program.functions))
    return program


@cache
def _library(name: str) -> Model | None:
    """The tree of a library, which is parsed once."""
    source = lib.source(name)
    return parse(source)[0] if source is not None else None


def differentiate(
    program: Program,
    source: Source,
    wrt: tuple[str, ...],
    level: int,
    check: bool = False,
    limit: int = LIMIT,
    done: Watch = _unwatched,
) -> Program:
    """The program, prepared by the passes on the primal, with its `value_and_grad`."""
    by = {a.key: a.var for a in (*program.params, *program.inputs)}
    reals = {key for key, var in by.items() if var.type.kind == "real"}
    for key in wrt:
        if key not in reals:
            what = "no real param or input of this name"
            if key in by:
                what = f"the input is {by[key].type.kind}, not real"
            known = [k for k in by if k in reals]
            help = did_you_mean(key, known) or f"there are {', '.join(known) or 'none'}"
            raise UsageError(f"--wrt {key}: {what}; {help}")
    targets = tuple(by[k] for k in wrt) if wrt else tuple(a.var for a in program.params)

    def prepare(function: Function) -> Function:
        return run(function, INNER[level], check)

    functions = {k: expand(f, prepare, limit // 3) for k, f in program.functions.items()}
    functions = {k: run(f, PRIMAL[level], check) for k, f in functions.items()}
    done("primal passes", _size(functions))
    grad = gradient(functions["cost"], targets, Span(source, 0, 0), edges=level == 0)
    if check:
        verify(grad, "reverse")
    functions["value_and_grad"] = grad
    done("reverse", _size(functions))
    return replace(program, functions=functions)


def optimise(
    program: Program, level: int, check: bool = False, done: Watch = _unwatched
) -> Program:
    """The program after the passes that follow the reverse pass."""
    return written_out(simplified(program, level, check, done), level, check, done)


def simplified(
    program: Program, level: int, check: bool = False, done: Watch = _unwatched
) -> Program:
    """The program in the operators of the source, after the passes that simplify it."""
    functions = {k: run(f, ADJOINT[level], check) for k, f in program.functions.items()}
    done("adjoint passes", _size(functions))
    for name, function in functions.items():
        if name in STACKED and level:
            functions[name] = run(AT_ONCE(function), STACKS, check)
    for name, function in functions.items():
        if any(e.op == "scan" for e in function.body):
            functions[name] = run(function, LOOPS[level], check)
    done("loop passes", _size(functions))
    return replace(program, functions=functions)


def written_out(
    program: Program, level: int, check: bool = False, done: Watch = _unwatched
) -> Program:
    """A simplified program in the operators that its level computes with."""
    functions = {k: run(f, WRITTEN_OUT[level], check) for k, f in program.functions.items()}
    if WRITTEN_OUT[level]:
        done("written out", _size(functions))
    return replace(program, functions=_chosen(functions))


def _chosen(functions: dict[str, Function]) -> dict[str, Function]:
    """The functions without stacks, where all others compute with numbers of Python's."""
    alone = {k: f for k, f in functions.items() if k not in STACKED}
    return alone if len(alone) < len(functions) and all_scalar(alone.values()) else functions


def run(function: Function, passes: Iterable[Pass], check: bool) -> Function:
    """A function after some passes, verified after each if wanted.

    A pass is left out where it has seen this very function, and had nothing to change.
    """
    settled: dict[Pass, Function] = {}
    for apply in passes:
        if settled.get(apply) is function:
            continue
        before, function = function, _deep(apply)(function)
        if function is before:
            settled[apply] = function
        elif check:
            verify(function, getattr(apply, "__name__", str(apply)))
    return function


def _deep(apply: Pass) -> Pass:
    """A pass that runs on the bodies of loops first, then on what is around them."""

    def deep(function: Function) -> Function:
        return apply(map_bodies(function, deep))

    return deep
