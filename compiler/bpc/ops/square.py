"""Square matrices: determinants, inverses, linear systems. All work on batches over leading axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from bpc.diagnostics import Problem
from bpc.ops.arrays import array, internal
from bpc.ops.build import Builder, Expr
from bpc.ops.cost import arrays, matrices
from bpc.ops.linalg import swap
from bpc.ops.roles import Value
from bpc.ops.rows import along
from bpc.types import Mismatch, Size, Type, broadcast_shapes, show, size

#: flops of decompositions, by n^3 (Golub, Van Loan, "Matrix Computations")
LU, SVD = Fraction(2, 3), Fraction(21)


def last_two(t: Type, *_: Type) -> tuple[int, int]:
    """The axes of a matrix."""
    return t.rank - 2, t.rank - 1


def _real_square(m: Builder, name: str, a: Expr) -> Expr:
    """The value as real matrices; Problem where they are not square."""
    if a.type.rank < 2 or a.shape[-1] != a.shape[-2]:
        raise Problem("BP208", name=name, shape=show(a.shape))
    return m.real(a)


def _of_square(name: str) -> Callable[..., Expr]:
    """The language's function of square matrices."""

    def call(m: Builder, a: Value) -> Expr:
        return m.emit(name, _real_square(m, name, a))

    return call


def _over_matrix(m: Builder, g: Expr) -> Expr:
    """A number for each matrix, ready to be multiplied by it."""
    return m.expand(g, axes=(g.type.rank, g.type.rank + 1))


def _times(m: Builder, *factors: Expr) -> Expr:
    """The matrix product of several."""
    product = factors[0]
    for factor in factors[1:]:
        product = m.emit("matmul", product, factor)
    return product


# Inverses and systems


def _inv_vjp(m: Builder, g: Expr, out: Expr, a: Expr) -> Sequence[Any]:
    """-Y^T G Y^T, from dY = -Y dA Y."""
    turned = swap(m, out)
    return (-_times(m, turned, g, turned),)


array(
    "inv",
    "Inverse of (a batch of) matrices; LinAlgError of the generated function for a singular one.",
    safe=("identity",),
    mixes=last_two,
    raises=True,
    call=_of_square("inv"),
    group="linear algebra",
    infer=lambda t: (t,),
    vjp=_inv_vjp,
    flops=matrices(2),
    numpy="np.linalg.inv",
    cases=(((("regular", 3, 3),), {}), ((("regular", 2, 3, 3),), {})),
)


def _solve(m: Builder, a: Value, b: Value) -> Expr:
    """NumPy's rule: one axis is a vector, for each matrix the same; more are matrices."""
    a, b = _real_square(m, "solve", a), m.real(b)
    rows = b.shape[-2:-1] or b.shape
    if rows != a.shape[-1:]:
        help = f"{a.shape[-1]} unknowns want as many rows on the right"
        if b.type.rank > 1 and b.shape[-1] == a.shape[-1]:
            help += "; one vector for each matrix is a column: `solve(A, b[..., new])[..., 0]`"
        raise Problem("BP201", help, shapes=f"{show(a.shape)} and {show(b.shape)}")
    if b.type.rank == 1 and a.type.rank == 2:
        return m.emit("solve", a, b)
    vector = b.type.rank == 1
    if vector:
        b = m.expand(b, axes=(1,))
    try:
        batch = broadcast_shapes((a.shape[:-2], b.shape[:-2]))
    except Mismatch as mismatch:
        code = "BP202" if mismatch.both else "BP201"
        raise Problem(code, shapes=f"{show(a.shape)} and {show(b.shape)}") from None
    a = m.broadcast_to(a, (*batch, *a.shape[-2:]))
    b = m.broadcast_to(b, (*batch, *b.shape[-2:]))
    x = m.emit("solve", a, b)
    return m.squeeze(x, axes=(x.type.rank - 1,)) if vector else x


def _solve_vjp(m: Builder, g: Expr, out: Expr, a: Expr, b: Expr) -> Sequence[Any]:
    """B gets A^-T G, and A gets -(A^-T G) X^T."""
    slope = m.emit("solve", swap(m, a), g)
    if not m.active[0]:
        return None, slope
    if b.type.rank == 1:
        return -m.outer(slope, out), slope
    return -_times(m, slope, swap(m, out)), slope


def _solve_rows(types: Sequence[Type], places: Sequence[int | None]) -> int:
    """Each matrix of a stack is by itself, and each column on the right."""
    a, b = types
    if places[0] is None and places[1] == b.rank - 1 and b.rank == a.rank:
        return b.rank - 1
    return along(types, places, last_two(a), b.rank)


