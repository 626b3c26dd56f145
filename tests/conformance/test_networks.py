"""Networks as wholes against PyTorch in float64: the cost, the outputs and every gradient, to 1e-10.

PyTorch's modules run on weights that are mapped from bpc's params, as differentiable functions of
them: so the gradients come out in bpc's layout and order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

import bpc

Tensors = dict[str, Tensor]
#: (params, inputs) -> the cost, and the outputs by name
Reference = Callable[[Tensors, Tensors], tuple[Tensor, Tensors]]
NETWORKS: dict[str, tuple[str, dict[str, int], Reference]] = {}


def network(text: str, **sizes: int) -> Callable[[Reference], Reference]:
    """Register a program with the sizes of its free dims, and what PyTorch says of it."""

    def register(reference: Reference) -> Reference:
        NETWORKS[reference.__name__] = text, sizes, reference
        return reference

    return register


def kernel(W: Tensor) -> Tensor:
    """[kh, kw, C, out] as PyTorch has it."""
    return W.permute(3, 2, 0, 1)


def first(x: Tensor) -> Tensor:
    """Images with the channels first."""
    return x.permute(0, 3, 1, 2)


def last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)


@network(
    """use nn
dim N
input image: [N, 28, 28, 1], label: int[N]
q[1] = max_pool2d(relu(nn.conv2d(image, 6, 5, pad=2) as c[1]), 2)
q[2] = max_pool2d(relu(nn.conv2d(q[1], 16, 5) as c[2]), 2)
h[1] = relu(nn.dense(reshape(q[2], [N, 400]), 120) as d[1])
h[2] = relu(nn.dense(h[1], 84) as d[2])
logits = nn.dense(h[2], 10) as head
cost J = mean(cross_entropy(logits, label)) + 1e-3 * sum(head.W^2)
output p = softmax(logits)
""",
    N=3,
)
def lenet(p: Tensors, x: Tensors) -> tuple[Tensor, Tensors]:
    h = first(x["image"])
    h = F.max_pool2d(F.conv2d(h, kernel(p["c1.W"]), p["c1.b"], padding=2).relu(), 2)
    h = F.max_pool2d(F.conv2d(h, kernel(p["c2.W"]), p["c2.b"]).relu(), 2)
    h = last(h).flatten(1)
    for name in ("d1", "d2"):
        h = F.linear(h, p[f"{name}.W"].T, p[f"{name}.b"]).relu()
    logits = F.linear(h, p["head.W"].T, p["head.b"])
    cost = F.cross_entropy(logits, x["label"]) + 1e-3 * (p["head.W"] ** 2).sum()
    return cost, {"p": logits.softmax(-1)}


@network(
    """use nn
dim N
input image: [N, 8, 8, 4], y: [N]
layer block(x, out, stride) {
    param W[1]: [3, 3, size(x, -1), out] ~ he, W[2]: [3, 3, out, out] ~ he
    param Wd: [1, 1, size(x, -1), out] ~ he
    h = relu(nn.batch_norm(conv2d(x, W[1], stride=stride, pad=1)) as n[1])
    h2 = nn.batch_norm(conv2d(h, W[2], pad=1)) as n[2]
    return relu(h2 + (nn.batch_norm(conv2d(x, Wd, stride=stride)) as n[3]))
}
h = block(image, 6, 2) as block[1]
cost J = mean((mean(h, axis=(1, 2, 3)) - y)^2)
output h
""",
    N=4,
)
def resnet_block(p: Tensors, x: Tensors) -> tuple[Tensor, Tensors]:
    def normed(h: Tensor, k: int) -> Tensor:
        gain, bias = p[f"block1.n{k}.gain"], p[f"block1.n{k}.bias"]
        return F.batch_norm(h, None, None, gain, bias, training=True)

    image = first(x["image"])
    h = normed(F.conv2d(image, kernel(p["block1.W1"]), stride=2, padding=1), 1).relu()
    h = normed(F.conv2d(h, kernel(p["block1.W2"]), padding=1), 2)
    h = (h + normed(F.conv2d(image, kernel(p["block1.Wd"]), stride=2), 3)).relu()
    return ((h.mean((1, 2, 3)) - x["y"]) ** 2).mean(), {"h": last(h)}


def columns(W: Tensor, order: list[int], gates: int) -> Tensor:
    """The gates along the last axis, in another order, as rows."""
    parts = W.chunk(gates, -1)
    return torch.cat([parts[i] for i in order], -1).T


@network(
    """use nn
