"""The memory that a kernel of -O2 works in: a function that makes it, and the lines that keep it.

def _cost_work(N, dtype):
    N_by_10 = np.empty((N, 10), dtype)
    return (N_by_10,)
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bpc.codegen import layout
from bpc.codegen.context import Writer
from bpc.codegen.kernel import Kernel
from bpc.codegen.names import Names
from bpc.ir import Argument
from bpc.plan import Buffer, Plan
from bpc.record import record
from bpc.types import Type


@record(frozen=True)
class Call:
    """What a kernel takes besides the arguments of the model."""

    #: the dims that it takes, by their Python names
    dims: Sequence[str]
    #: the dims that its workspace is made for, and `dtype`; None where it has no workspace
    work: Sequence[str] | None = None
    #: which results it writes into memory that is given
    given: Sequence[int] = ()
    #: whether some results may be laid out in another way than by rows
    loose: bool = True


def names(w: Writer, buffers: Sequence[Buffer], free: Names) -> dict[Buffer, str]:
    """Buffers are called after their shape: `N_by_10`, `N_by_10_bool`."""
    return {b: free.claim(_called(w, b.type)) for b in buffers}


def _called(w: Writer, type: Type) -> str:
    sizes = [a.label or w.speller.size(a.size).text for a in type.shape]
    plain = all(re.fullmatch(r"\w+", s) for s in sizes)
    name = "_by_".join(sizes) if plain else "buffer"
    name = f"row_{name}" if len(sizes) == 1 or name[0].isdigit() else name
    return name if type.kind == "real" else f"{name}_{type.kind}"


@record(frozen=True)
class Tiled:
    """What the workspace of a function with tiles has besides."""

    #: memory for what is added up, where it is no result
    buffers: Sequence[Buffer]
    #: the arguments of `_tiles`, and the dims in them
    arguments: Sequence[str]
    dims: Sequence[str]


def function(
    w: Writer, name: str, plans: Sequence[Plan], dims: Sequence[str], tiled: Tiled | None = None
) -> tuple[list[str], list[str]]:
    """The function that makes a workspace for some plans, and what it takes: some of `dims`."""
    w.speller.needs_dtype = tiled is not None
    w.speller.used = set(tiled.dims) if tiled else set()
    free = w.locals()
    lines: list[str] = []
    made = []
    for plan in plans:
        buffers = names(w, plan.buffers, free)
        kernel = Kernel(plan, plan.function, w.speller, free, {}, buffers)
        for buffer, called in buffers.items():
            lines += layout.statement(4, called, w.speller.empty(buffer.type))
            made.append(called)
        for equation in plan.constants:
            called, code = kernel.claim(equation.out), kernel.render(equation)
            lines += layout.statement(4, called, code, w.comment(equation.span))
            made.append(called)
    if tiled:
        for buffer, called in names(w, tiled.buffers, free).items():
            lines += layout.statement(4, called, w.speller.empty(buffer.type))
            made.append(called)
        lines += layout.call_statement(4, "tiles", "_tiles", tiled.arguments, modern=True)
        made.append("tiles")
    taken = [w.speller.names[d] for d in dims if d in w.speller.used]
    taken += ["dtype"] if w.speller.needs_dtype else []
    head = layout.signature(0, f"_{name}_work", taken, modern=True)
    doc = f'    """Memory that `_{name}` computes in."""'
    returned = [f"({', '.join(made)},)" if made else "()"] if len(made) < 2 else made
    return ["", "", *head, doc, *lines, *layout.returned(4, returned)], taken


def made(call: Call, arguments: Sequence[Argument]) -> list[str]:
    """What the function that makes a workspace is given where the arguments are bound."""
    assert call.work is not None
    real = next((i for i, a in enumerate(arguments) if a.var.type.kind == "real"), None)
    dtype = f"arrays[{real}].dtype" if real is not None else "np.dtype(float)"
    return [dtype if a == "dtype" else f'dims["{a}"]' for a in call.work]
