"""The last look at an output before it is written: nothing in it but what bpc writes.

A model's names and numbers become Python text; whatever they are, the text must hold only the
statements, modules, attributes and builtins listed here, and helpers as they stand in bpc.

    J = np.exp(x)                 fine
    J = __import__("os")          OutputError: line 9: the name __import__ is not defined
"""

from __future__ import annotations

import ast
import gc
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from bpc.codegen import carried
from bpc.ops import OPS


class OutputError(Exception):
    """The generated text holds what bpc never writes: a bug in bpc."""


IMPORTS = {"import math", "import threading", "import numpy as np", "from scipy import special"}
_BUILTINS = (
    "abs all any bool complex dict enumerate filter float frozenset hasattr int isinstance len list "
    "map max min next pow range reversed round set slice sorted str sum tuple type zip "
    "ArithmeticError IndexError iter vars id KeyError LookupError OverflowError TypeError ValueError ZeroDivisionError"
)
BUILTINS = frozenset(("True", "False", "None", *_BUILTINS.split()))
_DOTTED = re.compile(r"\.([a-zA-Z]\w*)")
# What may follow a dot, besides what stands so in the helpers and in the operators' spellings.
_ATTRIBUTES = (
    "all any arange argmax argmin array asarray ascontiguousarray astype bool_ broadcast_to clip "
    "concatenate copy count_nonzero cumsum default_rng diagonal dot dtype einsum empty eye "
    "float64 full inf int64 issuperset item local log1p logaddexp logical_or matmul max maximum "
    "min minimum nan normal ones pad polygamma pop positive power prod random ravel reshape roll s_ "
    "shape square stack start std sum swapaxes T tolist transpose tril triu type uniform var "
    "where zeros"
)
ATTRIBUTES = (
    frozenset(_ATTRIBUTES.split())
    | {n for f in (True, False) for t in carried.sources(f).values() for n in _DOTTED.findall(t)}
    | {
        spelling.rpartition(".")[2]
        for op in OPS.values()
        for spelling in (op.numpy, op.scalar, op.into)
        if isinstance(spelling, str) and "." in spelling
    }
)
_STATEMENTS = (
    "Assert Assign AugAssign Break Continue ExceptHandler Expr For FunctionDef If Pass Raise "
    "Return Try While With withitem"
)
_EXPRESSIONS = (
    "Attribute BinOp BoolOp Call Compare Constant Dict DictComp FormattedValue GeneratorExp IfExp "
    "JoinedStr Lambda List ListComp Name NamedExpr Set SetComp Slice Starred Subscript Tuple UnaryOp "
    "arg arguments comprehension keyword"
)
NODES = frozenset(getattr(ast, name) for name in f"{_STATEMENTS} {_EXPRESSIONS}".split())
SYMBOLS = frozenset(
    symbol
    for family in (ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context)
    for symbol in family.__subclasses__()
)
#: where a statement of a function's body seems to begin, on a line of its own
STATEMENT = re.compile(r"\n(?=    (?!else|elif|except|finally)[^\s)\]}#])")
_ATOM = r"-?(?:[a-zA-Z_]\w*|\d+(?:\.\d+)?(?:e-?\d+)?)"
_CHAIN = rf"{_ATOM}(?:\s+[-+*/] {_ATOM})*"
_NAME = re.compile(r"\b[a-zA-Z_]\w*", re.ASCII)
#: an assignment of sums and products of names and numbers, on one line or in brackets
PLAIN = re.compile(
    rf"^    ([a-zA-Z]\w*) = ({_CHAIN}|\(\n {{8}}{_CHAIN}\n    \))(?:  #.*)?$",
    re.ASCII | re.MULTILINE,
)
AT_ONCE = 500  # lines parsed in one go: the whole tree of a large kernel takes a gigabyte


def check_output(text: str) -> None:
    """Nothing, or OutputError where the text is no Python or holds anything not listed above."""
    collecting = gc.isenabled()
    gc.disable()  # trees have no cycles, and parsing is three times as fast without
    try:
        _check(text)
    finally:
        if collecting:
            gc.enable()


