"""What a compilation tells besides the module: what it costs, and how its functions run in tiles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bpc.codegen.module import write_module
from bpc.compiler import names, no_collection, optimised, written_out
from bpc.cost import Contract, contract
from bpc.cost.memory import Printed
from bpc.ir import Function, Program
from bpc.lower import LIMIT
from bpc.schedule import arrange
from bpc.schedule.tiles import Tiles, Whole, choose, split
from bpc.source import Source, Span
from bpc.version import VERSION

#: why functions that the caller gives parts of the work have no tiles
TOGETHER = "it is given as many columns or examples as fit into memory"


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
    targets, _ = names(wrt, ())
    found: list[Contract | None] = []
    with no_collection():
        program = optimised(source, settings or {}, targets, (), level, limit)
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
    targets, extras = names(wrt, emit)
    with no_collection():
        plain, program = (
            optimised(source, settings or {}, targets, extras, level, limit) for level in (1, 2)
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
