"""The operators of bpc: one table, filled by one module for each family."""

from bpc.ops import (
    arrays,
    cutting,
    elementwise,
    joining,
    linalg,
    making,
    networks,
    reductions,
)
from bpc.ops.base import OPS, Op
from bpc.ops.build import Builder, Expr

FAMILIES = (arrays, cutting, elementwise, joining, linalg, making, networks, reductions)

__all__ = ["FAMILIES", "OPS", "Builder", "Expr", "Op"]