def _check(text: str) -> None:
    head, *functions = re.split(r"(?<=\n\n\n)(?=def |@)", text)
    module = _Scope()
    for node in _parse(head, 0).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            if ast.unparse(node) not in IMPORTS:
                raise OutputError(f"line {node.lineno}: {ast.unparse(node)}")
            module.stores.update(alias.asname or alias.name for alias in node.names)
        else:
            module.walk(node)
    before = head.count("\n")
    scopes = [module]
    helpers = {*carried.sources(True).values(), *carried.sources(False).values()}
    for function in functions:
        module.stores.update(re.findall(r"^def (\w+)\(", function, re.MULTILINE))
        text, _, rest = function.partition("\n\n\n")
        if f"{text}\n" in helpers and not _parse(rest, before).body:
            before += function.count("\n")
            continue
        scope = _Scope()
        rest = scope.without_plain(function, before)
        for part, scope.before in _parts(rest, before):
            for node in _parse(part, scope.before).body:
                scope.walk(node)
        before += function.count("\n")
        scopes.append(scope)
    for scope in scopes:
        if hidden := sorted(scope.calls & scope.stores):
            raise OutputError(f"the function {hidden[0]} is called where a value hides it")
        for name, line in scope.loads.items():
            if name not in scope.stores and name not in module.stores and name not in BUILTINS:
                raise OutputError(f"line {line}: the name {name} is not defined")


def _parts(function: str, before: int) -> Iterator[tuple[str, int]]:
    """A function in parts of some hundred lines, each with the number of lines before it.

    They are cut between statements of the body, as it seems, never among the parameters; that each
    part parses by itself shows that no statement or text was cut in two.
    """
    start, heading = 0, ""
    for count, match in enumerate(STATEMENT.finditer(function, max(function.find("):\n"), 0)), 1):
        if count % AT_ONCE == 0:
            yield heading + function[start : match.end()], before - bool(heading)
            before += function.count("\n", start, match.end())
            start, heading = match.end(), "def _():\n"
    yield heading + function[start:], before - bool(heading)


def _parse(text: str, before: int) -> ast.Module:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise OutputError(f"after line {before}: {error}") from None


class _Scope:
    """What is defined and read in one function, or in the module outside of functions."""

    def __init__(self) -> None:
        self.before = 0
        self.stores: set[str] = set()
        self.loads: dict[str, int] = {}
        self.calls: set[str] = set()

    def without_plain(self, function: str, before: int) -> str:
        """The text without its plain assignments, which are taken in here; lines stay where they are.

        They are most of a large kernel, and trees of them most of the time that the check takes.
        """
        kept: list[str] = []
        end, line = 0, before + 1
        for match in PLAIN.finditer(function, max(function.find("):\n"), 0)):
            start = match.start()
            line += function.count("\n", end, start)
            self.stores.add(match[1])
            for name in _NAME.findall(match[2]):
                self.loads.setdefault(name, line)
            lines = "\n" * match[0].count("\n")
            kept += function[end:start], lines if kept else f"    pass{lines}"
            line += len(lines)
            end = match.end()
        return "".join([*kept, function[end:]])

    def walk(self, root: ast.AST) -> None:
        """Take in a statement; OutputError where it holds anything that is not listed."""
        stores, loads = self.stores, self.loads
        waiting: list[Any] = [root]
        while waiting:
            node = waiting.pop()
            kind = node.__class__
            if kind is ast.Constant or kind in SYMBOLS:
                continue
            if kind is ast.Name:
                if node.ctx.__class__ is ast.Load:
                    loads.setdefault(node.id, node.lineno + self.before)
                else:
                    stores.add(node.id)
                continue
            if kind is ast.Attribute:
                if node.attr not in ATTRIBUTES:
                    self._refuse(node)
                waiting.append(node.value)
                continue
            if kind not in NODES:
                self._refuse(node)
            if kind is ast.arg:
                stores.add(node.arg)
            elif kind is ast.ExceptHandler and node.name:
                stores.add(node.name)
            elif kind is ast.FunctionDef:
                if node.decorator_list:
                    self._refuse(node)
                stores.add(node.name)
            elif kind is ast.Call and node.func.__class__ is ast.Name:
                if _is_getattr(node):
                    waiting += node.args
                    continue
                self.calls.add(node.func.id)
            for value in node.__dict__.values():
                if isinstance(value, ast.AST):
                    waiting.append(value)
                elif value.__class__ is list:
                    waiting += [v for v in value if v is not None and v.__class__ is not str]

    def _refuse(self, node: Any) -> NoReturn:
        line = getattr(node, "lineno", 0) + self.before
        raise OutputError(f"line {line}: {ast.unparse(node)[:80]}")


def _is_getattr(node: ast.Call) -> bool:
    """Whether it reads a listed attribute: `getattr(x, "dtype", None)`."""
    return (
        isinstance(node.func, ast.Name)
        and node.func.id == "getattr"
        and len(node.args) in (2, 3)
        and not node.keywords
        and isinstance(node.args[1], ast.Constant)
        and node.args[1].value in ATTRIBUTES
    )
