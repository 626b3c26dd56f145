"""A generated module, and what training has to know of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import Parameter, signature
from types import ModuleType
from typing import Any

import numpy as np

Arrays = dict[str, Any]


class TrainingError(Exception):
    """Data, parameters or options that do not fit the model: one line that says so."""


@dataclass(frozen=True, slots=True)
class Spec:
    """An input's kind (`real`, `int`, `bool`) and shape; `text` is both, as the module's tables say it.

    In a shape a name is a free dim, and None a size that is computed from dims.
    """

    kind: str
    shape: tuple[int | str | None, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Model:
    """A generated module with its inputs; `sizes` are the free dims that `init` takes.

    `optional` are the inputs that have a sample, `shown` those that `forward` reads; `draws` where
    the gradient takes a Generator, for dropout.
    """

    module: ModuleType
    inputs: Mapping[str, Spec]
    outputs: Mapping[str, str]
    sizes: tuple[str, ...]
    optional: frozenset[str]
    shown: tuple[str, ...]
    draws: bool

    def plain(self, dtype: Any) -> bool:
        """Whether it computes on Python's own numbers: a model of scalars, in float64."""
        return not hasattr(self.module, "_TYPES") and dtype == np.float64


def describe(module: ModuleType) -> Model:
    """What a generated module says of itself."""
    types = getattr(module, "_TYPES", {})
    inputs = {}
    for name, text in module.INPUTS.items():
        kind, shape = types.get(name, (text, ()))
        inputs[name] = Spec(kind, shape, text)
    arguments = signature(module.value_and_grad).parameters
    return Model(
        module=module,
        inputs=inputs,
        outputs=module.OUTPUTS,
        sizes=tuple(n for n in signature(module.init).parameters if n not in ("seed", "dtype")),
        optional=frozenset(
            n for n in inputs if arguments[n].default not in (Parameter.empty, None)
        ),
        shown=tuple(n for n in signature(module.forward).parameters if n in inputs),
        draws="rng" in arguments,
    )


def forward(model: Model, params: Arrays, inputs: Mapping[str, Any]) -> Arrays:
    """All outputs by name, from whatever of the inputs they need."""
    shown = {name: inputs[name] for name in model.shown if name in inputs}
    result = model.module.forward(params, **shown)
    return result if isinstance(result, dict) else dict.fromkeys(model.outputs, result)


@contextmanager
def calling(where: str) -> Iterator[None]:
    """What a generated function refuses becomes a TrainingError that names the place."""
    try:
        yield
    except (ValueError, TypeError, IndexError, ZeroDivisionError) as error:
        raise TrainingError(f"{where}: {error}") from error


def start(model: Model, seed: int, dtype: Any, dims: Mapping[str, int]) -> Arrays:
    """Fresh params, their free dims as in the data."""
    missing = [d for d in model.sizes if d not in dims]
    if missing:
        raise TrainingError(
            f"the data do not tell the size of {missing[0]}, which the params need; "
            f"--set {missing[0]}=... does"
        )
    with calling("the params cannot be made"):
        params: Arrays = model.module.init(seed, dtype, **{d: dims[d] for d in model.sizes})
    return params


def like(model: Model, found: Mapping[str, Any], what: str, dtype: Any = None) -> Arrays:
    """Params read from a file, in declared order; models of scalars get Python floats.

    They keep the dtype that they have, float32 or float64, or are cast to `dtype`. Shapes are
    left to the functions that take them.
    """
    names = model.module.PARAMS
    wrong = [f"lacks {name}" for name in names if name not in found]
    wrong += [f"has the unknown {name}" for name in found if name not in names]
    if wrong:
        raise TrainingError(f"{what} {', '.join(wrong)}")
    params: Arrays = {}
    for name in names:
        value = found[name]
        if value.dtype not in (np.float32, np.float64):
            raise TrainingError(
                f"{what}: {name} has dtype {value.dtype}, expected float32 or float64"
            )
        value = np.array(value, dtype or value.dtype)
        params[name] = value.item() if model.plain(value.dtype) and not value.ndim else value
    return params
