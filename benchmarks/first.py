"""Time to the first gradient and memory, in a process of its own.

    python -m benchmarks.first THREADS WORKLOAD CONTENDER [MODULE]

prints a line of JSON. Timed are importing NumPy, importing the contender, and compiling or tracing
and running it once, but not making the inputs. With MODULE, the path of a module that bpc has
written, the contender is that module: imported and run.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: packages are installed with their bytecode: bpc, which runs from its sources here, may write its own
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def status(key):
    """A line of this process's memory in MB, such as its largest so far; None if it is unknown.

    From /proc: `ru_maxrss` of a new process can be that of its parent.
    """
    path = Path("/proc/self/status")
    if not path.exists():
        return None
    line = next((s for s in path.read_text().splitlines() if s.startswith(key + ":")), None)
    return int(line.split()[1]) / 1024 if line else None


def child(threads, workload, contender, module=None):
    from benchmarks.threads import limit

    limit(int(threads))
    start = time.perf_counter()
    import numpy  # noqa: F401

    spent = time.perf_counter() - start
    from benchmarks.contenders import CONTENDERS, Unavailable, bound
    from benchmarks.workloads import ALL

    params, inputs = ALL[workload].data()
    before = status("VmRSS")
    start = time.perf_counter()
    try:
        if module:
            runs, _ = bound(imported_from(module), ALL[workload], params, inputs)
        else:
            runs, _ = CONTENDERS[contender].build(ALL[workload], params, inputs)
        runs[0]()
    except Unavailable as reason:
        return {"missing": str(reason)}
    except Exception as error:  # noqa: BLE001 - a peer's failure is a row of the table
        return {"missing": f"{type(error).__name__}: {error}".splitlines()[0][:120]}
    spent += time.perf_counter() - start
    runs[0]()
    peak = status("VmHWM")
    found = {"seconds": spent}
    if peak is not None:
        found |= {"peak_mb": peak, "growth_mb": max(0.0, peak - before)}
    return found


def imported_from(path):
    """The module of a file."""
    import importlib.util

    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measure(threads, workload, contender, module=None, rounds=5, enough=6.0):
    """What `child` finds in new processes: medians. Fewer rounds once enough seconds are spent."""
    line = [sys.executable, "-m", "benchmarks.first", str(threads), workload, contender]
    found = []
    begun = time.perf_counter()
    for i in range(rounds):
        if i and time.perf_counter() - begun > enough:
            break
        done = subprocess.run(
            [*line, *([str(module)] if module else [])],
            cwd=ROOT,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=True,
        )
        found.append(json.loads(done.stdout.splitlines()[-1]))
        if "missing" in found[-1]:
            return found[-1]
    return {k: statistics.median(f[k] for f in found) for k in found[0]}


def importing(name, rounds=3):
    """Median seconds that importing a module takes in a new process; None where there is none."""
    code = f"import time; s = time.perf_counter(); import {name}; print(time.perf_counter() - s)"
    times = []
    for _ in range(rounds):
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            return None
        times.append(float(done.stdout.splitlines()[-1]))
    return statistics.median(times)


if __name__ == "__main__":
    print(json.dumps(child(*sys.argv[1:])))
