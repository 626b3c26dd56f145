"""What the tables say in one number: pure functions of the results."""

from math import exp, log
from statistics import median


def geometric_mean(values):
    values = list(values)
    return exp(sum(map(log, values)) / len(values)) if values else None


def fastest(times, peers):
    """The fastest of the peers that took part, or None."""
    found = [p for p in peers if p in times]
    return min(found, key=times.get) if found else None


def over(times, numerator, denominator):
    """How many times as long one takes as the other, where both took part."""
    if numerator in times and denominator in times:
        return times[numerator] / times[denominator]
    return None


#: whose first gradients bpc's are compared with: those who compile, or load what compiles
COMPILING = ("JAX jit", "PyTorch", "torch.compile")


def summary(workloads, peers, subject="bpc -O2"):
    """For each workload the fastest peer / subject and others / subject; their means and minima."""
    rows = {}
    for name, found in workloads.items():
        times = found["times"]
        best = fastest(times, peers)
        first = {k: v["seconds"] for k, v in found.get("first", {}).items() if "seconds" in v}
        quickest = fastest(first, COMPILING)
        rows[name] = {
            "fastest": best,
            "fastest/bpc": over(times, best, subject),
            "numpy/bpc": over(times, "NumPy", subject),
            "tuned/bpc": over(times, "NumPy tuned", subject),
            "first fastest": quickest,
            "first fastest/bpc": over(first, quickest, subject),
            "first fastest/bpc module": over(first, quickest, "bpc module"),
        }
    keys = [k for k in next(iter(rows.values()), {}) if "/" in k]
    columns = {k: [r[k] for r in rows.values() if r[k] is not None] for k in keys}
    means = {k: geometric_mean(v) for k, v in columns.items()}
    return {
        "rows": rows,
        "mean": means,
        "min": {k: min(v, default=None) for k, v in columns.items()},
    }


def combined(runs):
    """One suite of several runs: the medians of what they measured."""

    def merge(values):
        if all(isinstance(v, dict) for v in values):
            keys = dict.fromkeys(k for v in values for k in v)
            return {k: merge([v[k] for v in values if k in v]) for k in keys}
        if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
            return median(values)
        return values[0]

    return merge(runs)
