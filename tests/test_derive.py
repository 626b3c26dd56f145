"""`bpc derive`: the lecture's derivatives, every elementwise function, and what is no expression."""

from __future__ import annotations

import math
import random
import re

import numpy as np
import pytest
from click.testing import CliRunner

from bpc.cli.app import app
from bpc.derivation import bp, derivative, evaluate, read, symbolic, value
from bpc.diagnostics import BpcError
from bpc.lower.expressions import is_builtin
from bpc.ops import OPS

NUMBERS = [op for op in OPS.values() if is_builtin(op.name) and op.elementwise]


def run(*args):
    return CliRunner().invoke(app, ["derive", *map(str, args)])


def rows(output):
    """(e, J(w + e), quotient) as printed."""
    return re.findall(r"^([\d.e-]+) +(\S+) +(\S+)$", output, re.MULTILINE)


# LECTURE.md: (expression, w, derivative on paper, its value, {e: (J(w + e), quotient)})
LECTURE = [
    ("w^2", 3, "2*w", 6.0, {0.001: ("9.006001", 6.001), 0.002: ("9.012004", 6.002),
                            1e-9: ("9.000000006", 6.000000496442226)}),
    ("w^2", 2, "2*w", 4.0, {0.001: ("4.004001", 4.001)}),
    ("w^2", -3, "2*w", -6.0, {0.001: ("8.994001", -5.999)}),
    ("2*w", 5, "2", 2.0, {0.001: ("10.002", 2)}),
    ("w^3", 2, "3*w^2", 12.0, {0.001: ("8.012006001", 12.006001)}),
    ("w", 2, "1", 1.0, {0.001: ("2.001", 1)}),
    ("1/w", 2, "-1/w^2", -0.25, {0.001: ("0.49975012493753124", -0.2498750624687629)}),
    ("1/w^2", 4, "-2/w^3", -1 / 32, {0.001: ("0.06246876171484496", -0.0312382851550377)}),
    ("(2 + 3*w)^2", 3, "18*w + 12", 66.0, {0.001: ("121.066009", 66.009)}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "w", "paper", "slope", "steps"), LECTURE)
def test_the_lecture(text, w, paper, slope, steps):
    epsilons = [a for e in steps for a in ("--epsilon", e)]
    done = run(text, "--wrt", "w", "--at", f"w={w}", *epsilons)
    assert done.exit_code == 0, done.stderr
    assert f"\ndJ/dw = {paper}\n      = {slope!r}\n" in done.stdout
    for (e, there, quotient), (step, (expected, k)) in zip(rows(done.stdout), steps.items()):
        assert float(e) == step
        assert float(there) == pytest.approx(float(expected), rel=1e-15)
        assert float(quotient) == pytest.approx(k, rel=1e-9)
    assert len(rows(done.stdout)) == len(steps)


def test_digits_are_those_of_floats():
    done = run("w^2", "--at", "w=3")
    found = {float(e): (there, quotient) for e, there, quotient in rows(done.stdout)}
    assert list(found) == [float(f"1e-{k}") for k in range(1, 10)]
    assert found[1e-3] == ("9.006001", "6.000999999999479")
    assert found[1e-9][1] == "6.000000496442226"
    assert done.stdout.startswith("J = w^2\n  = 9.0 at w = 3\n\ndJ/dw = 2*w\n      = 6.0\n\ne ")


def test_the_neuron():
    text = "1/2*(w*x + b - y)^2"
    done = run(
        text, "--wrt", "w,b", "--at", "w=-2,x=2", "--at", "b=8", "--at", "y=1", "--epsilon", 0.001
    )
    assert "dJ/dw = x*(b + w*x - y)\n      = 6.0\n" in done.stdout
    assert "dJ/db = b + w*x - y\n      = 3.0\n" in done.stdout
    numbers = [(float(there), float(k)) for _, there, k in rows(done.stdout)]
    assert numbers[0] == pytest.approx((4.506002, 6.002))
    assert numbers[1] == pytest.approx((4.5030005, 3.0005))


def test_without_options_a_gradient_on_paper():
    done = run("exp(w*x)")
    assert done.stdout == "J = exp(w*x)\n\ndJ/dw = x*exp(w*x)\n\ndJ/dx = w*exp(w*x)\n"


@pytest.mark.parametrize(
    ("text", "paper"),
    [
        ("w[1]^2 * w[2]", "2*w[1]*w[2]"),
        ("0.1*w", "1/10"),
        ("a if w > 0 else w^2", "0 if w > 0 else 2*w"),
        ("max(0, w)", "1 if w > 0 else 0"),
        ("relu(w)", "1 if w > 0 else 0"),
        ("clip(w, 0, 1)", "0 if (w >= 1) or (w <= 0) else 1"),
        ("floor(w) + sign(w)", "0"),
        ("abs(w)", "sign(w)"),
        ("pi*w", "pi"),
        ("w*(w > 2)", "1 if w > 2 else 0"),
        ("w**2", "2*w"),
        ("2^w", "2^w*log(2)"),
        ("lgamma(w)", "digamma(w)"),
        ("sigmoid(w)", "exp(-w)/(1 + exp(-w))^2"),
        ("exp(w + 1)", "exp(w + 1)"),
    ],
)
def test_on_paper(text, paper):
    formula = read(text)
    assert bp(derivative(formula, next(n for n in formula.names if n.startswith("w")))) == paper


@pytest.mark.parametrize("text", ["S*Q + N*I + E^beta", "zeta*gamma/lambda", "exec + __import__"])
def test_names_mean_nothing_to_sympy(text):
    formula = read(text)
    at = {name: 1.5 + i for i, name in enumerate(formula.names)}
    for name in formula.names:
        slope = evaluate(derivative(formula, name), at)
        step = (value(formula, {**at, name: at[name] + 1e-6}) - value(formula, at)) / 1e-6
        assert slope == pytest.approx(step, rel=1e-4)


