"""PyTorch's determinants, inverses and linear systems in bp."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from translate import Inexpressible, Row, reshaped, sizes, transposed


def condition(*arrays: np.ndarray) -> float:
    """Largest condition number of the square matrices of a sample; it enters squared."""
    found = 1.0
    for array in arrays:
        if array.ndim > 1 and array.size and array.shape[-1] == array.shape[-2]:
            found = max(found, float(np.linalg.cond(array).max()))
    return found**2


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


def _trace(a: Any) -> str:
    n = min(a.x.shape)
    return f"trace({a.x}[0:{n}, 0:{n}])"


ROWS: dict[str, Row] = {
    # matrices
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
}  # fmt: skip
