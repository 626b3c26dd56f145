"""One run of the suite: every workload, its contenders side by side."""

import os
import tempfile
from pathlib import Path

from benchmarks import checking, first, timing
from benchmarks.contenders import CONTENDERS, Unavailable, prepare


def steady(workload, names, rounds):
    """Median seconds a call, worst differences, and who is missing and why."""
    params, inputs = workload.data()
    expected = checking.reference(workload, params, inputs)
    functions, errors, missing = {}, {}, {}
    for name in names:
        contender = CONTENDERS[name]
        try:
            runs, read = prepare(contender, workload, params, inputs)
            errors[name] = checking.agrees(workload, [read(run()) for run in runs], expected)
        except Unavailable as reason:
            missing[name] = str(reason)
        except AssertionError as difference:
            if not contender.peer:
                raise
            missing[name] = str(difference)
        else:
            functions[name] = runs[0] if len(runs) == 1 else in_turn(runs)
    times = timing.alternate(functions, rounds=rounds)
    per_model = {name: seconds / workload.many for name, seconds in times.items()}
    return {"title": workload.title, "times": per_model, "errors": errors, "missing": missing}


def in_turn(runs):
    def every():
        for run in runs:
            run()

    return every


def first_gradients(workload, names, threads):
    """Time and memory of the first gradient for each contender, and for a module written before."""
    found = {}
    if "bpc -O2" in names:
        import bpc

        source = Path(workload.source) if isinstance(workload.source, Path) else None
        text = source.read_text(encoding="utf-8") if source else workload.source
        emit = ("hessian",) if workload.newton else ()
        code = bpc.compile_source(text, level=2, settings=workload.settings, emit=emit)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model_grad.py")
            path.write_text(code, encoding="utf-8")
            found["bpc module"] = first.measure(threads, workload.name, "bpc -O2", path)
    for name in names:
        found[name] = first.measure(threads, workload.name, name)
    return found


def packages(names):
    """Import time and installed size of what takes part."""
    from benchmarks.machine import installed

    found = {}
    for name in names:
        contender = CONTENDERS[name]
        key = contender.packages[0]
        if key not in found:
            size = installed(contender.packages)
            seconds = first.importing(contender.imports)
            if size is not None and seconds is not None:
                found[key] = {"import_s": seconds, "bytes": size}
    return found


def run(workloads, names, rounds, threads, with_first, step):
    """All measurements; `step(text)` is told what comes next."""
    found, first_of = {}, {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for w in workloads if with_first else ():
            if w.first:
                step(f"first gradient: {w.name}")
                compiled_into(folder, w)
                first_of[w.name] = first_gradients(w, names, threads)
        for w in workloads:
            step(w.name)
            compiled_into(folder, w)
            found[w.name] = steady(w, names, rounds) | {"first": first_of.get(w.name, {})}
    return found


def compiled_into(folder, workload):
    """Where torch.compile keeps what it compiled: nothing is there before the first gradient."""
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(Path(folder, workload.name))
