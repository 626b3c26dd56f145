"""Wall time of the command line, import time of its output, and growth with the program."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bpc
from benchmarks.first import ENVIRONMENT

ROOT = Path(__file__).parents[1]


def command(rounds=7):
    """Median seconds of `bpc compile examples/digits.bp`."""
    times = []
    with tempfile.TemporaryDirectory() as folder:
        for i in range(rounds):
            line = [sys.executable, "-m", "bpc", "compile", "examples/digits.bp"]
            start = time.perf_counter()
            subprocess.run([*line, "-o", f"{folder}/{i}.py"], check=True, cwd=ROOT, env=ENVIRONMENT)
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def importing(rounds=15):
    """Median seconds that importing the module of digits.bp takes once NumPy is there."""
    text = bpc.compile_source((ROOT / "examples" / "digits.bp").read_text(), "digits.bp")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "digits_grad.py").write_text(text)
        code = "import time, numpy; s = time.perf_counter(); import digits_grad"
        code += "; print(time.perf_counter() - s)"
        line = [sys.executable, "-c", code]
        runs = [
            subprocess.run(line, cwd=folder, env=ENVIRONMENT, capture_output=True, check=True)
            for _ in range(rounds)
        ]
    return statistics.median(float(r.stdout) for r in runs)


def chain(statements):
    """A program of scalar statements, each a weighted sum of ten values under tanh."""
    lines = ["input x = 1"]
    for i in range(1, statements + 1):
        lines.append("param " + ", ".join(f"w{i}_{k} = 0.1" for k in range(10)))
    for i in range(1, statements + 1):
        read = [f"n{i - 1 - k}" if i - 1 - k > 0 else "x" for k in range(10)]
        total = " + ".join(f"w{i}_{k} * {name}" for k, name in enumerate(read))
        lines.append(f"n{i} = tanh({total})")
    return "\n".join([*lines, f"cost J = n{statements}^2", ""])


def growth(sizes=(200, 500, 1000, 2000)):
    """Seconds to compile programs of more and more statements."""
    found = {}
    for n in sizes:
        text = chain(n)
        start = time.perf_counter()
        bpc.compile_source(text, "chain.bp")
        found[n] = time.perf_counter() - start
    return found


def measured():
    """All of it, by what it is."""
    found = {
        "`bpc compile examples/digits.bp`, wall": command(),
        "importing its output after NumPy": importing(),
    }
    for n, seconds in growth().items():
        found[f"{n} statements, {10 * n} scalar parameters"] = seconds
    return found


def main(arguments):
    """Print the table."""
    if arguments:
        sys.exit("python -m benchmarks compiling takes no arguments")
    print("| | seconds |\n|---|---|")
    for what, seconds in measured().items():
        print(f"| {what} | {seconds:.4f} |")
    return 0
