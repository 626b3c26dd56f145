"""Axes, shapes and array types, and the rule by which shapes broadcast."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field

from bpc.record import record
from bpc.sizes import Size, SizeTooLarge, dim, product, size

__all__ = [
    "BOOL", "INT", "KINDS", "NEW", "ONE", "REAL", "Axis", "Mismatch", "Shape", "Size",
    "SizeTooLarge", "Type", "broadcast_shapes", "dim", "product", "show", "size",
]  # fmt: skip


@record(frozen=True, eq=True)
class Axis:
    """One axis of a shape.

    `label` is the dim's name for `axis=`; `stretch` marks an axis made with `new` or kept by
    `keep=true`, which always may be stretched. Neither counts when shapes are compared.
    """

    size: Size
    label: str | None = field(default=None, compare=False)
    stretch: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        number = self.size.value
        return self.label if self.label and number is None else str(self.size)


ONE = Axis(size(1))
NEW = Axis(size(1), stretch=True)
Shape = tuple[Axis, ...]
KINDS = ("bool", "int", "real")


@record(frozen=True, eq=True)
class Type:
    """An array type: kind `bool`, `int` or `real`, and a shape."""

    kind: str
    shape: Shape = ()

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def with_shape(self, shape: Iterable[Axis]) -> Type:
        """The same kind in another shape."""
        return Type(self.kind, tuple(shape))

    def with_kind(self, kind: str) -> Type:
        """The same shape of another kind."""
        return self if kind == self.kind else Type(kind, self.shape)

    @property
    def count(self) -> Size:
        """Number of entries."""
        return product(axis.size for axis in self.shape)

    def __str__(self) -> str:
        """`[N, 64]`, `int[N]`, `real` for a scalar."""
        shape = f"[{', '.join(map(str, self.shape))}]" if self.shape else ""
        return shape if self.kind == "real" and shape else f"{self.kind}{shape}"


REAL, INT, BOOL = Type("real"), Type("int"), Type("bool")


def show(shape: Shape) -> str:
    """`[N, 64]`, also for a scalar: `[]`."""
    return f"[{', '.join(map(str, shape))}]"


class Mismatch(Exception):
    """Shapes that do not broadcast; `both` where each would have to be stretched."""

    def __init__(self, shapes: tuple[Shape, ...], both: bool) -> None:
        self.shapes, self.both = shapes, both
        super().__init__(" and ".join(map(show, shapes)))


def broadcast_shapes(shapes: tuple[Shape, ...]) -> Shape:
    """The common shape under the one-sided rule: some operand must already have it.

    Trailing axes align. Scalars go with anything, and an axis marked `stretch` does not count as
    stretched. Raises Mismatch.
    """
    full = [s for s in shapes if s]
    if not full:
        return ()
    if len(full) == 1:
        return full[0]
    rank = max(map(len, full))
    result: list[Axis] = []
    stretched = [len(s) < rank for s in full]
    for position in range(-rank, 0):
        axes = [(i, s[position]) for i, s in enumerate(full) if len(s) >= -position]
        wide = [a for _, a in axes if a.size != ONE.size]
        if any(a.size != wide[0].size for a in wide):
            raise Mismatch(shapes, both=False)
        if wide:
            label = next((a.label for a in wide if a.label), None)
            result.append(Axis(wide[0].size, label))
            for i, axis in axes:
                if axis.size == ONE.size and not axis.stretch:
                    stretched[i] = True
        else:
            result.append(NEW if all(a.stretch for _, a in axes) else ONE)
    if all(stretched):
        raise Mismatch(shapes, both=True)
    return tuple(result)
