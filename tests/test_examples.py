"""Every program of examples/: its gradient against central differences, and the runs, in small."""

from __future__ import annotations

import re
import secrets
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression

import bpc

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
NAMES = sorted(p.relative_to(EXAMPLES).with_suffix("").as_posix() for p in EXAMPLES.rglob("*.bp"))
LEVELS = (0, 1, 2)

sys.path.insert(0, str(EXAMPLES))
import fit_curve
import solve_pinn
import train_adding
import train_digits
import train_lenet
import train_transformer
import train_vae

Rng = np.random.Generator
Arrays = dict[str, Any]


def rows(rng: Rng, features: int, count: int = 7) -> Arrays:
    return {"x": rng.standard_normal((count, features))}


# What a program is given; the programs of scalars alone have samples.
INPUTS: dict[str, Callable[[Rng], Arrays]] = {
    "digits": lambda rng: {**rows(rng, 64, 3), "label": rng.integers(0, 10, 3)},
    "deep_net": lambda rng: {**rows(rng, 16), "label": rng.integers(0, 3, 7)},
    "linear_regression": lambda rng: {**rows(rng, 3), "y": rng.standard_normal(7)},
    "logistic_regression": lambda rng: {**rows(rng, 3), "y": np.array([0.0, 1, 1, 0, 1, 0, 0])},
    "curve_fit": lambda rng: {"t": np.linspace(0, 3, 20), "y": rng.standard_normal(20)},
    "lenet": lambda rng: {"image": rng.random((3, 8, 8, 1)), "label": rng.integers(0, 10, 3)},
    "adding": lambda rng: {"x": rng.random((6, 3, 2)), "y": rng.random(3)},
    "transformer": lambda rng: dict(zip(("token", "target"), rng.integers(0, 28, (2, 2, 7)))),
    "pinn": lambda rng: {"x": rng.random(9), "t": rng.random(9)},
    "vae": lambda rng: {"x": rng.random((3, 64)), "noise": rng.standard_normal((3, 2))},
    "mixture": lambda rng: rows(rng, 2, 20),
}
DIMS = {"linear_regression": {"D": 3}, "logistic_regression": {"D": 3}, "mixture": {"D": 2}}


@cache
def load(name: str, level: int) -> ModuleType:
    return bpc.load(EXAMPLES / f"{name}.bp", level=level)


def trainable(name: str, **settings: int) -> ModuleType:
    return bpc.load(EXAMPLES / f"{name}.bp", emit=("adam",), settings=settings)


def given(name: str, model: ModuleType, rng: Rng) -> tuple[Arrays, Arrays]:
    """Params off their initial values, where kinks and zeros may be, and inputs."""
    params = model.init(seed=int(rng.integers(2**32)), **DIMS.get(name, {}))
    params = {k: v + 0.3 * rng.standard_normal(np.shape(v)) for k, v in params.items()}
    return params, INPUTS[name](rng) if name in INPUTS else {}


def cast(arrays: Arrays) -> Arrays:
    """The real ones in float32."""
    return {
        k: np.asarray(v, np.float32) if np.asarray(v).dtype.kind == "f" else v
        for k, v in arrays.items()
    }


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", NAMES)
def test_gradient_in_a_random_direction(name: str, level: int) -> None:
    seed = secrets.randbits(32)
    rng = np.random.default_rng(seed)
    # A kink of relu is within reach in a draw of a few hundred of the transformer's, so there are two.
    assert any(gradient_agrees(name, load(name, level), rng) for _ in range(2)), f"seed {seed}"


