"""The parser as a table: a line of bp, and its tree as an s-expression."""

import gc
import json
from pathlib import Path

import pytest

import bpc
from bpc import parser, syntax
from bpc.parser import parse
from bpc.source import Source

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").rglob("*.bp"))
OPERATORS = {syntax.Unary, syntax.Binary}


def show(value: object) -> str:
    """A tree as text: `(kind part part ...)`, with `_` for what is not there."""
    match value:
        case None:
            return "_"
        case str():
            return value
        case tuple():
            return "[" + " ".join(map(show, value)) + "]"
        case syntax.Name(name=name):
            return name
        case syntax.Number(value=number):
            return repr(number)
        case syntax.Truth(value=truth):
            return str(truth).lower()
        case syntax.Text(value=text):
            return repr(text)
        case syntax.Target(name=name, superscript=superscript):
            return name if superscript is None else f"{name}[{show(superscript)}]"
        case syntax.Argument(name=name, value=inner):
            return show(inner) if name is None else f"{name}={show(inner)}"
        case syntax.New():
            return "new"
        case syntax.Ellipsis_():
            return "..."
        case syntax.Node():
            fields = [name for name in type(value).__slots__ if name != "span"]
            parts = [show(getattr(value, name)) for name in fields]
            kind = [] if type(value) in OPERATORS else [type(value).__name__.lower()]
            return "(" + " ".join(kind + parts) + ")"
        case _:
            return repr(value)


def statements(text: str) -> str:
    model, diagnostics = parse(Source("test.bp", text))
    assert [d.render() for d in diagnostics] == []
    return " ".join(map(show, model.statements))


def kinds(text: str) -> list[str]:
    model, _ = parse(Source("test.bp", text))
    return [show(s) for s in model.statements]


