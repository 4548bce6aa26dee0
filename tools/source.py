"""What a catalog is built from: typed items, interactions, and what is true of every column."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from tools.literals import quote_column
from tools.names import unused
from tools.schema import Column, ColumnType
from tools.titles import clean

MOST_VALUES = 64  # distinct values up to which a text column is enumerated
LONGEST_VALUE = 40  # characters of an enumerated value
FEWEST_USES = 3  # times an enumerated value is used on average

INTERACTIONS = pa.schema(
    [("user_id", pa.string()), ("item_id", pa.string()), ("rating", pa.float64()), ("timestamp", pa.int64())]
)


@dataclass(frozen=True)
class Source:
    """`items` has item_id and title (text, none missing, ids unique), then `columns` in their order.

    `interactions` has the columns of INTERACTIONS, each pair of person and item once, every item known; None without.
    `notes` say in words, one line each, what was left out and why.
    """

    name: str
    noun: str
    source: str
    licence: str
    items: pa.Table
    interactions: pa.Table | None
    columns: tuple[Column, ...]
    notes: tuple[str, ...] = ()


def clean_titles(titles: Sequence[str], years: Sequence[int | None]) -> tuple[list[str], list[tuple[str, ...]]]:
    """Display titles and their alternates; where two items would read alike, both keep their brackets."""
    cleaned = [clean(title) for title in titles]
    seen: dict[tuple[str, int | None], int] = {}
    for title, year in zip(cleaned, years, strict=True):
        seen[title.display, year] = seen.get((title.display, year), 0) + 1
    displays, alternates = [], []
    for raw, title, year in zip(titles, cleaned, years, strict=True):
        alone = seen[title.display, year] == 1 or not title.alternates
        displays.append(title.display if alone else raw)
        alternates.append(title.alternates if alone else (title.display, *title.alternates))
    return displays, alternates


def add_rating_columns(items: pa.Table, interactions: pa.Table | None) -> pa.Table:
    """`items` with `rating_count` and, where there are ratings, `rating_mean` (plain mean, two digits)."""
    if interactions is None:
        return items
    with closing(duckdb.connect()) as con:
        con.register("items", items)
        con.register("interactions", interactions)
        found = con.sql(
            "SELECT coalesce(count, 0) AS count, round(mean, 2) AS mean FROM"
            " (SELECT item_id, row_number() OVER () AS position FROM items) LEFT JOIN"
            " (SELECT item_id, count(*) AS count, avg(rating) AS mean FROM interactions GROUP BY item_id)"
            " USING (item_id) ORDER BY position"
        ).to_arrow_table()
    items = items.append_column(unused("rating_count", items.column_names), found["count"].cast(pa.int64()))
    if found["mean"].null_count == len(found):
        return items
    return items.append_column(unused("rating_mean", items.column_names), found["mean"])


def describe(items: pa.Table, notes: Mapping[str, str]) -> tuple[Column, ...]:
    """A Column for each column of `items` after item_id and title; `notes` gives units and meanings by name."""
    with closing(duckdb.connect()) as con:
        con.register("items", items)
        names = [name for name in items.column_names if name not in ("item_id", "title")]
        return tuple(_describe(con, name, items.schema.field(name).type, notes.get(name, "")) for name in names)


def _describe(con: duckdb.DuckDBPyConnection, name: str, arrow_type: pa.DataType, note: str) -> Column:
    is_list = pa.types.is_list(arrow_type)
    kind = column_type(arrow_type.value_type if is_list else arrow_type)
    cell = quote_column(name)
    filled = f"len({cell}) > 0" if is_list else f"{cell} IS NOT NULL"
    cells = f"SELECT {f'unnest({cell})' if is_list else cell} AS value FROM items WHERE {filled}"
    uses, distinct, low, high, longest = _one(
        con,
        f"SELECT count(value), count(DISTINCT value), min(value), max(value), max(len(value::VARCHAR)) FROM ({cells})",
    )
    (missing,) = _one(con, f"SELECT count(*) FILTER (WHERE ({filled}) IS NOT TRUE) FROM items")
    values = None
    if kind == "text" and 0 < distinct <= MOST_VALUES and longest <= LONGEST_VALUE and uses >= FEWEST_USES * distinct:
        rows = con.execute(f"SELECT value FROM ({cells}) GROUP BY value ORDER BY count(*) DESC, value").fetchall()
        values = tuple(value for (value,) in rows)
    return Column(
        name=name,
        type=kind,
        is_list=is_list,
        values=values,
        minimum=_bound(low, kind),
        maximum=_bound(high, kind),
        distinct=distinct,
        missing=missing,
        note=note,
    )


def column_type(arrow_type: pa.DataType) -> ColumnType:
    """The catalog's type for an Arrow type that ingest makes."""
    if pa.types.is_boolean(arrow_type):
        return "boolean"
    if pa.types.is_integer(arrow_type):
        return "integer"
    if pa.types.is_floating(arrow_type):
        return "number"
    return "date" if pa.types.is_date(arrow_type) else "text"


def _bound(value: Any, kind: ColumnType) -> float | str | None:
    if value is None or kind in ("text", "boolean"):
        return None
    return str(value) if kind == "date" else float(value)


def _one(con: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    row = con.execute(sql).fetchone()
    assert row is not None
    return row
