"""`python -m benchmarks`: every workload, all contenders side by side; tables, JSON and a plot.

    python -m benchmarks                         all, into benchmarks/results/
    python -m benchmarks --only lstm lenet --no-first
    python -m benchmarks gradient-ratio          what a gradient costs beside its cost
    python -m benchmarks compiling               how long bpc takes
    python -m benchmarks readme                  the table of README.md, from results/

With `--threads 2` the files are results-2-threads.*.
"""

import argparse
import json
import sys
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
PARTS = ("gradient-ratio", "compiling", "readme")


def parser():
    p = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.split("\n")[0])
    p.add_argument("--only", nargs="+", metavar="NAME", help="these workloads")
    p.add_argument("--contenders", nargs="+", metavar="NAME", help="these contenders")
    p.add_argument("--rounds", type=int, default=9, help="alternating rounds (9)")
    p.add_argument("--repeat", type=int, default=1, metavar="K", help="runs of all, their medians")
    p.add_argument("--threads", type=int, default=1, help="for each contender (1)")
    p.add_argument("--no-first", action="store_true", help="without what needs new processes")
    p.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER", help="benchmarks/results")
    p.add_argument("--list", action="store_true", help="workloads and contenders")
    return p


def chosen(options, names, given, what):
    """The names that were given, or all. Usage errors for others."""
    if unknown := [name for name in given or () if name not in names]:
        options.error(f"no {what} {', '.join(unknown)}; there are {', '.join(names)}")
    return [name for name in names if not given or name in given]


def main(arguments):
    if arguments and arguments[0] in PARTS:
        from importlib import import_module

        part = import_module(f"benchmarks.{arguments[0].replace('-', '_')}")
        return part.main(arguments[1:])
    command = parser()
    options = command.parse_args(arguments)
    if options.rounds < 1 or options.repeat < 1 or options.threads < 1:
        command.error("--rounds, --repeat and --threads are 1 or more")

    from benchmarks.threads import limit

    limit(options.threads)

    from benchmarks.contenders import CONTENDERS
    from benchmarks.workloads import ALL

    names = chosen(command, CONTENDERS, options.contenders, "contender")
    workloads = [ALL[n] for n in chosen(command, ALL, options.only, "workload")]
    if options.list:
        for w in workloads:
            print(f"{w.name:16} {w.title}, {w.dtype}")
        print("\n" + "\n".join(names))
        return 0
    results = measured(options, names, workloads)
    write(options.out, results)
    return 0


def measured(options, names, workloads):
    from rich.console import Console
    from rich.progress import Progress

    from benchmarks import compiling, machine, ratios, suite
    from benchmarks.contenders import CONTENDERS

    with Progress(console=Console(stderr=True)) as progress:
        firsts = 0 if options.no_first else sum(w.first for w in workloads)
        total = options.repeat * len(workloads) + firsts
        task = progress.add_task("", total=total + 1)
        begun = []

        def step(text):
            progress.update(task, description=text, completed=len(begun))
            begun.append(text)

        # First gradients are medians of several processes in one run already.
        with_first = [not options.no_first] + [False] * (options.repeat - 1)
        settings = (options.rounds, options.threads)
        runs = [suite.run(workloads, names, *settings, first, step) for first in with_first]
        found = ratios.combined(runs)
        step("packages")
        extra = {}
        if not options.no_first:
            extra = {"packages": suite.packages(names), "compiling": compiling.measured()}
    peers = [n for n in names if CONTENDERS[n].peer]
    return {
        "machine": machine.kind(),
        "blas": machine.blas(),
        "threads": options.threads,
        "rounds": options.rounds,
        "repeat": options.repeat,
        "versions": machine.versions(p for n in names for p in CONTENDERS[n].packages),
        "contenders": names,
        "workloads": found,
        "ratios": ratios.summary(found, peers),
        **extra,
    }


def write(folder, results):
    """The three files, and the tables on stdout."""
    from benchmarks.plot import svg
    from benchmarks.report import markdown

    folder.mkdir(parents=True, exist_ok=True)
    suffix = "" if results["threads"] == 1 else f"-{results['threads']}-threads"
    text = markdown(results)
    (folder / f"results{suffix}.md").write_text(text, encoding="utf-8")
    (folder / f"results{suffix}.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / f"results{suffix}.svg").write_text(svg(results), encoding="utf-8")
    print(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
