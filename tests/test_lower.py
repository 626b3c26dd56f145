"""The language as tables: small programs against the numbers, shapes or equations they mean.

Headings follow the design's LANGUAGE.md: lexical, statements, scopes, expressions, functions.
"""

from inspect import signature
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import bpc
from bpc.compiler import front
from bpc.printer import print_function
from bpc.source import Source


def load(text: str, **settings: Any) -> ModuleType:
    return bpc.load(f"{text}\n", settings=settings, verify_ir=True)


def cost(text: str, *inputs: Any, **settings: Any) -> float:
    module = load(text, **settings)
    value = module.cost(module.init(), *inputs)
    assert isinstance(value, float)
    return value


def equations(text: str) -> list[str]:
    """The IR of the cost, without its first and last line and the line numbers."""
    program = front(Source("test.bp", text), {})
    lines = print_function(program.functions["cost"]).splitlines()
    return [line.split("  #")[0].strip() for line in lines[1:-1]]


def shape(text: str, expression: str, **settings: Any) -> str:
    """The shape that OUTPUTS gives for an expression."""
    module = load(f"{text}\noutput result = {expression}\ncost J = 0", **settings)
    return str(module.OUTPUTS["result"])


def codes(text: str, **settings: Any) -> list[str]:
    with pytest.raises(bpc.BpcError) as error:
        load(text, **settings)
    return [f"{d.span.line}:{d.span.column} {d.code}" for d in error.value.diagnostics]


NUMBERS = {
    "1_000": 1000, ".5": 0.5, "1.": 1, "1e-3": 0.001, "2.5E2": 250, "1_0.5": 10.5,
    "1/2": 0.5, "7/2": 3.5, "6/3": 2, "1 - 2 - 3": -4, "2 * 3 + 4 * 5": 26, "12 / 3 / 2": 2,
    "2^3^2": 512, "-2^2": -4, "2^-1": 0.5, "(-2)^2": 4, "-2^-2": -0.25, "2**3": 8, "2 * -3": -6,
    "pi": np.pi, "-(-3)": 3, "--3": 3, "2 + 3 if true else 5": 5, "1 if 2 > 1 else 0": 1,
    "1 if not 2 > 1 else 0": 0, "1 if false else 2 if false else 3": 3,
    "1 if 1 < 2 and 2 < 1 or 3 == 3 else 0": 1, "1 if 1 != 1 or true and false else 2": 2,
    "true + true": 2, "-true": -1, "3 * false": 0, "(1, 2, 3,)[1]": 2, "[4, 5][-1]": 5,
    "sqrt(16)": 4, "max(1, 2, 3)": 3, "min(2, 1.5)": 1.5, "exp(0)": 1, "abs(-3)": 3,
    "where(2 > 1, 3, 4)": 3, "clip(5, 0, 1)": 1, "sigmoid(0)": 0.5, "relu(-3)": 0,
    "exp(-inf)": 0, "min(inf, 3)": 3, "hypot(3, 4)": 5, "floor(2.7)": 2, "sum(3)": 3,
    "10^300 / 10^300": 1, "(\n1 +\n2\n)": 3, "max(1,\n\n  2,)": 2,
}  # fmt: skip


def test_numbers() -> None:
    """One program for all: each is a number at compile time, so none has an equation."""
    names = [f"output p{i} = {text}" for i, text in enumerate(NUMBERS)]
    module = load("param w = 1\ncost J = w\n" + "\n".join(names))
    result = module.forward(module.init())
    for i, (text, value) in enumerate(NUMBERS.items()):
        assert result[f"p{i}"] == pytest.approx(value, rel=1e-15), text


# Names: text, inputs, cost. Params take their initial values.

