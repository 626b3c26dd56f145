"""From the IR's explicit arrays to what NumPy does by itself.

    b' = broadcast(b, [N, 10])
    z = add(h, b')              ->    z = add(h, b)

Broadcasts that NumPy makes anyway go, so do casts of bools that meet a float; numbers that must be
arrays are filled; results get memory of their own. What comes out is for printing alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from bpc.ir import Atom, Attrs, Equation, Function, Literal, Var, live
from bpc.ops import OPS
from bpc.ops.cutting import whole
from bpc.ops.elementwise import ARITHMETIC
from bpc.ops.loops import Loop
from bpc.schedule.steps import memory, shows
from bpc.source import Span
from bpc.types import ONE, Shape


def loosen(
    function: Function, scalars: bool, start: Span, own: bool = True,
    numbers: set[Var] | None = None,
) -> Function:  # fmt: skip
    """The function as NumPy needs it written; with `scalars`, as Python floats need it.

    `start` is the place of what no equation says. Without `own`, results may share memory. `numbers`
    has parameters that are Python's numbers, and takes in what the function computes of such.
    """
    if scalars:
        return function
    made: dict[Var, Equation] = {}
    body = _loosened(function.body, made, set() if numbers is None else numbers)
    results = _own(function, body, made, start) if own else function.results
    return live(Function(function.name, function.params, tuple(body), results, function.labels))


def _loosened(
    equations: Sequence[Equation], made: dict[Var, Equation], numbers: set[Var]
) -> list[Equation]:
    """Equations as NumPy needs them; `made` and `numbers` take in what defines each variable."""
    body: list[Equation] = []
    for explicit in equations:
        equation = _picked(explicit, made)
        if equation.op == "scan":
            equation = _loosened_loop(Loop.of(equation))
        spelling = OPS[equation.op].numpy
        if _of_numbers(equation, numbers):
            made[equation.out] = equation
            body.append(_with_dtype(equation, numbers, body))
            continue
        args = _loose(equation, made) if OPS[equation.op].elementwise else equation.args
        if not OPS[equation.op].elementwise:
            array = not OPS[equation.op].moves and equation.op not in ("full", "copy")
            mark = len(body)
            args = tuple(_filled(a, equation, body, array, numbers) for a in args)
            made |= {new.out: new for new in body[mark:]}
        elif equation.out.type.shape and _joint(args) != equation.out.type.shape:
            args = _restore(equation, args, body)
        elif isinstance(spelling, str) and spelling[0] == "_":
            args = tuple(_filled(a, equation, body, True, numbers) for a in args)
        equation = Equation(
            equation.op, args, equation.outs, equation.span, equation.attrs, equation.adjoint
        )
        equation = _between_numbers(equation, numbers, body)
        made.update(dict.fromkeys(equation.outs, equation))
        body.append(equation)
    return body


def _loosened_loop(loop: Loop) -> Equation:
    """The same of the body of a loop. The index is a number of Python's; new carries are none."""
    numbers = {loop.index}
    body = _loosened(loop.body.body, {}, numbers)
    span = body[-1].span if body else loop.span
    anchor = Equation("identity", (), (), span, (), loop.adjoint)
    updates = tuple(_filled(u, anchor, body, True, numbers) for u in loop.updates)
    inner = loop.body
    changed = Function(inner.name, inner.params, tuple(body), (*updates, *loop.emits), inner.labels)
    return loop.with_body(live(changed)).equation()


def _picked(equation: Equation, made: dict[Var, Equation]) -> Equation:
    """`x[0]` for a slice that is reshaped, and its adjoint."""
    e, arg = equation, equation.args[0] if equation.args else None
    inner = made.get(arg) if isinstance(arg, Var) and not arg.named else None
    if e.op == "reshape" and e.args[0].type.shape and not e.out.type.shape:
        return _entry(e, inner)
    if inner is None or (e.op, inner.op) not in (("reshape", "slice"), ("unslice", "reshape")):
        return e
    items = dict((inner if e.op == "reshape" else e).attrs)["items"]
    left = e.out if e.op == "reshape" else inner.args[0]
    dropped = _dropped(e.args[0].type.shape, left.type.shape)
    if not dropped or any(items[i][1].value != 1 for i in dropped):
        return e
    attrs: Attrs = (("items", items), ("dropped", dropped))
    if e.op == "reshape":
        return Equation("pick", inner.args, e.outs, e.span, attrs, e.adjoint)
    attrs = (("shape", e.out.type.shape), *attrs)
    return Equation("unpick", inner.args, e.outs, e.span, attrs, e.adjoint)


