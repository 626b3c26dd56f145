"""bp.json, the table of the grammar: lark makes it of bp.lark, when bpc is developed.

The only module that knows lark. Making a table takes far longer than reading one, so lark is asked
only where the grammar is another one than the table's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

from lark import Lark, Token
from lark.grammar import Rule
from lark.parse_tree_builder import maybe_create_child_filter
from lark.parsers.lalr_analysis import Shift


class _KeepUnknown:
    """Keeps lark from dropping the terminal that no rule mentions: any other character."""

    always_accept = ("UNKNOWN",)

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        return stream


def lark(grammar: str) -> Lark:
    """lark's own parser of a grammar."""
    return Lark(grammar, parser="lalr", lexer="basic", postlex=cast(Any, _KeepUnknown()))


def table_text(grammar: str, stamp: str) -> str:
    """The text of bp.json for a grammar: what `lalr.Table` and `parser` read from it.

    `states` has a row for each state: by the type of the next token, or the name of the rule that
    has ended, the state after it, or ~r where rule r ends. `rules` are how many values a rule takes,
    its name, the function of treebuilder.py that makes one value of them, and which ones it is given:
    None for what is left out in `[ ]`, [i] where value i is a list whose items are meant. The function
    is "" where these items stay a list, and None where the only value is passed on.
    """
    made = lark(grammar)
    table = cast(Any, made.parse_interactive().parser_state).parse_conf.parse_table
    start, end = table.start_states["start"], table.end_states["start"]
    number, rules = {start: 0}, dict[Rule, int]()
    rows = []
    for state in (order := [start]):  # by how they are reached: lark's numbers change
        row = {}
        for name, (action, arg) in sorted(table.states[state].items()):
            if action is not Shift:
                row[str(name)] = ~rules.setdefault(arg, len(rules))
                continue
            if arg not in number:
                number[arg] = len(number)
                order.append(arg)
            row[str(name)] = number[arg]
        rows.append(row)
    rows[number[end]]["$END"] = number[end]
    written = {"of": stamp, **_tokens(made), "end": number[end]}
    written |= {"rules": [_rule(rule) for rule in rules], "states": rows}
    lines = (f"{json.dumps(k)}:{json.dumps(v, separators=(',', ':'))}" for k, v in written.items())
    return "{" + ",\n".join(lines) + "}\n"


def _tokens(made: Lark) -> dict[str, Any]:
    """One pattern, a group for each terminal; the words among them, and those to leave out.

    A word is a name by the pattern.
    """
    terminals = sorted(
        made.terminals,
        key=lambda t: (-t.priority, -t.pattern.max_width, -len(t.pattern.value), t.name),
    )
    words = {t.pattern.value: t.name for t in terminals if t.pattern.value.isalpha()}
    rest = (t for t in terminals if t.pattern.value not in words)
    pattern = "|".join(f"(?P<{t.name}>{t.pattern.to_regexp()})" for t in rest)
    return {"pattern": pattern, "words": words, "ignored": cast(Any, made).lexer_conf.ignore}


def _rule(rule: Any) -> tuple[int, str, str | None, list[int | None | list[int]] | None]:
    """A row of `rules`."""
    count, origin = len(rule.expansion), str(rule.origin.name)
    if rule.options.expand1 and not rule.alias:
        assert count == 1, f"{rule}: give it an alias"
        return count, origin, None, None
    node = "" if origin.startswith("_") else str(rule.alias or origin)
    chosen = maybe_create_child_filter(rule.expansion, False, False, rule.options.empty_indices)
    if chosen is None:
        return count, origin, node, None
    takes: list[int | None | list[int]] = []
    for place, spread, *left_out in chosen.args[0]:
        takes += [None] * sum(left_out)
        takes.append([place] if spread else place)
    return count, origin, node, takes + [None] * sum(chosen.args[1:])
