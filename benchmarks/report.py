"""The results as Markdown."""


def number(value, factor=1.0):
    """Three digits; a dash where there is nothing."""
    if value is None:
        return "-"
    value *= factor
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def markdown(results):
    """All tables of a result, with the reasons for what is missing below."""
    names = results["contenders"]
    parts = [head(results), steady(results, names), shares(results)]
    if any(w.get("first") for w in results["workloads"].values()):
        parts += [first(results, names)]
    if results.get("packages"):
        parts += [packages(results)]
    if "compiling" in results:
        parts += [compiling(results["compiling"])]
    return "\n".join([*parts, missing(results)])


def head(results):
    versions = ", ".join(f"{k} {v}" for k, v in results["versions"].items())
    return (
        f"# Results\n\n{results['machine']}; {results['threads']} thread(s) for each contender; "
        f"medians of {results['rounds']} alternating rounds"
        f"{' and of ' + str(results['repeat']) + ' runs' if results['repeat'] > 1 else ''}.\n"
        f"NumPy's BLAS: {results['blas']}. {versions}.\n"
    )


def steady(results, names):
    rows = [
        [f"`{key}` {w['title']}", *(number(w["times"].get(n), 1e6) for n in names)]
        for key, w in results["workloads"].items()
    ]
    return "## Value and gradient, µs a call\n\n" + table(["workload", *names], rows)


def shares(results):
    summary = results["ratios"]
    keys = ["fastest/bpc", "numpy/bpc", "tuned/bpc"]
    rows = [
        [f"`{name}`", r["fastest"] or "-", *(number(r[k]) for k in keys)]
        for name, r in summary["rows"].items()
    ]
    for what in ("mean", "min"):
        title = {"mean": "geometric mean", "min": "minimum"}[what]
        rows.append([f"**{title}**", "", *(number(summary[what].get(k)) for k in keys)])
    columns = [
        "workload",
        "fastest framework",
        "it / bpc -O2",
        "NumPy / bpc -O2",
        "tuned / bpc -O2",
    ]
    return "## Ratios to bpc -O2 (above 1: bpc is faster)\n\n" + table(columns, rows)


def first(results, names):
    every = [n for n in ("bpc module", *names)]
    rows, memory = [], []
    for key, w in results["workloads"].items():
        if not w.get("first"):
            continue
        get = w["first"].get
        ratios = results["ratios"]["rows"][key]
        rows.append(
            [f"`{key}`", *(number((get(n) or {}).get("seconds")) for n in every)]
            + [number(ratios["first fastest/bpc"]), number(ratios["first fastest/bpc module"])]
        )
        cells = [get(n) or {} for n in every]
        memory.append(
            [f"`{key}`"]
            + [f"{number(c.get('peak_mb'))} ({number(c.get('growth_mb'))})" for c in cells]
        )
    return (
        "## First gradient in a new process, s: importing, compiling or tracing, running\n\n"
        "`bpc module` is a module that bpc has written before; the others begin with the model.\n\n"
        + table(["workload", *every, "quicker of JAX and PyTorch / bpc -O2", "/ bpc module"], rows)
        + "\n## Peak memory of that process, MB (of it, from the import on)\n\n"
        + table(["workload", *every], memory)
    )


def packages(results):
    rows = [
        [name, number(p["import_s"]), number(p["bytes"], 1e-6)]
        for name, p in results["packages"].items()
    ]
    columns = ["package", "import, s", "installed with what it needs, MB"]
    return "## Importing and size\n\n" + table(columns, rows)


def compiling(found):
    rows = [[k, number(v)] for k, v in found.items()]
    return "## Compiling, s\n\n" + table(["", "s"], rows)


def missing(results):
    lines = {}
    for name, w in results["workloads"].items():
        for contender, reason in w["missing"].items():
            lines.setdefault((contender, reason), []).append(name)
    listed = [f"- {c}, {', '.join(f'`{n}`' for n in on)}: {r}" for (c, r), on in lines.items()]
    return "## Dashes\n\n" + "\n".join(listed or ["None."]) + "\n"
