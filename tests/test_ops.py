"""Every function of the language, driven by its entry in the registry: values, shapes, gradients.

An entry's `cases` become calls in one bp program, compiled at each level, with random arguments from
its `domain` and a random cotangent for each result.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy import special

import bpc
import networks
from bpc.ops import OPS, Op
from oracle import Unsettled, check_gradient

LEVELS = (0, 1, 2)
WIDE = (-3.0, 3.0)
Arrays = dict[str, Any]

#: arithmetic as the language writes it
SIGNS = {"add": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "div": "{} / {}", "pow": "{} ^ {}",
         "neg": "-{}", "matmul": "{} @ {}"}  # fmt: skip
LANGUAGE = [op.name for op in OPS.values() if op.group != "internal" and op.name != "grad"]
#: entrywise functions that are written with others: they broadcast too
COMPOSED = ("where", "squared_error", "absolute_error", "huber", "hinge")
#: where the true derivative is not what bpc promises
NO_GRADIENT = {"stop": "passes no gradient", "sign": "0", "floor": "0", "argmax": "an int",
               "argmin": "an int", "any": "a bool", "all": "a bool"}  # fmt: skip


@dataclass(frozen=True)
class Argument:
    """One argument of a call: its name, kind (`real`, `bool`, `int<5`), shape, and how it is read."""

    name: str
    kind: str
    shape: tuple[Any, ...]
    domain: tuple[float, float] = WIDE
    index: str = ""
    regular: bool = False

    @property
    def declared(self) -> str:
        shape = f"[{', '.join(map(str, self.shape))}]" if self.shape else ""
        word = "param" if self.kind == "real" else "input"
        kind = "" if self.kind == "real" else self.kind.partition("<")[0]
        return f"{word} {self.name}: {kind}{shape}" if kind or shape else f"{word} {self.name}"

    def draw(self, rng: np.random.Generator, sizes: Mapping[str, int]) -> Any:
        """Entries well apart, so that no kink and no tie is near."""
        shape = tuple(sizes.get(n, n) for n in self.shape)
        count = math.prod(shape)
        if self.kind == "bool":
            return rng.permutation(np.arange(count) % 2 == 0).reshape(shape)
        if self.kind != "real":
            return rng.integers(0, int(self.kind[4:]), shape)
        low, high = self.domain
        grid = low + (high - low) * (np.arange(count) + rng.uniform(0.3, 0.7)) / max(count, 1)
        drawn = rng.permutation(grid).reshape(shape)
        if self.regular:  # the diagonal dominates: no singular matrix is near, and det > 0
            drawn = drawn / (3 * max(shape[-1], 1)) + 1.5 * np.eye(shape[-1])
        return drawn


@dataclass(frozen=True)
class Call:
    """One call of a function: the results' names, its arguments and options."""

    op: str
    tag: str
    arguments: tuple[Argument, ...]
    options: dict[str, Any] = field(hash=False)

    @property
    def text(self) -> str:
        values = [a.name + a.index for a in self.arguments]
        if self.op in SIGNS:
            return SIGNS[self.op].format(*values)
        positional = [written(v) for v in self.options.get("*", ())]
        spec = [f'"{v}"' for v in self.options.values() if isinstance(v, str)]
        named = [
            f"{k}={written(v)}"
            for k, v in self.options.items()
            if k != "*" and not isinstance(v, str)
        ]
        return f"{self.op}({', '.join([*spec, *values, *positional, *named])})"

    @property
    def results(self) -> tuple[str, ...]:
        """Names of the call's results and of those of its second use."""
        parts = 3 if self.op == "batch_norm" and len(self.arguments) == 3 else 1
        parts = self.options.get("parts", parts)
        return tuple(f"o{self.tag}" + "abcdef"[i] * (parts > 1) for i in range(parts))

    @property
    def twice(self) -> str | None:
        """The name of `f(x) + f(x) * f(x)`; tuples are used once."""
        return None if len(self.results) > 1 or self.op == "size" else f"u{self.tag}"

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.results, *([self.twice] if self.twice else []))

    @property
    def statements(self) -> list[str]:
        lines = [f"{', '.join(self.results)} = {self.text}"]
        if self.twice and self.op in SIGNS:
            lines.append(f"{self.twice} = ({self.text}) + ({self.text}) * ({self.text})")
        elif self.twice:
            lines.append(f"{self.twice} = {self.text} + {self.text} * {self.text}")
        return lines


