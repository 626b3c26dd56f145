"""PyTorch's sample inputs: values and gradients."""

from __future__ import annotations

import pytest

import mapping
from outcome import torch_outcome
from torch_samples import OPERATORS
from unmapped import UNMAPPED


def test_each_operator_has_a_row_or_a_reason() -> None:
    assert set(mapping.ROWS) <= set(OPERATORS)
    assert len(mapping.ROWS) == sum(map(len, mapping.FAMILIES.values()))
    for name in OPERATORS:
        assert name in mapping.ROWS or mapping.reason_of(name, UNMAPPED)


@pytest.mark.parametrize("name", mapping.ROWS)
def test_samples(name: str) -> None:
    found = torch_outcome(name)
    assert found.found == found.run + found.reasons.total() > 0
    assert not found.failed, "\n".join(f"{c.label}: {c.problem}" for c in found.failed[:5])
