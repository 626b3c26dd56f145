"""Slices of free and fixed axes are NumPy's, and their gradients lay the entries back."""

import itertools

import numpy as np
import pytest

import bpc

SLICES = [
    "::-1",
    "::-2",
    "-1:0:-2",
    "1:",
    "::2",
    "1::3",
    ":-1",
    "-1:",
    "0:1",
    "::3",
    ":-1:2",
    "-2::-1",
    ":0:-1",
    "-1::-3",
]


@pytest.mark.parametrize("text", SLICES)
def test_slice(text):
    program = "dim N\ninput x: [N], seed: {shape}\nparam w: [N]\ny = (w * x)[{text}]\n"
    index = eval(f"np.s_[{text}]")
    free = bpc.load(program.format(shape="[N]", text=text) + "cost J = sum(y)\noutput y")
    for n in (2, 5, 6, 7):
        w, x = np.ones(n), np.arange(1.0, n + 1)
        for module in (free, _fixed(text, n)):
            np.testing.assert_array_equal(module.forward({"w": w}, x), x[index])
            seed = np.zeros(n)
            seed[index] = 1.0
            grads = module.value_and_grad({"w": w}, x, w)[1]
            np.testing.assert_array_equal(grads["w"], seed * x)


@pytest.mark.parametrize("step", ["", "2", "-1", "-2"])
def test_slices_of_few(step):
    """No end of an empty slice is taken for one from behind; what leaves the axis is an error."""
    ends = ("", "0", "1", "2", "T", "T-1", "T-2")
    by = int(step or 1)
    for start, stop, level in itertools.product(ends, ends, (0, 1, 2)):
        text = f"dim T\nparam x: [T]\ny = x[{start}:{stop}:{step}]".replace(":]", "]")
        try:
            module = bpc.load(f"{text}\ncost J = sum(y^2)\noutput y", level=level)
        except bpc.BpcError:
            continue
        for n in range(5):
            first, last = (start or "0", stop or "T") if by > 0 else (start or "T-1", stop or "-1")
            index = list(range(eval(first, {"T": n}), eval(last, {"T": n}), by))
            x = np.arange(1.0, n + 1)
            try:
                found = module.forward({"x": x})
                grads = module.value_and_grad({"x": x})[1]
            except ValueError as error:
                assert "leaves the axis" in str(error) or "has no parts" in str(error), (text, n)
                assert not index or not set(index) <= set(range(n)), (text, n)
                continue
            np.testing.assert_array_equal(found, x[index], f"{text} T={n}")
            expected = np.zeros(n)
            expected[index] = 2 * x[index]
            np.testing.assert_array_equal(grads["x"], expected, f"{text} T={n}")


def _fixed(text, n):
    program = "input x: [{n}], seed: [{n}]\nparam w: [{n}]\ny = (w * x)[{text}]\n"
    return bpc.load(program.format(n=n, text=text) + "cost J = sum(y)\noutput y")
