"""The table of `bpc compile --timings`: what each stage took, and what came out of it.

    stage              seconds   share
    start                0.201   65.9%  the interpreter and its imports
    parse                0.062   20.3%  11 statements
    lower                0.002    0.7%  19 equations
    ...
    total                0.305  100.0%

Shares are of the total.
"""

from __future__ import annotations

import time
from collections.abc import Iterator


class Timings:
    """Told of each stage as it ends; what has passed since the last one is its time.

    What came before is `start`, in seconds of the processor: nobody has looked at a clock.
    """

    def __init__(self) -> None:
        #: for each stage seconds, and what came out
        self.rows = {"start": (time.process_time(), "the interpreter and its imports")}
        self.last = time.perf_counter()

    def __call__(self, stage: str, result: str) -> None:
        """A stage has ended."""
        now = time.perf_counter()
        self.rows[stage] = now - self.last, result
        self.last = now

    def table(self) -> Iterator[str]:
        """The lines."""
        total = sum(seconds for seconds, _ in self.rows.values())
        yield f"{'stage':<16}{'seconds':>10}{'share':>8}"
        for stage, (seconds, result) in self.rows.items():
            yield f"{stage:<16}{seconds:>10.3f}{seconds / total:>8.1%}  {result}".rstrip()
        yield f"{'total':<16}{total:>10.3f}{1:>8.1%}"
