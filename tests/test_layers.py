"""Layers as a specification: names, nesting, loops, reading parameters, the library's numbers.

What is refused, and how it is said, is in tests/bad.
"""

from types import ModuleType
from typing import Any

import numpy as np
import pytest

import bpc
from bpc import lib
from bpc.cli.show import renamed
from bpc.compiler import _library
from bpc.syntax import Def
from oracle import check_gradient

HEAD = "use nn\ndim N\ninput x: [N, 4]\n"
LEVELS = (0, 1, 2)
Arrays = dict[str, Any]


def keys(text: str) -> list[str]:
    """The keys of a program's params, in declared order."""
    return list(bpc.load(f"{HEAD}{text}\n").PARAMS)


def filled(module: ModuleType, seed: int = 0, **dims: int) -> Arrays:
    """Params that no initialiser gave: none is zero, so that every term counts."""
    rng = np.random.default_rng(seed)
    return {k: rng.normal(size=np.shape(v)) * 0.7 for k, v in module.init(**dims).items()}


# Names and keys

KEYS: dict[str, tuple[str, list[str]]] = {
    "as": ("h = relu(nn.dense(x, 3) as up)\ncost J = sum(h)", ["up.W", "up.b"]),
    "the target": ("h = nn.dense(x, 3)\ncost J = sum(h)", ["h.W", "h.b"]),
    "the target in brackets": ("h = (nn.dense(x, 3))\ncost J = sum(h)", ["h.W", "h.b"]),
    "as wins over the target": ("h = nn.dense(x, 3) as up\ncost J = sum(h)", ["up.W", "up.b"]),
    "the cost": ("layer net(x) { param w; return w * sum(x) }\ncost J = net(x)", ["J.w"]),
    "an output": ("param v\noutput p = nn.rms_norm(x)\ncost J = v", ["v", "p.gain"]),
    "superscripts": ("h[2] = nn.rms_norm(x)\ncost J = sum(nn.rms_norm(h[2]) as n[3])",
                     ["h2.gain", "n3.gain"]),
    "several results": (("layer two(x) { param w; return w * x, w + x }\n"
                        "a, b = two(x) as both\ncost J = sum(a * b)"), ["both.w"]),
    "arguments come first": ("h = nn.rms_norm(nn.dense(x, 3) as up) as norm\ncost J = sum(h)",
                             ["up.W", "up.b", "norm.gain"]),
    "declared order": ("param a\nh = nn.rms_norm(x)\nparam b\ncost J = a * b * sum(h)",
                       ["a", "h.gain", "b"]),
    "nesting": (("layer block(x) {\n h = relu(nn.dense(x, 8) as up)\n param s\n"
                " return s * (nn.dense(h, 4) as down)\n}\n"
                "h = block(x) as one\nk = block(h)\ncost J = sum(k)"),
                ["one.up.W", "one.up.b", "one.s", "one.down.W", "one.down.b",
                 "k.up.W", "k.up.b", "k.s", "k.down.W", "k.down.b"]),
    "deep nesting": (("layer a(x) = nn.rms_norm(x) as n\nlayer b(x) = a(x) as a\n"
                     "layer c(x) = b(x) as b\nh = c(x)\ncost J = sum(h)"), ["h.b.a.n.gain"]),
    "superscripts inside": (("layer f(x) {\n for l in 1..2 { param w[l]; y[l] = w[l] * x }\n"
                            " return y[1] + y[2]\n}\nh = f(x)\ncost J = sum(h)"), ["h.w1", "h.w2"]),
    "in a for": (("layer block(x) = nn.rms_norm(x) as n\nh[0] = x\n"
                 "for l in 1..2 { h[l] = tanh(block(h[l-1]) as block[l]) }\ncost J = sum(h[2])"),
                 ["block1.n.gain", "block2.n.gain"]),
    "in a for by the target": (("h[0] = x\nfor l in 1..2 { h[l] = nn.rms_norm(h[l-1]) }\n"
                               "cost J = sum(h[2])"), ["h1.gain", "h2.gain"]),
    "in a def": ("def f(x) = tanh(nn.rms_norm(x) as n)\nh = f(x)\ncost J = sum(h)", ["n.gain"]),
    "in a def called by a layer": (("def f(x) = tanh(nn.rms_norm(x) as n)\nlayer g(x) = f(x)\n"
                                   "a = g(x)\nb = g(a)\ncost J = sum(b)"),
                                   ["a.n.gain", "b.n.gain"]),
    "in a def with superscripts": (("def f(x, l) = nn.rms_norm(x) as n[l]\n"
                                   "cost J = sum(f(x, 1) + f(x, 2))"), ["n1.gain", "n2.gain"]),
    "passed by name": (("def twice(x, f) { y = f(x, 4) as a; return f(y, 4) as b }\n"
                       "cost J = sum(twice(x, nn.dense))"), ["a.W", "a.b", "b.W", "b.b"]),
    "defaults": (("layer f(x, n=size(x, -1), g=nn.dense) = g(x, n) as inner\nh = f(x)\n"
                 "cost J = sum(h)"), ["h.inner.W", "h.inner.b"]),
    "no parameters, no name": ("layer f(x) = 2 * x\nparam w\ncost J = w * sum(f(x) + f(f(x)))",
                               ["w"]),
    "no parameters, one name in every round": (
        ("param w\nfor l in 1..3 { t = nn.dropout(x, 0.5); h[l] = w * t }\n"
         "cost J = sum(h[3])"), ["w"]),
    "apart from values": (("h = relu(nn.rms_norm(x) as h)\nup = 3 * h\nk = nn.rms_norm(up) as up\n"
                          "cost J = sum(k) + sum(h.gain) + sum(up.gain)"), ["h.gain", "up.gain"]),
    "apart from functions": (("layer block(x) = nn.rms_norm(x) as block\nh = block(x) as block\n"
                             "cost J = sum(h) + sum(block.block.gain)"), ["block.block.gain"]),
    "one name in two owners": (("layer f(x) = nn.rms_norm(x) as up\nh = nn.rms_norm(x) as up\n"
                               "k = f(x)\ncost J = sum(h + k)"), ["up.gain", "k.up.gain"]),
}  # fmt: skip


