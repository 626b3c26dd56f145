"""What `bpc derive` knows: an expression, its derivative on paper, and its value.

formula = read("w^3")
bp(derivative(formula, "w"))      3*w^2
value(formula, {"w": 2.001})      8.012006001
"""

from bpc.derivation.calculus import derivative, evaluate, slope, symbolic, value
from bpc.derivation.formula import Formula
from bpc.derivation.reading import read
from bpc.derivation.spelling import bp

__all__ = ["Formula", "bp", "derivative", "evaluate", "read", "slope", "symbolic", "value"]