def errors(text: str) -> list[str]:
    _, diagnostics = parse(Source("test.bp", text))
    return [f"{d.span.line}:{d.span.column} {d.code}" for d in diagnostics]


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        # Numbers and other atoms
        ("2", "2"),
        ("1.5", "1.5"),
        (".5", "0.5"),
        ("1.", "1.0"),
        ("1e-3", "0.001"),
        ("1E3", "1000.0"),
        ("1_000", "1000"),
        ("007", "7"),
        ("true", "true"),
        ("false", "false"),
        ("pi", "pi"),
        ('"ij,jk->ik"', "'ij,jk->ik'"),
        ("'ij'", "'ij'"),
        # Precedence, from loosest to tightest
        ("a if c else b", "(conditional a c b)"),
        ("a if c else b if d else e", "(conditional a c (conditional b d e))"),
        ("a or b if c or d else e", "(conditional (or a b) (or c d) e)"),
        ("a or b and c", "(or a (and b c))"),
        ("not a and b", "(and (not a) b)"),
        ("not a == b", "(not (== a b))"),
        ("not not a", "(not (not a))"),
        ("a + b < c * d", "(< (+ a b) (* c d))"),
        ("a != b", "(!= a b)"),
        ("a >= b or a <= b", "(or (>= a b) (<= a b))"),
        ("a - b - c", "(- (- a b) c)"),
        ("a - b * c", "(- a (* b c))"),
        ("a * b / c @ d", "(@ (/ (* a b) c) d)"),
        ("1/2 * d^2", "(* (/ 1 2) (^ d 2))"),
        ("-a * b", "(* (- a) b)"),
        ("a * -b", "(* a (- b))"),
        ("a - -b", "(- a (- b))"),
        ("-x^2", "(- (^ x 2))"),
        ("2^-1", "(^ 2 (- 1))"),
        ("2^-x^2", "(^ 2 (- (^ x 2)))"),
        ("a^b^c", "(^ a (^ b c))"),
        ("a**b", "(^ a b)"),
        ("(a^b)^c", "(^ (^ a b) c)"),
        ("-x[1]^2", "(- (^ (index x [1]) 2))"),
        # Postfix
        ("x.T", "(attribute x T)"),
        ("x.T @ y", "(@ (attribute x T) y)"),
        ("block[1].up.W", "(attribute (attribute (index block [1]) up) W)"),
        ("f()", "(call f [])"),
        ("f(a, b=1,)", "(call f [a b=1])"),
        ("nn.dense(x, 3)", "(call (attribute nn dense) [x 3])"),
        ("f(x)(y)", "(call (call f [x]) [y])"),
        ("x[i]", "(index x [i])"),
        ("x[-1]", "(index x [(- 1)])"),
        ("x[:, 0:3]", "(index x [(slice _ _ _) (slice 0 3 _)])"),
        ("x[::-2]", "(index x [(slice _ _ (- 2))])"),
        ("x[a:, :b:c]", "(index x [(slice a _ _) (slice _ b c)])"),
        ("x[..., 0]", "(index x [... 0])"),
        ("x[:, new,]", "(index x [(slice _ _ _) new])"),
        # Tuples
        ("()", "(tuple [])"),
        ("(a)", "a"),
        ("(a,)", "(tuple [a])"),
        ("(a, b)", "(tuple [a b])"),
        ("[N, -1]", "(tuple [N (- 1)])"),
        ("[]", "(tuple [])"),
        (
            "pad(x, ((0, 0), (1, 1)), value=0)",
            "(call pad [x (tuple [(tuple [0 0]) (tuple [1 1])]) value=0])",
        ),
        # as
        ("nn.dense(x, 3) as head", "(as (call (attribute nn dense) [x 3]) head)"),
        ("block(x) as block[l]", "(as (call block [x]) block[l])"),
        ("relu(f(x, 5) as c)", "(call relu [(as (call f [x 5]) c)])"),
        ("f(x) as y + 1", "(+ (as (call f [x]) y) 1)"),
        ("(f(x) as y)[0]", "(index (as (call f [x]) y) [0])"),
        # Newlines in brackets
        ("f(a,  # the first\n\n  b\n)", "(call f [a b])"),
        ("(a +\r\n b)", "(+ a b)"),
        ("f(x,\ny=2)", "(call f [x y=2])"),
    ],
)
def test_expressions(text: str, tree: str) -> None:
    assert statements(f"y = {text}\n") == f"(assign [y] {tree})"


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("dim N, T", "(dim [(declarator N _ _ _) (declarator T _ _ _)])"),
        ("dim H = 128", "(dim [(declarator H _ 128 _)])"),
        ("dim H[1] = 64", "(dim [(declarator H[1] _ 64 _)])"),
        ("const eps = 1e-5", "(const [(declarator eps _ 1e-05 _)])"),
        (
            "input x: [N, 64], y = 2",
            "(input [(declarator x (typeexpr real [N 64]) _ _) (declarator y _ 2 _)])",
        ),
        ("input label: int[N]", "(input [(declarator label (typeexpr int [N]) _ _)])"),
        ("input m: bool", "(input [(declarator m (typeexpr bool []) _ _)])"),
        ("input x: [] = 3", "(input [(declarator x (typeexpr real []) 3 _)])"),
        ("param W[1]: [64, H] ~ he", "(param [(declarator W[1] (typeexpr real [64 H]) _ he)])"),
        ("param b ~ normal(0.1)", "(param [(declarator b _ _ (call normal [0.1]))])"),
        ("param w = -2", "(param [(declarator w _ (- 2) _)])"),
        (
            "param a, b: [N]",
            "(param [(declarator a _ _ _) (declarator b (typeexpr real [N]) _ _)])",
        ),
        ("w[1] = 2", "(assign [w[1]] 2)"),
        ("h[l-1] = 2", "(assign [h[(- l 1)]] 2)"),
        ("a, b[1] = f(x)", "(assign [a b[1]] (call f [x]))"),
        ("cost J = 1", "(cost J 1)"),
        ("output p = a", "(output [[p a]])"),
        ("output p, q", "(output [[p _] [q _]])"),
        ("output a[1], b", "(output [[a[1] _] [b _]])"),
        ("def g(z) = z", "(def g [(parameter z _)] [(return z)] False)"),
        ("def g() = 1", "(def g [] [(return 1)] False)"),
        (
            "def f(x, eps=1e-5) { y = x; return y }",
            "(def f [(parameter x _) (parameter eps 1e-05)] [(assign [y] x) (return y)] False)",
        ),
        (
            "def f(x) {\n\n  return x, 1\n}",
            "(def f [(parameter x _)] [(return (tuple [x 1]))] False)",
        ),
        ("layer f(x) { return x }", "(def f [(parameter x _)] [(return x)] True)"),
        ("for l in 1..L { }", "(for l 1 L [])"),
        ("for l in 0..T-1 {\n a[l] = l;\n}", "(for l 0 (- T 1) [(assign [a[l]] l)])"),
        (
            "for i in 1..2 { for j in 1..2 { a = 1 } }",
            "(for i 1 2 [(for j 1 2 [(assign [a] 1)])])",
        ),
        (
            "scan t in 0..T carry (h = 0, c[1] = g(1),) { emit hs = h }",
            "(scan t 0 T [[h 0] [c[1] (call g [1])]] [(emit hs h)])",
        ),
        ("scan t in 0..T { emit hs = t }", "(scan t 0 T [] [(emit hs t)])"),
        ("use nn", "(use nn)"),
    ],
)
def test_statements(text: str, tree: str) -> None:
    assert statements(text) == tree
    assert statements(text.replace("\n", "\r\n") + "\r\n") == tree


