"""Matrices at which derivatives by the inverse would fail, and derivatives of derivatives."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import bpc
from bpc.ops import OPS, Builder, Expr
from bpc.ops.roles import Value
from oracle import check_gradient

RNG = np.random.default_rng(0)


def of_rank(n: int, rank: int) -> np.ndarray:
    return RNG.normal(size=(n, rank)) @ RNG.normal(size=(rank, n))


def minors(a: np.ndarray) -> np.ndarray:
    """The cofactors, by their definition."""
    n = len(a)
    rest = [[k for k in range(n) if k != i] for i in range(n)]
    signed = [
        [(-1) ** (i + j) * np.linalg.det(a[np.ix_(rest[i], rest[j])]) for j in range(n)]
        for i in range(n)
    ]
    return np.array(signed)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize("defect", [0, 1, 2])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_determinant_of_a_singular_matrix(n: int, defect: int, level: int) -> None:
    a = of_rank(n, max(n - defect, 0))
    m = bpc.load(f"param A: [{n}, {n}]\ncost J = det(A)", level=level)
    _, grads = m.value_and_grad({"A": a})
    np.testing.assert_allclose(grads["A"], minors(a), rtol=1e-11, atol=1e-12)


@np.errstate(invalid="ignore")
def test_a_singular_matrix_in_a_batch() -> None:
    a = np.stack([of_rank(3, 3), of_rank(3, 2), np.zeros((3, 3)), np.eye(3)])
    a[3, 0, 0] = np.nan
    m = bpc.load("dim N\nparam A: [N, 3, 3]\ncost J = sum(det(A))")
    _, grads = m.value_and_grad({"A": a})
    np.testing.assert_allclose(grads["A"][:3], [minors(x) for x in a[:3]], atol=1e-12)
    assert np.isnan(grads["A"][3]).all()


def internal(name: str, count: int, n: int, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module whose cost is made by an operator that the language does not show."""

    def call(m: Builder, *xs: Value) -> Expr:
        return m.emit(name, *xs)

    monkeypatch.setitem(OPS, name, replace(OPS[name], call=call, group="linear algebra"))
    names = ["A", "V"][:count]
    declared = ", ".join(f"{v}: [{n}, {n}]" for v in names)
    text = f"param {declared}\ninput s: [{n}, {n}]\ncost J = sum(s * {name}({', '.join(names)}))"
    return bpc.load(text)


@pytest.mark.parametrize(
    ("name", "n", "rank"),
    [
        ("cofactor", 3, 3), ("cofactor", 4, 3), ("cofactor", 4, 2), ("cofactor", 4, 1),
        ("cofactor", 2, 0), ("cofactor", 1, 1), ("cofactor_slope", 3, 3), ("cofactor_slope", 4, 4),
    ],
)  # fmt: skip
def test_higher_derivatives_of_det(
    name: str, n: int, rank: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Second derivatives at any matrix, third ones where there is an inverse."""
    m = internal(name, 1 + (name == "cofactor_slope"), n, monkeypatch)
    params: dict[str, Any] = {k: RNG.normal(size=(n, n)) for k in m.PARAMS}
    params["A"] = of_rank(n, rank)
    inputs = {"s": RNG.normal(size=(n, n))}
    check_gradient(m, params, inputs, RNG, tolerance=1e-9)
    if name == "cofactor":
        np.testing.assert_allclose(
            m.cost(params, **inputs), (inputs["s"] * minors(params["A"])).sum(), atol=1e-12
        )


def test_logdet_neither_overflows_nor_hides_a_sign() -> None:
    m = bpc.load("dim N\nparam A: [N, N]\ncost J = logdet(A)")
    for size in (1e-3, 1e3):
        cost, grads = m.value_and_grad({"A": size * np.eye(200)})
        assert cost == pytest.approx(200 * np.log(size), rel=1e-14)
        np.testing.assert_allclose(grads["A"], np.eye(200) / size, rtol=1e-14)
    assert np.isnan(m.cost({"A": np.diag([1.0, -1.0])}))
    assert m.cost({"A": np.zeros((2, 2))}) == -np.inf


@pytest.mark.parametrize("call", ["sum(inv(A))", "sum(solve(A, ones(2)))"])
def test_a_singular_matrix_has_no_inverse(call: str) -> None:
    m = bpc.load(f"param A: [2, 2]\ncost J = {call}")
    with pytest.raises(np.linalg.LinAlgError, match="Singular matrix"):
        m.value_and_grad({"A": np.ones((2, 2))})
