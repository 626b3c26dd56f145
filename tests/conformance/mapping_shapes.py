"""PyTorch's functions that shape arrays and order their axes, in bp."""

from __future__ import annotations

from typing import Any

import numpy as np

from translate import Arg, Row, number, reshaped, sizes, transposed


def as_shaped(a: Any) -> str:
    """The entries in the shape that is due; rules that do not name their options read them here."""
    return reshaped(a.x.text, a.outputs[0].shape)


def shaped(signature: str) -> Row:
    """A function that only shapes: the result says how."""

    def rule(a: Any) -> str:
        for name in signature.replace("*", "").split(","):
            a[name.partition("=")[0].strip()]
        return as_shaped(a)

    return Row(signature, rule)


def _stretch(a: Any) -> str:
    for name in ("shape", "other"):
        if name in a._values:
            a[name]
    return f"broadcast({a.x}, {sizes(a.outputs[0].shape)})"


def flat_sizes(*shape: Any) -> tuple[int, ...]:
    return tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], tuple) else shape


def _permute(a: Any) -> str:
    return transposed(a.x.text, [d % a.x.rank for d in flat_sizes(*a.dims)])


def _swap(a: Any) -> str:
    i, j = a.i, a.j
    if not a.x.rank:
        return str(a.x)
    order = list(range(a.x.rank))
    i, j = i % a.x.rank, j % a.x.rank
    order[i], order[j] = j, i
    return transposed(a.x.text, order)


def _mirror(a: Any) -> str:
    """All axes in reverse."""
    return transposed(a.x.text, range(a.x.rank)[::-1])


def _matrix_transpose(a: Any) -> str:
    return f"{a.x}.T" if a.x.rank > 1 else str(a.x)


def _movedim(a: Any) -> str:
    source = a.source if isinstance(a.source, tuple) else (a.source,)
    target = a.target if isinstance(a.target, tuple) else (a.target,)
    marks = np.moveaxis(np.zeros(tuple(range(1, a.x.rank + 1))), source, target).shape
    order = [n - 1 for n in marks]
    return transposed(a.x.text, order)


def widened(x: Arg, rank: int) -> str:
    """atleast_1d, 2d, 3d."""
    shape = x.shape
    if rank == 3 and x.rank == 2:
        return reshaped(x.text, (*shape, 1))
    if rank == 3 and x.rank == 1:
        return reshaped(x.text, (1, *shape, 1))
    return reshaped(x.text, (*[1] * (rank - x.rank), *shape)) if x.rank < rank else x.text


def _atleast(rank: int) -> Any:
    def rule(a: Any) -> list[str]:
        several = (*a.x, *a.more) if isinstance(a.x, tuple) else (a.x, *a.more)
        return [widened(x, rank) for x in several]

    return rule


def _broadcast_tensors(a: Any) -> list[str]:
    shape = sizes(a.outputs[0].shape)
    return [f"broadcast({x}, {shape})" for x in (a.x, *a.more)]


def _sum_to_size(a: Any) -> str:
    target = flat_sizes(*a.shape)
    lead = a.x.rank - len(target)
    gone = [i for i in range(a.x.rank) if i < lead or target[i - lead] != a.x.shape[i]]
    if not gone:
        return str(a.x)
    return reshaped(f"sum({a.x}, axis={number(tuple(gone))})", target)


ROWS: dict[str, Row] = {
    # shapes
    **{name: shaped("x, shape") for name in ("reshape", "view", "view_copy")},
    **{name: shaped("x, other") for name in ("reshape_as", "view_as")},
    **{name: Row("x, shape", _stretch) for name in ("broadcast_to", "expand", "expand_copy")},
    "expand_as": Row("x, other", _stretch),
    "flatten": shaped("x, start_dim=0, end_dim=-1"),
    "unflatten": shaped("x, dim, sizes"),
    "ravel": shaped("x"),
    "squeeze": shaped("x, dim=None"),
    "squeeze_copy": shaped("x, dim=None"),
    "squeeze.multiple": shaped("x, dim"),
    "unsqueeze": shaped("x, dim"),
    "unsqueeze_copy": shaped("x, dim"),
    "atleast_1d": Row("x, *more", _atleast(1)),
    "atleast_2d": Row("x, *more", _atleast(2)),
    "atleast_3d": Row("x, *more", _atleast(3)),
    "broadcast_tensors": Row("x, *more", _broadcast_tensors),
    "sum_to_size": Row("x, *shape", _sum_to_size),
    # order of axes
    **{name: Row("x, i, j", _swap) for name in ("transpose", "transpose_copy")},
    **{name: Row("x, *dims", _permute) for name in ("permute", "permute_copy")},
    "movedim": Row("x, source, target", _movedim),
    "T": Row("x", _mirror),
    "t": Row("x", _mirror),
    "t_copy": Row("x", _mirror),
    "mT": Row("x", _matrix_transpose),
    "H": Row("x", _matrix_transpose),
    "mH": Row("x", _matrix_transpose),
    # copies
    **{
        name: Row("x", "1 * {x}")
        for name in ("clone", "contiguous", "alias_copy", "conj", "conj_physical", "real",
                     "resolve_conj", "resolve_neg", "double")
    },
}  # fmt: skip
