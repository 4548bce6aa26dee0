"""`/v1/tools`: the tools as function schemas that any model can be handed, and each of them to run."""

from typing import Annotated, Any

from fastapi import APIRouter, Body

from agent.server.problems import Problem
from agent.server.service import Service
from tools.registry import TOOLS, call, describe

EXAMPLES = {
    "sql_filter": {"where": "year BETWEEN 1990 AND 1999", "limit": 5},
    "title_lookup": {"title": "shawshenk redemption"},
    "dense_search": {"query": "an unlikely friendship", "k": 5},
}


def tool_routes(service: Service) -> APIRouter:
    routes = APIRouter(tags=["tools"])

    @routes.get("/v1/tools", summary="OpenAI function schemas of the tools")
    def schemas() -> dict[str, Any]:
        return {"object": "list", "data": [tool.schema() for tool in TOOLS.values()]}

    @routes.post("/v1/tools/{name}", summary="Run one tool")
    def run(
        name: str,
        arguments: Annotated[
            dict[str, Any],
            Body(openapi_examples={name: {"value": value} for name, value in EXAMPLES.items()}),
        ],
    ) -> dict[str, Any]:
        """Items with every column, best first; `count` is how many there are in all. 400 says what is allowed."""
        if name not in TOOLS:
            raise Problem(404, f"no tool {name[:64]!r}; there are: {', '.join(TOOLS)}", code="tool_not_found")
        catalog = service.agent.catalog
        return describe(catalog, call(catalog, name, arguments))

    return routes
