"""Trains examples/lenet.bp on scikit-learn's digits: 1,797 images of 8 x 8 pixels.

    python examples/train_lenet.py

In float32, with Adam as the compiled module brings it (`emit=("adam",)`), and
with dropout, for which `value_and_grad` takes a generator. Exits with 1 if fewer than 98.5 % of a
held-out quarter are classified right.
"""

import sys
import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

import bpc

MODEL = Path(__file__).with_name("lenet.bp")
EPOCHS, BATCH, RATE = 30, 32, 2e-3
GOAL = 0.985


def split(seed=0):
    """Images and labels: three quarters to train on, then a quarter to test on."""
    pixels, labels = load_digits(return_X_y=True)
    images = pixels.reshape(-1, 8, 8, 1).astype(np.float32) / 16
    order = np.random.default_rng(seed).permutation(len(labels))
    rest, held_out = np.split(order, [len(order) * 3 // 4])
    return (images[rest], labels[rest]), (images[held_out], labels[held_out])


def accuracy(model, params, images, labels):
    """The share of images whose most probable class is the right one."""
    return float(np.mean(model.forward(params, images).argmax(axis=1) == labels))


def train(model, epochs=EPOCHS, seed=0):
    """Train and print the progress; the accuracy on the held-out quarter."""
    rng = np.random.default_rng(seed)
    (images, labels), held_out = split()
    params = model.init(seed=seed, dtype=np.float32)
    state = model.adam_init(params)
    for epoch in range(1, epochs + 1):
        costs = []
        rate = RATE * (1 + np.cos(np.pi * (epoch - 1) / epochs)) / 2  # down to almost 0
        for rows in np.split(rng.permutation(len(labels)), range(BATCH, len(labels), BATCH)):
            cost, grads = model.value_and_grad(params, images[rows], labels[rows], rng=rng)
            params, state = model.adam_step(params, grads, state, lr=rate, out=params)
            costs.append(cost)
        if epoch == 1 or epoch % 5 == 0:
            right = accuracy(model, params, *held_out)
            print(f"epoch {epoch:3}   cost {np.mean(costs):.4f}   held-out accuracy {right:.2%}")
    return accuracy(model, params, *held_out)


def main():
    """Compile and train."""
    model = bpc.load(MODEL, emit=("adam",))
    start = time.perf_counter()
    reached = train(model)
    seconds = time.perf_counter() - start
    print(f"{reached:.2%} of the held-out quarter are right, after {seconds:.0f} s")
    return 0 if reached >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
