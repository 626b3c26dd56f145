"""LeNet on images of 28 x 28: two convolutions 5 x 5 without a border, pools, three dense layers."""

import numpy as np

from benchmarks.workload import Workload

MODEL = """
dim N
input image: [N, 28, 28, 1], label: int[N]
param F[1]: [5, 5, 1, 6] ~ he, c[1]: [6]
param F[2]: [5, 5, 6, 16] ~ he, c[2]: [16]
param W[1]: [256, 120] ~ he, b[1]: [120]
param W[2]: [120, 84] ~ he, b[2]: [84]
param W[3]: [84, 10] ~ glorot, b[3]: [10]
p[1] = max_pool2d(relu(conv2d(image, F[1]) + c[1]), 2)
p[2] = max_pool2d(relu(conv2d(p[1], F[2]) + c[2]), 2)
h[1] = relu(reshape(p[2], [N, 256]) @ W[1] + b[1])
h[2] = relu(h[1] @ W[2] + b[2])
cost J = mean(cross_entropy(h[2] @ W[3] + b[3], label))
"""


def make(rng, n):
    shapes = {"F1": (5, 5, 1, 6), "F2": (5, 5, 6, 16)}
    shapes |= {"W1": (256, 120), "W2": (120, 84), "W3": (84, 10)}
    params = {}
    for name, shape in shapes.items():
        params[name] = rng.normal(size=shape) * (2 / np.prod(shape[:-1])) ** 0.5
        bias = {"F": "c", "W": "b"}[name[0]] + name[1]
        params[bias] = 0.1 * rng.normal(size=shape[-1])
    return params, {"image": rng.random((n, 28, 28, 1)), "label": rng.integers(0, 10, n)}


def windows(x):
    """All 5 x 5 windows as rows: [N, H, W, C] to [N * (H-4) * (W-4), 25 C]."""
    n, h, w, c = x.shape
    v = np.lib.stride_tricks.sliding_window_view(x, (5, 5), axis=(1, 2))
    return v.transpose(0, 1, 2, 4, 5, 3).reshape(n * (h - 4) * (w - 4), 25 * c)


