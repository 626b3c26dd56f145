"""The operators of bpc: one table, filled by one module for each family."""

from bpc.ops import arrays, elementwise, linalg, networks, reductions
from bpc.ops.base import OPS, Op
from bpc.ops.build import Builder, Expr

FAMILIES = (arrays, elementwise, linalg, networks, reductions)

__all__ = ["FAMILIES", "OPS", "Builder", "Expr", "Op"]
