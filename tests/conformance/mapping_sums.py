"""PyTorch's reductions in bp."""

from __future__ import annotations

import math
from typing import Any

from mapping_norms import rest_of
from translate import Inexpressible, Row, axes, number, reshaped

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


def _logsumexp(a: Any) -> str:
    return f"logsumexp({a.x}{rest_of(a, a.dim)})"


ROWS: dict[str, Row] = {
    # reductions
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
}  # fmt: skip
