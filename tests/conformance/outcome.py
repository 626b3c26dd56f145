"""What became of an operator's samples: each is compared, or there is a reason why not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cache

import mapping
import mapping_onnx
import onnx_nodes
import torch_samples
from run import Case, run
from torch_samples import Samples

LEVELS = (0, 1, 2)


@dataclass
class Outcome:
    """The samples of one operator after they have run."""

    name: str
    found: int
    run: int
    #: of those run, how many have a gradient to compare
    slopes: int
    failed: list[Case]
    reasons: Counter[str]
    note: str

    @property
    def passed(self) -> int:
        return self.run - len(self.failed)


def outcome_of(samples: Samples, note: str) -> Outcome:
    """Compared at each level; a case that fails at one has failed."""
    failed: dict[int, Case] = {}
    for level in LEVELS:
        for case in run(samples.cases, level):
            if case.problem:
                failed[id(case)] = replace(case, problem=f"-O{level}: {case.problem}")
    slopes = sum(bool(case.grads) and bool(case.seeds) for case in samples.cases)
    count = len(samples.cases)
    return Outcome(
        samples.name, samples.found, count, slopes, list(failed.values()), samples.reasons, note
    )


@cache
def torch_outcome(name: str) -> Outcome:
    row = mapping.ROWS[name]
    return outcome_of(torch_samples.samples_of(name, row), row.note)


@cache
def onnx_outcome(name: str) -> Outcome:
    samples = onnx_nodes.samples_of(name, onnx_nodes.node_tests()[name])
    return outcome_of(samples, mapping_onnx.ROWS[name].note)
