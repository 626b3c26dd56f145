"""What a kernel's lines do, for those who ask what memory they take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bpc.ir import Equation
from bpc.ops.loops import Loop
from bpc.record import record

if TYPE_CHECKING:
    from bpc.codegen.kernel import Kernel


@record(frozen=True)
class Line:
    """An equation that has a line of its own, and what its result is assigned to."""

    equation: Equation
    target: str
    #: whether it writes into memory that is there
    written: bool = False


@record(frozen=True)
class Round:
    """A loop: the names of its results, its steps, and names that get new values after a step."""

    loop: Loop
    names: Sequence[str]
    steps: Kernel
    late: Sequence[tuple[str, str]]
