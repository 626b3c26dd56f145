"""PyTorch's elementwise functions and activations in bp."""

from __future__ import annotations

from typing import Any

import numpy as np

from translate import Inexpressible, Row, elementwise, number


def scaled(name: str) -> Any:
    """`y` with its factor alpha, where there is one."""
    return lambda a: (
        f"{a.x} {name} {a.y}" if a.alpha == 1 else f"{a.x} {name} {number(a.alpha)} * {a.y}"
    )


def _isclose(a: Any) -> str:
    near = f"abs({a.x} - {a.y}) <= {number(a.atol)} + {number(a.rtol)} * abs({a.y})"
    both = f" or ({a.x} != {a.x} and {a.y} != {a.y})" if a.equal_nan else ""
    return f"({a.x} == {a.y} or {near}){both}"


def _div(a: Any) -> str:
    quotient = f"{a.x} / {a.y}"
    if a.rounding_mode is None:
        return quotient
    if a.rounding_mode == "floor":
        return f"floor({quotient})"
    return f"sign({quotient}) * floor(abs({quotient}))"


def _clamp(a: Any) -> str:
    low, high = a.low, a.high
    if low is None:
        return f"min({a.x}, {number(high)})"
    if high is None:
        return f"max({a.x}, {number(low)})"
    return f"min(max({a.x}, {number(low)}), {number(high)})"


def _logit(a: Any) -> str:
    if a.eps is None:
        return f"log({a.x} / (1 - {a.x}))"
    z = a.let(f"clip({a.x}, {number(a.eps)}, {number(1 - a.eps)})")
    return f"log({z} / (1 - {z}))"


def _mvlgamma(a: Any) -> str:
    terms = [f"lgamma({a.x} - {j / 2})" if j else f"lgamma({a.x})" for j in range(a.p)]
    return f"{' + '.join(terms)} + {a.p * (a.p - 1)} / 4 * log(pi)"


def _polygamma(a: Any) -> str:
    if a.n:
        raise Inexpressible("no function: polygamma of order 1 and more")
    return f"digamma({a.x})"


def _prelu(a: Any) -> str:
    weight = a.weight
    if weight.rank and weight.shape != (1,):
        weight = f"{weight}[{', '.join([':'] + ['new'] * max(a.x.rank - 2, 0))}]"
    elif weight.rank:
        weight = f"{weight}[0]"
    return f"where({a.x} > 0, {a.x}, {weight} * {a.x})"


def _nan_to_num(a: Any) -> str:
    largest = float(np.finfo(np.float64).max)
    x, high = a.x, largest if a.posinf is None else a.posinf
    low = -largest if a.neginf is None else a.neginf
    finite = f"where({x} == -inf, {number(low)}, {x})"
    return f"where({x} != {x}, {number(a.nan)}, where({x} == inf, {number(high)}, {finite}))"


def _softplus(a: Any) -> str:
    soft = f"softplus({number(a.beta)} * {a.x}) / {number(a.beta)}"
    return f"where({number(a.beta)} * {a.x} > {number(a.threshold)}, {a.x}, {soft})"


def _elu(a: Any) -> str:
    low = f"{number(a.alpha)} * {number(a.scale)} * expm1({number(a.input_scale)} * {a.x})"
    return f"where({a.x} > 0, {number(a.scale)} * {a.x}, {low})"


def _gelu(a: Any) -> str:
    return f"gelu({a.x})" if a.approximate == "none" else f"gelu_tanh({a.x})"


def _float_power(a: Any) -> str:
    return f"{a.x} ^ {number(a.y)}"


def _where(a: Any) -> str:
    return f"where({a.condition}, {number(a.x)}, {number(a.y)})"


def _threshold(a: Any) -> str:
    return f"where({a.x} > {number(a.threshold)}, {a.x}, {number(a.value)})"


def _heaviside(a: Any) -> str:
    return f"where({a.x} == 0, {a.y}, where({a.x} > 0, 1.0, 0.0))"


def _round(a: Any) -> str:
    """Halves go to the even neighbour."""
    x = a.let(f"{a.x} * {10.0**a.decimals}") if a.decimals else a.x
    down = a.let(f"floor({x})")
    half = f"{x} - {down} == 0.5"
    even = f"2 * floor({down} / 2) == {down}"
    near = f"where({half}, where({even}, {down}, {down} + 1), floor({x} + 0.5))"
    return f"{near} / {10.0**a.decimals}" if a.decimals else near


def unary(template: str, accuracy: float = 1e-12, note: str = "") -> Row:
    return elementwise("x", template, accuracy, note)


def binary(template: str) -> Row:
    return elementwise("x, y", template)


