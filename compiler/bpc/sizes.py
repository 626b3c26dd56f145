"""Sizes of axes: polynomials over named dims.

A size is a polynomial over named dims, `12*H + 1`, kept in one normal form, so that equal sizes are
equal values. Division is exact: `D/heads` has the monomial `D * heads^-1`, and `D/heads * heads` is
`D` again. What is rounded down, `floor((N - 3)/2)`, is an atom of its own, as is one over a sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from functools import lru_cache
from math import floor, lcm

from bpc.record import record


@record(frozen=True, eq=True)
class Floor:
    """The atom floor(inner): inner holds no whole part."""

    inner: Size


@record(frozen=True, eq=True)
class Reciprocal:
    """The atom 1/inner, where inner is a sum."""

    inner: Size


Atom = str | Floor | Reciprocal

MOST_PARTS = 256  # how many factors a size may have in all
LARGEST_FACTOR = 2**128


class SizeTooLarge(Exception):
    """A size with too many terms, or with too large a number in it, to compute with."""


Monomial = tuple[tuple[Atom, int], ...]
Coefficient = (
    int | Fraction
)  # a coefficient: an int where it is whole, which is almost always, and quick


@record(frozen=True, eq=True)
class Size:
    """A sum of monomials with rational coefficients, sorted, without zeros."""

    terms: tuple[tuple[Monomial, Coefficient], ...]

    @property
    def constant(self) -> Coefficient | None:
        """The number that this size is, if no dim stands in it."""
        if not self.terms:
            return 0
        if len(self.terms) == 1 and not self.terms[0][0]:
            return self.terms[0][1]
        return None

    @property
    def value(self) -> int | None:
        """The integer that this size is, if it is one."""
        number = self.constant
        return int(number) if number is not None and number.denominator == 1 else None

    @property
    def whole(self) -> bool:
        """Whether every integer value of the dims gives an integer."""
        return all(
            c.denominator == 1 and all(p > 0 and not isinstance(a, Reciprocal) for a, p in m)
            for m, c in self.terms
        )

    def dims(self) -> set[str]:
        """The names of the dims in it."""
        found: set[str] = set()
        for monomial, _ in self.terms:
            for atom, _power in monomial:
                found |= {atom} if isinstance(atom, str) else atom.inner.dims()
        return found

    def evaluate(self, dims: Mapping[str, int]) -> Fraction:
        """The number for given dims. KeyError for a dim that is not given; ZeroDivisionError."""
        total: Coefficient = 0
        for monomial, coefficient in self.terms:
            product = coefficient
            for atom, power in monomial:
                base: Coefficient
                if isinstance(atom, str):
                    base = int(dims[atom])
                elif isinstance(atom, Floor):
                    base = floor(atom.inner.evaluate(dims))
                else:
                    base = 1 / atom.inner.evaluate(dims)
                product *= base**power if power > 0 else 1 / Fraction(base) ** -power
            total += product
        return Fraction(total)

    def substitute(self, sizes: Mapping[str, Size]) -> Size:
        """The same with sizes in place of dims."""
        total = size(0)
        for monomial, coefficient in self.terms:
            product = _make({(): coefficient})
            for atom, power in monomial:
                if isinstance(atom, str):
                    base = sizes.get(atom) or dim(atom)
                elif isinstance(atom, Floor):
                    base = atom.inner.substitute(sizes).floor()
                else:
                    base = size(1) / atom.inner.substitute(sizes)
                for _ in range(abs(power)):
                    product = product * base if power > 0 else product / base
            total = total + product
        return total

    def __add__(self, other: Size) -> Size:
        if not self.terms or not other.terms:
            return self if self.terms else other
        terms = dict(self.terms)
        for monomial, coefficient in other.terms:
            terms[monomial] = terms.get(monomial, 0) + coefficient
        return _make(terms)

    def __neg__(self) -> Size:
        return Size(tuple((m, -c) for m, c in self.terms))

    def __sub__(self, other: Size) -> Size:
        return self + -other

    def __mul__(self, other: Size) -> Size:
        """Raises SizeTooLarge, as all that computes sizes does."""
        if self.terms == _ONE or other.terms == _ONE:
            return self if other.terms == _ONE else other
        terms: dict[Monomial, Coefficient] = {}
        if len(self.terms) * len(other.terms) > MOST_PARTS**2 // 8:
            raise SizeTooLarge
        for left, a in self.terms:
            for right, b in other.terms:
                monomial = _times(left, right) if left and right else left or right
                terms[monomial] = terms.get(monomial, 0) + a * b
        return _make(terms)

    def __truediv__(self, other: Size) -> Size:
        """Exact quotient. ZeroDivisionError where other is 0."""
        if not other.terms:
            raise ZeroDivisionError
        if len(other.terms) == 1:
            monomial, coefficient = other.terms[0]
            factor = 1 / Fraction(coefficient)
            whole = factor.numerator if factor.denominator == 1 else factor
            return self * Size(((tuple((a, -p) for a, p in monomial), whole),))
        if self == other:
            return size(1)
        return self * dim_of(Reciprocal(other))

    def floor(self) -> Size:
        """Rounded down."""
        whole: dict[Monomial, Coefficient] = {}
        rest: dict[Monomial, Coefficient] = {}
        for monomial, coefficient in self.terms:
            if Size(((monomial, 1),)).whole:
                whole[monomial] = floor(coefficient)
                rest[monomial] = coefficient - floor(coefficient)
            else:
                rest[monomial] = coefficient
        inner = _make(rest)
        number = inner.constant
        if number is not None:
            return _make(whole) + size(floor(number))
        return _make(whole) + dim_of(Floor(inner))

    def __str__(self) -> str:
        """As the language writes it: `12*H + 1`, `D/heads`."""
        return self.format(str)

    def format(self, name: Callable[[str], str], divide: str = "/", times: str = "*") -> str:
        """Text with dims named by `name`; with times ` * ` as Python writes it."""
        if not self.terms:
            return "0"
        numerators, denominator = self._over_common()
        text = _sum(numerators, name, divide, times)
        if not denominator:
            return text
        below = times.join(_power(a, p, name, divide, times) for a, p in denominator)
        above = f"({text})" if len(numerators) > 1 or numerators[0][1] < 0 else text
        compound = len(denominator) > 1 or (denominator[0][1] > 1 and times != "*")
        return f"{above}{_pad(divide, times)}{f'({below})' if compound else below}"

    @property
    def below(self) -> Size:
        """What the size is divided by: `N*O` of `2/(N*O)`, 1 of a polynomial."""
        total = size(1)
        for factor, power in self._over_common()[1]:
            if not isinstance(factor, int):
                base = factor.inner if isinstance(factor, Reciprocal) else dim_of(factor)
                for _ in range(power):
                    total = total * base
        return total

    def _over_common(
        self,
    ) -> tuple[list[tuple[Monomial, Coefficient]], list[tuple[Atom | int, int]]]:
        """Numerator terms without fractions, and the factors of the common denominator."""
        if self.whole:
            return list(self.terms), []
        scale = lcm(*(c.denominator for _, c in self.terms))
        lowest: dict[Atom, int] = {}
        for monomial, _ in self.terms:
            for atom, power in monomial:
                if isinstance(atom, Reciprocal):
                    lowest[atom] = max(lowest.get(atom, 0), power)
                elif power < 0:
                    lowest[atom] = max(lowest.get(atom, 0), -power)
        below = Size(((tuple(sorted(lowest.items(), key=lambda x: _key(x[0]))), scale),))
        multiplier = size(scale)
        factors: list[tuple[Atom | int, int]] = [(scale, 1)] if scale != 1 else []
        for atom, power in below.terms[0][0]:
            base = atom.inner if isinstance(atom, Reciprocal) else dim_of(atom)
            for _ in range(power):
                if isinstance(atom, Reciprocal):
                    multiplier = multiplier * Size(((((atom, -1),), 1),))
                else:
                    multiplier = multiplier * base
            factors.append((atom, power))
        return list(_expanded(self * multiplier).terms), factors


def _expanded(value: Size) -> Size:
    """The same with sums multiplied out where they stand as 1/(1/sum)."""
    total = size(0)
    for monomial, coefficient in value.terms:
        kept = tuple((a, p) for a, p in monomial if p > 0 or not isinstance(a, Reciprocal))
        piece = Size(((kept, coefficient),))
        for atom, power in monomial:
            if isinstance(atom, Reciprocal):
                for _ in range(-power):
                    piece = piece * atom.inner
        total = total + piece
    return total


def _pad(operator: str, times: str) -> str:
    return f" {operator} " if " " in times else operator


def _sum(
    terms: Iterable[tuple[Monomial, Coefficient]],
    name: Callable[[str], str],
    divide: str,
    times: str,
) -> str:
    text = ""
    for monomial, coefficient in terms:
        factors = [_power(a, p, name, divide, times) for a, p in monomial]
        if abs(coefficient) != 1 or not factors:
            factors.insert(0, str(abs(coefficient)))
        sign = ("-" if coefficient < 0 else "") if not text else " - " if coefficient < 0 else " + "
        text += sign + times.join(factors)
    return text


def _power(
    atom: Atom | int, power: int, name: Callable[[str], str], divide: str, times: str
) -> str:
    if isinstance(atom, int):
        return str(atom)
    if isinstance(atom, str):
        text = name(atom)
    elif isinstance(atom, Reciprocal):
        text = f"({atom.inner.format(name, divide, times)})"
    elif times == "*":
        text = f"floor({atom.inner.format(name)})"
    else:
        text = f"({atom.inner.format(name, '//', times)})"
    return times.join([text] * power)


@lru_cache(maxsize=4096)
def _key(atom: Atom) -> tuple[int, str]:
    """The order of atoms in a term; kept, since an atom's text holds those of all inside it."""
    return (0, atom) if isinstance(atom, str) else (1, str(atom.inner))


