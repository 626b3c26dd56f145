"""PyTorch's distances and covariances in bp."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mapping_norms import vector_norm
from translate import Arg, Inexpressible, Row, at, moved, number, sizes


def _cdist(a: Any) -> str:
    _ = a.mode
    x, y = (f"{a.x}[..., new, :]", f"{a.y}{at(a.y.rank + 1, a.y.rank - 2, 'new')}")
    lead = np.broadcast_shapes(a.x.shape[:-2], a.y.shape[:-2])
    if a.x.shape[:-2] != lead:
        x = f"broadcast({a.x}, {sizes((*lead, *a.x.shape[-2:]))})[..., new, :]"
    if a.y.shape[:-2] != lead:
        y = f"broadcast({a.y}, {sizes((*lead, *a.y.shape[-2:]))})"
        y += at(len(lead) + 3, len(lead), "new")
    d = a.let(f"{x} - {y}")
    return vector_norm(d.text, a.p, ", axis=-1")


def _pdist(a: Any) -> str:
    n = a.x.shape[0]
    rows, columns = (a.given(i) for i in np.triu_indices(n, 1))
    d = a.let(f"{a.x}[{rows}] - {a.x}[{columns}]")
    return vector_norm(d.text, a.p, ", axis=-1")


def _pairwise(a: Any) -> str:
    d = a.let(f"{a.x} - {a.y} + {number(a.eps)}")
    return vector_norm(d.text, a.p, f", axis=-1{', keep=true' if a.keepdim else ''}")


def _normalize(a: Any) -> str:
    if not a.x.rank:
        _ = a.dim, a.p
        return f"{a.x} / max(abs({a.x}), {number(a.eps)})"
    length = vector_norm(a.x.text, a.p, f", axis={a.dim}, keep=true")
    return f"{a.x} / max({length}, {number(a.eps)})"


def _cosine(a: Any) -> str:
    """Along the last axis in bp; the lengths are at least 1e-8, PyTorch's default."""
    full = np.broadcast_shapes(a.x.shape, a.y.shape)
    rank, axis = len(full), a.dim
    if not rank:
        return f"cosine_similarity(reshape({a.x}, [1]), reshape({a.y}, [1]))"
    texts = [
        moved(str(z) if z.shape == full else f"broadcast({z}, {sizes(full)})", rank, axis, -1)
        for z in (a.x, a.y)
    ]
    if a.eps == 1e-8:
        return f"cosine_similarity({', '.join(texts)})"
    lengths = [f"max(norm({t}, axis=-1), {number(a.eps)})" for t in texts]
    return f"sum({texts[0]} * {texts[1]}, axis=-1) / ({' * '.join(lengths)})"


def _cov(a: Any) -> str:
    rows = a.x if a.x.rank == 2 else Arg(f"reshape({a.x}, [1, -1])", (1, math.prod(a.x.shape)))
    n = rows.shape[1]
    weights = " * ".join(str(w) for w in (a.fweights, a.aweights) if w is not None)
    if not weights:
        d = a.let(f"{rows} - mean({rows}, axis=1, keep=true)")
        total = str(n - a.correction)
        product = f"({d} @ {d}.T)"
    else:
        w = a.let(f"1.0 * {weights}")
        d = a.let(f"{rows} - sum({w} * {rows}, axis=1, keep=true) / sum({w})")
        part = f"sum({w} * {a.aweights})" if a.aweights is not None else f"sum({w})"
        total = f"(sum({w}) - {a.correction} * {part} / sum({w}))" if a.correction else f"sum({w})"
        product = f"(({w} * {d}) @ {d}.T)"
    if total == "0":
        raise Inexpressible("division of a variance by 0")
    text = f"{product} / {total}"
    return text if a.outputs[0].ndim else f"reshape({text}, [])"


ROWS: dict[str, Row] = {
    # distances
    "cdist": Row("x, y, p=2.0, mode=None", _cdist),
    "nn.functional.pdist": Row("x, p=2.0", _pdist),
    "nn.functional.pairwise_distance": Row("x, y, p=2.0, eps=1e-6, keepdim=False", _pairwise),
    "nn.functional.normalize": Row("x, p=2.0, dim=1, eps=1e-12", _normalize),
    "nn.functional.cosine_similarity": Row("x, y, dim=1, eps=1e-8", _cosine),
    "cov": Row("x, *, correction=1, fweights=None, aweights=None", _cov),
}  # fmt: skip
