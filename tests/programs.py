"""Random bp programs that are well typed, data for them, and what modules make of these.

Expressions are made for a shape that is wanted: a leaf of it, an elementwise function of such, a
reduction of something larger, a product of matrices, a slice. Functions are tempered (`exp(-x^2)`,
not `exp(x)`), so that numbers stay of order 1 and central differences mean something. Statements are
assignments, `for`, `scan`, functions and layers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np

Shape = tuple[str, ...]
FREE = ("N", "M")
FIXED = {"H": 3, "2": 2, "4": 4, "3": 3}
KERNEL: Shape = ("3", "H", "H")
SHAPES: list[Shape] = [
    (),
    ("H",),
    ("N",),
    ("N", "H"),
    ("H", "4"),
    ("M", "2"),
    ("N", "M"),
    ("2", "N", "H"),
]

SMOOTH = [
    "tanh({})", "sigmoid({})", "softplus({})", "sin({})", "cos({})", "exp(-({})^2)", "atan({})",
    "sqrt(1 + ({})^2)", "log(1 + ({})^2)", "1 / (1 + ({})^2)", "silu({})", "gelu({})", "mish({})",
    "erf({})", "0.5 * ({})", "-({})", "({})^2 / 4", "log(1 + exp({}))", "1 / (1 + exp(-({})))",
    "log(sigmoid({}))", "softsign({})", "tanh({})^3", "({}) / 3", "log1p(({})^2)", "gelu_tanh({})",
    "expm1(tanh({}))", "asin(0.9 * sin({}))", "sinh(tanh({}))", "lgamma(1.5 + tanh({}))",
    "1.5^tanh({})", "digamma(2 + sin({}))", "erfc({})", "cosh(sin({}))", "stop(0.5) * ({})",
]  # fmt: skip
KINKED = [
    "relu({})", "abs({})", "leaky_relu({})", "max({}, 0.3)", "min(0.2, {})", "clip({}, -1, 1)",
    "elu({})", "selu({})", "hard_sigmoid({})",
]  # fmt: skip
PAIRS = [
    "{} + {}", "{} - {}", "{} * {}", "{} / (1 + ({})^2)", "atan2({}, 2 + ({})^2)",
    "hypot({}, 1 + ({})^2)", "squared_error({}, {}) / 4", "(1 + ({})^2)^tanh({})",
    "xlogy(sigmoid({}), 1 + ({})^2)", "bce_with_logits({}, sigmoid({}))", "tanh({}) * {}",
    "log(exp({}) + exp({}))", "({}) * ({}) * 0.3",
]  # fmt: skip
KINKED_PAIRS = [
    "max({}, {})",
    "min({}, {})",
    "huber({}, {})",
    "absolute_error({}, {})",
    "hinge({}, {})",
]
REDUCE = ["sum({})", "mean({})", "logsumexp({})", "norm(1 + ({})^2{})", "var({})", "std({})",
          "prod(cos({}){})"]  # fmt: skip
ALONG = ["softmax({})", "log_softmax({})", "0.3 * cumsum({})"]
GUARDS = [
    ("({0}) > 0", "log(1 + ({0}))", "{1}"),
    ("({0}) > 0", "sqrt({0} + 0.1)", "{1}"),
    ("abs({0}) > 0.3", "sin({0}) / ({0})", "{1}"),
    ("({0}) < ({1})", "{0}", "{1}"),
    ("not (({0}) > 0.4)", "{0}", "({1})^2"),
]
#: for the shape of rows, of images, of any matrix; each keeps it
ROWS = [
    "layer_norm({}, {s}, {h}, eps=0.5)", "rms_norm({}, {h}, eps=0.5)",
    "batch_norm({}, {h}, {s}, {h}, 1 + ({h})^2)", "group_norm({}, {h}, {s}, 3, eps=0.5)",
    "attention({}, {mh}, {mh})", "attention({}, {nh}, {nh}, causal=true)", "({}) @ ({A})",
    "solve({A}, ({}).T).T", "({})[index]", "({hn}).T[index, :]", "pad({}, ((1, 0), (0, 0)))[:N]",
    'einsum("nh,hk,m->nk", {}, {A} / 5, {m})', "roll({}, 1, axis=0)", "({}) * one_hot(index, H)",
]  # fmt: skip
IMAGES = [
    "tanh(conv1d({}, {k}, pad=1))", "mean(tanh(conv2d(({})[..., new], {k}[:, :, new, :], pad=1)), axis=-1)",
    "avg_pool2d(({})[..., new], 3, stride=1, pad=1)[..., 0]", "layer_norm({}, {h}, 0, eps=0.5)",
    "max_pool2d(({})[..., new], 3, stride=1, pad=1)[..., 0]",
    "tanh(conv_transpose2d(({})[..., new], {k}[..., new], pad=1)[..., 0])"
]  # fmt: skip
VECTORS = ["solve({A}, {})", "inv({A}) @ ({})", "diag(outer({}, {h}))", "({}) @ diag({h})",
           "sum({nh} * ({}), axis=0) / N", "rms_norm({}, 1, eps=0.5)",
           "trace(tril({A})) * ({})", "where({} > 0, {h}, 0.5)"]  # fmt: skip
NUMBERS = ["det({A}) / 50 + {}", "logdet({A}) * ({})", "trace(inv({A})) + {}", "dot({h}, {h}) * ({})",
           "cosine_similarity(1 + ({h})^2, {h} + 2) * ({})", "sum(softmax({h}) * ({}))",
           "kl_div(softmax({h}), softmax({h} * ({})))", "mean(nll(log_softmax({nh}), index)) + {}"]  # fmt: skip


@dataclass
class Program:
    """A program's text, and whether it has kinks."""

    text: str
    kinked: bool
    sizes: dict[str, int]