def gradient_agrees(name: str, model: ModuleType, rng: Rng) -> bool:
    """Whether the slope along a random direction is the central difference quotient."""
    params, inputs = given(name, model, rng)
    direction = {k: rng.standard_normal(np.shape(v)) for k, v in params.items()}
    cost, grads = model.value_and_grad(params, **inputs)
    slope = sum(np.sum(grads[k] * direction[k]) for k in params)
    h = 1e-8
    there = model.cost({k: v + h * direction[k] for k, v in params.items()}, **inputs)
    back = model.cost({k: v - h * direction[k] for k, v in params.items()}, **inputs)
    quotient = (there - back) / (2 * h)

    assert cost == pytest.approx(model.cost(params, **inputs), rel=1e-12)
    assert list(grads) == list(params) == list(model.PARAMS)
    assert {k: np.shape(v) for k, v in grads.items()} == {k: np.shape(v) for k, v in params.items()}
    return slope == pytest.approx(quotient, rel=1e-6, abs=1e-6 * (1 + abs(cost)))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", NAMES)
def test_float32_stays_float32(name: str, level: int) -> None:
    model = load(name, level)
    params, inputs = given(name, model, np.random.default_rng(2))
    wanted, exact = model.value_and_grad(params, **inputs)
    cost, grads = model.value_and_grad(cast(params), **cast(inputs))

    assert type(cost) is type(wanted) is float
    assert {g.dtype for g in grads.values()} == {np.dtype(np.float32)}
    assert cost == pytest.approx(wanted, rel=1e-4)
    for key, grad in grads.items():
        np.testing.assert_allclose(grad, exact[key], rtol=1e-3, atol=1e-4)

    fresh = model.init(dtype=np.float32, **DIMS.get(name, {}))
    assert {v.dtype for v in fresh.values()} == {np.dtype(np.float32)}
    shown = {k: v for k, v in cast(inputs).items() if k in forward_inputs(model)}
    result = model.forward(fresh, **shown)
    for array in result.values() if isinstance(result, dict) else [result]:
        assert type(array) is float or array.dtype == np.float32


def forward_inputs(model: ModuleType) -> tuple[str, ...]:
    code = model.forward.__code__
    return code.co_varnames[1 : code.co_argcount]


@pytest.mark.parametrize("name", NAMES)
def test_levels_agree(name: str) -> None:
    params, inputs = given(name, load(name, 0), np.random.default_rng(3))
    wanted, exact = load(name, 0).value_and_grad(params, **inputs)
    for level in LEVELS[1:]:
        cost, grads = load(name, level).value_and_grad(params, **inputs)
        assert cost == pytest.approx(wanted, rel=1e-13)
        for key, grad in grads.items():
            np.testing.assert_allclose(grad, exact[key], rtol=1e-10, atol=1e-12)


def test_digits_are_learnt(capsys: pytest.CaptureFixture[str]) -> None:
    assert train_digits.train(load("digits", 1), epochs=20) >= train_digits.GOAL
    assert "held-out accuracy" in capsys.readouterr().out


def test_curve_is_fitted() -> None:
    model = load("curve_fit", 1)
    found, errors, result = fit_curve.fit(model, *fit_curve.measure(model, points=100))
    assert result.success
    assert set(found) == set(fit_curve.TRUE)
    for name, true in fit_curve.TRUE.items():
        assert abs(found[name] - true) < 4 * errors[name]


@pytest.mark.parametrize(("script", "model"), [("fit_curve", "curve_fit")])
def test_script_runs_on_the_committed_module(script: str, model: str, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / f"{script}.py", ROOT / f"generated/{model}.py"],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stdout
    assert run.stderr == ""


@pytest.mark.parametrize("script", ["solve_pinn", "fit_mixture"])
def test_script_reaches_its_goal(script: str, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / f"{script}.py"],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout
    assert run.stderr == ""


def test_readme_lists_every_example_and_quotes_lenet() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    networks = readme.partition("\n## Networks\n")[2].partition("\n## ")[0]
    listed = re.findall(r"\[`(\w+)`\]\(examples/", networks)
    assert set(listed) == {name for name in NAMES if "/" not in name}
    excerpt, *runs = re.findall(r"^```text\n(.*?)^```$", networks, re.MULTILINE | re.DOTALL)
    assert excerpt in (EXAMPLES / "lenet.bp").read_text(encoding="utf-8")
    scripts = [re.match(r"\$ python (\S+)\n", run)[1] for run in runs]
    assert scripts == ["examples/train_lenet.py", "examples/train_transformer.py"]