def _solve_flops(out: Type, a: Type, b: Type) -> Size:
    """A decomposition, and two triangles for each column on the right."""
    return matrices(LU)(out, a) + size(2) * out.count * a.shape[-1].size


array(
    "solve",
    "The x with `A @ x = b`, b a vector or (a batch of) matrices, as np.linalg.solve; LinAlgError "
    "of the generated function for a singular A.",
    safe=("identity", None),
    mixes=last_two,
    raises=True,
    rows=_solve_rows,
    call=_solve,
    group="linear algebra",
    infer=lambda a, b: (b,),
    vjp=_solve_vjp,
    flops=_solve_flops,
    numpy="np.linalg.solve",
    cases=(
        ((("regular", 3, 3), (3,)), {}),
        ((("regular", 3, 3), (3, 2)), {}),
        ((("regular", 2, 3, 3), (2, 3, 4)), {}),
        ((("regular", 2, 3, 3), (3,)), {}),
        ((("regular", 2, 3, 3), (3, 4)), {}),
        ((("regular", 3, 3), (2, 3, 4)), {}),
    ),
)

# Determinants. The derivative of det is the matrix of cofactors, a polynomial: it needs no inverse.
# Neither does its own derivative; third derivatives of det go by the inverse.


array(
    "det",
    "Determinant of (a batch of) matrices; its derivative is right for singular ones too.",
    mixes=last_two,
    call=_of_square("det"),
    group="linear algebra",
    infer=lambda t: (Type("real", t.shape[:-2]),),
    vjp=lambda m, g, out, a: (_over_matrix(m, g) * m.emit("cofactor", a),),
    flops=matrices(LU),
    numpy="np.linalg.det",
    cases=(
        ((("regular", 3, 3),), {}),
        ((("regular", 2, 3, 3),), {}),
        (((3, 3),), {}),
        (((1, 1),), {}),
    ),
)
array(
    "logdet",
    "Logarithm of the determinant of (a batch of) matrices, never overflowing; NaN where the "
    "determinant is negative.",
    safe=("identity",),
    mixes=last_two,
    raises=True,
    call=_of_square("logdet"),
    group="linear algebra",
    infer=lambda t: (Type("real", t.shape[:-2]),),
    vjp=lambda m, g, out, a: (_over_matrix(m, g) * swap(m, m.emit("inv", a)),),
    flops=matrices(LU),
    numpy="_logdet",
    cases=(((("regular", 3, 3),), {}), ((("regular", 2, 3, 3),), {})),
)
internal(
    "cofactor",
    "The derivative of det by each entry: the minors with their signs.",
    mixes=last_two,
    infer=lambda t: (t,),
    vjp=lambda m, g, out, a: (m.emit("cofactor_slope", a, g),),
    flops=matrices(SVD + 2 * LU + 2),
    scratch=arrays(3, bools=1),
    numpy="_cofactor",
)


def _cofactor_slope_vjp(m: Builder, g: Expr, out: Expr, a: Expr, v: Expr) -> Sequence[Any]:
    """By v the same again: a second derivative is symmetric.

    By a the gradient of <g, cofactor_slope(a, v)> = d (tr(XV) tr(XG) - tr(XVXG)), with X the
    inverse and d the determinant of a; d has the derivative d X^T, and X has dX = -X dA X.
    """
    by_v = m.emit("cofactor_slope", a, g) if m.active[1] else None
    if not m.active[0]:
        return None, by_v
    x = m.emit("inv", a)
    xv, xg = _times(m, x, v), _times(m, x, g)
    p, q = _over_matrix(m, m.trace(xv)), _over_matrix(m, m.trace(xg))
    r = _over_matrix(m, m.trace(_times(m, xv, xg)))
    terms = (p * q - r) * x - q * _times(m, xv, x) - p * _times(m, xg, x)
    terms = terms + _times(m, xv, xg, x) + _times(m, xg, xv, x)
    return _over_matrix(m, m.emit("det", a)) * swap(m, terms), by_v


internal(
    "cofactor_slope",
    "How the cofactors change along a matrix: the second derivative of det, applied to it.",
    mixes=last_two,
    infer=lambda a, v: (a,),
    vjp=_cofactor_slope_vjp,
    flops=matrices(SVD + 2 * LU + 8),
    scratch=arrays(7, bools=1),
    numpy="_cofactor_slope",
)
