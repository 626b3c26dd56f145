"""Cases run and compared: many in one program, and each text compiled once."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

import bpc
from translate import Program, sizes

#: what the compiler says, or a generated function
FAILURES = (bpc.BpcError, ValueError, TypeError, IndexError)
#: texts in one program
TOGETHER = 25
Slots = Mapping[int, "Case"]


@dataclass
class Case:
    """A program's text in parts, and what another library says its results and gradients are."""

    label: str
    program: Program
    expected: list[np.ndarray]
    cotangents: list[np.ndarray | None]
    grads: dict[str, np.ndarray]
    tolerance: float = 1e-12
    entrywise: bool = False
    problem: str = ""

    @property
    def results(self) -> list[tuple[int, str]]:
        """The results that the program computes, and their places."""
        return [(k, text) for k, text in enumerate(self.program.results) if text is not None]

    @property
    def seeds(self) -> dict[str, np.ndarray]:
        """The cotangents of the results that have a gradient."""
        return {f"s_{k}": c for k, c in enumerate(self.cotangents) if c is not None}

    @property
    def inputs(self) -> dict[str, np.ndarray]:
        """The data of the program: the sample's own, and the cotangents."""
        return self.program.inputs | self.seeds

    def lines(self) -> tuple[list[str], list[str], list[str], list[str]]:
        """Declarations, equations, terms of the cost, outputs; names have no number yet."""
        declarations = [declared(k, v, "param") for k, v in self.program.params.items()]
        declarations += [declared(k, v, "input") for k, v in self.inputs.items()]
        equations = self.program.equations + [f"o_{k} = {text}" for k, text in self.results]
        terms = [f"sum(s_{k} * o_{k})" for k, _ in self.results if self.cotangents[k] is not None]
        return declarations, equations, terms, [f"o_{k}" for k, _ in self.results]


def declared(name: str, array: np.ndarray, word: str) -> str:
    kind = {"b": "bool", "i": "int", "u": "int", "f": ""}[array.dtype.kind]
    shape = sizes(array.shape) if array.ndim else ""
    return f"{word} {name}{': ' if kind or shape else ''}{kind}{shape}"


def numbered(text: str, slot: int) -> str:
    """`x_1` becomes `x7_1`."""
    return re.sub(r"\b([xtso])_(\d+)\b", rf"\g<1>{slot}_\g<2>", text)


def text_of(slots: Slots) -> str:
    """One program for some cases: the cost is the sum of all results times their cotangents."""
    parts: tuple[list[str], ...] = ([], [], ["0 * anchor"], [])
    for slot, case in slots.items():
        for part, lines in zip(parts, case.lines(), strict=True):
            part += (numbered(line, slot) for line in lines)
    declarations, equations, terms, outputs = parts
    ends = [f"cost J = {' + '.join(terms)}", f"output {', '.join(outputs)}"]
    return "\n".join(["param anchor", *declarations, *equations, *ends])


def run(cases: Iterable[Case], level: int = 1) -> list[Case]:
    """The cases with their `problem` filled in, empty where all is as expected."""
    texts: dict[str, list[Case]] = {}
    for case in cases:
        texts.setdefault(text_of({0: case}), []).append(case)
    groups = list(texts.values())
    for start in range(0, len(groups), TOGETHER):
        some = groups[start : start + TOGETHER]
        try:
            check(some, level)
        except FAILURES:
            for group in some:
                try:
                    check([group], level)
                except FAILURES as error:
                    for case in group:
                        case.problem = f"{type(error).__name__}: {error}"
    return [case for group in groups for case in group]


def check(groups: Sequence[list[Case]], level: int) -> None:
    """Compile one program for cases of several texts, and run it as often as the longest wants."""
    module = bpc.load(text_of({k: group[0] for k, group in enumerate(groups)}), level=level)
    for turn in range(max(map(len, groups))):
        slots = {k: group[min(turn, len(group) - 1)] for k, group in enumerate(groups)}
        compare_all(module, slots)


def compare_all(module: ModuleType, slots: Slots) -> None:
    given: dict[str, Any] = {}
    for slot, case in slots.items():
        arrays = case.program.params | case.inputs
        given |= {numbered(name, slot): array for name, array in arrays.items()}
    reals = [a.dtype for a in given.values() if a.dtype.kind == "f"]
    given["anchor"] = np.zeros((), reals[0] if reals else float)
    params = {k: given[k] for k in module.PARAMS}
    with np.errstate(all="ignore"):
        needed = inspect.signature(module.forward).parameters
        found = module.forward(params, **{k: v for k, v in given.items() if k in needed})
        _, grads = module.value_and_grad(params, **{k: given[k] for k in module.INPUTS})
    outputs = found if isinstance(found, dict) else {next(iter(module.OUTPUTS)): found}
    for slot, case in slots.items():
        case.problem = difference(case, slot, outputs, grads)


def difference(case: Case, slot: int, outputs: dict[str, Any], grads: dict[str, Any]) -> str:
    """What is not as expected."""
    assert len(case.program.results) == len(case.expected)
    for k, _ in case.results:
        found = outputs[numbered(f"o_{k}", slot)]
        said = compare(case, found, case.expected[k])
        if said:
            return f"result {k} {said}"
    for name, slope in case.grads.items():
        said = compare(case, grads[numbered(name, slot)], slope)
        if said:
            return f"gradient by {name} {said}"
    return ""


def compare(case: Case, found: Any, value: np.ndarray) -> str:
    """How two arrays differ, or nothing."""
    found = np.asarray(found)
    if found.shape != value.shape:
        return f"has the shape {found.shape}, not {value.shape}"
    if value.dtype.kind in "bi":
        wrong = found != value
    else:
        finite = np.isfinite(value)
        sizes = np.abs(np.where(finite, value, 0.0))
        scale = np.maximum(1.0, sizes if case.entrywise else sizes.max(initial=0.0))
        with np.errstate(invalid="ignore"):
            near = np.abs(found - np.where(finite, value, 0.0)) <= case.tolerance * scale
            wrong = ~np.where(finite, near, (found == value) | (np.isnan(found) & np.isnan(value)))
    if not wrong.any():
        return ""
    i = tuple(np.argwhere(wrong)[0]) if wrong.ndim else ()
    where = f"{wrong.sum()} of {wrong.size} entries"
    return f"differs in {where}: {found[i]!r} instead of {value[i]!r} at {tuple(map(int, i))}"