@pytest.mark.parametrize("text", ["", "\n", "# nothing", "\r\n\t \n", "\ufeff"])
def test_empty_file(text: str) -> None:
    assert statements(text) == ""


def test_names_that_start_like_keywords() -> None:
    assert (
        statements("input_ = inner\nnot_a = new1")
        == "(assign [input_] inner) (assign [not_a] new1)"
    )


def span_texts(node: object) -> list[str]:
    """What each node of a tree covers, the outer ones first."""
    if isinstance(node, tuple):
        return [text for part in node for text in span_texts(part)]
    if not isinstance(node, syntax.Node):
        return []
    fields = [getattr(node, name) for name in type(node).__slots__ if name != "span"]
    return [node.span.text, *(text for part in fields for text in span_texts(part))]


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("  y = (a + b) * -c", ["y = (a + b) * -c", "y", "(a + b) * -c", "(a + b)", "a", "b"]
         + ["-c", "c"]),
        ("w[1] = f(x, n=2).T", ["w[1] = f(x, n=2).T", "w[1]", "1", "f(x, n=2).T", "f(x, n=2)", "f"]
         + ["x", "x", "n=2", "2"]),
        ("a = x[1:, new]", ["a = x[1:, new]", "a", "x[1:, new]", "x", "1:", "1", "new"]),
        ("a = f() as b[1]", ["a = f() as b[1]", "a", "f() as b[1]", "f()", "f", "b[1]", "1"]),
        ("param W: [2] ~ he", ["param W: [2] ~ he", "W: [2] ~ he", "W", "[2]", "2", "he"]),
        ("output p, q = 1  # end", ["output p, q = 1", "p", "q", "1"]),
        ("def f(a=1) { return a, a }", ["def f(a=1) { return a, a }", "f", "a=1", "1"]
         + ["return a, a", "a, a", "a", "a"]),
        ("for l in 1..2 { a = 1 } # end", ["for l in 1..2 { a = 1 }", "l", "1", "2", "a = 1"]
         + ["a", "1"]),
        ("input x: int", ["input x: int", "x: int", "x", "int"]),
    ],
)  # fmt: skip
def test_spans(text: str, spans: list[str]) -> None:
    model, _ = parse(Source("test.bp", text))
    assert span_texts(model.statements) == spans


