"""The plan grammar of one catalog: its columns, their types, their vocabularies (EBNF, xgrammar's dialect).

Whatever the planner writes under it parses as a plan and as a `where` that runs: a column that is not there or a value
that the catalog does not know cannot be written at all.

Free text is bounded by its words and they by their letters: one bound on all its characters makes a state of each of
them, and takes seconds to compile.
"""

import json
from collections.abc import Iterable

from tools.schema import Column, Manifest

TERMS = 5  # conditions joined by AND beside the first
CALLS = 3  # calls beside the first

_SHARED = r"""
text ::= word (" " word){0,13}
word ::= [^ "\\\x00-\x1f]{1,20}
words ::= plain (" " plain){0,3}
plain ::= [^ "'\\%\x00-\x1f]{1,20}
title ::= "\"" word (" " word){0,8} "\""
titles ::= "[" title (", " title){0,4} "]"
flag ::= "true" | "false"
day ::= "'" [12] [0-9]{3} "-" ("0" [1-9] | "1" [0-2]) "-" ("0" [1-9] | "1" [0-9] | "2" [0-8]) "'"
compare ::= " = " | " >= " | " <= " | " > " | " < "
count ::= ", \"count\": " ([1-9] | "1" [0-9] | "20")
bm25 ::= "{\"tool\": \"bm25_search\", \"query\": \"" text "\"}"
dense ::= "{\"tool\": \"dense_search\", \"query\": \"" text "\"}"
likes ::= "{\"tool\": \"cf_recommend\", \"liked\": " titles (", \"disliked\": " titles)? "}"
similar ::= "{\"tool\": \"similar_items\", \"item_id\": " title "}"
lookup ::= "{\"tool\": \"title_lookup\", \"title\": " title "}"
filter ::= "{\"tool\": \"sql_filter\", \"where\": \"" where "\"" (", \"order_by\": \"" order "\"")? "}"
facets ::= "{\"tool\": \"facet_counts\", \"column\": \"" facet "\"}"
"""


def plan_grammar(manifest: Manifest) -> str:
    """EBNF with start symbol `root`."""
    usable = [column for column in manifest.columns if column.name.isascii()]
    facets = [column.name for column in usable if column.values is not None or column.type in ("integer", "number")]
    orders = [column.name for column in usable if column.type in ("integer", "number", "date") and not column.is_list]
    calls = ["filter", "bm25", "dense", "similar", "lookup"] + (["likes"] if manifest.interactions else [])
    rules = [
        'root ::= "{\\"act\\": \\"" (recommend | ask | answer | chat)',
        'recommend ::= "recommend\\"" count? ", \\"calls\\": [" some "], \\"question\\": null}"',
        'ask ::= "ask\\", \\"calls\\": [" facets? "], \\"question\\": \\"" text "\\"}"',
        'answer ::= "answer\\", \\"calls\\": [" some? "], \\"question\\": null}"',
        f'some ::= call (", " call){{0,{CALLS}}}',
        'chat ::= "chat\\", \\"calls\\": [], \\"question\\": null}"',
        f"call ::= {' | '.join(calls)}",
        f'where ::= term (" AND " term){{0,{TERMS}}}',
        'term ::= condition | "NOT (" condition ")" | "(" condition (" OR " condition){1,3} ")"',
        f"condition ::= {' | '.join(['titled', *(_rule(column) for column in usable)])}",
        'titled ::= "title ILIKE \'%" words "%\'"',
        f"facet ::= {_any(facets or ['title'])}",
        f'order ::= ({_any(orders or ["title"])}) (" DESC" | " ASC")',
        *(f"{_rule(column)} ::= {_condition(column)}" for column in usable),
        *(
            f"{_rule(column)}-value ::= {_any(_in_sql(column.values))}"
            for column in usable
            if column.values is not None
        ),
    ]
    return "\n".join(rules) + _SHARED


def _rule(column: Column) -> str:
    return "column-" + column.name.replace("_", "-")


def _condition(column: Column) -> str:
    name, values = column.name, f"{_rule(column)}-value"
    if column.values is not None and column.is_list:
        return f'{values} " IN {name}"'
    if column.values is not None:
        return f'"{name} = " {values} | "{name} IN (" {values} (", " {values}){{1,4}} ")"'
    if column.type == "text":
        return f'"{name} ILIKE \'%" words "%\'"'
    if column.type == "boolean":
        return f'"{name} = " flag'
    if column.type == "date":
        return f'"{name}" compare day | "{name} BETWEEN " day " AND " day'
    number = _number(column)
    return f'"{name}" compare {number} | "{name} BETWEEN " {number} " AND " {number}'


def _number(column: Column) -> str:
    """Digits as many as the column's own numbers have: a year has four, a rating one or two and a fraction."""
    low, high = (abs(int(float(bound or 0))) for bound in (column.minimum, column.maximum))
    most = max(len(str(low)), len(str(high)))
    least = len(str(low)) if float(column.minimum or 0) > 0 else 1
    sign = '"-"? ' if float(column.minimum or 0) < 0 else ""
    fraction = ' ("." [0-9]{1,2})?' if column.type == "number" else ""
    # No leading zero: a first digit, then the rest.
    return f'({sign}([1-9] [0-9]{{{least - 1},{most - 1}}} | "0"){fraction})'


def _in_sql(values: Iterable[str]) -> list[str]:
    return ["'" + value.replace("'", "''") + "'" for value in values]


def _any(options: Iterable[str]) -> str:
    """Alternatives as they stand inside a JSON string, written as grammar literals."""
    return " | ".join(_literal(json.dumps(option, ensure_ascii=False)[1:-1]) for option in options)


def _literal(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
