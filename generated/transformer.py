"""The gradient of transformer.bp, written by bpc 0.3.0 at -O1.

sha256 of transformer.bp:
053edef58fececc8cd59fdfa67f716972aa156ce944964354b2be1de0ac48ac0
64 nodes + 107292 parameters = 107356 steps
cost: 560*N*T*T + 204841*N*T + 1 flops
gradient: 1624*N*T*T + 612069*N*T + 2 flops (2.9 times)
peak: itemsize*(48*N*T*T + 6909*N*T + 101404) + 520*N*T bytes
"""

import math

import numpy as np

PARAMS = {
    "place": "real [context, D]",
    "letters.E": "real [V, D]",
    "block1.norm1.gain": "real [64]",
    "block1.norm1.bias": "real [64]",
    "block1.attention.Wq": "real [64, 64]",
    "block1.attention.Wk": "real [64, 64]",
    "block1.attention.Wv": "real [64, 64]",
    "block1.attention.Wo": "real [64, 64]",
    "block1.norm2.gain": "real [64]",
    "block1.norm2.bias": "real [64]",
    "block1.net.up.W": "real [64, 256]",
    "block1.net.up.b": "real [256]",
    "block1.net.down.W": "real [256, 64]",
    "block1.net.down.b": "real [64]",
    "block2.norm1.gain": "real [64]",
    "block2.norm1.bias": "real [64]",
    "block2.attention.Wq": "real [64, 64]",
    "block2.attention.Wk": "real [64, 64]",
    "block2.attention.Wv": "real [64, 64]",
    "block2.attention.Wo": "real [64, 64]",
    "block2.norm2.gain": "real [64]",
    "block2.norm2.bias": "real [64]",
    "block2.net.up.W": "real [64, 256]",
    "block2.net.up.b": "real [256]",
    "block2.net.down.W": "real [256, 64]",
    "block2.net.down.b": "real [64]",
    "norm.gain": "real [64]",
    "norm.bias": "real [64]",
    "head.W": "real [64, V]",
    "head.b": "real [V]",
}
INPUTS = {"token": "int [N, T]", "target": "int [N, T]"}
OUTPUTS = {"logits": "real [N, T, V]"}
_KEYS = tuple(PARAMS)
_TYPES = {
    "place": ("real", (64, 64)),
    "letters.E": ("real", (28, 64)),
    "block1.norm1.gain": ("real", (64,)),
    "block1.norm1.bias": ("real", (64,)),
    "block1.attention.Wq": ("real", (64, 64)),
    "block1.attention.Wk": ("real", (64, 64)),
    "block1.attention.Wv": ("real", (64, 64)),
    "block1.attention.Wo": ("real", (64, 64)),
    "block1.norm2.gain": ("real", (64,)),
    "block1.norm2.bias": ("real", (64,)),
    "block1.net.up.W": ("real", (64, 256)),
    "block1.net.up.b": ("real", (256,)),
    "block1.net.down.W": ("real", (256, 64)),
    "block1.net.down.b": ("real", (64,)),
    "block2.norm1.gain": ("real", (64,)),
    "block2.norm1.bias": ("real", (64,)),
    "block2.attention.Wq": ("real", (64, 64)),
    "block2.attention.Wk": ("real", (64, 64)),
    "block2.attention.Wv": ("real", (64, 64)),
    "block2.attention.Wo": ("real", (64, 64)),
    "block2.norm2.gain": ("real", (64,)),
    "block2.norm2.bias": ("real", (64,)),
    "block2.net.up.W": ("real", (64, 256)),
    "block2.net.up.b": ("real", (256,)),
    "block2.net.down.W": ("real", (256, 64)),
    "block2.net.down.b": ("real", (64,)),
    "norm.gain": ("real", (64,)),
    "norm.bias": ("real", (64,)),
    "head.W": ("real", (64, 28)),
    "head.b": ("real", (28,)),
    "token": ("int", ("N", "T")),
    "target": ("int", ("N", "T")),
}


def forward(params, token):
    """The output logits.

    params["place"]                real [context, D]
    params["letters.E"]            real [V, D]
    params["block1.norm1.gain"]    real [64]
    params["block1.norm1.bias"]    real [64]
    params["block1.attention.Wq"]  real [64, 64]
    params["block1.attention.Wk"]  real [64, 64]
    params["block1.attention.Wv"]  real [64, 64]
    params["block1.attention.Wo"]  real [64, 64]
    params["block1.norm2.gain"]    real [64]
    params["block1.norm2.bias"]    real [64]
    params["block1.net.up.W"]      real [64, 256]
    params["block1.net.up.b"]      real [256]
    params["block1.net.down.W"]    real [256, 64]
    params["block1.net.down.b"]    real [64]
    params["block2.norm1.gain"]    real [64]
    params["block2.norm1.bias"]    real [64]
    params["block2.attention.Wq"]  real [64, 64]
    params["block2.attention.Wk"]  real [64, 64]
    params["block2.attention.Wv"]  real [64, 64]
    params["block2.attention.Wo"]  real [64, 64]
    params["block2.norm2.gain"]    real [64]
    params["block2.norm2.bias"]    real [64]
    params["block2.net.up.W"]      real [64, 256]
    params["block2.net.up.b"]      real [256]
    params["block2.net.down.W"]    real [256, 64]
    params["block2.net.down.b"]    real [64]
    params["norm.gain"]            real [64]
    params["norm.bias"]            real [64]
    params["head.W"]               real [64, V]
    params["head.b"]               real [V]
    token                          int [N, T]         the characters, 0 to V-1
    """
    arrays, dims = _bind(params, {"token": token})
    _require(dims["T"] <= 64, "an index leaves the axis of size 64 (transformer.bp:22)")
    _require(dims["T"] >= 0, "an index leaves the axis of size 64 (transformer.bp:22)")
    return np.ascontiguousarray(_forward(*arrays, dims["N"], dims["T"]))


def cost(params, token, target):
    """The cost J, a float.

    params["place"]                real [context, D]
    params["letters.E"]            real [V, D]
    params["block1.norm1.gain"]    real [64]
    params["block1.norm1.bias"]    real [64]
    params["block1.attention.Wq"]  real [64, 64]
    params["block1.attention.Wk"]  real [64, 64]
    params["block1.attention.Wv"]  real [64, 64]
    params["block1.attention.Wo"]  real [64, 64]
    params["block1.norm2.gain"]    real [64]
    params["block1.norm2.bias"]    real [64]
    params["block1.net.up.W"]      real [64, 256]
    params["block1.net.up.b"]      real [256]
    params["block1.net.down.W"]    real [256, 64]
    params["block1.net.down.b"]    real [64]
    params["block2.norm1.gain"]    real [64]
    params["block2.norm1.bias"]    real [64]
    params["block2.attention.Wq"]  real [64, 64]
    params["block2.attention.Wk"]  real [64, 64]
    params["block2.attention.Wv"]  real [64, 64]
    params["block2.attention.Wo"]  real [64, 64]
    params["block2.norm2.gain"]    real [64]
    params["block2.norm2.bias"]    real [64]
    params["block2.net.up.W"]      real [64, 256]
    params["block2.net.up.b"]      real [256]
    params["block2.net.down.W"]    real [256, 64]
    params["block2.net.down.b"]    real [64]
    params["norm.gain"]            real [64]
    params["norm.bias"]            real [64]
    params["head.W"]               real [64, V]
    params["head.b"]               real [V]
    token                          int [N, T]         the characters, 0 to V-1
    target                         int [N, T]         those that follow them
    """
    arrays, dims = _bind(params, {"token": token, "target": target})
    _require(dims["T"] <= 64, "an index leaves the axis of size 64 (transformer.bp:22)")
    _require(dims["T"] >= 0, "an index leaves the axis of size 64 (transformer.bp:22)")
    _require(dims["N"] >= 1, "mean of no entries (transformer.bp:28)")
    _require(dims["T"] >= 1, "mean of no entries (transformer.bp:28)")
    return float(_cost(*arrays, dims["N"], dims["T"]))


