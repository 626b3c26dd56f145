"""What an argument of a function of the language is, as the annotation on `call` says it.

    def softmax(m: Builder, x: Value, axis: Axis = -1) -> Expr: ...

Lowering reads the names of the annotations and hands over an Expr, a checked axis, and so on.
"""

from __future__ import annotations

from typing import Any

from bpc.ops.build import Expr

Value = Expr  # an array or a number: becomes an Expr
Name = Expr  # an array under a name of the program
Factor = Expr | float  # the same, where it need not be given
Bool = Expr  # a bool array
Axis = Any  # one axis of the first value: an int from 0
NewAxis = Any  # one axis of the result, which has one more than the first value
Axes = Any  # a tuple of axes of the first value, None: all
GivenAxes = Any  # the same, None where they are not given
Flag = bool  # true or false
Integer = int  # an int known at compile time
Real = float  # a number known at compile time
Length = Any  # a Size
Shape = Any  # a tuple of types.Axis
Static = Any  # ints known at compile time, in tuples or alone
Text = str  # a text in quotes
