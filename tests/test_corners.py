"""Corners that a review found: each program with its value and gradient, the same at all levels."""

import numpy as np
import pytest

import bpc

X = np.arange(9.0).reshape(3, 3) / 5
E = np.exp(X)
C = np.array([0.1, 0.5, 0.9])
LSE = np.log(np.exp(C).sum())
CASES = {
    "a softmax needs its sum along its own axis": (
        "input x: [3, 3]\nparam w = 1\ne = exp(x * w)\ncost J = sum(x * (e / sum(e, axis=0)[:, new]))",
        (X,),
        float(np.sum(X * E / E.sum(0)[:, None])),
        None,
    ),
    "numbers may stand where helpers take arrays": (
        "input x: [4]\nparam w = 1\ncost J = cross_entropy(x * w, 2) + norm(2) + var(2) + mean(2) * w",
        (np.ones(4),),
        float(np.log(4) + 4),
        {"w": 2.0},
    ),
    "a choice of the user's is no guard": (
        "param x = 0\ninput c = -1, y = 3\ncost J = where(c > 0, log(where(c > 0, y, x)), 0)",
        (),
        0.0,
        {"x": 0.0},
    ),
    "powers that overflow are guarded": (
        "param x = 100\ncost J = where(x < 10, x^200, 0)",
        (),
        0.0,
        {"x": 0.0},
    ),
    "a sum of a stretched int is an int": (
        "input k: int = 2\nparam w: [9] ~ ones\ncost J = w[sum(broadcast(k, [3]))]",
        (),
        1.0,
        {"w": np.eye(9)[6]},
    ),
    "large factors stay where they are": (
        "param x = 1e300, y = 1e300\ncost J = 1e-300 * x * y",
        (),
        1e300,
        {"x": 1.0, "y": 1.0},
    ),
    "an adjoint of a picked entry may be a number": (
        "param w: [3] ~ ones\ncost J = 2 * w[argmax(w)]",
        (),
        2.0,
        {"w": np.array([2.0, 0.0, 0.0])},
    ),
    "what is reshaped to a number stays when its memory is used again": (
        (
            "input x: [3]\nparam c: [3] ~ zeros, q = 2\n"
            "b = c + x\ncost J = logsumexp(b) * max(b) * q"
        ),
        (C,),
        float(LSE * 0.9 * 2),
        {"c": 2 * (0.9 * np.exp(C - LSE) + LSE * np.array([0, 0, 1])), "q": 0.9 * LSE},
    ),
}


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("name", CASES)
def test_corner(name, level):
    text, data, value, grads = CASES[name]
    module = bpc.load(text, level=level, verify_ir=True)
    cost, found = module.value_and_grad(module.init(), *data)
    assert cost == pytest.approx(value, rel=1e-12)
    for key, expected in (grads or {}).items():
        np.testing.assert_allclose(found[key], expected, rtol=1e-12)


def test_logistic_functions_with_any_numerator_are_stable():
    module = bpc.load(
        "param x = -800\ncost J = 2 / (1 + exp(-x)) + x / (1 + exp(-x)) + log(exp(x))"
    )
    assert module.value_and_grad(module.init()) == (-800.0, {"x": 1.0})


def test_a_name_twice_in_wrt_counts_once():
    module = bpc.load("param w = 2\ncost J = 3 * w", wrt=["w", "w"])
    assert module.value_and_grad(module.init()) == (6.0, {"w": 3.0})