def value_and_grad(params, token, target, out=None):
    """The cost J, a float, and its gradient, like params.

    params["place"]                real [context, D]
    params["letters.E"]            real [V, D]
    params["block1.norm1.gain"]    real [64]
    params["block1.norm1.bias"]    real [64]
    params["block1.attention.Wq"]  real [64, 64]
    params["block1.attention.Wk"]  real [64, 64]
    params["block1.attention.Wv"]  real [64, 64]
    params["block1.attention.Wo"]  real [64, 64]
    params["block1.norm2.gain"]    real [64]
    params["block1.norm2.bias"]    real [64]
    params["block1.net.up.W"]      real [64, 256]
    params["block1.net.up.b"]      real [256]
    params["block1.net.down.W"]    real [256, 64]
    params["block1.net.down.b"]    real [64]
    params["block2.norm1.gain"]    real [64]
    params["block2.norm1.bias"]    real [64]
    params["block2.attention.Wq"]  real [64, 64]
    params["block2.attention.Wk"]  real [64, 64]
    params["block2.attention.Wv"]  real [64, 64]
    params["block2.attention.Wo"]  real [64, 64]
    params["block2.norm2.gain"]    real [64]
    params["block2.norm2.bias"]    real [64]
    params["block2.net.up.W"]      real [64, 256]
    params["block2.net.up.b"]      real [256]
    params["block2.net.down.W"]    real [256, 64]
    params["block2.net.down.b"]    real [64]
    params["norm.gain"]            real [64]
    params["norm.bias"]            real [64]
    params["head.W"]               real [64, V]
    params["head.b"]               real [V]
    token                          int [N, T]         the characters, 0 to V-1
    target                         int [N, T]         those that follow them
    out                            dict               arrays for the derivatives; None makes them
    """
    arrays, dims = _bind(params, {"token": token, "target": target})
    _require(dims["T"] <= 64, "an index leaves the axis of size 64 (transformer.bp:22)")
    _require(dims["T"] >= 0, "an index leaves the axis of size 64 (transformer.bp:22)")
    _require(dims["N"] >= 1, "mean of no entries (transformer.bp:28)")
    _require(dims["T"] >= 1, "mean of no entries (transformer.bp:28)")
    value, *results = _value_and_grad(*arrays, dims["N"], dims["T"])
    grads = dict(zip(PARAMS, map(np.ascontiguousarray, results)))
    return float(value), grads if out is None else _written(out, grads, arrays)


