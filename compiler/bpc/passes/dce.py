"""Equations that no result needs go.

    t = gt(x, 0.0)
    return J           ->    return J

The adjoint of a name of the source stays, needed or not: it is what people read the output for.
"""

from __future__ import annotations

from bpc.ir import Function, live


def dce(function: Function) -> Function:
    """Keep what results need, and named adjoints with what they need."""
    return live(function)
