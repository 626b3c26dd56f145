"""Formulas in the dims: polynomials as sizes are, with as many terms as it takes.

2*N*H + 10*N            of a table of terms
itemsize*(2*N*H) + 8*N  bytes: what stands with the size of a float is together
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bpc.ops.cost import ITEM
from bpc.sizes import Coefficient, Monomial, Size, SizeTooLarge

ONE_ITEM = ITEM.terms[0][0][0][0]
#: what a dim is where nobody says: formulas are written with their largest terms first
USUAL = 1000
WIDEST = 10**9
#: of a function's peak: how many formulas there may be, and how long they are
MOST_MOMENTS = 24
MOST_TERMS = 64


class Formula:
    """A sum of terms, which more is added to."""

    def __init__(self, terms: Mapping[Monomial, Coefficient] | None = None) -> None:
        self.terms = dict(terms or {})

    @staticmethod
    def of(amount: Size) -> Formula:
        """The formula that a size is."""
        return Formula(dict(amount.terms))

    def add(self, amount: Size | Formula, times: int = 1) -> Formula:
        """Add to it, or take away; the same."""
        pairs = amount.terms.items() if isinstance(amount, Formula) else amount.terms
        for monomial, coefficient in pairs:
            total = self.terms.get(monomial, 0) + (
                coefficient if times == 1 else coefficient * times
            )
            if total:
                self.terms[monomial] = total
            else:
                self.terms.pop(monomial, None)
        return self

    def times(self, factor: Size) -> Formula:
        """A new one, multiplied. Raises SizeTooLarge."""
        result = Formula()
        for term in self.terms.items():
            result.add(Size((term,)) * factor)
        return result

    def copy(self) -> Formula:
        """A new one."""
        return Formula(self.terms)

    def dims(self) -> set[str]:
        """The names of the dims in it."""
        return set().union(*(Size((t,)).dims() for t in self.terms.items()))

    def evaluate(self, dims: Mapping[str, int]) -> int:
        """The number for given dims, rounded. ZeroDivisionError, KeyError."""
        return round(Size(tuple(self.terms.items())).evaluate(dims))

    def covers(self, other: Formula) -> bool:
        """Whether it surely is as large as another one, for all dims from 1 on."""
        rest = self.copy().add(other, -1)
        left = {m: c for m, c in rest.terms.items() if c > 0}
        for monomial, lacking in rest.terms.items():
            if lacking > 0:
                continue
            for larger in [m for m in left if _contains(m, monomial)]:
                taken = min(left[larger], -lacking)
                left[larger] -= taken
                lacking += taken
            if lacking < 0:
                return False
        return True

    def split(self) -> tuple[Formula, Formula]:
        """What is multiplied by the size of a float, without that; and the rest."""
        inside, rest = Formula(), Formula()
        for monomial, coefficient in self.terms.items():
            powers = dict(monomial)
            power = powers.pop(ONE_ITEM, 0)
            target = inside if power == 1 else rest
            target.terms[tuple(powers.items()) if power == 1 else monomial] = coefficient
        return inside, rest

    def ordered(self) -> list[tuple[Monomial, Coefficient]]:
        """The terms, the largest first."""
        return sorted(self.terms.items(), key=lambda t: (-abs(_usual(t)), str(Size((_plain(t),)))))

    def text(self, width: int = WIDEST) -> str:
        """As the language writes it; terms that do not fit the width are `...`."""
        inside, rest = self.split()
        if not inside.terms:
            return _text(rest.ordered(), width)
        head = _text(inside.ordered(), width - 11)
        head = f"itemsize*({head})" if " " in head else f"{head}*itemsize"
        if not rest.terms:
            return head
        tail = _text(rest.ordered(), max(width - len(head) - 3, 1))
        return f"{head} - {tail[1:]}" if tail.startswith("-") else f"{head} + {tail}"

    def __str__(self) -> str:
        return self.text()


def _contains(larger: Monomial, smaller: Monomial) -> bool:
    """Whether one product is the other times something that is at least 1."""
    powers = dict(larger)
    for atom, power in smaller:
        powers[atom] = powers.get(atom, 0) - power
    return all(p >= 0 and (not p or isinstance(a, str)) for a, p in powers.items())


def _usual(term: tuple[Monomial, Coefficient]) -> float:
    """About how large a term is where all dims are."""
    amount = Size((term,))
    try:
        return float(amount.evaluate(dict.fromkeys(amount.dims(), USUAL)))
    except ZeroDivisionError:
        return 0.0


def _plain(term: tuple[Monomial, Coefficient]) -> tuple[Monomial, Coefficient]:
    return term[0], 1


def _text(terms: Sequence[tuple[Monomial, Coefficient]], width: int) -> str:
    """Terms as text, the first at least."""
    text = ""
    for i, (monomial, coefficient) in enumerate(terms):
        size = coefficient if coefficient > 0 else -coefficient
        term = Size(((monomial, size),)).format(str)
        sign = ("-" if coefficient < 0 else "") if not text else " - " if coefficient < 0 else " + "
        last = i == len(terms) - 1
        if text and len(text) + len(sign) + len(term) + (0 if last else 6) > width:
            return f"{text} + ..."
        text += sign + term
    return text or "0"


def largest(moments: Iterable[Formula]) -> tuple[Formula, ...]:
    """Those that no other one covers. Raises SizeTooLarge where they are many, or long."""
    kept: list[Formula] = []
    for moment in moments:
        if len(moment.terms) > MOST_TERMS:
            raise SizeTooLarge
        if any(k.covers(moment) for k in kept):
            continue
        kept = [k for k in kept if not moment.covers(k)]
        kept.append(moment)
    if len(kept) > MOST_MOMENTS:
        raise SizeTooLarge
    return tuple(kept)