SCOPES: list[tuple[str, tuple[Any, ...], float]] = [
    # Superscripts
    ("param w[1] = 2, w[2] = 5\ncost J = w[1] * w[2]", (), 10),
    ("param w[1] = 2\nw[1 + 1] = w[2 - 1] * 3\ncost J = w[2]", (), 6),
    ("param w[0] = 2, w[10] = 3\ncost J = w[10] - w[0]", (), 1),
    ("const k = 2\nparam w[k] = 7\ncost J = w[2]", (), 7),
    ("dim L = 3\nparam w[L] = 7\ncost J = w[3]", (), 7),
    ("dim H[1] = 4, H[2] = 5\nparam W: [H[1], H[2]] ~ ones\ncost J = sum(W)", (), 20),
    ("const a[1] = 4, a[2] = 5\nparam w = 1\ncost J = w * a[1] + a[2]", (), 9),
    ("input w: [3]\ncost J = w[1]", (np.array([1.0, 2, 3]),), 2),
    ("input x[1]: [3], x[2]: [3]\ncost J = x[1][0] * x[2][2]", (np.array([2.0, 0, 0]),
     np.array([0, 0, 5.0])), 10),
    ("param w[1]: [2, 3] ~ ones\ncost J = sum(w[1].T[0])", (), 2),
    # A superscripted name of a scope of its own
    ("input w: [3]\ndef f(x) { w[1] = x; w[2] = w[1] * 2; return w[2] }\ncost J = f(w[1])",
     (np.array([1.0, 2, 3]),), 4),
    ("param w[1] = 3\ndef f(w) = w[0] + w[1]\ninput x: [2]\ncost J = f(x) * w[1]",
     (np.array([1.0, 4.0]),), 15),
    # for: both bounds included, nested, empty, with params
    ("param w = 2\nz[0] = w\nfor l in 1..3 { z[l] = z[l-1] * w }\ncost J = z[3]", (), 16),
    ("z[0] = 0\nfor l in 1..4 { z[l] = z[l-1] + l }\ncost J = z[4]", (), 10),
    ("for l in 1..3 { param w[l] = 2 }\ncost J = w[1] + w[2] * w[3]", (), 6),
    (("for i in 1..2 { for j in 1..2 { param w[10 * i + j] = i * j } }\n"
     "cost J = w[11] + w[12] + w[21] + w[22]"), (), 9),
    ("param w = 3\nfor l in 1..0 { x = nothing }\nfor l in 2..-2 { y = nothing }\ncost J = w",
     (), 3),
    ("param w = 2\nt = 5\nfor l in 1..3 { t = w * l; u = t + 1; z[l] = u }\ncost J = z[3] + t",
     (), 12),
    ("dim L = 3\nz[0] = 1\nfor l in 1..L { z[l] = 2 * z[l-1] }\ncost J = z[L]", (), 8),
    ("for l in 1..2 { def f(x) = x * l; z[l] = f(10) }\ncost J = z[1] + z[2]", (), 30),
    ("for l in 1..2 { input x[l] = l }\ncost J = x[1] + 10 * x[2]", (), 21),
    ("for l in 1..1 { cost J = 3 }", (), 3),
    ("l = 7\nfor l in 1..2 { z[l] = l }\ncost J = l + z[2]", (), 9),
    # def: one expression or a block, defaults, names of arguments
    ("param w = 3\ndef f(x) = x^2\ncost J = f(w) + f(2)", (), 13),
    ("param w = 3\ndef f(x, k=2) {\n  y = x^k\n  return y + 1\n}\ncost J = f(w) + f(k=3, x=w)",
     (), 38),
    ("param w = 3\ndef f(x, y=x * 2, z=y + 1) = x + y + z\ncost J = f(w) + f(1, 1)", (), 20),
    ("def f() = 3\nparam w = 2\ncost J = w * f()", (), 6),
    ("param w = 3\ndef f(x) { return x, x * 2 }\na, b = f(w)\ncost J = b - a", (), 3),
    ("param w = 3\ndef dup(g) { return g, g }\na, b = dup(w * 2)\ncost J = a * b", (), 36),
    ("param w = 3\ndef two(g) { return g, (g, 1) }\na, b = two(w * 2)\ncost J = a * b[0]", (), 36),
    ("param w = 3\ndef f(x) { t = x * 2; return t }\nt = 1\ncost J = f(w) + f(t) + t", (), 9),
    (("param w = 3\ndef f(x) { z[1] = x; for l in 2..4 { z[l] = z[l-1] * 2 }; return z[4] }\n"
     "cost J = f(w)"), (), 24),
    ("param w = 3\ndef f(x) { for l in 1..3 { return x * l } }\ncost J = f(w)", (), 3),
    # it sees the names defined before it, and those alone
    ("scale = 10\nparam w = 3\ndef f(x) = x * scale\ndef g(scale) = f(scale)\ncost J = g(w)",
     (), 30),
    (("param w = 3\ndef f(x) = x + 1\ndef g(x) { def f(x) = x * 100; return f(x) }\n"
     "cost J = f(w) + g(w)"), (), 304),
    ("param w = 3\nfor l in 1..2 { k = l * 10; def f(x) = x + k; z[l] = f(w) }\ncost J = z[2]",
     (), 23),
    # functions passed by name; a call's name skips values that are no functions
    ("param w = 3\ndef twice(g, x) = g(g(x))\ndef sq(x) = x^2\ncost J = twice(sq, w)", (), 81),
    ("param w = -3\ndef apply(g, x) = g(x)\ncost J = apply(abs, w)", (), 3),
    (("param w = 3\ndef twice(g, x) = g(g(x))\ndef inc(x) = x + 1\n"
     "def up(x) = twice(inc, x)\ncost J = twice(up, w)"), (), 7),
    ("param abs = -3\ncost J = abs(abs)", (), 3),
    ("param w = 2\ndef f(x) = x + 1\ndef g(f) = f(f)\ncost J = g(w)", (), 3),
    ("param w = 2\nf = max\ncost J = f(w, 5)", (), 5),
    ("param w = 2\ndef g(fs) = fs[1](fs[0](w))\ndef inc(x) = x + 1\ncost J = g((inc, exp)) - exp(3)",
     (), 0),
    ("param w = 2\ndef relu(x) = 100 * x\ncost J = relu(w)", (), 200),
    # What is known at compile time stays known inside
    ("param w = 3\ndef f(x, n) = x if n == 0 else x * undefined\ncost J = f(w, 0)", (), 3),
    ("param w = 3\ndef f(x, deep=true) = x^2 if deep and not false else x\ncost J = f(w, false)",
     (), 3),
    (("param w = 3\ndef f(x, n) { z[0] = x; for l in 1..n { z[l] = z[l-1] + 1 }; return z[n] }\n"
     "cost J = f(w, 4)"), (), 7),
    ("input x: [2, 3]\ndef f(x, axes) = sum(max(x, axis=axes))\ncost J = f(x, (0, 1))",
     (np.arange(6.0).reshape(2, 3),), 5),
    ("dim N\ninput x: [N, 3]\ndef f(x, n) = sum(zeros(n, 3) + x) / n\ncost J = f(x, N)",
     (np.ones((4, 3)),), 3),
    ("param w = 3\ndef f(x, s) = x * s[0] + s[1][1]\ncost J = f(w, (2, (3, 4)))", (), 10),
    ("param w: [4] ~ ones\ndef f(x) = sum(x) if size(x, 0) == 4 else undefined\ncost J = f(w)",
     (), 4),
    ("dim N\ninput x: [N]\ndef f(x) = sum(x) if size(x, 0) > 2 else 0\ncost J = f(x)",
     (np.ones(2),), 0),
]  # fmt: skip


@pytest.mark.parametrize(("text", "inputs", "value"), SCOPES, ids=range(len(SCOPES)))
def test_scopes(text: str, inputs: tuple[Any, ...], value: float) -> None:
    assert cost(text, *inputs) == pytest.approx(value, rel=1e-12, abs=1e-12)


# Arrays: each expression against NumPy, which reads the second text where the first is not Python

