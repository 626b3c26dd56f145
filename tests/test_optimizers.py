"""The optimisers that a generated module may carry: first steps by hand, purity, in place, clip."""

from __future__ import annotations

import math
from typing import Any

import black
import numpy as np
import pytest
from click.testing import CliRunner

import bpc
from bpc.cli.app import app
from bpc.codegen.carried import functions
from bpc.codegen.check import check_output
from bpc.codegen.optimisers import OPTIMISERS
from bpc.emit import EMIT

Arrays = dict[str, Any]
SCALARS = bpc.load("input x = 3\nparam w = 2, b = -1\ncost J = (w*x + b)^2\n", emit=OPTIMISERS)
MODEL = (
    "dim N\ninput x: [N, 3]\nparam W: [3, 2] ~ he, b: [2], s = 1\ncost J = s * mean((x@W + b)^2)\n"
)
ARRAYS = bpc.load(MODEL, emit=OPTIMISERS)


def init(name: str, params: Arrays, model: Any = ARRAYS) -> Arrays:
    state: Arrays = getattr(model, f"{name}_init")(params)
    return state


def step(name: str, *arguments: Any, model: Any = ARRAYS, **options: Any) -> tuple[Arrays, Arrays]:
    result: tuple[Arrays, Arrays] = getattr(model, f"{name}_step")(*arguments, **options)
    return result


def some(seed: int, dtype: Any = np.float64) -> Arrays:
    rng = np.random.default_rng(seed)
    return {
        "W": rng.standard_normal((3, 2)).astype(dtype),
        "b": rng.standard_normal(2).astype(dtype),
        "s": np.array(rng.standard_normal(), dtype),
    }


def copied(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {k: copied(v) for k, v in tree.items()}
    return tree.copy() if isinstance(tree, np.ndarray) else tree


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    return bool(np.array_equal(a, b)) and getattr(a, "dtype", None) == getattr(b, "dtype", None)


def arrays_of(tree: Any) -> list[np.ndarray]:
    if isinstance(tree, dict):
        return [a for v in tree.values() for a in arrays_of(v)]
    return [tree] if isinstance(tree, np.ndarray) else []


def steps_of(name: str, grads: list[float], **options: Any) -> list[float]:
    """Where w = 2 goes, as a Python float, under some gradients."""
    params, state, found = {"w": 2.0, "b": 0.0}, init(name, {"w": 2.0, "b": 0.0}, SCALARS), []
    for grad in grads:
        params, state = step(name, params, {"w": grad, "b": 1.0}, state, model=SCALARS, **options)
        found.append(params["w"])
    assert {type(v) for v in found} == {float}
    return found


BY_HAND = [
    ("sgd", {"lr": 0.1}, [3.0, 1.0], [1.7, 1.6]),
    ("sgd", {}, [3.0], [1.997]),
    ("sgd", {"lr": 0.1, "weight_decay": 0.5}, [3.0], [2 - 0.1 * (3 + 0.5 * 2)]),
    # the first velocity is the gradient itself, whatever the dampening
    ("sgd", {"lr": 0.1, "momentum": 0.5}, [3.0, 1.0], [1.7, 1.7 - 0.1 * 2.5]),
    ("momentum", {"lr": 0.1}, [3.0, 1.0], [1.7, 1.7 - 0.1 * (0.9 * 3 + 1)]),
    (
        "momentum", {"lr": 0.1, "momentum": 0.5, "dampening": 0.2}, [3.0, 1.0],
        [1.7, 1.7 - 0.1 * (1.5 + 0.8)],
    ),
    ("momentum", {"lr": 0.1, "momentum": 0.5, "nesterov": True}, [3.0], [2 - 0.1 * 4.5]),
    # corrected for its start, the first step of Adam is lr times the gradient's sign
    ("adam", {}, [3.0], [2 - 1e-3 * 3 / (3 + 1e-8)]),
    ("adam", {"lr": 0.1, "eps": 1.0}, [3.0], [2 - 0.1 * 3 / 4]),
    ("adam", {"lr": 0.1, "eps": 1.0, "weight_decay": 0.5}, [3.0], [2 - 0.1 * 4 / 5]),
    (
        "adam", {"lr": 0.1, "betas": (0.5, 0.5), "eps": 0.0}, [3.0, 1.0],
        [1.9, 1.9 - 0.1 * (1.25 / 0.75) / math.sqrt(2.75 / 0.75)],
    ),
    (
        "adam", {"lr": 0.1, "betas": (0.5, 0.5), "eps": 0.0, "amsgrad": True}, [3.0, 1.0],
        [1.9, 1.9 - 0.1 * (1.25 / 0.75) / math.sqrt(4.5 / 0.75)],
    ),
    ("adamw", {"lr": 0.1, "eps": 1.0}, [3.0], [2 * (1 - 0.1 * 0.01) - 0.1 * 3 / 4]),
    ("adamw", {"lr": 0.1, "eps": 1.0, "weight_decay": 0.5}, [3.0], [2 * 0.95 - 0.1 * 3 / 4]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options", "grads", "expected"), BY_HAND)
def test_first_steps_by_hand(
    name: str, options: Arrays, grads: list[float], expected: list[float]
) -> None:
    assert steps_of(name, grads, **options) == pytest.approx(expected, rel=1e-14)


OPTIONS: list[Arrays] = [{}, {"weight_decay": 0.1, "clip": 0.5}]
EACH = [(n, o) for n in OPTIMISERS for o in OPTIONS]
EACH += [("momentum", {"nesterov": True}), ("sgd", {"momentum": 0.5, "dampening": 0.1})]
EACH += [("adam", {"amsgrad": True}), ("adamw", {"amsgrad": True, "clip": 0.1})]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "options"), EACH)
def test_nothing_given_is_changed_and_all_returned_is_fresh(
    name: str, options: Arrays, dtype: Any
) -> None:
    params, state = some(1, dtype), init(name, some(1, dtype))
    for seed in (2, 3):
        given = params, some(seed, dtype), state
        before = copied(list(given[:2])), copied(state)
        params, state = step(name, *given, **options)
        assert same(given[0], before[0][0]) and same(given[1], before[0][1])
        assert same(given[2], before[1])
        new = arrays_of(params) + arrays_of(state)
        old = [a for tree in given for a in arrays_of(tree)]
        assert not any(np.shares_memory(a, b) for a in new for b in old)
        assert {a.dtype for a in new} == {np.dtype(dtype)}
        assert list(params) == list(given[0])
        assert all(params[k].shape == given[0][k].shape for k in params)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "options"), EACH)
