"""`bpc derive`: a derivative on paper beside the quotient that it is the limit of."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

import click

from bpc.cli.options import Setting
from bpc.cli.show import table
from bpc.diagnostics import UsageError, did_you_mean

EPSILONS = tuple(float(f"1e-{k}") for k in range(1, 10))
EXAMPLES = """
\b
Examples:
  bpc derive "w^3"
  bpc derive "w^3" --wrt w --at w=2
  bpc derive "(w*x + b - y)^2 / 2" --wrt w,b --at w=2 --at b=8 --at x=-2 --at y=2
"""


def _names(context: click.Context, param: click.Parameter, values: tuple[str, ...]) -> list[str]:
    names = [re.sub(r"\s", "", name) for value in values for name in value.split(",")]
    if not all(names):
        raise click.BadParameter("a name is missing", context, param)
    return list(dict.fromkeys(names))


def _place(
    context: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, int | float]:
    parts = [part for value in values for part in value.split(",")]
    return dict(Setting().convert(part, param, context) for part in parts)


@click.command("derive", epilog=EXAMPLES)
@click.argument("expression")
@click.option(
    "--wrt", multiple=True, callback=_names, metavar="NAMES",
    help="The names to derive by; each counts once. Default: all of them.",
)  # fmt: skip
@click.option(
    "--at", multiple=True, callback=_place, metavar="NAME=VALUE", help="Where to take its value."
)  # fmt: skip
@click.option(
    "--epsilon", type=float, multiple=True,
    help="The step of the quotient. Default: each of 1e-1 to 1e-9.",
)  # fmt: skip
def command(
    expression: str,
    wrt: list[str],
    at: dict[str, int | float],
    epsilon: tuple[float, ...],
) -> None:
    """Derive EXPRESSION by SymPy; with --at, also by (J(w + e) - J(w)) / e.

    One that begins with a minus goes after two more: bpc derive -- -w^2
    """
    from bpc import derivation

    sys.setrecursionlimit(20_000)  # SymPy's functions call themselves for what is nested
    if any(not 0 < abs(e) < float("inf") for e in epsilon):
        raise UsageError("--epsilon: a step is a finite number, and not 0")
    formula = derivation.read(expression)
    _known("--wrt", wrt, formula.names)
    _known("--at", at, formula.names)
    missing = [name for name in formula.names if name not in at]
    if at and missing:
        raise UsageError(f"--at gives no value for {', '.join(missing)}")
    where = ", ".join(f"{name} = {at[name]!r}" for name in formula.names if name in at)
    click.echo(f"J = {derivation.bp(derivation.symbolic(formula))}")
    here = derivation.value(formula, at) if not missing else 0.0
    if not missing:
        click.echo(f"  = {here!r}" + (f" at {where}" if where else ""))
    for name in wrt or formula.names:
        slope = derivation.derivative(formula, name)
        click.echo(f"\ndJ/d{name} = {derivation.bp(slope)}")
        if missing:
            continue
        click.echo(f"{' ' * len(f'dJ/d{name}')} = {derivation.evaluate(slope, at)!r}\n")
        rows = []
        for e in epsilon or EPSILONS:
            there = derivation.value(formula, {**at, name: at[name] + e})
            rows.append((repr(e), repr(there), repr((there - here) / e)))
        table(rows, ("e", f"J({name} + e)", f"(J({name} + e) - J({name})) / e"))


def _known(option: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or f"its names are {', '.join(known) or 'none'}"
            raise UsageError(f"{option} {name}: the expression has no such name; {hint}")
