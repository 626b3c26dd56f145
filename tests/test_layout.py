from __future__ import annotations

import ast
import re
import time

import black
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpc.codegen import expression as ex
from bpc.codegen import layout
from bpc.codegen.expression import Code

MODE = black.Mode()
EXAMPLES = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])

ARITHMETIC = {
    "+": ast.Add, "-": ast.Sub, "*": ast.Mult, "/": ast.Div, "@": ast.MatMult, "**": ast.Pow,
    "//": ast.FloorDiv, "%": ast.Mod, "&": ast.BitAnd, "|": ast.BitOr,
}  # fmt: skip
COMPARISONS = {
    "<": ast.Lt, "<=": ast.LtE, ">": ast.Gt, ">=": ast.GtE, "==": ast.Eq, "!=": ast.NotEq,
}  # fmt: skip
BOOLEAN = {"and": ast.And, "or": ast.Or}
UNARY = {"-": ast.USub, "~": ast.Invert, "not": ast.Not}

Pair = tuple[Code, ast.expr]


def identifier(text: str) -> Pair:
    return ex.name(text), ast.parse(text, mode="eval").body


def literal(value: float) -> Pair:
    node: ast.expr = ast.Constant(abs(value))
    code = ex.number(value)
    return code, ast.UnaryOp(ast.USub(), node) if code.text[0] == "-" else node


def binary(op: str, a: Pair, b: Pair) -> Pair:
    code = ex.binary(op, a[0], b[0])
    if op in ARITHMETIC:
        return code, ast.BinOp(a[1], ARITHMETIC[op](), b[1])
    if op in COMPARISONS:
        return code, ast.Compare(a[1], [COMPARISONS[op]()], [b[1]])
    left = [a[1]]
    if isinstance(a[1], ast.BoolOp) and isinstance(a[1].op, BOOLEAN[op]):
        left = a[1].values  # the same evaluation, and one node to Python
    return code, ast.BoolOp(BOOLEAN[op](), [*left, b[1]])


def load(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def unary(op: str, a: Pair) -> Pair:
    return ex.unary(op, a[0]), ast.UnaryOp(UNARY[op](), a[1])


def call(head: str, args: list[Pair]) -> Pair:
    return ex.call(head, [a[0] for a in args]), ast.Call(load(head), [a[1] for a in args], [])


def attribute(a: Pair, attr: str) -> Pair:
    return ex.attribute(a[0], attr), ast.Attribute(a[1], attr, ast.Load())


def method(a: Pair, attr: str, args: list[Pair]) -> Pair:
    code = ex.method(a[0], attr, [*(b[0] for b in args), "axis=0"])
    keyword = ast.keyword("axis", ast.Constant(0))
    func = ast.Attribute(a[1], attr, ast.Load())
    return code, ast.Call(func, [b[1] for b in args], [keyword])


def subscript(a: Pair, text: str) -> Pair:
    index = load(f"x[{text}]")
    assert isinstance(index, ast.Subscript)
    return ex.subscript(a[0], text), ast.Subscript(a[1], index.slice, ast.Load())


def conditional(a: Pair, b: Pair, c: Pair) -> Pair:
    return ex.conditional(a[0], b[0], c[0]), ast.IfExp(b[1], a[1], c[1])


def words(longest: int) -> st.SearchStrategy[str]:
    return st.integers(1, longest).map(lambda n: "v" + "x" * (n - 1))


DOTTED = st.sampled_from(["np.pi", "a.b.c", "self.w"])
NUMBERS = st.one_of(
    st.integers(-20, 20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.5, -0.0, 1e-5, 1e20, 1.5e300, -1e16]),
)
INDICES = st.sampled_from(["0", ":, None", "-1", "i, j", ": n + 1", "a.b :", '"k"', "...", "z**2"])
HEADS = st.sampled_from(["f", "np.sum", "np.linalg.norm", "np.where"])


