"""The tools by name, and the one way to call them from names and JSON."""

from types import MappingProxyType
from typing import Any

from tools import bm25_search, cf_recommend, dense_search, facet_counts, similar_items, sql_filter, title_lookup
from tools.catalog import Catalog
from tools.errors import ToolError
from tools.scorer import Mask
from tools.tool import Tool, ToolResult

TOOLS = MappingProxyType(
    {
        tool.name: tool
        for tool in (
            sql_filter.TOOL,
            bm25_search.TOOL,
            dense_search.TOOL,
            cf_recommend.TOOL,
            similar_items.TOOL,
            title_lookup.TOOL,
            facet_counts.TOOL,
        )
    }
)


def find(name: str) -> Tool[Any]:
    """Raises ToolError naming the tools there are."""
    tool = TOOLS.get(name)
    if tool is None:
        raise ToolError(f"no tool {name!r}; there are: {', '.join(TOOLS)}")
    return tool


def call(catalog: Catalog, name: str, arguments: dict[str, Any], within: Mask | None = None) -> ToolResult:
    """Run one tool on arguments as JSON gives them. Raises ToolError for whatever the caller can mend."""
    tool = find(name)
    return tool.run(catalog, tool.parse(arguments), within)


def describe(catalog: Catalog, result: ToolResult) -> dict[str, Any]:
    """A result as JSON: items with ids, titles and every column, scores, the count and the tool's own data."""
    items = [
        {"item_id": item.item_id, "title": item.title, "score": round(float(score), 6), **item.values}
        for item, score in zip(catalog.items(result.rows), result.scores, strict=True)
    ]
    return {"count": result.count, "items": items, **result.data}
