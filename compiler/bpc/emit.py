"""What `--emit` adds to a program: derivatives along tangents, of each example, by columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bpc.calculus.columns import columns, examples, reversed_mode
from bpc.calculus.examples import batch
from bpc.calculus.forward import dotted, jvp
from bpc.calculus.inside import expand
from bpc.codegen.optimisers import OPTIMISERS
from bpc.codegen.second import COLUMNS, KERNELS, REVERSED, STACKED
from bpc.diagnostics import UsageError, did_you_mean
from bpc.ir import Function, Program, Var, unnamed
from bpc.lower import LIMIT
from bpc.sizes import size
from bpc.verify import verify

#: what a module may have besides, by the names that `--emit` knows
EMIT = (*KERNELS, *OPTIMISERS)
#: which function each kernel along tangents is the derivative of
LINEAR = {"jvp": "cost", "hvp": "value_and_grad", "jacobian": "forward"}


def emitted(names: Iterable[str]) -> tuple[str, ...]:
    """The names in the order of EMIT, each once; UsageError for one that is not there."""
    wanted = tuple(names)
    for name in wanted:
        if name not in EMIT:
            help = did_you_mean(name, EMIT) or f"there are {', '.join(EMIT)}"
            raise UsageError(f"--emit {name}: bpc cannot write this; {help}")
    return tuple(name for name in EMIT if name in wanted)


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