def init(seed=0, dtype=np.float64):
    """Fresh params, drawn in declared order."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise TypeError(f"dtype is {dtype}, expected float32 or float64")
    return {
        "place": rng.normal(0.0, 0.02, (64, 64)).astype(dtype),
        "letters.E": rng.normal(0.0, 0.02, (28, 64)).astype(dtype),
        "block1.norm1.gain": np.ones(64, dtype),
        "block1.norm1.bias": np.zeros(64, dtype),
        "block1.attention.Wq": rng.normal(0.0, (2 / 128) ** 0.5, (64, 64)).astype(
            dtype
        ),
        "block1.attention.Wk": rng.normal(0.0, (2 / 128) ** 0.5, (64, 64)).astype(
            dtype
        ),
        "block1.attention.Wv": rng.normal(0.0, (2 / 128) ** 0.5, (64, 64)).astype(
            dtype
        ),
        "block1.attention.Wo": rng.normal(0.0, (2 / 128) ** 0.5, (64, 64)).astype(
            dtype
        ),
        "block1.norm2.gain": np.ones(64, dtype),
        "block1.norm2.bias": np.zeros(64, dtype),
        "block1.net.up.W": rng.normal(0.0, (2 / 320) ** 0.5, (64, 256)).astype(dtype),
        "block1.net.up.b": np.zeros(256, dtype),
        "block1.net.down.W": rng.normal(0.0, (2 / 320) ** 0.5, (256, 64)).astype(dtype),
        "block1.net.down.b": np.zeros(64, dtype),
        "block2.norm1.gain": np.ones(64, dtype),
        "block2.norm1.bias": np.zeros(64, dtype),
        "block2.attention.Wq": rng.normal(0.0, (2 / 128) ** 0.5, (64, 64)).astype(
            dtype
        ),
        "block2.attention.Wk": rng.normal(0.0, (2 / 128) ** 0.5, (64, 64)).astype(
            dtype
        ),
        "block2.attention.Wv": rng.normal(0.0, (2 / 128) ** 0.5, (64, 64)).astype(
            dtype
        ),
        "block2.attention.Wo": rng.normal(0.0, (2 / 128) ** 0.5, (64, 64)).astype(
            dtype
        ),
        "block2.norm2.gain": np.ones(64, dtype),
        "block2.norm2.bias": np.zeros(64, dtype),
        "block2.net.up.W": rng.normal(0.0, (2 / 320) ** 0.5, (64, 256)).astype(dtype),
        "block2.net.up.b": np.zeros(256, dtype),
        "block2.net.down.W": rng.normal(0.0, (2 / 320) ** 0.5, (256, 64)).astype(dtype),
        "block2.net.down.b": np.zeros(64, dtype),
        "norm.gain": np.ones(64, dtype),
        "norm.bias": np.zeros(64, dtype),
        "head.W": rng.normal(0.0, (2 / 92) ** 0.5, (64, 28)).astype(dtype),
        "head.b": np.zeros(28, dtype),
    }


def ravel(params):
    """All parameters as one float64 vector."""
    values, _ = _bind(params, {})
    return np.concatenate([np.ravel(v) for v in values], dtype=float)


def unravel(vector):
    """Params from a vector as `ravel` gives it."""
    shapes = {
        "place": (64, 64),
        "letters.E": (28, 64),
        "block1.norm1.gain": (64,),
        "block1.norm1.bias": (64,),
        "block1.attention.Wq": (64, 64),
        "block1.attention.Wk": (64, 64),
        "block1.attention.Wv": (64, 64),
        "block1.attention.Wo": (64, 64),
        "block1.norm2.gain": (64,),
        "block1.norm2.bias": (64,),
        "block1.net.up.W": (64, 256),
        "block1.net.up.b": (256,),
        "block1.net.down.W": (256, 64),
        "block1.net.down.b": (64,),
        "block2.norm1.gain": (64,),
        "block2.norm1.bias": (64,),
        "block2.attention.Wq": (64, 64),
        "block2.attention.Wk": (64, 64),
        "block2.attention.Wv": (64, 64),
        "block2.attention.Wo": (64, 64),
        "block2.norm2.gain": (64,),
        "block2.norm2.bias": (64,),
        "block2.net.up.W": (64, 256),
        "block2.net.up.b": (256,),
        "block2.net.down.W": (256, 64),
        "block2.net.down.b": (64,),
        "norm.gain": (64,),
        "norm.bias": (64,),
        "head.W": (64, 28),
        "head.b": (28,),
    }
    return _unravel(vector, shapes)


def _forward(
    place,
    letters_E,
    block1_norm1_gain,
    block1_norm1_bias,
    block1_attention_Wq,
    block1_attention_Wk,
    block1_attention_Wv,
    block1_attention_Wo,
    block1_norm2_gain,
    block1_norm2_bias,
    block1_net_up_W,
    block1_net_up_b,
    block1_net_down_W,
    block1_net_down_b,
    block2_norm1_gain,
    block2_norm1_bias,
    block2_attention_Wq,
    block2_attention_Wk,
    block2_attention_Wv,
    block2_attention_Wo,
    block2_norm2_gain,
    block2_norm2_bias,
    block2_net_up_W,
    block2_net_up_b,
    block2_net_down_W,
    block2_net_down_b,
    norm_gain,
    norm_bias,
    head_W,
    head_b,
    token,
    N,
    T,
):
    # forward, left to right
    x0 = letters_E[token] + place[:T]  # transformer.bp:22
    block1_norm1_centred = _centred(x0, axis=2)  # nn.bp:26
    block1_norm1_scale = _root_mean_square(
        block1_norm1_centred, 1e-05, axis=2
    )  # nn.bp:26
    block1_norm1_unit = block1_norm1_centred / block1_norm1_scale  # nn.bp:26
    block1_norm1 = block1_norm1_gain * block1_norm1_unit + block1_norm1_bias  # nn.bp:26
    block1_attention_q_matmul = block1_norm1 @ block1_attention_Wq  # nn.bp:62
    block1_attention_q_reshape = block1_attention_q_matmul.reshape(
        N, T, 4, 16
    )  # nn.bp:60
    block1_attention_q = block1_attention_q_reshape.transpose(0, 2, 1, 3)  # nn.bp:62
    block1_attention_k_matmul = block1_norm1 @ block1_attention_Wk  # nn.bp:63
    block1_attention_k_reshape = block1_attention_k_matmul.reshape(
        N, T, 4, 16
    )  # nn.bp:60
    block1_attention_k = block1_attention_k_reshape.transpose(0, 2, 1, 3)  # nn.bp:63
    block1_attention_v_matmul = block1_norm1 @ block1_attention_Wv  # nn.bp:64
    block1_attention_v_reshape = block1_attention_v_matmul.reshape(
        N, T, 4, 16
    )  # nn.bp:60
    block1_attention_v = block1_attention_v_reshape.transpose(0, 2, 1, 3)  # nn.bp:64
    block1_attention_y_scores = (
        block1_attention_q / 4.0 @ block1_attention_k.swapaxes(-1, -2)
    )  # nn.bp:65
    block1_attention_y_past = _past(block1_attention_y_scores)  # nn.bp:65
    block1_attention_y_weights = _softmax(block1_attention_y_past)  # nn.bp:65
    block1_attention_y = block1_attention_y_weights @ block1_attention_v  # nn.bp:65
    block1_attention_y_transpose = block1_attention_y.transpose(0, 2, 1, 3)  # nn.bp:66
    block1_attention_y_reshape = block1_attention_y_transpose.reshape(
        N, T, 64
    )  # nn.bp:66
    block1_attention = block1_attention_y_reshape @ block1_attention_Wo  # nn.bp:66
    block1_y = x0 + block1_attention  # transformer.bp:18
    block1_norm2_centred = _centred(block1_y, axis=2)  # nn.bp:26
    block1_norm2_scale = _root_mean_square(
        block1_norm2_centred, 1e-05, axis=2
    )  # nn.bp:26
    block1_norm2_unit = block1_norm2_centred / block1_norm2_scale  # nn.bp:26
    block1_norm2 = block1_norm2_gain * block1_norm2_unit + block1_norm2_bias  # nn.bp:26
    block1_net_up = block1_norm2 @ block1_net_up_W + block1_net_up_b  # nn.bp:10
    block1_net_h = np.maximum(block1_net_up, 0.0)  # transformer.bp:12
    block1_net = block1_net_h @ block1_net_down_W + block1_net_down_b  # nn.bp:10
    x1 = block1_y + block1_net  # transformer.bp:24
    block2_norm1_centred = _centred(x1, axis=2)  # nn.bp:26
    block2_norm1_scale = _root_mean_square(
        block2_norm1_centred, 1e-05, axis=2
    )  # nn.bp:26
    block2_norm1_unit = block2_norm1_centred / block2_norm1_scale  # nn.bp:26
    block2_norm1 = block2_norm1_gain * block2_norm1_unit + block2_norm1_bias  # nn.bp:26
    block2_attention_q_matmul = block2_norm1 @ block2_attention_Wq  # nn.bp:62
    block2_attention_q_reshape = block2_attention_q_matmul.reshape(
        N, T, 4, 16
    )  # nn.bp:60
    block2_attention_q = block2_attention_q_reshape.transpose(0, 2, 1, 3)  # nn.bp:62
    block2_attention_k_matmul = block2_norm1 @ block2_attention_Wk  # nn.bp:63
    block2_attention_k_reshape = block2_attention_k_matmul.reshape(
        N, T, 4, 16
    )  # nn.bp:60
    block2_attention_k = block2_attention_k_reshape.transpose(0, 2, 1, 3)  # nn.bp:63
    block2_attention_v_matmul = block2_norm1 @ block2_attention_Wv  # nn.bp:64
    block2_attention_v_reshape = block2_attention_v_matmul.reshape(
        N, T, 4, 16
    )  # nn.bp:60
    block2_attention_v = block2_attention_v_reshape.transpose(0, 2, 1, 3)  # nn.bp:64
    block2_attention_y_scores = (
        block2_attention_q / 4.0 @ block2_attention_k.swapaxes(-1, -2)
    )  # nn.bp:65
    block2_attention_y_past = _past(block2_attention_y_scores)  # nn.bp:65
    block2_attention_y_weights = _softmax(block2_attention_y_past)  # nn.bp:65
    block2_attention_y = block2_attention_y_weights @ block2_attention_v  # nn.bp:65
    block2_attention_y_transpose = block2_attention_y.transpose(0, 2, 1, 3)  # nn.bp:66
    block2_attention_y_reshape = block2_attention_y_transpose.reshape(
        N, T, 64
    )  # nn.bp:66
    block2_attention = block2_attention_y_reshape @ block2_attention_Wo  # nn.bp:66
    block2_y = x1 + block2_attention  # transformer.bp:18
    block2_norm2_centred = _centred(block2_y, axis=2)  # nn.bp:26
    block2_norm2_scale = _root_mean_square(
        block2_norm2_centred, 1e-05, axis=2
    )  # nn.bp:26
    block2_norm2_unit = block2_norm2_centred / block2_norm2_scale  # nn.bp:26
    block2_norm2 = block2_norm2_gain * block2_norm2_unit + block2_norm2_bias  # nn.bp:26
    block2_net_up = block2_norm2 @ block2_net_up_W + block2_net_up_b  # nn.bp:10
    block2_net_h = np.maximum(block2_net_up, 0.0)  # transformer.bp:12
    block2_net = block2_net_h @ block2_net_down_W + block2_net_down_b  # nn.bp:10
    x2 = block2_y + block2_net  # transformer.bp:24
    norm_centred = _centred(x2, axis=2)  # nn.bp:26
    norm_scale = _root_mean_square(norm_centred, 1e-05, axis=2)  # nn.bp:26
    norm = norm_gain * (norm_centred / norm_scale) + norm_bias  # nn.bp:26
    logits = norm @ head_W + head_b  # transformer.bp:26
    return logits


def _cost(
    place,
    letters_E,
    block1_norm1_gain,
    block1_norm1_bias,
    block1_attention_Wq,
    block1_attention_Wk,
    block1_attention_Wv,
    block1_attention_Wo,
    block1_norm2_gain,
    block1_norm2_bias,
    block1_net_up_W,
    block1_net_up_b,
    block1_net_down_W,
    block1_net_down_b,
    block2_norm1_gain,
    block2_norm1_bias,
    block2_attention_Wq,
    block2_attention_Wk,
    block2_attention_Wv,
    block2_attention_Wo,
    block2_norm2_gain,
    block2_norm2_bias,
    block2_net_up_W,
    block2_net_up_b,
    block2_net_down_W,
    block2_net_down_b,
    norm_gain,
    norm_bias,
    head_W,
    head_b,
    token,
    target,
    N,
    T,
):
    # forward, left to right
    x0 = letters_E[token] + place[:T]  # transformer.bp:22
    block1_norm1_centred = _centred(x0, axis=2)  # nn.bp:26
    block1_norm1_scale = _root_mean_square(
        block1_norm1_centred, 1e-05, axis=2
    )  # nn.bp:26
    block1_norm1_unit = block1_norm1_centred / block1_norm1_scale  # nn.bp:26
    block1_norm1 = block1_norm1_gain * block1_norm1_unit + block1_norm1_bias  # nn.bp:26
    block1_attention_q_matmul = block1_norm1 @ block1_attention_Wq  # nn.bp:62
    block1_attention_q_reshape = block1_attention_q_matmul.reshape(
        N, T, 4, 16
    )  # nn.bp:60
    block1_attention_q = block1_attention_q_reshape.transpose(0, 2, 1, 3)  # nn.bp:62
    block1_attention_k_matmul = block1_norm1 @ block1_attention_Wk  # nn.bp:63
    block1_attention_k_reshape = block1_attention_k_matmul.reshape(
        N, T, 4, 16
    )  # nn.bp:60
    block1_attention_k = block1_attention_k_reshape.transpose(0, 2, 1, 3)  # nn.bp:63
    block1_attention_v_matmul = block1_norm1 @ block1_attention_Wv  # nn.bp:64
    block1_attention_v_reshape = block1_attention_v_matmul.reshape(
        N, T, 4, 16
    )  # nn.bp:60
    block1_attention_v = block1_attention_v_reshape.transpose(0, 2, 1, 3)  # nn.bp:64
    block1_attention_y_scores = (
        block1_attention_q / 4.0 @ block1_attention_k.swapaxes(-1, -2)
    )  # nn.bp:65
    block1_attention_y_past = _past(block1_attention_y_scores)  # nn.bp:65
    block1_attention_y_weights = _softmax(block1_attention_y_past)  # nn.bp:65
    block1_attention_y = block1_attention_y_weights @ block1_attention_v  # nn.bp:65
    block1_attention_y_transpose = block1_attention_y.transpose(0, 2, 1, 3)  # nn.bp:66
    block1_attention_y_reshape = block1_attention_y_transpose.reshape(
        N, T, 64
    )  # nn.bp:66
    block1_attention = block1_attention_y_reshape @ block1_attention_Wo  # nn.bp:66
    block1_y = x0 + block1_attention  # transformer.bp:18
    block1_norm2_centred = _centred(block1_y, axis=2)  # nn.bp:26
    block1_norm2_scale = _root_mean_square(
        block1_norm2_centred, 1e-05, axis=2
    )  # nn.bp:26
    block1_norm2_unit = block1_norm2_centred / block1_norm2_scale  # nn.bp:26
    block1_norm2 = block1_norm2_gain * block1_norm2_unit + block1_norm2_bias  # nn.bp:26
    block1_net_up = block1_norm2 @ block1_net_up_W + block1_net_up_b  # nn.bp:10
    block1_net_h = np.maximum(block1_net_up, 0.0)  # transformer.bp:12
    block1_net = block1_net_h @ block1_net_down_W + block1_net_down_b  # nn.bp:10
    x1 = block1_y + block1_net  # transformer.bp:24
    block2_norm1_centred = _centred(x1, axis=2)  # nn.bp:26
    block2_norm1_scale = _root_mean_square(
        block2_norm1_centred, 1e-05, axis=2
    )  # nn.bp:26
    block2_norm1_unit = block2_norm1_centred / block2_norm1_scale  # nn.bp:26
    block2_norm1 = block2_norm1_gain * block2_norm1_unit + block2_norm1_bias  # nn.bp:26
    block2_attention_q_matmul = block2_norm1 @ block2_attention_Wq  # nn.bp:62
    block2_attention_q_reshape = block2_attention_q_matmul.reshape(
        N, T, 4, 16
    )  # nn.bp:60
    block2_attention_q = block2_attention_q_reshape.transpose(0, 2, 1, 3)  # nn.bp:62
    block2_attention_k_matmul = block2_norm1 @ block2_attention_Wk  # nn.bp:63
    block2_attention_k_reshape = block2_attention_k_matmul.reshape(
        N, T, 4, 16
    )  # nn.bp:60
    block2_attention_k = block2_attention_k_reshape.transpose(0, 2, 1, 3)  # nn.bp:63
    block2_attention_v_matmul = block2_norm1 @ block2_attention_Wv  # nn.bp:64
    block2_attention_v_reshape = block2_attention_v_matmul.reshape(
        N, T, 4, 16
    )  # nn.bp:60
    block2_attention_v = block2_attention_v_reshape.transpose(0, 2, 1, 3)  # nn.bp:64
    block2_attention_y_scores = (
        block2_attention_q / 4.0 @ block2_attention_k.swapaxes(-1, -2)
    )  # nn.bp:65
    block2_attention_y_past = _past(block2_attention_y_scores)  # nn.bp:65
    block2_attention_y_weights = _softmax(block2_attention_y_past)  # nn.bp:65
    block2_attention_y = block2_attention_y_weights @ block2_attention_v  # nn.bp:65
    block2_attention_y_transpose = block2_attention_y.transpose(0, 2, 1, 3)  # nn.bp:66
    block2_attention_y_reshape = block2_attention_y_transpose.reshape(
        N, T, 64
    )  # nn.bp:66
    block2_attention = block2_attention_y_reshape @ block2_attention_Wo  # nn.bp:66
    block2_y = x1 + block2_attention  # transformer.bp:18
    block2_norm2_centred = _centred(block2_y, axis=2)  # nn.bp:26
    block2_norm2_scale = _root_mean_square(
        block2_norm2_centred, 1e-05, axis=2
    )  # nn.bp:26
    block2_norm2_unit = block2_norm2_centred / block2_norm2_scale  # nn.bp:26
    block2_norm2 = block2_norm2_gain * block2_norm2_unit + block2_norm2_bias  # nn.bp:26
    block2_net_up = block2_norm2 @ block2_net_up_W + block2_net_up_b  # nn.bp:10
    block2_net_h = np.maximum(block2_net_up, 0.0)  # transformer.bp:12
    block2_net = block2_net_h @ block2_net_down_W + block2_net_down_b  # nn.bp:10
    x2 = block2_y + block2_net  # transformer.bp:24
    norm_centred = _centred(x2, axis=2)  # nn.bp:26
    norm_scale = _root_mean_square(norm_centred, 1e-05, axis=2)  # nn.bp:26
    norm = norm_gain * (norm_centred / norm_scale) + norm_bias  # nn.bp:26
    logits = norm @ head_W + head_b  # transformer.bp:26
    J = _mean(_cross_entropy(logits, target)) / 0.6931471805599453  # transformer.bp:28
    return J


def _value_and_grad(
    place,
    letters_E,
    block1_norm1_gain,
    block1_norm1_bias,
    block1_attention_Wq,
    block1_attention_Wk,
    block1_attention_Wv,
    block1_attention_Wo,
    block1_norm2_gain,
    block1_norm2_bias,
    block1_net_up_W,
    block1_net_up_b,
    block1_net_down_W,
    block1_net_down_b,
    block2_norm1_gain,
    block2_norm1_bias,
    block2_attention_Wq,
    block2_attention_Wk,
    block2_attention_Wv,
    block2_attention_Wo,
    block2_norm2_gain,
    block2_norm2_bias,
    block2_net_up_W,
    block2_net_up_b,
    block2_net_down_W,
    block2_net_down_b,
    norm_gain,
    norm_bias,
    head_W,
    head_b,
    token,
    target,
    N,
    T,
):
    # forward, left to right
    x0 = letters_E[token] + place[:T]  # transformer.bp:22
    block1_norm1_centred = _centred(x0, axis=2)  # nn.bp:26
    block1_norm1_scale = _root_mean_square(
        block1_norm1_centred, 1e-05, axis=2
    )  # nn.bp:26
    block1_norm1_unit = block1_norm1_centred / block1_norm1_scale  # nn.bp:26
    block1_norm1 = block1_norm1_gain * block1_norm1_unit + block1_norm1_bias  # nn.bp:26
    block1_attention_q_matmul = block1_norm1 @ block1_attention_Wq  # nn.bp:62
    block1_attention_q_reshape = block1_attention_q_matmul.reshape(
        N, T, 4, 16
    )  # nn.bp:60
    block1_attention_q = block1_attention_q_reshape.transpose(0, 2, 1, 3)  # nn.bp:62
    block1_attention_k_matmul = block1_norm1 @ block1_attention_Wk  # nn.bp:63
    block1_attention_k_reshape = block1_attention_k_matmul.reshape(
        N, T, 4, 16
    )  # nn.bp:60
    block1_attention_k = block1_attention_k_reshape.transpose(0, 2, 1, 3)  # nn.bp:63
    block1_attention_v_matmul = block1_norm1 @ block1_attention_Wv  # nn.bp:64
    block1_attention_v_reshape = block1_attention_v_matmul.reshape(
        N, T, 4, 16
    )  # nn.bp:60
    block1_attention_v = block1_attention_v_reshape.transpose(0, 2, 1, 3)  # nn.bp:64
    block1_attention_y_div = block1_attention_q / 4.0  # nn.bp:65
    block1_attention_y_transpose = block1_attention_k.swapaxes(-1, -2)  # nn.bp:65
    block1_attention_y_scores = (
        block1_attention_y_div @ block1_attention_y_transpose
    )  # nn.bp:65
    block1_attention_y_past = _past(block1_attention_y_scores)  # nn.bp:65
    block1_attention_y_weights = _softmax(block1_attention_y_past)  # nn.bp:65
    block1_attention_y = block1_attention_y_weights @ block1_attention_v  # nn.bp:65
    block1_attention_y_transpose_2 = block1_attention_y.transpose(
        0, 2, 1, 3
    )  # nn.bp:66
    block1_attention_y_reshape = block1_attention_y_transpose_2.reshape(
        N, T, 64
    )  # nn.bp:66
    block1_attention = block1_attention_y_reshape @ block1_attention_Wo  # nn.bp:66
    block1_y = x0 + block1_attention  # transformer.bp:18
    block1_norm2_centred = _centred(block1_y, axis=2)  # nn.bp:26
    block1_norm2_scale = _root_mean_square(
        block1_norm2_centred, 1e-05, axis=2
    )  # nn.bp:26
    block1_norm2_unit = block1_norm2_centred / block1_norm2_scale  # nn.bp:26
    block1_norm2 = block1_norm2_gain * block1_norm2_unit + block1_norm2_bias  # nn.bp:26
    block1_net_up = block1_norm2 @ block1_net_up_W + block1_net_up_b  # nn.bp:10
    block1_net_h = np.maximum(block1_net_up, 0.0)  # transformer.bp:12
    block1_net = block1_net_h @ block1_net_down_W + block1_net_down_b  # nn.bp:10
    x1 = block1_y + block1_net  # transformer.bp:24
    block2_norm1_centred = _centred(x1, axis=2)  # nn.bp:26
    block2_norm1_scale = _root_mean_square(
        block2_norm1_centred, 1e-05, axis=2
    )  # nn.bp:26
    block2_norm1_unit = block2_norm1_centred / block2_norm1_scale  # nn.bp:26
    block2_norm1 = block2_norm1_gain * block2_norm1_unit + block2_norm1_bias  # nn.bp:26
    block2_attention_q_matmul = block2_norm1 @ block2_attention_Wq  # nn.bp:62
    block2_attention_q_reshape = block2_attention_q_matmul.reshape(
        N, T, 4, 16
    )  # nn.bp:60
    block2_attention_q = block2_attention_q_reshape.transpose(0, 2, 1, 3)  # nn.bp:62
    block2_attention_k_matmul = block2_norm1 @ block2_attention_Wk  # nn.bp:63
    block2_attention_k_reshape = block2_attention_k_matmul.reshape(
        N, T, 4, 16
    )  # nn.bp:60
    block2_attention_k = block2_attention_k_reshape.transpose(0, 2, 1, 3)  # nn.bp:63
    block2_attention_v_matmul = block2_norm1 @ block2_attention_Wv  # nn.bp:64
    block2_attention_v_reshape = block2_attention_v_matmul.reshape(
        N, T, 4, 16
    )  # nn.bp:60
    block2_attention_v = block2_attention_v_reshape.transpose(0, 2, 1, 3)  # nn.bp:64
    block2_attention_y_div = block2_attention_q / 4.0  # nn.bp:65
    block2_attention_y_transpose = block2_attention_k.swapaxes(-1, -2)  # nn.bp:65
    block2_attention_y_scores = (
        block2_attention_y_div @ block2_attention_y_transpose
    )  # nn.bp:65
    block2_attention_y_past = _past(block2_attention_y_scores)  # nn.bp:65
    block2_attention_y_weights = _softmax(block2_attention_y_past)  # nn.bp:65
    block2_attention_y = block2_attention_y_weights @ block2_attention_v  # nn.bp:65
    block2_attention_y_transpose_2 = block2_attention_y.transpose(
        0, 2, 1, 3
    )  # nn.bp:66
    block2_attention_y_reshape = block2_attention_y_transpose_2.reshape(
        N, T, 64
    )  # nn.bp:66
    block2_attention = block2_attention_y_reshape @ block2_attention_Wo  # nn.bp:66
    block2_y = x1 + block2_attention  # transformer.bp:18
    block2_norm2_centred = _centred(block2_y, axis=2)  # nn.bp:26
    block2_norm2_scale = _root_mean_square(
        block2_norm2_centred, 1e-05, axis=2
    )  # nn.bp:26
    block2_norm2_unit = block2_norm2_centred / block2_norm2_scale  # nn.bp:26
    block2_norm2 = block2_norm2_gain * block2_norm2_unit + block2_norm2_bias  # nn.bp:26
    block2_net_up = block2_norm2 @ block2_net_up_W + block2_net_up_b  # nn.bp:10
    block2_net_h = np.maximum(block2_net_up, 0.0)  # transformer.bp:12
    block2_net = block2_net_h @ block2_net_down_W + block2_net_down_b  # nn.bp:10
    x2 = block2_y + block2_net  # transformer.bp:24
    norm_centred = _centred(x2, axis=2)  # nn.bp:26
    norm_scale = _root_mean_square(norm_centred, 1e-05, axis=2)  # nn.bp:26
    norm_unit = norm_centred / norm_scale  # nn.bp:26
    norm = norm_gain * norm_unit + norm_bias  # nn.bp:26
    logits = norm @ head_W + head_b  # transformer.bp:26
    J = _mean(_cross_entropy(logits, target)) / 0.6931471805599453  # transformer.bp:28
    # backward, right to left
    dJ_dJ = 1.0  # transformer.bp:28
    dJ_dlogits = (
        1.4426950408889634 / (N * T) * _cross_entropy_slope(logits, target)
    )  # transformer.bp:28
    dJ_dhead_b = _sum(dJ_dlogits, axis=(0, 1))  # nn.bp:10
    dJ_dnorm = dJ_dlogits @ head_W.T  # nn.bp:10
    dJ_dhead_W = _rows_product(norm, dJ_dlogits)  # nn.bp:10
    dJ_dnorm_bias = _sum(dJ_dnorm, axis=(0, 1))  # nn.bp:26
    dJ_dnorm_gain = _sum(dJ_dnorm * norm_unit, axis=(0, 1))  # nn.bp:26
    dJ_dnorm_unit = dJ_dnorm * norm_gain  # nn.bp:26
    dJ_dnorm_centred = _normalise_slope(
        dJ_dnorm_unit, norm_unit, norm_scale, axis=2
    )  # nn.bp:26
    dJ_dx2 = _centred(dJ_dnorm_centred, axis=2)  # nn.bp:26
    dJ_dblock2_net_down_b = _sum(dJ_dx2, axis=(0, 1))  # nn.bp:10
    dJ_dblock2_net_h = dJ_dx2 @ block2_net_down_W.T  # nn.bp:10
    dJ_dblock2_net_down_W = _rows_product(block2_net_h, dJ_dx2)  # nn.bp:10
    gt = block2_net_h > 0.0  # transformer.bp:12
    dJ_dblock2_net_up = np.where(gt, dJ_dblock2_net_h, 0.0)  # transformer.bp:12
    dJ_dblock2_net_up_b = _sum(dJ_dblock2_net_up, axis=(0, 1))  # nn.bp:10
    dJ_dblock2_norm2 = dJ_dblock2_net_up @ block2_net_up_W.T  # nn.bp:10
    dJ_dblock2_net_up_W = _rows_product(block2_norm2, dJ_dblock2_net_up)  # nn.bp:10
    dJ_dblock2_norm2_bias = _sum(dJ_dblock2_norm2, axis=(0, 1))  # nn.bp:26
    dJ_dblock2_norm2_broadcast = dJ_dblock2_norm2 * block2_norm2_unit  # nn.bp:26
    dJ_dblock2_norm2_gain = _sum(dJ_dblock2_norm2_broadcast, axis=(0, 1))  # nn.bp:26
    dJ_dblock2_norm2_unit = dJ_dblock2_norm2 * block2_norm2_gain  # nn.bp:26
    dJ_dblock2_norm2_centred = _normalise_slope(
        dJ_dblock2_norm2_unit, block2_norm2_unit, block2_norm2_scale, axis=2
    )  # nn.bp:26
    dJ_dblock2_y = dJ_dx2 + _centred(dJ_dblock2_norm2_centred, axis=2)  # nn.bp:26
    dJ_dblock2_attention_Wo = _rows_product(
        block2_attention_y_reshape, dJ_dblock2_y
    )  # nn.bp:66
    dJ_dblock2_attention_y_reshape = dJ_dblock2_y @ block2_attention_Wo.T  # nn.bp:66
    dJ_dblock2_attention_y_transpose = dJ_dblock2_attention_y_reshape.reshape(
        N, T, 4, 16
    )  # nn.bp:66
    dJ_dblock2_attention_y = dJ_dblock2_attention_y_transpose.transpose(
        0, 2, 1, 3
    )  # nn.bp:66
    block2_attention_y_weights_transpose = block2_attention_y_weights.swapaxes(
        -1, -2
    )  # nn.bp:65
    dJ_dblock2_attention_v = (
        block2_attention_y_weights_transpose @ dJ_dblock2_attention_y
    )  # nn.bp:65
    block2_attention_y_weights_transpose_2 = block2_attention_v.swapaxes(
        -1, -2
    )  # nn.bp:65
    dJ_dblock2_attention_y_weights = (
        dJ_dblock2_attention_y @ block2_attention_y_weights_transpose_2
    )  # nn.bp:65
    dJ_dblock2_attention_y_past = _softmax_slope(
        dJ_dblock2_attention_y_weights, block2_attention_y_weights
    )  # nn.bp:65
    dJ_dblock2_attention_y_scores = np.tril(dJ_dblock2_attention_y_past)  # nn.bp:65
    transpose = dJ_dblock2_attention_y_scores.swapaxes(-1, -2)  # nn.bp:65
    dJ_dblock2_attention_k = transpose @ block2_attention_y_div  # nn.bp:65
    dJ_dblock2_attention_q = (
        dJ_dblock2_attention_y_scores @ block2_attention_k / 4.0
    )  # nn.bp:65
    dJ_dblock2_attention_v_reshape = dJ_dblock2_attention_v.transpose(
        0, 2, 1, 3
    )  # nn.bp:64
    dJ_dblock2_attention_v_matmul = dJ_dblock2_attention_v_reshape.reshape(
        N, T, 64
    )  # nn.bp:60
    dJ_dblock2_attention_Wv = _rows_product(
        block2_norm1, dJ_dblock2_attention_v_matmul
    )  # nn.bp:64
    dJ_dblock2_attention_k_reshape = dJ_dblock2_attention_k.transpose(
        0, 2, 1, 3
    )  # nn.bp:63
    dJ_dblock2_attention_k_matmul = dJ_dblock2_attention_k_reshape.reshape(
        N, T, 64
    )  # nn.bp:60
    dJ_dblock2_attention_Wk = _rows_product(
        block2_norm1, dJ_dblock2_attention_k_matmul
    )  # nn.bp:63
    dJ_dblock2_attention_q_reshape = dJ_dblock2_attention_q.transpose(
        0, 2, 1, 3
    )  # nn.bp:62
    dJ_dblock2_attention_q_matmul = dJ_dblock2_attention_q_reshape.reshape(
        N, T, 64
    )  # nn.bp:60
    dJ_dblock2_attention_Wq = _rows_product(
        block2_norm1, dJ_dblock2_attention_q_matmul
    )  # nn.bp:62
    dJ_dblock2_norm1 = (
        dJ_dblock2_attention_v_matmul @ block2_attention_Wv.T
        + dJ_dblock2_attention_k_matmul @ block2_attention_Wk.T
        + dJ_dblock2_attention_q_matmul @ block2_attention_Wq.T
    )  # nn.bp:62
    dJ_dblock2_norm1_bias = _sum(dJ_dblock2_norm1, axis=(0, 1))  # nn.bp:26
    dJ_dblock2_norm1_broadcast = dJ_dblock2_norm1 * block2_norm1_unit  # nn.bp:26
    dJ_dblock2_norm1_gain = _sum(dJ_dblock2_norm1_broadcast, axis=(0, 1))  # nn.bp:26
    dJ_dblock2_norm1_unit = dJ_dblock2_norm1 * block2_norm1_gain  # nn.bp:26
    dJ_dblock2_norm1_centred = _normalise_slope(
        dJ_dblock2_norm1_unit, block2_norm1_unit, block2_norm1_scale, axis=2
    )  # nn.bp:26
    dJ_dx1 = dJ_dblock2_y + _centred(dJ_dblock2_norm1_centred, axis=2)  # nn.bp:26
    dJ_dblock1_net_down_b = _sum(dJ_dx1, axis=(0, 1))  # nn.bp:10
    dJ_dblock1_net_h = dJ_dx1 @ block1_net_down_W.T  # nn.bp:10
    dJ_dblock1_net_down_W = _rows_product(block1_net_h, dJ_dx1)  # nn.bp:10
    gt_2 = block1_net_h > 0.0  # transformer.bp:12
    dJ_dblock1_net_up = np.where(gt_2, dJ_dblock1_net_h, 0.0)  # transformer.bp:12
    dJ_dblock1_net_up_b = _sum(dJ_dblock1_net_up, axis=(0, 1))  # nn.bp:10
    dJ_dblock1_norm2 = dJ_dblock1_net_up @ block1_net_up_W.T  # nn.bp:10
    dJ_dblock1_net_up_W = _rows_product(block1_norm2, dJ_dblock1_net_up)  # nn.bp:10
    dJ_dblock1_norm2_bias = _sum(dJ_dblock1_norm2, axis=(0, 1))  # nn.bp:26
    dJ_dblock1_norm2_broadcast = dJ_dblock1_norm2 * block1_norm2_unit  # nn.bp:26
    dJ_dblock1_norm2_gain = _sum(dJ_dblock1_norm2_broadcast, axis=(0, 1))  # nn.bp:26
    dJ_dblock1_norm2_unit = dJ_dblock1_norm2 * block1_norm2_gain  # nn.bp:26
    dJ_dblock1_norm2_centred = _normalise_slope(
        dJ_dblock1_norm2_unit, block1_norm2_unit, block1_norm2_scale, axis=2
    )  # nn.bp:26
    dJ_dblock1_y = dJ_dx1 + _centred(dJ_dblock1_norm2_centred, axis=2)  # nn.bp:26
    dJ_dblock1_attention_Wo = _rows_product(
        block1_attention_y_reshape, dJ_dblock1_y
    )  # nn.bp:66
    dJ_dblock1_attention_y_reshape = dJ_dblock1_y @ block1_attention_Wo.T  # nn.bp:66
    dJ_dblock1_attention_y_transpose = dJ_dblock1_attention_y_reshape.reshape(
        N, T, 4, 16
    )  # nn.bp:66
    dJ_dblock1_attention_y = dJ_dblock1_attention_y_transpose.transpose(
        0, 2, 1, 3
    )  # nn.bp:66
    block1_attention_y_weights_transpose = block1_attention_y_weights.swapaxes(
        -1, -2
    )  # nn.bp:65
    dJ_dblock1_attention_v = (
        block1_attention_y_weights_transpose @ dJ_dblock1_attention_y
    )  # nn.bp:65
    block1_attention_y_weights_transpose_2 = block1_attention_v.swapaxes(
        -1, -2
    )  # nn.bp:65
    dJ_dblock1_attention_y_weights = (
        dJ_dblock1_attention_y @ block1_attention_y_weights_transpose_2
    )  # nn.bp:65
    dJ_dblock1_attention_y_past = _softmax_slope(
        dJ_dblock1_attention_y_weights, block1_attention_y_weights
    )  # nn.bp:65
    dJ_dblock1_attention_y_scores = np.tril(dJ_dblock1_attention_y_past)  # nn.bp:65
    transpose_2 = dJ_dblock1_attention_y_scores.swapaxes(-1, -2)  # nn.bp:65
    dJ_dblock1_attention_k = transpose_2 @ block1_attention_y_div  # nn.bp:65
    dJ_dblock1_attention_q = (
        dJ_dblock1_attention_y_scores @ block1_attention_k / 4.0
    )  # nn.bp:65
    dJ_dblock1_attention_v_reshape = dJ_dblock1_attention_v.transpose(
        0, 2, 1, 3
    )  # nn.bp:64
    dJ_dblock1_attention_v_matmul = dJ_dblock1_attention_v_reshape.reshape(
        N, T, 64
    )  # nn.bp:60
    dJ_dblock1_attention_Wv = _rows_product(
        block1_norm1, dJ_dblock1_attention_v_matmul
    )  # nn.bp:64
    dJ_dblock1_attention_k_reshape = dJ_dblock1_attention_k.transpose(
        0, 2, 1, 3
    )  # nn.bp:63
    dJ_dblock1_attention_k_matmul = dJ_dblock1_attention_k_reshape.reshape(
        N, T, 64
    )  # nn.bp:60
    dJ_dblock1_attention_Wk = _rows_product(
        block1_norm1, dJ_dblock1_attention_k_matmul
    )  # nn.bp:63
    dJ_dblock1_attention_q_reshape = dJ_dblock1_attention_q.transpose(
        0, 2, 1, 3
    )  # nn.bp:62
    dJ_dblock1_attention_q_matmul = dJ_dblock1_attention_q_reshape.reshape(
        N, T, 64
    )  # nn.bp:60
    dJ_dblock1_attention_Wq = _rows_product(
        block1_norm1, dJ_dblock1_attention_q_matmul
    )  # nn.bp:62
    dJ_dblock1_norm1 = (
        dJ_dblock1_attention_v_matmul @ block1_attention_Wv.T
        + dJ_dblock1_attention_k_matmul @ block1_attention_Wk.T
        + dJ_dblock1_attention_q_matmul @ block1_attention_Wq.T
    )  # nn.bp:62
    dJ_dblock1_norm1_bias = _sum(dJ_dblock1_norm1, axis=(0, 1))  # nn.bp:26
    dJ_dblock1_norm1_broadcast = dJ_dblock1_norm1 * block1_norm1_unit  # nn.bp:26
    dJ_dblock1_norm1_gain = _sum(dJ_dblock1_norm1_broadcast, axis=(0, 1))  # nn.bp:26
    dJ_dblock1_norm1_unit = dJ_dblock1_norm1 * block1_norm1_gain  # nn.bp:26
    dJ_dblock1_norm1_centred = _normalise_slope(
        dJ_dblock1_norm1_unit, block1_norm1_unit, block1_norm1_scale, axis=2
    )  # nn.bp:26
    dJ_dx0 = dJ_dblock1_y + _centred(dJ_dblock1_norm1_centred, axis=2)  # nn.bp:26
    dJ_dplace = _unslice(_sum(dJ_dx0, axis=0), (64, 64), np.s_[:T])  # transformer.bp:22
    dJ_dletters_E = _scatter(dJ_dx0, (28, 64), token)  # nn.bp:48
    return (
        J,
        dJ_dplace,
        dJ_dletters_E,
        dJ_dblock1_norm1_gain,
        dJ_dblock1_norm1_bias,
        dJ_dblock1_attention_Wq,
        dJ_dblock1_attention_Wk,
        dJ_dblock1_attention_Wv,
        dJ_dblock1_attention_Wo,
        dJ_dblock1_norm2_gain,
        dJ_dblock1_norm2_bias,
        dJ_dblock1_net_up_W,
        dJ_dblock1_net_up_b,
        dJ_dblock1_net_down_W,
        dJ_dblock1_net_down_b,
        dJ_dblock2_norm1_gain,
        dJ_dblock2_norm1_bias,
        dJ_dblock2_attention_Wq,
        dJ_dblock2_attention_Wk,
        dJ_dblock2_attention_Wv,
        dJ_dblock2_attention_Wo,
        dJ_dblock2_norm2_gain,
        dJ_dblock2_norm2_bias,
        dJ_dblock2_net_up_W,
        dJ_dblock2_net_up_b,
        dJ_dblock2_net_down_W,
        dJ_dblock2_net_down_b,
        dJ_dnorm_gain,
        dJ_dnorm_bias,
        dJ_dhead_W,
        dJ_dhead_b,
    )


def _values(params):
    """The parameters in declared order; ValueError where a name is missing or unknown."""
    if not isinstance(params, dict):
        raise TypeError(f"params is {type(params)}, expected a dict")
    if tuple(params) == _KEYS:
        return params.values()
    wrong = [f"lacks {name}" for name in PARAMS if name not in params]
    wrong += [f"has the unknown {name}" for name in params if name not in PARAMS]
    if wrong:
        raise ValueError(f"params {', '.join(wrong)}")
    return [params[name] for name in PARAMS]


def _bind(params, inputs):
    """The arrays, parameters first, and the free dims; an error where one does not fit."""
    arrays, dims, numbers, dtype = [], {}, [], None
    for name, value in zip((*PARAMS, *inputs), (*_values(params), *inputs.values())):
        kind, shape = _TYPES[name]
        if type(value) is not np.ndarray:
            if kind == "real" and type(value) in (float, int) and shape == ():
                numbers.append(len(arrays))
                arrays.append(value)
                continue
            value = _array(name, value)
        if kind != "real":
            value = _of_kind(name, value, kind)
        elif value.dtype is not dtype:
            dtype = _float_type(name, value, dtype, params, inputs)
        if value.shape != shape:
            _fit(name, value, shape, dims)
        arrays.append(value)
    for i in numbers:
        arrays[i] = np.asarray(arrays[i], dtype or np.float64)
    return arrays, dims


def _array(name, value):
    """What is no plain array as one; TypeError where it is missing, or has a mask to lose."""
    if value is None:
        raise TypeError(f"missing the argument {name}")
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array; give plain data, as its filled(0)")
    return np.asarray(value)


def _of_kind(name, value, kind):
    """An array of bools, or of ints in 64 bits; TypeError where it is of something else."""
    if value.dtype.kind not in {"int": "iu", "bool": "b"}[kind]:
        raise TypeError(f"{name} has dtype {value.dtype}, expected {kind}")
    return value.astype(np.int64, copy=False) if kind == "int" else value


def _float_type(name, value, dtype, params, inputs):
    """The float dtype that all real arguments share; TypeError where there is none."""
    if value.dtype not in (np.float32, np.float64):
        raise TypeError(f"{name} has dtype {value.dtype}, expected float32 or float64")
    if dtype is not None and value.dtype != dtype:
        named = {**params, **inputs}
        other = next(n for n in named if getattr(named[n], "dtype", None) == dtype)
        raise TypeError(
            f"{other} is {dtype} and {name} is {value.dtype}; give one float dtype"
        )
    return value.dtype


def _fit(name, value, shape, dims):
    """Bind the free dims of a shape, or raise ValueError where the value has another."""
    fits, before = len(value.shape) == len(shape), dict(dims)
    for have, want in zip(value.shape, shape):
        if isinstance(want, str):
            want = dims.setdefault(want, have)
        fits = fits and (want is None or have == want)
    if not fits:
        text = {**PARAMS, **INPUTS}[name].partition(" ")[2] or "a scalar"
        known = {want: before[want] for want in shape if want in before}
        for label, want in zip(text.strip("[]").split(", "), shape):
            if isinstance(want, int) and label != str(want):
                known[label] = want
        text += "".join(f", {dim} = {size}" for dim, size in known.items())
        raise ValueError(f"{name} has shape {value.shape}, expected {text}")


def _unravel(vector, shapes):
    """Arrays of the given shapes, cut from a vector one after the other."""
    vector = np.array(vector, float)
    params, start = {}, 0
    for name, shape in shapes.items():
        stop = start + int(np.prod(shape))
        params[name] = vector[start:stop]
        start = stop
    if vector.shape != (start,):
        raise ValueError(f"vector has shape {vector.shape}, expected ({start},)")
    return {name: part.reshape(shapes[name]).copy() for name, part in params.items()}


def _require(holds, message):
    """ValueError with a message where a condition on the sizes does not hold."""
    if not holds:
        raise ValueError(message)


def _rows_product(a, b):
    """a.T @ b, all axes but the last taken as rows."""
    rows = math.prod(a.shape[:-1])
    return a.reshape(rows, a.shape[-1]).T @ b.reshape(rows, b.shape[-1])


def _sum(x, axis=None, keepdims=False, out=None):
    """The sum; many float32 are added up in float64, so that no digits are lost."""
    many = x.size > 4096 and x.dtype == np.float32
    if many and (axis is None or np.take(x.shape, axis).prod() > 64):
        total = np.add.reduce(x, axis, np.float64, out, keepdims=keepdims)
        return total if out is not None else total.astype(np.float32)
    return np.add.reduce(x, axis, None, out, keepdims=keepdims)


def _mean(x, axis=None, keepdims=False):
    """The mean, from a sum that loses no digits."""
    total = _sum(x, axis, keepdims)
    return total / (x.size / max(total.size, 1))


def _centred(x, axis=None):
    """x minus its mean, twice: then equal entries give 0 exactly, and no digits are lost."""
    x = x - _mean(x, axis, True)
    return x - _mean(x, axis, True)


def _softmax(x, axis=-1):
    """exp(x) / sum(exp(x)), shifted by the maximum so that nothing overflows."""
    e = np.exp(x - x.max(axis, keepdims=True, initial=-np.inf))
    return e / _sum(e, axis, True)


def _softmax_slope(g, y, axis=-1):
    """From the adjoint g of y = softmax(x), that of x."""
    return y * (g - _sum(g * y, axis, True))


def _log_softmax(x, axis=-1):
    """x - log(sum(exp(x))), shifted by the maximum so that nothing overflows."""
    z = x - x.max(axis, keepdims=True, initial=-np.inf)
    return z - np.log(_sum(np.exp(z), axis, True))


def _unslice(x, shape, index, out=None):
    """Zeros of a shape, with x in place of a slice."""
    if out is None:
        out = np.zeros(shape, x.dtype)
    else:
        out.fill(0.0)
    out[index] = x
    return out


def _scatter(x, shape, index):
    """Zeros of a shape, to which x is added where the index arrays point."""
    exact = x.size > 4096 and x.dtype == np.float32
    whole = np.zeros(shape, np.float64 if exact else x.dtype)
    np.add.at(whole, index, x.astype(whole.dtype, copy=False))
    return whole.astype(x.dtype, copy=False)


def _picked(scores, label, ignore):
    """scores[label] on the last axis; ValueError for a label that is out of range."""
    kept = label != ignore
    wrong = kept & ((label < 0) | (label >= scores.shape[-1]))
    if wrong.any():
        row = np.argwhere(wrong)[0]
        where = ", ".join(map(str, row))
        raise ValueError(
            f"label[{where}] is {label[tuple(row)]}, expected 0 to {scores.shape[-1] - 1}"
        )
    index = np.where(kept, label, 0)[..., None]
    return np.take_along_axis(scores, index, -1)[..., 0], kept


def _cross_entropy(logits, label, smoothing=0.0, ignore=-1):
    """-log softmax(logits)[label], and 0 where the label is to be ignored."""
    log_p = _log_softmax(logits)
    picked, kept = _picked(log_p, label, ignore)
    if smoothing:
        picked = (1.0 - smoothing) * picked + smoothing * log_p.mean(-1)
    return np.where(kept, -picked, 0.0)


def _cross_entropy_slope(logits, label, smoothing=0.0, ignore=-1):
    """The gradient of each row's cross entropy: softmax(logits) minus the target."""
    target = label[..., None] == np.arange(logits.shape[-1])
    if smoothing:
        target = (1.0 - smoothing) * target + smoothing / logits.shape[-1]
    slope = _softmax(logits) - target.astype(logits.dtype)
    return np.where((label == ignore)[..., None], 0.0, slope)