ARRAYS = """
dim N, M = 4, K
input x: [N, 3], v: [N], y: [N, M, 3], s = 2.5, n: int = 3
input i: int[K], j: int[K], b: bool[N], k: int[N]
param W: [3, M] ~ normal(1)
const two = 2
"""
EXPRESSIONS: list[tuple[str, str]] = [
    # Slices
    ("x[0]", "x[0]"), ("x[-1]", "x[-1]"), ("x[:, 0]", "x[:, 0]"), ("x[1, 2]", "x[1, 2]"),
    ("x[:-1]", "x[:-1]"), ("x[1:] - x[:-1]", "x[1:] - x[:-1]"), ("x[0:3]", "x[0:3]"),
    ("x[:, 0:3]", "x[:, 0:3]"), ("x[:, 1:1]", "x[:, 1:1]"), ("x[2:, 1:]", "x[2:, 1:]"),
    ("x[::-1]", "x[::-1]"), ("x[::-2]", "x[::-2]"), ("x[::2]", "x[::2]"), ("x[1::2]", "x[1::2]"),
    ("x[:, ::-2]", "x[:, ::-2]"), ("y[:, 3:0:-1]", "y[:, 3:0:-1]"), ("y[:, 3:0:-2]", "y[:, 3:0:-2]"),
    ("y[:, -2:]", "y[:, -2:]"), ("y[:, :-2:-1]", "y[:, :-2:-1]"), ("y[:, -3::-1]", "y[:, -3::-1]"),
    ("x[-2:]", "x[-2:]"), ("x[-2::-1]", "x[-2::-1]"), ("x[2:N]", "x[2:]"), ("x[N-2]", "x[-2]"),
    ("x[N-2:]", "x[-2:]"), ("y[..., 0]", "y[..., 0]"), ("y[0, ..., 1]", "y[0, ..., 1]"),
    ("y[...]", "y[...]"), ("y[..., 1:, :]", "y[..., 1:, :]"), ("y[:, two]", "y[:, 2]"),
    ("y[:, M-1]", "y[:, 3]"), ("y[:, M/2:]", "y[:, 2:]"), ("x[0,]", "x[0]"), ("x[1][2]", "x[1][2]"),
    # new
    ("v[:, new]", "v[:, None]"), ("v[new]", "v[None]"), ("x[new, :, new, 0]", "x[None, :, None, 0]"),
    ("v[:, new] - v[new, :]", "v[:, None] - v[None, :]"), ("v[..., new] * x", "v[..., None] * x"),
    ("x[new, 0:2, new, :, new]", "x[None, 0:2, None, :, None]"),
    ("exp(v[:, new]).T - v[:, new]", "np.exp(v)[None] - v[:, None]"),
    ("sum(x[:, :, new], axis=1) + v[new, :]", "x.sum(1)[:, None] + v[None, :]"),
    ("mean(x, axis=1, keep=true) - v", "x.mean(1, keepdims=True) - v"),
    ("x - mean(x, axis=0, keep=true)", "x - x.mean(0, keepdims=True)"),
    # Gather
    ("v[i]", "v[i]"), ("x[i]", "x[i]"), ("x[:, i]", "x[:, i]"), ("x[i, j]", "x[i, j]"),
    ("y[:, i, j]", "y[:, i, j]"), ("y[i, j]", "y[i, j]"), ("x[0, i]", "x[0, i]"),
    ("x[i, 0]", "x[i, 0]"), ("y[1, i, 2]", "y[1, i, 2]"), ("x[n - 3]", "x[0]"), ("x[n - 2, i]", "x[1, i]"),
    ("x[i, new, :]", "x[i, None, :]"), ("x[new, i]", "x[None, i]"), ("x[1:][i]", "x[1:][i]"),
    ("x[i[:, new], j[new, :]]", "x[i[:, None], j[None, :]]"), ("y[..., i]", "y[..., i]"),
    ("x[i, 1:]", "x[i, 1:]"), ("x[arange(2)]", "x[:2]"), ("x[argmax(v)]", "x[v.argmax()]"),
    ("x[-1 - i]", "x[-1 - i]"),
    # Products, transposes
    ("x @ W", "x @ W"), ("x.T", "x.T"), ("y.T", "y.swapaxes(1, 2)"), ("(x.T @ x).T", "x.T @ x"),
    ("v @ x", "v @ x"), ("x @ W[:, 0]", "x @ W[:, 0]"), ("v @ v", "v @ v"), ("y @ W", "y @ W"),
    ("x @ W * 2 + 1", "x @ W * 2 + 1"), ("transpose(x)", "x.T"), ("transpose(y)", "y.T"),
    ("transpose(y, 2, 0, 1)", "y.transpose(2, 0, 1)"), ("transpose(y, (1, 0, 2))",
     "y.transpose(1, 0, 2)"), ("transpose(y, -1, 0, 1)", "y.transpose(-1, 0, 1)"),
    ("dot(v, v)", "v @ v"), ("outer(v, v)", "np.outer(v, v)"), ("trace(x @ x.T)", "np.trace(x @ x.T)"),
    ('einsum("ij,jk->ik", x, W)', "x @ W"), ("einsum('ij->j', x)", "x.sum(0)"),
    ('einsum("i,i", v, v)', "v @ v"), ('einsum(" b i j , j -> b i ", y, W[:, 0])', "y @ W[:, 0]"),
    # Axes
    ("sum(x)", "x.sum()"), ("sum(x, axis=0)", "x.sum(0)"), ("sum(x, axis=-1)", "x.sum(-1)"),
    ("sum(x, 1)", "x.sum(1)"), ("mean(x, axis=N)", "x.mean(0)"), ("max(y, axis=M)", "y.max(1)"),
    ("sum(y, axis=(0, 2))", "y.sum((0, 2))"), ("sum(y, axis=(N, M))", "y.sum((0, 1))"),
    ("sum(y, axis=(M, -1), keep=true)", "y.sum((1, 2), keepdims=True)"), ("max(x)", "x.max()"),
    ("max(x, 0)", "np.maximum(x, 0)"), ("max(x, v[:, new], s)", "np.maximum(np.maximum(x, v[:, None]), s)"),
    ("min(x, axis=0)", "x.min(0)"), ("min(1, x)", "np.minimum(1, x)"), ("max(s)", "s"),
    ("cumsum(x, axis=1)", "x.cumsum(1)"), ("cumsum(x, axis=N)", "x.cumsum(0)"),
    ("logsumexp(x, axis=1)", "np.log(np.exp(x).sum(1))"), ("prod(x, axis=0)", "x.prod(0)"),
    ("softmax(x)", "np.exp(x) / np.exp(x).sum(1, keepdims=True)"),
    ("softmax(x, axis=N)", "np.exp(x) / np.exp(x).sum(0)"), ("argmax(x)", "x.argmax()"),
    ("argmax(x, axis=1)", "x.argmax(1)"), ("argmin(x, axis=N)", "x.argmin(0)"), ("var(x)", "x.var()"),
    ("std(x, axis=0)", "x.std(0)"), ("norm(x, axis=1)", "np.sqrt((x * x).sum(1))"),
    ("any(x > 1, axis=1)", "(x > 1).any(1)"), ("all(b)", "b.all()"), ("argmax(s)", "0"),
    # Joining and cutting
    ("concat(x, x)", "np.concatenate([x, x])"), ("concat(x, y[:, 0], axis=1)",
     "np.concatenate([x, y[:, 0]], 1)"), ("concat(v, v, v, axis=-1)", "np.concatenate([v, v, v])"),
    ("stack(v, v)", "np.stack([v, v])"), ("stack(v, v, axis=1)", "np.stack([v, v], 1)"),
    ("stack(s, 1, n)", "np.array([s, 1, n])"), ("stack(v, v, axis=-1)", "np.stack([v, v], -1)"),
    ("split(y, 2, axis=1)[1]", "y[:, 2:]"), ("split(x, 3, axis=-1)[0]", "x[:, :1]"),
    ("split(y, 4, M)[2]", "y[:, 2:3]"), ("pad(x, ((0, 0), (1, 2)))", "np.pad(x, ((0, 0), (1, 2)))"),
    ("pad(v, 1, value=7)", "np.pad(v, 1, constant_values=7)"), ("pad(x, (1, 2))", "np.pad(x, (1, 2))"),
    ("roll(x, 1, axis=0)", "np.roll(x, 1, 0)"), ("roll(v, -2, axis=N)", "np.roll(v, -2)"),
    ("flip(x, axis=1)", "x[:, ::-1]"), ("flip(x, N)", "x[::-1]"), ("tril(x)", "np.tril(x)"),
    ("triu(x, k=1)", "np.triu(x, 1)"), ("diag(v)", "np.diag(v)"), ("diag(x @ x.T)", "np.diag(x @ x.T)"),
    # Sizes
    ("reshape(y, [N, 12])", "y.reshape(-1, 12)"), ("reshape(y, [N, -1])", "y.reshape(-1, 12)"),
    ("reshape(y, -1)", "y.reshape(-1)"), ("reshape(y, [N * M, 3])", "y.reshape(-1, 3)"),
    ("reshape(y, [N, M/2, 2, 3])", "y.reshape(-1, 2, 2, 3)"), ("reshape(x, [3*N])", "x.reshape(-1)"),
    ("reshape(x, (N, 3, 1))", "x.reshape(-1, 3, 1)"), ("zeros(N, 2)", "np.zeros((len(x), 2))"),
    ("ones([2, N])", "np.ones((2, len(x)))"), ("eye(M)", "np.eye(4)"), ("eye(N)", "np.eye(len(x))"),
    ("arange(N)", "np.arange(len(x))"), ("arange(two * M)", "np.arange(8)"), ("N", "len(x)"),
    ("N * s", "len(x) * s"), ("N^2 + 1", "len(x) ** 2 + 1"), ("N / 2", "len(x) / 2"),
    ("x * N", "x * len(x)"), ("M / 3", "4 / 3"), ("size(y, 1) * size(y, N)", "4 * len(x)"),
    ("size(x[::2], 0)", "3"), ("size(x[::2], 0) / 2", "1.5"), ("s * size(x[1::2], 0)", "2 * s"),
    ("sum(zeros(size(x[::3], 0)) + 1)", "2"), ("1 / (N + 1) * s", "s / (len(x) + 1)"),
    ("broadcast(v, [2, N])", "np.broadcast_to(v, (2, len(v)))"), ("broadcast(s, N)", "s + 0 * v"),
    ("one_hot(k, 3)", "np.eye(3)[k]"), ("1 if N > 2 else 0", "1"), ("2^N", "2.0 ** len(x)"),
    ("x[:, new] @ W / (N - 1)", "x[:, None] @ W / (len(x) - 1)"),
    # Kinds: a bool counts as 0 or 1, ints are real where a real is due
    ("b + b", "b * 2.0"), ("b * x.T", "b * x.T"), ("sum(b)", "b.sum()"), ("mean(b)", "b.mean()"),
    ("-b", "-1.0 * b"), ("b * 2", "b * 2"), ("n * s", "n * s"), ("n / 2", "n / 2"), ("n + 1", "n + 1"),
    ("k / 2", "k / 2"), ("k^2", "k ** 2.0"), ("sqrt(k)", "np.sqrt(k)"), ("k * v", "k * v"),
    ("k - 1", "k - 1"), ("-k", "-k"), ("sum(k)", "k.sum()"), ("k == 1", "k == 1"), ("b == true", "b"),
    ("not b", "~b"), ("b and v > 0", "b & (v > 0)"), ("b or v > 0", "b | (v > 0)"),
    ("v >= 0.5 and true", "v >= 0.5"), ("max(k, 1)", "np.maximum(k, 1)"), ("k > 0.5", "k > 0.5"),
    # Choices
    ("x if s > 2 else 0", "x"), ("v if b else 0", "np.where(b, v, 0)"), ("n if b else s", "np.where(b, n, s)"),
    ("v if v > 0 else -v", "abs(v)"), ("where(b, v, 1)", "np.where(b, v, 1)"),
    ("where(b[:, new], x, 0)", "np.where(b[:, None], x, 0)"), ("clip(x, -1, s)", "np.clip(x, -1, s)"),
    # Broadcasting: scalars with anything, otherwise one operand is stretched
    ("x + s", "x + s"), ("x + x[0]", "x + x[0]"), ("y - x[0]", "y - x[0]"), ("x * v[:, new]", "x * v[:, None]"),
    ("y + W.T", "y + W.T"), ("stop(x) * 2", "x * 2"), ("x + 1 - s * 2", "x + 1 - s * 2"),
]  # fmt: skip


