"""PyTorch's reductions, scans and norms in bp."""

from __future__ import annotations

import math
from typing import Any

from translate import Inexpressible, Row, at, axes, number, reshaped

DIM = "x, dim=None, keepdim=False, *, dtype=None"


def reduction(name: str, signature: str = DIM) -> Row:
    return Row(signature, f"{name}({{x}}{{dim:axis}}{{keepdim:keep}})")


def as_expected(text: str, a: Any, k: int = 0) -> str:
    """What bp has no `keep` for, in the shape that is due."""
    return reshaped(text, a.outputs[k].shape) if a.outputs[k].ndim else text


def _arg(name: str) -> Any:
    def rule(a: Any) -> str:
        axis = "" if a.dim is None or not a.x.rank else f", axis={a.dim}"
        text = f"{name}({a.x}{axis})"
        return as_expected(text, a) if a.keepdim else text

    return rule


def _extremum(name: str) -> Any:
    """Values and indices; without dim the value alone."""

    def rule(a: Any) -> list[str]:
        dim, keep = a.dim, ", keep=true" if a.keepdim else ""
        if not a.x.rank or dim is None:
            return [f"{name}({a.x})", f"arg{name}({a.x})"][: len(a.outputs)]
        index = f"arg{name}({a.x}, axis={dim})"
        return [f"{name}({a.x}, axis={dim}{keep})", as_expected(index, a, 1) if keep else index]

    return rule


def _aminmax(a: Any) -> list[str]:
    rest = ("" if a.dim is None or not a.x.rank else f", axis={a.dim}") + (
        ", keep=true" if a.keepdim and a.x.rank else ""
    )
    return [f"{name}({a.x}{rest})" for name in ("min", "max")]


def _spread(*names: str) -> Any:
    """var, std and pairs with the mean: bp divides by n, PyTorch by n - correction."""

    def rule(a: Any) -> list[str]:
        correction = a.correction if a.correction is not None else int(a.unbiased is not False)
        dims = None if isinstance(a.dim, bool) else a.dim
        if isinstance(a.dim, bool):
            correction = int(a.dim)
        found = axes(dims, a.x.rank)
        n = math.prod(a.x.shape[i] for i in found)
        axis = "" if dims is None else f", axis={number(found)}"
        keep = ", keep=true" if a.keepdim else ""
        if n - correction <= 0:
            raise Inexpressible("division of a variance by 0")
        factor = f"{n} / ({n} - {number(correction)})"
        scale = {"var": f" * ({factor})", "std": f" * sqrt({factor})", "mean": ""}
        return [f"{name}({a.x}{axis}{keep}){scale[name] * (correction != 0)}" for name in names]

    return rule


def along(template: str) -> Any:
    """A function along one axis; a scalar is taken as a vector of one."""

    def rule(a: Any) -> str:
        dim = a.dim
        if a.x.rank:
            return template.format(x=a.x, dim=dim)
        return template.format(x=f"reshape({a.x}, [1])", dim=0) + "[0]"

    return rule


def _running(name: str) -> Any:
    """A scan by a reduction, written out: the prefixes, one by one."""

    def rule(a: Any) -> str:
        axis = a.dim % max(a.x.rank, 1)
        if not a.x.rank:
            return str(a.x)
        n = a.x.shape[axis]
        if not n:
            return str(a.x)
        parts = [
            f"{name}({a.x}{at(a.x.rank, axis, f'0:{k}')}, axis={axis})" for k in range(1, n + 1)
        ]
        return f"stack({', '.join(parts)}, axis={axis})"

    return rule


def _diff(a: Any) -> str:
    axis = a.dim % a.x.rank
    if not a.n:
        _ = a.prepend, a.append  # are not used by PyTorch either
        return str(a.x)
    parts = [p for p in (a.prepend, a.x, a.append) if p is not None]
    n = sum(p.shape[axis] for p in parts)
    shape = list(a.x.shape)
    text = f"concat({', '.join(map(str, parts))}, axis={axis})" if len(parts) > 1 else str(a.x)
    for _ in range(min(a.n, n)):
        shape[axis] = n
        t = a.let(text, tuple(shape))
        if n == 0:
            return str(t)
        text = f"{t}{at(len(shape), axis, f'1:{n}')} - {t}{at(len(shape), axis, f'0:{n - 1}')}"
        n -= 1
    return text


# Norms


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


def _nan(name: str) -> Any:
    def rule(a: Any) -> str:
        kept = f"{a.x} == {a.x}"
        rest = rest_of(a, a.dim)
        total = f"sum(where({kept}, {a.x}, 0){rest})"
        return f"{total} / sum(1.0 * ({kept}){rest})" if name == "mean" else total

    return rule


def _count(a: Any) -> str:
    dims = "" if a.dim in (None, ()) or not a.x.rank else f", axis={number(axes(a.dim, a.x.rank))}"
    if not a.x.rank:
        return f"where({a.x} != 0, 1, 0)"
    return f"sum(where({a.x} != 0, 1, 0){dims})"


