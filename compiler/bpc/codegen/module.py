"""A program as the text of a Python module: header, tables, public functions, kernels, helpers."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Collection, Mapping, Sequence

from bpc.codegen import (
    carried,
    expression,
    initialisers,
    layout,
    optimisers,
    second,
    workspaces,
    wrappers,
)
from bpc.codegen.context import Writer, described, plain, type_text
from bpc.codegen.kernel import Kernel
from bpc.codegen.workspaces import Call
from bpc.ir import Atom, Function, Program, Var
from bpc.plan import Buffer, Given, Plan
from bpc.source import Source
from bpc.types import size

SEAL = "# sha256 of the text above:"
ORDER = ("forward", "cost", "value_and_grad")


def write_module(
    program: Program,
    plans: Mapping[str, Plan],
    source: Source,
    version: str,
    level: int,
    wrt: tuple[str, ...],
    emit: Collection[str] = (),
) -> str:
    """The module's text. There must be plans of `forward`, `cost` and `value_and_grad`.

    `emit` names what else is to be written: functions of `second.KERNELS`, and optimisers.
    """
    w = Writer(program, source, wrt, plans["cost"].scalars)
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
    for name, needs in second.KERNELS.items():
        if name not in emit:
            continue
        if needs not in taken:
            kernel, taken[needs] = _kernel(w, plans[needs])
            kernels += kernel
        function = plans[needs].function
        public += ["", "", *second.function(w, name, function, taken[needs], program.batch)]
    works = any(call.work is not None for call in taken.values())
    lines = [*_tables(w, works), *public, *initialisers.functions(w), *optimisers.functions(emit)]
    lines += kernels
    body = "\n".join(lines)
    helpers = carried.closure(re.findall(r"\b_[a-z]\w*", body), carried.sources(w.scalars))
    body = "\n\n\n".join([body, *(h.rstrip() for h in helpers)])
    text = "\n".join([*_header(w, version, level), *_imports(body), body]) + "\n\n\n"
    return text + SEAL + "\n" + f"# {hashlib.sha256(text.encode()).hexdigest()}\n"


def _header(w: Writer, version: str, level: int) -> list[str]:
    digest = hashlib.sha256(w.source.text.encode()).hexdigest()
    count = size(0)
    for argument in w.program.params:
        count = count + argument.var.type.count
    nodes, total = w.program.nodes, count + size(w.program.nodes)
    name = plain(w.source.name)
    return [
        f'"""The gradient of {name}, written by bpc {version} at -O{level}.',
        "",
        f"sha256 of {name}:",
        digest,
        f"{nodes} nodes + {count} parameters = {total} steps",
        '"""',
        "",
    ]


def _imports(body: str) -> list[str]:
    standard = [f"import {m}" for m in ("math", "threading") if re.search(rf"\b{m}\.", body)]
    lines = [*standard, *([""] if standard else []), "import numpy as np"]
    if re.search(r"\bspecial\.", body):
        lines.append("from scipy import special")
    return [*lines, ""]


def _tables(w: Writer, works: bool) -> list[str]:
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
    if not w.scalars:
        types = [(a.key, w.template(a)) for a in program.params]
        types += [(w.name(a), w.template(a)) for a in program.inputs]
        lines += table("_TYPES", types)
    return lines


def _kernel(w: Writer, plan: Plan) -> tuple[list[str], Call]:
    """The mathematics of one function, on explicit arrays; and what it takes besides them."""
    function = plan.function
    inputs = w.needed(function)
    arguments = [*w.program.params, *inputs]
    w.speller.needs_dtype = False
    w.speller.used.clear()
    free, known = w.locals(), dict(w.arguments)
    known |= {p: free.claim(p.name) for p in function.params if p not in known}
    buffers: dict[Buffer, str] = {}
    kernel = Kernel(plan, function, w.speller, free, known, buffers)
    buffers |= workspaces.names(w, plan, free)
    memory = [*buffers.values(), *(kernel.claim(e.out) for e in plan.constants)]
    body = [*_unpacked(memory), *kernel.body(w.comment)]
    names = [w.name(a) for a in arguments]
    returned = layout.returned(4, kernel.results())
    dims = [d for d in w.program.dims if d in w.speller.used]
    extra = [w.speller.names[d] for d in dims]
    found = [(i, r) for i, r in enumerate(_arrays_of(function)) if isinstance(r, Var)]
    found = [(i, r) for i, r in found if plan.places.get(r) == Given()]
    given = [i for i, _ in found]
    targets = [kernel.known[r] for _, r in found]
    if function.name != "value_and_grad":
        room = [layout.statement(4, kernel.known[r], w.speller.empty(r.type)) for _, r in found]
        body = [*itertools.chain(*room), *body]
        given, targets = [], []
    if w.speller.needs_dtype:
        real = next((n for n, a in zip(names, arguments) if a.var.type.kind == "real"), None)
        body.insert(0, f"    dtype = {real}.dtype" if real else "    dtype = np.dtype(float)")
    seed = ["seed"] if wrappers.takes_rng(w, function) else []
    varied = [name for p, name in known.items() if p not in w.arguments]
    work = ["work"] if memory else []
    taken = [*names, *varied, *extra, *work, *seed, *targets]
    lines = ["", "", *layout.signature(0, f"_{function.name}", taken, modern=True)]
    lines += [*body, *returned]
    if not memory:
        return lines, Call(extra, None, given)
    maker, sizes = workspaces.function(w, plan)
    return [*lines, "", "", *maker], Call(extra, sizes, given)


def _unpacked(memory: Sequence[str]) -> list[str]:
    """The line that takes a workspace apart."""
    return layout.unpacked(4, memory, "work") if memory else []


def _arrays_of(function: Function) -> list[Atom]:
    """The results but the cost."""
    return list(function.results[1 if function.name == "value_and_grad" else 0 :])