@pytest.mark.parametrize(
    ("text", "found", "left"),
    [
        # An error costs its statement alone
        ("a = 1\nb = +\nc = 2", ["2:5 BP002"], ["(assign [a] 1)", "(assign [c] 2)"]),
        ("a = 1\nb = 2\nc = +\nc = +\nd = 3", ["3:5 BP002", "4:5 BP002"],
         ["(assign [a] 1)", "(assign [b] 2)", "(assign [d] 3)"]),
        ("for l in 1..2 {\n a = 1\n b = 2\n c = ]\n}", ["4:6 BP005"],
         ["(for l 1 2 [(assign [a] 1) (assign [b] 2)])"]),
        ("for l in 1..2 {\n a = ]\n b = 1\n}\nc = 2", ["2:6 BP005"],
         ["(for l 1 2 [(assign [b] 1)])", "(assign [c] 2)"]),
        ("def f(x) { y = ; return x }", ["1:16 BP002"],
         ["(def f [(parameter x _)] [(return x)] False)"]),
        # A wrong head costs its block, but the inside is still checked
        ("for l in { a = ; b = 1 }\nc = 2", ["1:10 BP002", "1:16 BP002"], ["(assign [c] 2)"]),
        ("for l in 1..2\n{\n a = 1\n}\nc = 2", ["1:14 BP002"], ["(assign [c] 2)"]),
        ("x = 1 {\n for l in 1..2 { y = }\n}\nc = 2", ["1:7 BP002", "2:22 BP002"],
         ["(assign [c] 2)"]),
        # Open brackets end where a statement obviously starts
        ("a = (1\nb = 2", ["1:5 BP004"], ["(assign [b] 2)"]),
        ("a = (1 +\nb = 2", ["1:5 BP004"], ["(assign [b] 2)"]),
        ("a = f(x\nb[1] = 2", ["1:6 BP004"], ["(assign [b[1]] 2)"]),
        ("a = f(x,\ncost J = 2", ["1:6 BP004"], ["(cost J 2)"]),
        ("for l in 1..2 {\n a = f(x\n b = 2\n}\nc = 2", ["2:7 BP004"],
         ["(for l 1 2 [(assign [b] 2)])", "(assign [c] 2)"]),
        ("def f(x) { return (x }\nc = 2", ["1:19 BP004"],
         ["(def f [(parameter x _)] [] False)", "(assign [c] 2)"]),
        ("def f(x {\n return x\n}\nc = 2", ["1:6 BP004"], ["(assign [c] 2)"]),
        ("a = (1\n", ["1:5 BP004"], []),
        # Blocks that are never closed end at the next line that is not indented
        ("for l in 1..2 {\n  a = 1\nc = 2", ["1:15 BP004"],
         ["(for l 1 2 [(assign [a] 1)])", "(assign [c] 2)"]),
        ("for l in 1..2 {\n  a = 1", ["1:15 BP004"], ["(for l 1 2 [(assign [a] 1)])"]),
        ("def f(x) {\n return x\ndef g(x) {\n return x\n}\nc = 2", ["1:10 BP004"],
         ["(def f [(parameter x _)] [(return x)] False)",
          "(def g [(parameter x _)] [(return x)] False)", "(assign [c] 2)"]),
        # Characters
        ("a = 1 ? 2 ?\nb = 2", ["1:7 BP001"], ["(assign [b] 2)"]),
        ('a = "x\nb = 2', ["1:5 BP007"], ["(assign [b] 2)"]),
        ("a = \0\nb = 2", ["1:5 BP001"], ["(assign [b] 2)"]),
        ("a = 1\rb = 2", ["1:6 BP001"], []),
    ],
)  # fmt: skip
def test_recovery(text: str, found: list[str], left: list[str]) -> None:
    assert errors(text) == found
    assert kinds(text) == left


