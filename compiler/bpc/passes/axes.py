"""The attributes of an equation whose arrays have their axes in another order.

sum(x: [N, H], axes=(1,))            sum(x': [H, N], axes=(0,))
slice(x, items=(a, b))        ->     slice(x', items=(b, a))
"""

from __future__ import annotations

from typing import Any

from bpc.ir import Equation
from bpc.ops import OPS

#: what works entry by entry, besides elementwise operators
ALIGNED = frozenset(("cast", "identity", "copy", "stop", "window"))
#: operators whose attributes have an entry for each axis
BY_AXIS = {
    "slice": ("items",),
    "unslice": ("items", "shape"),
    "pad": ("widths",),
    "full": ("shape",),
    "lay_windows": ("shape",),
}
#: operators whose attributes name axes
ALONG = frozenset(
    ("sum", "mean", "max", "min", "prod", "any", "all", "var", "std", "norm", "logsumexp", "top",
     "shift", "centred", "softmax", "log_softmax", "softmax_slope", "concat")
)  # fmt: skip


def reordered(e: Equation, order: tuple[int, ...]) -> dict[str, Any] | None:
    """The attributes, where axis i of each array is what axis order[i] was; None if nobody knows."""
    attrs = dict(e.attrs)
    if e.op in BY_AXIS:
        return attrs | {k: tuple(attrs[k][i] for i in order) for k in BY_AXIS[e.op]}
    if e.op in ALONG:
        if "axes" in attrs:
            return attrs | {"axes": tuple(sorted(order.index(a) for a in attrs["axes"]))}
        return attrs | {"axis": order.index(attrs["axis"])}
    return attrs if OPS[e.op].elementwise or e.op in ALIGNED else None
