"""What a gradient costs beside its cost, for each net of examples/.

    python -m benchmarks gradient-ratio
    python -m benchmarks gradient-ratio --lines 10 lenet adding

One thread, medians of alternating rounds. `--lines` adds the lines of the generated gradient that
take the most time, from a run in which each is timed.
"""

import argparse
import ast
import time
import types
from collections import Counter
from pathlib import Path

from benchmarks.threads import limit

limit(1)

import numpy as np

import bpc
from benchmarks.timing import alternate

EXAMPLES = Path(__file__).parents[1] / "examples"


def reals(rng, *shape):
    """Standard normal float32."""
    return rng.standard_normal(shape).astype(np.float32)


# The inputs of each net: batches as its script has them, or of 32 examples.
INPUTS = {
    "digits": lambda rng: (reals(rng, 32, 64), rng.integers(0, 10, 32)),
    "deep_net": lambda rng: (reals(rng, 32, 16), rng.integers(0, 3, 32)),
    "lenet": lambda rng: (reals(rng, 32, 8, 8, 1), rng.integers(0, 10, 32)),
    "adding": lambda rng: (reals(rng, 50, 32, 2), reals(rng, 32)),
    "transformer": lambda rng: tuple(rng.integers(0, 28, (2, 16, 64))),
    "pinn": lambda rng: tuple(np.abs(reals(rng, 2, 400))),
    "vae": lambda rng: (np.clip(reals(rng, 32, 64), 0, 1), reals(rng, 32, 2)),
    "mixture": lambda rng: (reals(rng, 150, 4),),
}
DIMS = {"mixture": {"D": 4}}


def arguments(name, model):
    """Params and inputs of a net."""
    params = model.init(dtype=np.float32, **DIMS.get(name, {}))
    return params, *INPUTS[name](np.random.default_rng(0))


def measure(name, level, rounds):
    """Median seconds of the cost and of the cost with its gradient."""
    model = bpc.load(EXAMPLES / f"{name}.bp", level=level)
    given = arguments(name, model)
    runs = {"cost": lambda: model.cost(*given), "both": lambda: model.value_and_grad(*given)}
    return alternate(runs, rounds=rounds).values()


def timed(name, level):
    """The module with a clock behind each statement of the gradient, and what the clock finds."""
    path = EXAMPLES / f"{name}.bp"
    tree = ast.parse(bpc.compile_source(path.read_text(encoding="utf-8"), path.name, level=level))
    seconds, last = Counter(), [0.0]

    def clock(line):
        now = time.perf_counter()
        seconds[line] += now - last[0]
        last[0] = time.perf_counter()

    def with_clocks(body):
        for statement in body:
            if isinstance(statement, ast.For):
                statement.body = list(with_clocks(statement.body))
            yield statement
            if isinstance(statement, ast.Assign):
                yield from ast.parse(f"_clock({ast.unparse(statement)!r})").body

    kernel = next(s for s in tree.body if getattr(s, "name", "") == "_value_and_grad")
    kernel.body = [*ast.parse("_clock('')").body, *with_clocks(kernel.body)]
    module = types.ModuleType(name)
    module.__dict__["_clock"] = clock
    code = compile(ast.fix_missing_locations(tree), path.name, "exec")
    exec(code, module.__dict__)  # noqa: S102
    return module, seconds


def slow_lines(name, level, count, rounds):
    """The lines that take the most time, with their shares of it."""
    model, seconds = timed(name, level)
    given = arguments(name, model)
    for _ in range(rounds):
        model.value_and_grad(*given)
    del seconds[""]
    for line, spent in seconds.most_common(count):
        yield spent / seconds.total(), line


def main(arguments):
    """Print the table, and the lines that are asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks gradient-ratio", description=__doc__.split("\n")[0]
    )
    parser.add_argument("names", nargs="*", metavar="NET", help=", ".join(INPUTS))
    parser.add_argument("--level", type=int, default=1, choices=(0, 1, 2))
    parser.add_argument("--lines", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args(arguments)
    names = options.names or list(INPUTS)
    if unknown := [name for name in names if name not in INPUTS]:
        parser.error(f"no net {', '.join(unknown)}")
    print("| net | cost, µs | with gradient, µs | ratio |\n|---|---|---|---|")
    for name in names:
        cost, both = measure(name, options.level, options.rounds)
        print(f"| {name} | {cost * 1e6:.0f} | {both * 1e6:.0f} | {both / cost:.2f} |", flush=True)
    for name in names if options.lines else ():
        print(f"\n{name}")
        for share, line in slow_lines(name, options.level, options.lines, options.rounds):
            print(f"{share:6.1%}  {line}")
    return 0
