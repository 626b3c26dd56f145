"""Algebra that needs no look at the whole: one equation at a time.

    d = mul(1.0, a)            ->    a
    e = mul(0.5, mul(2.0, b))  ->    b
    f = add(a, neg(b))         ->    sub(a, b)
    g = broadcast(2.0)         ->    2.0

Nothing here changes a value by more than rounding, and x*0 stays: x may be inf.
"""

from __future__ import annotations

import math

from bpc.ir import Atom, Equation, Function, Literal, Var
from bpc.ops import OPS, Expr
from bpc.ops.elementwise import ARITHMETIC
from bpc.ops.fold import evaluate_equation
from bpc.passes.rewrite import View, number, rewrite
from bpc.types import Size

Found = Expr | Atom | None
MODEST = (1e-9, 1e9)  # factors that may be moved about: no overflow comes of them
MOVES = frozenset(("expand_dims", "reshape", "transpose", "slice", "roll"))
#: what the rules of arithmetic look for behind an argument
TELLING = frozenset(("mul", "neg", "div", "broadcast"))


def simplify(function: Function) -> Function:
    """Apply the rules once, in order of the equations."""
    return rewrite(function, _rule)


def _rule(view: View, equation: Equation) -> Found:
    op, args = equation.op, equation.args
    if args and isinstance(args[0], Literal) and all(isinstance(a, Literal) for a in args):
        folded = _fold(equation)
        if folded is not None:
            return folded
    if op in ARITHMETIC and args[0] is not args[1] and _bare(view, args):
        return None
    rule = RULES.get(op)
    if op in MOVES and _moves_a_number(view, equation):
        rule = _moved_number
    found = rule(view, equation) if rule is not None else None
    if found is None and equation.outs[0].type.shape and OPS[op].elementwise:
        return _sink(view, equation)
    return found


def _bare(view: View, args: tuple[Atom, ...]) -> bool:
    """Whether arguments give arithmetic nothing to look at: most do not."""
    for atom in args:
        if isinstance(atom, Literal):
            return False
        made = view.made(atom)
        if made is None or made.op not in TELLING:
            continue
        if made.op != "mul" or isinstance(made.args[0], Literal):
            return False
    return True


def _fold(equation: Equation) -> Found:
    """Numbers alone, and numbers that are merely moved about, are numbers again."""
    op = OPS[equation.op]
    first = equation.args[0]
    if op.moves and equation.op not in ("cast", "stop") and isinstance(first, Literal):
        if equation.op == "identity" and equation.out.named:
            return None
        return Literal(first.value, equation.out.type)
    if equation.op == "cast" and isinstance(first, Literal) and isinstance(first.value, Size):
        return Literal(first.value, equation.out.type) if first.type.kind != "bool" else None
    value = evaluate_equation(equation, {})
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return Literal(value, equation.out.type)


def _moves_a_number(view: View, e: Equation) -> bool:
    """Whether one number, stretched to an array, is merely moved about."""
    inner = view.arg(e.args[0], "broadcast")
    return inner is not None and not inner.type.rank


def _moved_number(view: View, e: Equation) -> Found:
    number = view.arg(e.args[0], "broadcast")
    assert number is not None
    return view.m.broadcast_to(view.expr(number), e.out.type.shape)


def _add(view: View, e: Equation) -> Found:
    x, y = e.args
    if number(x) == 0:
        return y
    if number(y) == 0:
        return x
    if x is y and e.out.type.kind == "real":
        return 2.0 * view.expr(x)
    negative = view.arg(y, "neg")
    if negative is not None:
        return view.expr(x) - view.expr(negative)
    negative = view.arg(x, "neg")
    if negative is not None:
        return view.expr(y) - view.expr(negative)
    return _difference(view, x, y) or _difference(view, y, x)


def _difference(view: View, x: Atom, y: Atom) -> Expr | None:
    """X + (-2 * y) is x - 2 * y."""
    factor, rest = _factor(view, y)
    if factor >= 0 or rest is None or rest is y or x.type.kind != "real":
        return None
    return view.expr(x) - -factor * view.expr(rest)


def _sub(view: View, e: Equation) -> Found:
    x, y = e.args
    if number(y) == 0:
        return x
    if number(x) == 0:
        return -view.expr(y)
    if view.arg(x, "neg") is y and e.out.type.kind == "real":
        return -2.0 * view.expr(y)
    negative = view.arg(y, "neg")
    return view.expr(x) + view.expr(negative) if negative is not None else None


