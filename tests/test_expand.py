"""What -O2 writes out in simpler operators is what -O1 computes, at the edges too."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import bpc
from bpc.codegen.expression import name
from bpc.codegen.spelling import Speller, Term, code_of
from bpc.compiler import ADJOINT, differentiate, front, run
from bpc.ops import OPS, helpers, network_helpers
from bpc.source import Source
from bpc.types import Axis, Type, size

DATA = ("plain", "large", "ties", "zeros", "-inf", "nan")
#: expressions over x, y: [4, 6], z: [2, 3, 6], images [2, 5, 6, 3], label int[4] and W: [2, 3, 3, 2]
CASES = {
    "sums": "sum(x) + sum(sum(x, axis=0)^2) + sum(sum(x, axis=1)^2) + sum(sum(z, axis=(0, 2))^2)"
    " + sum(sum(z, axis=1)^2) + sum(sum(z, axis=-1, keep=true)^2)",
    "means": "mean(x) + sum(mean(x, axis=0)^2) + sum(mean(z, axis=(0, 1))^2) + mean(z, axis=(1, 2))[0]",
    "extrema": "sum(max(x, axis=1)^2) + sum(max(x, axis=0)^2) + max(x) + sum(min(x, axis=1) * y[:, 0])",
    "statistics": "sum(var(x, axis=1)) + sum(std(x, axis=0)) + sum(norm(x, axis=1)) + std(z)",
    "logsumexp": "sum(logsumexp(x, axis=1)) + sum(logsumexp(x, axis=0)^2) + logsumexp(z)",
    "softmax": "sum(softmax(x, axis=1) * y) + sum(softmax(x, axis=0) * y) + sum(softmax(z)[..., 0])",
    "log_softmax": "sum(log_softmax(x, axis=1) * y) + sum(log_softmax(z, axis=1))",
    "cross_entropy": "mean(cross_entropy(x, label)) + sum(cross_entropy(x, label, ignore=2))",
    "smoothing": "mean(cross_entropy(x, label, smoothing=0.2)) + sum(nll(y, label))",
    "one_hot": "sum(one_hot(label, 6) * x)",
    "layer_norm": "sum(layer_norm(x, 1.5, 0.5) * y) + sum(layer_norm(x, 1, 0, eps=0.1) * y)",
    "rms_norm": "sum(rms_norm(x, 1.5) * y) + sum(group_norm(x, 1, 0, groups=2) * y)",
    "softplus": "sum(softplus(x) * y) + sum(bce_with_logits(x, y)) + sum(sigmoid(x) * y)",
    "relu": "sum(relu(x) * y) + sum(max(x, 0.3)) + sum(min(x, -0.3) * y)",
    "powers": "sum(x^2 * y) + sum((x / 1000)^3) + sum((x / 1000)^7 * y)",
    "triangles": "sum(tril(x) * y) + sum(triu(x, k=1) * y) + sum(tril(z, k=-1))",
    "attention": "sum(attention(z, z, z, causal=true)^2) + sum(attention(z, 2 * z, z))",
    "matmul": "sum((z @ y.T)^2) + sum((z @ y[0])^2)",
    "einsum": 'sum(einsum("bij,jk->ibk", z, x.T)^2) + einsum("ij,ij->", x, y) + sum(z^3)'
    ' + sum(einsum("bij,bij->b", z, 2 * z)^2) + sum(einsum("bij,bij->ij", z, z))',
    "einsum_batched": 'sum(einsum("bij,bkj->kbi", z, 2 * z)^2)'
    ' + sum(einsum("bij,ijk->ibk", z, image[0, :3] * image[1, :3])^2)'
    ' + sum(einsum("nhwc,nhwd->ncd", image, image[..., :2])^2)',
    "einsum_neighbours": 'sum(einsum("nhwc,hwcd->nd", image[:, :2, :3], W)^2)'
    ' + sum(einsum("nhwc,cd->dnhw", image, W[0, 0])^2) + sum(einsum("hc,cd->dh", W[0, 0].T, W[1, 0]))',
    "conv2d": "sum(conv2d(image, W, stride=(2, 1), pad=(1, 2))^2) + sum(conv2d(image, W))",
    "conv_dilated": "sum(conv2d(image, W, dilation=(2, 1), pad=1)^2)",
    "conv_point": "sum(conv2d(image, W[:1, :1])^2)",
    "conv_transpose2d": "sum(conv_transpose2d(image[..., :2], W, stride=2, pad=1, output_pad=1)^2)",
    "max_pool": "sum(max_pool2d(image, 2)^2) + sum(max_pool2d(image, 3, stride=2, pad=1))",
    "convolved": "sum(reshape(max_pool2d(tanh(conv2d(image, W, pad=1) + x[0, :2]), (4, 2)), [2, 6])^2)"
    " + sum(softmax(conv2d(image, W), axis=-1) * image[:, :4, :4, :2])"
    " + sum(mean(conv2d(image, W), axis=(0, 2))^2) + sum((conv2d(image, W) @ W[0, 0, :2])^2)",
    "avg_pool": "sum(avg_pool2d(image, 2)^2) + sum(avg_pool2d(image, (2, 3), stride=1)^2)",
    "gates": "sum(sigmoid(x[:, :2]) * sigmoid(x[:, 2:4]) * tanh(x[:, 4:]))",
}
SHAPES = {"x": (4, 6), "y": (4, 6), "z": (2, 3, 6), "image": (2, 5, 6, 3), "W": (2, 3, 3, 2)}
HEAD = "\n".join(f"param {k}: {list(v)}" for k, v in SHAPES.items())
SECOND = ("powers", "matmul", "einsum", "conv2d", "max_pool", "softplus", "layer_norm", "softmax")


def text(expression: str) -> str:
    return f"input label: int[4]\n{HEAD}\ncost J = {expression}\n"


def draw(data: str, dtype: type) -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(3)
    found = {}
    for key, shape in SHAPES.items():
        v = rng.uniform(0.05, 1.0, shape)
        if key in ("x", "z", "image"):
            v = rng.normal(size=shape)
            v = {"large": v * 1000, "ties": np.round(v), "zeros": v * 0.0}.get(data, v)
            if data == "large":
                v.flat[::7] = 1000.0
            if data in ("-inf", "nan"):
                v.flat[1] = float(data)
        found[key] = v.astype(dtype)
    return found


def measured(module: Any, params: dict[str, Any], label: Any) -> tuple[dict[str, Any], set[str]]:
    """The cost and the gradient, and which warnings there were."""
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        value, grads = module.value_and_grad(params, label)
    return {"J": np.asarray(value), **grads}, {str(w.message) for w in raised}


def check(expression: str, data: str, dtype: type) -> None:
    first, second = (bpc.load(text(expression), level=level, verify_ir=True) for level in (1, 2))
    params, label = draw(data, dtype), np.array([0, 5, 2, 3])
    expected, usual = measured(first, params, label)
    found, warned = measured(second, params, label)
    for key, value in expected.items():
        assert found[key].dtype == value.dtype and found[key].shape == value.shape
        finite = np.abs(value[np.isfinite(value)])
        scale = max(1.0, float(finite.max(initial=0.0)))
        rtol = 1e-12 if dtype is np.float64 else 1e-5
        np.testing.assert_allclose(
            found[key], value, rtol=rtol, atol=rtol * scale, err_msg=f"{key} of {expression}"
        )
    if data not in ("-inf", "nan"):
        assert warned <= usual, expression


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("case", CASES)
def test_levels_agree(case: str, data: str, dtype: type) -> None:
    check(CASES[case], data, dtype)


@pytest.mark.parametrize("data", DATA)
def test_pools_of_relu(data: str) -> None:
    """The same where entries tie, for 0 too."""
    pools = "max_pool2d(relu(image), 2)^2", "max_pool2d(max(image, 0.3), 3, stride=2, pad=1)"
    check(f"sum({pools[0]}) + sum({pools[1]})", data, np.float64)


@pytest.mark.parametrize("case", SECOND)
def test_gradients_of_gradients(case: str) -> None:
    by = next(v for v in ("image", "z", "x") if f"({v}" in CASES[case])
    body = f"u = {CASES[case]}\ng = grad(u, {by})"
    source = text("u + sum(g^2)").replace("cost", f"{body}\ncost")
    first, second = (bpc.load(source, level=level, verify_ir=True) for level in (1, 2))
    params, label = draw("plain", np.float64), np.array([0, 5, 2, 3])
    expected, _ = measured(first, params, label)
    found, _ = measured(second, params, label)
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-10, atol=1e-10)


def test_each_operator_that_is_written_out_has_a_case() -> None:
    met = set()
    for expression in CASES.values():
        source = Source("case", text(expression))
        program = differentiate(front(source, {}), source, (), 2)
        for function in program.functions.values():
            met |= {e.op for e in run(function, ADJOINT[2], False).body}
        # `share` writes logsumexp out where it is not inside `grad`.
        met |= {e.op for f in front(source, {}).functions.values() for e in f.body}
    assert {name for name, op in OPS.items() if op.expand is not None} <= met


@pytest.mark.parametrize("level", [1, 2])
def test_labels_out_of_range_are_named(level: int) -> None:
    m = bpc.load(text(CASES["cross_entropy"]), level=level)
    with pytest.raises(ValueError, match=r"label\[1\] is 6, expected 0 to 5"):
        m.value_and_grad(draw("plain", np.float64), np.array([0, 6, 1, 2]))


def test_ignored_rows() -> None:
    """All of them: 0 and 0, even where a row is no number."""
    m = bpc.load(text("sum(cross_entropy(x, label))"), level=2)
    params = draw("nan", np.float64)
    value, grads = m.value_and_grad(params, np.full(4, -1))
    assert value == 0.0
    assert not grads["x"].any()


@pytest.mark.parametrize("shape", [(10**6, 3), (10**6,), (300_001, 10), (4097, 64)])
def test_many_float32(shape: tuple[int, ...]) -> None:
    """Bias gradients and means keep 6 digits; equal entries are the worst that blocks can meet."""
    rank, columns = len(shape), shape[1:]
    end = "".join(f", {n}" for n in columns)
    source = f"dim N\ninput x: [N{end}]\nparam b: {list(columns) or ''}\n".replace(": \n", "\n")
    m = bpc.load(source + "cost J = mean(x * (b + x))\noutput s = sum(x, axis=0)", level=2)
    rng = np.random.default_rng(0)
    for x in (rng.random(shape, np.float32), np.full(shape, 0.1, np.float32)):
        exact = x.astype(np.float64)
        b = np.zeros(columns, np.float32) if rank > 1 else np.float32(0)
        value, grads = m.value_and_grad({"b": b}, x)
        np.testing.assert_allclose(value, (exact**2).mean(), rtol=1e-6)
        np.testing.assert_allclose(grads["b"], exact.sum(0) / x.size, rtol=1e-6)
        np.testing.assert_allclose(m.forward({"b": b}, x), exact.sum(0), rtol=1e-6)


# What entries say under `into`


class _Into:
    """An entry's `into` as Python, on arrays that are there already."""

    def __init__(self) -> None:
        self.speller = Speller({})
        self.names: dict[str, Any] = {**vars(helpers), **vars(network_helpers), "np": np}

    def __call__(self, op: str, args: list[Any], out: Any, **attrs: Any) -> None:
        terms = []
        for i, a in enumerate(args):
            number = isinstance(a, float)
            kind = {"b": "bool", "i": "int"}.get(np.asarray(a).dtype.kind, "real")
            code = self.speller.number(a) if number else name(f"a{i}")
            terms.append(Term(code, typed(kind, np.shape(a))))
        self.names |= {f"a{i}": a for i, a in enumerate(args)} | {"out": out}
        target = Term(name("out"), typed("real", out.shape))
        into = OPS[op].into
        if isinstance(into, str):
            code = self.speller.call(into, *terms, target)
        else:
            code = code_of(into(self.speller, target, *terms, **attrs))
        exec(code.text, self.names)  # noqa: S102 - the entries wrote it


