"""Trains examples/vae.bp on scikit-learn's digits, and draws some from noise.

    python examples/train_vae.py

The noise of the reparametrisation is an input, drawn here. Exits with 1 if a held-out image costs
more than 25 nats, of which 13.6 are the entropy of the grey pixels themselves and the mean of all
images would cost 27.1, or if fewer than 75 % of the held-out images lie among codes of their own
digit, which the net is never told.
"""

import sys
import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

import bpc

MODEL = Path(__file__).with_name("vae.bp")
EPOCHS, BATCH, RATE = 200, 32, 5e-3
GOAL, AMONG_OWN = 25.0, 0.75
SHADES = " .:+#"


def split(seed=0):
    """Pixels and labels: three quarters to train on, then a quarter to test on."""
    pixels, labels = load_digits(return_X_y=True)
    pixels = pixels.astype(np.float32) / 16
    order = np.random.default_rng(seed).permutation(len(labels))
    rest, held_out = np.split(order, [len(order) * 3 // 4])
    return (pixels[rest], labels[rest]), (pixels[held_out], labels[held_out])


def normal(rng, rows):
    """Noise for so many images."""
    return rng.standard_normal((rows, 2), np.float32)


def codes(model, params, pixels):
    """The means of the codes: the codes without noise."""
    return model.forward(params, pixels, np.zeros((len(pixels), 2), np.float32))["code"]


def train(model, epochs=EPOCHS, seed=0):
    """Params after so many epochs, and the progress, printed."""
    rng = np.random.default_rng(seed)
    (pixels, _), (held_out, _) = split()
    params = model.init(seed=seed, dtype=np.float32)
    state = model.adam_init(params)
    for epoch in range(1, epochs + 1):
        rate = RATE * (1 - (epoch - 1) / epochs)
        for rows in np.split(rng.permutation(len(pixels)), range(BATCH, len(pixels), BATCH)):
            _, grads = model.value_and_grad(params, pixels[rows], normal(rng, len(rows)))
            params, state = model.adam_step(params, grads, state, lr=rate, out=params)
        if epoch == 1 or epoch % 50 == 0:
            print(f"epoch {epoch:3}   {held_out_cost(model, params, held_out):.2f} nats")
    return params


def held_out_cost(model, params, pixels):
    """The cost of images never seen, in nats for each, over ten draws of noise."""
    rng = np.random.default_rng(1)
    return float(np.mean([model.cost(params, pixels, normal(rng, len(pixels))) for _ in range(10)]))


def among_own(model, params):
    """The share of held-out images whose code has mostly codes of its own digit around it."""
    (pixels, labels), (held_out, true) = split()
    near = KNeighborsClassifier(9).fit(codes(model, params, pixels), labels)
    return near.score(codes(model, params, held_out), true)


def draw(model, params, count=5, seed=2):
    """Lines of text: digits drawn from noise, side by side."""
    noise = normal(np.random.default_rng(seed), count)
    drawn = model.forward(params, np.zeros((count, 64), np.float32), noise)["drawn"]
    shade = (drawn.reshape(count, 8, 8) * len(SHADES)).astype(int)
    for row in shade.transpose(1, 0, 2):
        yield "  ".join("".join(SHADES[pixel] * 2 for pixel in image) for image in row).rstrip()


def main():
    """Compile, train, measure and draw."""
    model = bpc.load(MODEL, emit=("adam",))
    start = time.perf_counter()
    params = train(model)
    cost, own = held_out_cost(model, params, split()[1][0]), among_own(model, params)
    print(f"{cost:.2f} nats for each held-out image, after {time.perf_counter() - start:.0f} s")
    print(f"{own:.1%} of them lie among codes of their own digit")
    print("\n".join(draw(model, params)))
    return 0 if cost <= GOAL and own >= AMONG_OWN else 1


if __name__ == "__main__":
    sys.exit(main())
