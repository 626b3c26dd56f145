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
    lines += [f"{node.output[0]} = {f' {SIGNS[node.op_type]} '.join(node.input)}" for node in nodes]
    module = bpc.load("\n".join([*lines, f"cost J = {wanted['y'].decode()}"]))
    given = dict(zip(names, arrays(path, "input")))
    value, *slopes = arrays(path, "output")
    cost, grads = module.value_and_grad(given)
    np.testing.assert_allclose(cost, value, rtol=1e-6)
    np.testing.assert_allclose([grads[n] for n in names], slopes, rtol=1e-6)


#: which function takes the step, and what ONNX's options are called there
STEPS = {
    "adam": ("adam", ("m", "v")),
    "adam_multiple": ("adam", ("m", "v")),
    "momentum": ("momentum", ("velocity",)),
    "momentum_multiple": ("momentum", ("velocity",)),
    "nesterov_momentum": ("momentum", ("velocity",)),
}


@pytest.mark.parametrize("name", STEPS)
def test_optimizers(name: str) -> None:
    """ONNX's step 0 corrects no bias: it is a step after very many. The L2 norm is weight decay."""
    function, slots = STEPS[name]
    path = DATA / "node" / f"test_{name}"
    (node,) = onnx.load(str(path / "model.onnx")).graph.node
    option = {a.name: get_attribute_value(a) for a in node.attribute}
    rate, step, *given = arrays(path, "input")
    assert step == 0
    count = len(given) // (2 + len(slots))
    names = [f"x{k}" for k in range(count)]
    params, grads, *rows = (dict(zip(names, given[k * count :])) for k in range(2 + len(slots)))
    shapes = ", ".join(f"{k}: [{v.size}]" for k, v in params.items())
    sums = " + ".join(f"sum({k})" for k in names)
    module = bpc.load(f"param {shapes}\ncost J = {sums}", emit=(function,))
    state = getattr(module, f"{function}_init")(params) | dict(zip(slots, rows))
    options = {"lr": float(rate), "weight_decay": option["norm_coefficient"]}
    if function == "adam":
        state["step"] = 10**6
        options |= {"betas": (option["alpha"], option["beta"]), "eps": option["epsilon"]}
    else:
        options |= {"momentum": option["alpha"], "nesterov": option["mode"] == b"nesterov"}
    new, state = getattr(module, f"{function}_step")(params, grads, state, **options)
    found = [part[k] for part in (new, *(state[s] for s in slots)) for k in names]
    for a, b in zip(found, arrays(path, "output"), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-6)
