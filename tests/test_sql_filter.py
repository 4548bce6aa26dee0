"""sql_filter over the tiny catalog: which items, in which order, and why."""

from typing import Any

import numpy as np
import pytest

from tools.catalog import Catalog
from tools.errors import ToolError
from tools.scorer import Mask
from tools.sql_filter import TOOL
from tools.tool import ToolResult


def run(catalog: Catalog, within: Mask | None = None, **arguments: Any) -> ToolResult:
    return TOOL.run(catalog, TOOL.parse(arguments), within)


def titles(catalog: Catalog, result: ToolResult) -> list[str]:
    return [item.title for item in catalog.items(result.rows)]


def test_items_come_most_popular_first(tiny_catalog: Catalog) -> None:
    result = run(tiny_catalog, where="'comedies' IN genres AND year BETWEEN 1990 AND 1999")
    assert titles(tiny_catalog, result) == [
        "Orbit City Cops",
        "Comet Over Dover",
        "Comet Over Dover II",
        "Small Thunder",
    ]
    assert result.count == 4
    assert result.rows.tolist() == sorted(result.rows.tolist())
    assert result.scores.tolist() == [0.0] * 4


def test_limit_cuts_the_rows_and_not_what_matched(tiny_catalog: Catalog) -> None:
    result = run(tiny_catalog, where="runtime > 0", limit=3)
    assert len(result.rows) == 3
    assert result.count == 39
    assert result.matched is not None
    assert len(result.matched) == 39


def test_order_by(tiny_catalog: Catalog) -> None:
    result = run(tiny_catalog, where="runtime > 0 OR runtime IS NULL", order_by="runtime DESC", limit=40)
    runtimes = [item.values["runtime"] for item in tiny_catalog.items(result.rows)]
    assert runtimes[:2] == [140, 132]
    assert runtimes[-1] is None


def test_within_keeps_only_the_pool(tiny_catalog: Catalog) -> None:
    pool = np.zeros(len(tiny_catalog), dtype=np.bool_)
    pool[:10] = True
    result = run(tiny_catalog, pool, where="'Sci-Fi' IN genres")
    assert titles(tiny_catalog, result) == ["Robots in the Rain", "Second Sun", "Orbit City Cops"]
    assert result.count == 3


def test_negation_keeps_what_is_unknown(tiny_catalog: Catalog) -> None:
    assert "Untitled Sea Project" in titles(tiny_catalog, run(tiny_catalog, where="NOT year > 1900", limit=40))
    assert run(tiny_catalog, where="year > 1900").count == 39


def test_explain_says_what_was_asked_about(tiny_catalog: Catalog) -> None:
    arguments = TOOL.parse(
        {"where": "'Sci-Fi' IN genres AND runtime < 100 AND director LIKE '%morita' AND year > 2000"}
    )
    row = int(TOOL.run(tiny_catalog, arguments, None).rows[0])
    other = int(TOOL.run(tiny_catalog, TOOL.parse({"where": "NOT ('Sci-Fi' IN genres)"}), None).rows[0])
    told = TOOL.explain(tiny_catalog, arguments, [other, row])
    assert told[1] == ["genres: Sci-Fi", "runtime: 88", "director: Kenji Morita", "year: 2016"]
    assert "genres: Sci-Fi" not in told[0]


def test_explain_leaves_out_what_the_item_lacks(tiny_catalog: Catalog) -> None:
    arguments = TOOL.parse({"where": "NOT ('Horror' IN genres) AND runtime IS NULL AND alternate_titles IS NULL"})
    row = int(TOOL.run(tiny_catalog, arguments, None).rows[0])
    assert TOOL.explain(tiny_catalog, arguments, [row]) == [[]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"where": "x" * 501}, "sql_filter: where: String should have at most 500 characters"),
        ({"where": "year > 1990", "limit": 0}, "sql_filter: limit"),
        ({"where": "year > 1990", "limit": "5"}, "sql_filter: limit"),
        ({"where": "year > 1990", "table": "users"}, "sql_filter: table.*it takes: where, order_by, limit"),
        ({}, "where is empty"),
        (
            {"where": "1=1) UNION SELECT * FROM read_csv('secrets.csv') --"},
            "UNION is not allowed in where; allowed: columns",
        ),
        ({"where": "director = 'Nobody'"}, "director has no value 'Nobody'; its values: "),
        ({"where": "year > 1990", "order_by": "year; DROP TABLE items"}, "order_by: .* is not allowed"),
    ],
)
def test_wrong_arguments_are_refused(tiny_catalog: Catalog, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ToolError, match=message):
        run(tiny_catalog, **arguments)
