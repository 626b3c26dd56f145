"""ONNX's elementwise functions and reductions in bp."""

from __future__ import annotations

import math
from typing import Any

from mapping_onnx_arrays import static
from translate import Inexpressible, Row, axes, elementwise, moved, number, reshaped


def unary(template: str) -> Row:
    return elementwise("x", template)


def binary(template: str) -> Row:
    return elementwise("x, y", template)


def folded(template: str) -> Row:
    """Of any number of arrays, one after the other."""

    def rule(a: Any) -> str:
        text = str(a.xs[0])
        for x in a.xs[1:]:
            text = template.format(x=text, y=x)
        return f"({text}) / {len(a.xs)}" if "mean" in template else text

    return Row("*xs", rule, broadcasts=False)


def reduced(template: str) -> Row:
    """`keepdims` is 1 unless it is said, and no axes are all axes unless that is said."""

    def rule(a: Any) -> str:
        dims, noop = static(a, a.axes), a.noop_with_empty_axes
        if (dims is None or dims == ()) and noop:
            rest = None
        else:
            found = axes(dims, a.x.rank)
            if template[:3] in ("max", "min") and not math.prod(a.x.shape[i] for i in found):
                raise Inexpressible("nothing to reduce: bp raises on purpose")
            rest = f", axis={number(found)}" if a.x.rank else ""
            rest += ", keep=true" if a.keepdims and a.x.rank else ""
        if rest is None:
            return template.replace("{rest}", ", axis=()").format(x=a.x)
        x = f"1.0 * {a.x}" if a.x.kind == "bool" else a.x
        return template.format(x=x, rest=rest)

    return Row("x, axes=None, *, keepdims=1, noop_with_empty_axes=0", rule)


def _integer_div(a: Any) -> str:
    """Whole numbers are cut towards 0; bp's quotient of them is real."""
    q = f"{a.x} / {a.y}"
    return f"sign({q}) * floor(abs({q}))" if a.x.kind == "int" else q


def _mod(a: Any) -> str:
    q = f"{a.x} / {a.y}"
    whole = f"sign({q}) * floor(abs({q}))" if a.fmod else f"floor({q})"
    return f"{a.x} - {whole} * {a.y}"


def _pow(a: Any) -> str:
    return f"{a.x} ^ {a.y}"


def _clip(a: Any) -> str:
    text = str(a.x)
    if a.low is not None:
        text = f"max({text}, {a.low})"
    return f"min({text}, {a.high})" if a.high is not None else text


def _round(a: Any) -> str:
    down = a.let(f"floor({a.x})")
    even = f"where(2 * floor({down} / 2) == {down}, {down}, {down} + 1)"
    return f"where({a.x} - {down} == 0.5, {even}, floor({a.x} + 0.5))"


def _prelu(a: Any) -> str:
    return f"where({a.x} > 0, {a.x}, {a.slope} * {a.x})"


def _is_inf(a: Any) -> str:
    parts = [
        f"{a.x} == {s}inf" for s, on in (("-", a.detect_negative), ("", a.detect_positive)) if on
    ]
    return " or ".join(parts) if parts else f"{a.x} != {a.x} and {a.x} == {a.x}"


def _gelu(a: Any) -> str:
    return f"gelu({a.x})" if a.approximate == "none" else f"gelu_tanh({a.x})"


def _shrink(a: Any) -> str:
    l, b = number(a.lambd), number(a.bias)
    return f"where({a.x} < -{l}, {a.x} + {b}, where({a.x} > {l}, {a.x} - {b}, 0))"


def _arg(name: str) -> Any:
    def rule(a: Any) -> str:
        text = f"{name}({a.x}, axis={a.axis})"
        if a.select_last_index:
            last = a.x.shape[a.axis] - 1
            text = f"{last} - {name}(flip({a.x}, axis={a.axis}), axis={a.axis})"
        return reshaped(text, a.outputs[0].shape) if a.keepdims else text

    return rule


def _flat_softmax(name: str) -> Any:
    return lambda a: f"{name}({a.x}, axis={a.axis})"


def _hardmax(a: Any) -> str:
    axis = a.axis % a.x.rank
    n = a.x.shape[axis]
    return moved(f"one_hot(argmax({a.x}, axis={axis}), {n})", a.x.rank, -1, axis)


def _cumsum(a: Any) -> str:
    axis = static(a, a.axis)
    axis = (axis[0] if isinstance(axis, tuple) else axis) % a.x.rank
    x = f"flip({a.x}, axis={axis})" if a.reverse else str(a.x)
    text = f"cumsum({x}, axis={axis})"
    if a.exclusive:
        text = f"({text} - {x})"
    return f"flip({text}, axis={axis})" if a.reverse else text


