"""Sizes as polynomials in one normal form, and the rule by which shapes broadcast."""

import time
from fractions import Fraction
from itertools import product as pairs
from math import floor
from random import Random

import pytest

from bpc.sizes import Floor, Size, SizeTooLarge, dim, product, size
from bpc.types import NEW, ONE, Axis, Mismatch, Shape, Type, broadcast_shapes, show

N, M, D, heads = (dim(name) for name in ("N", "M", "D", "heads"))


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (size(0), "0"),
        (size(-3), "-3"),
        (size(12) * N + size(1), "12*N + 1"),
        (size(1) - N, "-N + 1"),
        (N - M, "-M + N"),
        (N * M + N * N - M, "M*N + N*N - M"),
        (N - N, "0"),
        (N * M - M * N, "0"),
        (D / heads, "D/heads"),
        (D / heads * heads, "D"),
        (D * size(3) / size(2), "3*D/2"),
        ((N + size(1)) / size(2), "(N + 1)/2"),
        (N / (N + size(1)), "N/(N + 1)"),
        ((N + size(1)) / (N + size(1)), "1"),
        (N / (size(2) * M * heads), "N/(2*M*heads)"),
        (((N - size(3)) / size(2)).floor(), "floor((N + 1)/2) - 2"),
        ((size(7) / size(2)).floor(), "3"),
        ((size(2) * N + size(1)).floor(), "2*N + 1"),
        ((N / size(2) + M).floor(), "M + floor(N/2)"),
    ],
    ids=str,
)
def test_text(length: Size, text: str) -> None:
    assert str(length) == text


def test_equal_sizes_are_equal_values() -> None:
    assert (N + M) * (N - M) == N * N - M * M
    assert hash((N + M) * (N - M)) == hash(N * N - M * M)
    assert N + M == M + N
    assert ((N + size(5)) / size(2)).floor() == ((N + size(1)) / size(2)).floor() + size(2)
    assert N != M
    assert dim("N") is dim("N")


@pytest.mark.parametrize(
    ("length", "whole", "value"),
    [
        (size(3), True, 3),
        (size(1) / size(2), False, None),
        (N, True, None),
        (N / size(2), False, None),
        (D / heads, False, None),
        ((N / size(2)).floor(), True, None),
        (size(6) * N / size(3), True, None),
    ],
    ids=str,
)
def test_whole_and_value(length: Size, whole: bool, value: int | None) -> None:
    assert (length.whole, length.value) == (whole, value)


def random_size(random: Random, depth: int = 2) -> Size:
    if depth == 0:
        return random.choice([N, M, D, size(random.randint(-4, 4))])
    a, b = random_size(random, depth - 1), random_size(random, depth - 1)
    match random.randrange(5):
        case 0:
            return a + b
        case 1:
            return a - b
        case 2:
            return a * b
        case 3:
            return (a / size(random.choice([1, 2, 3, -2]))).floor()
        case _:
            return a / b if b.terms else a


@pytest.mark.parametrize("seed", range(100))
def test_arithmetic_agrees_with_fractions(seed: int) -> None:
    """Evaluated, substituted, and as the Python text that the output carries."""
    random = Random(seed)
    dims = {"N": 7, "M": 4, "D": 12}
    a, b = random_size(random), random_size(random)
    try:
        x, y = a.evaluate(dims), b.evaluate(dims)
        quotient, times = a / b, a * b
    except (ZeroDivisionError, SizeTooLarge):
        return
    assert (a + b).evaluate(dims) == x + y
    assert (a - b).evaluate(dims) == x - y
    assert times.evaluate(dims) == x * y
    assert a.floor().evaluate(dims) == floor(x)
    if y:
        assert quotient.evaluate(dims) == x / y
    known = {name: size(value) for name, value in dims.items()}
    assert a.substitute(known).constant == x
    python = a.format(str, "//", " * ")
    if a.whole or x.denominator == 1:
        assert eval(python, {}, dims) == x


def test_dims() -> None:
    assert ((N / size(2)).floor() + M / (D + size(1))).dims() == {"N", "M", "D"}
    assert product([N, M, size(2)]) == size(2) * M * N
    with pytest.raises(ZeroDivisionError):
        N / size(0)
    with pytest.raises(KeyError):
        N.evaluate({})