TRIGAMMA = "PyTorch's trigamma has 10 digits; bpc's agrees with an evaluation in 50"
PLAIN = (
    "abs acos asin atan cos cosh erf erfc exp expm1 floor lgamma log log1p sigmoid sign sin"
    " sinh sqrt tan tanh"
)
ROWS: dict[str, Row] = {name: unary(f"{name}({{x}})") for name in PLAIN.split()}
ROWS |= {
    # arithmetic
    "add": elementwise("x, y, *, alpha=1", scaled("+")),
    "sub": elementwise("x, y, *, alpha=1", scaled("-")),
    "rsub": elementwise(
        "x, y, *, alpha=1", lambda a: f"{number(a.y)} - {number(a.alpha)} * {a.x}"
    ),
    "mul": binary("{x} * {y}"),
    "true_divide": binary("{x} / {y}"),
    "div.no_rounding_mode": elementwise("x, y, *, rounding_mode=None", _div),
    "div.trunc_rounding": elementwise("x, y, *, rounding_mode=None", _div),
    "div.floor_rounding": elementwise("x, y, *, rounding_mode=None", _div),
    "floor_divide": binary("floor({x} / {y})"),
    "remainder": binary("{x} - floor({x} / {y}) * {y}"),
    "fmod": binary("{x} - sign({x} / {y}) * floor(abs({x} / {y})) * {y}"),
    "__radd__": binary("{y} + {x}"),
    "__rmul__": binary("{y} * {x}"),
    "__rsub__": binary("{y} - {x}"),
    "__rdiv__": binary("{y} / {x}"),
    "__rmod__": binary("{y} - floor({y} / {x}) * {x}"),
    "__rpow__": binary("{y} ^ {x}"),
    "pow": binary("{x} ^ {y}"),
    "float_power": binary("{x} ^ {y}"),
    "neg": unary("-{x}"),
    "positive": unary("{x}"),
    "square": unary("{x}^2"),
    "reciprocal": unary("1 / {x}"),
    "rsqrt": unary("1 / sqrt({x})"),
    "addcmul": elementwise("x, y, z, *, value=1", "{x} + {value} * {y} * {z}"),
    "addcdiv": elementwise("x, y, z, *, value=1", "{x} + {value} * {y} / {z}"),
    "lerp": elementwise("x, y, weight", "{x} + {weight} * ({y} - {x})"),
    "ldexp": binary("{x} * 2 ^ {y}"),
    # elementary functions
    "acosh": unary("log({x} + sqrt({x} - 1) * sqrt({x} + 1))"),
    "asinh": unary("sign({x}) * log1p(abs({x}) + {x}^2 / (1 + sqrt({x}^2 + 1)))"),
    "atanh": unary("(log1p({x}) - log1p(-{x})) / 2"),
    "ceil": unary("-floor(-{x})"),
    "trunc": unary("sign({x}) * floor(abs({x}))"),
    "frac": unary("{x} - sign({x}) * floor(abs({x}))"),
    "round": elementwise("x, *, decimals=0", _round),
    "round.decimals_0": elementwise("x, *, decimals=0", _round),
    "round.decimals_3": elementwise("x, *, decimals=0", _round),
    "round.decimals_neg_3": elementwise("x, *, decimals=0", _round),
    "deg2rad": unary("{x} * pi / 180"),
    "rad2deg": unary("{x} * 180 / pi"),
    "exp2": unary("2 ^ {x}"),
    "log2": unary("log({x}) / log(2)"),
    "log10": unary("log({x}) / log(10)"),
    "sgn": unary("sign({x})"),
    "digamma": unary("digamma({x})", 1e-9, TRIGAMMA),
    "sinc": unary("where({x} == 0, 1, sin(pi * {x}) / (pi * {x}))"),
    "logit": elementwise("x, eps=None", _logit),
    "xlogy": binary("xlogy({x}, {y})"),
    "special.xlog1py": binary("xlogy({x}, 1 + {y})"),
    "special.entr": unary("-xlogy({x}, {x})"),
    "special.ndtr": unary("erfc(-{x} / sqrt(2)) / 2"),
    "polygamma.polygamma_n_0": elementwise("x, n", _polygamma, 1e-9, TRIGAMMA),
    "special.polygamma.special_polygamma_n_0": elementwise("x, n", _polygamma, 1e-9, TRIGAMMA),
    "mvlgamma.mvlgamma_p_1": elementwise("x, p", _mvlgamma),
    "mvlgamma.mvlgamma_p_3": elementwise("x, p", _mvlgamma),
    "mvlgamma.mvlgamma_p_5": elementwise("x, p", _mvlgamma),
    "nan_to_num": elementwise("x, nan=0.0, posinf=None, neginf=None", _nan_to_num),
    "atan2": binary("atan2({x}, {y})"),
    "hypot": binary("hypot({x}, {y})"),
    "copysign": binary("abs({x}) * where({y} < 0 or 1 / {y} < 0, -1, 1)"),
    "logaddexp": binary("log(exp({x}) + exp({y}))"),
    "logaddexp2": binary("log(exp({x} * log(2)) + exp({y} * log(2))) / log(2)"),
    # choices and comparisons
    "maximum": binary("max({x}, {y})"),
    "minimum": binary("min({x}, {y})"),
    "max.binary": binary("max({x}, {y})"),
    "min.binary": binary("min({x}, {y})"),
    "fmax": binary("where({x} != {x}, {y}, where({y} != {y}, {x}, max({x}, {y})))"),
    "fmin": binary("where({x} != {x}, {y}, where({y} != {y}, {x}, min({x}, {y})))"),
    "clamp": elementwise("x, low=None, high=None", _clamp),
    "clamp_min": binary("max({x}, {y})"),
    "clamp_max": binary("min({x}, {y})"),
    "where": elementwise("x, condition, y", _where),
    "heaviside": elementwise("x, y", _heaviside),
    "masked_fill": elementwise("x, mask, value", "where({mask}, {value}, {x})"),
    "isclose": elementwise("x, y, rtol=1e-5, atol=1e-8, equal_nan=False", _isclose),
    "isnan": unary("{x} != {x}"),
    "isinf": unary("abs({x}) == inf"),
    "isposinf": unary("{x} == inf"),
    "isneginf": unary("{x} == -inf"),
    "isfinite": unary("abs({x}) < inf"),
    "isreal": unary("{x} == {x} or {x} != {x}"),
    "signbit": unary("{x} < 0 or 1 / {x} < 0"),
    "eq": binary("{x} == {y}"),
    "ne": binary("{x} != {y}"),
    "lt": binary("{x} < {y}"),
    "le": binary("{x} <= {y}"),
    "gt": binary("{x} > {y}"),
    "ge": binary("{x} >= {y}"),
    "logical_not": unary("{x} == 0"),
    "logical_and": binary("{x} != 0 and {y} != 0"),
    "logical_or": binary("{x} != 0 or {y} != 0"),
    "logical_xor": binary("({x} != 0) != ({y} != 0)"),
    # activations
    "nn.functional.relu": elementwise("x", "relu({x})"),
    "nn.functional.leaky_relu": elementwise(
        "x, negative_slope=0.01", "leaky_relu({x}, slope={negative_slope})"
    ),
    "nn.functional.elu": elementwise(
        "x, alpha=1.0, scale=1.0, input_scale=1.0", _elu
    ),
    "nn.functional.selu": elementwise("x", "selu({x})"),
    "nn.functional.celu": elementwise("x, alpha=1.0", "celu({x}, alpha={alpha})"),
    "nn.functional.prelu": Row("x, weight", _prelu, entrywise=True),
    "nn.functional.softplus": elementwise("x, beta=1.0, threshold=20.0", _softplus),
    "nn.functional.softsign": unary("softsign({x})"),
    "nn.functional.hardsigmoid": elementwise(
        "x", "hard_sigmoid({x})", 1e-7, "PyTorch's derivative is a float32 1/6"
    ),
    "nn.functional.silu": elementwise("x", "silu({x})"),
    "nn.functional.mish": elementwise("x", "mish({x})"),
    "nn.functional.gelu": elementwise("x, *, approximate='none'", _gelu),
    "nn.functional.logsigmoid": unary("log(sigmoid({x}))"),
    "nn.functional.tanhshrink": unary("{x} - tanh({x})"),
    "nn.functional.softshrink": elementwise(
        "x, lambd=0.5", "where({x} > {lambd}, {x} - {lambd}, where({x} < -{lambd}, {x} + {lambd}, 0))"
    ),
    "nn.functional.hardshrink": elementwise("x, lambd=0.5", "where(abs({x}) > {lambd}, {x}, 0)"),
    "nn.functional.hardtanh": elementwise(
        "x, min_val=-1.0, max_val=1.0", "clip({x}, {min_val}, {max_val})"
    ),
    "nn.functional.relu6": elementwise("x", "clip({x}, 0, 6)"),
    "nn.functional.hardswish": elementwise("x", "{x} * hard_sigmoid({x})"),
    "nn.functional.threshold": elementwise("x, threshold, value", _threshold),
}  # fmt: skip
