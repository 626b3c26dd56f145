"""Local partials that SymPy derived; written by `python -m bpc.ops.derive`, held by a test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

DERIVED: dict[str, tuple[Callable[..., Any], ...]] = {
    "exp": (lambda m, x, o: o,),
    "log": (lambda m, x, o: 1 / x,),
    "log1p": (lambda m, x, o: 1 / (1.0 + x),),
    "sin": (lambda m, x, o: m.cos(x),),
    "cos": (lambda m, x, o: -m.sin(x),),
    "tan": (lambda m, x, o: 1.0 + o**2,),
    "atan": (lambda m, x, o: 1 / (1.0 + x**2),),
    "sinh": (lambda m, x, o: m.cosh(x),),
    "cosh": (lambda m, x, o: m.sinh(x),),
    "tanh": (lambda m, x, o: 1.0 - o**2,),
    "erf": (lambda m, x, o: 1.1283791670955126 * m.exp(-(x**2)),),
    "erfc": (lambda m, x, o: -1.1283791670955126 * m.exp(-(x**2)),),
}
