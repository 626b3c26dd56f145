"""Products of matrices: matmul, einsum and what is written with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bpc.diagnostics import Problem
from bpc.ops.arrays import array, internal
from bpc.ops.build import Builder, Expr
from bpc.ops.cost import NOTHING
from bpc.ops.roles import Text, Value
from bpc.ops.rows import BOTH, SUM, Meets, only
from bpc.types import Axis, Mismatch, Size, Type, broadcast_shapes, product, show, size


def _matmul(m: Builder, a: Value, b: Value) -> Expr:
    """As np.matmul. Batches are made equal first, unless only the left one has any."""
    a, b = m.real(a), m.real(b)
    if not a.type.rank or not b.type.rank:
        raise Problem("BP209", left=show(a.shape), right=show(b.shape), help="use `*` for scalars")
    inner = b.shape[-2] if b.type.rank > 1 else b.shape[0]
    if a.shape[-1] != inner:
        help = f"{a.shape[-1]} columns on the left meet {inner} rows on the right{_remedy(a, b)}"
        raise Problem("BP209", left=show(a.shape), right=show(b.shape), help=help)
    if b.type.rank > 2:
        row = a.type.rank == 1
        if row:
            a = m.expand(a, axes=(0,))
        try:
            batch = broadcast_shapes((a.shape[:-2], b.shape[:-2]))
        except Mismatch:
            raise Problem("BP209", left=show(a.shape), right=show(b.shape)) from None
        a = m.broadcast_to(a, (*batch, *a.shape[-2:]))
        b = m.broadcast_to(b, (*batch, *b.shape[-2:]))
        result: Expr = m.emit("matmul", a, b)
        return m.squeeze(result, axes=(result.type.rank - 2,)) if row else result
    result = m.emit("matmul", a, b)
    return result


def _remedy(a: Expr, b: Expr) -> str:
    """What would make matrices fit that do not."""
    if a.type.rank == b.type.rank == 2 and a.shape[0] == b.shape[1]:
        return "; the other way round they fit"
    if b.type.rank == 2 and a.shape[-1] == b.shape[1]:
        return "; with `.T` on the right they fit"
    return ""


def _product(a: Type, b: Type) -> tuple[Type]:
    rows = a.shape[:-1]
    columns = b.shape[-1:] if b.rank > 1 else ()
    return (Type("real", (*rows, *columns)),)


def swap(m: Builder, x: Expr) -> Expr:
    """The last two axes swapped."""
    rank = x.type.rank
    order = (*range(rank - 2), rank - 1, rank - 2)
    return m.emit("transpose", x, order=order)


internal(
    "turned",
    "The last two axes swapped, in memory of its own.",
    linear=True,
    rows=lambda types, places: {types[0].rank - 1: types[0].rank - 2}.get(
        places[0], places[0] + (places[0] == types[0].rank - 2)
    ),
    infer=lambda t: (t.with_shape((*t.shape[:-2], t.shape[-1], t.shape[-2])),),
    flops=NOTHING,
    numpy="_turned",
    into="_turned",
)


def rows_product(m: Builder, a: Expr, b: Expr) -> Expr:
    """a.T @ b, where all axes but the last are rows."""
    if a.type.rank == 2:
        return m.emit("matmul", swap(m, a), b)
    return m.emit("rows_product", a, b)


def _rows_product_rows(types: Sequence[Type], places: Sequence[int | None]) -> int:
    inner = [p is not None and p < t.rank - 1 for t, p in zip(types, places)]
    if any(inner):
        if places[0] != places[1]:
            raise Meets
        return SUM
    if None not in places:
        raise Meets(BOTH)
    return 0 if places[1] is None else 1


internal(
    "rows_product",
    "a.T @ b, where all axes but the last are rows.",
    linear=True,
    rows=_rows_product_rows,
    infer=lambda a, b: (Type("real", (a.shape[-1], b.shape[-1])),),
    flops=lambda out, a, b: size(2) * a.count * b.shape[-1].size,
    vjp=lambda m, g, out, a, b: (
        m.emit("matmul", b, swap(m, g)) if m.active[0] else None,
        m.emit("matmul", a, g) if m.active[1] else None,
    ),
    expand=lambda m, a, b: m.emit("matmul", swap(m, _rows(m, a, 1)), _rows(m, b, 1)),
    numpy="_rows_product",
)


def _rows(m: Builder, x: Expr, columns: int) -> Expr:
    """All axes but the last `columns` ones laid out as one."""
    if x.type.rank <= columns + 1:
        return x
    lead = x.shape[: x.type.rank - columns]
    shape = (Axis(product(a.size for a in lead)), *x.shape[x.type.rank - columns :])
    return m.emit("reshape", x, shape=shape)


def _matmul_vjp(m: Builder, g: Expr, out: Expr, a: Expr, b: Expr) -> Sequence[Any]:
    """G b^T and a^T g, in the cases of np.matmul."""
    da = db = None
    left, right = m.active
    if a.type.rank == 1 and b.type.rank == 1:
        da, db = (g * b if left else None), (g * a if right else None)
    elif b.type.rank == 1:
        if left:
            da = m.expand(g, axes=(g.type.rank,)) * m.broadcast_to(b, a.shape)
        if right:
            db = m.emit("matmul", _rows(m, g, 0), _rows(m, a, 1))
    elif a.type.rank == 1:
        if left:
            da = m.emit("matmul", b, g)
        if right:
            db = m.outer(a, g)
    else:
        if left:
            da = m.emit("matmul", g, swap(m, b))
        if right and b.type.rank == 2:
            db = rows_product(m, a, g)
        elif right:
            db = m.emit("matmul", swap(m, a), g)
    return da, db


def _one_product(m: Builder, a: Expr, b: Expr) -> Expr | None:
    """One product of matrices instead of one for each of a batch with the same factor."""
    if a.type.rank < 3 or b.type.rank > 2:
        return None
    rows = m.emit("matmul", _rows(m, a, 1), b)
    return m.emit("reshape", rows, shape=_product(a.type, b.type)[0].shape)


def _product_into(c: Any, out: Any, a: Any, b: Any) -> Any:
    """`a.dot` is called faster, and is the same for matrices."""
    if a.type.rank <= 2 and b.type.rank <= 2:
        return c.method(a, "dot", b, out)
    return c.call("np.matmul", a, b, out)


def _matmul_rows(types: Sequence[Type], places: Sequence[int | None]) -> int:
    """Of the stack, of the rows of a, of the columns of b; a sum where they are multiplied away."""
    (a, b), (left, right) = types, places
    contracted = a.rank - 1, max(b.rank - 2, 0)
    inner = [p == c for p, c in zip(places, contracted)]
    if any(inner):
        if all(inner):
            return SUM
        raise Meets("a matrix product mixes the entries of {dim}")
    rank = a.rank - 1 + (b.rank > 1)
    if right is not None:
        last = right == b.rank - 1
        right = rank - 1 if last else right + rank - b.rank + (a.rank == 1)
    return only((left, right))


array(
    "matmul",
    "Matrix product `a @ b`, with batch dims as np.matmul.",
    linear=True,
    rows=_matmul_rows,
    call=_matmul,
    group="linear algebra",
    infer=_product,
    vjp=_matmul_vjp,
    flops=lambda out, a, b: size(2) * out.count * a.shape[-1].size,
    expand=_one_product,
    numpy="@",
    into=_product_into,
    cases=(
        (((2, 3), (3, 4)), {}),
        (((3,), (3, 4)), {}),
        (((2, 3), (3,)), {}),
        (((3,), (3,)), {}),
        (((2, 3, 4), (4, 5)), {}),
        (((2, 3, 4), (4,)), {}),
        (((2, 3, 4), (2, 4, 5)), {}),
        (((3, 4), (2, 4, 5)), {}),
        (((4,), (2, 4, 5)), {}),
    ),
)


def _dot(m: Builder, a: Value, b: Value) -> Expr:
    if a.type.rank != 1 or b.type.rank != 1:
        raise Problem("BP209", left=show(a.shape), right=show(b.shape), help="dot takes vectors")
    return _matmul(m, a, b)


array(
    "dot",
    "Inner product of two vectors.",
    call=_dot,
    group="linear algebra",
    cases=((((3,), (3,)), {}),),
)


def _outer(m: Builder, a: Value, b: Value) -> Expr:
    if a.type.rank != 1 or b.type.rank != 1:
        raise Problem("BP209", left=show(a.shape), right=show(b.shape), help="outer takes vectors")
    return m.expand(a, axes=(1,)) * m.expand(b, axes=(0,))


array(
    "outer",
    "All products of the entries of two vectors.",
    call=_outer,
    group="linear algebra",
    cases=((((3,), (4,)), {}),),
)


def _trace(m: Builder, x: Value) -> Expr:
    if x.type.rank < 2 or x.shape[-1] != x.shape[-2]:
        raise Problem("BP208", name="trace", shape=show(x.shape))
    diagonal = m.diag(x)
    return m.emit("sum", m.real(diagonal), axes=(diagonal.type.rank - 1,), keep=False)


array(
    "trace",
    "Sum of the diagonal of (a batch of) square matrices.",
    call=_trace,
    group="linear algebra",
    cases=((((3, 3),), {}), (((2, 3, 3),), {})),
)


# einsum: attrs hold the letters of each operand and of the result


MOST_OPERANDS = 32


def _einsum(m: Builder, spec: Text, *xs: Value) -> Expr:
    def bad(why: str) -> Problem:
        return Problem("BP210", spec=spec, why=why)

    text = spec.replace(" ", "")
    letters = text.replace("->", "", 1).replace(",", "")
    if not (letters.isascii() and (letters.isalpha() or not letters)):
        raise bad("only letters, commas and one `->` may stand in it")
    left, arrow, right = text.partition("->")
    operands = tuple(left.split(","))
    if len(xs) > MOST_OPERANDS:
        raise bad(f"it takes at most {MOST_OPERANDS} operands")
    if len(operands) != len(xs):
        raise bad(f"it names {len(operands)} operands, {len(xs)} are given")
    sizes: dict[str, Axis] = {}
    for letters, x in zip(operands, xs):
        if len(letters) != x.type.rank:
            raise bad(f"`{letters}` does not fit the shape {show(x.shape)}")
        for letter, axis in zip(letters, x.shape):
            if sizes.setdefault(letter, axis) != axis:
                raise bad(f"`{letter}` is {sizes[letter]} and {axis}")
    if not arrow:
        right = "".join(sorted(c for c in set(left) - {","} if left.count(c) == 1))
    if len(set(right)) != len(right) or not set(right) <= set(sizes):
        raise bad(f"`{right}` repeats a letter or has one that no operand has")
    return _contract(m, [m.real(x) for x in xs], operands, right)


def _contract(m: Builder, xs: list[Expr], operands: tuple[str, ...], result: str) -> Expr:
    """The einsum; of one operand without diagonals it is a sum and a transpose."""
    letters = operands[0]
    if len(xs) > 1 or len(set(letters)) < len(letters):
        return m.emit("einsum", *xs, operands=operands, result=result)
    gone = tuple(i for i, c in enumerate(letters) if c not in result)
    value = m.emit("sum", xs[0], axes=gone, keep=False) if gone else xs[0]
    rest = [c for c in letters if c in result]
    order = tuple(rest.index(c) for c in result)
    return m.emit("transpose", value, order=order) if order != tuple(range(len(order))) else value


def _einsum_spelling(c: Any, *xs: Any, operands: tuple[str, ...], result: str) -> Any:
    """A diagonal is a view in NumPy; here it gets memory of its own."""
    code = c.einsum(xs, operands, result)
    view = len(xs) == 1 and set(result) == set(operands[0])
    return c.method(type(xs[0])(code, xs[0].type), "copy") if view else code


def _einsum_type(*types: Type, operands: tuple[str, ...], result: str) -> tuple[Type]:
    sizes = {c: axis for o, t in zip(operands, types) for c, axis in zip(o, t.shape)}
    return (Type("real", tuple(sizes[c] for c in result)),)


def _einsum_vjp(
    m: Builder, g: Expr, out: Expr, *xs: Expr, operands: tuple[str, ...], result: str
) -> Sequence[Any]:
    """By operand i: the einsum of g and the others onto i's letters.

    Letters that only i has are summed away in the result: the gradient is stretched over them.
    A letter that i repeats is a diagonal: the gradient stands on it alone.
    """
    slopes: list[Expr | None] = []
    g = m.real(g)
    for i, (letters, x) in enumerate(zip(operands, xs)):
        if not m.active[i]:
            slopes.append(None)
            continue
        rest = [(o, y) for j, (o, y) in enumerate(zip(operands, xs)) if j != i]
        known = set(result).union(*(o for o, _ in rest))
        plain = "".join(dict.fromkeys(letters))
        found = "".join(c for c in plain if c in known)
        slope = _contract(m, [g, *(y for _, y in rest)], (result, *(o for o, _ in rest)), found)
        shape = tuple(x.shape[letters.index(c)] for c in plain)
        missing = tuple(k for k, c in enumerate(plain) if c not in known)
        if missing:
            slope = m.broadcast_to(m.expand(slope, axes=missing), shape)
        if plain != letters:
            slope = _on_diagonal(m, slope, plain, letters, x)
        slopes.append(slope)
    return slopes


def _on_diagonal(m: Builder, slope: Expr, plain: str, letters: str, x: Expr) -> Expr:
    eyes = [slope]
    names = [plain]
    fresh = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in letters]
    target = ""
    for k, letter in enumerate(letters):
        if letters.index(letter) == k:
            target += letter
        else:
            new = fresh.pop()
            eyes.append(m.emit("eye", size=x.shape[k]))
            names.append(letter + new)
            target += new
    return _contract(m, eyes, tuple(names), target)


def _einsum_rows(
    _: Sequence[Type], places: Sequence[int | None], operands: tuple[str, ...], result: str
) -> int:
    letters = {o[p] for o, p in zip(operands, places) if p is not None}
    if len(letters) > 1:
        raise Meets(BOTH)
    (letter,) = letters
    if any(o.count(letter) > 1 or (p is None and letter in o) for o, p in zip(operands, places)):
        raise Meets("einsum pairs the examples with what has an axis {dim} besides")
    return result.index(letter) if letter in result else SUM


def _einsum_parts(m: Builder, *xs: Expr, operands: tuple[str, ...], result: str) -> Expr | None:
    """A product of two matrices, after neighbours are laid out as one axis; or None."""
    if len(xs) != 2 or any(len(set(o)) < len(o) for o in operands):
        return None
    a, b = operands
    shape = tuple({**dict(zip(a, xs[0].shape)), **dict(zip(b, xs[1].shape))}[c] for c in result)
    parts = _together((a, b, result))
    laid = [_merged(m, x, o, parts) for x, o in zip(xs, operands)]
    a, b, short = ("".join(c for c in o if c in parts) for o in (a, b, result))
    both = set(a) & set(b)
    if (
        both & set(short)
        or len(both) != 1
        or max(len(a), len(b)) > 2
        or (set(a) ^ set(b)) - set(short)
    ):
        if len(parts) == len({*operands[0], *operands[1]}):
            return None
        y = m.emit("einsum", *laid, operands=(a, b), result=short)
    else:
        (inner,) = both
        left, right = laid
        if short and short[0] not in a:
            (left, right), (a, b) = (right, left), (b, a)
        left = m.emit("transpose", left, order=(1, 0)) if a[0] == inner and len(a) > 1 else left
        right = m.emit("transpose", right, order=(1, 0)) if b[-1] == inner and len(b) > 1 else right
        y = m.emit("matmul", left, right)
    return y if y.shape == shape else m.emit("reshape", y, shape=shape)


def _together(words: tuple[str, ...]) -> dict[str, str]:
    """Letters that follow each other wherever they stand, by the first of them."""
    parts: dict[str, str] = {}
    for c in dict.fromkeys("".join(words)):
        before = {w[w.index(c) - 1] if w.index(c) else "" for w in words if c in w}
        (first,) = before if len(before) == 1 else ("",)
        if first and all(c in w for w in words if first in w):
            head = next(k for k, part in parts.items() if first in part)
            parts[head] += c
        else:
            parts[c] = c
    return parts


def _merged(m: Builder, x: Expr, letters: str, parts: dict[str, str]) -> Expr:
    """The axes of each part laid out as one."""
    sizes = dict(zip(letters, x.shape))
    whole = [[sizes[i] for i in parts[c]] for c in letters if c in parts]
    shape = tuple(a[0] if len(a) == 1 else Axis(product(i.size for i in a)) for a in whole)
    return x if shape == x.shape else m.emit("reshape", x, shape=shape)


def _einsum_into(c: Any, out: Any, *xs: Any, operands: tuple[str, ...], result: str) -> Any:
    """One product for each of a batch where the letters allow it: np.einsum's own loop is slow."""
    axes = _batched(operands, result)
    if axes is None:
        spec = f'"{",".join(operands)}->{result}"'
        return c.call("np.einsum", spec, *xs, c.keyword("out", out.code.text))
    return c.call("np.matmul", *xs, out, c.keyword("axes", axes))