def test_a_long_sum_of_exponentials_neither_recurses_nor_doubles():
    doubling = (
        "param x = 1\ns[0] = exp(x)\nfor i in 1..60 { s[i] = s[i-1] + s[i-1] }\ncost J = log(s[60])"
    )
    cost, grads = bpc.load(doubling).value_and_grad({"x": 1.0})
    assert cost == pytest.approx(1 + 60 * np.log(2), rel=1e-12)
    assert grads["x"] == pytest.approx(1.0, rel=1e-12)
    chain = "param x = 1\ns[0] = exp(x)\nfor i in 1..2000 { s[i] = s[i-1] + exp(x) }\ncost J = log(s[2000])"
    assert bpc.load(chain).cost({"x": 1.0}) == pytest.approx(1 + np.log(2001), rel=1e-12)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_rows_and_matrices_of_a_branch_not_taken(level: int) -> None:
    """Softmax of -inf alone, and the inverse of what has none, are not computed."""
    m = bpc.load("param x: [2]\ncost J = sum(where(max(x) == -inf, 0, softmax(x)^2))", level=level)
    value, grads = m.value_and_grad({"x": np.full(2, -np.inf)})
    assert value == 0 and not grads["x"].any()
    m = bpc.load(
        "param A: [3, 2, 2], b: [3, 2, 1]\nregular = det(A) != 0\n"
        "x = where(regular[:, new, new], solve(A, b) + inv(A), 0)\n"
        "cost J = sum(x) + sum(where(regular, logdet(A), 0))",
        level=level,
    )
    A = np.stack([np.eye(2) * 2, np.ones((2, 2)), np.array([[2.0, 1.0], [0.0, 1.0]])])
    value, grads = m.value_and_grad({"A": A, "b": np.ones((3, 2, 1))})
    assert np.isfinite(value) and not grads["A"][1].any() and not grads["b"][1].any()
    regular = {"A": A[[0, 2]], "b": np.ones((2, 2, 1))}
    alone = bpc.load(
        "param A: [2, 2, 2], b: [2, 2, 1]\ncost J = sum(solve(A, b) + inv(A)) + sum(logdet(A))",
    )
    expected, slopes = alone.value_and_grad(regular)
    assert np.isclose(value, expected)
    assert np.allclose(grads["A"][[0, 2]], slopes["A"])


def test_small_ints_do_not_wrap_around() -> None:
    """Labels and images are kept in 8 bits; arithmetic is done in 64."""
    m = bpc.load("dim N\ninput k: int[N]\nparam w = 1\ncost J = w * sum(k * 100 - 300)")
    for dtype in (np.uint8, np.int8, np.int32):
        given = np.array([2, 1], dtype)
        assert m.cost({"w": 1.0}, given) == -300.0
        assert given.dtype == dtype


def test_a_slice_backwards_to_the_start() -> None:
    m = bpc.load("dim T\ninput x: [T]\nparam w = 1\ncost J = sum(x[T-1:T-4:-1] * arange(3)) * w")
    assert m.cost({"w": 1.0}, np.array([1.0, 2.0, 3.0, 4.0])) == 3.0 + 4.0
    assert m.cost({"w": 1.0}, np.array([1.0, 2.0, 3.0])) == 2.0 + 2.0


@pytest.mark.parametrize("text", ["input x = 2\ncost J = x^2", "input x: [2]\ncost J = sum(x^2)"])
def test_a_model_without_params_has_an_empty_gradient(text: str) -> None:
    m = bpc.load(text)
    x = 2.0 if m.INPUTS["x"] == "real" else np.array([0.0, 2.0])
    assert m.value_and_grad({}, x) == (4.0, {})


def test_level_and_names() -> None:
    with pytest.raises(bpc.UsageError, match="level 5: there are 0, 1, 2"):
        bpc.compile_source("param w\ncost J = w", level=5)
    assert "def jvp" in bpc.compile_source("param w\ncost J = w", emit="jvp", wrt="w")


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("rows", [0, 2])
def test_exponentials_without_a_shift_have_the_shape_of_both(rows: int, level: int) -> None:
    """The largest of each row is 0, and the rows are no axis of what they are computed from."""
    text = "dim N\ninput x: [N]\nparam c: [3, 4]\n"
    m = bpc.load(f"{text}cost J = sum(logsumexp(tanh(c * ones(N, 3, 4)), axis=2))", level=level)
    value, grads = m.value_and_grad({"c": np.zeros((3, 4))}, np.ones(rows))
    np.testing.assert_allclose(value, rows * 3 * np.log(4), rtol=1e-14)
    np.testing.assert_allclose(grads["c"], np.full((3, 4), rows / 4), rtol=1e-14)


