"""MCP: the tools and one `recommend`, over stdio and over streamable HTTP, for any client that speaks the protocol."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from importlib.metadata import version
from typing import Any

from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)
from pydantic import Field, ValidationError
from starlette.types import Receive, Scope, Send

from agent.events import Done
from agent.memory import Session
from agent.server.formats import ID
from agent.server.guard import LOCAL, caller_of
from agent.server.keys import Caller
from agent.server.problems import problem_of
from agent.server.service import Conversation, Service, events_of
from tools.errors import ToolError, UsherError
from tools.registry import TOOLS, call, describe
from tools.tool import Arguments
from tools.tool import Tool as UsherTool


class RecommendArguments(Arguments):
    text: str = Field(min_length=1, description="what the person says, in their own words")
    session_id: str | None = Field(
        default=None,
        pattern=ID,
        description="give the same again to go on with a conversation",
    )


def mcp_server(service: Service, caller: Callable[[ServerRequestContext[Any]], Caller]) -> Server[Any]:
    """`caller` says whose request it is: over stdio whoever started the process, over HTTP the key's owner."""
    noun = service.agent.catalog.manifest.noun
    recommend = f"Find {noun}s for what a person is in the mood for, with the reasons; remembers the conversation."

    async def list_tools(_: ServerRequestContext[Any], __: PaginatedRequestParams | None) -> ListToolsResult:
        reads = ToolAnnotations(read_only_hint=True, open_world_hint=False)
        listed = [
            Tool(name=tool.name, description=tool.description, input_schema=_parameters(tool), annotations=reads)
            for tool in TOOLS.values()
        ]
        schema = RecommendArguments.model_json_schema()
        return ListToolsResult(tools=[*listed, Tool(name="recommend", description=recommend, input_schema=schema)])

    async def call_tool(context: ServerRequestContext[Any], asked: CallToolRequestParams) -> CallToolResult:
        try:
            if asked.name == "recommend":
                result = await _recommend(service, caller(context), asked.arguments or {})
            else:
                result = await asyncio.to_thread(_run, service, asked.name, asked.arguments or {})
        except UsherError as error:
            return CallToolResult(content=[TextContent(type="text", text=str(problem_of(error)))], is_error=True)
        text = json.dumps(result, ensure_ascii=False, default=str)
        return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=json.loads(text))

    return Server(
        "usher",
        version=version("usher-recommender"),
        instructions=f"Recommends {noun}s from one catalog. The tools' results and errors name its columns and values.",
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _parameters(tool: UsherTool[Any]) -> dict[str, Any]:
    parameters: dict[str, Any] = tool.schema()["function"]["parameters"]
    return parameters


def _run(service: Service, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return describe(service.agent.catalog, call(service.agent.catalog, name, arguments))


async def _recommend(service: Service, caller: Caller, arguments: dict[str, Any]) -> dict[str, Any]:
    """The turn as `Done.json` gives it. Raises UsherError."""
    if not caller.may("chat"):
        raise ToolError("recommend: this key lacks the scope 'chat'")
    try:
        asked = RecommendArguments.model_validate(arguments)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "arguments"
        raise ToolError(f"recommend: {where}: {first['msg']}; it takes: text, session_id") from error
    conversation = Conversation(Session(), caller.owner)
    with service.gate.reserved() as ticket:
        if asked.session_id is not None:
            conversation = await asyncio.to_thread(service.open, caller.owner, asked.session_id)
        async with aclosing(events_of(service, conversation, asked.text, service.watch(ticket))) as events:
            async for event in events:
                if isinstance(event, Done):
                    return event.json()
    raise AssertionError("a turn ends with Done or raises")


async def serve_stdio(service: Service) -> None:
    """Until the client closes its end."""
    server = mcp_server(service, lambda _: LOCAL)
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


class MCPEndpoint:
    """Streamable HTTP as an ASGI app without sessions of its own, so that any replica answers any request."""

    def __init__(self, service: Service) -> None:
        def caller(context: ServerRequestContext[Any]) -> Caller:
            assert context.request is not None, "over HTTP there is one"
            return caller_of(context.request)

        self._server = mcp_server(service, caller)
        self._manager: StreamableHTTPSessionManager | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Around the server's life; it may be started again after it ended."""
        self._manager = StreamableHTTPSessionManager(self._server, json_response=True, stateless=True)
        async with self._manager.run():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._manager is not None, "the server's lifespan starts it"
        await self._manager.handle_request(scope, receive, send)
