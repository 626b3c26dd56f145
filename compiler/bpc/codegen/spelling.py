"""How operators are spelled in Python: the toolkit `c` that the ops' entries write with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import field
from typing import Any

from bpc.codegen import expression as e
from bpc.codegen.expression import Code
from bpc.ir import Literal
from bpc.record import record
from bpc.types import Axis, Size, Type, size

Item = tuple[Size, Size, int]
LARGEST_POWER = 64  # that is computed by squaring


@record()
class Term:
    """A rendered argument and the type of what it stands for."""

    code: Code
    type: Type


Piece = Term | Code | str


def code_of(piece: Piece) -> Code:
    """The code of a term."""
    if isinstance(piece, Term):
        return piece.code
    return e.name(piece) if isinstance(piece, str) else piece


def _plain(piece: Piece) -> Code | str:
    return piece.code if isinstance(piece, Term) else piece


@record()
class Speller:
    """Renders operators; remembers what the file must import and carry."""

    names: dict[str, str]  # free dims to their Python names
    helpers: set[str] = field(default_factory=set)
    needs_dtype: bool = False
    used: set[str] = field(default_factory=set)

    def apply(self, spelling: Any, terms: Sequence[Term], attrs: dict[str, Any]) -> Code:
        """An operator on its arguments, by its entry's spelling."""
        if not isinstance(spelling, str):
            return code_of(spelling(self, *terms, **attrs))
        codes = [t.code for t in terms]
        if spelling.startswith("unary "):
            return e.unary(spelling[6:].strip(), codes[0])
        if spelling[0].isalpha() or spelling[0] == "_":
            if spelling in ("and", "or"):
                return e.binary(spelling, codes[0], codes[1])
            return self.call(spelling, *codes)
        return e.binary(spelling, codes[0], codes[1])

    def write(self, into: Any, terms: Sequence[Term], attrs: dict[str, Any], out: Term) -> Code:
        """The same with the memory that the result goes to."""
        if isinstance(into, str):
            return self.call(into, *(t.code for t in terms), out)
        return code_of(into(self, out, *terms, **attrs))

    # Values

    def literal(self, literal: Literal) -> Code:
        """A number; a size that is not known yet by its dims."""
        value = literal.value
        if isinstance(value, Size):
            return self.size(value, whole=literal.type.kind == "int")
        if isinstance(value, bool):
            return e.name(str(value))
        return self.number(value)

    def number(self, value: float) -> Code:
        """A number, also one that is not finite."""
        if isinstance(value, float) and not math.isfinite(value):
            name = "nan" if math.isnan(value) else "inf"
            code = e.name(f"{self.infinity}.{name}")
            return e.unary("-", code) if value < 0 else code
        return e.number(value)

    infinity: str = "np"

    def is_number(self, x: Term) -> bool:
        """Whether an argument is a number in the text."""
        return x.code.text.replace(".", "").isdigit()

    def size(self, value: Size, whole: bool = True) -> Code:
        """A size as Python computes it."""
        number = value.constant
        if number is not None:
            return e.number(int(number) if number.denominator == 1 else float(number))
        self.used |= value.dims()
        text = value.format(self.names.__getitem__, "//" if whole else "/", " * ")
        if text.isidentifier():
            return e.name(text)
        low = e.SUM if " + " in text or " - " in text or text[0] == "-" else e.PRODUCT
        return Code(text, low, 1)

    def sizes(self, shape: Sequence[Axis]) -> list[Code]:
        """The sizes of a shape."""
        return [self.size(axis.size) for axis in shape]

    def shape(self, shape: Sequence[Axis]) -> Code:
        """A shape as a tuple."""
        return self.display(self.sizes(shape))

    def display(self, items: Sequence[Piece]) -> Code:
        """A tuple display."""
        texts = [code_of(i).text for i in items]
        text = f"({texts[0]},)" if len(texts) == 1 else f"({', '.join(texts)})"
        depth = 1 + max((code_of(i).depth for i in items), default=0)
        return Code(text, e.ATOM, depth)

    def text(self, text: str) -> Code:
        """Python source as it is."""
        return e.name(text)

    def dtype(self) -> list[Code]:
        """The float dtype of the call."""
        self.needs_dtype = True
        return [e.name("dtype")]

    # Calls

    def call(self, head: str, *args: Piece) -> Code:
        """`head(args)`; a helper by its underscore, SciPy by its name."""
        if head[0] == "_" or head.startswith("special."):
            self.helpers.add(head.partition(".")[0])
        return e.call(head, [_plain(a) for a in args])

    def method(self, x: Term, name: str, *args: Piece) -> Code:
        """`x.name(args)`."""
        return e.method(x.code, name, [_plain(a) for a in args])

    def keyword(self, name: str, value: Any) -> str:
        """`name=value`."""
        return f"{name}={value}"

    def nonzero(self, name: str, value: Any) -> list[str]:
        """`name=value`, left out where the value is 0."""
        return [self.keyword(name, value)] if value else []

    def axis(self, x: Term, axis: int) -> Code:
        """An axis; the last one as -1."""
        return e.number(-1 if axis == x.type.rank - 1 else axis)

    def last(self, x: Term, axis: int) -> list[Code]:
        """An axis, left out where it is the last one."""
        return [] if axis == x.type.rank - 1 else [e.number(axis)]

    def over(self, x: Term, axes: tuple[int, ...], keep: bool) -> list[str]:
        """The arguments that name axes, which are left out where they are all."""
        args = []
        if len(axes) < x.type.rank:
            args.append(f"axis={axes[0] if len(axes) == 1 else axes}")
        if keep:
            args.append("keepdims=True")
        return args

    def reduce(self, function: str, x: Term, axes: tuple[int, ...], keep: bool) -> Code:
        """A reduction."""
        args = self.over(x, axes, keep)
        if function.startswith("."):
            return e.method(x.code, function[1:], args)
        return self.call(function, x.code, *args)

    def power(self, x: Term, y: Term) -> Code:
        """`x**2`: whole exponents are written as such; above 2 NumPy's own power is slow."""
        text = y.code.text
        if text.endswith(".0") and text[:-2].isdigit() and 2 < int(text[:-2]) <= LARGEST_POWER:
            return self.call("_power", x, text[:-2])
        exponent = e.name(text[:-2]) if text.endswith(".0") and text[:-2].isdigit() else y.code
        return e.binary("**", x.code, exponent)

    def conditional(self, then: Term, condition: Term, otherwise: Term) -> Code:
        """`then if condition else otherwise`."""
        return e.conditional(then.code, condition.code, otherwise.code)

    # Arrays

    def cast(self, x: Term, kind: str) -> Code:
        """Entries of another kind."""
        names = {"int": "np.int64", "bool": "np.bool_"}
        target = self.dtype()[0] if kind == "real" else e.name(names[kind])
        return e.method(x.code, "astype", [target])

    def full(self, x: Term, shape: Sequence[Axis]) -> Code:
        """`np.zeros((N, 3), dtype)`."""
        names = {"int": "np.int64", "bool": "np.bool_"}
        dtype = self.dtype() if x.type.kind == "real" else [e.name(names[x.type.kind])]
        args: list[Piece] = [self.shape(shape), *dtype]
        if not shape:
            number = code_of(args[1])
            head = f"{number.text}.type" if x.type.kind == "real" else number.text
            return self.call(head, x.code)
        if x.code.text in ("0.0", "1.0"):
            return self.call("np.zeros" if x.code.text == "0.0" else "np.ones", *args)
        return self.call("np.full", args[0], x.code, *args[1:])

    def empty(self, type: Type) -> Code:
        """`np.empty((T, N), dtype)`: room for what a loop stacks."""
        names = {"int": "np.int64", "bool": "np.bool_"}
        dtype = self.dtype() if type.kind == "real" else [e.name(names[type.kind])]
        return self.call("np.empty", self.shape(type.shape), *dtype)

    def copy(self, x: Term) -> Code:
        """Memory of its own."""
        return e.method(x.code, "copy", [])

    def transpose(self, x: Term, order: tuple[int, ...]) -> Code:
        """`x.T` where that is meant."""
        rank = len(order)
        if order == tuple(range(rank))[::-1]:
            return e.attribute(x.code, "T")
        if order == (*range(rank - 2), rank - 1, rank - 2):
            return e.method(x.code, "swapaxes", [e.number(-1), e.number(-2)])
        return e.method(x.code, "transpose", [e.number(i) for i in order])

    def expand(self, x: Term, axes: tuple[int, ...]) -> Code:
        """`x[:, None]`."""
        rank = x.type.rank + len(axes)
        if not x.type.rank:
            return e.method(x.code, "reshape", [e.number(1)] * rank)
        items = ["None" if i in axes else ":" for i in range(rank)]
        while items[-1] == ":":
            items.pop()
        return e.subscript(x.code, ", ".join(items))

    def slice(self, x: Term, items: Sequence[Item], dropped: Sequence[int] = ()) -> Code:
        """`x[1:, ::-2]`; `x[0]` where an axis is dropped."""
        return e.subscript(x.code, ", ".join(self._slices(x.type.shape, items, dropped)))

    def index(
        self, shape: Sequence[Axis], items: Sequence[Item], dropped: Sequence[int] = ()
    ) -> Code:
        """The same index as a value."""
        texts = self._slices(shape, items, dropped)
        if len(texts) == len(dropped) == 1:
            return e.name(texts[0])
        return e.name(f"np.s_[{', '.join(texts)}]")

    def _slices(
        self, shape: Sequence[Axis], items: Sequence[Item], dropped: Sequence[int]
    ) -> list[str]:
        texts = []
        for i, (axis, (start, count, step)) in enumerate(zip(shape, items)):
            if i in dropped:
                back = (start - axis.size).value
                texts.append(
                    str(back)
                    if back is not None and back < 0 and axis.size.value is None
                    else self.size(start).text
                )
                continue
            by = size(abs(step))
            end = start + (count - size(1)) * size(step)  # the last entry that is taken
            first = last = None
            if step > 0:
                if start != size(0):
                    first = self.size(start)
                if count != ((axis.size - start + by - size(1)) / by).floor():
                    # what may be empty ends at its start, not at -1
                    last = self.size(end + size(1) if count.value else start + count * by)
            else:
                if start != axis.size - size(1):
                    first = self.size(start)
                if count != ((start + by) / by).floor():
                    last = self.size(end - size(1))
            texts.append(e.slice_text(first, last, None if step == 1 else e.number(step)))
        while len(texts) > 1 and texts[-1] == ":":
            texts.pop()
        return texts

    def gather(self, x: Term, ids: Sequence[Term], axis: int) -> Code:
        """`x[:, i]`."""
        return e.subscript(x.code, ", ".join([":"] * axis + [i.code.text for i in ids]))

    def gather_index(self, ids: Sequence[Term], axis: int) -> Code:
        """The same index as a value."""
        texts = [i.code.text for i in ids]
        if axis:
            return e.name(f"np.s_[{', '.join([':'] * axis + texts)}]")
        return e.name(texts[0]) if len(texts) == 1 else e.name(f"({', '.join(texts)})")

    def diagonal(self, x: Term) -> Code:
        """The diagonal of the last two axes."""
        args = ["axis1=-2", "axis2=-1"] if x.type.rank > 2 else []
        return e.method(x.code, "diagonal", args)

    def einsum(self, xs: Sequence[Term], operands: Sequence[str], result: str) -> Code:
        """`np.einsum`."""
        spec = f'"{",".join(operands)}->{result}"'
        return e.call("np.einsum", [spec, *(x.code for x in xs)])
