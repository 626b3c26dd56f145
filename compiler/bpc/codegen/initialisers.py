"""`init`, `ravel` and `unravel` of a generated module."""

from __future__ import annotations

from bpc.codegen import layout
from bpc.codegen.context import Writer
from bpc.ir import Argument
from bpc.types import Size, product, size


def functions(w: Writer) -> list[str]:
    """The three functions."""
    return ["", "", *_init(w), "", "", *_ravel(w), "", "", *_unravel(w)]


def _dims(w: Writer) -> list[str]:
    """The Python names of the free dims in the parameters' shapes."""
    return w.dims(w.program.params)


def _init(w: Writer) -> list[str]:
    dims = _dims(w)
    extra = ["*", *dims] if dims else []
    lines = layout.signature(0, "init", ["seed=0", "dtype=np.float64", *extra], modern=True)
    lines.append('    """Fresh params, drawn in declared order."""')
    drawn = [a for a in w.program.params if a.initialiser.name not in CONSTANT]
    if drawn:
        lines.append("    rng = np.random.default_rng(seed)")
    entries = [(f'"{a.key}"', _fill(w, a)) for a in w.program.params]
    accepted = "(np.float32, np.float64)"
    lines.append(f"    if np.dtype(dtype) not in {accepted}:")
    lines.append('        raise TypeError(f"dtype is {dtype}, expected float32 or float64")')
    if w.scalars:
        lines += layout.dictionary(4, "params =", entries)
        lines.append("    if np.dtype(dtype) == np.float64:")
        lines.append("        return params")
        return [*lines, "    return {name: np.array(v, dtype) for name, v in params.items()}"]
    return [*lines, *layout.dictionary(4, "return", entries)]


CONSTANT = ("zeros", "ones", "constant", "identity")


def fans(argument: Argument) -> tuple[Size, Size]:
    """(in, out): the last axis is out, the one before is in, leading axes multiply both."""
    sizes = [axis.size for axis in argument.var.type.shape]
    if len(sizes) < 2:
        sizes = [*sizes, size(1)] if sizes else [size(1), size(1)]
    lead = product(sizes[:-2])
    return lead * sizes[-2], lead * sizes[-1]


def _fill(w: Writer, argument: Argument) -> str:
    """The expression that makes one parameter."""
    name, numbers = argument.initialiser.name, argument.initialiser.numbers
    shape = argument.var.type.shape
    value = {"zeros": 0.0, "ones": 1.0, "identity": 1.0}.get(name, *numbers[:1] or (0.0,))
    if name in CONSTANT and w.scalars:
        return w.speller.number(value).text
    sizes = w.speller.shape(shape).text if len(shape) != 1 else w.speller.sizes(shape)[0].text
    if name in CONSTANT:
        if name == "identity":
            return f"np.eye({w.speller.sizes(shape)[0].text}, dtype=dtype)"
        plain = {0.0: f"np.zeros({sizes}, dtype)", 1.0: f"np.ones({sizes}, dtype)"}
        return plain.get(value, f"np.full({sizes}, {w.speller.number(value).text}, dtype)")
    if name == "orthogonal":
        return f"_orthogonal(rng, {w.speller.shape(shape).text}).astype(dtype)"
    draw = _draw(w, argument)
    return f"float({draw[:-1]}))" if w.scalars else f"{draw[:-1]}, {sizes}).astype(dtype)"


def _draw(w: Writer, argument: Argument) -> str:
    """The call that draws one number."""
    name, numbers = argument.initialiser.name, argument.initialiser.numbers
    if name == "uniform":
        low, high = (w.speller.number(n).text for n in numbers)
        return f"rng.uniform({low}, {high})"
    if name == "normal":
        return f"rng.normal(0.0, {w.speller.number(numbers[0]).text})"
    before, after = fans(argument)
    both = before + after
    top, below = {
        "he": (2, before), "he_uniform": (6, before), "glorot": (2, both),
        "glorot_uniform": (6, both), "lecun": (1, before),
    }[name]  # fmt: skip
    text = w.speller.size(below).text
    root = f"({top} / {text if text.isidentifier() or text.isdigit() else f'({text})'}) ** 0.5"
    if name.endswith("uniform"):
        return f"rng.uniform(-({root}), {root})"
    return f"rng.normal(0.0, {root})"


def _ravel(w: Writer) -> list[str]:
    lines = ["def ravel(params):", '    """All parameters as one float64 vector."""']
    if not w.program.params:
        return [*lines, "    return np.zeros(0)"]
    values = "_values(params)"
    if not w.scalars:
        lines.append("    values, _ = _bind(params, {})")
        values = "values"
    body = f"    return np.concatenate([np.ravel(v) for v in {values}], dtype=float)"
    return [*lines, body]


def _unravel(w: Writer) -> list[str]:
    dims = _dims(w)
    extra = ["*", *dims] if dims else []
    lines = layout.signature(0, "unravel", ["vector", *extra], modern=True)
    lines.append('    """Params from a vector as `ravel` gives it."""')
    if w.scalars:
        lines.append("    values = np.asarray(vector, float)")
        lines.append("    if values.shape != (len(PARAMS),):")
        lines.append(
            '        raise ValueError(f"vector has shape {values.shape}, expected ({len(PARAMS)},)")'
        )
        return [*lines, "    return dict(zip(PARAMS, values.tolist()))"]
    shapes = [(f'"{a.key}"', w.speller.shape(a.var.type.shape).text) for a in w.program.params]
    lines += layout.dictionary(4, "shapes =", shapes)
    return [*lines, "    return _unravel(vector, shapes)"]
