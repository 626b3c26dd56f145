"""The public functions: they check what they are given and call the kernels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import lcm

from bpc.codegen import expression, layout, workspaces
from bpc.codegen.context import FORWARD, Writer, bare, described, plain
from bpc.codegen.names import Names
from bpc.codegen.workspaces import Call
from bpc.ir import Argument, Equation, Function, Literal
from bpc.ops import OPS
from bpc.ops.loops import Loop
from bpc.sizes import dim_of
from bpc.types import Size, size

#: gradients that are named one by one
FEW = 8


def public(w: Writer, function: Function, kernel: Call) -> list[str]:
    """`forward`, `cost` or `value_and_grad`, whose kernel takes some dims and memory."""
    inputs = w.needed(function)
    rng = ["rng=None"] if takes_rng(w, function) else []
    names = ["params", *defaults(w, inputs), *rng]
    if function.name == "value_and_grad" and not w.scalars:
        names.append("out=None")
    lines = layout.signature(0, function.name, names, modern=True)
    lines += _docstring(w, function, inputs)
    if w.scalars:
        return lines + _scalars(w, function, inputs)
    if kernel.work is not None:
        return lines + _working(w, function, inputs, kernel)
    return lines + _arrays(w, function, inputs, kernel)


def takes_rng(w: Writer, function: Function) -> bool:
    """Whether a function draws the masks of dropout."""
    return w.drops and function.name not in FORWARD


def forward_as_cost(w: Writer) -> list[str]:
    """`forward` of a model without outputs."""
    inputs = w.program.inputs
    lines = layout.signature(0, "forward", ["params", *defaults(w, inputs)], modern=True)
    lines.append('    """The cost: the model names no output."""')
    call = expression.call("cost", ["params", *(w.name(a) for a in inputs)])
    return [*lines, *layout.returned(4, [call.text])]


def defaults(w: Writer, inputs: Sequence[Argument]) -> list[str]:
    """Inputs with their samples as defaults; after one, those without have None, which is refused."""
    texts: list[str] = []
    given = False
    for argument in inputs:
        name = w.name(argument)
        if argument.sample is not None:
            texts.append(f"{name}={argument.sample!r}")
            given = True
        else:
            texts.append(f"{name}=None" if given else name)
    return texts


def _docstring(w: Writer, function: Function, inputs: Sequence[Argument]) -> list[str]:
    labels = ", ".join(function.labels)
    by = f"its derivatives by {', '.join(w.wrt)}, a dict" if w.wrt else "its gradient, like params"
    what = {
        "forward": f"The output {labels}." if len(function.labels) == 1 else f"A dict of {labels}.",
        "cost": f"The cost {w.program.cost}, a float.",
        "value_and_grad": f"The cost {w.program.cost}, a float, and {by}.",
    }[function.name]
    rows = [(f'params["{a.key}"]', a) for a in w.program.params]
    rows += [(w.name(a), a) for a in inputs]
    if len(rows) > 100:
        return [f'    """{what}"""']
    lines = [f'    """{what}', ""]
    width = max((len(n) for n, _ in rows), default=0)
    wide = max((len(described(a)) for _, a in rows), default=0)
    for name, argument in rows:
        type = described(argument).ljust(wide)
        lines.append(f"    {name.ljust(width)}  {type}{_note(argument)}".rstrip())
    if takes_rng(w, function):
        lines.append(
            f"    {'rng'.ljust(width)}  {'Generator'.ljust(wide)}  for dropout; None drops nothing"
        )
    if function.name == "value_and_grad" and not w.scalars:
        lines.append(
            f"    {'out'.ljust(width)}  {'dict'.ljust(wide)}  arrays for the derivatives; None makes them"
        )
    return [*lines, '    """']


def _note(argument: Argument) -> str:
    """What the comment behind a declaration says: a unit, a meaning."""
    line = argument.span.source.line(argument.span.line)
    _, mark, note = line.partition("#")
    return f"  {plain(note.strip())}" if mark and note.strip() else ""


def _keys(w: Writer, function: Function) -> tuple[str, int]:
    """The names of the results as an expression, and how many there are."""
    if function.name != "value_and_grad":
        return "OUTPUTS", len(function.labels)
    if not w.wrt:
        return "PARAMS", len(w.program.params)
    return "_WRT", len(w.wrt)


