"""A program as the text of a Python module: header, tables, public functions, kernels, helpers."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from bpc.codegen import (
    carried,
    expression,
    functions,
    initialisers,
    layout,
    optimisers,
    second,
    tiles,
    wrappers,
)
from bpc.codegen.context import Writer, described, plain, type_text
from bpc.codegen.kernel import Kernel
from bpc.codegen.workspaces import Call
from bpc.ir import Program
from bpc.plan import Plan
from bpc.source import Source
from bpc.types import size

SEAL = "# sha256 of the text above:"
ORDER = ("forward", "cost", "value_and_grad")
#: bytes that the workspace of a tile may take: what stays in the cache. Of 2**17 to 2**23 this was the
#: fastest, or within the noise of it, for the benchmarks mixture, curve and logsumexp_rows; logistic
#: regression is up to 1.2 times as fast with 2**20.
TILE_BYTES = 2**21
#: lines of the header on the kernels that were written, by their plans
Describe = Callable[[Mapping[Plan, Kernel]], Sequence[str]]


def write_module(
    program: Program,
    plans: Mapping[str, Plan],
    source: Source,
    version: str,
    level: int,
    wrt: tuple[str, ...],
    emit: Collection[str] = (),
    tile: int | None = None,
    describe: Describe = lambda printed: (),
) -> str:
    """The module's text. There must be plans of `forward`, `cost` and `value_and_grad`.

    `emit` names what else is to be written: functions of `second.KERNELS`, and optimisers; `tile` is
    how many rows a tile has, None: as many as its memory leaves in the cache. `describe` gives lines
    for the header.
    """
    w = Writer(program, source, wrt, plans["cost"].scalars)
    made = (e for plan in plans.values() for e in plan.constants if e.op == "number")
    w.numbers.update((e.out, e.args[0]) for e in made)
    public: list[str] = []
    kernels: list[str] = []
    taken: dict[str, Call] = {}
    for name in ORDER:
        if name == "forward" and not program.outputs:
            public += ["", "", *wrappers.forward_as_cost(w)]
            continue
        kernel, taken[name] = _kernel(w, plans[name])
        kernels += kernel
        function = plans[name].function
        public += ["", "", *wrappers.public(w, function, taken[name])]
        if taken[name].work is not None:
            kernels += ["", "", *wrappers.workspace(w, function, taken[name])]
    for name in (n for n in second.KERNELS if n in emit):
        needs = second.kernel(w, name)
        if needs not in taken:
            kernel, taken[needs] = _kernel(w, plans[needs])
            kernels += kernel
        function = plans[needs].function
        public += ["", "", *second.function(w, name, function, taken[needs])]
        kernels += second.workspace(w, name, function, taken[needs])
    works = any(call.work is not None for call in taken.values())
    tiled = any(plan.tiling is not None for plan in plans.values())
    stacked = bool(second.STACKED & taken.keys())
    lines = [
        *_tables(w, works, tiled, stacked, tile),
        *public,
        *initialisers.functions(w),
        *optimisers.functions(emit),
    ]
    lines += kernels
    body = "\n".join(lines)
    helpers = carried.closure(re.findall(r"\b_[a-z]\w*", body), carried.sources(w.scalars))
    body = "\n\n\n".join([body, *(h.rstrip() for h in helpers)])
    text = (
        "\n".join([*_header(w, version, level, describe(w.printed)), *_imports(body), body])
        + "\n\n\n"
    )
    return text + SEAL + "\n" + f"# {hashlib.sha256(text.encode()).hexdigest()}\n"


def _header(w: Writer, version: str, level: int, more: Sequence[str]) -> list[str]:
    digest = hashlib.sha256(w.source.text.encode()).hexdigest()
    counts = Counter(a.var.type for a in w.program.params)
    count = sum((t.count * size(n) for t, n in counts.items()), size(0))
    nodes, total = w.program.nodes, count + size(w.program.nodes)
    name = plain(w.source.name)
    return [
        f'"""The gradient of {name}, written by bpc {version} at -O{level}.',
        "",
        f"sha256 of {name}:",
        digest,
        f"{nodes} nodes + {count} parameters = {total} steps",
        *more,
        '"""',
        "",
    ]


def _imports(body: str) -> list[str]:
    found = [m for m in ("math", "threading") if f"{m}." in body]
    standard = [f"import {m}" for m in found if re.search(rf"\b{m}\.", body)]
    lines = [*standard, *([""] if standard else []), "import numpy as np"]
    if "special." in body and re.search(r"\bspecial\.", body):
        lines.append("from scipy import special")
    return [*lines, ""]


def _tables(w: Writer, works: bool, tiled: bool, stacked: bool, tile: int | None) -> list[str]:
    """PARAMS, INPUTS, OUTPUTS, and what the checks look up."""

    def table(name: str, rows: Sequence[tuple[str, str]]) -> list[str]:
        return layout.dictionary(0, f"{name} =", [(f'"{k}"', v) for k, v in rows])

    program = w.program
    outputs = program.functions.get("forward", program.functions["cost"])
    results = zip(outputs.labels, outputs.results)
    lines = table("PARAMS", [(a.key, f'"{described(a)}"') for a in program.params])
    lines += table("INPUTS", [(w.name(a), f'"{described(a)}"') for a in program.inputs])
    lines += table("OUTPUTS", [(k, f'"{type_text(atom.type)}"') for k, atom in results])
    lines.append("_KEYS = tuple(PARAMS)")
    if w.wrt:
        names = "".join(f'"{k}", ' for k in w.wrt)
        text = f"({names[:-1]})" if len(w.wrt) == 1 else f"({names[:-2]})"
        lines += layout.statement(0, "_WRT", expression.name(text))
    if works:
        lines.append("_WORK = threading.local()")
    if tiled:
        lines.append(f"TILE_ROWS = {tile}  # None: as many as TILE_BYTES of memory hold")
        lines.append(f"TILE_BYTES = 2**{TILE_BYTES.bit_length() - 1}  # what stays in the cache")
    if stacked:
        lines.append("STACK_BYTES = 2**24  # of memory for derivatives that are computed together")
    if not w.scalars:
        types = [(a.key, w.template(a)) for a in program.params]
        types += [(w.name(a), w.template(a)) for a in program.inputs]
        lines += table("_TYPES", types)
    return lines


def _kernel(w: Writer, plan: Plan) -> tuple[list[str], Call]:
    """The lines of a function on explicit arrays, and how it is called."""
    return functions.whole(w, plan) if plan.tiling is None else tiles.in_tiles(w, plan)
