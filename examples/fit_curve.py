"""Fits examples/curve_fit.bp to noisy points, with SciPy's BFGS and the compiled gradient.

    bpc compile examples/curve_fit.bp -o curve_grad.py
    python examples/fit_curve.py curve_grad.py

`ravel` and `unravel` turn the dict of parameters into the vector that SciPy wants, and back.
Exits with 1 if a parameter is further than four standard errors from the true one.
"""

import importlib.util
import sys
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

COMMITTED = Path(__file__).parent.parent / "generated" / "curve_fit.py"
TRUE = {"amplitude": 2.0, "rate": 0.3, "omega": 2.5, "phase": 0.5}
NOISE = 0.05  # mm


def load(path):
    """The Python file at `path`, imported."""
    spec = importlib.util.spec_from_file_location("curve_grad", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measure(model, points=200, seed=0):
    """Times in s and displacements in mm, with Gaussian noise."""
    t = np.linspace(0, 8, points)
    noise = NOISE * np.random.default_rng(seed).standard_normal(points)
    return t, model.forward(TRUE, t) + noise


def fit(model, t, y):
    """The parameters of least squares, their standard errors, and SciPy's result."""

    def objective(vector):
        cost, grads = model.value_and_grad(model.unravel(vector), t, y)
        return cost, model.ravel(grads)

    result = minimize(objective, model.ravel(model.init()), jac=True, method="BFGS")
    # BFGS keeps an inverse of the cost's Hessian. The cost is a mean of squares, so the
    # covariance of the parameters is 2 * variance / points times that inverse.
    errors = np.sqrt(2 * result.fun / len(t) * np.diag(result.hess_inv))
    return model.unravel(result.x), model.unravel(errors), result


def main():
    """Fit with the module that the command line names, or with the committed one."""
    model = load(sys.argv[1] if len(sys.argv) > 1 else COMMITTED)
    found, errors, result = fit(model, *measure(model))
    print(f"{result.nit} iterations, {result.nfev} calls of value_and_grad")
    for name, true in TRUE.items():
        print(f"{name:9} = {found[name]:.4f} ± {errors[name]:.4f}   (true: {true})")
    far = [name for name, true in TRUE.items() if abs(found[name] - true) > 4 * errors[name]]
    return 0 if result.success and not far else 1


if __name__ == "__main__":
    sys.exit(main())