def test_in_place_gives_the_same_in_the_same_arrays(name: str, options: Arrays, dtype: Any) -> None:
    params, state = some(1, dtype), init(name, some(1, dtype))
    mine, kept = copied(params), copied(state)
    identity = {k: id(v) for k, v in mine.items()}
    addresses: list[list[int]] = []
    for seed in range(5):
        grads = some(seed, dtype)
        unchanged = copied(grads)
        params, state = step(name, params, grads, state, **options)
        result, result_state = step(name, mine, grads, kept, **options, out=mine)
        assert result is mine and result_state is kept
        assert same(mine, params) and same(kept, state) and same(grads, unchanged)
        assert {k: id(v) for k, v in mine.items()} == identity
        addresses.append([id(a) for a in arrays_of(kept)])
    assert len({tuple(a) for a in addresses[1:]}) == 1  # the first step makes velocities


def test_out_may_be_another_dict_which_keeps_the_params_before_the_step() -> None:
    params, spare, grads = some(1), some(9), some(2)
    before, held = copied(params), dict(spare)
    wanted, _ = step("adam", params, grads, init("adam", params))
    new, _ = step("adam", params, grads, init("adam", params), out=spare)
    assert new is spare and all(spare[k] is held[k] for k in held)
    assert same(new, wanted) and same(params, before)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_in_place_allocates_little(name: str) -> None:
    import tracemalloc

    params = {f"W{i}": np.ones((200, 500)) for i in range(8)}  # 800 kB each
    grads, state = {k: np.ones_like(v) for k, v in params.items()}, init(name, params)
    step(name, params, grads, state, out=params)
    tracemalloc.start()
    step(name, params, grads, state, out=params)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.1 * 800_000


@pytest.mark.parametrize("name", OPTIMISERS)
def test_python_floats_stay_python_floats(name: str) -> None:
    params = SCALARS.init()
    state = init(name, params, SCALARS)
    first = SCALARS.cost(params)
    for _ in range(20):
        _, grads = SCALARS.value_and_grad(params)
        params, state = step(name, params, grads, state, model=SCALARS, lr=1e-3)
        assert {type(v) for v in params.values()} == {float}
    assert SCALARS.cost(params) < first
    other = dict(params)
    wanted, _ = step(name, params, grads, copied(state), model=SCALARS)
    result, _ = step(name, other, grads, state, model=SCALARS, out=other)
    assert result is other and other == wanted


def test_scalars_as_float32_and_python_numbers_among_arrays() -> None:
    params = SCALARS.init(dtype=np.float32)
    _, grads = SCALARS.value_and_grad(params, np.float32(3))
    new, _ = step("adam", params, grads, init("adam", params, SCALARS), model=SCALARS)
    assert {v.dtype for v in new.values()} == {np.dtype(np.float32)}
    mixed = {**some(1), "s": 1}
    new, _ = step("momentum", mixed, some(2), init("momentum", mixed))
    assert type(new["s"]) is float and new["W"].dtype == np.float64


