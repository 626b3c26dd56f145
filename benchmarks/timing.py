"""Alternating measurements: A B C A B C ..., and the median of each."""

import gc
import statistics
import time


def per_call(function, calls):
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - start) / calls


def alternate(functions, rounds=15, seconds=0.02):
    """Median seconds a call of each function, from rounds in which all take their turns."""
    calls = {}
    for name, function in functions.items():
        function()
        calls[name] = max(1, int(seconds / max(per_call(function, 3), 1e-7)))
    times = {name: [] for name in functions}
    gc.collect()
    gc.freeze()
    for _ in range(rounds):
        for name, function in functions.items():
            times[name].append(per_call(function, calls[name]))
    gc.unfreeze()
    return {name: statistics.median(values) for name, values in times.items()}
