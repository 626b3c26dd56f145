"""All rows together, and why an operator has none."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

import mapping_arrays
import mapping_elementwise
import mapping_linalg
import mapping_losses
import mapping_networks
import mapping_reductions
from translate import Row

FAMILIES: dict[str, dict[str, Row]] = {
    "elementwise, activations": mapping_elementwise.ROWS,
    "reductions, scans, norms": mapping_reductions.ROWS,
    "arrays": mapping_arrays.ROWS,
    "linear algebra": mapping_linalg.ROWS,
    "networks": mapping_networks.ROWS,
    "losses": mapping_losses.ROWS,
}
ROWS: dict[str, Row] = {name: row for rows in FAMILIES.values() for name, row in rows.items()}


def reason_of(name: str, unmapped: Mapping[str, str]) -> str:
    """Why an operator without a row has none: the first reason that names it. Raises KeyError."""
    for reason, patterns in unmapped.items():
        if any(fnmatchcase(name, p) for p in patterns.split()):
            return reason
    raise KeyError(name)
