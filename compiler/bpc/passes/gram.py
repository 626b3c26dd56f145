"""Products of a matrix with itself, weighted row by row, are those of one matrix with itself, at -O2.

    y = mul(x, d[:, new])              s = mul(x, sqrt(d)[:, new])
    H = matmul(y.T, x)           ->    H = matmul(s.T, s)             where d is not negative

BLAS computes half of such a product. That is what the Hessian of a generalised linear model is: its
columns may be some of those of x, as in `y = mul(x[:, first:first+K], ...)`.
"""

from __future__ import annotations

from bpc.ir import Atom, Equation, Function, Literal, Var, uses
from bpc.ops import Expr
from bpc.passes.rewrite import View, rewrite
from bpc.sizes import Reciprocal, Size

#: operators whose results are not negative, and those of which the results are not if no argument is
NEVER_NEGATIVE = frozenset(("exp", "sigmoid", "abs", "sqrt", "softplus", "softmax"))
KEEP_SIGNS = frozenset(("add", "mul", "div", "broadcast", "reshape", "expand_dims", "slice"))
DEEPEST = 8


def gram(function: Function) -> Function:
    """Write such products with the square roots of the weights."""
    if not any(e.op == "matmul" for e in function.body):
        return function
    read = uses(function)

    def rule(view: View, e: Equation) -> Expr | None:
        if e.op != "matmul" or e.out.type.rank != 2:
            return None
        turned = view.definition(e.args[0], "transpose")
        y = turned.args[0] if turned is not None else None
        product = view.definition(y, "mul") if y is not None else None
        if product is None or not isinstance(y, Var) or read.get(y, 1) > 1:
            return None
        return _square(view, product, e.args[1])

    return rewrite(function, rule)


def _square(view: View, product: Equation, x: Atom) -> Expr | None:
    for part, stretched in (product.args, product.args[::-1]):
        columns = view.definition(part, "slice")
        whole = columns.args[0] if columns is not None else part
        wide = view.definition(stretched, "broadcast")
        column = view.made(wide.args[0]) if wide is not None else None
        if whole is not x or column is None or column.op not in ("reshape", "expand_dims"):
            continue
        if column.args[0].type.rank != 1:
            continue
        (d,) = column.args
        if column.out.type.shape[-1].size.value != 1 or not _positive(view, d, DEEPEST):
            continue
        m = view.m
        root = m.emit("reshape", m.sqrt(view.expr(d)), shape=column.out.type.shape)
        s = view.expr(x) * m.broadcast_to(root, x.type.shape)
        left = m.emit("slice", s, items=dict(columns.attrs)["items"]) if columns else s
        return m.emit("matmul", m.emit("transpose", left, order=(1, 0)), s)
    return None


def _positive(view: View, atom: Atom, deepest: int) -> bool:
    """Whether no entry is negative, as far as a look at how it is computed tells."""
    if isinstance(atom, Literal):
        value = atom.value
        return _sums(value, value.below) if isinstance(value, Size) else value >= 0
    e = view.defined.get(atom)
    if e is None or not deepest:
        return False
    if e.op in NEVER_NEGATIVE or (e.op == "mul" and e.args[0] is e.args[1]):
        return True
    if e.op == "sub" and isinstance(e.args[0], Literal) and e.args[0].value == 1:
        below = view.defined.get(e.args[1]) if isinstance(e.args[1], Var) else None
        return below is not None and below.op in ("sigmoid", "softmax")
    return e.op in KEEP_SIGNS and all(_positive(view, a, deepest - 1) for a in e.args)


def _sums(*sizes: Size) -> bool:
    """Whether each size is a sum of products of dims: `N - 20` may be negative, and 1/(N - 20)."""
    plain = (str, Reciprocal)  # what is divided by is a size of its own
    return all(c > 0 and all(isinstance(a, plain) for a, _ in m) for s in sizes for m, c in s.terms)