def _scalars(w: Writer, function: Function, inputs: Sequence[Argument]) -> list[str]:
    """Python floats go straight to the kernel; anything else is converted, and calls again."""
    params = [w.name(a) for a in w.program.params]
    names = [w.name(a) for a in inputs]
    again = expression.call("_converted", [function.name, "params", *(f"{n}={n}" for n in names)])
    few = _few(w, inputs)
    if few is None:
        values = ", ".join(["*_values(params)", *names])
        lines = layout.statement(4, "values", expression.name(f"[{values}]"))
        kinds = {"real": "float", "int": "int", "bool": "bool"}
        allowed = ", ".join(sorted({kinds[a.var.type.kind] for a in inputs} | {"float"}))
        lines.append(f"    if not {{{allowed}}}.issuperset(map(type, values)):")
        call = f"_{function.name}(*values)"
    else:
        lines = few
        call = f"_{function.name}({', '.join([*params, *names])})"
    lines += layout.returned(8, [again.text])
    keys, count = _keys(w, function)
    if function.name == "value_and_grad":
        if not count:
            return [*lines, f"    return {call}, {{}}"]
        if few is not None:
            return [*lines, f"    return {call}"]
        lines.append(f"    value, *grads = {call}")
        return [*lines, f"    return value, dict(zip({keys}, grads))"]
    if count > 1:
        call = f"dict(zip(OUTPUTS, {call}))"
    return [*lines, f"    return {call}"]


def named(w: Writer, function: Function) -> Sequence[str]:
    """The names of the gradients that the kernel itself returns as a dict: of a few numbers."""
    if not w.scalars or function.name != "value_and_grad" or _few(w, w.needed(function)) is None:
        return ()
    return w.wrt or [a.key for a in w.program.params]


def _few(w: Writer, inputs: Sequence[Argument]) -> list[str] | None:
    """Names and types tested in line, which is quicker; None where the lines would be long."""
    params = [w.name(a) for a in w.program.params]
    tests = _types(w, inputs)
    if not tests:
        return None
    plain = w.locals().claim("plain")
    lines = [
        "    try:",
        *_tested(plain, tests),
        "    except (LookupError, TypeError):",
        f"        {plain} = False",
        f"    if not {plain} or len(params) != {len(params)} or type(params) is not dict:",
    ]
    if params:
        found = ", ".join(f'params["{a.key}"]' for a in w.program.params)
        lines.insert(1, f"        {', '.join(params)} = {found}")
    call = f"    return _value_and_grad({', '.join([*params, *map(w.name, inputs)])})"
    return lines if max(map(len, [*lines, call])) <= layout.WIDTH else None


def _tested(plain: str, tests: str) -> list[str]:
    """The line that says whether all are, or three."""
    line = f"        {plain} = {tests}"
    if len(line) <= layout.WIDTH:
        return [line]
    return [f"        {plain} = (", f"            {tests}", "        )"]


def _types(w: Writer, inputs: Sequence[Argument]) -> str:
    """The test that all arguments are Python's numbers."""
    arguments = [*w.program.params, *inputs]
    reals = [w.name(a) for a in arguments if a.var.type.kind == "real"]
    tests = [" is ".join([*(f"type({n})" for n in reals), "float"])] if reals else []
    others = [(w.name(a), a.var.type.kind) for a in inputs if a.var.type.kind != "real"]
    return " and ".join([*tests, *(f"type({n}) is {kind}" for n, kind in others)])