@dataclass
class Maker:
    """Draws one program."""

    random: Random
    lines: list[str] = field(default_factory=list)
    #: names by shape
    names: dict[Shape, list[str]] = field(default_factory=dict)
    #: names whose axes have the labels that were declared
    declared: list[str] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    appliers: list[str] = field(default_factory=list)
    pairs: list[str] = field(default_factory=list)
    layers: list[str] = field(default_factory=list)
    #: names that a gradient may be by
    slopes: dict[Shape, list[str]] = field(default_factory=dict)
    kinks: bool = False
    kinked: bool = False
    count: int = 0

    def one(self, options: Any) -> Any:
        return self.random.choice(list(options))

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def fresh(self, stem: str) -> str:
        self.count += 1
        return f"{stem}{self.count}"

    def add(self, name: str, shape: Shape) -> str:
        self.names.setdefault(shape, []).append(name)
        return name

    # Expressions

    def leaf(self, shape: Shape) -> str:
        """A name of the shape, or something stretched to it."""
        if self.names.get(shape) and not self.chance(0.1):
            return str(self.one(self.names[shape]))
        if not shape:
            return str(self.one(["0.7", "1/3", "N / (N + M)", "pi / 4", "1.5"]))
        fits = [s for s in self.names if s and s == shape[len(shape) - len(s) :] and s != shape]
        made = f"{self.one(['ones', 'zeros'])}({', '.join(shape)})"
        if fits and self.chance(0.6):
            return f"({self.one(self.names[self.one(fits)])} + {made})"
        scalar = self.one(self.names.get((), ["0.3"]))
        options = [f"({scalar} * {made})", f"broadcast({scalar}, [{', '.join(shape)}])"]
        if len(shape) == 1:
            options.append(f"({scalar} + arange({shape[0]}) / 5)")
        return str(self.one(options))

    def expr(self, shape: Shape, depth: int) -> str:
        """A real expression of the shape."""
        if depth <= 0 or self.chance(0.08):
            return self.leaf(shape)
        makers = [self.unary, self.unary, self.binary, self.binary, self.reduction, self.guard]
        makers += [self.call] if self.functions else []
        makers += [self.layer] if self.layers and shape else []
        makers += [self.slope] if self.slopes.get(shape) and self.chance(0.3) else []
        makers += [self.larger] if shape in LARGER else []
        makers += [self.along, self.index, self.moved] if shape else [self.contract]
        makers += [self.product, self.product] if len(shape) in (1, 2) else []
        makers += [self.joined] if shape and shape[-1] in FIXED else []
        made = self.one(makers)(shape, depth - 1)
        return str(made)

    def unary(self, shape: Shape, depth: int) -> str:
        kinked = self.kinks and self.chance(0.3)
        self.kinked |= kinked
        return str(self.one(KINKED if kinked else SMOOTH)).format(self.expr(shape, depth))

    def operand(self, shape: Shape, depth: int) -> str:
        """Something that broadcasts to the shape."""
        if shape and self.chance(0.4):
            k = self.random.randrange(1, len(shape) + 1)
            if k == 1 and len(shape) == 2 and self.chance(0.5):
                return f"({self.expr(shape[:1], depth)})[:, new]"
            return f"({self.expr(shape[k:], depth)})"
        return f"({self.expr(shape, depth)})"

    def binary(self, shape: Shape, depth: int) -> str:
        kinked = self.kinks and self.chance(0.25)
        self.kinked |= kinked
        both = [f"({self.expr(shape, depth)})", self.operand(shape, depth)]
        self.random.shuffle(both)
        return str(self.one(KINKED_PAIRS if kinked else PAIRS)).format(*both)

    def reduction(self, shape: Shape, depth: int) -> str:
        """Over one axis that the result lacks, or has with size 1 in `keep`."""
        if len(shape) > 2:
            return self.unary(shape, depth)
        axis = self.random.randrange(len(shape) + 1)
        wide = (*shape[:axis], str(self.one(["N", "M", "H", "2"])), *shape[axis:])
        form = str(self.one(REDUCE if not self.kinks else [*REDUCE, "max({})", "min({})"]))
        self.kinked |= form[:3] in ("max", "min", "std")
        place = f", axis={self.one([axis, axis - len(wide)])}"
        inner = self.expr(wide, depth - 1)
        if inner in self.declared and wide.count(wide[axis]) == 1 and wide[axis] != "2":
            place = f", axis={wide[axis]}"  # by the dim's name
        text = form.format(inner, place) if form.count("{}") > 1 else form.format(inner + place)
        return text if not shape or self.chance(0.8) else f"({text} + {self.leaf(shape)})"

    def along(self, shape: Shape, depth: int) -> str:
        axis = self.random.randrange(len(shape))
        return str(self.one(ALONG)).format(f"{self.expr(shape, depth)}, axis={axis}")

    def product(self, shape: Shape, depth: int) -> str:
        """A product of matrices, sometimes as an einsum."""
        k = self.one(["H", "N", "4", "M"])
        if len(shape) == 1:
            left: Shape = (*shape, k)
            right: Shape = (k,)
            if self.chance(0.4):
                left, right = (k,), (k, *shape)
            text = f"(({self.expr(left, depth)}) @ ({self.expr(right, depth)}))"
        elif self.chance(0.3):
            a, b = self.expr((shape[0], k), depth), self.expr((shape[1], k), depth)
            text = self.one([f'einsum("ik,jk->ij", {a}, {b})', f"(({a}) @ ({b}).T)"])
        elif self.chance(0.2):
            text = f"outer({self.expr(shape[:1], depth)}, {self.expr(shape[1:], depth)})"
        else:
            a, b = self.expr((shape[0], k), depth), self.expr((k, shape[1]), depth)
            text = f"(({a}) @ ({b}))"
        return f"{self.one(['tanh', 'atan', 'sin'])}({text})"

    def contract(self, shape: Shape, depth: int) -> str:
        n = self.one(["N", "H"])
        a, b = self.expr((n,), depth), self.expr((n,), depth)
        return str(
            self.one([f"tanh(dot({a}, {b}))", f"0.3 * (({a}) @ ({b}))", f"({a})[0] * ({b})[-1]"])
        )

    def index(self, shape: Shape, depth: int) -> str:
        """Slices that keep the shape, gathers, one entry of a new axis."""
        rest = ", :" * (len(shape) - 1)
        kind = self.random.randrange(4)
        inner = f"({self.expr(shape, depth)})"
        if kind == 0:
            return f"{inner}[::-1{rest}]"
        if kind == 1 and len(shape) < 3:
            return f"({self.expr(('2', *shape), depth - 1)})[{self.one([0, 1, -1])}]"
        if kind == 2 and shape[0] == "N" and len(shape) < 3:
            return f"({self.expr((self.one(['H', 'M', 'N']), *shape[1:]), depth)})[index]"
        axis = self.random.randrange(len(shape))
        name = self.one(["roll({}, 1, axis={})", "flip({}, {})", "roll({}, -2, axis={})"])
        return str(name).format(inner, axis)

    def moved(self, shape: Shape, depth: int) -> str:
        """Transposes, reshapes, triangles, pads."""
        inner = f"({self.expr(shape[::-1], depth)})"
        if len(shape) == 2:
            text = self.one(
                [f"{inner}.T", f"transpose({inner})", f"tril({inner}.T)", f"triu({inner}.T, k=1)"]
            )
            return str(text)
        if len(shape) == 3:
            return f"transpose({inner}, 2, 1, 0)"
        wide = ("2", *shape) if self.chance(0.5) else (*shape, "2")
        first = f"[{self.one([0, 1])}]" if wide[0] == "2" else f"[:, {self.one([0, 1])}]"
        text = f"reshape({self.expr(wide, depth - 1)}, [-1])[:{shape[0]}]"
        return str(self.one([text, f"({self.expr(wide, depth - 1)}){first}"]))

    def joined(self, shape: Shape, depth: int) -> str:
        """Parts that make up a fixed last axis."""
        size = FIXED[shape[-1]]
        if len(shape) == 1 and self.chance(0.4):
            return f"stack({', '.join(self.expr((), depth - 1) for _ in range(size))})"
        column = f"stack({self.expr(shape[:-1], depth - 1)}, axis=-1)" if len(shape) > 1 else (
            f"stack({self.expr((), depth - 1)})"
        )  # fmt: skip
        lead = ", ".join(":" for _ in shape[:-1])
        cut = f"{lead}, 1:" if lead else "1:"
        parts = [column, f"({self.expr(shape, depth - 1)})[{cut}]"]
        self.random.shuffle(parts)
        return f"concat({', '.join(parts)}, axis=-1)"

    def guard(self, shape: Shape, depth: int) -> str:
        condition, then, other = self.one(GUARDS)
        self.kinked = True
        a, b = self.leaf(shape), self.leaf(shape)
        c, x, y = (t.format(a, b) for t in (condition, then, other))
        if self.chance(0.3):
            return f"(({x}) if {c} else ({y}))"
        if self.chance(0.3) and shape == ("N",):
            c = "mask"
            x = self.expr(shape, depth)
        return f"where({c}, {x}, {y})"

    def call(self, shape: Shape, depth: int) -> str:
        inner = self.expr(shape, depth)
        if self.pairs and self.chance(0.4):
            return f"{self.one(self.pairs)}({inner}, {self.expr(shape, depth)})"
        if self.appliers and self.chance(0.4):
            function = self.one([*self.functions, "tanh", "sin", "softplus"])
            return f"{self.one(self.appliers)}({function}, {inner})"
        return f"{self.one(self.functions)}({inner})"

    def layer(self, shape: Shape, depth: int) -> str:
        """A call of a layer, which owns parameters."""
        return f"({self.one(self.layers)}({self.expr(shape, depth)}) as {self.fresh('q')})"

    def slope(self, shape: Shape, depth: int) -> str:
        """The gradient of something by a name, sometimes of such a gradient again."""
        name = self.one(self.slopes[shape])
        inner = self.expr(shape, depth - 1)
        target = f"sum({self.one(['sin', 'tanh', 'atan'])}({name} * ({inner})))"
        if self.chance(0.3):
            target = f"sum(sin(grad({target}, {name})))"
        self.kinked |= self.kinks
        return f"tanh(grad({target}, {name}))"

    def larger(self, shape: Shape, depth: int) -> str:
        """An operator of networks or of linear algebra."""
        form = str(self.one(LARGER[shape]))
        self.kinked |= form[:3] in ("max", "whe", "spl")
        parts = {"s": (), "h": ("H",), "nh": ("N", "H"), "mh": ("M", "H"), "m": ("M",),
                 "hn": ("H", "N")}  # fmt: skip
        while "{" in form:
            before, _, rest = form.partition("{")
            key, _, after = rest.partition("}")
            if key == "A":
                u, v = self.expr(("H",), depth - 1), self.leaf(("H",))
                made = f"(4 * eye(H) + tanh(outer({u}, {v})))"
            elif key == "k":
                made = str(self.one(self.names.get(KERNEL, ["ones(3, H, H)"])))
            else:
                made = self.expr(parts[key], depth - 1) if key else self.expr(shape, depth)
            form = f"{before}{made}{after}"
        return f"({form})"

    # Statements

    def declare(self) -> None:
        self.lines += ["dim N, M", "dim H = 3", "input index: int[N]", "input mask: bool[N]"]
        self.lines += ["input x: [N, H]", "input y: [M]", "param u: [N, M]"]
        self.add("x", ("N", "H"))
        self.add("y", ("M",))
        self.add("u", ("N", "M"))
        self.declared += ["x", "y", "u"]
        if self.chance(0.4):
            self.lines.append("param kernel: [3, H, H]")
            self.add("kernel", KERNEL)
        shapes = [(), ("H",)] + [self.one(SHAPES) for _ in range(self.random.randrange(2, 5))]
        for shape in shapes:
            name = self.add(self.fresh("w"), shape)
            self.declared.append(name)
            self.lines.append(
                f"param {name}: [{', '.join(shape)}]" if shape else f"param {name} = 0.4"
            )
        self.slopes = {k: list(v) for k, v in self.names.items() if k != KERNEL}

    def define(self) -> None:
        """Functions: of one value, of two with a default, of a function."""
        inner = Maker(self.random, kinks=self.kinks)
        inner.names = {(): ["z"]}
        inner.functions = list(self.functions)
        name = self.fresh("f")
        body = inner.elementwise(2)
        if self.chance(0.5):
            self.lines.append(f"def {name}(z) = {body}")
        else:
            self.lines += [f"def {name}(z) {{", f"    t = {body}", "    return t + z * t / 4", "}"]
        self.functions.append(name)
        if self.chance(0.5):
            pair = self.fresh("g")
            inner.names = {(): ["a", "b"]}
            self.lines.append(f"def {pair}(a, b, rate=0.3) = {inner.elementwise(2)} + rate * a")
            self.pairs.append(pair)
        if self.chance(0.5):
            applier = self.fresh("h")
            self.lines.append(f"def {applier}(f, v) = f(v) + 0.3 * f(v * 0.5)")
            self.appliers.append(applier)
        self.kinked |= inner.kinked

    def own(self) -> None:
        """A layer with parameters; sometimes it calls another twice."""
        name = self.fresh("Layer")
        inner = Maker(self.random, kinks=self.kinks, functions=self.functions)
        inner.names = {(): ["v", "g", "b"]}
        if self.layers and self.chance(0.6):
            other = self.one(self.layers)
            self.lines += [f"layer {name}(v) {{", f"    t = {other}(v)", "    param b",
                           f"    return tanh(t + ({other}(t * 0.5) as up[2]) * b)", "}"]  # fmt: skip
        else:
            self.lines += [f"layer {name}(v) {{", "    param g: [size(v, -1)] ~ ones, b = 0.3",
                           f"    return tanh(v * g + b) + {inner.elementwise(2)}", "}"]  # fmt: skip
        self.kinked |= inner.kinked
        self.layers.append(name)

    def scan(self) -> None:
        """A loop that stays one: carries, what is emitted, entries, sometimes a loop in it."""
        steps = self.one(["N", "M", "H"])
        t, low = self.fresh("t"), self.one([0, 0, 1])
        carries = {
            self.fresh("c"): self.one([(), ("H",), ("2",), ("N",)])
            for _ in range(self.random.randrange(1, 3))
        }
        begins = ", ".join(f"{name} = {self.start(shape)}" for name, shape in carries.items())
        last = f"{steps}-1" if low == 0 else steps
        body = Maker(self.random, kinks=self.kinks, functions=self.functions, pairs=self.pairs)
        body.names = {k: list(v) for k, v in self.names.items()}
        body.count = 100 * (self.count + 1)
        place = t if low == 0 else f"{t}-1"
        for shape, names in self.names.items():
            for i in [i for i, s in enumerate(shape) if s == steps][:1]:
                reverse = f"{steps}-1-{t}" if low == 0 else f"{steps}-{t}"
                index = ", ".join([":"] * i + [self.one([place, place, reverse])])
                rest = (*shape[:i], *shape[i + 1 :])
                for name in names[:2]:
                    body.names.setdefault(rest, []).append(f"{name}[{index}]")
        body.add(f"({t} / 4)", ())
        for name, shape in carries.items():
            body.names.setdefault(shape, []).extend([name] * 3)
            body.slopes.setdefault(shape, []).append(name)
        self.lines.append(f"scan {t} in {low}..{last} carry ({begins}) {{")
        if self.chance(0.3):
            inner, k = body.fresh("g"), body.fresh("t")
            other, shape = self.one(["N", "M"]), self.one(list(carries.values()))
            self.lines += [f"    scan {k} in 0..{other}-1 carry ({inner} = {body.start(shape)}) {{"]
            core = Maker(
                self.random,
                functions=self.functions,
                names={k: list(v) for k, v in body.names.items()},
            )
            core.names.setdefault(shape, []).extend([inner] * 3)
            core.add(f"y[{k}]" if other == "M" else f"x[{k}, 0]", ())
            stack = body.fresh("e")
            self.lines += [f"        {inner} = tanh({inner} + {core.expr(shape, 1)})",
                           f"        emit {stack} = {inner}", "    }"]  # fmt: skip
            body.add(inner, shape)
            body.add(stack, (other, *shape))
        for name, shape in carries.items():
            if self.chance(0.5):
                made = body.fresh("z")
                self.lines.append(f"    {made} = {body.expr(shape, 2)}")
                body.add(made, shape)
            self.lines.append(f"    {name} = tanh({name} * 0.5 + {body.expr(shape, 2)})")
        stacks = {}
        for _ in range(self.random.randrange(3)):
            stack, shape = self.fresh("e"), self.one([*carries.values(), ("H",)])
            self.lines.append(f"    emit {stack} = {body.expr(shape, 1)}")
            stacks[stack] = (steps, *shape)
        self.lines.append("}")
        self.kinked |= body.kinked
        for name, shape in (carries | stacks).items():
            self.add(name, shape)

    def start(self, shape: Shape) -> str:
        """What a carry may start with."""
        plain = f"zeros({', '.join(shape)})" if shape else "0"
        return plain if self.chance(0.4) else self.expr(shape, 1)

    def elementwise(self, depth: int) -> str:
        """A body that keeps the shape of its arguments, whatever it is."""
        if depth == 0:
            return str(self.one(self.names[()]))
        if self.chance(0.5):
            return str(self.one(SMOOTH)).format(self.elementwise(depth - 1))
        return str(self.one(PAIRS)).format(
            f"({self.elementwise(depth - 1)})", f"({self.elementwise(depth - 1)})"
        )

    def assign(self) -> None:
        shape = self.one(SHAPES)
        name = self.fresh("v")
        self.lines.append(f"{name} = {self.expr(shape, 3)}")
        self.add(name, shape)

    def loop(self) -> None:
        """Superscripts; sometimes a parameter a round."""
        shape = self.one([("H",), ("N", "H"), ()])
        name, rounds = self.fresh("s"), self.random.randrange(1, 4)
        self.lines.append(f"{name}[0] = {self.expr(shape, 2)}")
        self.lines.append(f"for l in 1..{rounds} {{")
        before, weight = f"{name}[l-1]", None
        if self.chance(0.5):
            weight = self.fresh("r")
            declared = f"{weight}[l]: [H]" if shape else f"{weight}[l]"
            self.lines.append(f"    param {declared}")
        body = Maker(self.random, kinks=self.kinks, functions=self.functions, pairs=self.pairs)
        body.names = {k: list(v) for k, v in self.names.items()}
        body.names.setdefault(shape, []).extend([before] * 3)
        self.lines.append(f"    t = {body.expr(shape, 2)}")
        body.add("t", shape)
        extra = f" * (1 + {weight}[l])" if weight else f" + {body.leaf(shape)}"
        self.lines.append(f"    {name}[l] = tanh(t + {before} * 0.5){extra}")
        self.lines.append("}")
        self.kinked |= body.kinked
        self.add(f"{name}[{rounds}]", shape)
        self.add(f"{name}[{self.random.randrange(rounds + 1)}]", shape)

    def program(self) -> Program:
        self.kinks = self.chance(0.3)
        self.declare()
        for _ in range(self.random.randrange(3)):
            self.define()
        for _ in range(self.random.choice([0, 0, 1, 2])):
            self.own()
        for _ in range(self.random.randrange(1, 4)):
            self.one([self.loop, self.scan, self.assign, self.assign])()
        if self.chance(0.4):
            self.define()
        self.assign()
        made = [n for names in self.names.values() for n in names]
        terms = [f"{self.one(['0.5', '2', '-1', '1/3'])} * mean({n})" for n in made]
        terms += [self.expr((), 2), f"{self.leaf(())} * {self.reduction((), 2)}"]
        if self.chance(0.3):
            terms.append("mean(cross_entropy(x @ w, index))".replace("w", self.matrix()))
        self.lines.append(f"cost J = {' + '.join(terms)}")
        outputs = [self.expr(self.one(SHAPES), 2) for _ in range(self.random.randrange(3))]
        for text in (*outputs, self.reduction((), 1)):
            self.lines.append(f"output {self.fresh('out')} = {text}")
        sizes = {"N": self.random.randrange(2, 5), "M": self.random.randrange(2, 5)}
        return Program("\n".join(self.lines), self.kinked, sizes)

    def matrix(self) -> str:
        found = self.names.get(("H", "4"))
        return str(found[0]) if found else "ones(H, 4)"


