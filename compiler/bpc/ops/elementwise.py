"""Operators that work entry by entry. Each is declared by its SymPy expression.

Partials that are not given here are SymPy's, held in `derived.py`; those given are kinder to rounding
or to overflow, and a test proves them equal to SymPy's. In a partial the last argument is the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

from bpc.ops.base import Op, Spelling, register
from bpc.ops.cost import ITEM, Scratch, arrays, nbytes
from bpc.ops.derived import DERIVED
from bpc.types import Size, Type, size

Partial = Callable[..., Any] | None
WIDE = (-3.0, 3.0)
POSITIVE = (0.2, 3.0)
#: what NumPy computes by an operator of Python's between reals
ARITHMETIC = frozenset(("add", "sub", "mul", "div"))


def elementwise(
    name: str,
    sympy: str | None,
    doc: str,
    *,
    numpy: Spelling,
    scalar: Spelling,
    kinds: tuple[str, str] = ("real", "real"),
    partials: tuple[Partial, ...] | None = None,
    domain: tuple[tuple[float, float], ...] = (WIDE,),
    safe: tuple[float | None, ...] = (),
    group: str = "elementwise",
    call: Callable[..., Any] | None = None,
    vjp: Callable[..., Sequence[Any]] | None = None,
    commutes: bool = False,
    expand: Callable[..., Any] | None = None,
    into: Spelling = "",
    scratch: Scratch | None = None,
) -> None:
    """Register an elementwise operator; without partials SymPy's are used."""
    found = partials if partials is not None else DERIVED.get(name, ())
    register(
        Op(
            name,
            group,
            doc,
            call=call,
            vjp=vjp or (chain(found) if found else None),
            numpy=numpy,
            scalar=scalar,
            kinds=kinds,
            sympy=sympy,
            partials=found,
            derives=partials is None and sympy is not None,
            domain=domain,
            safe=safe,
            commutes=commutes,
            expand=expand,
            into=into or ufunc(numpy),
            scratch=scratch,
        )
    )


_UFUNCS = {
    "+": "np.add", "-": "np.subtract", "*": "np.multiply", "/": "np.divide", "<": "np.less",
    "<=": "np.less_equal", ">": "np.greater", ">=": "np.greater_equal", "==": "np.equal",
    "!=": "np.not_equal", "&": "np.logical_and", "|": "np.logical_or", "unary -": "np.negative",
    "unary ~": "np.logical_not", "np.where": "",
}  # fmt: skip


def ufunc(numpy: Spelling) -> str:
    """The NumPy function that a spelling means, which takes `out`; none where a helper is meant."""
    if not isinstance(numpy, str):
        return ""
    return _UFUNCS.get(numpy, numpy if numpy.startswith(("np.", "special.")) else "")


def chain(partials: tuple[Partial, ...]) -> Callable[..., Sequence[Any]]:
    """The chain rule: each cotangent is g times the local partial."""

    def vjp(m: Any, g: Any, out: Any, *args: Any) -> Sequence[Any]:
        return [
            g * partial(m, *args, out) if partial and active else None
            for partial, active in zip(partials, m.active)
        ]

    return vjp


# Arithmetic. The VJPs of + - stand as they are: no factor 1 in the output.

elementwise(
    "add", "x + y", "Sum.", numpy="+", scalar="+", kinds=("number", "same"), group="arithmetic",
    commutes=True,
    vjp=lambda m, g, out, x, y: (g, g), partials=(lambda m, x, y, o: 1, lambda m, x, y, o: 1),
    domain=(WIDE, WIDE),
)  # fmt: skip
elementwise(
    "sub", "x - y", "Difference.", numpy="-", scalar="-", kinds=("number", "same"),
    group="arithmetic", domain=(WIDE, WIDE),
    vjp=lambda m, g, out, x, y: (g, -g if m.active[1] else None),
    partials=(lambda m, x, y, o: 1, lambda m, x, y, o: -1),
)  # fmt: skip
elementwise(
    "mul", "x * y", "Product.", numpy="*", scalar="*", kinds=("number", "same"), commutes=True,
    group="arithmetic", domain=(WIDE, WIDE),
    partials=(lambda m, x, y, o: y, lambda m, x, y, o: x),
)  # fmt: skip
elementwise(
    "div", "x / y", "Quotient.", numpy="/", scalar="_div", group="arithmetic",
    domain=(WIDE, POSITIVE), safe=(None, 1.0),
    vjp=lambda m, g, out, x, y: (
        g / y if m.active[0] else None,
        -g * out / y if m.active[1] else None,
    ),
    partials=(lambda m, x, y, o: 1 / y, lambda m, x, y, o: -o / y),
)  # fmt: skip
elementwise(
    "neg", "-x", "Negative.", numpy="unary -", scalar="unary -", kinds=("number", "same"),
    group="arithmetic", vjp=lambda m, g, out, x: (-g,), partials=(lambda m, x, o: -1,),
)  # fmt: skip


