"""Numbers that scale a whole array leave it where all that comes of it is added up.

    c = div(1.0, N)
    g = mul(2.0, div(broadcast(c), q))
    s = sum(g)                                 g = div(1.0, q)
    t = sum(mul(g, x))                   ->    s = mul(2.0 * c, sum(g)); t = mul(2.0 * c, sum(mul(g, x)))

Each factor is a pass over the entries. A value that is needed as it is gets all of its factors at
once; if it is a product with something stretched, that gets them, as it has fewer entries. Only
numbers, and what is computed of sizes alone, are moved about there: no overflow comes of them. Other
scalars leave what is added up and nothing else.
"""

from __future__ import annotations

from dataclasses import replace

from bpc.ir import Atom, Equation, Function, Literal, Var, live, variables
from bpc.ops import OPS, Builder, Expr
from bpc.passes.rewrite import number
from bpc.passes.simplify import MODEST
from bpc.record import record

#: what moves entries about, or stretches them
MOVES = frozenset(("broadcast", "expand_dims", "reshape", "transpose"))
#: what may get the factors of its argument, which may be the first of two
SCALED = frozenset(("mul", "div", "neg", "identity"))


@record(frozen=True)
class Scaled:
    """An array that is `base` times a number and scalars; the base of a number alone is None."""

    base: Atom | None
    factor: float = 1.0
    scalars: tuple[Atom, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether there is no factor."""
        return self.factor == 1.0 and not self.scalars


def factors(function: Function) -> Function:
    """Take factors out of what is added up."""
    if not any(e.op == "sum" for e in function.body):
        return function
    return _Mover(function).run()


class _Mover:
    """Goes through the equations of a function and writes them anew."""

    def __init__(self, function: Function) -> None:
        self.function, self.m = function, Builder(function.body[0].span)
        self.body = live(function, strict=True).body
        self.results = set(variables(function.results))
        self.readers: dict[Var, list[Equation]] = {}
        #: scalars that depend on sizes alone, and what such are stretched to; and others that are
        self.numbers: dict[Var, Atom] = {}
        self.others: dict[Var, Atom] = {}
        for e in self.body:
            for arg in set(variables(e.args)):
                self.readers.setdefault(arg, []).append(e)
            known = all(isinstance(a, Literal) or a in self.numbers for a in e.args)
            if known and len(e.outs) == 1 and e.out.type.kind == "real":
                if not e.out.type.shape and (OPS[e.op].elementwise or e.op == "count"):
                    self.numbers[e.out] = e.out
                elif e.op in MOVES and isinstance(e.args[0], Var):
                    self.numbers[e.out] = self.numbers[e.args[0]]
            elif e.op == "broadcast" and not e.args[0].type.shape:
                self.others[e.out] = e.args[0]
        #: what is needed up to factors alone, and what hands its factors on to what gets more of them
        self.free: set[Var] = set()
        self.handed: set[Var] = set()
        for e in reversed(self.body):
            self.free.update(o for o in e.outs if not self.needing(o))
            self.handed.update(o for o in e.outs if self.hands(o))
        #: arrays whose factors are still to come
        self.scaled: dict[Atom, Scaled] = {}
        #: what the function computed them by
        self.origin: dict[Atom, Equation] = {}
        #: the new equations
        self.made: dict[Atom, Equation] = {}
        self.changed = False

    def run(self) -> Function:
        """The new function; the same where no factor moved."""
        for e in self.body:
            self.m.span, self.m.hint, self.m.adjoint = e.span, "", e.adjoint
            found = self.found(e)
            if found is None:
                self.emit(replace(e, args=tuple(map(self.need, e.args))))
                continue
            self.changed = True
            self.scaled[e.out], self.origin[e.out] = found, e
            if not self.moved(e.out):
                self.need(e.out)
        if not self.changed:
            return self.function
        results = tuple(map(self.need, self.function.results))
        return replace(self.function, body=tuple(self.m.body), results=results)

    def emit(self, e: Equation) -> Atom:
        """A new equation; its result."""
        self.m.body.append(e)
        self.made |= dict.fromkeys(e.outs, e)
        return e.outs[0]

    # Where factors may go

    def needing(self, var: Var) -> list[Equation | None]:
        """The readers that need an array as it is; None stands for the caller."""
        found: list[Equation | None] = [None] if var in self.results else []
        for e in self.readers.get(var, ()):
            passed = _passes(e, var) or e.op in MOVES
            if e.op != "sum" and not (passed and e.out in self.free):
                found.append(e)
        return found

    def hands(self, var: Var) -> bool:
        """Whether factors go on to the one reader that needs the array, for others wait there."""
        needing = self.needing(var)
        if len(needing) != 1 or needing[0] is None or not _passes(needing[0], var):
            return False
        (e,) = needing
        assert e is not None
        more = e.op == "neg" or any(isinstance(a, Literal) or a in self.numbers for a in e.args)
        return more or e.out in self.handed

    def moved(self, var: Var) -> bool:
        """Whether factors of an array need not be applied to it."""
        return var in self.free or var in self.handed

    # What equations are, up to factors

    def found(self, e: Equation) -> Scaled | None:
        """What an equation computes, where that has factors; None where it stays."""
        if len(e.outs) != 1 or e.out.type.kind != "real" or e.out in self.numbers:
            return None
        if e.op == "sum" or e.op in MOVES or e.op in ("neg", "identity"):
            return self.single(e)
        if e.op in ("mul", "div") and e.out.type.shape:
            return self.product(e)
        return None

    def single(self, e: Equation) -> Scaled | None:
        """A sum of what has factors, its negative, or the same moved about."""
        x = self.part(e.args[0])
        if x.base is None or (x.plain and (e.op != "neg" or not self.moved(e.out))):
            return None
        if e.op in ("neg", "identity"):
            return replace(x, factor=-x.factor if e.op == "neg" else x.factor)
        out = Var(_unscaled(e.out), e.out.type)
        return replace(x, base=self.emit(replace(e, args=(x.base,), outs=(out,))))

    def product(self, e: Equation) -> Scaled | None:
        """A product or quotient of what has factors; where none has any yet, if they may move on."""
        x, y = map(self.part, e.args)
        if e.op == "mul" and e.out in self.free:
            x, y = self.scalar(e.args[0]) or x, self.scalar(e.args[1]) or y
        if e.op == "div":
            if y.base is not None and not y.plain:
                y = Scaled(self.need(e.args[1]))
            y = self.inverse(y) if y.base is None and x.base is not None else y
        if (x.plain and y.plain) or (x.base is None and y.base is None):
            return None
        if x.base is None or y.base is None:
            other = x if x.base is not None else y
            if other.plain and not self.moved(e.out) and not self.smaller(other.base):
                return None
        factor = x.factor * y.factor
        if not MODEST[0] <= abs(factor) <= MODEST[1]:
            return None
        base: Atom | None
        if e.op == "mul" or y.base is None:
            base = y.base if x.base is None else x.base
        if e.op == "div" and x.base is None:
            x = replace(x, base=Literal(1.0, e.out.type))
        if x.base is not None and y.base is not None:
            out = Var(_unscaled(e.out), e.out.type)
            base = self.emit(replace(e, args=(x.base, y.base), outs=(out,)))
        return Scaled(base, factor, (*x.scalars, *y.scalars))

    def smaller(self, base: Atom | None) -> bool:
        """Whether something with fewer entries can get the factors of an array that nobody else reads."""
        alone = isinstance(base, Var) and len(self.readers.get(base, ())) == 1
        return alone and base is not None and self.stretched(base)[0] is not None

    def part(self, atom: Atom) -> Scaled:
        """What an argument is, up to factors."""
        if isinstance(atom, Literal):
            value = number(atom)
            if value is not None:
                return Scaled(None, float(value))
            return Scaled(None, 1.0, (Literal(atom.value, atom.type.with_shape(())),))
        if atom in self.numbers:
            return Scaled(None, 1.0, (self.numbers[atom],))
        return self.scaled.get(atom, Scaled(atom))

    def scalar(self, atom: Atom) -> Scaled | None:
        """What a scalar is that is stretched to an argument."""
        scalar = self.others.get(atom) if isinstance(atom, Var) else None
        return Scaled(None, 1.0, (self.need(scalar),)) if scalar is not None else None

    def inverse(self, x: Scaled) -> Scaled:
        """One over a number."""
        if x.factor != 1.0:
            return Scaled(None, 1.0 / x.factor if x.factor else 0.0)
        return Scaled(None, 1.0, tuple((1.0 / Expr(self.m, s)).atom for s in x.scalars))

    # Arrays with all of their factors

    def need(self, atom: Atom) -> Atom:
        """An array as it is."""
        x = self.scaled.pop(atom, None)
        if x is None or x.base is None or not isinstance(atom, Var):
            return atom
        m, place = self.m, (self.m.span, self.m.adjoint)
        m.span, m.adjoint = self.origin[atom].span, self.origin[atom].adjoint
        mark = len(m.body)
        value = self.times(x)
        last = Equation("identity", (value.atom,), (atom,), m.span, (), m.adjoint)
        if len(m.body) > mark:
            last = replace(m.body.pop(), outs=(atom,))
        self.emit(last)
        m.span, m.adjoint = place
        return atom

    def times(self, x: Scaled) -> Expr:
        """All factors, on what has the fewest entries."""
        assert x.base is not None
        factor: Expr | float = x.factor
        for scalar in x.scalars:
            factor = Expr(self.m, scalar) if factor == 1.0 else factor * Expr(self.m, scalar)
        product, moved = self.stretched(x.base)
        if product is None:
            return _scaled(factor, Expr(self.m, x.base))
        value = _scaled(factor, Expr(self.m, moved[-1].args[0]))
        for e in reversed(moved):
            value = self.m.emit(e.op, value, **dict(e.attrs))
        return self.m.elementwise(
            "mul", *(value if a is moved[0].out else Expr(self.m, a) for a in product.args)
        )

    def stretched(self, base: Atom) -> tuple[Equation | None, list[Equation]]:
        """The product behind an array, if it is one with something stretched, and what stretches that."""
        product = self.made.get(base)
        for arg in product.args if product is not None and product.op == "mul" else ():
            moved: list[Equation] = []
            while (e := self.made.get(arg)) is not None and e.op in MOVES:
                moved.append(e)
                arg = e.args[0]
            if any(e.op == "broadcast" for e in moved):
                return product, moved
        return None, []


def _passes(e: Equation, var: Var) -> bool:
    """Whether a result has the factors of an argument."""
    return e.op in SCALED and e.args.count(var) == 1 and (e.op == "mul" or e.args[0] is var)


def _scaled(factor: Expr | float, x: Expr) -> Expr:
    """A product; a negative where that is meant."""
    if factor == 1.0:
        return x
    return -x if factor == -1.0 else factor * x


def _unscaled(var: Var) -> str:
    """What a value without its factors is called."""
    return f"{var.name}_unscaled" if var.named else var.name