def pairs(longest: int = 30, leaves: int = 12) -> st.SearchStrategy[Pair]:
    base = st.one_of(words(longest).map(identifier), DOTTED.map(identifier), NUMBERS.map(literal))
    operators = st.sampled_from([*ARITHMETIC, *COMPARISONS, *BOOLEAN, "+", "-", "*", "**", "**"])

    def grow(inner: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
        several = st.lists(inner, max_size=3)
        return st.one_of(
            st.builds(binary, operators, inner, inner),
            st.builds(binary, operators, inner, inner),
            st.builds(unary, st.sampled_from(list(UNARY)), inner),
            st.builds(call, HEADS, several),
            st.builds(attribute, inner, st.sampled_from(["T", "shape"])),
            st.builds(method, inner, st.sampled_from(["sum", "T"]), several),
            st.builds(subscript, inner, INDICES),
            st.builds(conditional, inner, inner, inner),
        )

    return st.recursive(base, grow, max_leaves=leaves)


def chains(op: list[str], longest: int) -> st.SearchStrategy[Pair]:
    """Give long chains of operators of one level over small terms."""

    def build(terms: list[Pair], ops: list[str]) -> Pair:
        result = terms[0]
        for term, sign in zip(terms[1:], ops, strict=False):
            result = binary(sign, result, term)
        return result

    many = st.lists(st.sampled_from(op), min_size=6, max_size=6)
    return st.builds(build, st.lists(pairs(longest, 3), min_size=2, max_size=7), many)


CODES = st.one_of(
    pairs(),
    pairs(60, 3),
    chains(["+", "-"], 30),
    chains(["*", "/", "@"], 30),
    chains(["and", "or"], 30),
    chains(["<"], 40),
    st.builds(call, HEADS, st.lists(pairs(30, 3), max_size=6)),
    st.builds(conditional, pairs(30, 4), pairs(30, 4), pairs(30, 4)),
    words(95).map(identifier),
    NUMBERS.map(literal),
).map(lambda pair: pair[0])
INDENTS = st.sampled_from([0, 4, 8])
TARGETS = st.one_of(
    words(20), words(70), words(90),
    st.sampled_from(["self.w", "J[0]", 'J["a"]', "x[:, None]", "a, b", "x[i][j]", "x[f(a, b)]"]),
    words(60).map(lambda w: f'J["{w}"]'),
)  # fmt: skip
COMMENTS = st.one_of(
    st.none(),
    st.none(),
    words(90),
    st.sampled_from(
        ["∂J/∂θ · σ² of the whole thing", "type: ignore", "漢字漢字漢字漢字漢字", "noqa: E501"]
    ),
)


def by_black(indent: int, line: str) -> list[str]:
    """Give what Black makes of one statement inside the blocks that indent it."""
    blocks = "".join(f"{' ' * i}def a():\n" for i in range(0, indent, 4))
    text = black.format_str(f"{blocks}{' ' * indent}{line}\n", mode=MODE)
    return text.split("\n")[indent // 4 : -1]


def same_tree(text: str, tree: ast.expr) -> bool:
    try:
        return ast.dump(load(text)) == ast.dump(tree)
    except SyntaxError:
        return False


@EXAMPLES
@given(pairs())
def test_expression_is_the_tree_with_no_spare_parentheses(pair: Pair) -> None:
    code, tree = pair
    text = code.text
    assert same_tree(text, tree), text
    formatted = black.format_str(f"x = {text}\n", mode=black.Mode(line_length=10_000))
    assert formatted == f"x = {text}\n"
    stack: list[int] = []
    for i, char in enumerate(text):
        if char == "(":
            stack.append(i)
        elif char == ")":
            start = stack.pop()
            if start and re.match(r"[\w)\]]", text[start - 1]):
                continue  # of a call
            without = f"{text[:start]}{text[start + 1 : i]}{text[i + 1 :]}"
            if same_tree(without, tree):
                again = black.format_str(f"x = {without}\n", mode=black.Mode(line_length=10_000))
                assert again == formatted, f"{text} could be {without}"


@pytest.mark.parametrize(
    ("text", "want"),
    [
        (ex.binary("**", ex.name("x"), ex.number(2)), "x**2"),
        (ex.binary("**", ex.call("f", ["x"]), ex.number(2)), "f(x) ** 2"),
        (ex.unary("-", ex.binary("**", ex.name("x"), ex.number(2))), "-(x**2)"),
        (ex.binary("-", ex.name("a"), ex.binary("-", ex.name("b"), ex.name("c"))), "a - (b - c)"),
        (ex.binary("*", ex.name("a"), ex.binary("/", ex.name("b"), ex.name("c"))), "a * (b / c)"),
        (ex.binary("+", ex.binary("+", ex.name("a"), ex.name("b")), ex.name("c")), "a + b + c"),
        (ex.attribute(ex.number(1.0), "real"), "(1.0).real"),
        (ex.number(1e20), "1e20"),
        (ex.number(-3), "-3"),
        (ex.number(True), "1"),
    ],
)
def test_expression_text(text: Code, want: str) -> None:
    assert text.text == want


def test_terms_call_and_depth() -> None:
    a, b, c, d = (ex.name(n) for n in "abcd")
    code = ex.binary("-", ex.binary("+", ex.binary("*", a, b), c), d)
    assert (code.terms, code.depth) == (("a * b", "+ c", "- d"), 3)
    assert ex.method(a, "sum", ["axis=0"]).call == ("a.sum", ("axis=0",))
    both = ex.binary("or", ex.binary("and", a, b), ex.binary("and", c, d))
    assert both.terms == ("a", "and b", "or c", "and d")


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_number_is_finite(value: float) -> None:
    with pytest.raises(ValueError, match="no literal"):
        ex.number(value)


BOUNDS = st.one_of(st.none(), st.none(), st.sampled_from(["0", "-1", "n", "-n", "~n"]), pairs(3, 3))


@EXAMPLES
@given(BOUNDS, BOUNDS, BOUNDS, st.sampled_from(["{}", ":, {}", "{}, None", "{}, a + 1"]))
def test_slice_text(start: object, stop: object, step: object, shape: str) -> None:
    parts = [p[0] if isinstance(p, tuple) else p for p in (start, stop, step)]
    texts = [p.text if isinstance(p, Code) else p or "" for p in parts]
    index = shape.format(ex.slice_text(*parts))
    line = f"x = y[{index}]\n"
    assert black.format_str(line, mode=black.Mode(line_length=10_000)) == line
    plain = shape.format(":".join(texts if texts[2] else texts[:2]))
    assert ast.dump(load(f"y[{index}]")) == ast.dump(load(f"y[{plain}]"))


@settings(EXAMPLES, max_examples=800)
@given(INDENTS, TARGETS, CODES, COMMENTS)
def test_statement(indent: int, target: str, code: Code, comment: str | None) -> None:
    line = f"{target} = {code.text}" + (f"  # {comment}" if comment else "")
    got = layout.statement(indent, target, code, comment)
    assert got == by_black(indent, line)
    if len(got) > 1:
        assert not layout.fits(indent, target, code, comment)
    if layout.fits(indent, target, code, comment):
        assert got == [" " * indent + line]


def nested(head: str, items: list[str]) -> str:
    """A display or a call of texts; `{` is a dictionary."""
    if head == "{":
        items = [f'"k{i}, (": {item}' for i, item in enumerate(items)]
    close = {"(": ")", "[": "]", "{": "}"}[head[-1]]
    return f"{head}{', '.join(items)}{',' if head == '(' and len(items) == 1 else ''}{close}"


NESTED = st.recursive(
    st.one_of(words(40), words(12), st.just("a + b"), st.just("*rest")),
    lambda inner: st.builds(
        nested,
        st.sampled_from(["(", "[", "{", "f(", "x1(", "np.stack(", "rng.normal(a, (b, 2)).astype("]),
        st.lists(inner.filter(lambda text: text[0] != "*"), min_size=1, max_size=5),
    ),
    max_leaves=14,
).filter(lambda text: text[0] != "*")


@settings(EXAMPLES, max_examples=500)
@given(INDENTS, words(20), NESTED, COMMENTS)
def test_nested_statement(indent: int, target: str, text: str, comment: str | None) -> None:
    line = f"{target} = {text}" + (f"  # {comment}" if comment else "")
    got = layout.statement(indent, target, Code(text, ex.ATOM, 1), comment)
    assert got == by_black(indent, line)


TEXTS = st.one_of(words(40), pairs(20, 3).map(lambda p: p[0].text), NESTED)
KEYWORDS = st.builds("{}={}".format, words(10), TEXTS)


@EXAMPLES
@given(
    INDENTS,
    st.one_of(st.none(), TARGETS),
    HEADS,
    st.lists(TEXTS, max_size=5),
    st.lists(KEYWORDS, max_size=2),
    st.sampled_from([[], [], [], ["**dims"]]),
    COMMENTS,
)
def test_call_statement(
    indent: int,
    target: str | None,
    head: str,
    args: list[str],
    keywords: list[str],
    rest: list[str],
    comment: str | None,
) -> None:
    args = [*args, *keywords, *rest]
    line = f"{target} = " if target else ""
    line += f"{head}({', '.join(args)})" + (f"  # {comment}" if comment else "")
    assert layout.call_statement(indent, target, head, args, comment) == by_black(indent, line)


@EXAMPLES
@given(INDENTS, st.lists(st.one_of(TEXTS, words(90)), min_size=1, max_size=6))
def test_returned(indent: int, items: list[str]) -> None:
    want = by_black(indent, f"return {', '.join(items)}")
    assert layout.returned(indent, items) == want


@EXAMPLES
@given(
    INDENTS,
    words(90),
    st.integers(0, 4),
    st.integers(0, 4),
    st.sampled_from(["", "*", "*args", "/"]),
    st.booleans(),
    st.lists(words(60), min_size=10, max_size=10),
    st.booleans(),
)
def test_signature(
    indent: int,
    name: str,
    before: int,
    after: int,
    middle: str,
    dims: bool,
    texts: list[str],
    modern: bool,
) -> None:
    params = [f"{text}{i}" for i, text in enumerate(texts[:before])]
    later = [f"{text}{i}=1.0" for i, text in enumerate(texts[5 : 5 + after])]
    if middle and (before if middle == "/" else after):
        params.append(middle)
    params += [*later, *(["**dims"] if dims else [])]
    line = f"def {name}({', '.join(params)}):"
    blocks = "".join(f"{' ' * i}def a():\n" for i in range(0, indent, 4))
    pad = " " * (indent + 4)
    body = f'{pad}return f"{{a}}"\n' if modern else f"{pad}pass\n"
    text = black.format_str(f"{blocks}{' ' * indent}{line}\n{body}", mode=MODE)
    want = text.split("\n")[indent // 4 : -2]
    assert layout.signature(indent, name, params, modern=modern) == want


DICTIONARY_HEADS = st.one_of(
    words(90).map("{} =".format),
    words(90).map("return {},".format),
    st.sampled_from(["return", 'J["a"] =', "return J, K,", "a.b =", "a = b =", "return f(x),"]),
)


@EXAMPLES
@given(INDENTS, DICTIONARY_HEADS, st.lists(st.tuples(words(40), TEXTS), max_size=6))
def test_dictionary(indent: int, head: str, entries: list[tuple[str, str]]) -> None:
    entries = [(f'"{key}"', value) for key, value in entries]
    line = f"{head} {{{', '.join(f'{k}: {v}' for k, v in entries)}}}"
    assert layout.dictionary(indent, head, entries) == by_black(indent, line)


def test_frequent_shapes_need_no_black(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> list[str]:
        raise AssertionError("went to Black")

    monkeypatch.setattr(layout, "_by_black", refuse)
    names = [f"{'v' * 20}{i}" for i in range(8)]
    total = ex.name(names[0])
    for text in names:
        total = ex.binary("+", total, ex.binary("*", ex.name(text), ex.name("w")))
    assert len(layout.statement(4, "total", total, "the sum")) == 11
    assert len(layout.statement(4, 'J["a"]', ex.call("np.sum", names))) == 10
    assert len(layout.statement(4, "x" * 40, ex.name("y" * 30), "c" * 40)) == 3
    assert len(layout.returned(4, names)) == 10
    assert len(layout.signature(0, "f", [*names, "*", "a=1.0", "**dims"])) == 13
    assert len(layout.dictionary(4, "return J,", [(f'"{n}"', n) for n in names])) == 10
    assert len(layout.call_statement(8, "x" * 9, "f", names[:3])) == 3
    chosen = ex.conditional(ex.name(names[0]), ex.call("f", names[:2]), ex.name(names[3]))
    assert len(layout.statement(4, "y", chosen)) == 5


def test_narrow_characters_are_one_column_to_black() -> None:
    from black.strings import str_width

    narrow = [c for c in map(chr, range(0x3000)) if layout._NARROW.fullmatch(c)]
    assert str_width("".join(narrow)) == len(narrow)


def test_short_statement_is_quick() -> None:
    code = ex.binary("+", ex.name("a"), ex.name("b"))
    start = time.perf_counter()
    for _ in range(10_000):
        layout.statement(4, "x", code, "note")
    assert time.perf_counter() - start < 0.5
