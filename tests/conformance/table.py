"""The table of what was compared, as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import onnx
import torch

import mapping
import mapping_onnx
from onnx_nodes import node_tests
from outcome import Outcome, onnx_outcome, torch_outcome
from torch_samples import OPERATORS
from unmapped import ONNX_UNMAPPED, UNMAPPED

HEAD = """# What other libraries say

Written by `python -m pytest tests/conformance --update`; a test holds it to what a run gives. Each sample is translated to
a bp program, compiled at -O0, -O1 and -O2, and compared: values, and in PyTorch's samples the gradient by every argument with a random
cotangent for every result, to 1e-12 in float64 (2e-6 in ONNX's float32; scaled by the squared condition number where
matrices are inverted). *Found* are the samples of the operator, *run* those that the language can say, *pass* those that agree.
"""
ON_PURPOSE = """## What differs on purpose

No entry of a sample that ran is exempted from the comparison. These samples are not run, or are written so that both agree:

- Where nothing is left to reduce, `max`, `min` and `mean` raise: ONNX's `-inf` and `inf` of an empty set have no case.
- `eps` below 0 and a dropout rate of 1 are refused; so is the gradient-free scatter that writes to one place twice.
- bp stretches two operands only along axes made with `new`: the translation writes `x[:, 0][:, new]` there.
- Images and classes stand last in bp; PyTorch and ONNX have them second: the translation transposes.
- `var` and `std` divide by n: the translation scales them where PyTorch divides by n - 1.
- Random numbers: dropout is compared only where it drops nothing.
"""


def totals(found: list[Outcome]) -> list[int]:
    """Samples found, run, run with a gradient, passed."""
    return [sum(part) for part in zip(*((o.found, o.run, o.slopes, o.passed) for o in found))]


def line(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def header(*cells: str) -> list[str]:
    return [line(*cells), "|" + "---|" * len(cells)]


def counted(reasons: Counter[str]) -> str:
    return "; ".join(f"{reason} ({n})" for reason, n in sorted(reasons.items()))


def rows(found: Iterable[Outcome]) -> list[str]:
    return [
        line(
            f"`{o.name}`",
            o.found,
            o.run,
            o.passed,
            "; ".join(filter(None, (counted(o.reasons), o.note))),
        )
        for o in found
    ]


def share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"


def unmapped(names: Iterable[str], why: Callable[[str], str]) -> list[str]:
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(why(name), []).append(name)
    return [
        line(reason, len(some), " ".join(f"`{n}`" for n in some)) for reason, some in groups.items()
    ]


def render() -> str:
    """The whole file."""
    families = {
        family: [torch_outcome(n) for n in OPERATORS if n in found]
        for family, found in mapping.FAMILIES.items()
    }
    by_torch = [o for some in families.values() for o in some]
    tests = node_tests()
    by_onnx = [onnx_outcome(n) for n in tests if n in mapping_onnx.ROWS]
    lines = [
        HEAD,
        *header("suite", "operators", "with a row", "found", "run", "with gradient", "pass"),
    ]
    for title, whole, some in (
        (f"PyTorch {torch.__version__.partition('+')[0]}, sample inputs", len(OPERATORS), by_torch),
        (f"ONNX {onnx.__version__}, node tests", len(tests), by_onnx),
    ):
        found, run, slopes, passed = totals(some)
        shown = f"{run} ({share(run, found)})", slopes, f"{passed} ({share(passed, run)})"
        lines.append(line(title, whole, len(some), found, *shown))
    lines += ["", ON_PURPOSE, "## Reasons", ""]
    for title, some in (("PyTorch's samples", by_torch), ("ONNX's tests", by_onnx)):
        lines += [*header(f"why {title} are not run", "samples")]
        reasons = sum((o.reasons for o in some), Counter[str]())
        lines += [line(*item) for item in sorted(reasons.items(), key=lambda i: (-i[1], i[0]))]
        lines.append("")
    columns = ("operator", "found", "run", "pass", "the rest, and remarks")
    for family, some in families.items():
        lines += [f"## PyTorch: {family}", "", *header(*columns), *rows(some), ""]
    lines += ["## ONNX", "", *header(*columns), *rows(by_onnx), ""]
    rest = [n for n in OPERATORS if n not in mapping.ROWS]
    lines += ["## PyTorch's operators without a row", "", *header("why", "operators", "names")]
    lines += unmapped(rest, lambda n: mapping.reason_of(n, UNMAPPED))
    rest = [n for n in tests if n not in mapping_onnx.ROWS]
    lines += ["", "## ONNX's operators without a row", "", *header("why", "operators", "names")]
    lines += unmapped(rest, lambda n: mapping.reason_of(n, ONNX_UNMAPPED))
    return "\n".join(lines) + "\n"
