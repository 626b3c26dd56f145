"""Slices of free and fixed axes are NumPy's, and their gradients lay the entries back."""

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


def _fixed(text, n):
    program = "input x: [{n}], seed: [{n}]\nparam w: [{n}]\ny = (w * x)[{text}]\n"
    return bpc.load(program.format(n=n, text=text) + "cost J = sum(y)\noutput y")