@pytest.mark.parametrize("name", KEYS)
def test_keys(name: str) -> None:
    text, want = KEYS[name]
    assert keys(text) == want


# Reading parameters

READS: dict[str, tuple[str, list[int]]] = {
    "h = nn.dense(x, 3)": ("h.W", [4, 3]),
    "h = relu(nn.dense(x, 3) as up)": ("up.W.T", [3, 4]),
    "h = nn.dense(x, 3) as up[2]": ("up[2].W", [4, 3]),
    "h[1] = nn.dense(x, 3)": ("h[1].W[0]", [3]),
    "layer f(x) {\n param w[1]: [4, 2], w[2]: [2, 3]\n return x @ w[1] @ w[2]\n}\nh = f(x)":
        ("h.w[1] @ h.w[2][:, 0]", [4]),
    "layer f(x) = nn.dense(x, 3) as up\nlayer g(x) = f(x) as in_[1]\nh = g(x)":
        ("h.in_[1].up.W", [4, 3]),
    "layer f(x) {\n param T: [4]\n return x * T\n}\nh = f(x) as heat": ("heat.T", [4]),
    "layer f(x) {\n y = nn.dense(x, 4) as up\n return y @ up.W.T\n}\nh = f(x)": ("h.up.W", [4, 4]),
    "layer f(x) {\n t = nn.dense(x, 4)\n return t @ t.W.T\n}\nh = f(x)": ("h.t.W", [4, 4]),
    "h = nn.dense(x, 3)\ndef penalty() = sum(h.W^2)": ("penalty() * h.b", [3]),
    "def f(x) { y = nn.dense(x, 3) as up; return y + up.b }\nh = f(x)": ("up.W", [4, 3]),
    "for l in 1..2 { t = nn.dense(x, 3) as up[l]; h[l] = t @ up[l].W.T }": ("up[1].W", [4, 3]),
}  # fmt: skip


@pytest.mark.parametrize("text", READS)
def test_reading_parameters(text: str) -> None:
    read, shape = READS[text]
    module = bpc.load(f"{HEAD}{text}\nread = {read}\ncost J = sum(read^2)\noutput read\n")
    assert module.OUTPUTS == {"read": f"real {shape}"}
    params = filled(module)
    check_gradient(module, params, {"x": np.ones((2, 4))}, np.random.default_rng(1))


