"""ONNX's node tests as cases: values alone, and two models of gradients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.helper import get_attribute_value

from mapping_onnx import ROWS
from run import Case
from torch_samples import Samples
from translate import Inexpressible, Program, bind, translate

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
#: tests whose data has few digits
ROUGH = {"test_averagepool_2d_ceil_last_window_starts_on_pad": 1e-4}
#: kinds of which bp has one each; float16, the narrow whole numbers and text are other ones
KINDS = {"float32", "float64", "int64", "int32", "bool"}


def node_tests() -> dict[str, list[Path]]:
    """Directories by operator; models of several nodes are the same tests, written out."""
    found: dict[str, list[Path]] = {}
    for path in sorted((DATA / "node").iterdir()):
        if "_expanded" not in path.name:
            nodes = onnx.load(str(path / "model.onnx")).graph.node
            name = nodes[0].op_type if len(nodes) == 1 else "several"
            found.setdefault(name, []).append(path)
    return found


def samples_of(name: str, paths: list[Path]) -> Samples:
    """All tests of an operator."""
    result = Samples(name, found=len(paths))
    for path in paths:
        try:
            result.cases.append(case_of(name, path))
        except Inexpressible as reason:
            result.reasons[str(reason)] += 1
    return result


def case_of(name: str, path: Path) -> Case:
    model = onnx.load(str(path / "model.onnx"))
    node = model.graph.node[0]
    program = Program()
    given = dict(zip((i.name for i in model.graph.input), arrays(path, "input")))
    given |= {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    outputs = list(arrays(path, "output"))
    for array in (*given.values(), *outputs):
        if array.dtype.name not in KINDS:
            raise Inexpressible(
                f"dtype {'text' if array.dtype.kind in 'OUS' else array.dtype.name}"
            )
    args = [declare(program, given[n]) if n else None for n in node.input]
    attributes = {a.name: plain(get_attribute_value(a)) for a in node.attribute}
    narrow = any(a.dtype == np.float32 for a in (*given.values(), *outputs))
    row = ROWS[name]
    translate(row, bind(row, args, attributes), program, outputs)
    program.results += [None] * (len(outputs) - len(program.results))
    return Case(
        f"{name} {path.name}",
        program,
        outputs,
        [None] * len(outputs),
        {},
        tolerance=ROUGH.get(path.name, 2e-6 if narrow else 1e-12),
        entrywise=row.entrywise,
    )


def declare(program: Program, array: np.ndarray) -> Any:
    return program.declare(array.astype(np.int64) if array.dtype.kind == "i" else array)


def plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, onnx.TensorProto | onnx.GraphProto):
        raise Inexpressible("arrays as options")
    if isinstance(value, list | tuple) or hasattr(value, "extend"):
        return tuple(map(plain, value))
    return value


def arrays(path: Path, which: str) -> Iterator[np.ndarray]:
    """The data of a test, in order."""
    for k in range(len(list(path.glob(f"test_data_set_0/{which}_*.pb")))):
        data = (path / "test_data_set_0" / f"{which}_{k}.pb").read_bytes()
        tensor = onnx.TensorProto()
        try:
            tensor.ParseFromString(data)
            yield numpy_helper.to_array(tensor)
        except Exception as error:
            raise Inexpressible("sequences and optional values") from error


def reasons(found: list[Samples]) -> Counter[str]:
    return sum((s.reasons for s in found), Counter())