def typed(kind: str, shape: tuple[int, ...]) -> Type:
    return Type(kind, tuple(Axis(size(n)) for n in shape))


TRICKY = np.array([[1.5, np.nan, np.inf], [-0.0, -np.inf, 2.0]])
HELD = np.array([[True, False, False], [True, True, False]])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_choices_are_bitwise(dtype: type) -> None:
    x, y = TRICKY.astype(dtype), TRICKY[::-1].astype(dtype)
    for args in ([HELD, x, 0.0], [HELD, x, y], [HELD, 0.0, y], [HELD, 2.5, 0.0], [HELD, x, -2.5]):
        expected = np.where(*args).astype(dtype)
        fresh = np.full(x.shape, 7.0, dtype)
        _Into()("select", args, fresh)
        np.testing.assert_array_equal(fresh, expected)
        for i in (1, 2):
            if isinstance(args[i], np.ndarray):
                shared = [a.copy() if isinstance(a, np.ndarray) else a for a in args]
                _Into()("select", shared, shared[i])
                np.testing.assert_array_equal(shared[i], expected)


@pytest.mark.parametrize(
    ("op", "shapes", "attrs", "expected"),
    [
        ("sigmoid", [(3, 4)], {}, lambda x: 1 / (1 + np.exp(-x))),
        ("maximum", [(3, 4), (3, 4)], {}, np.maximum),
        ("matmul", [(3, 4), (4, 5)], {}, np.matmul),
        ("matmul", [(2, 3, 4), (2, 4, 5)], {}, np.matmul),
        ("matmul", [(3, 4), (4,)], {}, np.matmul),
        ("sum", [(3, 4, 5)], {"axes": (1,), "keep": False}, lambda x: x.sum(1)),
        ("sum", [(3, 4)], {"axes": (0, 1), "keep": True}, lambda x: x.sum(keepdims=True)),
        ("max", [(3, 4)], {"axes": (0,), "keep": False}, lambda x: x.max(0)),
        ("min", [(3, 4)], {"axes": (1,), "keep": True}, lambda x: x.min(1, keepdims=True)),
        ("top", [(3, 6)], {"axes": (1,)}, lambda x: x.max(1, keepdims=True)),
        ("top", [(3, 6)], {"axes": (0,)}, lambda x: x.max(0, keepdims=True)),
        ("exp_less", [(3, 6), (3, 1)], {}, lambda x, y: np.exp(x - y)),
        ("add_rows", [(700, 6), (256,)], {}, None),
        ("concat", [(3, 4), (3, 2)], {"axis": 1}, lambda x, y: np.concatenate((x, y), 1)),
        ("stack", [(3, 4), (3, 4)], {"axis": 1}, lambda x, y: np.stack((x, y), 1)),
        ("copy", [(3, 4)], {}, np.copy),
        ("turned", [(2, 3, 70)], {}, lambda x: np.swapaxes(x, 1, 2)),
        ("turned", [(70, 3)], {}, np.transpose),
        ("pad", [(3, 4)], {"widths": ((1, 0), (0, 2)), "value": 2.0},
         lambda x: np.pad(x, ((1, 0), (0, 2)), constant_values=2.0)),
        ("einsum", [(3, 4), (4,)], {"operands": ("ij", "j"), "result": "i"}, np.matmul),
    ],
)  # fmt: skip
def test_writing_into_memory(op: str, shapes: Any, attrs: Any, expected: Any) -> None:
    rng = np.random.default_rng(0)
    args = [rng.normal(size=s) for s in shapes]
    if op == "add_rows":
        args[1][:] = 1.0
        wanted = args[0].sum(0)
    else:
        wanted = expected(*args)
    out = np.full(np.shape(wanted), 7.0)
    _Into()(op, args, out, **attrs)
    np.testing.assert_allclose(out, wanted, rtol=1e-12)


