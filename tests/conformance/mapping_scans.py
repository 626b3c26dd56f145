"""PyTorch's functions along one axis in bp."""

from __future__ import annotations

from typing import Any

from translate import Inexpressible, Row, at, number


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


def _cumulative(a: Any) -> str:
    inner = _trapezoid(a)
    assert inner.startswith("sum(")
    terms, axis = inner[4:-1].rsplit(", axis=", 1)
    return f"cumsum({terms}, axis={axis})"


ROWS: dict[str, Row] = {
    # along one axis
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