def test_params_without_a_gradient_stay() -> None:
    params, grads = some(1), some(2)
    part = {"b": grads["b"], "x": np.full((5, 3), 1e9)}  # of an input: nothing to do with it
    new, _ = step("adamw", params, part, init("adamw", params), clip=1e6)
    assert same(new["W"], params["W"]) and same(new["s"], params["s"])
    alone, _ = step("adamw", params, {"b": grads["b"]}, init("adamw", params))
    assert same(new["b"], alone["b"]) and not same(new["b"], params["b"])


def test_clip_is_by_the_norm_of_all() -> None:
    grads = {
        "W": np.array([[3.0, 0], [0, 0], [0, 0]]),
        "b": np.array([0.0, 4.0]),
        "s": np.array(0.0),
    }
    params = {k: np.zeros_like(v) for k, v in grads.items()}
    state = init("sgd", params)
    new, _ = step("sgd", params, grads, state, lr=1.0, clip=1.0)
    assert new["W"][0, 0] == pytest.approx(-3 / 5, rel=1e-6)
    assert new["b"][1] == pytest.approx(-4 / 5, rel=1e-6)
    kept, _ = step("sgd", params, grads, state, lr=1.0, clip=5.1)
    assert kept["b"][1] == -4.0
    with np.errstate(invalid="ignore"):
        lost, _ = step("sgd", params, {**grads, "s": np.array(np.nan)}, state, clip=1.0)
    assert np.isnan(lost["W"]).all()  # a NaN is never clipped away


def test_nesterov_needs_a_momentum() -> None:
    params = some(1)
    for name, options in [("sgd", {}), ("momentum", {"dampening": 0.1})]:
        with pytest.raises(ValueError, match="^nesterov needs a momentum, and no dampening$"):
            step(name, params, some(2), init(name, params), nesterov=True, **options)


@pytest.mark.parametrize(("name", "options"), EACH)
def test_state_goes_through_savez(name: str, options: Arrays, tmp_path: Any) -> None:
    params, state = some(1), init(name, some(1))
    params, state = step(name, params, some(2), state, **options)
    flat: Arrays = {}
    for key, value in state.items():
        flat |= (
            {f"{key}/{k}": v for k, v in value.items()} if isinstance(value, dict) else {key: value}
        )
    np.savez(tmp_path / "state.npz", **flat)
    read: Arrays = {}
    for key, value in np.load(tmp_path / "state.npz").items():
        head, slash, tail = key.partition("/")
        if slash:
            read.setdefault(head, {})[tail] = value
        else:
            read[head] = value
    wanted, _ = step(name, params, some(3), state, **options)
    new, _ = step(name, params, some(3), read, **options)
    assert same(new, wanted)


# What is written


def test_names_are_written_once_and_in_one_order() -> None:
    both = bpc.compile_source(MODEL, emit=("adam", "sgd", "adam"))
    assert both == bpc.compile_source(MODEL, emit=["sgd", "adam"])
    assert "def adam_step(" in both and "def sgd_init(" in both and "def momentum" not in both
    assert "_step(" not in bpc.compile_source(MODEL)


@pytest.mark.parametrize("model", [MODEL, "param w = 2\ncost J = w^2\n"], ids=["arrays", "scalars"])
@pytest.mark.parametrize("names", [*[(n,) for n in OPTIMISERS], OPTIMISERS])
def test_text_is_checked_and_as_black_writes_it(model: str, names: tuple[str, ...]) -> None:
    text = bpc.compile_source(model, emit=names)
    check_output(text)
    assert black.format_str(text, mode=black.Mode()) == text


def test_helpers_have_names_of_their_own() -> None:
    own = set(functions("bpc.codegen", "optimiser_text"))
    for package, module in [("bpc.codegen", "binding"), ("bpc.codegen", "scalar_binding")]:
        assert not own & set(functions(package, module))
    for module in ("helpers", "scalars"):
        assert not own & set(functions("bpc.ops", module))


def test_unknown_names() -> None:
    with pytest.raises(bpc.UsageError) as error:
        bpc.compile_source(MODEL, emit=["adamv"])
    assert str(error.value) == "--emit adamv: bpc cannot write this; did you mean `adam`?"
    with pytest.raises(bpc.UsageError) as error:
        bpc.compile_source(MODEL, emit=["zzz"])
    assert str(error.value) == f"--emit zzz: bpc cannot write this; there are {', '.join(EMIT)}"


def test_command_line() -> None:
    done = CliRunner().invoke(app, ["compile", "-", "--emit", "sgd, adam"], input=MODEL)
    assert done.stdout == bpc.compile_source(MODEL, "<stdin>", emit=("sgd", "adam")), done.stderr
    done = CliRunner().invoke(app, ["compile", "-", "--emit", "adan"], input=MODEL)
    assert (done.exit_code, done.stderr) == (
        2, "bpc: --emit adan: bpc cannot write this; did you mean `adam`?\n",
    )  # fmt: skip