def _arrays(w: Writer, function: Function, inputs: Sequence[Argument], kernel: Call) -> list[str]:
    arguments = [*w.program.params, *inputs]
    lines, taken = bound(w, function, inputs, kernel)
    call = f"_{function.name}({', '.join(['*arrays', *taken])})"
    keys, count = _keys(w, function)
    results = function.results[1:] if function.name == "value_and_grad" else function.results
    kinds = [r.type.kind for r in results]
    scalar = any(not r.type.shape for r in results)
    real = next((i for i, a in enumerate(arguments) if a.var.type.kind == "real"), None)
    same = real is not None and set(kinds) == {"real"}
    dtype = f", arrays[{real}].dtype" if same else ""
    if function.name == "cost":
        return [*lines, *layout.returned(4, [f"float({call})"], modern=True)]
    if function.name == "forward" and count == 1:
        make = f"np.asarray({call}{dtype})" if scalar else f"np.ascontiguousarray({call})"
        return [*lines, *layout.returned(4, [make], modern=True)]
    if not count:
        return [*lines, f"    return float({call}), {{}}"]
    target = "results" if function.name == "forward" else "value, *results"
    args = ["*arrays", *taken]
    lines += layout.call_statement(4, target, f"_{function.name}", args, modern=True)
    if scalar:
        lines.append(f'    results = [np.asarray(r{dtype}, order="C") for r in results]')
    pairs = f"zip({keys}, {'results' if scalar else 'map(np.ascontiguousarray, results)'})"
    if function.name == "forward":
        return [*lines, f"    return dict({pairs})"]
    call = f"dict({pairs})"
    lines.append(f"    grads = {call}")
    found = "grads if out is None else _written(out, grads, arrays)"
    return [*lines, f"    return float(value), {found}"]


def idle(
    w: Writer, which: str, names: Sequence[str], parts: Sequence[str], free: Names
) -> tuple[list[str], list[str]]:
    """The lines that take a workspace of this thread's from the others, and that put it back."""
    key, found = free.claim("key"), free.claim("found")
    values = expression.name(f"[{', '.join(['*_values(params)', *names[1:]])}]")
    lines = [
        *layout.statement(4, "arrays", values),
        f'    {key} = _key("{which}", arrays)',
        f"    {found} = vars(_WORK).pop({key}, None)",
        f"    if {found} is None:",
        *layout.call_statement(8, f"arrays, {key}, {found}", f"_{which}_workspace", names),
        *layout.unpacked(4, parts, found),
    ]
    return lines, [f"    if {key} is not None:", f"        vars(_WORK)[{key}] = {found}"]


def _working(w: Writer, function: Function, inputs: Sequence[Argument], kernel: Call) -> list[str]:
    """The call of a kernel that has a workspace: one that is kept, or one that is made now."""
    free = w.locals()
    work, value, results, room = map(free.claim, ("work", "value", "results", "targets"))
    names = ["params", *(w.name(a) for a in inputs)]
    keys, count = _keys(w, function)
    gradient = function.name == "value_and_grad"
    shapes = [free.claim("shapes")] if gradient and count else []
    lines, kept = idle(w, function.name, names, [*kernel.dims, work, *shapes], free)
    taken = ["*arrays", *kernel.dims, work]
    taken += ["_seed(rng)"] if takes_rng(w, function) else []
    arguments = [*w.program.params, *inputs]
    rest = function.results[1:] if gradient else function.results
    if shapes:
        real = _real(arguments)
        given = ["out", keys, shapes[0], f"arrays[{real}].dtype", "arrays"]
        lines += layout.call_statement(4, room, "_targets", given)
        every = len(kernel.given) == count
        taken += [f"*{room}"] if every else [f"{room}[{i}]" for i in kernel.given]
    loose = kernel.loose or any(not r.type.shape for r in rest)
    several = [value, f"*{results}"] if gradient else [results]
    entries = []
    target = ", ".join(several) if gradient or count > 1 else value
    if shapes and not loose and count <= FEW:  # a display is quicker than zip
        named = [free.claim(n) for n in function.labels[1:]]
        one_by_one = ", ".join([value, *named])
        if layout.fits_call(4, one_by_one, f"_{function.name}", taken):
            varied = w.wrt or [a.key for a in w.program.params]
            entries = [(f'"{k}"', g) for k, g in zip(varied, named)]
            target = one_by_one
    lines += layout.call_statement(4, target, f"_{function.name}", taken, modern=True)
    lines += kept
    if function.name == "cost":
        return [*lines, f"    return float({value})"]
    real = _real(arguments)
    dtype = f", arrays[{real}].dtype" if real is not None else ""
    dtype = dtype if {r.type.kind for r in rest} == {"real"} else ""
    if function.name == "forward" and count == 1:
        made = f'np.asarray({value}{dtype}, order="C")' if loose else value
        return [*lines, *layout.returned(4, [made])]
    if count and loose:
        lines.append(f'    {results} = [np.asarray(r{dtype}, order="C") for r in {results}]')
    if function.name == "forward":
        return [*lines, f"    return dict(zip(OUTPUTS, {results}))"]
    if not count:
        return [*lines, f"    return float({value}), {{}}"]
    if entries:
        lines += layout.dictionary(4, "grads =", entries)
    else:
        lines.append(f"    grads = dict(zip({keys}, {results}))")
    return [*lines, f"    return float({value}), grads if out is None else _stored(out, grads)"]