def _power_by_base(m: Any, x: Any, y: Any, out: Any) -> Any:
    """y * x^(y-1), and 0 where y is 0, also at x = 0."""
    n = y.number
    if isinstance(n, float):
        if n == 0 or n == 1:
            return m.fill(n, x)
        return n * x if n == 2 else n * x ** (n - 1)
    zero = y.eq(0)
    return m.select(zero, 0, y * x ** (m.select(zero, 1, y) - 1))


def _power_by_exponent(m: Any, x: Any, y: Any, out: Any) -> Any:
    """x^y * log x, and 0 where x is 0."""
    base = x.number
    if isinstance(base, float) and base > 0:
        return math.log(base) * out
    zero = x.eq(0)
    return m.select(zero, 0, out * m.log(m.select(zero, 1, x)))


LARGEST_POWER = 64  # that is computed by squaring


def _squarings(m: Any, x: Any, y: Any) -> Any:
    """x**n for a whole n from 2 on; None for others."""
    n = y.number
    if not isinstance(n, float) or n not in range(2, LARGEST_POWER + 1):
        return None
    count, result = int(n), None
    while count:
        if count % 2:
            result = x if result is None else result * x
        count //= 2
        x = x * x if count else x
    return result


def _squares(into: bool, out: Type, x: Any, y: Any) -> Size:
    """The squares that are at hand with the product so far."""
    n = getattr(y, "value", None)
    if not isinstance(n, float) or n not in range(3, LARGEST_POWER + 1):
        return size(0)
    return nbytes(out) * size(1 if int(n).bit_count() < 3 else 2)


elementwise(
    "pow", "x ** y", "Power. 0^0 is 1; a negative base wants an integer-valued exponent.",
    numpy=lambda c, x, y: c.power(x, y), scalar="_pow", domain=(POSITIVE, WIDE), safe=(1.0, 1.0),
    partials=(_power_by_base, _power_by_exponent), expand=_squarings, scratch=_squares,
)  # fmt: skip

# Functions


