"""Literals of a where clause: given the type of the column they are compared with, and spelled as SQL again."""

import datetime
import math
import textwrap
from decimal import Decimal
from typing import TypeAlias

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from tools.errors import ToolError
from tools.schema import Column
from tools.vocabulary import closest

Literal: TypeAlias = str | int | float | bool  # as it stands in the text
Value: TypeAlias = str | int | float | bool | datetime.date  # as the column's type has it
LARGEST = 1e15  # of a number: beyond it whole numbers are no longer exact


def typed(column: Column, literal: Literal, noun: str) -> Value:
    """The literal as a value of the column (of its elements, for a list).

    Raises ToolError naming the column, its type and what the literal is; for an enumerated column, its values.
    """
    match column.type:
        case "integer" | "number":
            return _number(column, literal)
        case "boolean":
            return _boolean(column, literal)
        case "date":
            return _date(column, literal)
        case _:
            return _text(column, literal, noun)


def spell(value: Value) -> str:
    """The value as a SQL literal that parses to the same value."""
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case str() | datetime.date():
            return "'" + str(value).replace("'", "''") + "'"
        case float():
            return format(Decimal(repr(value)), "f")
        case _:
            return str(value)


def spell_column(name: str) -> str:
    """The column's name as canonical SQL has it: bare where that parses to the name again, quoted otherwise."""
    if name == name.lower() and name.isidentifier():
        try:
            bare = sqlglot.parse_one(f"{name} = 1", dialect="duckdb", into=exp.Condition)
        except SqlglotError:
            return quote_column(name)
        if isinstance(bare, exp.EQ) and isinstance(bare.this, exp.Column) and bare.this.name == name:
            return name
    return quote_column(name)


def quote_column(name: str) -> str:
    """The column's name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def describe_type(column: Column) -> str:
    """The column's type in words, with its range where it has one: "integer, 1902 to 2016"."""
    kind = f"a list of {column.type}" if column.is_list else column.type
    if column.minimum is None:
        return kind
    low, high = (end if isinstance(end, str) else f"{end:.10g}" for end in (column.minimum, column.maximum or 0.0))
    return f"{kind}, {low} to {high}"


def clip(text: str) -> str:
    """The text on one line of at most 60 characters, for an error."""
    return textwrap.shorten(text, 60, placeholder="...") or repr(text)


def _mismatch(column: Column, literal: Literal, wanted: str) -> ToolError:
    return ToolError(f"{column.name} is {describe_type(column)}: {clip(spell(literal))} is not {wanted}")


def _number(column: Column, literal: Literal) -> int | float:
    if isinstance(literal, bool):
        raise _mismatch(column, literal, "a number")
    try:
        number = float(literal)
    except (ValueError, OverflowError) as error:
        raise _mismatch(column, literal, "a number") from error
    if not math.isfinite(number) or abs(number) > LARGEST:
        raise _mismatch(column, literal, f"a number up to {LARGEST:g}")
    return int(number) if number.is_integer() else number


def _boolean(column: Column, literal: Literal) -> bool:
    named = {"true": True, "false": False, "1": True, "0": False}.get(str(literal).lower())
    if named is None:
        raise _mismatch(column, literal, "TRUE or FALSE")
    return named


def _date(column: Column, literal: Literal) -> datetime.date:
    try:
        return datetime.date.fromisoformat(literal if isinstance(literal, str) else "")
    except ValueError as error:
        raise _mismatch(column, literal, "a date such as '1999-12-31'") from error


def _text(column: Column, literal: Literal, noun: str) -> str:
    if column.name == "item_id" and isinstance(literal, int) and not isinstance(literal, bool):
        return str(literal)
    if not isinstance(literal, str):
        raise _mismatch(column, literal, "a text such as 'abc'")
    return literal if column.values is None else closest(column, literal, noun)
