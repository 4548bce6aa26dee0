"""The whole server on one port: the API, MCP and, where it is wanted, the page; and how it is run."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from starlette.routing import Route

from agent.server.chat import chat_routes
from agent.server.docs import docs_page
from agent.server.guard import LOOPBACK, Access, Guard
from agent.server.keys import Keys
from agent.server.mcp import MCPEndpoint
from agent.server.problems import RefusedError, add_handlers
from agent.server.routes import people_routes, probe_routes, tool_routes
from agent.server.service import Service
from tools.errors import UsherError

FAREWELL = 10  # seconds that running requests get when the server is asked to stop
KEEP_ALIVE = 75  # seconds; above what a refused caller waits, or the server hangs up just as it comes again
ABOUT = """A conversational recommender over one catalog. The chat speaks the OpenAI format, the tools are OpenAI
function schemas, MCP is at /mcp. Where the server listens beyond its own machine, every request needs
`Authorization: Bearer KEY`."""


def build_server(service: Service, keys: Keys | None) -> FastAPI:
    """`keys` None: for a loopback address, where no key is asked for. A page is mounted last, at the root."""
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

    @server.get("/docs", include_in_schema=False)
    def docs(request: Request) -> HTMLResponse:
        return HTMLResponse(docs_page(server.openapi(), str(request.base_url).rstrip("/")))

    @server.api_route("/v1/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
    def nothing(path: str, request: Request) -> None:
        """Before the page's root, which would answer in its own way."""
        raise RefusedError(404, f"there is no {request.method} /v1/{path[:64]}; see /docs", code="not_found")

    settings = service.agent.settings
    server.add_middleware(Guard, keys=keys, rate=settings.rate, body_limit=settings.body_limit, metrics=service.metrics)
    server.add_middleware(Access, metrics=service.metrics)
    return server


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    return host in LOOPBACK or host.startswith("127.")


def listen(host: str, port: int) -> socket.socket:
    """Port 0 takes a free one. Raises UsherError for a port that is taken or an address that is not this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise UsherError(f"cannot listen on {host}:{port} ({error.strerror or error}); try --port") from error
    # asyncio does so only for sockets that name TCP as their protocol, and what is accepted here does not: without it
    # every answer's body waits 40 ms for the acknowledgement of its head.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def uvicorn_server(server: FastAPI) -> uvicorn.Server:
    """To be run on a listening socket. The logs are set up by `log_to_stderr`; uvicorn's own lines would name paths."""
    config = uvicorn.Config(
        server,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=FAREWELL,
    )
    return uvicorn.Server(config)