def _real(arguments: Sequence[Argument]) -> int | None:
    """The place of the first real argument, which has the dtype of all."""
    return next((i for i, a in enumerate(arguments) if a.var.type.kind == "real"), None)


def _varied(w: Writer, count: int) -> str:
    """What the gradient is taken by, of the arrays."""
    if not w.wrt:
        return f"arrays[:{count}]"
    return f"[{', '.join(f'arrays[{place(w, k)}]' for k in w.wrt)}]"


def place(w: Writer, key: str) -> int:
    """Where an argument stands among all."""
    return [a.key for a in (*w.program.params, *w.program.inputs)].index(key)


def workspace(w: Writer, function: Function, kernel: Call) -> list[str]:
    """The function that checks arguments, and finds or makes the workspace for their sizes."""
    inputs = w.needed(function)
    names = ["params", *(w.name(a) for a in inputs)]
    head = layout.signature(0, f"_{function.name}_workspace", names, modern=True)
    checks, _ = bound(w, function, inputs, kernel, works=False)
    made = workspaces.made(kernel, [*w.program.params, *inputs])
    found = [*(f'dims["{d}"]' for d in kernel.dims), "work"]
    _, count = _keys(w, function)
    shapes = function.name == "value_and_grad" and count
    return [
        *head,
        '    """The arguments as arrays, and memory for their sizes with the key to keep it by."""',
        *checks,
        f'    key = _key("{function.name}", arrays)',
        "    found = vars(_WORK).pop(key, None)",
        "    if found is None:",
        *layout.call_statement(8, "work", f"_{function.name}_work", made),
        "        key = _keepable(key, work)",
        *([f"        shapes = [a.shape for a in {_varied(w, count)}]"] if shapes else []),
        *layout.tuple_statement(8, "found", [*found, *(["shapes"] if shapes else [])]),
        "    return arrays, key, found",
    ]


def bound(
    w: Writer, function: Function, inputs: Sequence[Argument], kernel: Call, works: bool = True
) -> tuple[list[str], list[str]]:
    """The lines that bind and check the arguments; what the kernel takes besides the arrays.

    With `works` they make the workspace too.
    """
    given = "{" + ", ".join(f'"{w.name(a)}": {w.name(a)}' for a in inputs) + "}"
    if w.scalars:
        return layout.call_statement(4, "arrays", "_numbers", ["params", given]), []
    checks = _sizes(w, [*w.program.params, *inputs]) + _requirements(w, function)
    sized = checks or kernel.dims or any(a != "dtype" for a in kernel.work or ())
    found = "dims" if sized else "_"
    lines = layout.call_statement(4, f"arrays, {found}", "_bind", ["params", given]) + checks
    taken = [f'dims["{d}"]' for d in kernel.dims]
    if works and kernel.work is not None:
        arguments = [*w.program.params, *inputs]
        made = workspaces.made(kernel, arguments)
        lines += layout.call_statement(4, "work", f"_{function.name}_work", made)
        taken.append("work")
    return lines, [*taken, *(["_seed(rng)"] if takes_rng(w, function) else [])]