LARGER: dict[Shape, list[str]] = {("N", "H"): ROWS, ("2", "N", "H"): IMAGES, ("H",): VECTORS,
                                  (): NUMBERS}  # fmt: skip


def draw(module: Any, sizes: dict[str, int], seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Params and inputs of a module: reals of order 1, indices 0 and 1."""
    rng = np.random.default_rng(seed)

    def value(text: str) -> Any:
        kind, _, shape = text.partition(" ")
        items = [s.strip() for s in shape.strip("[]").split(",") if s]
        dims = tuple(eval(s, dict(FIXED), sizes) for s in items)
        if kind == "int":
            return rng.integers(0, 2, dims)
        if kind == "bool":
            return np.arange(math.prod(dims)).reshape(dims) % 2 == 0
        return np.asarray(rng.uniform(-1.2, 1.2, dims))

    return ({k: value(v) for k, v in module.PARAMS.items()},
            {k: value(v) for k, v in module.INPUTS.items()})  # fmt: skip


def everything(m: Any, params: dict[str, Any], inputs: dict[str, Any]) -> dict[str, Any]:
    """Outputs, cost and gradients of a module by name."""
    cost, grads = m.value_and_grad(params, **inputs)
    found = m.forward(params, **taken(m, "forward", inputs))
    outputs: dict[str, Any] = found if isinstance(found, dict) else dict(zip(m.OUTPUTS, [found]))
    slopes: dict[str, Any] = grads
    return {f"output {k}": v for k, v in outputs.items()} | {"cost": np.asarray(cost)} | slopes


def taken(m: Any, name: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """Those inputs that a function of a module takes."""
    code = getattr(m, name).__code__
    names = code.co_varnames[: code.co_argcount]
    return {k: v for k, v in inputs.items() if k in names}


def agree(found: dict[str, Any], expected: dict[str, Any], near: float, what: str) -> None:
    """That what one module computes is what another does, relative to the largest entry."""
    assert set(expected) <= set(found)
    for key, right in expected.items():
        scale = 1.0 + np.abs(right).max(initial=0.0)
        np.testing.assert_allclose(
            found[key], right, rtol=near, atol=near / 100 * scale, err_msg=f"{key}: {what}"
        )