def test_windows_into_memory() -> None:
    """What -O2 writes for convolutions and pools, into memory that held something else."""
    rng = np.random.default_rng(0)
    x, size_, stride, dilation = rng.normal(size=(2, 7, 6, 3)), (2, 3), (2, 1), (1, 2)
    last = np.ascontiguousarray(x.transpose(3, 1, 2, 0))
    columns = network_helpers._window_columns(last, size_, stride, dilation)
    again = np.full(columns.shape, 7.0)
    network_helpers._window_columns(last, size_, stride, dilation, out=again)
    np.testing.assert_array_equal(columns, again)
    g = rng.normal(size=columns.shape)
    back = np.full(last.shape, 7.0)
    network_helpers._add_window_columns(g, last.shape, size_, stride, dilation, out=back)
    np.testing.assert_allclose((columns * g).sum(), (last * back).sum())
    for sides, step, spread in (
        ((2, 3), (2, 3), (1, 1)),
        ((3, 3), (2, 2), (1, 1)),
        ((2, 2), (1, 1), (2, 1)),
    ):
        windows = network_helpers._windows(x, sides, step, spread)
        parts = list(rng.normal(size=windows.shape))
        laid = np.full(x.shape, 7.0)
        network_helpers._lay_windows(parts, x.shape, sides, step, spread, out=laid)
        whole = network_helpers._unwindows(np.stack(parts), x.shape, sides, step, spread)
        np.testing.assert_allclose(laid, whole)