ROWS: dict[str, Row] = {
    # elementwise
    **{
        name: unary(template)
        for name, template in {
            "Abs": "abs({x})", "Acos": "acos({x})", "Asin": "asin({x})", "Atan": "atan({x})",
            "Acosh": "log({x} + sqrt({x} - 1) * sqrt({x} + 1))",
            "Asinh": "sign({x}) * log1p(abs({x}) + {x}^2 / (1 + sqrt({x}^2 + 1)))",
            "Atanh": "(log1p({x}) - log1p(-{x})) / 2", "Ceil": "-floor(-{x})", "Cos": "cos({x})",
            "Cosh": "cosh({x})", "Erf": "erf({x})", "Exp": "exp({x})", "Floor": "floor({x})",
            "Identity": "1 * {x}", "IsNaN": "{x} != {x}", "Log": "log({x})", "Mish": "mish({x})",
            "HardSwish": "{x} * hard_sigmoid({x})", "Neg": "-{x}", "Not": "not {x}",
            "Reciprocal": "1 / {x}", "Relu": "relu({x})", "Sigmoid": "sigmoid({x})",
            "Sign": "sign({x})", "Sin": "sin({x})", "Sinh": "sinh({x})",
            "Softplus": "softplus({x})", "Softsign": "softsign({x})", "Sqrt": "sqrt({x})",
            "Tan": "tan({x})", "Tanh": "tanh({x})",
        }.items()
    },
    **{
        name: binary(template)
        for name, template in {
            "Add": "{x} + {y}", "Sub": "{x} - {y}", "Mul": "{x} * {y}", "And": "{x} and {y}",
            "Or": "{x} or {y}", "Xor": "{x} != {y}", "Equal": "{x} == {y}", "Less": "{x} < {y}",
            "LessOrEqual": "{x} <= {y}", "Greater": "{x} > {y}", "GreaterOrEqual": "{x} >= {y}",
        }.items()
    },
    "Div": elementwise("x, y", _integer_div),
    "Mod": elementwise("x, y, *, fmod=0", _mod),
    "Pow": elementwise("x, y", _pow),
    "Max": folded("max({x}, {y})"),
    "Min": folded("min({x}, {y})"),
    "Sum": folded("{x} + {y}"),
    "Where": elementwise("c, x, y", "where({c}, {x}, {y})"),
    "Clip": elementwise("x, low=None, high=None", _clip),
    "Round": elementwise("x", _round),
    "IsInf": elementwise("x, *, detect_negative=1, detect_positive=1", _is_inf),
    "PRelu": Row("x, slope", _prelu),
    "LeakyRelu": elementwise("x, *, alpha=0.01", "leaky_relu({x}, slope={alpha})"),
    "Elu": elementwise("x, *, alpha=1.0", "elu({x}, alpha={alpha})"),
    "Celu": elementwise("x, *, alpha=1.0", "celu({x}, alpha={alpha})"),
    "Selu": elementwise(
        "x, *, alpha=1.67326319217681884765625, gamma=1.05070102214813232421875",
        "{gamma} * where({x} > 0, {x}, {alpha} * expm1({x}))",
    ),
    "HardSigmoid": elementwise("x, *, alpha=0.2, beta=0.5", "clip({alpha} * {x} + {beta}, 0, 1)"),
    "Gelu": elementwise("x, *, approximate='none'", _gelu),
    "Swish": elementwise("x, *, alpha=1.0", "{x} * sigmoid({alpha} * {x})"),
    "Shrink": elementwise("x, *, bias=0.0, lambd=0.5", _shrink),
    "ThresholdedRelu": elementwise("x, *, alpha=1.0", "where({x} > {alpha}, {x}, 0)"),
    # reductions
    "ReduceSum": reduced("sum({x}{rest})"),
    "ReduceMean": reduced("mean({x}{rest})"),
    "ReduceMax": reduced("max({x}{rest})"),
    "ReduceMin": reduced("min({x}{rest})"),
    "ReduceProd": reduced("prod({x}{rest})"),
    "ReduceL1": reduced("sum(abs({x}){rest})"),
    "ReduceL2": reduced("norm({x}{rest})"),
    "ReduceSumSquare": reduced("sum({x}^2{rest})"),
    "ReduceLogSum": reduced("log(sum({x}{rest}))"),
    "ReduceLogSumExp": reduced("logsumexp({x}{rest})"),
    "ArgMax": Row("x, *, axis=0, keepdims=1, select_last_index=0", _arg("argmax")),
    "ArgMin": Row("x, *, axis=0, keepdims=1, select_last_index=0", _arg("argmin")),
    "Softmax": Row("x, *, axis=-1", _flat_softmax("softmax")),
    "LogSoftmax": Row("x, *, axis=-1", _flat_softmax("log_softmax")),
    "Hardmax": Row("x, *, axis=-1", _hardmax),
    "CumSum": Row("x, axis, *, exclusive=0, reverse=0", _cumsum),
}  # fmt: skip