def test_sizes_are_bounded_in_length_and_time() -> None:
    start = time.perf_counter()
    with pytest.raises(SizeTooLarge):
        product([N + M + D + heads] * 50)
    with pytest.raises(SizeTooLarge):
        product([dim(f"A{i}") + dim(f"B{i}") for i in range(40)])
    with pytest.raises(SizeTooLarge):
        product([N] * 1000)
    with pytest.raises(SizeTooLarge):
        product([size(2)] * 1000)
    with pytest.raises(SizeTooLarge):
        length = N
        for _ in range(100):
            length = size(1) / (length + size(1))
    halved = N
    for _ in range(60):
        halved = ((halved + size(1)) / size(2)).floor()
    assert halved.evaluate({"N": 2**61}) == 2
    assert str(halved).count("floor") == 60
    assert time.perf_counter() - start < 6


def test_python_text_of_atoms() -> None:
    half = Floor((N - size(3)) / size(2))
    length = Size((((((half, 1),)), Fraction(1)),)) + size(2)
    assert length.format(str, "//", " * ") == "((N - 3) // 2) + 2"
    assert length.format(str.lower, "/", " * ") == "((n - 3) // 2) + 2"
    assert (D / heads).format(str, "//", " * ") == "D // heads"
    assert (D / (heads * size(2))).format(str, "//", " * ") == "D // (2 * heads)"


# Shapes

AXES = {"N": Axis(N, "N"), "M": Axis(M, "M"), "1": ONE, "*": NEW, "3": Axis(size(3))}


def shape(text: str) -> Shape:
    return tuple(AXES[letter] for letter in text)


@pytest.mark.parametrize(
    ("shapes", "result"),
    [
        (("", ""), ""),
        (("", "NM"), "NM"),
        (("N", "N"), "N"),
        (("NM", "M"), "NM"),
        (("M", "NM"), "NM"),
        (("N1", "NM"), "NM"),
        (("1", "N"), "N"),
        (("1", "1"), "1"),
        (("N*", "*M"), "NM"),
        (("N*", "M"), "NM"),
        (("N*", "N*"), "N*"),
        (("N*", "N1"), "N1"),
        (("*N", "N"), "*N"),
        (("3", "33", "1"), "33"),
        (("N1", "M", "NM"), "NM"),
        (("", "N", ""), "N"),
    ],
)
def test_broadcast(shapes: tuple[str, ...], result: str) -> None:
    found = broadcast_shapes(tuple(map(shape, shapes)))
    assert found == shape(result)
    assert [a.stretch for a in found] == [a.stretch for a in shape(result)]


@pytest.mark.parametrize(
    ("shapes", "both"),
    [
        (("N", "M"), False),
        (("N", "3"), False),
        (("NM", "N"), False),
        (("NM", "MN"), False),
        (("N1", "N"), True),
        (("N1", "1M"), True),
        (("N1", "M"), True),
        (("N1", "M", "1"), True),
        (("1N", "N"), None),
    ],
)
def test_mismatch(shapes: tuple[str, ...], both: bool | None) -> None:
    if both is None:
        assert broadcast_shapes(tuple(map(shape, shapes))) == shape("1N")
        return
    with pytest.raises(Mismatch) as error:
        broadcast_shapes(tuple(map(shape, shapes)))
    assert error.value.both == both


def test_the_order_of_operands_does_not_matter() -> None:
    for a, b in pairs(["", "N", "1", "*", "NM", "N1", "1M", "N*", "*M", "3"], repeat=2):
        results = []
        for shapes in ((a, b), (b, a)):
            try:
                results.append(show(broadcast_shapes(tuple(map(shape, shapes)))))
            except Mismatch as mismatch:
                results.append(str(mismatch.both))
        assert results[0] == results[1], (a, b)


def test_labels_come_from_any_operand() -> None:
    plain, labelled = (Axis(size(3)),), (Axis(size(3), "H"),)
    for shapes in ((plain, labelled), (labelled, plain)):
        assert broadcast_shapes(shapes)[0].label == "H"


@pytest.mark.parametrize(
    ("type", "text"),
    [
        (Type("real"), "real"),
        (Type("int"), "int"),
        (Type("real", shape("N3")), "[N, 3]"),
        (Type("bool", shape("N")), "bool[N]"),
        (Type("int", shape("1")), "int[1]"),
    ],
    ids=str,
)
def test_types_as_text(type: Type, text: str) -> None:
    assert str(type) == text
