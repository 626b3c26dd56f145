"""`bpc info`: what the module of a model costs, as formulas in its dims and as numbers.

                                            at N=1000
steps           7 + 4810                    4817, not 7 * 4810 = 33670
cost            9661*N flops                9,661,000
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import click

from bpc.cli import options
from bpc.cli.files import read
from bpc.cli.show import table
from bpc.codegen.context import described
from bpc.cost import Contract
from bpc.cost.formula import ONE_ITEM, USUAL, Formula
from bpc.cost.peak import Peak
from bpc.diagnostics import UsageError, did_you_mean, excerpt
from bpc.ir import Argument, Program
from bpc.reports import costs, tile
from bpc.schedule.tiles import Tiles, Whole
from bpc.sizes import Size
from bpc.types import size

EXAMPLES = """
\b
Examples:
  bpc info model.bp
  bpc info model.bp -O2 --at N=128 --at T=32
  bpc info model.bp --set H=128 --format json

A flop is one arithmetic operation, or one call of a function, on one entry. Bytes are those of
arrays that `value_and_grad` makes, results and workspace included; itemsize is 4 or 8.
"""
ITEMS = {"float64": 8, "float32": 4}
Settings = tuple[tuple[str, int | float], ...]


@click.command("info", epilog=EXAMPLES)
@options.model
@options.level
@options.settings
@options.wrt
@options.limit
@click.option(
    "--at", type=options.Setting(), multiple=True,
    help=f"The dims that numbers are for, as in --at N=128. Default: {USUAL} each.",
)  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def command(
    model: str, level: str, settings: Settings, wrt: list[str], limit: int, at: Settings, form: str
) -> None:
    """Tell what MODEL (a .bp file, or - for stdin) costs: steps, flops, saved values, bytes."""
    source = read(model)
    program, found = costs(source, level=int(level), settings=dict(settings), wrt=wrt, limit=limit)
    dims = _dims(program, at)
    runs = dict(_runs(program, found, dims)) if level == "2" else {}
    told = facts(program, found, dims, int(level)) | ({"runs": runs} if runs else {})
    if form == "json":
        click.echo(json.dumps(told, indent=2))
        return
    heading = ("", "", f"at {', '.join(f'{d}={n}' for d, n in dims.items())}" if dims else "")
    table([tuple(row) for row in _rows(told)], heading if dims else ())


def _dims(program: Program, at: Settings) -> dict[str, int]:
    """A number for each free dim. UsageError."""
    dims = dict.fromkeys(program.dims, USUAL)
    for name, number in at:
        key = name if name in dims else re.sub(r"\[(\d+)\]", r"\1", name)
        if key not in dims:
            known = f"the free dims are {', '.join(dims)}" if dims else "the model has none"
            raise UsageError(
                f"--at {name}: no free dim of this name; {did_you_mean(name, dims) or known}"
            )
        if not isinstance(number, int) or number < 1:
            raise UsageError(f"--at {name}={number}: a dim is a whole number from 1 on")
        dims[key] = number
    return dims


# What is told: the keys of --format json


def facts(
    program: Program, found: Contract | None, dims: Mapping[str, int], level: int
) -> dict[str, Any]:
    """All but how functions run. Formulas are texts, each beside its number for some dims."""
    count = size(0)
    for argument in program.params:
        count = count + argument.var.type.count
    nodes = size(program.nodes)
    told: dict[str, Any] = {
        "level": level,
        "at": dict(dims),
        "params": {"count": _both(count, dims), "types": _types(program.params)},
        "inputs": _types(program.inputs),
        "dims": list(program.dims),
        "nodes": program.nodes,
        "steps": {"sum": _both(nodes + count, dims), "product": _both(nodes * count, dims)},
    }
    if found is None:
        return told | {"flops": None}
    told["flops"] = {name: _both(f.flops, dims) for name, f in found.functions.items()}
    told["ratio"] = _ratio(found, dims)
    told["saved"] = {
        "values": [{"name": v.name, "type": type_of(v.type)} for v in found.saved],
        "bytes": _bytes(found.saved_bytes, dims),
    }
    told["peak"] = {name: _bytes(f.peak, dims) for name, f in found.functions.items()}
    return told


def type_of(type: Any) -> str:
    """`real [N, 64]`, as the generated module writes it."""
    shape = ", ".join(a.label or str(a.size) for a in type.shape)
    return f"{type.kind} [{shape}]"


def _types(arguments: tuple[Argument, ...]) -> dict[str, str]:
    return {a.key: described(a) for a in arguments}


def _both(amount: Size | Formula, dims: Mapping[str, int]) -> dict[str, Any]:
    """The formula and the number; none where something is divided by 0."""
    formula = amount if isinstance(amount, Formula) else Formula.of(amount)
    return {"formula": str(formula), "number": _number(formula, dims)}


def _number(formula: Formula, dims: Mapping[str, int]) -> int | None:
    try:
        return formula.evaluate(dims)
    except ZeroDivisionError:
        return None


def _bytes(amount: Formula | Peak, dims: Mapping[str, int]) -> dict[str, Any]:
    """The formula, and the number for each float."""
    peak = amount if isinstance(amount, Peak) else Peak((amount,))
    told: dict[str, Any] = {"formula": peak.text()}
    for name, itemsize in ITEMS.items():
        try:
            told[name] = peak.evaluate(dims, itemsize)
        except ZeroDivisionError:
            told[name] = None
    return told


def _ratio(found: Contract, dims: Mapping[str, int]) -> dict[str, Any]:
    """The flops of the gradient by those of the cost."""
    cost, gradient = (found.functions[n].flops for n in ("cost", "value_and_grad"))
    try:
        number = found.ratio(dims)
    except ZeroDivisionError:
        number = None
    return {"formula": f"({gradient}) / ({cost})", "number": number}


def _runs(
    program: Program, found: Contract | None, dims: Mapping[str, int]
) -> Iterator[tuple[str, str]]:
    """How each function runs at -O2: in tiles, or why it does not."""
    for name, how in tile(program, program).items():
        peak = found.functions[name].peak if found and name in found.functions else None
        if peak and peak.tiles and isinstance(how, Tiles):
            rows = min(peak.tiles.count({**dims, str(ONE_ITEM): 8}), dims[how.dim])
            yield name, f"in tiles along {how.dim}, {rows} rows each in float64"
        elif isinstance(how, Tiles):
            yield name, f"whole: its rows along {how.dim} are no memory of a result"
        else:
            yield name, "; ".join(map(_why, how)) or "whole: nothing has a free dim"


def _why(whole: Whole) -> str:
    place = f" ({excerpt(whole.span)[0]})" if whole.span else ""
    return f"whole: not along {whole.dim}: {whole.why}{place}"


# The table


def _rows(told: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    params, steps = told["params"], told["steps"]
    yield "level", f"-O{told['level']}", ""
    yield "params", params["count"]["formula"], _digits(params["count"]["number"])
    for key, type in params["types"].items():
        yield f"  {key}", type, ""
    for i, (key, type) in enumerate(told["inputs"].items()):
        if not i:
            yield "inputs", "", ""
        yield f"  {key}", type, ""
    yield "free dims", ", ".join(told["dims"]) or "none", ""
    yield "nodes", f"{told['nodes']}", ""
    yield "steps, n + p", steps["sum"]["formula"], _digits(steps["sum"]["number"])
    yield "not n * p", steps["product"]["formula"], _digits(steps["product"]["number"])
    if told["flops"] is None:
        yield "flops", "the formulas are too long to write", ""
        return
    yield "flops", "", ""
    for name, both in told["flops"].items():
        yield f"  {name}", both["formula"], _digits(both["number"])
    ratio = told["ratio"]["number"]
    yield "gradient / cost", "", f"{ratio:.2f} times" if ratio is not None else ""
    yield "saved values", told["saved"]["bytes"]["formula"], _floats(told["saved"]["bytes"])
    for value in told["saved"]["values"]:
        yield f"  {value['name']}", value["type"], ""
    yield "peak bytes", "", ""
    for name, both in told["peak"].items():
        yield f"  {name}", both["formula"], _floats(both)
    for i, (name, how) in enumerate(told.get("runs", {}).items()):
        if not i:
            yield "runs", "", ""
        yield f"  {name}", how, ""


def _digits(number: int | None) -> str:
    return f"{number:,}" if number is not None else ""


def _floats(told: Mapping[str, Any]) -> str:
    parts = [f"{_digits(told[name])} {name}" for name in ITEMS if told[name] is not None]
    same = len({told[name] for name in ITEMS}) == 1
    return _digits(told["float64"]) if same else ", ".join(parts)