def _entry(e: Equation, inner: Equation | None) -> Equation:
    """`x[0, 1]` for what is reshaped to a number, which is no view of memory that changes later."""
    args, items = e.args, tuple(whole(e.args[0].type.shape))
    if inner is not None and inner.op == "slice":
        args, items = inner.args, dict(inner.attrs)["items"]
    return Equation("entry", args, e.outs, e.span, (("items", items),), e.adjoint)


def _dropped(shape: Shape, left: Shape) -> tuple[int, ...]:
    """The axes of size 1 without which one shape is the other; none if there is no such choice."""
    dropped, rest = [], list(left)
    for i, axis in enumerate(shape):
        if rest and axis == rest[0] and len(shape) - i <= len(rest):
            rest.pop(0)
        elif axis == ONE:
            dropped.append(i)
        elif rest and axis == rest[0]:
            rest.pop(0)
        else:
            return ()
    return () if rest else tuple(dropped)


def _between_numbers(equation: Equation, numbers: set[Var], body: list[Equation]) -> Equation:
    """A choice between two numbers takes the call's dtype afterwards."""
    e = equation
    both = all(isinstance(a, Literal) or a in numbers for a in e.args[1:])
    if e.op != "select" or not both or e.out.type.kind != "real":
        return e
    raw = Var(e.out.name, e.out.type)
    body.append(Equation(e.op, e.args, (raw,), e.span, e.attrs, e.adjoint))
    return Equation("cast", (raw,), e.outs, e.span, (("kind", "real"),), e.adjoint)


def _of_numbers(equation: Equation, numbers: set[Var]) -> bool:
    """Whether all arguments are Python's numbers, which NumPy would give no dtype of the call's."""
    known = bool(equation.args) and all(
        isinstance(a, Literal) or a in numbers for a in equation.args
    )
    scalar = all(not a.type.shape for a in equation.args)
    return known and scalar and (OPS[equation.op].elementwise or OPS[equation.op].moves)


def _with_dtype(equation: Equation, numbers: set[Var], body: list[Equation]) -> Equation:
    """Arithmetic on numbers gives one again; an array, or what NumPy computes, takes the dtype."""
    e = equation
    spelling = OPS[e.op].numpy
    arithmetic = isinstance(spelling, str) and spelling[-1] in "+-*/<>="
    if not e.out.type.shape and (arithmetic or e.op in ("identity", "stop")):
        numbers.add(e.out)
        return e
    if e.op == "cast" and e.out.type.kind == "real" and not e.out.type.shape:
        numbers.add(e.out)  # an int of Python's takes the dtype of the array that it meets
        return Equation("identity", e.args, e.outs, e.span, (), e.adjoint)
    attrs = (("shape", e.out.type.shape),)
    if OPS[e.op].moves:
        return Equation("full", e.args, e.outs, e.span, attrs, e.adjoint)
    raw = Var(e.out.name, e.out.type)
    body.append(Equation(e.op, e.args, (raw,), e.span, e.attrs, e.adjoint))
    return Equation("full", (raw,), e.outs, e.span, attrs, e.adjoint)


def _loose(equation: Equation, made: dict[Var, Equation]) -> tuple[Atom, ...]:
    """Arguments seen through broadcasts, and through casts of bools where a float meets them."""
    args = [_source(a, made) for a in equation.args]
    if equation.op in ARITHMETIC:
        for i, arg in enumerate(args):
            origin = made.get(arg) if isinstance(arg, Var) else None
            others = [a for j, a in enumerate(args) if j != i]
            floats = all(
                isinstance(o, Var) and o.type.kind == "real" and o is not arg for o in others
            )
            if floats and origin is not None and _is_cast_of_bool(origin):
                args[i] = origin.args[0]
                break
    return tuple(args)


def _is_cast_of_bool(equation: Equation) -> bool:
    return equation.op == "cast" and equation.args[0].type.kind == "bool"


def _source(atom: Atom, made: dict[Var, Equation]) -> Atom:
    """What a broadcast stretches; leading new axes are the same to NumPy."""
    while isinstance(atom, Var) and atom in made and not atom.named:
        origin = made[atom]
        axes = dict(origin.attrs).get("axes")
        leading = origin.op == "expand_dims" and axes == tuple(range(len(axes or ())))
        if origin.op != "broadcast" and not leading:
            break
        atom = origin.args[0]
    return atom


