"""`bpc ops`: the reference of the language's functions, straight from the registry."""

from __future__ import annotations

import sys
from inspect import Parameter

import click

from bpc.cli.show import coloured, table
from bpc.diagnostics import UsageError, did_you_mean
from bpc.lower.calls import signature
from bpc.lower.expressions import ELEMENTWISE
from bpc.ops import OPS, Op

OPERATORS = {name: f"x {sign} y" for sign, name in ELEMENTWISE.items()} | {"neg": "-x"}
NONE = {None: "none", True: "true", False: "false"}


def public() -> dict[str, list[Op]]:
    """The functions of the language by group."""
    groups: dict[str, list[Op]] = {}
    for op in OPS.values():
        if op.group != "internal":
            groups.setdefault(op.group, []).append(op)
    return groups


def call(op: Op) -> str:
    """How the language calls it: `sum(x, axis=none, keep=false)`, `x + y`."""
    if op.group == "arithmetic":
        return OPERATORS[op.name]
    return f"{op.name}({', '.join(map(_argument, signature(op.name)))})"


def _argument(p: Parameter) -> str:
    if p.kind is Parameter.VAR_POSITIONAL:
        return f"*{p.name}"
    if p.default is p.empty:
        return p.name
    known = p.default is None or isinstance(p.default, bool)
    value = NONE[p.default] if known else repr(p.default).removesuffix(".0")
    return f"{p.name}={value}"


@click.command("ops")
@click.argument("name", required=False)
@click.option(
    "--format", "form", type=click.Choice(["text", "markdown"]), default="text", show_default=True
)
def command(name: str | None, form: str) -> None:
    """List the functions of the language, or tell all about NAME."""
    if name is not None:
        _one(name, form)
    elif form == "markdown":
        click.echo("\n\n".join(_markdown(group, ops) for group, ops in public().items()))
    else:
        for i, (group, ops) in enumerate(public().items()):
            click.echo(("\n" if i else "") + _heading(group))
            table([(f"  {call(op)}", op.doc) for op in ops])


def _heading(text: str) -> str:
    return click.style(text, bold=True) if coloured(sys.stdout) else text


def _markdown(group: str, ops: list[Op]) -> str:
    rows = [f"| `{call(op)}` | {op.doc} |" for op in ops]
    return "\n".join([f"### {group}", "", "| call | what it is |", "| --- | --- |", *rows])


def _one(name: str, form: str) -> None:
    known = {op.name: op for ops in public().values() for op in ops}
    op = known.get(ELEMENTWISE.get(name, name))
    if op is None:
        hint = did_you_mean(name, known) or "`bpc ops` lists them"
        raise UsageError(f"no function of the language is called `{name}`; {hint}")
    rows = [(what, text) for what, text in facts(op) if text]
    if form == "markdown":
        click.echo("\n".join(f"- {what}: `{text}`" for what, text in rows))
        return
    click.echo(_heading(call(op)))
    click.echo(op.doc)
    if rows:
        click.echo()
        table(rows)


def facts(op: Op) -> list[tuple[str, str]]:
    """What the registry says beyond call and doc: group, NumPy, SymPy, derivatives."""
    rows = [("group", op.group)]
    if isinstance(op.numpy, str):
        rows.append(("NumPy", op.numpy))
    if op.sympy is not None:
        from bpc.derivation import bp, slope
        from bpc.ops.derive import SYMBOLS, primal

        rows.append(("SymPy", op.sympy))
        for x in SYMBOLS[: len(op.domain)]:
            rows.append((f"d/d{x}", bp(slope(primal(op), x))))
    return rows