dim T, N
input x: [T, N, 5], y: [N, 3]
h = nn.lstm(x, 4) as rnn
p = nn.dense(h[-1], 3) as head
cost J = mean((p - y)^2) + 0.1 * mean(h)
output h, p
""",
    T=6,
    N=3,
)
def lstm(p: Tensors, x: Tensors) -> tuple[Tensor, Tensors]:
    order = [0, 1, 3, 2]  # i f o g -> i f g o
    weights = {
        "weight_ih_l0": columns(p["rnn.Wx"], order, 4),
        "weight_hh_l0": columns(p["rnn.Wh"], order, 4),
        "bias_ih_l0": columns(p["rnn.b"][None], order, 4)[:, 0],
        "bias_hh_l0": torch.zeros(16, dtype=torch.float64),
    }
    h, _ = functional_call(nn.LSTM(5, 4).double(), weights, (x["x"],))
    found = F.linear(h[-1], p["head.W"].T, p["head.b"])
    return F.mse_loss(found, x["y"]) + 0.1 * h.mean(), {"h": h, "p": found}


@network(
    """use nn
dim T, N
input x: [T, N, 5], y: int[T, N]
h = nn.gru(nn.gru(x, 4) as low, 3) as high
cost J = mean(cross_entropy(h, y))
output h
""",
    T=5,
    N=2,
)
def gru(p: Tensors, x: Tensors) -> tuple[Tensor, Tensors]:
    h = x["x"]
    for name, inside, n in (("low", 5, 4), ("high", 4, 3)):
        weights = {
            "weight_ih_l0": p[f"{name}.W"].T,
            "weight_hh_l0": p[f"{name}.U"].T,
            "bias_ih_l0": p[f"{name}.b"],
            "bias_hh_l0": torch.zeros(3 * n, dtype=torch.float64),
        }
        h, _ = functional_call(nn.GRU(inside, n).double(), weights, (h,))
    return F.cross_entropy(h.flatten(0, 1), x["y"].flatten()), {"h": h}


@network(
    """use nn
dim N, T, D = 8, V = 11
input token: int[N, T], follow: int[N, T]
layer block(x) {
    h = x + (nn.attention(nn.layer_norm(x) as n[1], 2, causal=true) as mix)
    up = gelu(nn.dense(nn.layer_norm(h) as n[2], 16) as up)
    return h + (nn.dense(up, 8) as down)
}
param place: [20, D] ~ normal(0.1)
h[0] = (nn.embedding(token, V, D) as embed) + place[:T]
for l in 1..2 { h[l] = block(h[l-1]) as block[l] }
logits = (nn.layer_norm(h[2]) as final) @ embed.E.T
cost J = mean(cross_entropy(logits, follow, smoothing=0.1))
output logits
""",
    N=2,
    T=5,
)
def transformer(p: Tensors, x: Tensors) -> tuple[Tensor, Tensors]:
    h = F.embedding(x["token"], p["embed.E"]) + p["place"][: x["token"].shape[1]]
    steps = x["token"].shape[1]
    later = torch.ones(steps, steps).triu(1).bool()
    zeros = torch.zeros(24, dtype=torch.float64)
    for k in ("block1", "block2"):
        normed = F.layer_norm(h, (8,), p[f"{k}.n1.gain"], p[f"{k}.n1.bias"])
        weights = {
            "in_proj_weight": torch.cat([p[f"{k}.mix.W{q}"].T for q in "qkv"]),
            "in_proj_bias": zeros,
            "out_proj.weight": p[f"{k}.mix.Wo"].T,
            "out_proj.bias": zeros[:8],
        }
        module = nn.MultiheadAttention(8, 2, batch_first=True).double()
        options = {"attn_mask": later, "need_weights": False}
        mixed, _ = functional_call(module, weights, (normed, normed, normed), options)
        h = h + mixed
        normed = F.layer_norm(h, (8,), p[f"{k}.n2.gain"], p[f"{k}.n2.bias"])
        up = F.gelu(F.linear(normed, p[f"{k}.up.W"].T, p[f"{k}.up.b"]))
        h = h + F.linear(up, p[f"{k}.down.W"].T, p[f"{k}.down.b"])
    logits = F.layer_norm(h, (8,), p["final.gain"], p["final.bias"]) @ p["embed.E"].T
    cost = F.cross_entropy(logits.flatten(0, 1), x["follow"].flatten(), label_smoothing=0.1)
    return cost, {"logits": logits}


@network(
    """use nn