def _batched(operands: tuple[str, ...], result: str) -> list[tuple[int, int]] | None:
    """The axes of the matrices that np.matmul multiplies in an einsum; None where it is none."""
    if len(operands) != 2:
        return None
    a, b = operands
    stacked = [c for c in result if c in a and c in b]
    left, right = ([c for c in o if c in result and c not in stacked] for o in operands)
    inner = [c for c in a if c in b and c not in result]
    if not len(left) == len(right) == len(inner) == 1:
        return None
    axes = []
    for word, (row, column) in zip((a, b, result), (left + inner, inner + right, left + right)):
        if len(word) != len(stacked) + 2 or [c for c in word if c in stacked] != stacked:
            return None
        axes.append((word.index(row), word.index(column)))
    return axes


def _einsum_flops(out: Type, *types: Type, operands: tuple[str, ...], result: str) -> Size:
    """A product of the operands for all letters, and its sum: none to be added where none is left out."""
    sizes = {c: axis.size for o, t in zip(operands, types) for c, axis in zip(o, t.shape)}
    each = len(operands) - (set(sizes) == set(result))
    return size(each) * product(sizes.values())


array(
    "einsum",
    'Sums of products by letters: `einsum("ij,jk->ik", a, b)`.',
    linear=True,
    rows=_einsum_rows,
    call=_einsum,
    group="linear algebra",
    infer=_einsum_type,
    vjp=_einsum_vjp,
    flops=_einsum_flops,
    numpy=_einsum_spelling,
    expand=_einsum_parts,
    into=_einsum_into,
    cases=(
        (((2, 3), (3, 4)), {"spec": "ij,jk->ik"}),
        (((2, 3, 4), (4, 5), (3,)), {"spec": "bij,jk,i->bk"}),
        (((3, 3),), {"spec": "ii->i"}),
        (((3, 3),), {"spec": "ii"}),
        (((2, 3),), {"spec": "ij->j"}),
        (((2, 3),), {"spec": "ij->ji"}),
        (((3, 2, 3),), {"spec": "iji->ij"}),
        (((2, 3), (2, 3)), {"spec": "ij,ij"}),
        (((3, 3), (3,)), {"spec": "ii,i->"}),
        (((2, 3), (4,)), {"spec": "ij,k->ik"}),
    ),
)
