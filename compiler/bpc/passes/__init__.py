"""The passes, and the order in which they run: Function -> Function, pure, values kept.

`PRIMAL` runs on the model before it is differentiated, `ADJOINT` on all functions after, then `STACKS`
on what computes columns together, `LOOPS` and `WRITTEN_OUT`.
"""

from __future__ import annotations

from collections.abc import Callable

from bpc.ir import Function
from bpc.passes.chain import chain
from bpc.passes.columns import columns
from bpc.passes.cse import cse
from bpc.passes.dce import dce
from bpc.passes.expand import expand
from bpc.passes.factors import factors
from bpc.passes.gates import gates
from bpc.passes.guard import guard
from bpc.passes.hoist import hoist
from bpc.passes.images import images
from bpc.passes.join import join
from bpc.passes.name import name
from bpc.passes.propagate import propagate
from bpc.passes.regroup import regroup
from bpc.passes.share import share
from bpc.passes.simplify import simplify
from bpc.passes.sink import sink
from bpc.passes.squeeze import squeeze
from bpc.passes.stabilise import stabilise, stabilise_all
from bpc.passes.sums import sums
from bpc.passes.turn_loops import turn_loops
from bpc.passes.turn_rows import turn_rows
from bpc.passes.units import units
from bpc.passes.unstack import unstack

Pass = Callable[[Function], Function]

_TIDY: tuple[Pass, ...] = (propagate, simplify, cse, join, simplify, cse, simplify, propagate, dce)
PRIMAL: dict[int, tuple[Pass, ...]] = {
    0: (guard, dce, name),
    1: (cse, stabilise, guard, dce, hoist, sink, dce),
    2: (cse, stabilise_all, chain, guard, dce, gates, share, hoist, sink, dce),
}
#: for what `grad` differentiates: the same, but that names and loops stay as they are
INNER: dict[int, tuple[Pass, ...]] = {
    0: (guard, dce),
    1: (cse, stabilise, guard, dce),
    2: (cse, stabilise, guard, dce),
}
ADJOINT: dict[int, tuple[Pass, ...]] = {0: (dce,), 1: _TIDY, 2: _TIDY}
#: then, on columns and examples that are computed together: `columns` on the loop that they are, and
AT_ONCE: Pass = columns
STACKS: tuple[Pass, ...] = (*_TIDY, units, *_TIDY, squeeze, simplify, squeeze, *_TIDY)
#: after them, where a function has loops
LOOPS: dict[int, tuple[Pass, ...]] = {0: (), 1: (hoist, sink, *_TIDY), 2: (hoist, sink, *_TIDY)}
#: last: composite operators in simpler ones, and what these have in common
WRITTEN_OUT: dict[int, tuple[Pass, ...]] = {
    0: (),
    1: (),
    2: (
        *(unstack, images, turn_loops, expand, propagate, simplify, cse, factors, simplify, cse),
        *(regroup, turn_rows, simplify, cse, sums, propagate, simplify, cse, hoist, cse, dce),
    ),
}