def _times(left: Monomial, right: Monomial) -> Monomial:
    powers = dict(left)
    for atom, power in right:
        powers[atom] = powers.get(atom, 0) + power
    return tuple(sorted(((a, p) for a, p in powers.items() if p), key=lambda x: _key(x[0])))


def _make(terms: Mapping[Monomial, Coefficient]) -> Size:
    kept = [(m, c if c.denominator != 1 else c.numerator) for m, c in terms.items() if c]
    if len(kept) > 1:
        kept.sort(key=lambda t: (-sum(p for _, p in t[0]), [(_key(a), -p) for a, p in t[0]]))
    parts = sum(_parts(monomial) for monomial, _ in kept)
    if parts > MOST_PARTS:
        raise SizeTooLarge
    if any(max(abs(c.numerator), c.denominator) > LARGEST_FACTOR for _, c in kept):
        raise SizeTooLarge
    return Size(tuple(kept))


def _parts(monomial: Monomial) -> int:
    """The factors of a term with those inside its atoms, about as many as its text has.

    A sum that divides counts four times: over a common denominator its text stands in the
    numerators too.
    """
    count = 1
    for atom, power in monomial:
        if isinstance(atom, str):
            count += abs(power)
            continue
        inside = 1 + sum(_parts(m) for m, _ in atom.inner.terms)
        count += abs(power) * inside * (4 if isinstance(atom, Reciprocal) else 1)
    return count


_ONE: tuple[tuple[Monomial, Coefficient], ...] = (((), 1),)


@lru_cache(maxsize=4096)
def size(number: int) -> Size:
    """The size that is this number."""
    return Size((((), number),)) if number else Size(())


@lru_cache(maxsize=4096)
def dim(name: str) -> Size:
    """The size of a free dim."""
    return dim_of(name)


def dim_of(atom: Atom) -> Size:
    """The size that is one atom."""
    return Size(((((atom, 1),), 1),))


def product(sizes: Iterable[Size]) -> Size:
    """The product of sizes."""
    total = size(1)
    for item in sizes:
        total = total * item
    return total
