"""Items that meet a condition: boolean SQL over the catalog's columns, through the white list of tools.where."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from pydantic import Field

from tools.catalog import Catalog, Item
from tools.scorer import Mask
from tools.text import fold
from tools.tool import Arguments, Tool, ToolResult
from tools.where import parse_order_by, parse_where
from tools.whitelist import LONGEST


class FilterArguments(Arguments):
    """`where` is read by tools.where; `order_by` by default is the catalog's own order, most popular first."""

    where: str = Field(
        default="",
        max_length=LONGEST,
        description="condition over the catalog's columns in SQL: = != < <= > >= AND OR NOT IN BETWEEN ILIKE IS NULL;"
        " an element of a list column: 'value' IN column; may be empty where order_by is given",
    )
    order_by: str | None = Field(
        default=None, max_length=100, description="columns, each with ASC or DESC; without it, most popular first"
    )
    limit: int = Field(default=20, ge=1, le=1000, description="how many items at most")


def run(catalog: Catalog, arguments: FilterArguments, within: Mask | None) -> ToolResult:
    """The first `limit` items in order, all with score 0: a filter does not rank. Raises ToolError."""
    order = "" if arguments.order_by is None else parse_order_by(arguments.order_by, catalog.manifest)
    if order and not arguments.where.strip():
        matched = catalog.select("TRUE", (), order)
    else:
        where = parse_where(arguments.where, catalog.manifest)
        matched = catalog.select(where.sql, where.parameters, order)
    if within is not None:
        matched = matched[within[matched]]
    rows = matched[: arguments.limit]
    return ToolResult(rows=rows, scores=np.zeros(len(rows)), count=len(matched), matched=matched)


def explain(catalog: Catalog, arguments: FilterArguments, rows: Sequence[int]) -> list[list[str]]:
    """What each has in the columns of the condition: "year: 1994"; of a list, the elements the condition names."""
    if not arguments.where.strip():
        return [[] for _ in rows]
    where = parse_where(arguments.where, catalog.manifest)
    named = [fold(value).strip("%_") for value in where.parameters if isinstance(value, str)]
    return [_said(item, where.columns, named) for item in catalog.items(rows)]


def _said(item: Item, columns: Iterable[str], named: list[str]) -> list[str]:
    said = []
    for column in columns:
        value = item.values.get(column)
        if isinstance(value, tuple):
            value = ", ".join(str(element) for element in value if _is_named(element, named))
        if value not in (None, ""):
            said.append(f"{column}: {value}")
    return said


def _is_named(element: Any, named: list[str]) -> bool:
    return any(part in fold(str(element)) for part in named)


TOOL = Tool(
    name="sql_filter",
    description="Items that meet exact conditions on the catalog's columns: numbers, ranges, categories, names.",
    arguments=FilterArguments,
    run=run,
    explain=explain,
)
