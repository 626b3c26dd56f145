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
from bpc.calculus.columns import columns, examples, reversed_mode
from bpc.calculus.examples import batch
from bpc.calculus.forward import dotted, jvp
from bpc.calculus.inside import expand
from bpc.calculus.reverse import gradient
from bpc.codegen.module import write_module
from bpc.codegen.optimisers import OPTIMISERS
from bpc.codegen.second import COLUMNS, KERNELS, REVERSED, STACKED
from bpc.cost import Contract, contract, header
from bpc.cost.memory import Printed
from bpc.diagnostics import did_you_mean
from bpc.ir import Function, Program, Var, unnamed
from bpc.lower import LIMIT, SettingError, lower
from bpc.ops.loops import map_bodies
from bpc.parser import parse
from bpc.passes import ADJOINT, AT_ONCE, INNER, LOOPS, PRIMAL, STACKS, WRITTEN_OUT, Pass
from bpc.schedule import all_scalar, arrange
from bpc.schedule.tiles import Tiles, Whole, choose, split
from bpc.sizes import size
from bpc.source import Source, Span
from bpc.syntax import Model
from bpc.verify import verify
from bpc.version import VERSION

#: which function each kernel along tangents is the derivative of
LINEAR = {"jvp": "cost", "hvp": "value_and_grad", "jacobian": "forward"}
#: why functions that the caller gives parts of the work have no tiles
TOGETHER = "it is given as many columns or examples as fit into memory"
STAGES = ("ast", "ir", "grad", "opt")
#: what a module may have besides, by the names that `--emit` knows
EMIT = (*KERNELS, *OPTIMISERS)
#: told of each stage as it ends: what it is called, and what came out of it
Watch = Callable[[str, str], None]


def _unwatched(stage: str, result: str) -> None:
    """Nobody looks on."""


class UsageError(Exception):
    """An option that does not fit the program: `--set`, `--wrt` or `--emit` of an unknown name."""


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
    targets, extras = _names(wrt, emit)
    done = timings or _unwatched
    with _no_collection():
        program = _program(source, settings or {}, targets, extras, level, limit, verify_ir, done)
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


def costs(
    source: Source,
    *,
    level: int = 1,
    settings: Mapping[str, int | float] | None = None,
    wrt: Iterable[str] = (),
    limit: int = LIMIT,
) -> tuple[Program, Contract | None]:
    """What the module of a program costs, and the program; options are those of `compile_source`.

    None where the formulas are too long. Raises what `compile_source` raises.
    """
    targets, _ = _names(wrt, ())
    found: list[Contract | None] = []
    with _no_collection():
        program = _program(source, settings or {}, targets, (), level, limit)
        program = written_out(program, level)
        plans = arrange(program, level, Span(source, 0, 0))

        def describe(printed: Printed) -> list[str]:
            found.append(contract(program, plans, printed))
            return []

        write_module(program, plans, source, VERSION, level, targets, (), None, describe)
    return program, found[0]


def tilings(
    source: Source,
    *,
    settings: Mapping[str, int | float] | None = None,
    wrt: Iterable[str] = (),
    emit: Iterable[str] = (),
    limit: int = LIMIT,
) -> dict[str, Tiles | tuple[Whole, ...]]:
    """How each function of a module runs at level 2: tiles of its rows, or why it has none.

    Options are those of `compile_source`; it is a reason for each free dim. Raises what that raises.
    """
    targets, extras = _names(wrt, emit)
    with _no_collection():
        plain, program = (
            _program(source, settings or {}, targets, extras, level, limit) for level in (1, 2)
        )
        return tile(plain, written_out(program, 2))


def tile(program: Program, written: Program) -> dict[str, Tiles | tuple[Whole, ...]]:
    """The functions of a program that is `written` out, in tiles of their rows where they have any.

    Reasons speak of `program`, which is not written out: of the operators of the source.
    """
    inputs = {a.var for a in program.inputs}
    found: dict[str, Tiles | tuple[Whole, ...]] = {}
    for name, function in written.functions.items():
        how = choose(function, program.dims, inputs)
        if name in program.whole:
            held = {d for p in function.params for a in p.type.shape for d in a.size.dims()}
            how = tuple(Whole(d, TOGETHER) for d in program.dims if d in held)
        elif not isinstance(how, Tiles):
            how = tuple(_reason(program.functions[name], whole) for whole in how)
        found[name] = how
    return found


def _reason(function: Function, whole: Whole) -> Whole:
    """Why a function that is not written out has no tiles, if that is a reason too."""
    found = split(function, whole.dim)
    return found if isinstance(found, Whole) else whole


