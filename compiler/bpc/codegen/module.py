"""A program as the text of a Python module: header, tables, public functions, kernels, helpers."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Sequence

from bpc.codegen import (
    carried,
    expression,
    initialisers,
    layout,
    optimisers,
    second,
    wrappers,
)
from bpc.codegen.context import Writer, described, plain, type_text
from bpc.codegen.kernel import Kernel
from bpc.codegen.loosen import loosen
from bpc.ir import Function, Program
from bpc.ops import OPS
from bpc.source import Source, Span
from bpc.types import size

SEAL = "# sha256 of the text above:"
ORDER = ("forward", "cost", "value_and_grad")


def write_module(
    program: Program,
    source: Source,
    version: str,
    level: int,
    wrt: tuple[str, ...],
    emit: Collection[str] = (),
) -> str:
    """The module's text. The program must have `forward`, `cost` and `value_and_grad`.

    `emit` names what else is to be written: functions of `second.KERNELS`, and optimisers.
    """
    w = Writer(program, source, wrt, _all_scalar(program))
    public: list[str] = []
    kernels: list[str] = []
    taken: dict[str, list[str]] = {}
    for name in ORDER:
        if name == "forward" and not program.outputs:
            public += ["", "", *wrappers.forward_as_cost(w)]
            continue
        function = loosen(program.functions[name], w.scalars, Span(source, 0, 0))
        kernel, dims = _kernel(w, function)
        kernels += ["", "", *kernel]
        public += ["", "", *wrappers.public(w, function, dims)]
        taken[name] = dims
    for name, needs in second.KERNELS.items():
        if name not in emit:
            continue
        function = loosen(program.functions[needs], w.scalars, Span(source, 0, 0))
        if needs not in taken:
            kernel, taken[needs] = _kernel(w, function)
            kernels += ["", "", *kernel]
        public += ["", "", *second.function(w, name, function, taken[needs], program.batch)]
    lines = [*_tables(w), *public, *initialisers.functions(w), *optimisers.functions(emit)]
    lines += kernels
    body = "\n".join(lines)
    helpers = carried.closure(re.findall(r"\b_[a-z]\w*", body), carried.sources(w.scalars))
    body = "\n\n\n".join([body, *(h.rstrip() for h in helpers)])
    text = "\n".join([*_header(w, version, level), *_imports(body), body]) + "\n\n\n"
    return text + SEAL + "\n" + f"# {hashlib.sha256(text.encode()).hexdigest()}\n"


def _all_scalar(program: Program) -> bool:
    """Whether every value of every function is one number, computed by Python alone."""
    return all(
        all(not v.type.shape for v in f.params)
        and all(OPS[e.op].scalar and not e.out.type.shape for e in f.body)
        for f in program.functions.values()
    )


def _header(w: Writer, version: str, level: int) -> list[str]:
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
        '"""',
        "",
    ]


def _imports(body: str) -> list[str]:
    lines = ["import math", ""] if re.search(r"\bmath\.", body) else []
    lines.append("import numpy as np")
    if "special." in body and re.search(r"\bspecial\.", body):
        lines.append("from scipy import special")
    return [*lines, ""]


def _tables(w: Writer) -> list[str]:
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
    if not w.scalars:
        types = [(a.key, w.template(a)) for a in program.params]
        types += [(w.name(a), w.template(a)) for a in program.inputs]
        lines += table("_TYPES", types)
    return lines


def _kernel(w: Writer, function: Function) -> tuple[list[str], list[str]]:
    """The mathematics of one function, on explicit arrays; and the dims that it takes."""
    inputs = w.needed(function)
    arguments = [*w.program.params, *inputs]
    w.speller.needs_dtype = False
    w.speller.used.clear()
    free, known = w.locals(), dict(w.arguments)
    known |= {p: free.claim(p.name) for p in function.params if p not in known}
    kernel = Kernel(function, w.speller, free, known, w.scalars)
    body = kernel.body(w.comment)
    names = [w.name(a) for a in arguments]
    if w.speller.needs_dtype:
        real = next((n for n, a in zip(names, arguments) if a.var.type.kind == "real"), None)
        body.insert(0, f"    dtype = {real}.dtype" if real else "    dtype = np.dtype(float)")
    returned = layout.returned(4, kernel.results())
    dims = [d for d in w.program.dims if d in w.speller.used]
    extra = [w.speller.names[d] for d in dims]
    seed = ["seed"] if wrappers.takes_rng(w, function) else []
    varied = [name for p, name in known.items() if p not in w.arguments]
    taken = [*names, *varied, *extra, *seed]
    lines = layout.signature(0, f"_{function.name}", taken, modern=True)
    return [*lines, *body, *returned], extra
