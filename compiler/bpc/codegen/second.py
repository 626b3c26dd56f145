"""`jvp`, `hvp`, `hessian`, `jacobian` and `per_example` of a generated module."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bpc.codegen import layout, workspaces, wrappers
from bpc.codegen.context import Writer, bare
from bpc.codegen.expression import name
from bpc.codegen.workspaces import Call
from bpc.ir import Argument, Function

#: the public functions, in the order in which a module has them, with the kernel that each calls
KERNELS = {
    "jvp": "jvp",
    "hvp": "hvp",
    "hessian": "hvp",
    "jacobian": "jacobian",
    "per_example": "value_and_grad",
}
DOCS = {
    "jvp": "The cost {cost}, a float, and its derivative along tangents, a dict like {keys}.",
    "hvp": "The Hessian of {cost} times a vector: both dicts like {keys}.",
    "hessian": "The Hessian of {cost}: a matrix whose rows and columns are in `ravel` order.",
    "jacobian": "The derivatives of the outputs: {{output: {{name: output.shape + shape}}}}.",
    "per_example": "The gradient of each example by itself, along a new first axis: {axis}.",
}


def function(w: Writer, which: str, kernel: Function, call: Call, batch: str = "") -> list[str]:
    """The lines of one public function; `kernel` is what it calls, `call` what that takes."""
    inputs = w.needed(kernel)
    given = {"jvp": ["tangents"], "hvp": ["vector"]}.get(which, [])
    head = ["params", *given, *wrappers.defaults(w, inputs)]
    rng = wrappers.takes_rng(w, kernel)
    head += ["rng=None"] if rng else []
    lines = layout.signature(0, which, head, modern=True)
    keys = f"the dict of {', '.join(w.wrt)}" if w.wrt else "params"
    doc = DOCS[which].format(cost=w.program.cost, keys=keys, axis=batch)
    lines.append(f'    """{doc}"""')
    bound, taken = wrappers.bound(w, kernel, inputs, call, works=which != "per_example")
    lines += bound
    lines += layout.statement(4, "varied", name(_varied(w, inputs)))
    if which == "per_example" and call.work is not None:
        made = workspaces.made(w, call, kernel.name, [*w.program.params, *inputs])
        made = made.replace(_size(w, batch), "1")
        lines += layout.statement(4, "work", name(made))
        taken.insert(len(call.dims), "work")
    if which == "per_example" and call.given:
        places = [wrappers.place(w, k) for k in w.wrt] or range(len(w.program.params))
        found = ", ".join(str(places[i]) for i in call.given)
        room = "np.empty(one[i].shape, one[i].dtype)"
        taken.append(f"*[{room} for i in ({found}{',' if len(call.given) == 1 else ''})]")
    return lines + BODIES[which](w, kernel, taken, batch)


def _size(w: Writer, dim: str) -> str:
    return f'dims["{w.speller.names[dim]}"]'


def _varied(w: Writer, inputs: Sequence[Argument]) -> str:
    """Those of `arrays` that derivatives are taken by."""
    params, keys = [a.key for a in w.program.params], w.wrt
    if not keys:
        return f"arrays[:{len(params)}]" if inputs else "arrays"
    names = [*params, *map(w.name, inputs)]
    every = {a.key: w.name(a) if a in w.program.inputs else a.key for a in _all(w)}
    places = [names.index(every[k]) for k in keys]
    return f"[{', '.join(f'arrays[{i}]' for i in places)}]"


def _all(w: Writer) -> list[Argument]:
    return [*w.program.params, *w.program.inputs]


def _keys(w: Writer) -> str:
    return "_WRT" if w.wrt else "PARAMS"


def _call(kernel: Function, *middle: str, taken: Sequence[str]) -> str:
    return f"_{kernel.name}({', '.join(['*arrays', *middle, *taken])})"


def _jvp(w: Writer, kernel: Function, taken: list[str], batch: str) -> list[str]:
    call = _call(kernel, "*dots", taken=taken)
    return [
        f'    dots = _like("tangents", tangents, {_keys(w)}, varied)',
        *layout.call_statement(4, "value, slope", call[: call.index("(")], _args(call)),
        "    return float(value), float(slope)",
    ]


def _args(call: str) -> list[str]:
    return call[call.index("(") + 1 : -1].split(", ")


def _hvp(w: Writer, kernel: Function, taken: list[str], batch: str) -> list[str]:
    call = _call(kernel, "*dots", taken=taken)
    lines = [
        f'    dots = _like("vector", vector, {_keys(w)}, varied)',
        *layout.call_statement(4, "products", call[: call.index("(")], _args(call)),
    ]
    if len(kernel.results) == 1:
        lines.append("    products = (products,)")
    return [*lines, f"    return dict(zip({_keys(w)}, _formed(products, varied)))"]


def _hessian(w: Writer, kernel: Function, taken: list[str], batch: str) -> list[str]:
    seeds = [t for t in taken if t == "_seed(rng)"]  # one for all columns
    call = _call(kernel, "*unit", taken=["seed" if t in seeds else t for t in taken])
    one = f"({call},)" if len(kernel.results) == 1 else call
    return [
        *(f"    seed = {t}" for t in seeds),
        *layout.statement(4, "columns", name(f"[{one} for unit in _units(varied)]")),
        "    return _matrix(columns)",
    ]


def _jacobian(w: Writer, kernel: Function, taken: list[str], batch: str) -> list[str]:
    call = _call(kernel, "*unit", taken=taken)
    one = f"({call},)" if len(kernel.results) == 1 else call
    outputs = "".join(f'"{label}", ' for label in kernel.labels)
    names = f"({outputs[:-1]})" if len(kernel.labels) == 1 else f"({outputs[:-2]})"
    return [
        *layout.statement(4, "outputs", name(names)),
        *layout.statement(4, "columns", name(f"[{one} for unit in _units(varied)]")),
        f"    return _blocks(outputs, {_keys(w)}, varied, columns)",
    ]


def _per_example(w: Writer, kernel: Function, taken: list[str], batch: str) -> list[str]:
    """One example at a time: the axes that N gives are cut to one entry."""
    axes = []
    for argument in _all(w):
        found = [i for i, a in enumerate(argument.var.type.shape) if bare(a.size) == batch]
        axes.append(str(found[0]) if found else "None")
    taken = ["1" if t == _size(w, batch) else t for t in taken]
    arguments = ", ".join(["*one", *taken])
    text = f"({', '.join(axes)},)" if len(axes) == 1 else f"({', '.join(axes)})"
    return [
        *layout.statement(4, "axes", name(text)),
        "    examples = _examples(arrays, axes)",
        *layout.statement(
            4, "rows", name(f"[_value_and_grad({arguments})[1:] for one in examples]")
        ),
        f"    return dict(zip({_keys(w)}, _rows(rows, varied)))",
    ]


BODIES: dict[str, Callable[[Writer, Function, list[str], str], list[str]]] = {
    "jvp": _jvp,
    "hvp": _hvp,
    "hessian": _hessian,
    "jacobian": _jacobian,
    "per_example": _per_example,
}