def _names(wrt: Iterable[str], emit: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of `wrt`, and those of `emit`, each once; either may be given as one text."""
    wrt, emit = ([x] if isinstance(x, str) else x for x in (wrt, emit))
    return tuple(dict.fromkeys(wrt)), _emitted(emit)


def _program(
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


def _emitted(names: Iterable[str]) -> tuple[str, ...]:
    """The names in the order of EMIT, each once; UsageError for one that is not there."""
    wanted = tuple(names)
    for name in wanted:
        if name not in EMIT:
            help = did_you_mean(name, EMIT) or f"there are {', '.join(EMIT)}"
            raise UsageError(f"--emit {name}: bpc cannot write this; {help}")
    return tuple(name for name in EMIT if name in wanted)


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


def batch_dim(program: Program) -> str:
    """The free dim over which the cost adds up examples. UsageError, BpcError where there is none."""
    inputs = {d for a in program.inputs for x in a.var.type.shape for d in x.size.dims()}
    dims = [d for d in program.dims if d in inputs]
    if not dims:
        raise UsageError("--emit per_example: no input has a free dim, such as `dim N`")
    cost = expand(program.functions["cost"], lambda function: function, LIMIT)
    place = next(a.span for a in program.inputs)
    return batch(cost, tuple(a.var for a in program.params), dims, place)


def extend(
    program: Program, wrt: tuple[str, ...], emit: tuple[str, ...], check: bool = False
) -> Program:
    """The program with what the emitted functions call: derivatives along tangents."""
    by = {a.key: a.var for a in (*program.params, *program.inputs)}
    varied = tuple(by[k] for k in wrt) if wrt else tuple(a.var for a in program.params)
    tangents = tuple(dotted(v) for v in varied)
    functions = dict(program.functions)
    forward = functions.get("forward")
    reals = forward and [r for r in forward.results if r.type.kind == "real"]
    if "jacobian" in emit and not reals:
        raise UsageError("--emit jacobian: the program has no real `output` to differentiate")
    counts = count, first, every = _counted(program.dims)
    many = COLUMNS.keys() & emit or "per_example" in emit
    program = replace(program, columns=counts if many else (), whole=STACKED)
    places = [e.span for e in functions["cost"].body]
    places += [a.span for a in (*program.params, *program.inputs)]
    plain = _plain(program)
    for name, needed in KERNELS.items():
        if name in emit and needed in LINEAR:
            function = functions.get(needed)
            if function is None:
                function = along(jvp(functions[LINEAR[needed]], varied, tangents, needed))
            if plain or name not in COLUMNS:
                functions[needed] = function
            if name in COLUMNS:
                together = columns(function, tangents, count, first, places)
                functions[COLUMNS[name]] = together
    if "jacobian" in emit and not plain and _fewer(functions["forward"], varied):
        by_outputs = reversed_mode(functions["forward"], varied, places[0])
        functions[REVERSED] = columns(*by_outputs, count, first, places)
        del functions[COLUMNS["jacobian"]]
    if "per_example" in emit:
        both = functions["value_and_grad"]
        results, labels = both.results[1:], both.labels[1:]
        functions["per_example"] = examples(both, results, labels, program.batch, first, every)
    if check:
        for name in functions.keys() - program.functions.keys():
            verify(functions[name], name)
    return replace(program, functions=functions)


def _counted(dims: tuple[str, ...]) -> tuple[str, str, str]:
    """Names for how many columns are computed at once, the first of them, and for all there are."""

    def fresh(name: str) -> str:
        while name in dims:
            name += "_"
        return name

    return fresh("columns"), fresh("first"), fresh("every")


def _fewer(forward: Function, varied: Iterable[Var]) -> bool:
    """Whether the outputs surely have fewer entries than what is varied."""
    reals = sum((r.type.count for r in forward.results if r.type.kind == "real"), size(0))
    rest = sum((v.type.count for v in varied), size(0)) - reals
    return reals.value is not None and rest.value is not None and rest.value > 0


def _plain(program: Program) -> bool:
    """Whether a program may turn out to be one of numbers alone."""
    return not any(a.var.type.shape for a in (*program.params, *program.inputs))


def along(function: Function) -> Function:
    """What a function along tangents returns: for `jvp` all, else the tangents of real results."""
    if function.name == "jvp":
        return function
    half = len(function.results) // 2
    start = 1 if function.name == "hvp" else 0
    kept = [i for i in range(start, half) if function.results[i].type.kind == "real"]
    results = tuple(function.results[half + i] for i in kept)
    labels = tuple(function.labels[i] for i in kept)
    return unnamed(replace(function, results=results, labels=labels), function.results[:half])


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
