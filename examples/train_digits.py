"""Trains examples/digits.bp on scikit-learn's digits: 1,797 images of 8 x 8 pixels.

    bpc compile examples/digits.bp -o digits_grad.py
    python examples/train_digits.py digits_grad.py

The gradient comes from the compiled module alone, and the loop is plain mini-batch gradient
descent. Exits with 1 if fewer than 97 % of a held-out third are classified right.
"""

import importlib.util
import sys
import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

COMMITTED = Path(__file__).parent.parent / "generated" / "digits.py"
EPOCHS, BATCH, RATE = 60, 8, 0.5
GOAL = 0.97


def load(path):
    """The Python file at `path`, imported."""
    spec = importlib.util.spec_from_file_location("digits_grad", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def split(rng):
    """Pixels from 0 to 1 and labels: two thirds to train on, then a third to test on."""
    pixels, labels = load_digits(return_X_y=True)
    order = rng.permutation(len(labels))
    pixels, labels = pixels[order] / 16, labels[order]
    third = len(labels) // 3
    return (pixels[third:], labels[third:]), (pixels[:third], labels[:third])


def accuracy(model, params, pixels, labels):
    """The share of images whose most probable class is the right one."""
    return float(np.mean(model.forward(params, pixels).argmax(axis=1) == labels))


def train(model, epochs=EPOCHS, seed=0):
    """Train and print the progress; the accuracy on the held-out third."""
    rng = np.random.default_rng(seed)
    (pixels, labels), held_out = split(rng)
    params = model.init(seed=seed)
    for epoch in range(1, epochs + 1):
        order = rng.permutation(len(labels))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            _, grads = model.value_and_grad(params, pixels[rows], labels[rows])
            for name in params:
                params[name] -= RATE * grads[name]
        if epoch in (1, 2, 5) or epoch % 10 == 0:
            cost = model.cost(params, pixels, labels)
            right = accuracy(model, params, *held_out)
            print(f"epoch {epoch:3}   cost {cost:.4f}   held-out accuracy {right:.2%}")
    return accuracy(model, params, *held_out)


def main():
    """Train with the module that the command line names, or with the committed one."""
    model = load(sys.argv[1] if len(sys.argv) > 1 else COMMITTED)
    start = time.perf_counter()
    reached = train(model)
    seconds = time.perf_counter() - start
    print(f"{reached:.2%} of the held-out third are right, after {seconds:.1f} s")
    return 0 if reached >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