def test_an_argument_hides_the_call_of_its_name() -> None:
    text = f"{HEAD}h = nn.dense(x, 3)\ndef f(h) = h.W\ncost J = sum(f(x))\n"
    with pytest.raises(bpc.BpcError, match=r"BP104.*an array of shape \[N, 4\] has no `.W`"):
        bpc.compile_source(text)


def test_a_def_that_is_passed_reads_the_calls_that_it_sees() -> None:
    text = (
        f"{HEAD}h = nn.dense(x, 4) as up\ndef read(y) = y @ up.W\n"
        "layer f(x, g) { t = tanh(nn.dense(x, 4) as up); return g(t) }\nk = f(h, read)\n"
        "cost J = sum(k)\n"
    )
    module = bpc.load(text)
    p, x = filled(module), np.ones((2, 4))
    t = np.tanh((x @ p["up.W"] + p["up.b"]) @ p["k.up.W"] + p["k.up.b"])
    assert np.isclose(module.cost(p, x), np.sum(t @ p["up.W"]))


@pytest.mark.parametrize("level", LEVELS)
def test_weights_are_shared_by_passing_them(level: int) -> None:
    text = (
        f"{HEAD}layer embed(x) {{ param W: [4, 3] ~ glorot; return tanh(x @ W) }}\n"
        "def project(h, W) = h @ W.T\n"
        "h = embed(x)\ny = project(h, h.W)\ncost J = mean((y - x)^2) + 0.1 * sum(h.W^2)\noutput y\n"
    )
    module = bpc.load(text, level=level)
    assert module.PARAMS == {"h.W": "real [4, 3]"}
    p, x = filled(module), np.random.default_rng(0).normal(size=(5, 4))
    assert np.allclose(module.forward(p, x), np.tanh(x @ p["h.W"]) @ p["h.W"].T)
    check_gradient(module, p, {"x": x}, np.random.default_rng(1))


# Loops that stay loops