def _sizes(w: Writer, arguments: Sequence[Argument]) -> list[str]:
    """Dims that are read off computed sizes, and the check of all computed sizes."""
    names = w.speller.names
    found = {bare(x.size) for a in arguments for x in a.var.type.shape}
    computed = [
        (i, a)
        for i, a in enumerate(arguments)
        if any(x.size.value is None and bare(x.size) is None for x in a.var.type.shape)
    ]
    if not computed:
        return []
    lines = []
    for dim in w.program.dims:
        for i, argument in computed:
            for k, axis in enumerate(argument.var.type.shape):
                have = f"arrays[{i}].shape[{k}]"
                solved = _solve(axis.size, dim, have) if dim not in found else None
                if solved is not None:
                    lines.append(f'    dims["{names[dim]}"] = {solved}')
                    found.add(dim)
    for dim in w.program.dims:
        if any(dim in x.size.dims() for _, a in computed for x in a.var.type.shape):
            lines.append(f'    {names[dim]} = dims["{names[dim]}"]')
    for i, argument in computed:
        shape = w.speller.shape(argument.var.type.shape).text
        key = argument.key if argument in w.program.params else w.name(argument)
        lines += layout.call_statement(4, None, "_expect", [f'"{key}"', f"arrays[{i}]", shape])
    return lines


def _solve(length: Size, dim: str, have: str) -> str | None:
    """The dim from what the length a*dim + b is, as text."""
    coefficients = dict(length.terms)
    slope, offset = coefficients.pop(((dim, 1),), None), coefficients.pop((), Fraction(0))
    if slope is None or coefficients:
        return None
    common = lcm(slope.denominator, offset.denominator)
    slope, offset = slope * common, offset * common
    text = have if common == 1 else f"{have} * {common}"
    if offset:
        text += f" {'-' if offset > 0 else '+'} {abs(offset)}"
    if slope == 1:
        return text
    return f"({text}) // {slope}" if text != have else f"{text} // {slope}"


def _requirements(w: Writer, function: Function) -> list[str]:
    """What operators need of the sizes, where only the call can tell."""
    lines: list[str] = []
    seen: set[tuple[Size, str]] = set()
    nonzero: set[Size] = set()

    def require(test: str, what: str, equation: Equation) -> None:
        message = f'"{what} ({w.comment(equation.span)})"'
        lines.extend(layout.call_statement(4, None, "_require", [test, message]))

    for equation in _everywhere(function):
        for divisor in _divisors(w, equation):
            (factors, _), *more = divisor.terms
            known = not more and all(dim_of(atom) in nonzero for atom, _ in factors)
            if divisor not in nonzero and not known:
                nonzero.add(divisor)
                test = f"{size_text(w, divisor, '/')} != 0"
                require(test, "division by a size that is 0", equation)
        requires = OPS[equation.op].requires
        if requires is None:
            continue
        types = (a.type for a in equation.args)
        for length, what in requires(*types, **dict(equation.attrs)):
            if (length.value is None or length.value < 0) and (length, what) not in seen:
                seen.add((length, what))
                nonzero.add(length + size(1))
                require(_at_least_0(w, length), what, equation)
    return lines


def _at_least_0(w: Writer, length: Size) -> str:
    """The test that a size is not negative: `dims["N"] >= 1`, `dims["T"] <= 64`."""
    constant = next((c for m, c in length.terms if not m), 0)
    if constant == int(constant):
        rest = length - size(int(constant))
        if all(c < 0 for _, c in rest.terms):
            return f"{size_text(w, -rest)} <= {int(constant)}"
        if constant < 0:
            return f"{size_text(w, rest)} >= {-int(constant)}"
    return f"{size_text(w, length)} >= 0"


def size_text(w: Writer, length: Size, divide: str = "//") -> str:
    """A size as it is computed of `dims`."""
    return length.format(lambda d: f'dims["{w.speller.names[d]}"]', divide, " * ")


def _everywhere(function: Function) -> Iterator[Equation]:
    """The equations of a function and of the loops in it."""
    for e in function.body:
        if e.op == "scan":
            yield from _everywhere(Loop.of(e).body)
        yield e


def _divisors(w: Writer, equation: Equation) -> Iterator[Size]:
    """The sizes that must not be 0, what they are divided by first: Python's numbers would raise."""
    numbers = [w.numbers.get(a, a) for a in equation.args]
    for i, number in enumerate(numbers):
        if isinstance(number, Literal) and isinstance(number.value, Size):
            yield from _below(number.value, divides=equation.op == "div" and i == 1)


def _below(length: Size, divides: bool = True) -> Iterator[Size]:
    """What a size is divided by; with `divides` the size too."""
    if not length.whole and length.below.constant is None:
        yield from _below(length.below)
    if divides and length.constant is None:
        yield length