def pooled(x):
    """The maxima of 2 x 2, and a mask of where they stand."""
    n, h, w, c = x.shape
    blocks = x.reshape(n, h // 2, 2, w // 2, 2, c)
    top = blocks.max(axis=(2, 4), keepdims=True)
    return top.reshape(n, h // 2, w // 2, c), blocks == top


def by_hand(p, image, label):
    n = len(image)
    cols1 = windows(image)
    a1 = np.maximum(cols1 @ p["F1"].reshape(25, 6) + p["c1"], 0).reshape(n, 24, 24, 6)
    p1, where1 = pooled(a1)
    cols2 = windows(p1)
    a2 = np.maximum(cols2 @ p["F2"].reshape(150, 16) + p["c2"], 0).reshape(n, 8, 8, 16)
    p2, where2 = pooled(a2)
    flat = p2.reshape(n, 256)
    h1 = np.maximum(flat @ p["W1"] + p["b1"], 0)
    h2 = np.maximum(h1 @ p["W2"] + p["b2"], 0)
    logits = h2 @ p["W3"] + p["b3"]
    logits -= logits.max(axis=1, keepdims=True)
    e = np.exp(logits)
    total = e.sum(axis=1, keepdims=True)
    rows = np.arange(n)
    cost = np.mean(np.log(total[:, 0]) - logits[rows, label])
    g3 = e / total
    g3[rows, label] -= 1
    g3 /= n
    g2 = (g3 @ p["W3"].T) * (h2 > 0)
    g1 = (g2 @ p["W2"].T) * (h1 > 0)
    # An image's windows overlap: each position adds up what its windows say.
    d2 = (g1 @ p["W1"].T).reshape(n, 4, 1, 4, 1, 16) * where2
    d2 = (d2.reshape(n, 8, 8, 16) * (a2 > 0)).reshape(-1, 16)
    by_window = (d2 @ p["F2"].reshape(150, 16).T).reshape(n, 8, 8, 5, 5, 6)
    back = np.zeros_like(p1)
    for i in range(5):
        for j in range(5):
            back[:, i : i + 8, j : j + 8] += by_window[:, :, :, i, j]
    d1 = back.reshape(n, 12, 1, 12, 1, 6) * where1
    d1 = (d1.reshape(n, 24, 24, 6) * (a1 > 0)).reshape(-1, 6)
    return cost, {
        "F1": (cols1.T @ d1).reshape(5, 5, 1, 6),
        "c1": d1.sum(axis=0),
        "F2": (cols2.T @ d2).reshape(5, 5, 6, 16),
        "c2": d2.sum(axis=0),
        "W1": flat.T @ g1,
        "b1": g1.sum(axis=0),
        "W2": h1.T @ g2,
        "b2": g2.sum(axis=0),
        "W3": h2.T @ g3,
        "b3": g3.sum(axis=0),
    }


def tuned(p, image, label):
    """Layout [C, H, W, N]: all copies and strided views have rows of N or more numbers.

    Windows are 25 copies of long rows; a pool is two maxima of halves, before bias and relu, which
    then see a quarter of the entries.
    """
    n, real = len(image), image.dtype
    x, zeros = np.empty((28, 28, n), real), np.zeros(16 * 12 * 12 * n, real)
    first = Convolution(x[None], 6, real)
    second = Convolution(first.out, 16, real)
    flat, by_flat = np.empty((2, n, 256), real)
    h1, g1, zero1 = np.zeros((3, n, 120), real)
    h2, g2, zero2 = np.zeros((3, n, 84), real)
    z, column = np.empty((n, 10), real), np.empty((n, 1), real)
    on1, on2 = np.empty(h1.shape, bool), np.empty(h2.shape, bool)
    rows, ones = np.arange(n), np.ones(n, real)
    share, zero = np.array(1 / n, real), zeros[:1]
    dot, multiply, subtract = np.dot, np.multiply, np.subtract

    def run(p, image, label):
        np.copyto(x, image[..., 0].transpose(1, 2, 0))
        first.forward(p["F1"], p["c1"])
        second.forward(p["F2"], p["c2"])
        np.copyto(flat.reshape(n, 4, 4, 16), second.out.transpose(3, 1, 2, 0))
        dot(flat, p["W1"], h1)
        np.add(h1, p["b1"], h1)
        np.maximum(h1, zero1, out=h1)
        dot(h1, p["W2"], h2)
        np.add(h2, p["b2"], h2)
        np.maximum(h2, zero2, out=h2)
        dot(h2, p["W3"], z)
        np.add(z, p["b3"], z)
        np.maximum.reduce(z, axis=1, keepdims=True, out=column)
        subtract(z, column, z)
        right = z[rows, label]
        np.exp(z, z)
        np.add.reduce(z, axis=1, keepdims=True, out=column)
        J = (np.log(column).sum() - right.sum()) / n
        np.divide(share, column, column)
        multiply(z, column, z)
        z[rows, label] -= share
        grads = dict.fromkeys(p)
        grads["W3"], grads["b3"] = dot(h2.T, z), dot(ones, z)
        dot(z, p["W3"].T, g2)
        np.greater(h2, zero, on2)
        multiply(g2, on2, g2)
        grads["W2"], grads["b2"] = dot(h1.T, g2), dot(ones, g2)
        dot(g2, p["W2"].T, g1)
        np.greater(h1, zero, on1)
        multiply(g1, on1, g1)
        grads["W1"], grads["b1"] = dot(flat.T, g1), dot(ones, g1)
        dot(g1, p["W1"].T, by_flat)
        np.copyto(second.by_out, by_flat.reshape(n, 4, 4, 16).transpose(3, 1, 2, 0))
        grads["F2"], grads["c2"] = second.backward(first.by_out)
        grads["F1"], grads["c1"] = first.backward(None)
        return J, grads

    return run


class Convolution:
    """Convolution, pool, bias and relu of x [C, H, W, N] to [K, (H-4)/2, (W-4)/2, N]."""

    def __init__(self, x, k, real):
        c, height, width, n = x.shape
        h, w = height - 4, width - 4
        self.x, self.shape = x, (c, k, h, w, n)
        self.windows = np.empty((c, 5, 5, h, w, n), real)
        self.a, self.by_a = np.empty((2, k, h, w, n), real)
        self.half = np.empty((k, h // 2, w, n), real)
        self.top, self.out, self.by_out, self.zeros = np.zeros((4, k, h // 2, w // 2, n), real)
        self.by_windows = np.empty_like(self.windows)
        self.equal = np.empty((4, *self.out.shape), bool)
        self.on = np.empty(self.out.shape, bool)
        self.ties = np.empty(self.out.shape, np.int8)
        self.ones = np.ones(self.out[0].size, real)

    def forward(self, F, c):
        channels, k, h, w, _ = self.shape
        for i in range(5):
            for j in range(5):
                self.windows[:, i, j] = self.x[:, i : i + h, j : j + w]
        kernel = np.ascontiguousarray(F.transpose(3, 2, 0, 1)).reshape(k, 25 * channels)
        np.dot(kernel, self.windows.reshape(25 * channels, -1), self.a.reshape(k, -1))
        np.maximum(self.a[:, 0::2], self.a[:, 1::2], out=self.half)
        np.maximum(self.half[:, :, 0::2], self.half[:, :, 1::2], out=self.top)
        np.add(self.top, c[:, None, None, None], self.out)
        np.maximum(self.out, self.zeros, out=self.out)
        self.kernel = kernel

    def backward(self, by_x):
        """From `by_out`, which it overwrites: the gradients of F and c, and that of x if wanted."""
        channels, k, h, w, _ = self.shape
        g, equal, ties = self.by_out, self.equal, self.ties
        np.greater(self.out, self.zeros, self.on)
        np.multiply(g, self.on, g)
        by_c = np.dot(g.reshape(k, -1), self.ones)
        places = [np.s_[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]
        for place, mask in zip(places, equal, strict=True):
            np.equal(self.a[place], self.top, mask)
        bits = equal.view(np.int8)
        np.add(bits[0], bits[1], ties)
        np.add(ties, bits[2], ties)
        np.add(ties, bits[3], ties)
        np.divide(g, ties, g)
        for place, mask in zip(places, equal, strict=True):
            np.multiply(g, mask, self.by_a[place])
        d = self.by_a.reshape(k, -1)
        by_kernel = np.dot(d, self.windows.reshape(25 * channels, -1).T)
        by_F = np.ascontiguousarray(by_kernel.reshape(k, channels, 5, 5).transpose(2, 3, 1, 0))
        if by_x is not None:
            np.dot(self.kernel.T, d, self.by_windows.reshape(25 * channels, -1))
            by_x.fill(0)
            for i in range(5):
                for j in range(5):
                    at = by_x[:, i : i + h, j : j + w]
                    np.add(at, self.by_windows[:, i, j], at)
        return by_F, by_c


def log_softmax(xp, z):
    z = z - xp.max(z, axis=1, keepdims=True)
    return z - xp.log(xp.sum(xp.exp(z), axis=1, keepdims=True))


def model(xp, p, image, label):
    def conv(x, kernel, size):
        return sum(
            x[:, i : i + size, j : j + size] @ kernel[i, j] for i in range(5) for j in range(5)
        )

    def pool(x):
        n, h, w, c = x.shape
        return xp.max(xp.max(xp.reshape(x, (n, h // 2, 2, w // 2, 2, c)), axis=4), axis=2)

    p1 = pool(xp.maximum(conv(image, p["F1"], 24) + p["c1"], 0))
    p2 = pool(xp.maximum(conv(p1, p["F2"], 8) + p["c2"], 0))
    h1 = xp.maximum(xp.reshape(p2, (len(image), 256)) @ p["W1"] + p["b1"], 0)
    h2 = xp.maximum(h1 @ p["W2"] + p["b2"], 0)
    log_p = log_softmax(xp, h2 @ p["W3"] + p["b3"])
    return -xp.mean(log_p[np.arange(len(label)), label])


def jax(jax, p, image, label):
    def conv(x, kernel):
        numbers = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=numbers)

    def pool(x):
        low = -jax.numpy.inf
        return jax.lax.reduce_window(x, low, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    p1 = pool(jax.nn.relu(conv(image, p["F1"]) + p["c1"]))
    p2 = pool(jax.nn.relu(conv(p1, p["F2"]) + p["c2"]))
    h1 = jax.nn.relu(p2.reshape(len(image), 256) @ p["W1"] + p["b1"])
    h2 = jax.nn.relu(h1 @ p["W2"] + p["b2"])
    log_p = jax.nn.log_softmax(h2 @ p["W3"] + p["b3"])
    return -jax.numpy.mean(jax.numpy.take_along_axis(log_p, label[:, None], axis=1))


def torch(torch, p, image, label):
    """In PyTorch's own layout: channels before rows and columns."""
    p = dict(p)
    for k in ("F1", "F2"):
        p[k] = p[k].permute(3, 2, 0, 1).contiguous()
    p["W1"] = p["W1"].reshape(4, 4, 16, 120).permute(2, 0, 1, 3).reshape(256, 120).contiguous()
    f = torch.nn.functional

    def cost(p, image, label):
        x = f.max_pool2d(torch.relu(f.conv2d(image, p["F1"], p["c1"])), 2)
        x = f.max_pool2d(torch.relu(f.conv2d(x, p["F2"], p["c2"])), 2)
        h = torch.relu(torch.addmm(p["b1"], x.flatten(1), p["W1"]))
        h = torch.relu(torch.addmm(p["b2"], h, p["W2"]))
        return f.cross_entropy(torch.addmm(p["b3"], h, p["W3"]), label)

    def back(grads):
        for k in ("F1", "F2"):
            grads[k] = grads[k].transpose(2, 3, 1, 0)
        grads["W1"] = grads["W1"].reshape(16, 4, 4, 120).transpose(1, 2, 0, 3).reshape(256, 120)
        return grads

    return p, (image.permute(0, 3, 1, 2).contiguous(), label), cost, back


LENET = Workload(
    name="lenet",
    title="LeNet, batch 32",
    source=MODEL,
    dtype="float32",
    make=make,
    numpy=by_hand,
    tuned=tuned,
    model=model,
    jax=jax,
    torch=torch,
    sizes={"n": 32},
    small={"n": 3},
)