def test_joined_arrays_are_computed_in_place() -> None:
    """Parts that nothing else reads go straight to their slices, the others are copied there."""
    text = """dim N
input x: [N, 3]
param w: [3, 4], b: [N, 2]
z = x @ w
c = concat(tanh(z), b, 2 * z, axis=1)
s = concat(tanh(z + 1), concat(exp(z), tanh(b), axis=1), axis=1)
cost J = sum(c^3) + sum(s^2) + sum(max(z, 0.5)) + sum(min(0.1, z))
output c, s"""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(4, 3))
    params = {"w": rng.normal(size=(3, 4)), "b": rng.normal(size=(4, 2))}
    plain, fast = bpc.load(text, level=1), bpc.load(text, level=2)
    for _ in range(2):
        found = fast.forward(params, x)
        for key, expected in plain.forward(params, x).items():
            np.testing.assert_allclose(found[key], expected, rtol=1e-13)
        value, grads = plain.value_and_grad(params, x)
        other, slopes = fast.value_and_grad(params, x)
        assert np.isclose(value, other, rtol=1e-13)
        for key, slope in slopes.items():
            np.testing.assert_allclose(slope, grads[key], rtol=1e-12, atol=1e-14)
    code = bpc.compile_source(text, level=2)
    assert "np.tanh(z, c[:, :4])" in code