def _past(scores):
    """The scores of keys up to the query's own place, -inf for later ones."""
    seen = np.tri(*scores.shape[-2:], dtype=np.bool_)
    return np.where(seen, scores, -np.inf)


def _root_mean_square(x, eps, axis):
    """The root of the mean square plus eps, with axes of size 1 for those that go."""
    return np.sqrt(_mean(x * x, axis, True) + eps)


def _normalise_slope(g, y, s, axis):
    """From the adjoint g of y = x / s, where s is the root mean square of x, that of x."""
    return (g - y * _mean(g * y, axis, True)) / s


def _targets(out, names, shapes, dtype, arrays):
    """The arrays of `out` for some results, or fresh ones; an error where one does not fit."""
    if out is None:
        return [np.empty(shape, dtype) for shape in shapes]
    if not isinstance(out, dict):
        raise TypeError(f"out is {type(out)}, expected a dict")
    others = [*arrays]
    owners = {id(a if a.base is None else a.base) for a in arrays}
    for name, shape in zip(names, shapes):
        if name not in out:
            raise ValueError(f"out lacks {name}")
        target = out[name]
        fits = type(target) is np.ndarray and target.flags.carray
        if not fits or target.shape != shape or target.dtype != dtype:
            raise ValueError(
                f"out[{name!r}] must be a contiguous {dtype} array of shape {shape}"
            )
        owner = id(target if target.base is None else target.base)
        if owner in owners and any(np.may_share_memory(target, a) for a in others):
            raise ValueError(f"out[{name!r}] shares memory with another array")
        owners.add(owner)
        others.append(target)
    return [out[name] for name in names]


def _written(out, results, arrays):
    """`out` with the results in its arrays; an error before any is written where one does not fit."""
    shapes = [result.shape for result in results.values()]
    _targets(out, results, shapes, next(iter(results.values())).dtype, arrays)
    return _stored(out, results)


def _stored(out, results):
    """`out`, with results that do not stand there yet copied."""
    for name, result in results.items():
        if out[name] is not result:
            out[name][...] = result
    return out


# sha256 of the text above:
# 80dc70187cb1532ea3b8670e74a4b03bb42b8ac78b8cbaef2e0f73087e08fd7b