def _factor(view: View, atom: Atom) -> tuple[float, Atom | None]:
    """(number, rest) of a product with a number, the rest None where there is only a number."""
    value = number(atom)
    if value is not None:
        return float(value), None
    made = view.made(atom)
    if made is not None and made.op == "mul":
        value = number(made.args[0])
        if value is not None and MODEST[0] <= abs(value) <= MODEST[1]:
            return float(value), made.args[1]
    if made is not None and made.op == "neg":
        value, rest = _factor(view, made.args[0])
        return -value, rest
    return 1.0, atom


def _mul(view: View, e: Equation) -> Found:
    """Numbers and signs are gathered in one factor, on the left."""
    if e.out.type.kind != "real":
        return None
    x, y = e.args
    (a, left), (b, right) = _factor(view, x), _factor(view, y)
    if left is not None and right is not None:
        inverse = _inverse(view, left, right) if a == b == 1.0 else None
        inverse = inverse or (_shared(view, left, right) if a == b == 1.0 else None)
        if inverse is not None:
            return inverse
        if a == 1.0 and b == 1.0:
            return None
        return _scaled(a * b, view.expr(left) * view.expr(right))
    rest = left if left is not None else right
    if rest is None or not math.isfinite(a * b):
        return None
    if number(x) is not None and rest is y and a * b not in (1.0, -1.0):
        return None
    return _scaled(a * b, view.expr(rest))


def _scaled(factor: float, rest: Expr) -> Expr | None:
    if not MODEST[0] <= abs(factor) <= MODEST[1]:
        return None
    if factor == 1.0:
        return rest
    return -rest if factor == -1.0 else factor * rest


def _inverse(view: View, x: Atom, y: Atom) -> Found:
    """X * (1/y) is x / y, unless y is stretched: there are fewer entries to invert than to divide."""
    for one, other in ((x, y), (y, x)):
        quotient = view.made(other)
        if quotient is not None and quotient.op == "broadcast" and not quotient.args[0].type.rank:
            quotient = view.made(quotient.args[0])
        if quotient is None or quotient.op != "div":
            continue
        if number(quotient.args[0]) == 1:
            return view.expr(one) / view.m.broadcast_to(view.expr(quotient.args[1]), one.type.shape)
    return None


def _shared(view: View, x: Atom, y: Atom) -> Found:
    """X * (tie / n) is (x / n) * tie: of several ties, x / n is computed once."""
    for one, other in ((x, y), (y, x)):
        quotient = view.definition(other, "div")
        tie = view.arg(quotient.args[0], "cast") if quotient is not None else None
        if quotient is not None and tie is not None and tie.type.kind == "bool":
            return view.expr(one) / view.expr(quotient.args[1]) * view.expr(quotient.args[0])
    return None


def _div(view: View, e: Equation) -> Found:
    x, y = e.args
    if number(y) == 1:
        return x
    value = number(y)
    if value is not None and value and math.frexp(abs(value))[0] == 0.5:
        a, rest = _factor(view, x)
        if rest is not None and a != 1.0:
            return _scaled(a / value, view.expr(rest))
    negative = view.arg(x, "neg")
    return -(view.expr(negative) / view.expr(y)) if negative is not None else None


def _neg(view: View, e: Equation) -> Found:
    a, rest = _factor(view, e.args[0])
    if rest is None or rest is e.args[0]:
        return None
    return _scaled(-a, view.expr(rest))


def _pow(view: View, e: Equation) -> Found:
    exponent = number(e.args[1])
    x = view.expr(e.args[0])
    if exponent == 1:
        return x
    if exponent == 0:
        return Literal(1.0, e.out.type)
    if exponent == 0.5:
        return view.m.sqrt(x)
    return 1.0 / x if exponent == -1 else None


def _select(view: View, e: Equation) -> Found:
    c, x, y = e.args
    if isinstance(c, Literal):
        return x if c.value else y
    if x == y:
        return x
    if number(x) == 1 and number(y) == 0 and e.out.type.kind == "real":
        return view.m.cast(view.expr(c), kind="real")
    return None


def _extremum(view: View, e: Equation) -> Found:
    """The number goes to the right; what it is then is kept for `_beyond`."""
    bound = number(e.args[-1])
    if len(e.args) == 2 and bound is not None:
        view.extrema[e.op, e.args[0], bound] = e.out
    if len(e.args) == 2 and isinstance(e.args[0], Literal) and isinstance(e.args[1], Var):
        return view.m.elementwise(e.op, view.expr(e.args[1]), view.expr(e.args[0]))
    return None


def _beyond(view: View, e: Equation) -> Found:
    """X > c is y > c where y = max(x, c): then x need not be kept."""
    bound = number(e.args[1])
    if bound is None or not e.out.type.rank:  # a number costs nothing to keep
        return None
    side = "maximum" if e.op == "gt" else "minimum"
    held = view.extrema.get((side, e.args[0], bound))
    if held is None or held not in view.defined:  # something simpler took its place
        return None
    return view.m.elementwise(e.op, view.expr(held), view.expr(e.args[1]))


