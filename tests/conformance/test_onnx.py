"""ONNX's node tests, and its two models of gradients."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx.helper import get_attribute_value

import bpc
import mapping_onnx
from mapping import reason_of
from onnx_nodes import DATA, arrays, node_tests
from outcome import onnx_outcome
from unmapped import ONNX_UNMAPPED

SIGNS = {"Add": "+", "Mul": "*"}


def test_each_operator_has_a_row_or_a_reason() -> None:
    assert set(mapping_onnx.ROWS) <= set(node_tests())
    for name in node_tests():
        assert name in mapping_onnx.ROWS or reason_of(name, ONNX_UNMAPPED)


@pytest.mark.parametrize("name", mapping_onnx.ROWS)
def test_nodes(name: str) -> None:
    found = onnx_outcome(name)
    assert found.found == found.run + found.reasons.total() > 0
    assert not found.failed, "\n".join(f"{c.label}: {c.problem}" for c in found.failed[:5])


@pytest.mark.parametrize("name", ["gradient_of_add", "gradient_of_add_and_mul"])
def test_gradient_models(name: str) -> None:
    path = DATA / "simple" / f"test_{name}"
    graph = onnx.load(str(path / "model.onnx")).graph
    *nodes, gradient = graph.node
    wanted = {a.name: get_attribute_value(a) for a in gradient.attribute}
    names = [x.decode() for x in wanted["xs"]]
    lines = [f"param {', '.join(names)}"]
    lines += [
        f"{node.output[0]} = {f' {SIGNS[node.op_type]} '.join(node.input)}" for node in nodes
    ]
    module = bpc.load("\n".join([*lines, f"cost J = {wanted['y'].decode()}"]))
    given = dict(zip(names, arrays(path, "input")))
    value, *slopes = arrays(path, "output")
    cost, grads = module.value_and_grad(given)
    np.testing.assert_allclose(cost, value, rtol=1e-6)
    np.testing.assert_allclose([grads[n] for n in names], slopes, rtol=1e-6)