def test_linear_regression_finds_least_squares() -> None:
    rng = np.random.default_rng(4)
    model = load("linear_regression", 1)
    x = rng.standard_normal((50, 3))
    y = x @ [1.0, -2.0, 0.5] + 3 + 0.1 * rng.standard_normal(50)
    params = model.init(D=3)
    for _ in range(200):
        _, grads = model.value_and_grad(params, x, y)
        params = {k: v - 0.2 * grads[k] for k, v in params.items()}
    exact = np.linalg.lstsq(np.column_stack([x, np.ones(50)]), y)[0]
    np.testing.assert_allclose(model.ravel(params), exact, rtol=1e-6)
    np.testing.assert_allclose(model.forward(params, x), x @ exact[:3] + exact[3], rtol=1e-6)


def test_logistic_regression_agrees_with_scikit_learn() -> None:
    x, y = load_breast_cancer(return_X_y=True)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    model, size = load("logistic_regression", 1), {"D": x.shape[1]}

    def objective(vector: np.ndarray) -> tuple[float, np.ndarray]:
        cost, grads = model.value_and_grad(model.unravel(vector, **size), x, y.astype(float))
        return cost, model.ravel(grads)

    start = model.ravel(model.init(**size))
    result = minimize(objective, start, jac=True, method="L-BFGS-B", tol=1e-12)
    peer = LogisticRegression(C=1 / (1e-3 * len(y)), tol=1e-10, max_iter=10_000).fit(x, y)
    np.testing.assert_allclose(result.x[:-1], peer.coef_[0], rtol=1e-3, atol=1e-3)
    assert result.x[-1] == pytest.approx(peer.intercept_[0], abs=1e-3)


def test_deep_net_learns_at_any_depth() -> None:
    rng = np.random.default_rng(5)
    x = rng.standard_normal((90, 16))
    label = np.argmax(x[:, :3] ** 2, axis=1)
    for depth in (1, 4, 8):
        model = bpc.load(EXAMPLES / "deep_net.bp", settings={"L": depth})
        assert f"W{depth}" in model.PARAMS and f"W{depth + 1}" not in model.PARAMS
        params = model.init(seed=3)
        for _ in range(150):
            _, grads = model.value_and_grad(params, x, label)
            for name in params:
                params[name] -= 0.2 * grads[name]
        assert np.mean(model.forward(params, x).argmax(axis=1) == label) > 0.95


def test_lenet_learns_digits(capsys: pytest.CaptureFixture[str]) -> None:
    assert train_lenet.train(trainable("lenet"), epochs=5) > 0.93
    assert "held-out accuracy" in capsys.readouterr().out


def test_lenet_is_equal_to_convolution_by_hand() -> None:
    rng = np.random.default_rng(6)
    model = load("lenet", 1)
    params, inputs = given("lenet", model, rng)
    x = inputs["image"]
    for layer in (1, 2):
        W, size = params[f"conv{layer}.W"], x.shape[1]
        wide = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        places = [(i, j, wide[:, i : i + size, j : j + size]) for i, j in np.ndindex(3, 3)]
        x = np.maximum(sum(part @ W[i, j] for i, j, part in places) + params[f"conv{layer}.b"], 0)
        x = np.max([x[:, i::2, j::2] for i, j in np.ndindex(2, 2)], axis=0)
    h = np.maximum(x.reshape(len(x), -1) @ params["hidden.W"] + params["hidden.b"], 0)
    scores = np.exp(h @ params["head.W"] + params["head.b"])
    wanted = scores / scores.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.forward(params, inputs["image"]), wanted, rtol=1e-10)


def test_lstm_learns_to_add() -> None:
    model = trainable("adding")
    guess = np.var(train_adding.sequences(np.random.default_rng(7), 10, 5000)[1])
    assert guess == pytest.approx(1 / 6, rel=0.1)
    assert train_adding.train(model, length=10, steps=200, rate=2e-2) < guess / 10