@pytest.mark.parametrize("rows", [1, 2, 300])
@pytest.mark.parametrize("mean, w", [("x @ A", 1), ("(x * w) @ A", 2)])
def test_a_number_that_tiles_take_is_of_the_dtype_of_the_call(mean, w, rows):
    """dJ/dA is w times the mean of the rows, over 4, in each column."""
    text = f"dim N\ninput x: [N, 4]\nparam A: [4, 4] ~ ones, w: [4] = 2\ncost J = mean({mean})"
    x = np.arange(4.0 * rows, dtype="float32").reshape(rows, 4)
    for level in (0, 2):
        m = bpc.load(text, level=level)
        params = {k: v.astype("float32") for k, v in m.init().items()}
        slopes = m.value_and_grad(params, x)[1]["A"]
        assert slopes.dtype == np.float32
        expected = np.outer(w * x.mean(0) / 4, np.ones(4))
        np.testing.assert_allclose(slopes, expected, rtol=1e-6)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_parts_of_which_one_is_the_same_for_all_examples(level: int) -> None:
    """x[:, i] x[:, j] in the first two rows of A, and 1 in the last two."""
    text = "dim N\ninput x: [N, 2]\nparam A: [3, 2]\ncost J = sum(A[1:]) + sum((x @ A[:2].T) * x)"
    m = bpc.load(text, level=level, emit=("per_example",))
    x = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [0.5, 0.25]])
    expected = np.zeros((4, 3, 2))
    expected[:, :2] = x[:, :, np.newaxis] * x[:, np.newaxis]
    expected[:, 1:] += 1
    np.testing.assert_array_equal(m.per_example({"A": np.ones((3, 2))}, x=x)["A"], expected)


@pytest.mark.parametrize("level", [0, 2])
def test_a_long_size_that_is_divided_by_is_checked(level: int) -> None:
    """Also a size that is divided by in another one, and one that is added."""
    text = "dim N, H, W, K\ninput x: [N, H, W, 2]\nparam k: [3, 3, 2, K]\ncost J = mean(conv2d(x, k)^2)"
    m = bpc.load(text, level=level, emit=("hvp", "hessian"))
    params, x = {"k": np.ones((3, 3, 2, 3))}, np.ones((0, 8, 8, 2))
    for call in (lambda: m.hvp(params, params, x), lambda: m.hessian(params, x)):
        with pytest.raises(ValueError, match=r"division by a size that is 0 \(<text>:4\)"):
            call()
    for cost in ("s / (1 + 1 / N)", "s * (1 / N + 2)", "(s + 1 / N)^2"):
        m = bpc.load(f"dim N\nparam w: [N], s\ncost J = {cost}", level=level)
        with pytest.raises(ValueError, match="division by a size that is 0"):
            m.value_and_grad({"w": np.ones(0), "s": 1.0})


def test_sizes_too_long_for_tiles() -> None:
    """The rows of the kernel's gradient cannot be followed; the function runs whole."""
    text = (
        "dim N, H, W, C, K\ninput x: [N, H, W, C]\nparam k: [3, 3, C, K]\n"
        "cost J = mean(tanh(conv2d(x, k, stride=2))^2)"
    )
    x, k = np.ones((2, 7, 6, 2)) / 3, np.ones((3, 3, 2, 2)) / 4
    found = [bpc.load(text, level=n, emit=("hvp",)).hvp({"k": k}, {"k": k}, x) for n in (0, 2)]
    np.testing.assert_allclose(found[1]["k"], found[0]["k"], rtol=1e-12)


@pytest.mark.parametrize(
    ("length", "found", "N"),
    [
        ("N-1", 3, 4),
        ("4*N", 8, 2),
        ("2*N+1", 7, 3),
        ("N/2", 3, 6),
        ("(N+1)/2", 3, 5),
        ("3*N/2-1", 5, 4),
    ],
)
def test_dims_are_read_off_linear_sizes(length, found, N):
    for level in (0, 1, 2):
        m = bpc.load(f"dim N\ninput x: [{length}]\nparam w\ncost J = sum(x) * w * N", level=level)
        assert m.cost({"w": 1.0}, np.ones(found)) == found * N
    if length in ("4*N", "2*N+1", "3*N/2-1"):
        with pytest.raises(ValueError, match="^x has shape"):
            m.cost({"w": 1.0}, np.ones(found - 1))


def test_errors_of_shapes_tell_sizes_that_are_known():
    text = "dim N, D = 3, H[1] = 2\ninput x: [N, D], z: [N, H[1], 4]\nparam w\ncost J = (sum(x) + sum(z)) * w"
    for level in (0, 1, 2):
        m = bpc.load(text, level=level)
        with pytest.raises(ValueError, match=r"^x has shape \(2, 4\), expected \[N, D\], D = 3$"):
            m.cost({"w": 1.0}, np.ones((2, 4)), np.ones((2, 2, 4)))
        said = r"^z has shape \(5, 3, 4\), expected \[N, H1, 4\], N = 2, H1 = 2$"
        with pytest.raises(ValueError, match=said):
            m.cost({"w": 1.0}, np.ones((2, 3)), np.ones((5, 3, 4)))
