"""Conditions on one column and their joins: DuckDB SQL with parameters on one side, canonical text on the other.

Logic is two-valued: a comparison with a missing value is false and its negation true, so that "not animated" keeps
what nobody has classified. Negations stand on single conditions only, so that each can be given up alone.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tools.literals import Value, quote_column, spell, spell_column
from tools.schema import Column

FOLDED = "lower(strip_accents({}))"


@dataclass(frozen=True)
class Term:
    """A condition, or (with `op` AND or OR) several joined; `column` is empty for a join, `negated` false."""

    sql: str
    parameters: tuple[Value, ...]
    canonical: str
    column: str = ""
    op: str = ""
    parts: tuple["Term", ...] = ()
    negated: bool = False

    def leaves(self) -> Iterator["Term"]:
        """The single conditions, left to right."""
        if not self.op:
            yield self
        for part in self.parts:
            yield from part.leaves()


def join(op: str, terms: Iterable[Term]) -> Term:
    """The terms joined by AND or OR: joins of the same kind opened up, repeated terms once."""
    parts = tuple(dict.fromkeys(part for term in terms for part in (term.parts if term.op == op else (term,))))
    if len(parts) == 1:
        return parts[0]
    return Term(
        sql=f" {op} ".join(f"({part.sql})" if part.op else part.sql for part in parts),
        parameters=tuple(parameter for part in parts for parameter in part.parameters),
        canonical=f" {op} ".join(f"({part.canonical})" if part.op else part.canonical for part in parts),
        op=op,
        parts=parts,
    )


def equal(column: Column, values: Sequence[Value], negated: bool) -> Term:
    """The column is one of the values; of a list, one of its elements is."""
    values = tuple(dict.fromkeys(values))
    if column.is_list:
        return join("AND" if negated else "OR", [_member(column, value, negated) for value in values])
    name, shown = spell_column(column.name), [spell(value) for value in values]
    folded = _is_free(column)
    place = FOLDED.format("?") if folded else "?"
    sql = f"{_operand(column)} IN ({', '.join([place] * len(values))})"
    if len(values) == 1:
        sql = f"{_operand(column)} = {place}"
        return _leaf(column, sql, values, f"{name} = {shown[0]}", f"{name} != {shown[0]}", negated=negated)
    listed = ", ".join(shown)
    return _leaf(column, sql, values, f"{name} IN ({listed})", f"{name} NOT IN ({listed})", negated=negated)


def ordered(column: Column, operator: str, value: Value, negated: bool) -> Term:
    """`operator` is <, <=, > or >=."""
    place = FOLDED.format("?") if _is_free(column) else "?"
    said = f"{spell_column(column.name)} {operator} {spell(value)}"
    return _leaf(column, f"{_operand(column)} {operator} {place}", (value,), said, f"NOT ({said})", negated=negated)


def between(column: Column, low: Value, high: Value, negated: bool) -> Term:
    """Both ends belong to the range."""
    place = FOLDED.format("?") if _is_free(column) else "?"
    name, ends = spell_column(column.name), f"BETWEEN {spell(low)} AND {spell(high)}"
    sql = f"{_operand(column)} BETWEEN {place} AND {place}"
    return _leaf(column, sql, (low, high), f"{name} {ends}", f"{name} NOT {ends}", negated=negated)


def like(column: Column, pattern: str, negated: bool) -> Term:
    """The text, or an element of the list of texts, matches; case and accents do not count."""
    name, shown = spell_column(column.name), spell(pattern)
    folded = FOLDED.format("?")
    if column.is_list:
        matches = f"lambda element: {FOLDED.format('element')} LIKE {folded}"
        sql = f"list_bool_or(list_transform({quote_column(column.name)}, {matches}))"
    else:
        sql = f"{FOLDED.format(quote_column(column.name))} LIKE {folded}"
    return _leaf(column, sql, (pattern,), f"{name} ILIKE {shown}", f"{name} NOT ILIKE {shown}", negated=negated)


def missing(column: Column, negated: bool) -> Term:
    """There is no value; an empty list is none either."""
    name, quoted = spell_column(column.name), quote_column(column.name)
    sql = f"coalesce(len({quoted}), 0) = 0" if column.is_list else f"{quoted} IS NULL"
    return _leaf(column, sql, (), f"{name} IS NULL", f"{name} IS NOT NULL", negated=negated)


def _leaf(
    column: Column, sql: str, parameters: tuple[Value, ...], positive: str, negative: str, *, negated: bool
) -> Term:
    if negated:
        return Term(f"({sql}) IS NOT TRUE", parameters, negative, column.name, negated=True)
    return Term(sql, parameters, positive, column.name)


def _member(column: Column, value: Value, negated: bool) -> Term:
    if _is_free(column):
        matches = f"lambda element: {FOLDED.format('element')} = {FOLDED.format('?')}"
        sql = f"list_bool_or(list_transform({quote_column(column.name)}, {matches}))"
    else:
        sql = f"list_contains({quote_column(column.name)}, ?)"
    said = f"{spell(value)} IN {spell_column(column.name)}"
    return _leaf(column, sql, (value,), said, f"NOT ({said})", negated=negated)


def _is_free(column: Column) -> bool:
    """Whether the values are free text, compared without case and accents."""
    return column.type == "text" and column.values is None and column.name != "item_id"


def _operand(column: Column) -> str:
    quoted = quote_column(column.name)
    return FOLDED.format(quoted) if _is_free(column) else quoted