def expression_of(op):
    names = "uvw"[: len(op.domain)]
    return f"{op.name}({', '.join(names)}) * 2 + u", names


@pytest.mark.parametrize("op", NUMBERS, ids=lambda op: op.name)
def test_every_elementwise_function(op):
    """The derivative agrees with the quotient, and is an expression of the language itself."""
    text, names = expression_of(op)
    formula = read(text)
    draw = random.Random(7)
    at = {n: draw.uniform(*interval) for n, interval in zip(names, op.domain)}
    assert evaluate(symbolic(formula), at) == pytest.approx(value(formula, at), rel=1e-12)
    for name in names:
        slope = derivative(formula, name)
        ahead, behind = (value(formula, {**at, name: at[name] + e}) for e in (1e-6, -1e-6))
        expected = evaluate(slope, at)
        assert expected == pytest.approx((ahead - behind) / 2e-6, rel=1e-6, abs=1e-7)
        if op.name != "digamma":  # whose derivative has no name in the language
            again = read(bp(slope))
            assert value(again, at) == pytest.approx(expected, rel=1e-10, abs=1e-12)


COMPOSED = "leaky_relu elu selu celu softsign hard_sigmoid silu gelu gelu_tanh mish"


@pytest.mark.parametrize("name", COMPOSED.split())
@pytest.mark.parametrize("w", [-1.25, 0.75])
def test_composed_functions(name, w):
    formula = read(f"{name}(w)")
    slope = evaluate(derivative(formula, "w"), {"w": w})
    ahead, behind = (value(formula, {"w": w + e}) for e in (1e-6, -1e-6))
    assert slope == pytest.approx((ahead - behind) / 2e-6, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("a", "b", "slopes"), [(1, 2, (0, 1)), (2, 1, (1, 0)), (2, 2, (0.5, 0.5))])
def test_ties_are_shared(a, b, slopes):
    formula = read("max(a, b)")
    at = {"a": a, "b": b}
    assert tuple(evaluate(derivative(formula, n), at) for n in "ab") == slopes


@pytest.mark.parametrize(
    ("text", "code", "column"),
    [
        ("w^2 +", "BP002", 6),
        ("", "BP002", 1),
        ("w^2 + foo(w)", "BP301", 7),
        ("exp(w, w)", "BP306", 1),
        ("atan2(w)", "BP307", 1),
        ("clip(w, 0, up=1)", "BP309", 12),
        ("clip(w, 0, 1, x=2)", "BP310", 15),
        ("w + softmax(w)", "BP213", 5),
        ("w + w.T", "BP213", 5),
        ("w @ w", "BP213", 1),
        ("w[1:2]", "BP213", 1),
        ("(w, w)", "BP213", 1),
        ("not w", "BP215", 5),
        ("1 if w else 2", "BP215", 6),
        ("w + 9^9^9^9", "BP401", 7),
        ("w + 1/0", "BP401", 5),
        ("w + sqrt(-1)", "BP401", 5),
        ("w + exp(1000)", "BP401", 5),
        ("w\ncost K = w", "BP002", 1),
        ("w = 2", "BP002", 3),
        ("+".join("w" * 2000), "BP405", 1),
        ("(" * 300 + "w" + ")" * 300, "BP008", 201),
    ],
)
def test_errors_stand_in_the_expression(text, code, column):
    with pytest.raises(BpcError) as error:
        read(text)
    first = error.value.diagnostics[0]
    assert (first.code, first.span.column) == (code, column)
    done = run(text)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("<expression>:")


@pytest.mark.parametrize(
    "text", ["sin(" * 190 + "w" + ")" * 190, "1.001^100000*w", "(w^1000000)^1000000"]
)
def test_nothing_explodes(text):
    done = run(text, "--at", "w=1")
    assert done.exit_code == 0, done.stderr
    assert len(rows(done.stdout)) == 9


@pytest.mark.parametrize("at", [-1.0, 0.0])
def test_where_there_is_no_number(at):
    done = run("log(w)", "--at", f"w={at}", "--epsilon", 0.5)
    assert done.exit_code == 0, done.stderr
    assert f"  = {math.nan if at else -math.inf!r} at w" in done.stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--at", "q=3"], "--at q: the expression has no such name; its names are weight, x"),
        (["--at", "wieght=3"], "did you mean `weight`?"),
        (["--at", "x=3"], "--at gives no value for weight"),
        (["--at", "x=three"], "'three' is no finite number"),
        (["--wrt", "q"], "--wrt q: the expression has no such name; its names are weight, x"),
        (["--wrt", ""], "a name is missing"),
        (["--epsilon", "0"], "--epsilon: a step is a finite number, and not 0"),
        (["--epsilon", "nan"], "--epsilon: a step is a finite number, and not 0"),
    ],
)
def test_usage(args, said):
    done = run("weight*x", *args)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.mark.parametrize(
    ("text", "at", "slope"),
    [
        ("w^w^w^w", 10, math.inf),
        ("w^-(w^w^w)", 10, 0),
        ("sin(w^w^w)", 10, math.nan),
        ("exp(w) / exp(w/2)^2 * w", 5000, 1),
        ("where(w > 1, log(w), w^w^w^w)", 10, 0.1),
    ],
)
def test_numbers_beyond_floats_are_not_spelt_out(text, at, slope):
    found = evaluate(derivative(read(text), "w"), {"w": at})
    np.testing.assert_allclose(found, slope)