elementwise("exp", "exp(x)", "Exponential.", numpy="np.exp", scalar="_exp", safe=(0.0,))
elementwise(
    "log", "log(x)", "Natural logarithm.", numpy="np.log", scalar="_log", domain=(POSITIVE,),
    safe=(1.0,), vjp=lambda m, g, out, x: (g / x,),
)  # fmt: skip
elementwise(
    "log1p", "log(1 + x)", "log(1 + x), right for small x.", numpy="np.log1p", scalar="_log1p",
    domain=((-0.8, 3.0),), safe=(0.0,), vjp=lambda m, g, out, x: (g / (1 + x),),
)  # fmt: skip
elementwise(
    "expm1", "exp(x) - 1", "exp(x) - 1, right for small x.", numpy="np.expm1", scalar="_expm1",
    safe=(0.0,), partials=(lambda m, x, o: m.exp(x),),
)  # fmt: skip
elementwise(
    "sqrt", "sqrt(x)", "Square root; its derivative at 0 is inf.", numpy="np.sqrt",
    scalar="_sqrt", domain=(POSITIVE,), safe=(1.0,), vjp=lambda m, g, out, x: (0.5 * g / out,),
    partials=(lambda m, x, o: 0.5 / o,),
)  # fmt: skip
elementwise(
    "abs", "Abs(x)", "Absolute value; derivative 0 at 0.", numpy="np.abs", scalar="abs",
    kinds=("number", "same"), partials=(lambda m, x, o: m.sign(x),),
)  # fmt: skip
elementwise(
    "sign", "sign(x)", "-1, 0 or 1; derivative 0.", numpy="np.sign", scalar="_sign",
    kinds=("number", "same"), partials=(None,),
)  # fmt: skip
elementwise(
    "floor", "floor(x)", "Rounded down; derivative 0.", numpy="np.floor", scalar="_floor",
    partials=(None,),
)  # fmt: skip
elementwise("sin", "sin(x)", "Sine.", numpy="np.sin", scalar="_sin")
elementwise("cos", "cos(x)", "Cosine.", numpy="np.cos", scalar="_cos")
elementwise(
    "tan", "tan(x)", "Tangent.", numpy="np.tan", scalar="_tan", domain=((-1.2, 1.2),),
    safe=(0.0,),
)  # fmt: skip
elementwise(
    "asin", "asin(x)", "Inverse sine.", numpy="np.arcsin", scalar="_asin",
    domain=((-0.9, 0.9),), safe=(0.0,),
    partials=(lambda m, x, o: 1 / m.sqrt((1 - x) * (1 + x)),),
)  # fmt: skip
elementwise(
    "acos", "acos(x)", "Inverse cosine.", numpy="np.arccos", scalar="_acos",
    domain=((-0.9, 0.9),), safe=(0.0,),
    partials=(lambda m, x, o: -1 / m.sqrt((1 - x) * (1 + x)),),
)  # fmt: skip
elementwise("atan", "atan(x)", "Inverse tangent.", numpy="np.arctan", scalar="math.atan")
elementwise(
    "atan2", "atan2(x, y)", "Angle of the point (y, x).", numpy="np.arctan2",
    scalar="math.atan2", domain=(POSITIVE, POSITIVE), safe=(None, 1.0),
    partials=(
        lambda m, x, y, o: y / m.hypot(x, y) / m.hypot(x, y),
        lambda m, x, y, o: -x / m.hypot(x, y) / m.hypot(x, y),
    ),
)  # fmt: skip
elementwise("sinh", "sinh(x)", "Hyperbolic sine.", numpy="np.sinh", scalar="_sinh", safe=(0.0,))
elementwise("cosh", "cosh(x)", "Hyperbolic cosine.", numpy="np.cosh", scalar="_cosh", safe=(0.0,))
elementwise("tanh", "tanh(x)", "Hyperbolic tangent.", numpy="np.tanh", scalar="math.tanh")
elementwise("erf", "erf(x)", "Error function.", numpy="special.erf", scalar="math.erf")
elementwise("erfc", "erfc(x)", "1 - erf(x).", numpy="special.erfc", scalar="math.erfc")
elementwise(
    "lgamma", "loggamma(x)", "Logarithm of the gamma function.", numpy="special.gammaln",
    scalar="_lgamma", domain=(POSITIVE,), safe=(1.0,),
    partials=(lambda m, x, o: m.digamma(x),),
)  # fmt: skip
elementwise(
    "digamma", "digamma(x)", "Derivative of lgamma.", numpy="special.digamma",
    scalar="_digamma", domain=(POSITIVE,), safe=(1.0,),
    partials=(lambda m, x, o: m.polygamma1(x),),
)  # fmt: skip


def _polygamma(c: Any, order: int, x: Any) -> Any:
    """SciPy's gives float64 whatever it is given."""
    code = c.call("special.polygamma", c.number(order), x)
    return c.method(type(x)(code, x.type), "astype", c.dtype()[0])


