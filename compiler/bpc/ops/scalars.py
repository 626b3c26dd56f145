"""Helpers that a generated module of scalars carries: Python floats with IEEE results.

Python's `math` raises where NumPy gives inf or NaN; these give what NumPy gives. The text of each
function goes into the output as it stands here.
"""

import math
from typing import Any

special: Any = None  # a generated module that needs it imports SciPy's


def _div(x, y):
    """x / y; a division by zero gives inf or NaN."""
    if y:
        return x / y
    if x == 0.0 or math.isnan(x):
        return math.nan
    return math.copysign(math.inf, x) * math.copysign(1.0, y)


def _pow(x, y):
    """x**y; inf on overflow, NaN where the result would be complex."""
    try:
        return math.pow(x, y)
    except OverflowError:
        return -math.inf if x < 0.0 and y % 2.0 == 1.0 else math.inf
    except ValueError:
        if x != 0.0:
            return math.nan
        return math.copysign(math.inf, x) if y % 2.0 == 1.0 else math.inf


def _exp(x):
    """The exponential; inf on overflow."""
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def _expm1(x):
    """exp(x) - 1; inf on overflow."""
    try:
        return math.expm1(x)
    except OverflowError:
        return math.inf


def _log(x):
    """The logarithm; -inf at 0, NaN below."""
    return math.log(x) if x > 0.0 else -math.inf if x == 0.0 else math.nan


def _log1p(x):
    """log(1 + x); -inf at -1, NaN below."""
    return math.log1p(x) if x > -1.0 else -math.inf if x == -1.0 else math.nan


def _sqrt(x):
    """The square root; NaN below 0."""
    return math.sqrt(x) if x >= 0.0 else math.nan


def _sign(x):
    """-1, 0 or 1; NaN for NaN."""
    return x if math.isnan(x) else float((x > 0.0) - (x < 0.0))


def _floor(x):
    """x rounded down; inf, NaN and -0.0 stay."""
    return float(math.floor(x)) if math.isfinite(x) and x else x


def _sin(x):
    """The sine; NaN at infinity."""
    return math.sin(x) if math.isfinite(x) else math.nan


def _cos(x):
    """The cosine; NaN at infinity."""
    return math.cos(x) if math.isfinite(x) else math.nan


def _tan(x):
    """The tangent; NaN at infinity."""
    return math.tan(x) if math.isfinite(x) else math.nan


def _asin(x):
    """The inverse sine; NaN outside [-1, 1]."""
    return math.asin(x) if -1.0 <= x <= 1.0 else math.nan


def _acos(x):
    """The inverse cosine; NaN outside [-1, 1]."""
    return math.acos(x) if -1.0 <= x <= 1.0 else math.nan


def _sinh(x):
    """The hyperbolic sine; inf on overflow."""
    try:
        return math.sinh(x)
    except OverflowError:
        return math.copysign(math.inf, x)


def _cosh(x):
    """The hyperbolic cosine; inf on overflow."""
    try:
        return math.cosh(x)
    except OverflowError:
        return math.inf


def _lgamma(x):
    """The logarithm of the gamma function; inf at its poles."""
    if x == -math.inf:
        return x
    try:
        return math.lgamma(x)
    except (OverflowError, ValueError):
        return math.inf


def _digamma(x):
    """The derivative of lgamma."""
    return float(special.digamma(x))


def _trigamma(x):
    """The second derivative of lgamma."""
    return float(special.polygamma(1, x))


def _tetragamma(x):
    """The third derivative of lgamma."""
    return float(special.polygamma(2, x))


def _xlogy(x, y):
    """x * log(y), and 0 where x is 0."""
    return x * _log(y) if x or math.isnan(y) else 0.0


def _sigmoid(x):
    """1 / (1 + exp(-x)), never overflowing."""
    e = math.exp(-abs(x))
    return (1.0 if x >= 0.0 else e) / (1.0 + e)


def _softplus(x):
    """log(1 + exp(x)), never overflowing."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _logaddexp(x, y):
    """log(exp(x) + exp(y)), never overflowing."""
    if x == y:
        return x + math.log(2.0)
    return _maximum(x, y) + math.log1p(math.exp(-abs(x - y)))


def _bce_with_logits(z, t):
    """log(1 + exp(z)) - z * t, never overflowing."""
    return max(z, 0.0) - z * t + math.log1p(math.exp(-abs(z)))


def _maximum(x, y):
    """The larger; NaN if one is."""
    return x if x >= y or math.isnan(x) else y


def _minimum(x, y):
    """The smaller; NaN if one is."""
    return x if x <= y or math.isnan(x) else y


def _clip(x, lo, hi):
    """x held between lo and hi."""
    return _minimum(_maximum(x, lo), hi)
