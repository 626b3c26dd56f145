"""PyTorch's own sample inputs as cases: values and gradients as its autograd has them."""

from __future__ import annotations

import random
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.testing._internal.common_methods_invocations import op_db

from run import Case
from translate import Inexpressible, Program, Row, bind, translate


@dataclass
class Samples:
    """The samples of one operator: cases, and why the others are none."""

    name: str
    found: int = 0
    cases: list[Case] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)


def full_name(op: Any) -> str:
    return ".".join(filter(None, (op.name, op.variant_test_name)))


#: options that do not change what is computed
IMMATERIAL = {"device", "layout", "memory_format", "requires_grad", "inplace"}
#: by name; a name that stands twice means the same operator with other domains
OPERATORS = {full_name(op): op for op in op_db}


def samples_of(name: str, row: Row) -> Samples:
    """All float64 samples of an operator, drawn from fixed seeds."""
    op = OPERATORS[name]
    result = Samples(name)
    for k, sample in enumerate(drawn(op)):
        result.found += 1
        try:
            result.cases.append(case_of(op, name, row, sample, k))
        except Inexpressible as reason:
            result.reasons[str(reason)] += 1
    return result


def drawn(op: Any) -> Iterator[Any]:
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        real = torch.float64 in op.dtypes
        dtype = torch.float64 if real else torch.int64
        yield from op.sample_inputs("cpu", dtype, requires_grad=real and op.supports_autograd)


def case_of(op: Any, name: str, row: Row, sample: Any, number: int) -> Case:
    program = Program()
    tensors: dict[int, tuple[Any, Any]] = {}

    def declare(value: Any) -> Any:
        """Tensors become arguments of the program, each once."""
        if isinstance(value, torch.Tensor):
            if id(value) not in tensors:
                array = value.detach().numpy(force=True).copy()
                if array.dtype.kind in "iu":
                    array = array.astype(np.int64)
                elif array.dtype.kind == "f" and array.dtype != np.float64:
                    raise Inexpressible(f"{array.dtype} among float64")
                tensors[id(value)] = value, program.declare(array, value.requires_grad)
            return tensors[id(value)][1]
        if type(value) in (list, tuple, torch.Size):
            several = tuple(map(declare, value))
            return list(several) if row.lists and type(value) is list else several
        return default_type(value)

    args = [declare(v) for v in (sample.input, *sample.args)]
    kwargs = {k: declare(v) for k, v in sample.kwargs.items() if k not in IMMATERIAL}
    values = bind(row, args, kwargs)
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outputs = list(flat(op(sample.input, *sample.args, **sample.kwargs)))
    if any(o.is_complex() for o in outputs):
        raise Inexpressible("complex numbers")
    translate(row, values, program, outputs)
    program.results += [None] * (len(outputs) - len(program.results))
    rng = np.random.default_rng(len(tensors))
    cotangents, total = [], []
    for text, out in zip(program.results, outputs, strict=True):
        wanted = text is not None and out.requires_grad
        cotangents.append(np.asarray(rng.uniform(-1, 1, out.shape)) if wanted else None)
        if wanted:
            total.append((out * torch.from_numpy(cotangents[-1])).sum())
    leaves = [(t, a) for t, a in tensors.values() if a.text in program.params]
    slopes: Any = [None] * len(leaves)
    if total and leaves:
        slopes = torch.autograd.grad(sum(total), [t for t, _ in leaves], allow_unused=True)
    grads = {
        a.text: np.zeros(a.shape) if s is None else s.detach().numpy(force=True)
        for (_, a), s in zip(leaves, slopes)
    }
    arrays = {a.text: t.detach().numpy(force=True) for t, a in tensors.values()}
    growth = row.condition(*arrays.values()) if row.condition else 1.0
    return Case(
        f"{name}[{number}] {described(sample)}",
        program,
        [o.detach().numpy(force=True) for o in outputs],
        cotangents,
        grads,
        tolerance=row.accuracy * growth,
        entrywise=row.entrywise,
    )


def default_type(value: Any) -> Any:
    """Numbers and options as they are; float64 is what everything is anyway."""
    if isinstance(value, torch.dtype):
        if value != torch.float64:
            raise Inexpressible(f"dtype {str(value).removeprefix('torch.')}")
        return None
    if isinstance(value, torch.layout | torch.device | torch.memory_format):
        return None
    return value.item() if isinstance(value, np.generic) else value


def flat(value: Any) -> Iterator[Any]:
    """The tensors of a result."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for v in value:
            yield from flat(v)
    else:
        yield torch.tensor(value)


def described(sample: Any) -> str:
    """Shapes and options, for messages."""

    def show(value: Any) -> str:
        if isinstance(value, torch.Tensor):
            return str(list(value.shape))
        if isinstance(value, tuple | list):
            return f"({', '.join(map(show, value))})"
        return repr(value)

    named = [f"{k}={show(v)}" for k, v in sample.kwargs.items()]
    return ", ".join([*map(show, (sample.input, *sample.args)), *named])
