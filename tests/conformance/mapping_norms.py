"""PyTorch's norms of vectors and matrices in bp."""

from __future__ import annotations

import math
from typing import Any

from translate import Inexpressible, Row, axes, number


def vector_norm(x: str, p: Any, rest: str) -> str:
    """The p-norm over axes."""
    p = 2 if p is None or p == "fro" else p
    if isinstance(p, str):
        raise Inexpressible(f"no function: singular values (norm {p})")
    if p == 2:
        return f"norm({x}{rest})"
    if abs(p) == math.inf:
        return f"{'max' if p > 0 else 'min'}(abs({x}){rest})"
    if p == 0:
        return f"sum(1.0 * ({x} != 0){rest})"
    if p == 1:
        return f"sum(abs({x}){rest})"
    power = f"abs({x}) ^ {number(p)}"
    if p < 0:
        zero = f"min(abs({x}){rest}) == 0"
        return f"where({zero}, 0, sum({power}{rest}) ^ (1 / {number(p)}))"
    total = f"sum(where({x} == 0, 0, {power}){rest})"
    return f"where({total} == 0, 0, {total} ^ (1 / {number(p)}))"


def rest_of(a: Any, dims: Any) -> str:
    keep = ", keep=true" if a.keepdim else ""
    if not a.x.rank:
        return ""
    axis = "" if dims is None or dims == () else f", axis={number(axes(dims, a.x.rank))}"
    return axis + keep


def _vector_norm(a: Any) -> str:
    return vector_norm(a.x.text, a.ord, rest_of(a, a.dim))


def matrix_norm(x: str, order: Any, dims: tuple[int, int], keep: bool) -> str:
    """Norms of matrices that need no singular values."""
    row, column = dims
    end = ", keep=true" if keep else ""
    if order == "fro":
        return f"norm({x}, axis={number(dims)}{end})"
    if order in ("nuc", 2, -2):
        raise Inexpressible("no function: singular values")
    pick = "max" if order > 0 else "min"
    inner = row if abs(order) == 1 else column
    return f"{pick}(sum(abs({x}), axis={inner}, keep=true), axis={number(dims)}{end})"


def _matrix_norm(a: Any) -> str:
    dims = axes(a.dim, a.x.rank)
    return matrix_norm(a.x.text, a.ord, (dims[0], dims[1]), a.keepdim)


def _linalg_norm(a: Any) -> str:
    """Of a matrix where two axes are named, or none are and it has two."""
    dims = a.dim
    if a.ord is None and dims is None:
        return vector_norm(a.x.text, 2, rest_of(a, None))
    if dims is None:
        dims = tuple(range(a.x.rank))
    dims = axes(dims, a.x.rank)
    if len(dims) == 2 and a.ord is not None:
        return matrix_norm(a.x.text, a.ord, (dims[0], dims[1]), a.keepdim)
    return vector_norm(a.x.text, a.ord, rest_of(a, dims))


def _norm(a: Any) -> str:
    if a.p == "nuc":
        raise Inexpressible("no function: singular values")
    return vector_norm(a.x.text, a.p, rest_of(a, a.dim))


def _dist(a: Any) -> str:
    d = a.let(f"{a.x} - {a.y}")
    return vector_norm(d.text, a.p, "")


ROWS: dict[str, Row] = {
    # norms
    "norm": Row("x, p='fro', dim=None, keepdim=False, dtype=None", _norm),
    "norm.fro": Row("x, p='fro', dim=None, keepdim=False, dtype=None", _norm),
    "norm.inf": Row("x, p='fro', dim=None, keepdim=False, dtype=None", _norm),
    "norm.nuc": Row("x, p='fro', dim=None, keepdim=False, dtype=None", _norm),
    "linalg.vector_norm": Row("x, ord=2, dim=None, keepdim=False, *, dtype=None", _vector_norm),
    "linalg.matrix_norm": Row(
        "x, ord='fro', dim=(-2, -1), keepdim=False, *, dtype=None", _matrix_norm
    ),
    "linalg.norm": Row("x, ord=None, dim=None, keepdim=False, *, dtype=None", _linalg_norm),
    "linalg.norm.subgradients_at_zero": Row(
        "x, ord=None, dim=None, keepdim=False, *, dtype=None", _linalg_norm
    ),
    "dist": Row("x, y, p=2", _dist, broadcasts=True),
}  # fmt: skip