def _joint(args: Sequence[Atom]) -> Shape:
    """The shape that NumPy gives to an elementwise function of these."""
    shapes = [a.type.shape for a in args if isinstance(a, Var)]
    rank = max(map(len, shapes), default=0)
    joint = []
    for position in range(-rank, 0):
        axes = [s[position] for s in shapes if len(s) >= -position]
        joint.append(next((a for a in axes if a != ONE), ONE))
    return tuple(joint)


def _restore(equation: Equation, args: tuple[Atom, ...], body: list[Equation]) -> tuple[Atom, ...]:
    """One argument takes its full shape again."""
    for i, (old, new) in enumerate(zip(equation.args, args)):
        if old is not new:
            return (*args[:i], old, *args[i + 1 :])
    return (_filled(args[0], equation, body, False, set()), *args[1:])


def _filled(
    atom: Atom, equation: Equation, body: list[Equation], array: bool, numbers: set[Var]
) -> Atom:
    """An array in place of a literal that stands for one, or of any number where `array` says so."""
    if isinstance(atom, Literal):
        return _fill(atom, equation, body) if atom.type.shape or array else atom
    if array and atom in numbers:
        out = Var(atom.name, atom.type)
        attrs = (("shape", ()),)
        body.append(Equation("full", (atom,), (out,), equation.span, attrs, equation.adjoint))
        return out
    return atom


def _fill(atom: Literal, equation: Equation, body: list[Equation]) -> Var:
    name = {0.0: "zeros", 1.0: "ones"}.get(atom.value, "full")  # type: ignore[arg-type]
    out = Var(name, atom.type)
    number = Literal(atom.value, atom.type.with_shape(()))
    attrs = (("shape", atom.type.shape),)
    body.append(Equation("full", (number,), (out,), equation.span, attrs, equation.adjoint))
    return out


def _own(
    function: Function, body: list[Equation], made: dict[Var, Equation], start: Span
) -> tuple[Atom, ...]:
    """Results that share no memory with arguments or with one another, laid out in rows."""
    results: list[Atom] = []
    taken: set[Var] = set(function.params)
    for position, (label, result) in enumerate(zip(function.labels, function.results)):
        last = body[-1] if body else Equation("full", (), (), start)
        scalar_cost = position == 0 and function.name in ("cost", "value_and_grad", "jvp")
        if isinstance(result, Literal):
            if scalar_cost and not result.type.shape:
                results.append(result)
                continue
            results.append(_fill(result, last, body))
            continue
        root, contiguous = _root(result, made)
        if not scalar_cost and (root in taken or not contiguous):
            out = Var(label, result.type)
            span = made[result].span if result in made else last.span
            adjoint = made[result].adjoint if result in made else False
            fresh, attrs = ("copy", ()) if result.type.shape else ("full", (("shape", ()),))
            body.append(Equation(fresh, (result,), (out,), span, attrs, adjoint))
            made[out] = body[-1]
            result = root = out
        taken.add(root)
        results.append(result)
    return tuple(results)


def _root(var: Var, made: dict[Var, Equation]) -> tuple[Var, bool]:
    """The variable whose memory this one shows, and whether it shows all of it in order."""
    contiguous = True
    while var in made and shows(made[var]):
        equation = made[var]
        if equation.op not in ("identity", "reshape", "expand_dims", "stop"):
            contiguous = False
        source = equation.args[0]
        if not isinstance(source, Var):
            return var, contiguous
        var = source
    if var in made and made[var].op == "scan":
        contiguous = contiguous and _fresh(Loop.of(made[var]), var, made)
    return var, contiguous


def _fresh(loop: Loop, out: Var, outside: dict[Var, Equation]) -> bool:
    """Whether a result of a loop surely has memory of its own: a stack, a sum made in it."""
    position = loop.outs.index(out)
    if position >= loop.carries:
        return True
    update = loop.updates[position]
    made = {o: e for e in loop.body.body for o in e.outs}
    if not isinstance(update, Var) or update not in made:
        return False
    held = [u for i, u in enumerate(loop.updates) if i != position and isinstance(u, Var)]
    if not all(memory(update, made).isdisjoint(memory(u, made)) for u in held):
        return False
    root, own = _root(update, made)
    init = loop.inits[position]
    filled = isinstance(init, Var) and init in outside and outside[init].op == "full"
    filled = filled and loop.inits.count(init) == 1
    return own and root in made and not shows(made[root]) and filled
