"""facet_counts over the tiny catalog: values, bins, conditions and pools."""

from typing import Any

import numpy as np
import pytest

from tools.catalog import Catalog
from tools.errors import ToolError
from tools.facet_counts import TOOL
from tools.scorer import Mask


def counts(catalog: Catalog, column: str, where: str | None = None, within: Mask | None = None) -> dict[Any, int]:
    result = TOOL.run(catalog, TOOL.parse({"column": column, "where": where}), within)
    assert len(result.rows) == 0
    assert result.data["column"] == column.lower()
    return {count["value"]: count["count"] for count in result.data["counts"]}


def test_elements_of_a_list_count_each(tiny_catalog: Catalog) -> None:
    genres = counts(tiny_catalog, "genres")
    assert list(genres.items())[:3] == [("Comedy", 12), ("Drama", 10), ("Romance", 8)]
    assert sum(genres.values()) == sum(len(item.values["genres"]) for item in tiny_catalog.items(range(40)))


def test_condition_and_pool_narrow_the_counts(tiny_catalog: Catalog) -> None:
    assert counts(tiny_catalog, "genres", "director = 'Ada Brandt'") == {
        "Drama": 3,
        "Musical": 1,
        "Mystery": 1,
        "Western": 1,
    }
    pool = np.zeros(len(tiny_catalog), dtype=np.bool_)
    pool[:3] = True
    assert counts(tiny_catalog, "Genres", "'Children' IN genres", pool) == {
        "Children": 2,
        "Adventure": 1,
        "Animation": 1,
        "Sci-Fi": 1,
    }


def test_numbers_of_a_wide_range_are_put_into_round_bins(tiny_catalog: Catalog) -> None:
    decades = counts(tiny_catalog, "year")
    assert decades["1990 to 1999"] == 8
    assert set(decades) == {f"{decade} to {decade + 9}" for decade in range(1940, 2030, 10)}
    assert sum(decades.values()) == 39


def test_few_numbers_stand_for_themselves(tiny_catalog: Catalog) -> None:
    assert counts(tiny_catalog, "year", "year BETWEEN 1990 AND 1993") == {1990: 1, 1991: 1, 1993: 1}


def test_fractions_are_put_into_bins_too(tiny_catalog: Catalog) -> None:
    means = counts(tiny_catalog, "rating_mean")
    assert sum(means.values()) == 39
    assert means["4 to 4.5"] == sum(
        4 <= (item.values["rating_mean"] or 0) < 4.5 for item in tiny_catalog.items(range(40))
    )


def test_nothing_matched_counts_nothing(tiny_catalog: Catalog) -> None:
    assert counts(tiny_catalog, "year", "year > 2100") == {}


def test_unknown_column_is_refused(tiny_catalog: Catalog) -> None:
    with pytest.raises(ToolError, match="no column 'genre'; the nearest is genres; columns: item_id, title, year"):
        counts(tiny_catalog, "genre")
    with pytest.raises(ToolError, match="no column 'title'"):
        counts(tiny_catalog, "title")
