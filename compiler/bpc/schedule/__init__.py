"""From what is computed to how: IR -> plans, which codegen prints.

`loosen` leaves out what NumPy does by itself; `steps` says how loops update their carries; at -O2
`buffers` gives values memory that is used again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from bpc.ir import Function, Program, Var, variables
from bpc.ops import OPS
from bpc.ops.loops import Loop
from bpc.plan import Carries, Place, Plan, Tiling
from bpc.schedule.buffers import assign
from bpc.schedule.loosen import loosen
from bpc.schedule.steps import totals, updated_in_place
from bpc.schedule.tiling import tiled
from bpc.source import Span


def arrange(program: Program, level: int, start: Span) -> dict[str, Plan]:
    """A plan for each function; `start` is the place of what no equation says."""
    scalars = all_scalar(program.functions.values())
    inputs = {a.var for a in program.inputs}
    plans = {}
    for name, function in program.functions.items():
        plan = Plan(loosen(function, scalars, start), scalars)
        if level == 2 and not scalars:
            whole = name in program.whole
            tiling = None if whole else tiled(function, program.dims, inputs, start)
            plan = replace(plan, tiling=_parts(tiling)) if tiling else assign(plan)
        plans[name] = stepped(plan)
    return plans


def all_scalar(functions: Iterable[Function]) -> bool:
    """Whether every value of every function is one number, computed by Python alone."""
    return all(
        all(not v.type.shape for v in f.params)
        and all(OPS[e.op].scalar and not e.out.type.shape for e in f.body)
        for f in functions
    )


def _parts(tiling: Tiling) -> Tiling:
    """The same, with how loops update their carries."""
    before, tile, after = map(stepped, (tiling.before, tiling.tile, tiling.after))
    return replace(tiling, before=before, tile=tile, after=after)


def stepped(plan: Plan) -> Plan:
    """The plan with how loops update their carries."""
    return replace(plan, carries=_carries(plan.function, plan.places))


def _carries(function: Function, places: Mapping[Var, Place]) -> dict[Function, Carries]:
    """How the loops in a function, and those in them, update their carries."""
    found: dict[Function, Carries] = {}
    for equation in function.body:
        if equation.op == "scan":
            loop = Loop.of(equation)
            direct = updated_in_place(loop)
            direct |= {u for u in variables(loop.updates) if isinstance(places.get(u), Var)}
            found[loop.body] = Carries(frozenset(direct), totals(loop))
            found |= _carries(loop.body, places)
    return found
