"""PyTorch's products, determinants, inverses and distances of matrices, in bp."""

from __future__ import annotations

import math
import string
from typing import Any

import numpy as np

from mapping_reductions import vector_norm
from translate import Arg, Inexpressible, Row, at, moved, number, reshaped, sizes, transposed


def condition(*arrays: np.ndarray) -> float:
    """Largest condition number of the square matrices of a sample; it enters squared."""
    found = 1.0
    for array in arrays:
        if array.ndim > 1 and array.size and array.shape[-1] == array.shape[-2]:
            found = max(found, float(np.linalg.cond(array).max()))
    return found**2


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


def _matmul(a: Any) -> str:
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


def _einsum(a: Any) -> str:
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


def _matrix_power(a: Any) -> str:
    n = a.x.shape[-1]
    if a.n == 0:
        return f"broadcast(eye({n}), {sizes(a.x.shape)})"
    base = a.x if a.n > 0 else a.let(f"inv({a.x})", a.x.shape)
    return " @ ".join([str(base)] * abs(a.n))


def _slogdet(a: Any) -> list[str]:
    d = f"det({a.x})"
    return [f"sign({d})", f"logdet({signed(a)})"]


def signed(a: Any) -> str:
    """The matrix with its first row times the sign of the determinant: that of it is positive."""
    n = a.x.shape[-1]
    if not n:
        return str(a.x)
    lead = ":, " * (a.x.rank - 2)
    sign = a.let(f"where(det({a.x}) < 0, -1.0, 1.0)")
    rows = f"(where(arange({n}) == 0, 1.0, 0.0)[:, new])"
    spread = f"{sign}[{lead}new, new]" if a.x.rank > 2 else str(sign)
    return f"({a.x} * (1 + {rows} * ({spread} - 1)))"


def _solve(a: Any) -> str:
    """PyTorch takes [.., n] as a batch of vectors where the batches agree; NumPy a matrix."""
    if not a.left:
        raise Inexpressible("option left")
    A, b = a.a, a.b
    vectors = b.rank == 1 or (b.rank == A.rank - 1 and b.shape == A.shape[:-1])
    if b.rank == 1 or not vectors:
        return f"solve({A}, {b})"
    return f"solve({A}, {b}[..., new])[..., 0]"


def _first(rule: Any) -> Any:
    """The result, and not the int that says whether it is one."""
    return lambda a: [rule(a), None]


def _inv(a: Any) -> str:
    return f"inv({a.x})"


def _triangular(a: Any) -> list[str | None]:
    A = a.a
    kept = f"{'triu' if a.upper else 'tril'}({A})"
    n = A.shape[-1]
    if a.unitriangular:
        strict = f"triu({A}, k=1)" if a.upper else f"tril({A}, k=-1)"
        kept = f"({strict} + eye({n}))"
    if a.left:
        return [f"solve({kept}, {a.b})"]
    return [f"solve({kept}.T, {a.b}.T).T"]


def _tensorinv(a: Any) -> str:
    left, right = a.x.shape[: a.ind], a.x.shape[a.ind :]
    n = math.prod(left)
    return reshaped(f"inv({reshaped(a.x.text, (n, n))})", (*right, *left))


def _tensorsolve(a: Any) -> str:
    x, shape = a.a.text, a.a.shape
    if a.dims is not None:
        order = [i for i in range(len(shape)) if i not in a.dims] + list(a.dims)
        x, shape = transposed(x, order), tuple(shape[i] for i in order)
    n = math.prod(a.b.shape)
    text = f"solve({reshaped(x, (n, n))}, reshape({a.b}, [{n}]))"
    return reshaped(text, shape[a.b.rank :])


# Distances: all pairs, or row by row


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


def _trace(a: Any) -> str:
    n = min(a.x.shape)
    return f"trace({a.x}[0:{n}, 0:{n}])"


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


ADD = "x, y, z, *, beta=1, alpha=1"
ROWS: dict[str, Row] = {
    "mm": Row("x, y", "{x} @ {y}"),
    "bmm": Row("x, y", "{x} @ {y}"),
    "mv": Row("x, y", "{x} @ {y}"),
    "dot": Row("x, y", "dot({x}, {y})"),
    "vdot": Row("x, y", "dot({x}, {y})"),
    "matmul": Row("x, y", _matmul),
    "__rmatmul__": Row("y, x", _matmul),
    "outer": Row("x, y", "outer({x}, {y})"),
    "addmm": Row(ADD, sum_of("mm")),
    "addmm.decomposed": Row(ADD, sum_of("mm")),
    "addmv": Row(ADD, sum_of("mm")),
    "addbmm": Row(ADD, sum_of("bmm")),
    "baddbmm": Row(ADD, sum_of("mm")),
    "addr": Row(ADD, sum_of("outer")),
    "nn.functional.linear": Row("x, weight, bias=None", _linear),
    "nn.functional.bilinear": Row("x, y, weight, bias=None", _bilinear),
    "einsum": Row("xs, spec", _einsum),
    "linalg.multi_dot": Row("xs", _multi_dot),
    "inner": Row("x, y", _inner),
    "tensordot": Row("x, y, dims=2", _tensordot),
    "kron": Row("x, y", _kron),
    "linalg.vecdot": Row("x, y, *, dim=-1", _vecdot, broadcasts=True),
    "cross": Row("x, y, dim=None", _cross),
    "linalg.cross": Row("x, y, *, dim=-1", _cross),
    "trace": Row("x", _trace),
    "linalg.matrix_power": Row("x, n", _matrix_power, condition=condition),
    "linalg.det": Row("x", "det({x})", condition=condition),
    "logdet": Row("x", "logdet({x})", condition=condition),
    "linalg.slogdet": Row("x", _slogdet, condition=condition),
    "linalg.inv": Row("x", _inv, condition=condition),
    "linalg.inv_ex": Row("x, *, check_errors=False", _first(_inv), condition=condition),
    "linalg.solve": Row("a, b, *, left=True", _solve, condition=condition),
    "linalg.solve_ex": Row(
        "a, b, *, left=True, check_errors=False", _first(_solve), condition=condition
    ),
    "linalg.solve_triangular": Row(
        "a, b, *, upper, left=True, unitriangular=False", _triangular, condition=condition
    ),
    "linalg.tensorinv": Row("x, ind=2", _tensorinv, accuracy=1e-10),
    "linalg.tensorsolve": Row("a, b, dims=None", _tensorsolve, accuracy=1e-10),
    "cdist": Row("x, y, p=2.0, mode=None", _cdist),
    "nn.functional.pdist": Row("x, p=2.0", _pdist),
    "nn.functional.pairwise_distance": Row("x, y, p=2.0, eps=1e-6, keepdim=False", _pairwise),
    "nn.functional.normalize": Row("x, p=2.0, dim=1, eps=1e-12", _normalize),
    "nn.functional.cosine_similarity": Row("x, y, dim=1, eps=1e-8", _cosine),
    "cov": Row("x, *, correction=1, fweights=None, aweights=None", _cov),
}
