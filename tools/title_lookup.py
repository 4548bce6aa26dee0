"""Catalog items for a title as people type it; says what was not found, and what comes near."""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from tools.catalog import Catalog
from tools.errors import ToolError
from tools.scorer import Mask
from tools.tool import Arguments, Tool, ToolResult

MOST = 10  # items for one title


class TitleArguments(Arguments):
    """A title in any spelling, with or without its year."""

    title: str = Field(min_length=1, max_length=200, description="a title as people type it; a year may follow")


def run(catalog: Catalog, arguments: TitleArguments, within: Mask | None) -> ToolResult:
    """The items of that title, best match first, with scores from 0 to 1.

    When there is none, `data` has the title under "not_found" and up to three titles under "nearest".
    """
    matches = catalog.title_index.lookup(arguments.title)
    if within is not None:
        matches = [match for match in matches if within[match.row]]
    rows = np.array([match.row for match in matches[:MOST]], dtype=np.int64)
    scores = np.array([match.score for match in matches[:MOST]], dtype=np.float64)
    data = {} if matches else {"not_found": [arguments.title], "nearest": nearest(catalog, arguments.title)}
    return ToolResult(rows=rows, scores=scores, count=len(matches), data=data)


def nearest(catalog: Catalog, title: str) -> list[str]:
    """Titles of the catalog that look like one it does not have, with their years: "Heat (1995)"."""
    items = catalog.items(catalog.title_index.nearest(title))
    return [item.title if item.year is None else f"{item.title} ({item.year})" for item in items]


def resolve(catalog: Catalog, text: str) -> int:
    """The row of an item named by its id or, failing that, by its title. Raises ToolError naming the nearest titles."""
    row = catalog.row_of(text)
    if row is not None:
        return row
    matches = catalog.title_index.lookup(text)
    if not matches:
        near = ", ".join(nearest(catalog, text)) or "none"
        raise ToolError(f"no {catalog.manifest.noun} with the id or title {text!r}; the nearest titles: {near}")
    return matches[0].row


def explain(
    catalog: Catalog,
    arguments: TitleArguments,  # noqa: ARG001 (every tool has it)
    rows: Sequence[int],
) -> list[list[str]]:
    """The title that was found."""
    return [[f"title: {catalog.titles[row]}"] for row in rows]


TOOL = Tool(
    name="title_lookup",
    description="Catalog items for a title somebody named, however it is spelt.",
    arguments=TitleArguments,
    run=run,
    explain=explain,
)