dim N
input x: [N, 12], noise: [N, 3]
h = tanh(nn.dense(sigmoid(x), 8) as enc)
mean_ = nn.dense(h, 3) as mu
logvar = nn.dense(h, 3) as lv
z = mean_ + exp(logvar / 2) * noise
back = nn.dense(softplus(nn.dense(z, 8) as dec), 12) as out
kl = -1/2 * sum(1 + logvar - mean_^2 - exp(logvar), axis=1)
cost J = mean(sum(bce_with_logits(back, sigmoid(x)), axis=1) + kl)
output z, kl
""",
    N=4,
)
def vae(p: Tensors, x: Tensors) -> tuple[Tensor, Tensors]:
    def dense(h: Tensor, name: str) -> Tensor:
        return F.linear(h, p[f"{name}.W"].T, p[f"{name}.b"])

    data = x["x"].sigmoid()
    h = dense(data, "enc").tanh()
    posterior = torch.distributions.Normal(dense(h, "mu"), (dense(h, "lv") / 2).exp())
    z = posterior.loc + posterior.scale * x["noise"]
    back = dense(F.softplus(dense(z, "dec")), "out")
    prior = torch.distributions.Normal(torch.zeros_like(z), torch.ones_like(z))
    kl = torch.distributions.kl_divergence(posterior, prior).sum(1)
    loss = F.binary_cross_entropy_with_logits(back, data, reduction="none").sum(1)
    return (loss + kl).mean(), {"z": z, "kl": kl}


@network(
    """dim N, D = 2, K = 3
input x: [N, D]
param weight: [K], mean_: [K, D], L: [K, D, D]
S = L @ L.T + eye(D)
d = x[:, new, :, new] - mean_[new, :, :, new]
distance = (d.T @ inv(S) @ d)[:, :, 0, 0]
log_density = -1/2 * (distance + logdet(S) + D * log(2 * pi))
joint = log_softmax(weight) + log_density
cost J = -mean(logsumexp(joint, axis=1))
output r = softmax(joint)
""",
    N=7,
    D=2,
    K=3,
)
def mixture(p: Tensors, x: Tensors) -> tuple[Tensor, Tensors]:
    S = p["L"] @ p["L"].mT + torch.eye(2, dtype=torch.float64)
    parts = torch.distributions.MultivariateNormal(p["mean_"], S)
    chosen = torch.distributions.Categorical(logits=p["weight"])
    model = torch.distributions.MixtureSameFamily(chosen, parts)
    joint = parts.log_prob(x["x"][:, None]) + chosen.logits
    return -model.log_prob(x["x"]).mean(), {"r": joint.softmax(-1)}


def data(inputs: dict[str, str], sizes: dict[str, int], rng: np.random.Generator) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, text in inputs.items():
        kind, _, inside = text.partition(" ")
        shape = [sizes.get(s.strip()) or int(s) for s in inside.strip("[]").split(",")]
        found[name] = rng.integers(0, 3, shape) if kind == "int" else rng.normal(size=shape)
    return found


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("name", NETWORKS)
def test_network(name: str, level: int) -> None:
    text, sizes, reference = NETWORKS[name]
    module = bpc.load(text, level=level)
    rng = np.random.default_rng(7)
    params = {k: v + 0.3 * rng.normal(size=v.shape) for k, v in module.init(seed=1).items()}
    inputs = data(module.INPUTS, sizes, rng)
    cost, grads = module.value_and_grad(params, **inputs)
    names = module.forward.__code__.co_varnames[: module.forward.__code__.co_argcount]
    found = module.forward(params, **{k: v for k, v in inputs.items() if k in names})
    outputs = found if isinstance(found, dict) else dict(zip(module.OUTPUTS, [found]))

    leaves = {k: torch.tensor(v, requires_grad=True) for k, v in params.items()}
    expected, others = reference(leaves, {k: torch.tensor(v) for k, v in inputs.items()})
    slopes = torch.autograd.grad(expected, list(leaves.values()))
    assert abs(cost - expected.item()) <= 1e-10 * max(1.0, abs(cost))
    assert set(outputs) == set(others)
    for key, value in others.items():
        close(outputs[key], value.detach().numpy(), f"output {key}")
    for key, slope in zip(leaves, slopes, strict=True):
        close(grads[key], slope.numpy(), f"gradient by {key}")


def close(found: Any, expected: Any, what: str) -> None:
    assert found.shape == expected.shape, what
    scale = max(1.0, np.abs(expected).max(initial=0.0))
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10 * scale, err_msg=what)
    assert np.abs(expected).max() > 1e-6, f"{what} tests nothing"