def test_arrays() -> None:
    outputs = [f"output p{i} = {text}" for i, (text, _) in enumerate(EXPRESSIONS)]
    module = load(ARRAYS + "cost J = sum(W)\n" + "\n".join(outputs))
    rng = np.random.default_rng(7)
    arrays: dict[str, Any] = {
        "x": rng.normal(size=(5, 3)), "v": rng.normal(size=5), "y": rng.normal(size=(5, 4, 3)),
        "s": 2.5, "n": 3, "i": np.array([1, 0, 2, 1]), "j": np.array([0, 2, 1, 1]),
        "b": np.array([True, False, True, True, False]), "k": np.array([0, 2, 1, 1, 0]),
    }  # fmt: skip
    params = module.init()
    result = module.forward(params, **arrays)
    for i, (text, numpy) in enumerate(EXPRESSIONS):
        want = np.asarray(eval(numpy, {"np": np, **arrays, **params}))
        assert np.shape(result[f"p{i}"]) == want.shape, text
        np.testing.assert_allclose(result[f"p{i}"], want, rtol=1e-12, atol=1e-12, err_msg=text)
        kind = np.asarray(result[f"p{i}"]).dtype.kind
        assert kind == want.dtype.kind or kind == "f", text


# Shapes

SHAPES: list[tuple[str, str, str]] = [
    ("dim N\ninput x: [N, 12*12*8]", "x", "[N, 1152]"),
    ("dim T, H = 8\ninput x: [T-1, 4*H]", "x", "[T - 1, 32]"),
    ("dim N, D = 12\nconst heads = 4\ninput x: [N, D]", "reshape(x, [N, heads, D/heads])",
     "[N, 4, 3]"),
    ("dim N, D, heads = 4\ninput x: [N, D]", "reshape(x, [N, heads, D/heads])", "[N, heads, D/4]"),
    ("dim N, D = 4\ninput x: [N, D]", "x[:, ::2]", "[N, 2]"),
    ("dim N\ninput x: [N]", "x[::2]", "[floor((N + 1)/2)]"),
    ("dim N\ninput x: [N]", "x[1:] * x[:-1]", "[N - 1]"),
    ("dim N\ninput x: [N]", "concat(x, x, x[0:2])", "[2*N + 2]"),
    ("dim N, M = 3*N\ninput x: [N], y: [M]", "outer(x, y)", "[N, M]"),
    ("dim N, M = 3*N\ninput x: [N], y: [M]", "y + concat(x, x, x)", "[M]"),
    ("dim H[1] = 4, H[2] = 5\ninput W: [H[1], H[2]]", "sum(W, axis=H[1])", "[H2]"),
    ("dim H[1] = 4, H[2] = 4\ninput W: [H[1], H[2]]", "stack(W, W, axis=1)", "[H1, 2, H2]"),
    ("dim N, M = 4\ninput x: [N, M]", "sum(x[0:3, :] * 1, axis=M)", "[3]"),
    ("dim N, H = 4\ninput x: [N, 4], W: [H]", "sum(x + W, axis=H)", "[N]"),
    ("dim N, H = 4\ninput x: [N, 4], W: [H]", "sum(zeros(4) + W, axis=H)", ""),
    ("dim N, M\ninput x: [N, M]", "sum(x.T, axis=M)", "[N]"),
    ("dim N, M\ninput x: [N, M]", "sum(exp(x[:, new, :]), axis=(N, M))", "[1]"),
    ("dim N\ninput x: [N], k: int[2, 3]", "x[k]", "[2, 3]"),
    ("dim N\ninput E: [9, 5], token: int[N, 7]", "E[token]", "[N, 7, 5]"),
    ("input x: []", "x", ""),
    ("input x: [0, 3]", "sum(x, axis=0)", "[3]"),
    ("input x: [1]", "x + zeros(4)", "[4]"),
    ("dim N\ninput b: bool[N]", "b + 1", "int[N]"),
    ("dim N\ninput x: [N]", "x > 0", "bool[N]"),
    ("dim N\ninput x: [N, 3]", "argmax(x, axis=1)", "int[N]"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expression", "want"), SHAPES, ids=range(len(SHAPES)))
def test_shapes(text: str, expression: str, want: str) -> None:
    kind, _, found = shape(text, expression).partition(" ")
    assert (found if kind in ("real", "float") else f"{kind}{found}") == want


# At most one operand is stretched, and an axis made with `new` or kept never counts

BROADCASTS: list[tuple[str, list[str]]] = [
    ("x + v", []), ("x + r", []), ("v[:, new] + v", []), ("c - v", ["BP202"]),
    ("c + x[0]", ["BP202"]), ("c + x[:, 0:1]", []), ("x + c", []), ("x + x[0:1]", []),
    ("c * x[0:1]", ["BP202"]), ("exp(w[:, new]).T - c", []), ("max(x, c, 1)", []),
    ("max(c, v, x)", []), ("max(c, v, 1)", ["BP202"]), ("max(c, w, q)", []), ("c + sum(x, axis=0, keep=true)", []),
    ("sum(x, axis=1, keep=true) - q[0]", []), 
    ("clip(x, c, w)", []), ("clip(c, 0, w)", ["BP202"]), ("where(c > 0, c, w)", ["BP202"]),
    ("where(x > 0, c, w)", []), ("c + r", []), ("v + m", ["BP201"]),
    ("x + m", ["BP201"]), ("x + zeros(4)", ["BP201"]), ("q + zeros(3)", []),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "want"), BROADCASTS)
def test_broadcasting(expression: str, want: list[str]) -> None:
    text = (
        "dim N, M\ninput x: [N, 3], v: [3], r: [N, 1], c: [N, 1], m: [M], w: [3], q: [N, 3]\n"
        f"input z: [M]\ncost J = sum({expression})"
    )
    assert (codes(text)[0].split()[1:] if want else load(text) and []) == want


# What only the caller can know is checked when called

CALLED: list[tuple[str, tuple[Any, ...], str]] = [
    ("dim N\ninput x: [N]\ncost J = sum(x[0:3])", (np.ones(2),), "leaves the axis"),
    ("dim N\ninput x: [N]\ncost J = x[2]", (np.ones(2),), "leaves the axis"),
    ("dim N\ninput x: [N]\ncost J = x[-3]", (np.ones(2),), "leaves the axis"),
    ("dim N\ninput x: [N]\ncost J = sum(x[-3:])", (np.ones(2),), "leaves the axis"),
    ("dim N\ninput x: [N]\ncost J = sum(x[4:N])", (np.ones(2),), "leaves the axis"),
    ("dim N, M\ninput x: [N], y: [M]\ncost J = sum(y) + x[M]", (np.ones(2), np.ones(2)),
     "leaves the axis"),
    ("dim N\ninput x: [N]\ncost J = sum(split(x, 2, axis=0)[0])", (np.ones(3),), "N/2"),
    ("dim N\ninput x: [N]\ncost J = sum(reshape(x, [-1, 2]))", (np.ones(3),), "does not fit"),
    ("dim N\ninput x: [N]\ncost J = mean(x)", (np.ones(0),), "no entries"),
    ("dim N\ninput x: [N]\ncost J = max(x[1:])", (np.ones(1),), "no entries"),
    ("dim N\ninput x: [N], y: [N]\ncost J = sum(x + y)", (np.ones(2), np.ones(3)), "y has shape"),
    ("dim N\ninput x: [2*N]\ncost J = sum(x)", (np.ones(3),), "x has shape"),
    ("dim N, D = 2*N\ninput x: [N], y: [D]\ncost J = sum(x) + sum(y)", (np.ones(2), np.ones(3)),
     "y has shape"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "inputs", "message"), CALLED, ids=range(len(CALLED)))
def test_checked_when_called(text: str, inputs: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cost(text, *inputs)


@pytest.mark.parametrize("index", [3, -4])
def test_gather_out_of_range(index: int) -> None:
    with pytest.raises((ValueError, IndexError), match="index|out of"):
        cost("input x: [3], i: int[1]\ncost J = sum(x[i])", np.ones(3), np.array([index]))


# --set

SETTINGS: list[tuple[str, dict[str, Any], float]] = [
    ("dim H = 4\ncost J = sum(ones(H))", {"H": 7}, 7),
    ("dim N\nparam w: [N] ~ ones\ncost J = sum(w)", {"N": 5}, 5),
    ("const eps = 1\ncost J = eps", {"eps": 2.5}, 2.5),
    ("dim H[1] = 4, H[2] = 2\ncost J = sum(ones(H[1], H[2]))", {"H1": 5}, 10),
    ("dim H[1] = 4, H[2] = 2\ncost J = sum(ones(H[1], H[2]))", {"H[1]": 5}, 10),
    ("const L = 2\nz[0] = 1\nfor l in 1..L { z[l] = 2 * z[l-1] }\ncost J = z[L]", {"L": 5}, 32),
    ("dim A = 2, B = 3*A\ncost J = sum(ones(B))", {"A": 4}, 12),
    ("dim A = 2, B = 3*A\ncost J = sum(ones(B))", {"B": 4}, 4),
    ("dim N = 3\ncost J = N", {"N": 0}, 0),
]  # fmt: skip


@pytest.mark.parametrize(("text", "settings", "value"), SETTINGS, ids=range(len(SETTINGS)))
def test_settings(text: str, settings: dict[str, Any], value: float) -> None:
    assert cost(text, **settings) == value


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"G": 3}, "no dim or const of this name"),
        ({"Hidden": 3}, "did you mean `hidden`"),
        ({"hidden": 2.5}, "`2.5` is no size"),
        ({"hidden": -1}, "`-1` is no size"),
        ({"eps": float("nan")}, "finite"),
        ({"eps": float("inf")}, "finite"),
        ({"w": 3}, "no dim or const of this name"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(bpc.UsageError, match=message):
        load("dim hidden = 3\nconst eps = 1\nparam w: [hidden]\ncost J = eps", **settings)


# Initialisers: mean, spread, or the whole array

FANS: list[tuple[str, str, float]] = [
    ("[400, 300]", "he", (2 / 400) ** 0.5),
    ("[400, 300]", "he_uniform", (2 / 400) ** 0.5),
    ("[400, 300]", "glorot", (2 / 700) ** 0.5),
    ("[400, 300]", "glorot_uniform", (2 / 700) ** 0.5),
    ("[400, 300]", "lecun", (1 / 400) ** 0.5),
    ("[400, 300]", "normal(0.5)", 0.5),
    ("[400, 300]", "normal(std=2)", 2),
    ("[400, 300]", "uniform(-1, 1)", 3**-0.5),
    ("[400, 300]", "uniform(hi=1, lo=-1)", 3**-0.5),
    ("[5, 5, 20, 40]", "he", (2 / 500) ** 0.5),
    ("[5, 5, 20, 40]", "glorot", (2 / 1500) ** 0.5),
    ("[90000]", "he", (2 / 90000) ** 0.5),
    ("[90000]", "glorot", (2 / 90001) ** 0.5),
]


@pytest.mark.parametrize(("size", "initialiser", "std"), FANS)
def test_random_initialisers(size: str, initialiser: str, std: float) -> None:
    module = load(f"param W: {size} ~ {initialiser}\ncost J = sum(W)")
    W = module.init(seed=3)["W"]
    assert W.std() == pytest.approx(std, rel=0.03)
    assert abs(W.mean()) < 0.03 * std
    if "uniform" in initialiser:
        assert abs(W).max() <= 3**0.5 * std * (1 + 1e-12)
    assert np.array_equal(W, module.init(seed=3)["W"])
    assert not np.array_equal(W, module.init(seed=4)["W"])
    assert module.init(dtype=np.float32)["W"].dtype == np.float32


def test_other_initialisers() -> None:
    module = load(
        "dim N\nparam a: [2], b: [2] ~ zeros, c: [2] ~ ones, d: [2] ~ constant(3), e: [2] = 4, f = 5\n"
        "param g: [3, 3] ~ identity, h: [4, 3] ~ orthogonal, i: [3, 4] ~ orthogonal, j: [N] ~ ones\n"
        "param k, l: [2] ~ constant(-1/2), m = -2, n = inf, o ~ ones, p: [N, N] ~ identity\n"
        "cost J = f"
    )
    params = module.init(N=2)
    assert list(params) == list("abcdefghijklmnop")
    for name, want in {"a": 0, "b": 0, "c": 1, "d": 3, "e": 4, "j": 1, "l": -0.5}.items():
        assert np.array_equal(params[name], [want] * 2), name
    for name, want in {"f": 5, "k": 0, "m": -2, "n": np.inf, "o": 1}.items():
        assert params[name] == want and np.shape(params[name]) == (), name
    assert np.array_equal(params["g"], np.eye(3)) and np.array_equal(params["p"], np.eye(2))
    np.testing.assert_allclose(params["h"].T @ params["h"], np.eye(3), atol=1e-12)
    np.testing.assert_allclose(params["i"] @ params["i"].T, np.eye(3), atol=1e-12)


def test_parameters_are_drawn_in_declared_order() -> None:
    one = load("param a: [3] ~ normal(1)\nparam b: [3] ~ normal(1)\ncost J = sum(a * b)")
    rng = np.random.default_rng(5)
    params = one.init(seed=5)
    assert np.array_equal(params["a"], rng.normal(size=3))
    assert np.array_equal(params["b"], rng.normal(size=3))


# Names that mean something in Python or in the generated module

WORDS = (
    "lambda None True class def_ import np math params special forward cost_ value_and_grad init "
    "ravel unravel PARAMS INPUTS OUTPUTS float int_ len zip dict list sum max ValueError __name__ "
    "_bind _fit _sum J_ dJ_dw grads rng seed dtype self async match print e exp pi_ vector x1 dims "
    "arrays _cost _forward _value_and_grad dJ __builtins__ isinstance object type tuple"
)
TAKEN = WORDS.split()


@pytest.mark.parametrize("level", [0, 1])
def test_names_are_never_captured(level: int) -> None:
    """All at once, as params; then as inputs, as dims, and as names of equations."""
    as_params = "".join(f"param {name} = {i}\n" for i, name in enumerate(TAKEN))
    total = " + ".join(f"{name}^2" for name in TAKEN)
    for text in (
        f"{as_params}cost J = {total}",
        f"dim N\n{as_params.replace(' = ', ': [N] = ')}cost J = sum({total}) / N",
    ):
        module = bpc.load(text, level=level, verify_ir=True)
        dims = {"N": 2} if "dim N" in text else {}
        value, grads = module.value_and_grad(module.init(**dims))
        assert value == sum(i**2 for i in range(len(TAKEN)))
        for i, name in enumerate(TAKEN):
            assert np.all(grads[name] == pytest.approx(2 * i / (2 if dims else 1))), name


@pytest.mark.parametrize("name", TAKEN)
def test_a_taken_name_anywhere(name: str) -> None:
    scalar = load(f"input {name} = 3\nparam w = 2\ncost J = {name} * w")
    assert scalar.value_and_grad(scalar.init())[1] == {"w": 3}
    assert scalar.cost(scalar.init(), 4.0) == 8
    vector = load(
        f"dim {name}\ninput x: [{name}]\nparam w: [{name}] ~ ones\ncost J = sum(w * x) * {name}"
    )
    value, grads = vector.value_and_grad(
        vector.init(
            **{next(iter(signature(vector.init).parameters.keys() - {"seed", "dtype"})): 2}
        ),
        np.array([1.0, 2.0]),
    )
    assert value == 6 and list(grads["w"]) == [2, 4]
    local = load(f"param w: [2] ~ ones\n{name} = exp(w)\noutput {name}\ncost J = sum({name})")
    assert list(local.forward(local.init())) == pytest.approx([np.e] * 2)
    costly = load(f"param w = 3\ncost {name} = w^2\noutput p = {name} + 1")
    assert costly.value_and_grad(costly.init()) == (9, {"w": 6})


# Outputs


def test_outputs() -> None:
    module = load("param w[1] = 3\nt = w[1] * 2\noutput t, w[1]\noutput q = t + 1\ncost J = t")
    assert module.forward(module.init()) == {"t": 6, "w1": 3, "q": 7}
    assert list(module.OUTPUTS) == ["t", "w1", "q"]
    alone = load("param w = 3\ncost J = w\noutput J")
    assert alone.forward(alone.init()) == 3


def test_outputs_before_the_cost_and_of_numbers() -> None:
    module = load("dim N\ninput x: [N]\nparam w = 2\noutput n = N, one = 1, y = x * w\ncost J = w")
    result = module.forward(module.init(), np.ones(3))
    assert result["n"] == 3 and result["one"] == 1 and list(result["y"]) == [2, 2, 2]


@pytest.mark.parametrize(
    ("text", "value"), [("n", 4), ("n > 3", 1), ("3", 3), ("N", 2), ("b", 1), ("w if b else n", 5)]
)
def test_the_cost_is_a_float(text: str, value: float) -> None:
    head = "dim N\ninput x: [N], n: int = 4, b: bool = true\nparam w = 5\n"
    module = load(f"{head}cost J = {text}")
    result = module.cost(module.init(), x=np.ones(2))
    assert result == value and isinstance(result, float)


# Equations: names of the source are kept, and nothing else is added

IR: list[tuple[str, list[str]]] = [
    ("input x = 1\nparam w = 2\nc = w * x\ncost J = c^2",
     ["c: real = mul(w, x)", "J: real = pow(c, 2.0)"]),
    ("param w = 2\ncost J = w", ["J: real = identity(w)"]),
    ("param w = 2\na = w\nb = a\ncost J = b",
     ["a: real = identity(w)", "b: real = identity(a)", "J: real = identity(b)"]),
    ("param w = 2\nk = 3\ncost J = w * k", ["J: real = mul(w, 3.0)"]),
    ("param w = 2\nunused = exp(w)\ncost J = w * 2", ["J: real = mul(w, 2.0)"]),
    ("param w[1] = 2\nz[1] = w[1] * 2\ncost J = z[1] + 1",
     ["z1: real = mul(w1, 2.0)", "J: real = add(z1, 1.0)"]),
    ("dim N\ninput x: [N, 3]\nparam b: [3]\nh = x + b\ncost J = sum(h)",
     ["%h_broadcast: [N, 3] = broadcast(b, shape=[N, 3])", "h: [N, 3] = add(x, %h_broadcast)",
      "J: real = sum(h, axes=(0, 1), keep=False)"]),
    ("param w: [4]\na, b = split(w, 2, axis=0)\ncost J = sum(b)",
     ["b: [2] = slice(w, items=((2, 2, 1)))", "J: real = sum(b, axes=(0), keep=False)"]),
    ("param w = 2\ndef f(z) { y = z * 2; return y + 1 }\ncost J = f(w)",
     ["y: real = mul(w, 2.0)", "J: real = add(y, 1.0)"]),
    ("param w = 2\ncost J = w if w > 1 else 0",
     ["%J_gt: bool = gt(w, 1.0)", "J: real = select(%J_gt, w, 0.0)"]),
    ("dim N\ninput x: [N]\ncost J = sum(x) * N",
     ["%J_sum: real = sum(x, axes=(0), keep=False)", "J: real = mul(%J_sum, N)"]),
    ("input n: int\nparam w = 2\ncost J = w * n",
     ["%J_cast: real = cast(n, kind='real')", "J: real = mul(w, %J_cast)"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "want"), IR, ids=range(len(IR)))
def test_equations(text: str, want: list[str]) -> None:
    assert equations(text) == want


# Errors do not cascade

ALONE: list[tuple[str, list[str]]] = [
    ("a = nothing\nb = a + 1\ncost J = b^2", ["1:5 BP101"]),
    ("z = * 2\ny = z + 1\nparam w = 1\ncost J = w * y", ["1:5 BP002"]),
    ("z[1] = * 2\ny = z[1] + z[2]\ncost J = y", ["1:8 BP002"]),
    ("param W: [3, 4 ~ he\ncost J = sum(W)", ["1:10 BP004"]),
    ("dim N M\ninput x: [N, M]\ncost J = sum(x)", ["1:7 BP002"]),
    ("def f(x { return x }\ncost J = f(1)", ["1:6 BP004"]),
    ("def f(x) { return (x }\ncost J = f(1)", ["1:19 BP004"]),
    ("def f(x) { return nothing }\na = f(1)\nb = f(2)\ncost J = a + b", ["1:19 BP101"]),
    ("param w: [2], v: [nothing], u: [2.5]\ncost J = sum(w) + sum(v) + sum(u)",
     ["1:19 BP101", "1:33 BP402"]),
    ("for l in 1..2 { t = nothing; z[l] = t }\ncost J = z[2] + z[1]", ["1:21 BP101"]),
    ("for l in nothing..2 { z[l] = 1 }\ncost J = z[2]", ["1:10 BP101"]),
    ("for l in 1..nothing { cost J = 1 }", ["1:13 BP101"]),
    ("a, b = 3\ncost J = a + b", ["1:8 BP116"]),
    ("cost J = nothing\noutput p = J", ["1:10 BP101"]),
    ("dim N\ninput x: [N]\ncost J = nothing", ["3:10 BP101"]),
    ("use nm\nh = nm.dense(3, 4)\ncost J = h", ["1:5 BP135"]),
    ("h = nothing + (f(3) as up)\ncost J = up.W", ["1:5 BP101"]),
    ("cost = 3\nz = 1", ["1:1 BP003"]),
    ("größe = 3\ncost J = größe", ["1:1 BP014", "2:10 BP014"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "want"), ALONE, ids=range(len(ALONE)))
def test_errors_do_not_cascade(text: str, want: list[str]) -> None:
    assert codes(text) == want


def test_a_sample_before_an_input_without_one() -> None:
    for program, data in (
        ("input n: int = 2, x: [3]\nparam w = 1\ncost J = n * sum(w * x)", np.ones(3)),
        ("input n = 2, x\nparam w = 1\ncost J = n * w * x", 3.0),
    ):
        module = bpc.load(program)
        assert module.cost({"w": 1.0}, x=data) == 6.0
        assert module.cost({"w": 1.0}, 1, data) == 3.0
        with pytest.raises(TypeError, match="missing the argument x"):
            module.cost({"w": 1.0})
