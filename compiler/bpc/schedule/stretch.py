"""What NumPy would stretch or convert as it goes is laid out in memory first, where arrays are small.

    z = add(h, b)      ->    b' = stretch(b); z = add(h, b')
    d = mul(g, on)     ->    on' = stretch(on); d = mul(g, on')       of bools

NumPy goes through equal arrays without an iterator, which takes longer to make than small arrays take.
"""

from __future__ import annotations

from dataclasses import replace

from bpc.ir import Atom, Equation, Function, Literal, Var
from bpc.ops.elementwise import ARITHMETIC
from bpc.ops.loops import map_bodies
from bpc.types import Type


def stretched(function: Function) -> Function:
    """The function, and its loops, with such arguments laid out right before they are read."""
    function = map_bodies(function, stretched)
    body: list[Equation] = []
    for e in function.body:
        if e.op in ARITHMETIC and any(a.type == e.out.type for a in e.args):
            args: list[Atom] = []
            for a in e.args:
                if _differs(a, e.out.type):
                    assert isinstance(a, Var)
                    shape = (("shape", e.out.type.shape),)
                    a, source = Var(f"{a.name}_rows", e.out.type), a
                    body.append(Equation("stretch", (source,), (a,), e.span, shape, e.adjoint))
                args.append(a)
            e = replace(e, args=tuple(args))
        body.append(e)
    return replace(function, body=tuple(body))


def _differs(atom: Atom, type: Type) -> bool:
    """Whether an array has another shape or kind than a result of reals."""
    array = not isinstance(atom, Literal) and bool(atom.type.shape)
    return array and type.kind == "real" and atom.type.kind != "int" and atom.type != type
