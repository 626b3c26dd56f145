"""Solves the heat equation with examples/pinn.bp: u_t = 0.1 u_xx, u = sin(pi x) at the start.

    python examples/solve_pinn.py

The net is first trained with Adam, as the compiled module brings it, on fresh points at each step,
then with SciPy's L-BFGS on a fixed grid. Exits with 1 if u is off by 0.0001 or more anywhere.
"""

import sys
import time
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

import bpc

MODEL = Path(__file__).with_name("pinn.bp")
STEPS, ITERATIONS, POINTS = 500, 400, 20
NU = 0.1
GOAL = 1e-4


def grid(points):
    """Places and times of points x points places in the unit square."""
    x, t = np.meshgrid(*[np.linspace(0, 1, points)] * 2)
    return x.ravel(), t.ravel()


def error(model, params, points=101):
    """The most that u is off on a fine grid, where exp(-nu pi^2 t) sin(pi x) is exact."""
    x, t = grid(points)
    exact = np.exp(-NU * np.pi**2 * t) * np.sin(np.pi * x)
    return float(np.max(np.abs(model.forward(params, x, t)["u"] - exact)))


def adam(model, params, steps, seed=0):
    """Params after steps of Adam, each on fresh points."""
    rng = np.random.default_rng(seed)
    state = model.adam_init(params)
    for step in range(steps):
        x, t = rng.random((2, POINTS**2))
        _, grads = model.value_and_grad(params, x, t)
        rate = 5e-3 * (1 - step / steps)
        params, state = model.adam_step(params, grads, state, lr=rate)
    return params


def lbfgs(model, params, iterations):
    """Params after so many iterations of SciPy's L-BFGS on a grid."""
    x, t = grid(POINTS)

    def objective(vector):
        cost, grads = model.value_and_grad(model.unravel(vector), x, t)
        return cost, model.ravel(grads)

    options = {"maxiter": iterations, "ftol": 0, "gtol": 1e-9}
    start = model.ravel(params)
    result = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
    return model.unravel(result.x)


def report(model, params, when):
    """Print the cost and the largest error, and return the error."""
    off = error(model, params)
    cost = model.cost(params, *grid(2 * POINTS))
    print(f"{when:32} cost {cost:.1e}   largest error {off:.1e}")
    return off


def solve(model, steps=STEPS, iterations=ITERATIONS):
    """Solve and print the progress; the largest error of u."""
    params = model.init(seed=0)
    report(model, params, "before")
    params = adam(model, params, steps)
    report(model, params, f"after {steps} steps of Adam")
    params = lbfgs(model, params, iterations)
    return report(model, params, f"after {iterations} iterations of L-BFGS")


def main():
    """Compile and solve."""
    model = bpc.load(MODEL, emit=("adam",))
    start = time.perf_counter()
    reached = solve(model)
    print(f"{time.perf_counter() - start:.0f} s")
    return 0 if reached < GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