def test_transformer_learns_and_sees_the_past_alone(capsys: pytest.CaptureFixture[str]) -> None:
    model = trainable("transformer", D=32)
    params, cost = train_transformer.train(model, steps=100)
    frequency = np.bincount(train_transformer.Writer(8).rows(300, 64).ravel(), minlength=28)
    frequency = frequency[frequency > 0] / frequency.sum()
    by_frequency = -np.sum(frequency * np.log2(frequency))
    assert train_transformer.information(20_000) < cost < 0.75 * by_frequency
    assert capsys.readouterr().out.count("bits for each character") == 5
    assert set(train_transformer.write(model, params, 80)) <= set(train_transformer.LETTERS)

    text = train_transformer.Writer(8).rows(2, 20)
    other = text.copy()
    other[:, 12:] = (other[:, 12:] + 1) % 28
    one, two = (model.forward(params, t) for t in (text, other))
    np.testing.assert_allclose(one[:, :12], two[:, :12], atol=1e-5)
    assert np.abs(one[:, 12:] - two[:, 12:]).max(axis=(0, 2)).min() > 1e-3


def test_grammar_has_the_information_that_it_says() -> None:
    """A sentence has one derivation, and as many bits as the choices of that have."""
    writer = train_transformer.Writer(9)
    sentences = {}
    for _ in range(3000):
        before = writer.bits
        text = writer.sentence()
        assert sentences.setdefault(text, writer.bits - before) == writer.bits - before
    shortest = min(sentences, key=len)
    assert shortest.startswith("a ")
    # ending, article, adjective or not, noun, clause or not, kind of verb, verb
    assert sentences[shortest] == 1 + 1 + 1 + 3 + 1 + 1 + 3


def test_pinn_has_the_derivatives_of_its_output() -> None:
    model = load("pinn", 1)
    params, inputs = given("pinn", model, np.random.default_rng(10))
    x, t, h = inputs["x"], inputs["t"], 1e-4

    def u(x: np.ndarray, t: np.ndarray) -> np.ndarray:
        return model.forward(params, x, t)["u"]

    u_t = (u(x, t + h) - u(x, t - h)) / (2 * h)
    u_xx = (u(x + h, t) - 2 * u(x, t) + u(x - h, t)) / h**2
    residual = model.forward(params, x, t)["residual"]
    np.testing.assert_allclose(residual, u_t - solve_pinn.NU * u_xx, atol=1e-5)
    assert np.abs(residual).min() > 1e-3


def test_vae_learns_and_draws() -> None:
    model = trainable("vae")
    (pixels, _), (held_out, _) = train_vae.split()
    params = train_vae.train(model, epochs=12)
    mean = pixels.mean(axis=0).clip(1e-3, 1 - 1e-3)
    same = -np.mean(np.sum(np.log(mean) * held_out + np.log(1 - mean) * (1 - held_out), axis=1))
    assert train_vae.held_out_cost(model, params, held_out) < same - 1
    assert train_vae.among_own(model, params) > 0.5
    lines = list(train_vae.draw(model, params))
    assert len(lines) == 8 and set("".join(lines)) == set(train_vae.SHADES)


def test_mixture_has_the_likelihood_of_its_gaussians() -> None:
    model = load("mixture", 1)
    params, inputs = given("mixture", model, np.random.default_rng(11))
    weights = np.exp(params["weight"]) / np.exp(params["weight"]).sum()
    density = 0
    for weight, centre, root in zip(weights, params["centre"], params["root"]):
        lower = np.tril(root, -1) + np.diag(np.exp(np.diag(root)))
        gaussian = multivariate_normal(centre, np.linalg.inv(lower @ lower.T))
        density = density + weight * gaussian.pdf(inputs["x"])
    assert model.cost(params, **inputs) == pytest.approx(-np.mean(np.log(density)), rel=1e-10)
    np.testing.assert_allclose(model.forward(params, **inputs).sum(axis=1), 1)
