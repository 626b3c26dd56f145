"""All of PyTorch's rows together, and why an operator has none."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

import mapping_convolutions
import mapping_cutting
import mapping_distances
import mapping_elementwise
import mapping_frames
import mapping_joining
import mapping_losses
import mapping_matrices
import mapping_normalisation
import mapping_norms
import mapping_products
import mapping_scans
import mapping_scattering
import mapping_shapes
import mapping_sums
from translate import Row

FAMILIES: dict[str, dict[str, Row]] = {
    "elementwise functions and activations": mapping_elementwise.ROWS,
    "reductions": mapping_sums.ROWS,
    "along one axis": mapping_scans.ROWS,
    "norms": mapping_norms.ROWS,
    "distances": mapping_distances.ROWS,
    "shapes": mapping_shapes.ROWS,
    "cutting, indexing": mapping_cutting.ROWS,
    "joining, turning": mapping_joining.ROWS,
    "diagonals, frames, making": mapping_frames.ROWS,
    "writing by index": mapping_scattering.ROWS,
    "products": mapping_products.ROWS,
    "matrices": mapping_matrices.ROWS,
    "convolutions and pools": mapping_convolutions.ROWS,
    "normalisation, attention, dropout": mapping_normalisation.ROWS,
    "losses": mapping_losses.ROWS,
}
ROWS: dict[str, Row] = {name: row for rows in FAMILIES.values() for name, row in rows.items()}


def reason_of(name: str, unmapped: Mapping[str, str]) -> str:
    """Why an operator without a row has none: the first reason that names it. Raises KeyError."""
    for reason, patterns in unmapped.items():
        if any(fnmatchcase(name, p) for p in patterns.split()):
            return reason
    raise KeyError(name)
