"""Results are equal before they are timed: to NumPy by hand in float64."""

import numpy as np

TOLERANCE = {"float32": 5e-4, "float64": 1e-9}


def reference(workload, params, inputs):
    """J and gradients of each set of params, in float64."""
    given = workload.cast(inputs, "float64").values()
    return [workload.numpy(workload.cast(p, "float64"), *given) for p in params]


def worst(result, expected):
    """The largest difference of J, or of an entry of a gradient beside that gradient's largest."""
    (J, grads), (right, by) = result, expected
    if list(grads) != list(by) and set(grads) != set(by):
        return np.inf
    differences = [abs(float(J) - float(right)) / max(abs(float(right)), 1e-30)]
    for key, wanted in by.items():
        got = np.asarray(grads[key], dtype=float)
        if got.shape != np.shape(wanted):
            return np.inf
        size = np.max(np.abs(wanted), initial=1e-30)
        differences.append(np.max(np.abs(got - wanted), initial=0.0) / size)
    return np.inf if np.isnan(differences).any() else max(differences)


def agrees(workload, results, expected):
    """The worst difference of all sets of params. AssertionError where it is too large."""
    error = max(worst(r, e) for r, e in zip(results, expected, strict=True))
    limit = workload.tolerance or TOLERANCE[workload.dtype]
    if not error <= limit:
        raise AssertionError(f"{workload.name}: differs from NumPy in float64 by {error:.1e}")
    return float(error)
