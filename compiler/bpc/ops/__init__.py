"""The operators of bpc: one table, filled by one module for each family."""

from bpc.ops import (
    along,
    arrays,
    attention,
    convolution,
    cutting,
    dropout,
    elementwise,
    gradients,
    joining,
    linalg,
    loops,
    making,
    networks,
    normalisation,
    pooling,
    reductions,
    square,
    windows,
)
from bpc.ops.base import OPS, Op
from bpc.ops.build import Builder, Expr

FAMILIES = (
    along,
    arrays,
    attention,
    convolution,
    cutting,
    dropout,
    elementwise,
    gradients,
    joining,
    linalg,
    loops,
    making,
    networks,
    normalisation,
    pooling,
    reductions,
    square,
    windows,
)

__all__ = ["FAMILIES", "OPS", "Builder", "Expr", "Op"]
