"""How the items spread over the values of a column: what to ask about when one question splits the pool best."""

import datetime
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import Field

from tools.catalog import Catalog
from tools.scorer import Mask
from tools.tool import Arguments, Tool, ToolResult
from tools.where import parse_where
from tools.whitelist import LONGEST, Whitelist

SHOWN = 50  # values or bins
MOST_BINS = 12  # numbers with more different values are put into bins
EVERY = 1_000_000  # different values of one column that are read to be put into bins


class FacetArguments(Arguments):
    """`where` is read by tools.where."""

    column: str = Field(min_length=1, max_length=100, description="the column whose values are counted")
    where: str | None = Field(
        default=None, max_length=LONGEST, description="count only items that meet this condition, as in sql_filter"
    )


def run(catalog: Catalog, arguments: FacetArguments, within: Mask | None) -> ToolResult:
    """No rows; `data["counts"]` has the values most frequent first, numbers and dates in bins of a round width.

    `count` is the number of items looked at. An item counts once for each element of a list. Raises ToolError.
    """
    column = Whitelist(catalog.manifest).column(arguments.column)
    sql, parameters = "TRUE", list[Any]()
    rows = np.arange(len(catalog))
    if arguments.where is not None:
        where = parse_where(arguments.where, catalog.manifest)
        sql, parameters = where.sql, list(where.parameters)
        rows = catalog.select(sql, parameters)
    if within is not None:
        rows = rows[within[rows]]
        sql, parameters = "row IN (SELECT unnest(?::BIGINT[]))", [rows.tolist()]
    if column.type in ("integer", "number", "date"):
        counts = _binned(catalog.count_values(column.name, sql, parameters, EVERY))
    else:
        counts = catalog.count_values(column.name, sql, parameters, SHOWN)
    data = {"column": column.name, "counts": [{"value": value, "count": count} for value, count in counts[:SHOWN]]}
    return ToolResult(rows=np.empty(0, dtype=np.int64), scores=np.empty(0), count=len(rows), data=data)


def explain(
    catalog: Catalog,  # noqa: ARG001 (every tool has it)
    arguments: FacetArguments,  # noqa: ARG001
    rows: Sequence[int],
) -> list[list[str]]:
    """Nothing: counts name no item."""
    return [[] for _ in rows]


def _binned(counted: list[tuple[Any, int]]) -> list[tuple[Any, int]]:
    """Numbers by themselves where they are few; otherwise "1990 to 1999", or for fractions "7 to 8" without the 8."""
    numbers = [(value.year if isinstance(value, datetime.date) else value, count) for value, count in counted]
    totals: Counter[Any] = Counter()
    if len({number for number, _ in numbers}) <= MOST_BINS:
        for number, count in numbers:
            totals[number] += count
    else:
        low, high = min(number for number, _ in numbers), max(number for number, _ in numbers)
        whole = all(float(number).is_integer() for number, _ in numbers)
        width = _round_width((high - low) / MOST_BINS, whole)
        for number, count in numbers:
            totals[math.floor(number / width)] += count
        totals = Counter({_span(bin_, width, whole): count for bin_, count in totals.items()})
    return totals.most_common()


def _round_width(least: float, whole: bool) -> float:
    """The smallest of 1, 2, 5, 10, 20, .. (or 0.1, 0.2, ..) that is not below `least`."""
    magnitude = 10.0 ** math.floor(math.log10(least))
    width = next(step * magnitude for step in (1, 2, 5, 10) if step * magnitude >= least)
    return max(width, 1.0) if whole else width


def _span(bin_: int, width: float, whole: bool) -> str:
    low = bin_ * width
    return f"{low:.10g} to {low + width - whole:.10g}"


TOOL = Tool(
    name="facet_counts",
    description="How many items have each value of a column, to choose what to ask or to describe what there is.",
    arguments=FacetArguments,
    run=run,
    explain=explain,
)