def written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"({', '.join(map(written, value))}{',' * (len(value) == 1)})"
    return str(value)


def arity(op: Op) -> int:
    if op.cases:
        return len(op.cases[0][0])
    return 3 if op.name == "clip" else len(op.domain)


def entrywise(op: Op) -> bool:
    return op.elementwise or op.name in COMPOSED


def arguments(op: Op, tag: str, shapes: tuple[Any, ...]) -> tuple[Argument, ...]:
    found = []
    for i, shape in enumerate(shapes):
        kind, shape = (
            (shape[0], shape[1:]) if shape and isinstance(shape[0], str) else ("real", shape)
        )
        domain = op.domain[i] if i < len(op.domain) else WIDE
        regular, kind = kind == "regular", "real" if kind == "regular" else kind
        found.append(Argument(f"x{tag}_{i}", kind, shape, domain, regular=regular))
    return tuple(found)


def table(op: Op) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """The entry's cases; an elementwise operator needs none."""
    if op.cases:
        return list(op.cases)
    assert op.elementwise, f"{op.name} has no cases"
    return [(((3, 4),) * arity(op), {}), (((),) * arity(op), {})]


def stretched(op: Op) -> Iterator[tuple[tuple[Any, ...], tuple[str, ...]]]:
    """Shapes and indices that broadcast each argument in either direction."""
    n = arity(op)
    kinds = [("bool",) if op.name == "where" and i == 0 else () for i in range(n)]
    for i in range(n):
        for small, index in (((), ""), ((4,), ""), ((3,), "[:, new]"), ((1, 4), "")):
            shapes = tuple((*kinds[k], *(small if k == i else (3, 4))) for k in range(n))
            yield shapes, tuple(index if k == i else "" for k in range(n))
            shapes = tuple((*kinds[k], *((3, 4) if k == i else small)) for k in range(n))
            yield shapes, tuple("" if k == i else index for k in range(n))
    if n == 2:
        yield ((3,), (4,)), ("[:, new]", "[new, :]")


@cache
def calls(name: str) -> tuple[Call, ...]:
    """All calls of one function that the tests make."""
    op = OPS[name]
    found = []
    for k, (shapes, options) in enumerate(table(op)):
        found.append(Call(name, str(k), arguments(op, str(k), shapes), options))
    n = arity(op)
    if entrywise(op) and n > 1:
        for k, (shapes, indices) in enumerate(stretched(op)):
            args = arguments(op, f"b{k}", shapes)
            args = tuple(
                Argument(a.name, a.kind, a.shape, a.domain, i) for a, i in zip(args, indices)
            )
            found.append(Call(name, f"b{k}", args, {}))
    if name in ("max", "min"):
        for k, shapes in enumerate(
            [((3, 4), (4,)), ((), (3,)), ((3,), (3,), ()), ((3, 1), (3, 4))]
        ):
            found.append(Call(name, f"n{k}", arguments(op, f"n{k}", shapes), {}))
    real_pairs = [c for c in found if len(c.arguments) == 2 and len(set(c.arguments)) == 2]
    for c in real_pairs[:1]:
        a, b = c.arguments
        if (a.kind, a.shape) == (b.kind, b.shape) and name != "concat":
            low, high = zip(a.domain, b.domain)
            both = Argument("xs_0", a.kind, a.shape, (max(low), min(high)))
            found.append(Call(name, "same", (both, both), {}))
    return tuple(found)


def source(some: tuple[Call, ...], free: bool = False, seeded: bool = True) -> str:
    """The program: each result times a cotangent of its own, summed, is the cost."""
    lines = ["dim N", "param anchor: [N]"] if free else ["param anchor: [1]"]
    lines += dict.fromkeys(a.declared for c in some for a in c.arguments)
    body = [line for c in some for line in c.statements]
    names = [n for c in some for n in c.names]
    terms = ["sum(0 * anchor)"]
    if seeded:
        types = bpc.load(source(some, free, seeded=False)).OUTPUTS
        for name in names:
            shape = types[name].partition(" ")[2]
            if "floor" in shape:  # no shape that can be declared
                terms.append(f"sum(sin({name}))")
                continue
            lines.append(f"input s_{name}: {shape}" if shape else f"input s_{name}")
            terms.append(f"sum(s_{name} * {name})")
    return "\n".join([*lines, *body, f"cost J = {' + '.join(terms)}", f"output {', '.join(names)}"])


