"""`jvp`, `hvp`, `hessian`, `jacobian` and `per_example` of a generated module."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from bpc.codegen import layout, workspaces, wrappers
from bpc.codegen.context import Writer, bare
from bpc.codegen.expression import name
from bpc.codegen.workspaces import Call
from bpc.ir import Argument, Equation, Function
from bpc.ops import OPS
from bpc.types import Size, dim, size

#: the public functions, in the order in which a module has them, with the kernel that each calls
KERNELS = {
    "jvp": "jvp",
    "hvp": "hvp",
    "hessian": "hvp",
    "jacobian": "jacobian",
    "per_example": "per_example",
}
#: what those call that need many columns: they get them in stacks, where there are arrays
COLUMNS = {"hessian": "hvps", "jacobian": "jacobians"}
#: and what `jacobian` calls where the outputs have fewer entries than what is varied
REVERSED = "vjps"
STACKED = frozenset((*COLUMNS.values(), REVERSED, "per_example"))
DOCS = {
    "jvp": "The cost {cost}, a float, and its derivative along tangents, a dict like {keys}.",
    "hvp": "The Hessian of {cost} times a vector: both dicts like {keys}.",
    "hessian": "The Hessian of {cost}: a matrix whose rows and columns are in `ravel` order.",
    "jacobian": "The derivatives of the outputs: {{output: {{name: output.shape + shape}}}}.",
    "per_example": "The gradient of each example by itself, along a new first axis: {axis}.",
}


def kernel(w: Writer, which: str) -> str:
    """The name of the function that a public one calls."""
    if which == "jacobian" and REVERSED in w.program.functions:
        return REVERSED
    return KERNELS[which] if w.scalars else COLUMNS.get(which, KERNELS[which])


def function(w: Writer, which: str, kernel: Function, call: Call) -> list[str]:
    """The lines of one public function; `kernel` is what it calls, `call` what that takes."""
    inputs = w.needed(kernel)
    given = {"jvp": ["tangents"], "hvp": ["vector"]}.get(which, [])
    head = ["params", *given, *wrappers.defaults(w, inputs)]
    head += ["rng=None"] if wrappers.takes_rng(w, kernel) else []
    lines = layout.signature(0, which, head, modern=True)
    keys = f"the dict of {', '.join(w.wrt)}" if w.wrt else "params"
    doc = DOCS[which].format(cost=w.program.cost, keys=keys, axis=w.program.batch)
    lines.append(f'    """{doc}"""')
    if kernel.name in COLUMNS.values() and kernel.results and call.work is not None:
        return lines + _kept(w, which, kernel, call)
    if kernel.name in STACKED:
        return lines + _stacked(w, which, kernel, call)
    bound, taken = wrappers.bound(w, kernel, inputs, call)
    lines += [*bound, *layout.statement(4, "varied", name(_varied(w, inputs)))]
    return lines + BODIES[which](w, kernel, taken)


def _stacked(w: Writer, which: str, kernel: Function, call: Call) -> list[str]:
    """The lines of one that gets columns, or gradients of examples, as many at once as fit."""
    inputs = w.needed(kernel)
    each = which == "per_example"
    along = "likes" if kernel.name == REVERSED else "varied"
    dims = (w.program.batch if each else w.program.columns[0], *w.program.columns[1:])
    entries = _entries(kernel, dims[0])
    names = w.speller.names
    every = f'dims["{names[dims[0]]}"]' if each else ""
    loops = {names[d]: text for d, text in zip(dims, ("count", "first", every))}
    known = {*call.dims, *(call.work or ()), *(names[d] for d in entries.dims())} - {"dtype"}
    known = known - loops.keys() | ({names[dims[0]]} if each else set())
    lines, _ = wrappers.bound(w, _checked(w, kernel), inputs, Call(sorted(known)))
    if not kernel.results:  # nothing varies
        return [*lines, f"    return {_nothing(w)[which]}"]
    if each:
        lines += layout.statement(4, "axes", name(_axes(w, [*w.program.params, *inputs])))
        total, arrays = every, "some"
    else:
        lines += layout.statement(4, "varied", name(_varied(w, inputs)))
        lines += _likes(w) if kernel.name == REVERSED else []
        total, arrays = f"sum(v.size for v in {along})", "arrays"
    seed = ["seed"] if wrappers.takes_rng(w, kernel) else []
    lines += ["    seed = _seed(rng)"] if seed else []
    lines += layout.call_statement(
        4, "parts", "_parts", [total, wrappers.size_text(w, entries), "arrays"]
    )
    lines += ["    stacks = []", "    for first, count in parts:"]
    units = ["*units"] if any(p not in w.arguments for p in kernel.params) else []
    if each:
        lines.append("        some = _examples(arrays, axes, first, count)")
    elif units:
        lines.append(f"        units = _stacks({along}, first, count)")
    work = ["work"] if call.work is not None else []
    if work:
        made = workspaces.made(call, [*w.program.params, *inputs])
        sizes = {f'dims["{d}"]': text for d, text in loops.items()}
        args = [sizes.get(a, a) for a in made]
        lines += layout.call_statement(8, "work", f"_{kernel.name}_work", args)
    taken = [loops.get(d, f'dims["{d}"]') for d in call.dims]
    args = [f"*{arrays}", *units, *taken, *work, *seed]
    lines += layout.call_statement(8, "found", f"_{kernel.name}", args, modern=True)
    lines.append(f"        stacks.append({'(found,)' if len(kernel.results) == 1 else 'found'})")
    if which == "hessian":
        return [*lines, "    return _square(varied, stacks)"]
    if each:
        return [*lines, f"    return dict(zip({_keys(w)}, _rows(stacks)))"]
    outputs = w.program.functions["forward"] if kernel.name == REVERSED else kernel
    lines += layout.statement(4, "outputs", name(_outputs(outputs)))
    if kernel.name == REVERSED:
        return [*lines, f"    return _gradients(outputs, likes, {_keys(w)}, varied, stacks)"]
    return [*lines, f"    return _derivatives(outputs, {_keys(w)}, varied, stacks)"]


def _kept(w: Writer, which: str, kernel: Function, call: Call) -> list[str]:
    """The lines of one that gets many columns in memory that is kept."""
    inputs = w.needed(kernel)
    args = ["params", *(w.name(a) for a in inputs)]
    lines, kept = wrappers.idle(w, which, args, ["dims", "parts", "works"], w.locals())
    lines += layout.statement(4, "varied", name(_varied(w, inputs)))
    seed = ["seed"] if wrappers.takes_rng(w, kernel) else []
    lines += ["    seed = _seed(rng)"] if seed else []
    columns = dict(zip((w.speller.names[d] for d in w.program.columns), ("count", "first")))
    taken = [columns.get(d, f'dims["{d}"]') for d in call.dims]
    lines += ["    stacks = []", "    for first, count in parts:"]
    units = ["*units"] if any(p not in w.arguments for p in kernel.params) else []
    lines += ["        units = _stacks(varied, first, count)"] if units else []
    taken = ["*arrays", *units, *taken, "works[count]", *seed]
    lines += layout.call_statement(8, "columns", f"_{kernel.name}", taken, modern=True)
    one = len(kernel.results) == 1
    lines.append(f"        stacks.append({'(columns,)' if one else 'columns'})")
    lines += kept
    if which == "hessian":
        return [*lines, "    return _square(varied, stacks)"]
    lines += layout.statement(4, "outputs", name(_outputs(kernel)))
    return [*lines, f"    return _derivatives(outputs, {_keys(w)}, varied, stacks)"]


def workspace(w: Writer, which: str, kernel: Function, call: Call) -> list[str]:
    """The function that checks arguments, and finds or makes memory for columns of their sizes."""
    if kernel.name not in COLUMNS.values() or not kernel.results or call.work is None:
        return []
    inputs = w.needed(kernel)
    names = w.speller.names
    entries = _entries(kernel, w.program.columns[0])
    checks, _ = wrappers.bound(w, _checked(w, kernel), inputs, Call([""]))
    columns = dict(zip((names[d] for d in w.program.columns), ("count", "first")))
    sizes = {f'dims["{d}"]': text for d, text in columns.items()}
    made = [sizes.get(a, a) for a in workspaces.made(call, [*w.program.params, *inputs])]
    head = ["params", *(w.name(a) for a in inputs)]
    args = ["sum(v.size for v in varied)", wrappers.size_text(w, entries), "arrays"]
    return [
        "",
        "",
        *layout.signature(0, f"_{which}_workspace", head, modern=True),
        '    """The arguments as arrays, and memory for columns with the key to keep it by."""',
        *checks,
        f'    key = _key("{which}", arrays)',
        "    found = vars(_WORK).pop(key, None)",
        "    if found is None:",
        *layout.statement(8, "varied", name(_varied(w, inputs))),
        *layout.call_statement(8, "parts", "_parts", args),
        "        works = {}",
        "        for _, count in parts:",
        "            if count not in works:",
        *layout.call_statement(16, "works[count]", f"_{kernel.name}_work", made),
        "        key = _keepable(key, [*works.values()])",
        "        found = (dims, parts, works)",
        "    return arrays, key, found",
    ]


def _nothing(w: Writer) -> dict[str, str]:
    """What the functions return where there is nothing to differentiate by."""
    outputs = w.program.functions.get("forward")
    labels = [outputs.labels[i] for i in _reals(outputs)] if outputs else []
    entries = ", ".join(f'"{label}": {{}}' for label in labels)
    return {"hessian": "np.zeros((0, 0))", "jacobian": f"{{{entries}}}", "per_example": "{}"}


def _likes(w: Writer) -> list[str]:
    """Arrays like the real outputs, whose sizes are known."""
    forward = w.program.functions["forward"]
    shapes = [w.speller.shape(forward.results[i].type.shape).text for i in _reals(forward)]
    text = f"({', '.join(shapes)}{',' if len(shapes) == 1 else ''})"
    return layout.statement(4, "likes", name(f"[np.empty(s, varied[0].dtype) for s in {text}]"))


def _reals(forward: Function) -> list[int]:
    return [i for i, r in enumerate(forward.results) if r.type.kind == "real"]


def _axes(w: Writer, arguments: Sequence[Argument]) -> str:
    """The axis of the examples in each argument."""
    axes = []
    for argument in arguments:
        found = [
            i for i, a in enumerate(argument.var.type.shape) if bare(a.size) == w.program.batch
        ]
        axes.append(str(found[0]) if found else "None")
    return f"({axes[0]},)" if len(axes) == 1 else f"({', '.join(axes)})"


def _checked(w: Writer, kernel: Function) -> Function:
    """The kernel without what asks for sizes that only its loop knows."""

    def known(e: Equation) -> bool:
        requires = OPS[e.op].requires
        asked = requires(*(a.type for a in e.args), **dict(e.attrs)) if requires else []
        return not any(d in w.program.columns for length, _ in asked for d in length.dims())

    return replace(kernel, body=tuple(e for e in kernel.body if known(e)))


def _entries(kernel: Function, count: str) -> Size:
    """How many numbers are in memory for each column: of all values that there is one of for each."""
    made = [o for e in kernel.body for o in e.outs if not OPS[e.op].view]
    return sum(
        (v.type.count / dim(count) for v in (*kernel.params, *made)
         if any(count in a.size.dims() for a in v.type.shape)),
        size(0),
    )  # fmt: skip


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


def _jvp(w: Writer, kernel: Function, taken: list[str]) -> list[str]:
    call = _call(kernel, "*dots", taken=taken)
    return [
        f'    dots = _directions("tangents", tangents, {_keys(w)}, varied)',
        *layout.call_statement(4, "value, slope", call[: call.index("(")], _args(call)),
        "    return float(value), float(slope)",
    ]


def _args(call: str) -> list[str]:
    return call[call.index("(") + 1 : -1].split(", ")


def _hvp(w: Writer, kernel: Function, taken: list[str]) -> list[str]:
    call = _call(kernel, "*dots", taken=taken)
    lines = [
        f'    dots = _directions("vector", vector, {_keys(w)}, varied)',
        *layout.call_statement(4, "products", call[: call.index("(")], _args(call)),
    ]
    if len(kernel.results) == 1:
        lines.append("    products = (products,)")
    return [*lines, f"    return dict(zip({_keys(w)}, _formed(products, varied)))"]


def _hessian(w: Writer, kernel: Function, taken: list[str]) -> list[str]:
    """Of numbers: column by column."""
    call = _call(kernel, "*unit", taken=taken)
    one = f"({call},)" if len(kernel.results) == 1 else call
    return [
        *layout.statement(4, "columns", name(f"[{one} for unit in _units(varied)]")),
        "    return _matrix(columns)",
    ]


def _jacobian(w: Writer, kernel: Function, taken: list[str]) -> list[str]:
    call = _call(kernel, "*unit", taken=taken)
    one = f"({call},)" if len(kernel.results) == 1 else call
    return [
        *layout.statement(4, "outputs", name(_outputs(kernel))),
        *layout.statement(4, "columns", name(f"[{one} for unit in _units(varied)]")),
        f"    return _blocks(outputs, {_keys(w)}, columns)",
    ]


def _outputs(kernel: Function) -> str:
    """The names of a kernel's results."""
    labels = [kernel.labels[i] for i in _reals(kernel)]
    outputs = "".join(f'"{label}", ' for label in labels)
    return f"({outputs[:-1]})" if len(labels) == 1 else f"({outputs[:-2]})"


BODIES: dict[str, Callable[[Writer, Function, list[str]], list[str]]] = {
    "jvp": _jvp,
    "hvp": _hvp,
    "hessian": _hessian,
    "jacobian": _jacobian,
}