def _broadcast(view: View, e: Equation) -> Found:
    x = e.args[0]
    if x.type.shape == e.out.type.shape:
        return x
    inner = view.arg(x, "broadcast")
    if inner is None:
        expanded = view.definition(x, "expand_dims")
        if expanded is not None:
            axes = dict(expanded.attrs)["axes"]
            inner = expanded.args[0] if axes == tuple(range(len(axes))) else None
    return view.m.broadcast_to(view.expr(inner), e.out.type.shape) if inner is not None else None


def _identity(view: View, e: Equation) -> Found:
    return None if e.out.named else e.args[0]


def _reshape(view: View, e: Equation) -> Found:
    x = e.args[0]
    if x.type.shape == e.out.type.shape:
        return x
    for op in ("reshape", "expand_dims"):
        inner = view.arg(x, op)
        if inner is not None:
            return view.m.emit("reshape", view.expr(inner), shape=e.out.type.shape)
    return None


def _transpose(view: View, e: Equation) -> Found:
    order = dict(e.attrs)["order"]
    if order == tuple(range(len(order))):
        return e.args[0]
    inner = view.definition(e.args[0], "transpose")
    if inner is None:
        return _turned_product(view, e, order)
    first = dict(inner.attrs)["order"]
    joint = tuple(first[i] for i in order)
    if joint == tuple(range(len(order))):
        return inner.args[0]
    return view.m.emit("transpose", view.expr(inner.args[0]), order=joint)


def _turned_product(view: View, e: Equation, order: tuple[int, ...]) -> Found:
    """(a.T @ b).T is b.T @ a."""
    product = view.definition(e.args[0], "matmul")
    rank = len(order)
    swapped = (*range(rank - 2), rank - 1, rank - 2)
    if product is None or order != swapped or any(a.type.rank != rank for a in product.args):
        return None
    turned = []
    for arg in product.args:
        inner = view.definition(arg, "transpose")
        turned.append(inner is not None and dict(inner.attrs)["order"] == swapped)
    if not any(turned):
        return None
    a, b = (view.m.emit("transpose", view.expr(x), order=swapped) for x in product.args)
    return view.m.emit("matmul", b, a)


def _reduce(view: View, e: Equation) -> Found:
    """A sum over no axes is its argument; one of a stretched number is a product."""
    attrs = dict(e.attrs)
    if not attrs["axes"]:
        return e.args[0]
    twice = view.definition(e.args[0], e.op)
    if twice is not None and not attrs["keep"] and not dict(twice.attrs)["keep"]:
        first = dict(twice.attrs)["axes"]
        left = [i for i in range(twice.args[0].type.rank) if i not in first]
        axes = tuple(sorted((*first, *(left[i] for i in attrs["axes"]))))
        return view.m.emit(e.op, view.expr(twice.args[0]), axes=axes, keep=False)
    whole = not attrs["keep"] and len(attrs["axes"]) == e.args[0].type.rank
    if e.op == "sum" and whole and e.out.type.kind == "real":
        inner = view.arg(e.args[0], "broadcast")
        if inner is not None and not inner.type.rank:
            return view.expr(inner) * view.m.real(e.args[0].type.count)
    return None


def _cast(view: View, e: Equation) -> Found:
    return e.args[0] if e.args[0].type.kind == e.out.type.kind else None


def _sink(view: View, e: Equation) -> Found:
    """F(broadcast(a), broadcast(b), 2.0) is broadcast(f(a, b, 2.0)) where a, b have one shape."""
    inner: list[Atom] = []
    shape = None
    for arg in e.args:
        if isinstance(arg, Literal):
            inner.append(arg)
            continue
        source = view.arg(arg, "broadcast")
        if source is None or (shape is not None and source.type.shape != shape):
            return None
        shape = source.type.shape
        inner.append(source)
    if shape is None:
        shape = ()
    small = [
        view.expr(Literal(a.value, a.type.with_shape(shape)) if isinstance(a, Literal) else a)
        for a in inner
    ]
    return view.m.broadcast_to(view.m.elementwise(e.op, *small), e.out.type.shape)


RULES = {
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "div": _div,
    "neg": _neg,
    "pow": _pow,
    "select": _select,
    "maximum": _extremum,
    "minimum": _extremum,
    "gt": _beyond,
    "lt": _beyond,
    "broadcast": _broadcast,
    "identity": _identity,
    "reshape": _reshape,
    "transpose": _transpose,
    "sum": _reduce,
    "mean": _reduce,
    "cast": _cast,
}
