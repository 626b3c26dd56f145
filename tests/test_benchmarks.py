"""The benchmark suite without its peers: models, NumPy by hand and bpc agree on small sizes."""

import json
import warnings

import numpy as np
import pytest
from benchmarks import checking, contenders, plot, ratios, readme, report
from benchmarks.workloads import ALL


def small(workload):
    """Params and inputs of the reduced size in float64, the first set of `many`."""
    rng = np.random.default_rng(1)
    params, inputs = workload.make(rng, **(workload.small or workload.sizes))
    return [workload.cast(params, "float64")], workload.cast(inputs, "float64")


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("by", ["bpc -O1", "bpc -O2", "NumPy tuned"])
def test_agrees_with_numpy_by_hand(name, by):
    workload = ALL[name]
    params, inputs = small(workload)
    (expected,) = checking.reference(workload, params, inputs)
    runs, read = contenders.CONTENDERS[by].build(workload, params, inputs)
    for _ in range(2):  # a workspace that is left over changes nothing
        assert checking.worst(read(runs[0]()), expected) < 1e-9


@pytest.mark.parametrize("name", [n for n in ALL if not ALL[n].newton])
def test_numpy_by_hand_agrees_with_differences(name):
    workload = ALL[name]
    (params,), inputs = small(workload)
    given = tuple(inputs.values())
    _, grads = workload.numpy(params, *given)
    rng = np.random.default_rng(2)
    along = {k: rng.normal(size=np.shape(v)) for k, v in params.items()}
    step = 1e-6
    ends = [
        workload.numpy({k: params[k] + s * step * along[k] for k in params}, *given)[0]
        for s in (1, -1)
    ]
    slope = sum(np.sum(grads[k] * along[k]) for k in params)
    assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(slope, rel=1e-5, abs=1e-8)


def test_a_difference_is_found():
    workload = ALL["rosenbrock_2"]
    expected = [(1.0, {"x": 2.0, "y": 3.0})]
    checking.agrees(workload, [(1.0, {"x": 2.0, "y": 3.0})], expected)
    for wrong in (
        (1.1, {"x": 2.0, "y": 3.0}),
        (1.0, {"x": 2.0, "y": 3.1}),
        (1.0, {"x": 2.0}),
        (1.0, {"x": [2.0], "y": 3.0}),
        (float("nan"), {"x": 2.0, "y": 3.0}),
    ):
        with pytest.raises(AssertionError):
            checking.agrees(workload, [wrong], expected)


def test_what_is_missing_or_fails_has_a_reason(monkeypatch):
    workload = ALL["rosenbrock_1000"]
    tangent = contenders.CONTENDERS["Tangent"]
    with pytest.raises(contenders.Unavailable, match="subset"):
        contenders.prepare(tangent, workload, *small(workload))
    with pytest.raises(contenders.Unavailable, match="not installed: no_such_peer"):
        contenders.imported("no_such_peer")

    def build(*_):
        raise ValueError("what is wrong\nand more")

    peer = contenders.Contender("peer", build, "peer", ("peer",), peer=True)
    with pytest.raises(contenders.Unavailable, match="ValueError: what is wrong$"):
        contenders.prepare(peer, workload, *small(workload))
    own = contenders.Contender("own", build, "own", ("own",))
    with pytest.raises(ValueError, match="what is wrong"):
        contenders.prepare(own, workload, *small(workload))


def suite():
    """Results of two workloads, as a run gives them."""
    first = {"seconds": 1.5, "peak_mb": 80.0, "growth_mb": 9.0}
    rows = {
        "a": {
            "bpc -O2": 1e-6,
            "NumPy": 2e-6,
            "NumPy tuned": 1e-6,
            "JAX jit": 8e-6,
            "PyTorch": 9e-6,
        },
        "b": {"bpc -O2": 4e-3, "NumPy": 4e-3, "NumPy tuned": 1e-3, "PyTorch": 2e-3},
    }
    return {
        k: {
            "title": f"workload <{k}>",
            "times": times,
            "missing": {} if "JAX jit" in times else {"JAX jit": "not installed: jax"},
            "first": {"bpc -O2": first, "PyTorch": first | {"seconds": 3.0}} if k == "a" else {},
        }
        for k, times in rows.items()
    }


def test_ratios():
    found = ratios.summary(suite(), ["JAX jit", "PyTorch"])
    assert found["rows"]["a"]["fastest"] == "JAX jit"
    assert found["rows"]["a"]["first fastest/bpc"] == 2
    assert found["rows"]["b"]["fastest/bpc"] == 0.5
    assert found["mean"]["fastest/bpc"] == pytest.approx(2.0)
    assert found["min"]["tuned/bpc"] == 0.25
    assert ratios.combined([{"x": {"t": t, "s": "s"}} for t in (1, 5, 2)]) == {
        "x": {"t": 2, "s": "s"}
    }


def test_tables_and_plot():
    names = ["bpc -O2", "NumPy", "NumPy tuned", "JAX jit", "PyTorch"]
    results = {
        "machine": "2 cores",
        "blas": "openblas",
        "threads": 1,
        "rounds": 9,
        "repeat": 1,
        "versions": {"numpy": "2"},
        "contenders": names,
        "workloads": suite(),
        "ratios": ratios.summary(suite(), ["JAX jit", "PyTorch"]),
    }
    json.dumps(results)
    text = report.markdown(results)
    assert "| `b` workload <b> | 4,000 | 4,000 | 1,000 | - | 2,000 |" in text
    assert "- JAX jit, `b`: not installed: jax" in text
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from xml.etree import ElementTree
    picture = ElementTree.fromstring(plot.svg(results))
    dots = [e for e in picture.iter() if e.tag.endswith("circle")]
    assert len(dots) == 4 + 4 + 3  # the legend, and what took part


def test_readme_shows_the_results():
    text = readme.README.read_text(encoding="utf-8")
    results = json.loads(readme.RESULTS.read_text(encoding="utf-8"))
    assert readme.replaced(text, results) == text
    assert readme.replaced(text, results | {"machine": "another"}) != text
