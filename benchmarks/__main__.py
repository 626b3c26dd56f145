"""`python -m benchmarks`: all workloads, as Markdown tables."""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np

from benchmarks import compiling, lecture_net, small_mlp
from benchmarks.timing import alternate


def compare(contenders, tolerance):
    """Raise AssertionError unless all agree with the first."""
    results = {name: run() for name, run in contenders.items()}
    (first, (value, grads)), *others = results.items()
    for name, (other, by) in others:
        detach = lambda v: np.asarray(v.detach() if hasattr(v, "detach") else v)
        np.testing.assert_allclose(detach(other), value, rtol=tolerance, err_msg=f"{name} {first}")
        for key, grad in grads.items():
            np.testing.assert_allclose(detach(by[key]), grad, rtol=tolerance, atol=1e-5)


def table(title, times):
    print(f"\n{title}\n\n| | µs | of bpc -O1 |\n|---|---|---|")
    for name, seconds in times.items():
        print(f"| {name} | {seconds * 1e6:.2f} | {seconds / times['bpc -O1']:.2f} |")


def main():
    print("One thread, medians of 15 alternating rounds; results compared before timing.")
    for title, module, tolerance in (
        ("Lecture net L4, scalars, value and gradient", lecture_net, 1e-6),
        ("MLP 4-16-16-3, batch 8, float32, value and gradient", small_mlp, 1e-4),
    ):
        contenders = module.contenders()
        compare(contenders, tolerance)
        table(title, alternate(contenders))
    print("\nCompiling\n\n| | seconds |\n|---|---|")
    print(f"| `bpc compile examples/digits.bp`, wall | {compiling.command():.2f} |")
    print(f"| importing its output after NumPy | {compiling.importing():.4f} |")
    for n, seconds in compiling.growth().items():
        print(f"| {n} statements, {10 * n} scalar parameters | {seconds:.2f} |")


if __name__ == "__main__":
    main()
