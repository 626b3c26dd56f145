"""PyTorch's products of matrices and arrays in bp."""

from __future__ import annotations

import string
from typing import Any

import numpy as np

from translate import Arg, Row, number, reshaped, sizes

ADD = "x, y, z, *, beta=1, alpha=1"


def plus(a: Any, product: str) -> str:
    """`beta * x + alpha * product`; with beta = 0 PyTorch does not read x."""
    parts = [f"{number(k)} * " if k != 1 else "" for k in (a.beta, a.alpha)]
    one = Arg(a.x.text, a.x.shape)
    x = f"{one}[0]" if one.shape == (1,) else one.text
    return f"{parts[0]}{x} + {parts[1]}{product}"


def sum_of(name: str) -> Any:
    texts = {
        "mm": lambda a: f"({a.y} @ {a.z})",
        "bmm": lambda a: f"sum({a.y} @ {a.z}, axis=0)",
        "outer": lambda a: f"outer({a.y}, {a.z})",
    }
    return lambda a: plus(a, texts[name](a))


def matmul(a: Any) -> str:
    """bp stretches one batch at most: two that stretch get `new` axes."""
    x, y = a.x, a.y
    if x.rank > 2 and y.rank > 2:
        lead = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
        x, y = (
            z
            if z.shape[:-2] == lead
            else Arg(f"broadcast({z}, {sizes((*lead, *z.shape[-2:]))})", ())
            for z in (x, y)
        )
    return f"{x} @ {y}"


def _linear(a: Any) -> str:
    weight = f"{a.weight}.T" if a.weight.rank > 1 else str(a.weight)
    return f"{a.x} @ {weight}" + (f" + {a.bias}" if a.bias is not None else "")


def _bilinear(a: Any) -> str:
    text = bilinear(a.x, a.y, a.weight)
    return text + (f" + {a.bias}" if a.bias is not None else "")


def bilinear(x: Arg, y: Arg, weight: Arg) -> str:
    lead = string.ascii_lowercase[3 : 3 + x.rank - 1]
    return f'einsum("{lead}a,cab,{lead}b->{lead}c", {x}, {weight}, {y})'


def einsum(a: Any) -> str:
    """An ellipsis is written as letters."""
    left, _, right = a.spec.replace(" ", "").partition("->")
    names = [c for c in string.ascii_letters if c not in left]
    operands, longest = [], ""
    for letters, x in zip(left.split(","), a.xs):
        dots = "".join(names[: x.rank - len(letters.replace("...", ""))])
        longest = max(longest, dots, key=len)
        operands.append(letters.replace("...", dots))
    spec = f"{','.join(operands)}->{right.replace('...', longest)}"
    return f'einsum("{spec}", {", ".join(map(str, a.xs))})'


def _multi_dot(a: Any) -> str:
    return " @ ".join(map(str, a.xs))


def _inner(a: Any) -> str:
    if not a.x.rank or not a.y.rank:
        return f"{a.x} * {a.y}"
    x, y = string.ascii_lowercase[1 : a.x.rank], string.ascii_uppercase[1 : a.y.rank]
    return f'einsum("{x}a,{y}a->{x}{y}", {a.x}, {a.y})'


def _tensordot(a: Any) -> str:
    dims = a.dims
    if isinstance(dims, int):
        dims = (range(a.x.rank - dims, a.x.rank), range(dims))
    x, y = string.ascii_lowercase[: a.x.rank], list(string.ascii_uppercase[: a.y.rank])
    rest = [c for k, c in enumerate(x) if k not in [i % len(x) for i in dims[0]]]
    rest += [c for k, c in enumerate(y) if k not in [j % len(y) for j in dims[1]]]
    for i, j in zip(*dims):
        if a.x.shape[i] == a.y.shape[j]:  # else one is 1, and each is summed by itself
            y[j] = x[i]
    right = "".join(rest)
    return f'einsum("{x},{"".join(y)}->{right}", {a.x}, {a.y})'


def _kron(a: Any) -> str:
    rank = max(a.x.rank, a.y.rank)
    if not rank:
        return f"{a.x} * {a.y}"
    shapes = [(1,) * (rank - z.rank) + z.shape for z in (a.x, a.y)]
    x = reshaped(a.x.text, [n for s in shapes[0] for n in (s, 1)])
    y = reshaped(a.y.text, [n for s in shapes[1] for n in (1, s)])
    full = sizes([n for pair in zip(*shapes) for n in pair])
    return reshaped(f"broadcast({x}, {full}) * broadcast({y}, {full})", a.outputs[0].shape)


def _vecdot(a: Any) -> str:
    product = f"({a.x} * {a.y})"
    return f"sum({product}, axis={a.dim})" if a.outputs[0].ndim or a.x.rank else product


def _cross(a: Any) -> str:
    full = np.broadcast_shapes(a.x.shape, a.y.shape)
    x, y = (
        z if z.shape == full else Arg(f"broadcast({z}, {sizes(full)})", full) for z in (a.x, a.y)
    )
    dim = a.dim if a.dim is not None else next(i for i, n in enumerate(full) if n == 3)
    axis = dim % len(full)

    def turned(z: Arg, n: int) -> str:
        return f"roll({z}, {n}, axis={axis})"

    return f"{turned(x, -1)} * {turned(y, -2)} - {turned(x, -2)} * {turned(y, -1)}"


ROWS: dict[str, Row] = {
    # products
    "mm": Row("x, y", "{x} @ {y}"),
    "bmm": Row("x, y", "{x} @ {y}"),
    "mv": Row("x, y", "{x} @ {y}"),
    "dot": Row("x, y", "dot({x}, {y})"),
    "vdot": Row("x, y", "dot({x}, {y})"),
    "matmul": Row("x, y", matmul),
    "__rmatmul__": Row("y, x", matmul),
    "outer": Row("x, y", "outer({x}, {y})"),
    "addmm": Row(ADD, sum_of("mm")),
    "addmm.decomposed": Row(ADD, sum_of("mm")),
    "addmv": Row(ADD, sum_of("mm")),
    "addbmm": Row(ADD, sum_of("bmm")),
    "baddbmm": Row(ADD, sum_of("mm")),
    "addr": Row(ADD, sum_of("outer")),
    "nn.functional.linear": Row("x, weight, bias=None", _linear),
    "nn.functional.bilinear": Row("x, y, weight, bias=None", _bilinear),
    "einsum": Row("xs, spec", einsum),
    "linalg.multi_dot": Row("xs", _multi_dot),
    "inner": Row("x, y", _inner),
    "tensordot": Row("x, y, dims=2", _tensordot),
    "kron": Row("x, y", _kron),
    "linalg.vecdot": Row("x, y, *, dim=-1", _vecdot, broadcasts=True),
    "cross": Row("x, y, dim=None", _cross),
    "linalg.cross": Row("x, y, *, dim=-1", _cross),
}  # fmt: skip
