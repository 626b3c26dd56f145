"""Writes scikit-learn's digits for `bpc train` and `bpc predict`: train.npz, valid.npz, test.npz.

    python examples/digits_data.py [DIRECTORY]

1,797 images of 8 x 8 pixels from 0 to 1, and what they show; a sixth each to validate and to test.
"""

import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits


def main():
    """Shuffle, split, write."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    for name, rows in zip(("valid", "test", "train"), np.split(order, [300, 600])):
        np.savez(folder / f"{name}.npz", x=pixels[rows] / 16, label=labels[rows])


if __name__ == "__main__":
    main()
