"""The table of README.md, from results/results.json: `python -m benchmarks readme` writes it."""

import json

from benchmarks.report import number, table
from benchmarks.workload import ROOT

BEGIN, END = "<!-- python -m benchmarks readme -->", "<!-- end -->"
README, RESULTS = ROOT / "README.md", ROOT / "benchmarks" / "results" / "results.json"


def block(results):
    """What stands between the two comments."""
    rows = []
    for name, w in results["workloads"].items():
        ratios, times = results["ratios"]["rows"][name], w["times"]
        best = ratios["fastest"]
        cells = [number(times.get(n), 1e6) for n in ("bpc -O2", "NumPy", "NumPy tuned", best)]
        rows.append([w["title"], *cells, best or "-", number(ratios["fastest/bpc"])])
    head = ["µs", "bpc -O2", "NumPy by hand", "tuned", "fastest framework", "", "it / bpc -O2"]
    means, least = results["ratios"]["mean"], results["ratios"]["min"]
    versions = results["versions"]
    shown = [("python", "Python"), ("numpy", "NumPy"), ("jax", "JAX"), ("torch", "PyTorch")]
    named = ", ".join(f"{title} {versions[k]}" for k, title in shown if k in versions)
    said = [
        f"{results['machine']}, {results['threads']} thread(s) for each; {named}:\n\n{table(head, rows)}",
        f"The fastest framework takes {number(means['fastest/bpc'])} times as long as bpc -O2 in the",
        f"geometric mean, {number(least['fastest/bpc'])} times at worst; NumPy by hand",
        f"{number(means['numpy/bpc'])} times, tuned {number(means['tuned/bpc'])} times.",
    ]
    if means.get("first fastest/bpc"):
        said += [
            "To the first gradient in a new process, the quicker of JAX and PyTorch takes",
            f"{number(means['first fastest/bpc'])} times as long as bpc with compiling, and",
            f"{number(means['first fastest/bpc module'])} times as long as a module that was written.",
        ]
    if found := results.get("compiling"):
        values = [number(v) for v in found.values()]
        said += [
            f"`bpc compile examples/digits.bp` takes {values[0]} s,",
            f"a program of 2,000 statements with 20,000 parameters {values[-1]} s.",
        ]
    return "\n".join(said) + "\n"


def replaced(text, results):
    """README's text with the block of these results."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{block(results)}{END}{rest.split(END)[1]}"


def main(arguments):
    if arguments:
        raise SystemExit("python -m benchmarks readme takes no arguments")
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    text = README.read_text(encoding="utf-8")
    README.write_text(replaced(text, results), encoding="utf-8")
    return 0
