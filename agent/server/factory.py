"""The whole server: API, MCP, probes and, where it is wanted, the page, on one port."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.routing import Route

from agent.server.access import Access
from agent.server.chat import chat_routes
from agent.server.guard import Guard
from agent.server.keys import Keys
from agent.server.mcp import MCPEndpoint
from agent.server.people import people_routes
from agent.server.probes import probe_routes
from agent.server.problems import add_handlers
from agent.server.service import Service
from agent.server.tools import tool_routes

ABOUT = """A conversational recommender over one catalog. The chat speaks the OpenAI format, the tools are OpenAI
function schemas, MCP is at /mcp. Where the server listens beyond its own machine, every request needs
`Authorization: Bearer KEY`."""


def build_server(service: Service, keys: Keys | None) -> FastAPI:
    """`keys` None: for a loopback address, where no key is asked for. The page, if any, is mounted last, at the root."""
    endpoint = MCPEndpoint(service)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with endpoint.running():
            yield

    server = FastAPI(
        title="Usher",
        version=version("usher-recommender"),
        description=ABOUT,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        lifespan=lifespan,
    )
    add_handlers(server)
    for routes in (chat_routes(service), tool_routes(service), people_routes(service), probe_routes(service)):
        server.include_router(routes)
    server.router.routes.append(Route("/mcp", endpoint))
    settings = service.agent.settings
    server.add_middleware(Guard, keys=keys, rate=settings.rate, metrics=service.metrics)
    server.add_middleware(Access, metrics=service.metrics, body_limit=settings.body_limit)
    return server