LOOPS = {
    "a layer in a scan": (
        (
            "scan t in 0..T-1 carry (h = zeros(N, 4)) {\n"
            "    z = nn.dense(h, 4)\n"
            "    h = tanh(X[t] + z @ z.W + (nn.rms_norm(X[t]) as norm))\n"
            "}\ncost J = sum(h) + sum(z.W^2) + sum(norm.gain^2)"
        ),
        ["z.W", "z.b", "norm.gain"],
    ),
    "a scan in a layer": (
        (
            "layer run(X, n) {\n"
            "    param start: [n]\n"
            "    scan t in 0..size(X, 0)-1 carry (h = zeros(size(X, 1), n) + start) {\n"
            "        h = tanh(nn.dense(X[t], n) as a) + 0.5 * h\n"
            "        emit hs = h^2\n"
            "    }\n"
            "    return hs\n"
            "}\nh[1] = run(X, 3)\nh[2] = run(h[1], 2)\ncost J = sum(h[2]) + sum(h[1].a.b^2)"
        ),
        ["h1.start", "h1.a.W", "h1.a.b", "h2.start", "h2.a.W", "h2.a.b"],
    ),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", LOOPS)
def test_scan(name: str, level: int) -> None:
    text, want = LOOPS[name]
    module = bpc.load(
        f"use nn\ndim T, N\ninput X: [T, N, 4]\n{text}\n", level=level, verify_ir=True
    )
    assert list(module.PARAMS) == want
    rng = np.random.default_rng(4)
    check_gradient(module, filled(module), {"X": rng.normal(size=(3, 2, 4))}, rng)


# The generated module


def test_names_in_the_generated_module() -> None:
    text = f"{HEAD}h[1] = tanh(nn.dense(x, 3) as up[1])\ncost J = sum(h[1])\n"
    code = bpc.compile_source(text)
    for part in ('"up1.W": "real [4, 3]"', "up1_W", "dJ_dup1_W =", 'params["up1.b"]'):
        assert part in code


def test_names_with_one_spelling_in_python_do_not_meet() -> None:
    text = (
        "use nn\ndim up_b\ninput x: [up_b, 2], up_W\n"
        "h = nn.dense(x, 2) as up\nparam up_W_2\ncost J = sum(h) * up_W * up_W_2 / up_b\n"
    )
    module = bpc.load(text)
    assert module.PARAMS == {
        "up.W": "real [2, 2]", "up.b": "real [2]", "up_W_2": "real",
    }  # fmt: skip
    params = filled(module)
    check_gradient(module, params, {"x": np.ones((3, 2)), "up_W": 1.5}, np.random.default_rng(0))
    assert list(module.init(0)) == list(module.PARAMS)


def test_locals_of_a_layer_have_its_name() -> None:
    text = (
        f"{HEAD}layer block(x) {{ t = nn.dense(x, 4); s = tanh(t); return s * s }}\n"
        "a = block(x)\nb = block(a)\ncost J = sum(b)\n"
    )
    code = bpc.compile_source(text)
    assert "a_s = np.tanh(" in code and "b_s = np.tanh(" in code
    assert "dJ_da_s" in code and "dJ_db_t_W" in code


def test_steps_inside_a_call_have_its_name() -> None:
    text = f"{HEAD}h = tanh((nn.dense(x, 4) as up) * (nn.dense(x, 4) as down))\ncost J = sum(h)\n"
    code = bpc.compile_source(text, level=0)
    for step in ("up_matmul", "up", "down_matmul", "down"):
        assert f"    {step} = " in code


def test_wrt() -> None:
    text = f"{HEAD}layer f(x) = nn.dense(x, 3) as up\nh[1] = f(x)\ncost J = sum(h[1]^2)\n"
    module = bpc.load(text, wrt=["h1.up.b", "x"])
    params, x = filled(module), np.ones((2, 4))
    _, grads = module.value_and_grad(params, x)
    assert list(grads) == ["h1.up.b", "x"]
    assert np.allclose(grads["h1.up.b"], 2 * (x @ params["h1.up.W"] + params["h1.up.b"]).sum(0))


def test_scalar_layers_compute_on_floats() -> None:
    text = "layer neuron(x) { param w = 2, b = 8; return w * x + b }\ninput x\ncost J = neuron(x)\n"
    module = bpc.load(text)
    assert "numpy.ndarray" not in module.cost.__doc__ and "math" not in vars(module)
    assert module.value_and_grad({"J.w": 3.0, "J.b": 1.0}, 2.0) == (7.0, {"J.w": 2.0, "J.b": 1.0})
    assert module.init() == {"J.w": 2.0, "J.b": 8.0}


def test_initialisers_and_fans_are_those_of_any_param() -> None:
    text = (
        "use nn\ndim N, D\ninput x: [N, 400, 1, D]\n"
        "h = nn.conv2d(x, 300, (2, 1))\nk = nn.dense(h, 500)\ncost J = sum(k)\n"
    )
    params = bpc.load(text).init(3, D=50)
    assert params["h.W"].shape == (2, 1, 50, 300)
    assert np.isclose(params["h.W"].std(), (2 / 100) ** 0.5, rtol=0.02)
    assert np.isclose(params["k.W"].std(), (2 / 800) ** 0.5, rtol=0.02)
    assert not params["h.b"].any()


# The library against NumPy


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def conv2d(x: Any, W: Any, stride: tuple[int, int], pad: tuple[int, int], groups: int) -> Any:
    """By its definition, one output pixel after the other."""
    x = np.pad(x, ((0, 0), (pad[0],) * 2, (pad[1],) * 2, (0, 0)))
    kh, kw, depth, out = W.shape
    rows = (x.shape[1] - kh) // stride[0] + 1
    columns = (x.shape[2] - kw) // stride[1] + 1
    y = np.zeros((len(x), rows, columns, out))
    for i in range(rows):
        for j in range(columns):
            r, c = i * stride[0], j * stride[1]
            patch = x[:, r : r + kh, c : c + kw]
            for g in range(groups):
                few = slice(g * out // groups, (g + 1) * out // groups)
                part = patch[..., g * depth : (g + 1) * depth]
                y[:, i, j, few] = np.tensordot(part, W[..., few], ([1, 2, 3], [0, 1, 2]))
    return y


def normal(x: Any, axes: Any) -> Any:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-5)


def attention(p: Arrays, x: Any, heads: int, causal: bool) -> Any:
    """One head after the other, from each one's columns of Wq, Wk and Wv."""
    T, D = x.shape[-2:]
    parts = []
    for cut in np.split(np.arange(D), heads):
        q, k, v = (x @ p[f"y.W{n}"][:, cut] for n in "qkv")
        score = q @ np.swapaxes(k, -1, -2) / np.sqrt(D / heads)
        score = np.where(np.tri(T, dtype=bool) | (not causal), score, -np.inf)
        share = np.exp(score - score.max(-1, keepdims=True))
        parts.append(share / share.sum(-1, keepdims=True) @ v)
    return np.concatenate(parts, -1) @ p["y.Wo"]


def lstm(p: Arrays, x: Any) -> Any:
    h = c = np.zeros((x.shape[1], len(p["y.Wh"])))
    steps = []
    for entry in x:
        i, f, o, g = np.split(entry @ p["y.Wx"] + h @ p["y.Wh"] + p["y.b"], 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        steps.append(h)
    return np.stack(steps)


def gru(p: Arrays, x: Any) -> Any:
    h = np.zeros((x.shape[1], len(p["y.U"])))
    steps = []
    for entry in x:
        xr, xz, xn = np.split(entry @ p["y.W"] + p["y.b"], 3, -1)
        hr, hz, hn = np.split(h @ p["y.U"], 3, -1)
        z = sigmoid(xz + hz)
        h = (1 - z) * np.tanh(xn + sigmoid(xr + hr) * hn) + z * h
        steps.append(h)
    return np.stack(steps)


SIZES = {"N": 3, "T": 4}
LIBRARY: dict[str, tuple[str, Any, list[str]]] = {
    "nn.dense(x, 3)": ("N, 5", lambda p, x: x @ p["y.W"] + p["y.b"], ["W", "b"]),
    "nn.dense(x, n=2*size(x, -1))": ("2, N, 3", lambda p, x: x @ p["y.W"] + p["y.b"], ["W", "b"]),
    "nn.conv2d(x, 4, 3)": (
        "N, 5, 6, 2", lambda p, x: conv2d(x, p["y.W"], (1, 1), (0, 0), 1) + p["y.b"], ["W", "b"]),
    "nn.conv2d(x, 6, (3, 2), stride=(2, 1), pad=(1, 0), groups=2)": (
        "N, 5, 6, 4", lambda p, x: conv2d(x, p["y.W"], (2, 1), (1, 0), 2) + p["y.b"], ["W", "b"]),
    "nn.layer_norm(x)": (
        "N, 5", lambda p, x: normal(x, -1) * p["y.gain"] + p["y.bias"], ["gain", "bias"]),
    "nn.rms_norm(x)": (
        "N, 5", lambda p, x: x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * p["y.gain"],
        ["gain"]),
    "nn.batch_norm(x)": (
        "N, 2, 5", lambda p, x: normal(x, (0, 1)) * p["y.gain"] + p["y.bias"], ["gain", "bias"]),
    "nn.embedding(x, 7, 3)": ("int N, T", lambda p, x: p["y.E"][x], ["E"]),
    "nn.attention(x, 2)": (
        "T, 6", lambda p, x: attention(p, x, 2, False), ["Wq", "Wk", "Wv", "Wo"]),
    "nn.attention(x, 3, causal=true)": (
        "N, T, 6", lambda p, x: attention(p, x, 3, True), ["Wq", "Wk", "Wv", "Wo"]),
    "nn.attention(x, heads=1, causal=1 < 2)": (
        "2, N, T, 4", lambda p, x: attention(p, x, 1, True), ["Wq", "Wk", "Wv", "Wo"]),
    "nn.lstm(x, 3)": ("T, N, 2", lstm, ["Wx", "Wh", "b"]),
    "nn.gru(x, 3)": ("T, N, 2", gru, ["W", "U", "b"]),
    "nn.dropout(x, 0.4)": ("N, 5", lambda p, x: x, []),
}  # fmt: skip


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("call", LIBRARY)
def test_library(call: str, level: int) -> None:
    declared, reference, names = LIBRARY[call]
    shape = declared.removeprefix("int ")
    text = (
        f"use nn\ndim N, T\ninput x: {'int' if 'int' in declared else ''}[{shape}]\n"
        f"input target: [T, N]\ny = {call}\ncost J = sum(sin(y)) + sum(target)\noutput y\n"
    )
    module = bpc.load(text, level=level, verify_ir=True)
    assert list(module.PARAMS) == [f"y.{name}" for name in names]
    rng = np.random.default_rng(5)
    sizes = [SIZES.get(s) or int(s) for s in shape.split(", ")]
    x = rng.integers(0, 7, sizes) if "int" in declared else rng.normal(size=sizes)
    params = filled(module)
    assert np.allclose(module.forward(params, x), reference(params, x), rtol=1e-12, atol=1e-12)
    if names:
        inputs = {"x": x, "target": np.zeros((SIZES["T"], SIZES["N"]))}
        check_gradient(module, params, inputs, rng, tolerance=1e-7, step=0.02, context=call)


def test_the_table_has_the_whole_library() -> None:
    model = _library("nn")
    assert model is not None
    layers = {f"nn.{d.name.name}" for d in model.statements if isinstance(d, Def)}
    assert layers == {call.partition("(")[0] for call in LIBRARY}
    assert lib.source("torch") is None


def test_statistics_of_batch_norm() -> None:
    text = (
        f"{HEAD}input m: [4], v: [4]\ny, mean, var = nn.batch_norm(x, stats=true) as bn\n"
        "cost J = sum(y^3)\noutput mean, var\n"
        "output p = batch_norm(x, bn.gain, bn.bias, m, v)\n"
    )
    module = bpc.load(text)
    x = np.random.default_rng(0).normal(size=(6, 4))
    params = filled(module)
    out = module.forward(params, x, np.zeros(4), np.full(4, 1 - 1e-5))
    assert np.allclose(out["mean"], x.mean(0)) and np.allclose(out["var"], x.var(0))
    assert np.allclose(out["p"], x * params["bn.gain"] + params["bn.bias"])


def test_dropout_drops_where_there_is_an_rng() -> None:
    text = f"{HEAD}param w = 1\ncost J = w * mean(nn.dropout(x, 0.5))\n"
    module = bpc.load(text)
    x = np.ones((500, 4))
    assert module.cost({"w": 1.0}, x) == 1.0
    assert 0.9 < module.cost({"w": 1.0}, x, rng=np.random.default_rng(0)) < 1.1
    assert module.cost({"w": 1.0}, x, rng=np.random.default_rng(0)) != 1.0


# Places and errors


def test_lines_of_the_library_are_named_as_such() -> None:
    text = f"{HEAD}h = relu(nn.dense(x, 3) as up)\ncost J = sum(h)\n"
    code = bpc.compile_source(text, "model.bp", level=0)
    source = lib.source("nn")
    assert source is not None
    place = source.text[: source.text.index("return x @ W")].count("\n") + 1
    assert f"# nn.bp:{place}" in code and "# model.bp:4" in code


def test_a_file_of_the_name_of_the_library() -> None:
    text = "use nn\ninput x: [4]\nh = nn.dense(nothing, 3)\nk = nn.dense(x, 2.5)\ncost J = 1\n"
    with pytest.raises(bpc.BpcError) as error:
        bpc.compile_source(text, "nn.bp")
    places = [(d.span.source.text == text, d.code) for d in error.value.diagnostics]
    assert places == [(True, "BP101"), (False, "BP402")]


def test_the_command_line_names_the_file_but_leaves_the_library_its_name() -> None:
    text = "use nn\ninput x: [4]\nlayer f(x) = nn.dense(x, 2.5) as up\nh = f(x)\ncost J = 1\n"
    with pytest.raises(bpc.BpcError) as error:
        bpc.compile_source(text, "model.bp")
    (moved,) = renamed(error.value.diagnostics, "models/model.bp")
    assert str(moved.span).startswith("nn.bp:")
    assert [str(call) for call in moved.calls] == ["models/model.bp:4", "models/model.bp:3"]


def test_a_failed_call_fails_nothing_else() -> None:
    text = (
        f"{HEAD}h = relu(nn.dense(nothing, 3) as up)\nlayer block(x) = nn.dense(x, 4)\n"
        "k = sum(up.W) + sum(h)\nl = block(x) as block[1]\nm = sum(block[1].W)\ncost J = k\n"
    )
    with pytest.raises(bpc.BpcError) as error:
        bpc.compile_source(text)
    assert [d.code for d in error.value.diagnostics] == ["BP101", "BP132"]
