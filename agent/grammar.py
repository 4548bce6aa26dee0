"""The plan grammar of one catalog: its columns, their types, their vocabularies (EBNF, xgrammar's dialect).

Whatever the planner writes under it parses as a plan and as a `where` that runs: a column that is not there or a value
that the catalog does not know cannot be written at all.

Free text is bounded by its words and they by their letters: one bound on all its characters makes a state of each of
them, and takes seconds to compile.
"""

from collections.abc import Iterable

from tools.schema import Column, Manifest

TERMS = 5  # conditions joined by AND beside the first
CALLS = 3  # calls beside the first

_SHARED = r"""
text ::= word (" " word){0,13}
word ::= [^ "|\x00-\x1f]{1,20}
words ::= plain (" " plain){0,3}
plain ::= [^ "'|%\x00-\x1f]{1,20}
title ::= "\"" word (" " word){0,13} "\""
titles ::= title (", " title){0,4}
flag ::= "true" | "false"
day ::= "'" [12] [0-9]{3} "-" (long "-" day31 | short "-" day30 | "02-" day28) "'"
long ::= "01" | "03" | "05" | "07" | "08" | "10" | "12"
short ::= "04" | "06" | "09" | "11"
day28 ::= "0" [1-9] | "1" [0-9] | "2" [0-8]
day30 ::= day28 | "29" | "30"
day31 ::= day30 | "31"
compare ::= " = " | " >= " | " <= " | " > " | " < "
count ::= " " ([1-9] | "1" [0-9] | "20")
bm25 ::= "bm25_search " text
dense ::= "dense_search " text
likes ::= "cf_recommend " (titles (" NOT " titles)? | "NOT " titles)
similar ::= "similar_items " title
lookup ::= "title_lookup " title
filter ::= "sql_filter " (where (" " order)? | order)
"""


def plan_grammar(manifest: Manifest) -> str:
    """EBNF with start symbol `root`."""
    usable = [column for column in manifest.columns if column.name.isascii()]
    facets = [column.name for column in usable if column.values is not None or column.type in ("integer", "number")]
    orders = [column.name for column in usable if column.type in ("integer", "number", "date") and not column.is_list]
    calls = ["filter", "bm25", "dense", "similar", "lookup"] + (["likes"] if manifest.interactions else [])
    rules = [
        "root ::= recommend | ask | answer | chat",
        f'recommend ::= "recommend" count? (" | " call){{0,{CALLS + 1}}}',
        'ask ::= "ask " text (" | facet_counts " facet)?',
        f'answer ::= "answer" (" | " call){{0,{CALLS}}}',
        'chat ::= "chat"',
        f"call ::= {' | '.join(calls)}",
        f'where ::= term (" AND " term){{0,{TERMS}}}',
        'term ::= condition | "NOT (" condition ")" | "(" condition (" OR " condition){1,3} ")"',
        f"condition ::= {' | '.join(['titled', *(_rule(column) for column in usable)])}",
        'titled ::= "title ILIKE \'%" words "%\'"',
        f"facet ::= {any_of(facets or ['title'])}",
        f'order ::= "ORDER BY " ({any_of(orders or ["title"])}) (" DESC" | " ASC")',
        *(f"{_rule(column)} ::= {_condition(column)}" for column in usable),
        *(
            f"{_rule(column)}-value ::= {any_of(_in_sql(column.values))}"
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
    """As many digits as numbers up to twice the column's own: a year has four, a rating one or two and a fraction."""
    low, high = (abs(int(float(bound or 0))) for bound in (column.minimum, column.maximum))
    most = max(len(str(low)), len(str(2 * high)))  # "under 100" may be said where nothing is over 95
    least = len(str(low)) if float(column.minimum or 0) > 0 else 1
    sign = '"-"? ' if float(column.minimum or 0) < 0 else ""
    fraction = ' ("." [0-9]{1,4})?' if column.type == "number" else ""
    # No leading zero: a first digit, then the rest.
    return f'({sign}([1-9] [0-9]{{{least - 1},{most - 1}}} | "0"){fraction})'


def _in_sql(values: Iterable[str]) -> list[str]:
    return ["'" + value.replace("'", "''") + "'" for value in values]


def any_of(options: Iterable[str]) -> str:
    """Alternatives, written as grammar literals."""
    return " | ".join(_literal(option) for option in options)


def _literal(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
