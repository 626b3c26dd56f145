"""What a workload is: a model in bp, and the same mathematics as each contender wants it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Workload:
    """Value and gradient by all params of one model, or a Newton step of it.

    Functions of the arrays take `(params, *inputs)` and return `(J, {param: gradient})`, or J
    alone where a framework differentiates them.
    """

    name: str
    title: str
    source: str | Path  # the model in bp
    dtype: str  # of the reals
    make: Callable[..., tuple[dict, dict]]  # (rng, **sizes): params and inputs in float64
    numpy: Callable  # by hand, as a person would write it
    tuned: Callable  # (params, *inputs): a function like `numpy`, with workspaces for these shapes
    model: Callable  # (array namespace, params, *inputs): J, for JAX, autograd and PyTorch
    sizes: dict = field(default_factory=dict)  # arguments of `make`
    small: dict = field(default_factory=dict)  # those for the test
    settings: dict = field(default_factory=dict)  # of the bp model
    jax: Callable | None = None  # (jax, params, *inputs): J, where `model` does not do
    torch: Callable | None = None  # (torch, params, *inputs): (leaves by name, inputs, J, back)
    autograd: Callable | str | None = None  # (namespace, params, *inputs): J; or why there is none
    tangent: Callable | str = "no version in Tangent's subset of Python"  # (*params, *inputs): J
    casadi: Callable | str = (
        "not a small model of scalars or vectors"  # (casadi, params, *inputs): J
    )
    newton: bool = False  # a step by the Hessian of the only param; `numpy` returns {param: step}
    many: int = 1  # how many sets of params are computed one after another
    tolerance: float | None = None  # of the check, relative to the largest entry
    first: bool = False  # whether the time to the first gradient is measured

    def data(self, seed=0, **sizes):
        """Params, one dict for each of `many`, and inputs, in the workload's dtype."""
        import numpy as np

        rng = np.random.default_rng(seed)
        made = [self.make(rng, **(sizes or self.sizes)) for _ in range(self.many)]
        return [self.cast(p) for p, _ in made], self.cast(made[0][1])

    def cast(self, arrays: dict, dtype: str | None = None) -> dict[str, Any]:
        """The reals in the dtype, whole numbers as they are; scalars of float64 as Python floats."""
        import numpy as np

        def one(value):
            if isinstance(value, np.ndarray) and value.dtype.kind == "i":
                return value
            value = np.asarray(value, dtype or self.dtype)
            return value[()].item() if not value.ndim and value.dtype == float else value[()]

        return {k: one(v) for k, v in arrays.items()}