elementwise(
    "polygamma1", "polygamma(1, x)", "Derivative of digamma.", group="internal",
    numpy=lambda c, x: _polygamma(c, 1, x), scalar="_trigamma",
    domain=(POSITIVE,), safe=(1.0,), partials=(lambda m, x, o: m.polygamma2(x),),
    scratch=lambda into, out, x: out.count * size(24),
)  # fmt: skip
elementwise(
    "polygamma2", "polygamma(2, x)", "Derivative of polygamma1.", group="internal",
    numpy=lambda c, x: _polygamma(c, 2, x), scalar="_tetragamma",
    domain=(POSITIVE,), safe=(1.0,), partials=(None,),
    scratch=lambda into, out, x: out.count * size(24),
)  # fmt: skip
elementwise(
    "xlogy", "x * log(y)", "x * log(y), and 0 where x is 0.", numpy="_xlogy", scalar="_xlogy",
    domain=(POSITIVE, POSITIVE), safe=(None, 1.0),
    partials=(
        lambda m, x, y, o: m.log(y),
        lambda m, x, y, o: m.select(x.eq(0), 0, x / m.select(x.eq(0), 1, y)),
    ),
    scratch=lambda into, out, x, y: out.count * (ITEM + size(1)),
)  # fmt: skip
elementwise(
    "hypot", "sqrt(x**2 + y**2)", "sqrt(x^2 + y^2) without overflow; derivative 0 at (0, 0).",
    numpy="np.hypot", scalar="math.hypot", domain=(POSITIVE, POSITIVE),
    partials=(
        lambda m, x, y, o: x / m.select(o.eq(0), 1, o),
        lambda m, x, y, o: y / m.select(o.eq(0), 1, o),
    ),
)  # fmt: skip

# Activations that are operators of their own, for the sake of their stable forms

elementwise(
    "sigmoid", "1 / (1 + exp(-x))", "Logistic function.", numpy="_sigmoid", scalar="_sigmoid",
    partials=(lambda m, x, o: o * (1 - o),), group="activations", into="_sigmoid",
    scratch=arrays(2, given=False),
)  # fmt: skip
elementwise(
    "softplus", "log(1 + exp(x))", "log(1 + exp(x)), never overflowing.", group="activations",
    numpy=lambda c, x: c.call("np.logaddexp", x, c.number(0.0)), scalar="_softplus",
    partials=(lambda m, x, o: m.sigmoid(x),),
    expand=lambda m, x: m.maximum(x, 0.0) + m.log1p(m.exp(-m.abs(x))),
)  # fmt: skip
elementwise(
    "logaddexp", "log(exp(x) + exp(y))", "log(exp(x) + exp(y)), never overflowing.",
    group="internal", numpy="np.logaddexp", scalar="_logaddexp", domain=(WIDE, WIDE),
    partials=(lambda m, x, y, o: m.sigmoid(x - y), lambda m, x, y, o: m.sigmoid(y - x)),
)  # fmt: skip
elementwise(
    "exp_less", "exp(x - y)", "exp(x - y), in one sweep where y is 0 everywhere.", group="internal",
    numpy="_exp_less", scalar=lambda c, x, y: c.call("_exp", c.apply("-", (x, y), {})),
    into="_exp_less", partials=(lambda m, x, y, o: o, lambda m, x, y, o: -o), domain=(WIDE, WIDE),
    scratch=arrays(1, given=False),
)  # fmt: skip
elementwise(
    "bce_with_logits", "log(1 + exp(x)) - x * y",
    "Binary cross-entropy of a logit and a target in [0, 1].", group="losses",
    numpy="_bce_with_logits", scalar="_bce_with_logits", domain=(WIDE, (0.1, 0.9)),
    partials=(lambda m, x, y, o: m.sigmoid(x) - y, lambda m, x, y, o: -x),
    expand=lambda m, x, y: m.maximum(x, 0.0) - x * y + m.log1p(m.exp(-m.abs(x))),
    scratch=lambda into, out, x, y: out.count * ITEM * size(2),
)  # fmt: skip

# Choices


def _select_vjp(m: Any, g: Any, out: Any, c: Any, x: Any, y: Any) -> Sequence[Any]:
    return (
        None,
        m.select(c, g, 0) if m.active[1] else None,
        m.select(c, 0, g) if m.active[2] else None,
    )


def _select_into(c: Any, out: Any, mask: Any, x: Any, y: Any) -> Any:
    """Without a branch for each entry, where the entries are real; of one number by its product."""
    if x.type.kind != "real" or not out.type.rank:
        return c.call("np.copyto", out, c.call("np.where", mask, x, y))
    if y.code.text == "0.0":
        if c.is_number(x):
            return c.call("np.multiply", mask, x, out)
        return c.call("_kept", x, mask, out)
    return c.call("_chosen", mask, x, y, out)