NESTED = {
    "brackets": lambda n: "(" * n + "1" + ")" * n,
    "calls": lambda n: "f(" * n + "1" + ")" * n,
    "minus": lambda n: "-" * n + "1",
    "not": lambda n: "not " * n + "a",
    "powers": lambda n: "2^" * n + "1",
    "choices": lambda n: "a if b else " * n + "1",
    "mixed": lambda n: "-(2^" * (n // 3) + "1" + ")" * (n // 3) + "^1" * (n % 3),
}


@pytest.mark.parametrize("kind", NESTED)
def test_nesting(kind: str) -> None:
    assert errors(f"x = {NESTED[kind](200)}\ny = 1") == []
    for depth in (210, 10_000):
        text = f"x = {NESTED[kind](depth)}\ny = 1"
        assert [e.split()[1] for e in errors(text)] == ["BP008"]
        assert kinds(text) == ["(assign [y] 1)"]


@pytest.mark.parametrize("depth", [201, 5000])
def test_nested_blocks(depth: int) -> None:
    text = "for l in 1..2 {\n" * depth + "}\n" * depth + "cost J = 1"
    assert errors(text) == ["201:15 BP008"]
    assert kinds(text)[-1] == "(cost J 1)"


@pytest.mark.parametrize("chain", ["a" + "+a" * 50_000, "a" + "[1]" * 50_000, "a" + ".b" * 50_000])
def test_long_chains(chain: str) -> None:
    model, diagnostics = parse(Source("test.bp", f"x = {chain}\n"))
    assert not diagnostics
    assert isinstance(model.statements[0], syntax.Assign)


@pytest.mark.parametrize("text", ["9" * 5000, "1e400", "1.0e999", "1" + "_0" * 400])
def test_numbers_beyond_floats(text: str) -> None:
    assert errors(f"x = {text}") == ["1:5 BP009"]


def test_long_zero() -> None:
    assert statements("x = " + "0" * 5000 + "7") == "(assign [x] 7)"


def test_any_text_is_safe() -> None:
    """Each file cut anywhere, and with a character changed, gives diagnostics, never a traceback."""
    text = (
        "input x: [N, 2], y = 2\nfor l in 1..3 {\n  w[l] = f(x, (1,\n   2)); b = x[:, new]\n}\n"
        "scan t in 0..T-1 carry (h = 0) { emit a = b }\ndef g(z) = 'ij' if z else -1\n"
    )
    for place in range(len(text)):
        for other in ("", "(", "]", "{", "}", ";", "\n", '"', "\0", "if", "="):
            _, diagnostics = parse(Source("test.bp", text[:place] + other + text[place + 1 :]))
            assert all(d.render() for d in diagnostics)
        parse(Source("test.bp", text[:place]))


def test_collector_is_left_as_it_was() -> None:
    assert gc.isenabled()
    parse(Source("test.bp", "x = ("))
    assert gc.isenabled()


def test_two_thousand_long_statements_parse() -> None:
    line = " + ".join(["a*b[2] - f(x, 3)"] * 4)
    text = "".join(f"y[{i}] = {line}\n" for i in range(2000))
    model, _ = parse(Source("test.bp", text))
    assert len(model.statements) == 2000


def test_table_is_of_the_grammar(update: bool) -> None:
    """`--update` writes it."""
    path = Path(__file__).parents[1] / "grammar" / "bp.json"
    if update:
        path.write_text(parser.table_text(), encoding="utf-8")
    of = json.loads(path.read_text(encoding="utf-8"))["of"]
    assert of == parser._stamp(parser._packaged("bp.lark")), (
        "the grammar has changed: run with --update"
    )


def test_the_table_is_what_lark_makes_and_another_grammars_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sources = [Source(p.name, p.read_text()) for p in EXAMPLES] + [Source("m.bp", "a = ) 1\nb = 2")]
    caches = (parser._grammar, parser._table, parser._terminals)
    kept = parser._packaged
    trees = []
    for table in (kept("bp.json"), '{"of": "abc"}'):
        for found in caches:
            found.cache_clear()
        with monkeypatch.context() as patched:
            patched.setattr(
                parser, "_packaged", lambda n, t=table: t if n == "bp.json" else kept(n)
            )
            trees.append([[show(parse(s)[0].statements), str(parse(s)[1])] for s in sources])
            states = len(parser._table().states)
        for found in caches:
            found.cache_clear()
        assert len(parser._table().states) == states
    assert trees[0] == trees[1]


@pytest.mark.parametrize("text", ["param w # \ud800", "param w = \udfff", 'a = einsum("\ud800")'])
def test_half_a_character_is_an_error_at_its_place(text):
    """Of text from Python: no file has it."""
    with pytest.raises(bpc.BpcError) as error:
        bpc.load(f"{text}\ncost J = 1")
    (found,) = [d for d in error.value.diagnostics if d.code == "BP001"]
    assert found.span.text in "\ud800\udfff" and found.message.startswith(
        "unexpected character U+D"
    )
    assert "\ufffd" in found.render()