@pytest.mark.parametrize("count", [1, 255, 5000, 300_001])
def test_sums_of_many_float32_keep_six_digits(count: int) -> None:
    source = "dim N\ninput x: [N]\nparam w, b\ncost J = sum(w * x^2 + b * x) / N"
    m = bpc.load(source, level=2)
    x = np.full(count, 0.1, np.float32)  # all rounded the same way
    params = {"w": np.float32(1.5), "b": np.float32(0.3)}
    J, grads = m.value_and_grad(params, x)
    each = float(x[0])
    assert J == pytest.approx(1.5 * each**2 + 0.3 * each, rel=1e-6)
    assert grads["w"] == pytest.approx(each**2, rel=1e-6)
    assert grads["b"] == pytest.approx(each, rel=1e-6)


def test_results_are_computed_in_their_own_memory() -> None:
    text = bpc.compile_source("dim N\nparam x: [N]\ncost J = logsumexp(x)\n", "m.bp", level=2)
    assert "_exp_less(x, shift, dJ_dx)" in text
    source = "dim N\ninput x: [N]\nparam w\noutput y = exp(w * x)\ncost J = w^2\n"
    text = bpc.compile_source(source, "m.bp", level=2)
    assert "_forward_tile(w, x[part], memory, y[part])" in text  # in the cache all the same
    m = bpc.load(source, level=2)
    x = np.linspace(0.0, 1.0, 400_001)
    np.testing.assert_allclose(m.forward({"w": 0.5}, x), np.exp(0.5 * x), rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("rows", [5, 400])
@pytest.mark.parametrize("scale", [1.0, 5.0, 15.0, 40.0, 1e3, 1e30])
def test_shifted_exponentials_are_in_range(scale: float, rows: int, dtype: type) -> None:
    """Each row has a sum that is neither 0 nor inf; those of small entries are not shifted."""
    x = (np.random.default_rng(0).normal(size=(rows, 7)) * scale).astype(dtype)
    x[0] = x.max()
    x[1] = x.min()
    shift, added = np.full((rows, 1), 7.0, dtype), np.empty_like(x)
    _Into()("shift", [x], shift, axes=(1,), finite=True)
    most = 64 if dtype is np.float32 else 512
    assert shift.any() if np.abs(x).max() >= most else np.linalg.norm(x) > most or not shift.any()
    with np.errstate(all="raise", under="ignore"):
        _Into()("exp_less", [x, shift], added)
        ratio = added / added.sum(1, keepdims=True)
    expected = np.exp((x - x.max(1, keepdims=True)).astype(float))
    expected /= expected.sum(1, keepdims=True)
    np.testing.assert_allclose(
        ratio, expected, rtol=1e-5 if dtype is np.float32 else 1e-12, atol=1e-30
    )