@cache
def module(name: str, level: int) -> ModuleType:
    return bpc.load(program(name), level=level)


@cache
def program(name: str) -> str:
    return source(calls(name))


def shape_of(text: str, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The shape that `real [N, 2*M]` declares."""
    inside = text.partition(" ")[2].strip("[]")
    found = [
        eval(s.replace("/", "//"), {"floor": int}, dict(sizes)) for s in inside.split(",") if s
    ]
    return tuple(found)


def draw(
    some: tuple[Call, ...], m: ModuleType, rng: np.random.Generator, sizes: Mapping[str, int] = {}
) -> tuple[Arrays, Arrays]:
    """Random params and inputs for a module."""
    values = {a.name: a.draw(rng, sizes) for c in some for a in c.arguments}
    params = {"anchor": np.ones(sizes.get("N", 1))} | {k: np.asarray(v) for k, v in values.items()}
    inputs = {k: params[k] for k in m.INPUTS if k in params}
    for key in m.INPUTS:
        if key.startswith("s_"):
            inputs[key] = rng.uniform(0.5, 2.0, shape_of(m.INPUTS[key], sizes))
            inputs[key] = np.asarray(inputs[key] * rng.choice([-1, 1], inputs[key].shape))
    return {k: params[k] for k in m.PARAMS}, inputs


def forward(m: ModuleType, params: Arrays, inputs: Arrays) -> Arrays:
    """The outputs by name."""
    some = {k: v for k, v in inputs.items() if not k.startswith("s_")}
    found = m.forward(params, **some)
    return found if isinstance(found, dict) else dict(zip(m.OUTPUTS, [found]))


# What NumPy and SciPy say


def rows(f: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, axis=None, keep=False: f(x, axis=axis, keepdims=keep)


def np_softmax(x: Any, axis: int = -1) -> Any:
    return special.softmax(x, axis)


def np_cross_entropy(x: Any, label: Any, smoothing: float = 0, ignore: int = -1) -> Any:
    classes = x.shape[-1]
    target = (1 - smoothing) * np.eye(classes)[label] + smoothing / classes
    return -(target * special.log_softmax(x, -1)).sum(-1) * (label != ignore)


def np_cosine(a: Any, b: Any) -> Any:
    return (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))


def extremum(f: Any, reduce: Any) -> Callable[..., Any]:
    def value(*xs: Any, axis: Any = None, keep: bool = False) -> Any:
        if len(xs) == 1:
            return reduce(xs[0], axis=axis, keepdims=keep)
        found = xs[0]
        for x in xs[1:]:
            found = f(found, x)
        return found

    return value


def np_pad(x: Any, widths: Any, value: float = 0) -> Any:
    return np.pad(x, widths, constant_values=value)


def np_norm(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.sqrt((x**2).sum(axis, keepdims=keepdims))


REFERENCE: dict[str, Callable[..., Any]] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "pow": np.power,
    "neg": np.negative, "exp": np.exp, "log": np.log, "log1p": np.log1p, "expm1": np.expm1,
    "sqrt": np.sqrt, "abs": np.abs, "sign": np.sign, "floor": np.floor, "sin": np.sin,
    "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
    "atan2": np.arctan2, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "erf": special.erf,
    "erfc": special.erfc, "lgamma": special.gammaln, "digamma": special.digamma,
    "xlogy": special.xlogy, "hypot": np.hypot, "clip": np.clip, "where": np.where,
    "sigmoid": special.expit, "softplus": lambda x: np.log(1 + np.exp(x)),
    "relu": lambda x: x * (x > 0),
    "leaky_relu": lambda x, slope=0.01: np.where(x > 0, x, slope * x),
    "elu": lambda x, alpha=1.0: np.where(x > 0, x, alpha * (np.exp(x) - 1)),
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * (np.exp(x) - 1)),
    "celu": lambda x, alpha=1.0: np.where(x > 0, x, alpha * (np.exp(x / alpha) - 1)),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "hard_sigmoid": lambda x: np.minimum(1, np.maximum(0, x / 6 + 0.5)),
    "silu": lambda x: x * special.expit(x), "gelu": lambda x: x * special.ndtr(x),
    "gelu_tanh": lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "mish": lambda x: x * np.tanh(np.log(1 + np.exp(x))),
    "softmax": np_softmax, "log_softmax": lambda x, axis=-1: np.log(np_softmax(x, axis)),
    "sum": rows(np.sum), "mean": rows(np.mean), "var": rows(np.var), "std": rows(np.std),
    "prod": rows(np.prod), "any": rows(np.any), "all": rows(np.all),
    "norm": rows(np_norm), "logsumexp": rows(special.logsumexp),
    "max": extremum(np.maximum, np.max), "min": extremum(np.minimum, np.min),
    "argmax": np.argmax, "argmin": np.argmin, "cumsum": np.cumsum,
    "stop": lambda x: x, "broadcast": np.broadcast_to, "reshape": np.reshape,
    "transpose": lambda x, *order: np.transpose(x, order or None), "flip": np.flip,
    "split": lambda x, parts, axis: np.split(x, parts, axis),
    "concat": lambda *xs, axis=0: np.concatenate(xs, axis),
    "stack": lambda *xs, axis=0: np.stack(xs, axis), "pad": np_pad,
    "roll": lambda x, n, axis: np.roll(x, n, axis), "zeros": lambda *n: np.zeros(n),
    "ones": lambda *n: np.ones(n), "eye": np.eye, "arange": np.arange,
    "one_hot": lambda i, classes: np.eye(5)[i][..., :classes], "tril": np.tril, "triu": np.triu,
    "diag": lambda x: np.diag(x) if x.ndim == 1 else np.diagonal(x, 0, -2, -1),
    "size": lambda x, axis: x.shape[axis], "matmul": np.matmul, "dot": np.dot, "outer": np.outer,
    "det": np.linalg.det, "logdet": lambda x: np.log(np.linalg.det(x)), "inv": np.linalg.inv,
    "solve": np.linalg.solve, "trace": lambda x: np.trace(x, 0, -2, -1), "einsum": lambda *xs, spec: np.einsum(spec, *xs),
    "squared_error": lambda p, t: (p - t) ** 2, "absolute_error": lambda p, t: np.abs(p - t),
    "huber": lambda p, t, delta=1.0: special.huber(delta, p - t),
    "hinge": lambda s, y: np.maximum(0, 1 - s * y), "cross_entropy": np_cross_entropy,
    "bce_with_logits": lambda z, t: -t * np.log(special.expit(z)) - (1 - t) * np.log(special.expit(-z)),
    "nll": lambda x, i: -np.take_along_axis(x, i[..., None], -1)[..., 0],
    "kl_div": lambda p, q: special.rel_entr(p, q).sum(-1), "cosine_similarity": np_cosine,
    **networks.REFERENCE,
}  # fmt: skip


def test_no_function_is_left_out() -> None:
    assert set(REFERENCE) == set(LANGUAGE)
    for name in LANGUAGE:
        assert calls(name), name
    assert set(NO_GRADIENT) <= set(LANGUAGE)


@pytest.mark.parametrize("name", LANGUAGE)
def test_values_and_shapes(name: str) -> None:
    """What NumPy says; declared and actual types are the same; the levels agree."""
    some = calls(name)
    results: list[Arrays] = []
    for level in LEVELS:
        m = module(name, level)
        params, inputs = draw(some, m, np.random.default_rng(1))
        found = forward(m, params, inputs)
        results.append(found)
        given = params | inputs
        for call in some:
            values = [given[a.name][eval_index(a.index)] for a in call.arguments]
            positional = call.options.get("*", ())
            options = {k: v for k, v in call.options.items() if k != "*"}
            expected = REFERENCE[name](*values, *positional, **options)
            expected = expected if len(call.results) > 1 else [expected]
            for label, value in zip(call.results, expected):
                np.testing.assert_allclose(
                    found[label], value, rtol=1e-11, atol=1e-13, err_msg=call.text
                )
            if call.twice:
                value = expected[0] + expected[0] * (1 * expected[0])
                np.testing.assert_allclose(found[call.twice], value, rtol=1e-9, atol=1e-12)
            for label in call.names:
                kind = m.OUTPUTS[label].partition(" ")[0]
                assert found[label].shape == shape_of(m.OUTPUTS[label], {}), call.text
                assert found[label].dtype == {"real": float, "int": int, "bool": bool}[kind]
    for other in results[1:]:
        for label, value in other.items():
            np.testing.assert_allclose(value, results[0][label], rtol=1e-13, atol=1e-14)


def eval_index(text: str) -> Any:
    """`[:, new]` as NumPy's index."""
    items = [None if "new" in part else slice(None) for part in text.strip("[]").split(",") if part]
    return tuple(items)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", LANGUAGE)
def test_gradient(name: str, level: int) -> None:
    """Against central differences, with a cotangent that is not all ones."""
    m = module(name, level)
    params, inputs = draw(calls(name), m, np.random.default_rng(2))
    rng = np.random.default_rng(3)
    if name in NO_GRADIENT:
        for key, grad in m.value_and_grad(params, **inputs)[1].items():
            assert not grad.any(), key
    else:
        check_gradient(
            m, params, inputs, rng, directions=3, tolerance=1e-7, step=0.01, context=name
        )
        grads = m.value_and_grad(params, **inputs)[1]
        for call in calls(name):
            for a in call.arguments if call.tag == "0" and name != "size" else ():
                assert a.kind != "real" or grads[a.name].any(), f"no gradient: {call.text}"


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", LANGUAGE)
def test_float32_stays_float32(name: str, level: int) -> None:
    m = module(name, level)
    params, inputs = draw(calls(name), m, np.random.default_rng(4))

    def narrow(arrays: Arrays) -> Arrays:
        return {k: v.astype(np.float32) if v.dtype == float else v for k, v in arrays.items()}

    wide_out, wide = forward(m, params, inputs), m.value_and_grad(params, **inputs)
    out, found = (
        forward(m, narrow(params), narrow(inputs)),
        m.value_and_grad(narrow(params), **narrow(inputs)),
    )
    for label, value in out.items():
        kind = m.OUTPUTS[label].partition(" ")[0]
        assert value.dtype == {"real": np.float32, "int": np.int64, "bool": bool}[kind], label
        np.testing.assert_allclose(value, wide_out[label], rtol=2e-4, atol=2e-4, err_msg=label)
    for key, grad in found[1].items():
        assert type(grad) is np.ndarray and grad.dtype == np.float32, key
        scale = np.abs(wide[1][key]).max(initial=1.0)
        np.testing.assert_allclose(grad, wide[1][key], rtol=1e-3, atol=1e-3 * scale, err_msg=key)


# Memory


def views(x: np.ndarray) -> dict[str, np.ndarray]:
    """The same values laid out in other ways."""
    spread = np.zeros((*(2 * n for n in x.shape), 2), x.dtype)
    index: Any = (*(slice(None, None, 2) for _ in x.shape), ..., 1)
    every_other = spread[index]
    every_other[...] = x
    backwards = np.flip(np.flip(x).copy())
    fortran = np.asfortranarray(x) if x.ndim else x.copy()
    locked = x.copy()
    locked.flags.writeable = False
    return {
        "backwards": backwards, "every other": every_other, "fortran": fortran, "read-only": locked
    }  # fmt: skip


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", LANGUAGE)
def test_memory(name: str, level: int) -> None:
    """Any layout will do; inputs stay as they are; results are the caller's own."""
    m = module(name, level)
    params, inputs = draw(calls(name), m, np.random.default_rng(5))
    plain = forward(m, params, inputs), m.value_and_grad(params, **inputs)
    for layout in ("backwards", "every other", "fortran", "read-only"):
        p = {k: views(v)[layout] for k, v in params.items()}
        i = {k: views(v)[layout] for k, v in inputs.items()}
        before = {k: v.tobytes() for k, v in (p | i).items()}
        outputs, (_cost, grads) = forward(m, p, i), m.value_and_grad(p, **i)
        assert {k: v.tobytes() for k, v in (p | i).items()} == before, layout
        for label, value in outputs.items():
            np.testing.assert_allclose(value, plain[0][label], rtol=1e-12, atol=1e-12)
        for key, grad in grads.items():
            np.testing.assert_allclose(grad, plain[1][1][key], rtol=1e-12, atol=1e-12)
        given = [(k, v) for k, v in (p | i).items()]
        for results in (list(outputs.items()), list(grads.items())):
            own(results, given, f"{name} at -O{level}, {layout}")


def own(results: list[tuple[str, Any]], given: list[tuple[str, Any]], context: str) -> None:
    for k, (label, value) in enumerate(results):
        assert type(value) is np.ndarray, (context, label)
        assert value.flags.writeable and value.flags.c_contiguous, (context, label, value.flags)
        for other, array in [*given, *results[:k]]:
            assert not np.may_share_memory(value, array) or not np.shares_memory(value, array), (
                f"{context}: {label} shares memory with {other}"
            )


# Free dims, empty batches


def freed(call: Call, n: int) -> Call:
    """The call with every axis of size n free."""
    args = tuple(
        replace(a, shape=tuple("N" if s == n else s for s in a.shape)) for a in call.arguments
    )
    options = dict(call.options)
    if call.op in ("zeros", "ones", "eye", "arange"):
        options["*"] = tuple("N" if s == n else s for s in options["*"])
    if "shape" in options and call.op == "broadcast":
        options["shape"] = tuple("N" if s == n else s for s in options["shape"])
    return Call(call.op, call.tag, args, options)


@cache
def free_calls(name: str) -> tuple[tuple[str, Call], ...]:
    """Calls with one size free, as far as they compile: (text, call)."""
    found = []
    for call in calls(name)[: max(len(table(OPS[name])), 4)]:
        sizes = sorted({s for a in call.arguments for s in a.shape} | {
            s for s in call.options.get("*", ()) if name not in ("transpose",)
        })  # fmt: skip
        for n in sizes:
            if n > 1:
                candidate = freed(call, n)
                try:
                    found.append((source((candidate,), free=True), candidate))
                except bpc.BpcError:
                    continue
    return tuple(found)


#: what needs at least one entry
WINDOWED = ("conv1d", "conv2d", "conv_transpose2d", "max_pool2d", "avg_pool2d")
NONEMPTY = ("mean", "max", "min", "var", "std", "argmax", "argmin", "layer_norm", "rms_norm",
            "batch_norm", "group_norm", *WINDOWED)  # fmt: skip


#: what needs a size that is known
KNOWN: tuple[str, ...] = ()
LITTLE = r"a window of .* does not fit an axis of size .*|a pad that leaves nothing of the result"
REFUSED = (
    rf"((mean|max|min|var|std|argmax or argmin|a window) of no entries|{LITTLE}) \(<text>:\d+\)"
)


def possible(m: ModuleType, sizes: Mapping[str, int]) -> bool:
    """Whether no size is negative: a window may be too large for what it slides over."""
    texts = {**m.INPUTS, **m.OUTPUTS}.values()
    return all(n >= 0 for text in texts for n in shape_of(text, sizes))


#: for one free dim in every case
SIZE = 12


@pytest.mark.parametrize("name", LANGUAGE)
def test_free_sizes(name: str) -> None:
    """Shapes and gradients with a free dim."""
    assert bool(free_calls(name)) == (name not in KNOWN), name
    for text, call in free_calls(name):
        m = bpc.load(text)
        context = f"{call.text} with N = {SIZE}"
        if not possible(m, {"N": SIZE}):
            assert name in WINDOWED, context
            continue
        refused = False
        for seed in range(6, 12):
            params, inputs = draw((call,), m, np.random.default_rng(seed), {"N": SIZE})
            rng = np.random.default_rng(7)
            try:
                if name not in NO_GRADIENT:
                    check_gradient(m, params, inputs, rng, directions=1, step=1e-3, context=context)
                break
            except Unsettled:
                assert seed < 11, context
            except ValueError as error:
                assert name in WINDOWED and re.match(LITTLE, str(error)), context
                refused = True
                break
        for label, value in () if refused else forward(m, params, inputs).items():
            assert value.shape == shape_of(m.OUTPUTS[label], {"N": SIZE}), context


@pytest.mark.parametrize("name", LANGUAGE)
@np.errstate(divide="ignore", invalid="ignore")
def test_empty_batches(name: str) -> None:
    """With N = 0: empty, 0, or a ValueError that says why."""
    refused = 0
    for text, call in free_calls(name):
        if call.arguments and not any("N" in a.shape for a in call.arguments):
            continue
        for level in (0, 2):
            m = bpc.load(text, level=level)
            context = f"{call.text} with N = 0 at -O{level}"
            if not possible(m, {"N": 0}):
                assert name in WINDOWED, context
                continue
            params, inputs = draw((call,), m, np.random.default_rng(8), {"N": 0})
            try:
                outputs = forward(m, params, inputs)
                _, grads = m.value_and_grad(params, **inputs)
            except ValueError as error:
                if re.fullmatch(REFUSED, str(error)) and name in NONEMPTY:
                    refused += 1
                else:
                    assert str(error).startswith("label[") and "N" == call.arguments[0].shape[-1]
                continue
            for label in call.results:
                value = outputs[label]
                assert value.shape == shape_of(m.OUTPUTS[label], {"N": 0}), context
                assert not np.isnan(value).any(), context
                if name in ("sum", "norm") and "N" in call.arguments[0].shape:
                    assert not value.any(), context
            for key, grad in grads.items():
                assert grad.shape == params[key].shape and not np.isnan(grad).any(), (context, key)
    assert bool(refused) == (name in NONEMPTY)


# Scalars on Python floats


VALUES = (0.5, -0.5, 2.0, -3.0, 1.0, -1.0, 0.0, -0.0, 1e-300, 1e300, -1e300, 800.0, -800.0,
          math.inf, -math.inf, math.nan)  # fmt: skip
SCALARS = [
    op.name for op in OPS.values()
    if (op.elementwise and op.scalar and op.domain or ((),) in [c[0] for c in op.cases]
        or ((), ()) in [c[0] for c in op.cases])
    and op.group not in ("internal", "reductions") and op.name != "stack"
]  # fmt: skip


def scalar_call(name: str) -> str:
    names = ["x", "y", "z"][: arity(OPS[name])]
    return SIGNS[name].format(*names) if name in SIGNS else f"{name}({', '.join(names)})"


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", SCALARS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_scalars_are_as_numpy(name: str, level: int) -> None:
    """Modules of Python floats against arrays, on ordinary and on extreme values."""
    n = arity(OPS[name])
    names = ["x", "y", "z"][:n]
    scalar = bpc.load(f"param {', '.join(names)}\ncost J = {scalar_call(name)}", level=level)
    array = bpc.load(
        f"dim K\nparam {', '.join(f'{v}: [K]' for v in names)}\n"
        f"o = {scalar_call(name)}\ncost J = sum(o)\noutput o",
        level=level,
    )
    assert "_converted" in vars(scalar) and "_bind" in vars(array)
    values = VALUES if n < 3 else VALUES[::2]
    grid = np.array(list(itertools.product(values, repeat=n)))
    columns = {v: grid[:, i].copy() for i, v in enumerate(names)}
    expected = array.forward(columns)
    _, slopes = array.value_and_grad(columns)
    for k, row in enumerate(grid.tolist()):
        point = dict(zip(names, row))
        cost, grads = scalar.value_and_grad(point)
        assert type(cost) is float, (point, cost)
        assert same(cost, expected[k]), (name, point, cost, expected[k])
        assert same(scalar.cost(point), expected[k])
        for v in names:
            assert type(grads[v]) is float, (point, grads)
            assert same(grads[v], slopes[v][k]), (name, f"d/d{v}", point, grads[v], slopes[v][k])


def same(a: float, b: float) -> bool:
    """Equal to rounding, NaN as NaN, and 0 with its sign."""
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    if a == b == 0:
        return True
    return a == b or math.isclose(a, b, rel_tol=1e-12, abs_tol=5e-322)


@pytest.mark.parametrize("kind", ["python", "0-d", "numpy"])
@pytest.mark.parametrize("name", SCALARS)
def test_scalars_of_any_type(name: str, kind: str) -> None:
    """Python floats, 0-d arrays and NumPy's scalars, in modules of scalars and of arrays."""
    n = arity(OPS[name])
    names = ["x", "y", "z"][:n]
    domain = OPS[name].domain or (WIDE,) * n
    point = {v: (3 * low + high) / 4 for v, (low, high) in zip(names, domain)}
    make: Any = {"python": float, "0-d": np.array, "numpy": np.float64}[kind]
    text = f"param {', '.join(names)}\ncost J = {scalar_call(name)}"
    expected, slopes = bpc.load(text).value_and_grad(point)
    for extra in ("", "\noutput e = zeros(3)"):
        m = bpc.load(text + extra)
        cost, grads = m.value_and_grad({k: make(v) for k, v in point.items()})
        assert type(cost) is float and math.isclose(cost, expected, rel_tol=1e-14)
        for v in names:
            assert grads[v] == pytest.approx(slopes[v], rel=1e-13)
            if kind != "python":
                assert grads[v].dtype == float and grads[v].shape == ()


# Programs that went wrong once


MENDED = {
    "reductions of a number": ("param x: [2]\ncost J = norm(-3) * sum(x) + std(2) + prod(4)", 10.0),
    "two gradients that are one number": ("param x: [2], a, b\ncost J = a + b + sum(x)", 4.0),
    "a size with a sum below": ("dim N\nparam x: [N]\ncost J = sum(x) / (1 + (N / (N + 1))^2)", 18 / 13),
    "infinite padding": ("param x: [2]\ncost J = min(pad(x, 1, value=inf))", 1.0),
    "an identity matrix": ("param x: [2]\ncost J = sum(eye(2) @ x)", 2.0),
    "a matrix product in a branch": (
        "param x: [2]\ncost J = where(sum(x) > 0, sum(exp(where(x > 0, x @ ones(2, 2), 0)) - 1), 0)",
        2 * math.expm1(2),
    ),
    "an index that leaves nothing": ("param x: [2]\ncost J = x[0] + reshape(x[1:], [1])[0]", 2.0),
}  # fmt: skip


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", MENDED)
def test_mended(name: str, level: int) -> None:
    text, expected = MENDED[name]
    m = bpc.load(text, level=level, verify_ir=True)
    for dtype in (np.float64, np.float32):
        params = {k: np.ones(2 if "[" in v else (), dtype) for k, v in m.PARAMS.items()}
        cost, grads = m.value_and_grad(params)
        assert cost == pytest.approx(expected, rel=1e-6)
        own(list(grads.items()), list(params.items()), name)
        assert {g.dtype for g in grads.values()} == {np.dtype(dtype)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dim N\nparam x: [N]\na, b = split(x, 2, axis=0)\ncost J = sum(a * b)",
         r"the axis of size N has no parts of N/2 \(<text>:3\)"),
        ("dim N\nparam x: [N]\ncost J = sum(reshape(x, [2, -1]))",
         r"\[N\] does not fit the shape \[2, N/2\] \(<text>:3\)"),
    ],
)  # fmt: skip
def test_sizes_that_do_not_divide(text: str, message: str) -> None:
    m = bpc.load(text)
    m.value_and_grad({"x": np.ones(4)})
    with pytest.raises(ValueError, match=f"^{message}$"):
        m.value_and_grad({"x": np.ones(5)})


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ("kl_div(s, s)", "BP206"), ("cosine_similarity(s, s)", "BP206"), ("softmax(s)", "BP221"),
        ("sum(reshape(x, [0, -1]))", "BP203"), ('einsum("i,é->", x, x)', "BP210"),
        ("sum(max(x, s, keep=true))", "BP309"), ("cumsum(x)", "BP307"), ("dot(x, s)", "BP209"),
        ("diag(s)", "BP208"), ("sum(concat(x, s))", "BP201"), ("any(x)", "BP214"),
        ("det(x)", "BP208"), ("sum(inv(ones(2, 3)))", "BP208"),
        ("sum(solve(ones(3, 3), x))", "BP201"), ("sum(solve(eye(2), s))", "BP201"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_diagnosed(expression: str, code: str) -> None:
    with pytest.raises(bpc.BpcError) as error:
        bpc.load(f"param x: [2], s\ncost J = {expression}")
    assert [d.code for d in error.value.diagnostics] == [code]