def _trapezoid(a: Any) -> str:
    axis = a.dim % a.y.rank
    n = a.y.shape[axis]
    low, high = (at(a.y.rank, axis, s) for s in (f"0:{max(n - 1, 0)}", f"1:{n}"))
    if n < 2:
        raise Inexpressible("an axis with nothing between its entries")
    width = number(a.dx) if a.dx is not None else "1"
    if a.x is not None:
        inner = axis if a.x.rank == a.y.rank else 0
        step = f"({a.x}{at(a.x.rank, inner, f'1:{n}')} - {a.x}{at(a.x.rank, inner, f'0:{n - 1}')})"
        if a.x.rank == 1:
            step += f"[:{', new' * (a.y.rank - 1 - axis)}]"
        width = step
    return f"sum({width} * ({a.y}{low} + {a.y}{high}) / 2, axis={axis})"


def _safe_softmax(a: Any) -> str:
    """0 where all scores are -inf."""
    masked = f"max({a.x}, axis={a.dim}, keep=true) == -inf"
    return f"where({masked}, 0, softmax(where({masked}, 0, {a.x}), axis={a.dim}))"


def _logsumexp(a: Any) -> str:
    return f"logsumexp({a.x}{rest_of(a, a.dim)})"


ROWS: dict[str, Row] = {
    "sum": reduction("sum"),
    "mean": reduction("mean"),
    "prod": reduction("prod"),
    "amax": reduction("max"),
    "amin": reduction("min"),
    "all": Row("x, dim=None, keepdim=False", "all({x} != 0{dim:axis}{keepdim:keep})"),
    "any": Row("x, dim=None, keepdim=False", "any({x} != 0{dim:axis}{keepdim:keep})"),
    "max.reduction_no_dim": Row("x, dim=None, keepdim=False", _extremum("max")),
    "min.reduction_no_dim": Row("x, dim=None, keepdim=False", _extremum("min")),
    "max.reduction_with_dim": Row("x, dim, keepdim=False", _extremum("max")),
    "min.reduction_with_dim": Row("x, dim, keepdim=False", _extremum("min")),
    "aminmax": Row("x, *, dim=None, keepdim=False", _aminmax),
    "argmax": Row("x, dim=None, keepdim=False", _arg("argmax")),
    "argmin": Row("x, dim=None, keepdim=False", _arg("argmin")),
    "nansum": Row(DIM, _nan("sum")),
    "nanmean": Row(DIM, _nan("mean")),
    "count_nonzero": Row("x, dim=None", _count),
    "var": Row("x, dim=None, unbiased=None, keepdim=False, *, correction=None", _spread("var")),
    "std": Row("x, dim=None, unbiased=None, keepdim=False, *, correction=None", _spread("std")),
    "var.unbiased": Row("x, dim, keepdim=False, unbiased=None, correction=None", _spread("var")),
    "std.unbiased": Row("x, dim, keepdim=False, unbiased=None, correction=None", _spread("std")),
    "var_mean": Row(
        "x, dim=None, unbiased=None, keepdim=False, *, correction=None", _spread("var", "mean")
    ),
    "std_mean": Row(
        "x, dim=None, unbiased=None, keepdim=False, *, correction=None", _spread("std", "mean")
    ),
    "var_mean.unbiased": Row(
        "x, dim, keepdim=False, unbiased=None, correction=None", _spread("var", "mean")
    ),
    "std_mean.unbiased": Row(
        "x, dim, keepdim=False, unbiased=None, correction=None", _spread("std", "mean")
    ),
    "logsumexp": Row("x, dim, keepdim=False", _logsumexp),
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
    "cumsum": Row("x, dim, *, dtype=None", along("cumsum({x}, axis={dim})")),
    "cumprod": Row("x, dim, *, dtype=None", _running("prod")),
    "logcumsumexp": Row(
        "x, dim", _running("logsumexp"), accuracy=1e-11,
        note="PyTorch's gradient has 11 digits; bpc's agrees with an evaluation in 40",
    ),
    "cumulative_trapezoid": Row("y, x=None, *, dx=None, dim=-1", lambda a: _cumulative(a)),
    "trapezoid": Row("y, x=None, *, dx=None, dim=-1", _trapezoid),
    "trapz": Row("y, x=None, *, dx=None, dim=-1", _trapezoid),
    "diff": Row("x, n=1, dim=-1, prepend=None, append=None", _diff),
    "softmax": Row("x, dim=None, *, dtype=None", along("softmax({x}, axis={dim})")),
    "softmax.with_dtype": Row("x, dim=None, *, dtype=None", along("softmax({x}, axis={dim})")),
    "torch.ops.aten._safe_softmax.default": Row("x, dim, dtype=None", _safe_softmax),
    "log_softmax": Row("x, dim=None, *, dtype=None", along("log_softmax({x}, axis={dim})")),
    "log_softmax.with_dtype": Row(
        "x, dim=None, *, dtype=None", along("log_softmax({x}, axis={dim})")
    ),
    "nn.functional.softmin": Row("x, dim=None, *, dtype=None", along("softmax(-{x}, axis={dim})")),
    "nn.functional.softmin.with_dtype": Row(
        "x, dim=None, *, dtype=None", along("softmax(-{x}, axis={dim})")
    ),
}  # fmt: skip


def _cumulative(a: Any) -> str:
    inner = _trapezoid(a)
    assert inner.startswith("sum(")
    terms, axis = inner[4:-1].rsplit(", axis=", 1)
    return f"cumsum({terms}, axis={axis})"