elementwise(
    "select", None, "a where c holds, b elsewhere: the branch not taken contributes 0, never NaN.",
    numpy="np.where", scalar=lambda c, t, x, y: c.conditional(x, t, y), kinds=("any", "same"),
    vjp=_select_vjp, group="internal", into=_select_into,
)  # fmt: skip


def _extremum_vjp(beats: str) -> Callable[..., Sequence[Any]]:
    """Ties are shared by the arguments that have a gradient; one without takes the tie."""

    def vjp(m: Any, g: Any, out: Any, *args: Any) -> Sequence[Any]:
        active = [x for x, has in zip(args, m.active) if has]
        constants = [x for x, has in zip(args, m.active) if not has]
        share = g
        if len(active) > 1:
            ties = [m.cast(x.eq(out), kind="real") for x in active]
            share = g / m.maximum(sum(ties[1:], ties[0]), 1)
        slopes: list[Any] = []
        for x, has in zip(args, m.active):
            wins = [x.eq(out)] if len(active) > 1 else []
            wins += [m.elementwise(beats, x, other) for other in constants]
            slopes.append(m.select(reduce(m.logical_and, wins), share, 0) if has else None)
        return slopes

    return vjp


def _nest(function: str) -> Callable[..., Any]:
    """The spelling of a function of two on any number of arguments."""
    return lambda c, *args: reduce(lambda x, y: c.call(function, x, y), args)


def _nest_into(function: str) -> Callable[..., Any]:
    """The same into memory: NumPy wants it by name."""

    def into(c: Any, out: Any, *args: Any) -> Any:
        inner = args[0] if len(args) == 2 else _nest(function)(c, *args[:-1])
        return c.call(function, inner, args[-1], c.keyword("out", out.code.text))

    return into


def _nest_floats(function: str) -> Callable[..., Any]:
    """The same on Python floats: max and min keep a NaN that comes before a number."""
    builtin = function[1:4]
    return lambda c, *args: reduce(
        lambda x, y: c.call(builtin if c.is_number(y) else function, x, y), args
    )


for _name, _sympy, _beats, _word in (
    ("maximum", "Max", "gt", "larger"), ("minimum", "Min", "lt", "smaller"),
):  # fmt: skip
    elementwise(
        _name, f"{_sympy}(x, y)", f"The {_word} entry; ties share the gradient.",
        numpy=_nest(f"np.{_name}"), into=_nest_into(f"np.{_name}"), scalar=_nest_floats(f"_{_name}"), kinds=("number", "same"),
        vjp=_extremum_vjp(_beats), group="internal", domain=(WIDE, WIDE), partials=(),
        commutes=True,
    )  # fmt: skip

elementwise(
    "clip", None, "x held between lo and hi; derivative 0 at a bound.", numpy="np.clip",
    scalar="_clip", kinds=("number", "same"), domain=(WIDE, (-1.5, -0.5), (0.5, 1.5)),
    vjp=lambda m, g, out, x, lo, hi: (
        m.select(m.logical_and(x > lo, x < hi), g, 0) if m.active[0] else None,
        m.select(x < lo, g, 0) if m.active[1] else None,
        m.select(x > hi, g, 0) if m.active[2] else None,
    ),
)  # fmt: skip

# Comparisons and logic

for _name, _sign in (
    ("lt", "<"),
    ("le", "<="),
    ("gt", ">"),
    ("ge", ">="),
    ("eq", "=="),
    ("ne", "!="),
):
    elementwise(
        _name, None, f"Entrywise `{_sign}`.", numpy=_sign, scalar=_sign, kinds=("any", "bool"),
        group="internal", commutes=_name in ("eq", "ne"),
    )  # fmt: skip
for _name, _sign, _word in (("logical_and", "&", "and"), ("logical_or", "|", "or")):
    elementwise(
        _name, None, f"Entrywise `{_word}`.", numpy=_sign, scalar=_word, kinds=("bool", "bool"),
        group="internal", commutes=True,
    )  # fmt: skip
elementwise(
    "logical_not", None, "Entrywise `not`.", numpy="unary ~", scalar="unary not ",
    kinds=("bool", "bool"), group="internal",
)  # fmt: skip
