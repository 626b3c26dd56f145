"""Activations and losses that are written with other operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bpc.diagnostics import Problem
from bpc.ops.base import Op, register
from bpc.ops.build import Builder, Expr
from bpc.ops.cost import ITEM, NOTHING, nbytes, per_entry
from bpc.ops.reductions import exponentials, number_of, total
from bpc.ops.roles import Bool, Factor, Integer, Real, Value
from bpc.types import Axis, Shape, Type, product, show, size

Call = Any
Cases = tuple[tuple[tuple[Any, ...], dict[str, Any]], ...]
_UNARY: Cases = ((((3, 4),), {}), (((),), {}))


def activation(name: str, doc: str, call: Call, options: dict[str, Any] | None = None) -> None:
    """Register an activation written with other operators; tests use the options too."""
    more: Cases = ((((3, 4),), options),) if options else ()
    register(Op(name, "activations", doc, call=call, cases=(*_UNARY, *more)))


def _kinked(m: Builder, x: Value, left: Any, low: Expr) -> Expr:
    """x where positive, `low` elsewhere; at 0 the lesser of the slopes 1 and `left` counts."""
    number = left.number if isinstance(left, Expr) else left
    steep = isinstance(number, int | float) and number > 1
    return m.select(x >= 0 if steep else x > 0, x, low)


def _elu(m: Builder, x: Value, alpha: Factor = 1.0) -> Expr:
    return _kinked(m, x, alpha, alpha * m.expm1(x))


def _leaky(m: Builder, x: Value, slope: Factor = 0.01) -> Expr:
    return _kinked(m, x, slope, slope * x)


def _celu(m: Builder, x: Value, alpha: Factor = 1.0) -> Expr:
    return m.select(x > 0, x, alpha * m.expm1(x / alpha))


def _relu(m: Builder, x: Value) -> Expr:
    return m.maximum(m.real(x), 0)


def _selu(m: Builder, x: Value) -> Expr:
    return 1.0507009873554805 * _elu(m, x, 1.6732632423543772)


def _softsign(m: Builder, x: Value) -> Expr:
    return x / (1 + m.abs(x))


def _hard_sigmoid(m: Builder, x: Value) -> Expr:
    return m.clip(x / 6 + 0.5, 0, 1)


def _silu(m: Builder, x: Value) -> Expr:
    return x * m.sigmoid(x)


def _gelu(m: Builder, x: Value) -> Expr:
    return 0.5 * x * m.erfc(x * -0.7071067811865476)


def _gelu_tanh(m: Builder, x: Value) -> Expr:
    near = m.clip(x, -10, 10)  # beyond, tanh is 1 or -1; a cube that overflows gave 0 * inf
    inner = 0.7978845608028654 * (near + 0.044715 * near**3)
    return 0.5 * x * (1 + m.tanh(inner))


def _mish(m: Builder, x: Value) -> Expr:
    return x * m.tanh(m.softplus(x))


activation("relu", "max(x, 0); derivative 0 at 0.", _relu)
activation("leaky_relu", "x where positive, slope * x elsewhere.", _leaky, {"slope": 0.2})
activation("elu", "x where positive, alpha * (exp(x) - 1) elsewhere.", _elu, {"alpha": 1.5})
activation("selu", "elu scaled so that unit variance is kept (Klambauer et al. 2017).", _selu)
activation("celu", "x where positive, alpha * (exp(x/alpha) - 1) elsewhere.", _celu, {"alpha": 1.5})
activation("softsign", "x / (1 + |x|).", _softsign)
activation("hard_sigmoid", "x/6 + 1/2 held in [0, 1].", _hard_sigmoid)
activation("silu", "x * sigmoid(x).", _silu)
activation("gelu", "x times the normal distribution function of x, exact.", _gelu)
activation("gelu_tanh", "The approximation of gelu by tanh.", _gelu_tanh)
activation("mish", "x * tanh(softplus(x)).", _mish)


# Choices as the language calls them


def _where(m: Builder, condition: Bool, a: Value, b: Value) -> Expr:
    if condition.type.kind != "bool":
        raise Problem("BP214", name="where", kind=condition.type.kind)
    return m.select(condition, a, b)


register(
    Op(
        "where",
        "elementwise",
        "a where the condition holds, b elsewhere; the branch not taken contributes 0, never NaN.",
        call=_where,
        cases=(
            ((("bool", 3, 4), (3, 4), (3, 4)), {}),
            ((("bool",), (), ()), {}),
        ),
    )
)


# Losses: prediction, then target; one value an example


_PAIR: Cases = ((((3, 4), (3, 4)), {}), (((), ()), {}))
_ROWS: Cases = ((((2, 3), (2, 3)), {}), (((3,), (3,)), {}), (((2, 3), (3,)), {}))
_WIDE = ((-3.0, 3.0), (-3.0, 3.0))


def loss(
    name: str,
    doc: str,
    call: Call,
    cases: Cases = _PAIR,
    domain: tuple[tuple[float, float], ...] = _WIDE,
) -> None:
    """Register a loss written with other operators."""
    register(Op(name, "losses", doc, call=call, cases=cases, domain=domain))


def _rows(name: str, *xs: Expr) -> None:
    """What works along the last axis needs one."""
    if not any(x.type.rank for x in xs):
        raise Problem("BP206", name=name, shape="[]")


def _squared_error(m: Builder, p: Value, t: Value) -> Expr:
    return (p - t) ** 2


def _absolute_error(m: Builder, p: Value, t: Value) -> Expr:
    return m.abs(p - t)


def _huber(m: Builder, p: Value, t: Value, delta: Factor = 1.0) -> Expr:
    if isinstance(delta, Expr) and isinstance(delta.number, float | int) and delta.number <= 0:
        refuse("huber", "delta", "a number above 0", delta.number)
    d = p - t
    size = m.abs(d)
    return m.select(size <= delta, 0.5 * d**2, delta * (size - 0.5 * delta))


def _hinge(m: Builder, score: Value, sign: Value) -> Expr:
    return m.maximum(1 - m.real(score) * sign, 0)


def _kl_div(m: Builder, p: Value, q: Value) -> Expr:
    _rows("kl_div", p, q)
    none = p.eq(0)
    terms = p * (m.select(none, 0, m.log(p)) - m.select(none, 0, m.log(q)))
    return m.emit("sum", terms, axes=(terms.type.rank - 1,), keep=False)


def _cosine(m: Builder, a: Value, b: Value) -> Expr:
    _rows("cosine_similarity", a, b)
    products = m.real(a * b)
    dot = m.emit("sum", products, axes=(products.type.rank - 1,), keep=False)
    lengths = []
    for x in (a, b):
        wide = x if x.shape[-1:] == products.shape[-1:] else m.broadcast_to(x, products.shape)
        norm = m.emit("norm", m.real(wide), axes=(wide.type.rank - 1,), keep=False)
        lengths.append(m.maximum(norm, 1e-8))
    return dot / (lengths[0] * lengths[1])


loss("squared_error", "(p - t)^2.", _squared_error)
loss("absolute_error", "|p - t|; derivative 0 where they are equal.", _absolute_error)
loss("huber", "Quadratic to delta, linear beyond.", _huber, (*_PAIR, (_PAIR[0][0], {"delta": 0.4})))
loss("hinge", "max(0, 1 - score * sign).", _hinge)
loss(
    "kl_div", "p * log(p / q) summed over the last axis; 0 where p is 0, as its derivatives are.",
    _kl_div, _ROWS,
    ((0.1, 1.0), (0.1, 1.0)),
)  # fmt: skip
loss("cosine_similarity", "Cosine of the angle over the last axis.", _cosine, _ROWS)


def refuse(name: str, option: str, wanted: str, found: object) -> None:
    """Refuse the value of an option."""
    raise Problem("BP231", name=name, option=option, wanted=wanted, found=found)


def _check_labels(name: str, scores: Expr, label: Expr) -> None:
    if label.type.kind != "int":
        raise Problem("BP212", name=name, kind=label.type.kind)
    if scores.type.rank != label.type.rank + 1 or scores.shape[:-1] != label.shape:
        raise Problem(
            "BP211",
            name=name,
            scores=show(scores.shape),
            label=show(label.shape),
            help="labels have the shape of the scores without the last axis, the classes",
        )


def _cross_entropy(
    m: Builder, logits: Value, label: Value, smoothing: Real = 0.0, ignore: Integer = -1
) -> Expr:
    _check_labels("cross_entropy", logits, label)
    if not 0 <= smoothing <= 1:
        refuse("cross_entropy", "smoothing", "a number from 0 to 1", smoothing)
    return m.emit("cross_entropy", m.real(logits), label, smoothing=float(smoothing), ignore=ignore)


def _cross_entropy_vjp(
    m: Builder, g: Expr, out: Expr, logits: Expr, label: Expr, smoothing: float, ignore: int
) -> Sequence[Any]:
    """Softmax minus the (smoothed) one-hot target; 0 for ignored rows."""
    slope = m.emit("cross_entropy_slope", logits, label, smoothing=smoothing, ignore=ignore)
    return (m.expand(g, axes=(logits.type.rank - 1,)) * slope, None)


def _slope_vjp(
    m: Builder, g: Expr, out: Expr, logits: Expr, label: Expr, smoothing: float, ignore: int
) -> Sequence[Any]:
    """That of softmax; 0 for ignored rows."""
    last = logits.type.rank - 1
    y = m.emit("softmax", logits, axis=last)
    kept = m.select(m.expand(label.eq(ignore), axes=(last,)), 0, g)
    return (m.emit("softmax_slope", kept, y, axis=last), None)


def _losses(m: Builder, logits: Expr, label: Expr, smoothing: float, ignore: int) -> Expr:
    """log(sum(exp(x - shift))) - (x[label] - shift), which loses no digits; 0 for ignored rows."""
    last = logits.type.rank - 1
    index = m.emit("checked_label", label, classes=logits.shape[-1], ignore=ignore)
    shift, _, added = exponentials(m, logits, (last,))
    picked = m.emit("at_label", logits, index) - m.squeeze(shift, axes=(last,))
    if smoothing:
        z = logits - m.broadcast_to(shift, logits.shape)
        n = number_of(m, logits, (last,))
        picked = (1.0 - smoothing) * picked + smoothing * (total(m, z, (last,), False) / n)
    loss = m.log(m.squeeze(added, axes=(last,))) - picked
    return m.select(label.eq(ignore), 0, loss)


def _loss_slopes(m: Builder, logits: Expr, label: Expr, smoothing: float, ignore: int) -> Expr:
    last = logits.type.rank - 1
    index = m.emit("checked_label", label, classes=logits.shape[-1], ignore=ignore)
    y = m.emit("softmax", logits, axis=last)
    if smoothing:
        y = y - smoothing / number_of(m, logits, (last,))
    return m.emit("off_label", y, index, label.eq(ignore), amount=1.0 - smoothing)


register(
    Op(
        "checked_label",
        "internal",
        "Labels of classes, 0 where they are `ignore`. ValueError for one that is out of range.",
        aligned=True,
        stacks=True,
        raises=True,
        flops=NOTHING,
        infer=lambda label, classes, ignore: (label,),
        numpy=lambda c, label, classes, ignore: c.call(
            "_checked_label", label, *c.sizes((classes,)), str(ignore)
        ),
    )
)
register(
    Op(
        "at_label",
        "internal",
        "The entry of the last axis that a label names; see schedule/labels.py.",
        mixes=lambda t, label: (t.rank - 1,),
        stacks=True,
        infer=lambda t, label: (t.with_shape(label.shape),),
        flops=NOTHING,
    )
)
register(
    Op(
        "off_label",
        "internal",
        "An amount less where a label points on the last axis; 0 in ignored rows.",
        mixes=lambda t, label, ignored, amount: (t.rank - 1,),
        stacks=True,
        infer=lambda t, label, ignored, amount: (t,),
        flops=lambda out, t, label, ignored, amount: label.count,
    )
)


def _row_starts(c: Any, shape: Shape, classes: Axis) -> Any:
    rows, each = product(a.size for a in shape), c.size(classes.size)
    if classes.size.value:
        starts = c.call("np.arange", "0", c.size(rows * classes.size), each)
    else:  # which may be 0, and no step
        starts = c.call("np.multiply", c.call("np.arange", c.size(rows)), each)
    return starts if len(shape) == 1 else c.call("np.reshape", starts, c.shape(shape))


register(
    Op(
        "row_starts",
        "internal",
        "Where the rows of an array start that has `classes` entries in each, counted through all.",
        infer=lambda shape, classes: (Type("int", shape),),
        flops=NOTHING,
        numpy=_row_starts,
    )
)
register(
    Op(
        "at_place",
        "internal",
        "Entries by their places, counted through all rows.",
        infer=lambda t, places: (t.with_shape(places.shape),),
        flops=NOTHING,
        numpy="_at_place",
        into="_at_place",
    )
)
register(
    Op(
        "put_at",
        "internal",
        "An array with other entries at places, counted through all rows; 0 in ignored rows.",
        infer=lambda t, places, entries, ignored: (t,),
        flops=NOTHING,
        numpy="_put_at",
        into="_put_at",
    )
)


def _options(c: Any, smoothing: float, ignore: int) -> list[Any]:
    given = [] if ignore == -1 else [c.keyword("ignore", ignore)]
    return [*c.nonzero("smoothing", smoothing), *given]


register(
    Op(
        "cross_entropy",
        "losses",
        "-log softmax(logits)[label] for int labels; 0 where the label is `ignore`. PyTorch's "
        "smoothing. ValueError of the generated function for a label out of range.",
        mixes=lambda t, label, smoothing, ignore: (t.rank - 1,),
        stacks=True,
        raises=True,
        flops=per_entry(5),
        scratch=lambda into, out, t, label, smoothing, ignore: (
            nbytes(t.type) * size(2) + label.type.count * ITEM
        ),
        call=_cross_entropy,
        infer=lambda t, label, smoothing, ignore: (Type("real", label.shape),),
        vjp=_cross_entropy_vjp,
        expand=_losses,
        numpy=lambda c, x, label, smoothing, ignore: c.call(
            "_cross_entropy", x, label, *_options(c, smoothing, ignore)
        ),
        cases=(
            (((3, 4), ("int<4", 3)), {}),
            (((4,), ("int<4",)), {}),
            (((2, 3, 4), ("int<4", 2, 3)), {"smoothing": 0.1}),
            (((5, 4), ("int<4", 5)), {"smoothing": 0.2, "ignore": 1}),
            (((5, 3), ("int<3", 5)), {"ignore": 2}),
        ),
    )
)  # fmt: skip


register(
    Op(
        "cross_entropy_slope",
        "internal",
        "The gradient of the cross entropy of each row by its logits.",
        raises=True,
        infer=lambda t, label, smoothing, ignore: (t,),
        vjp=_slope_vjp,
        expand=_loss_slopes,
        flops=per_entry(7),
        # The target is of bools, or of float64 where it is smoothed.
        scratch=lambda into, out, t, label, smoothing, ignore: (
            nbytes(out) + out.count * size(8 if smoothing else 1)
        ),
        numpy=lambda c, x, label, smoothing, ignore: c.call(
            "_cross_entropy_slope", x, label, *_options(c, smoothing, ignore)
        ),
        mixes=lambda t, label, smoothing, ignore: (t.rank - 1,),
        stacks=True,
    )
)


def _nll(m: Builder, log_p: Value, label: Value) -> Expr:
    _check_labels("nll", log_p, label)
    return m.emit("nll", m.real(log_p), label)


register(
    Op(
        "nll",
        "losses",
        "-log_p[label] for int labels. ValueError of the generated function for a label out of "
        "range.",
        mixes=lambda t, label: (t.rank - 1,),
        stacks=True,
        raises=True,
        flops=per_entry(0),
        scratch=lambda into, out, t, label: label.type.count * size(16),
        call=_nll,
        infer=lambda t, label: (Type("real", label.shape),),
        vjp=lambda m, g, out, log_p, label: (
            m.expand(-g, axes=(log_p.type.rank - 1,))
            * m.emit("one_hot", label, classes=log_p.shape[-1]),
            None,
        ),
        expand=lambda m, log_p, label: (
            -m.emit(
                "at_label",
                log_p,
                m.emit("checked_label", label, classes=log_p.shape[-1], ignore=None),
            )
        ),
        numpy="_nll",
        cases=((((3, 4), ("int<4", 3)), {}), (((2, 3, 4), ("int<4", 2, 3)), {})),
    )
)
