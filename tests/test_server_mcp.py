"""MCP as the official client speaks it, over stdio and over streamable HTTP."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from agent.server.keys import Keys
from tests.server import ROOT, Running, WordEngine, running, service_of
from tools.catalog import Catalog
from tools.registry import TOOLS

pytestmark = pytest.mark.enable_socket
Talk = Callable[[Client], Awaitable[None]]


@pytest.fixture(scope="module")
def served(tiny_catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    state = tmp_path_factory.mktemp("state") / "state.db"
    with running(service_of(tiny_catalog, WordEngine(), str(state))) as server:
        yield server


def over_stdio(folder: Path, state: Path) -> Client:
    arguments = ["-m", "tests.server", "--catalog", str(folder), "--state", str(state), "--stdio"]
    return Client(stdio_client(StdioServerParameters(command=sys.executable, args=arguments, cwd=ROOT)))


def speak(client: AbstractAsyncContextManager[Client], talk: Talk) -> None:
    async def all_of_it() -> None:
        async with client as opened:
            await talk(opened)

    asyncio.run(all_of_it())


async def every_tool_and_a_recommendation(client: Client) -> None:
    listed = (await client.list_tools()).tools
    assert [tool.name for tool in listed] == [*TOOLS, "recommend"]
    assert all(tool.input_schema["type"] == "object" and tool.description for tool in listed)

    found = await client.call_tool("title_lookup", {"title": "salt raod"})
    assert not found.is_error
    assert found.structured_content is not None
    assert found.structured_content["items"][0]["title"] == "Salt Road"

    refused = await client.call_tool("sql_filter", {"where": "1=1; DROP TABLE items"})
    assert refused.is_error
    assert "Traceback" not in refused.content[0].text  # type: ignore[union-attr]

    turns: list[Any] = []
    for _ in range(2):
        answer = await client.call_tool("recommend", {"text": "a comedy", "session_id": "over-mcp"})
        assert not answer.is_error, answer.content
        turns.append(answer.structured_content)
    first, second = ({item["item_id"] for item in turn["items"]} for turn in turns)
    assert len(first) == 5
    assert second
    assert not first & second

    for arguments, said in (
        ({}, "text"),
        ({"text": "x" * 2001}, "2,001"),
        ({"text": "x", "session_id": "/"}, "session_id"),
    ):
        wrong = await client.call_tool("recommend", arguments)
        assert wrong.is_error
        assert said in wrong.content[0].text  # type: ignore[union-attr]


def test_over_stdio(tiny_folder: Path, tmp_path: Path) -> None:
    speak(over_stdio(tiny_folder, tmp_path / "state.db"), every_tool_and_a_recommendation)


def test_over_http(served: Running) -> None:
    speak(Client(f"{served.url}/mcp"), every_tool_and_a_recommendation)


def test_an_older_client_that_shakes_hands_works_too(served: Running) -> None:
    speak(Client(f"{served.url}/mcp", mode="legacy"), a_lookup)


async def a_lookup(client: Client) -> None:
    assert not (await client.call_tool("title_lookup", {"title": "Salt Road"})).is_error


def test_a_key_for_tools_may_look_up_and_not_recommend(tiny_catalog: Catalog, tmp_path: Path) -> None:
    service = service_of(tiny_catalog, WordEngine(), str(tmp_path / "state.db"))
    keys = Keys(service.store.database)

    async def talk() -> None:
        for scopes, refused in ((("tools",), True), (("tools", "chat"), False)):
            headers = {"Authorization": f"Bearer {keys.add('ann', scopes)}"}
            async with (
                httpx2.AsyncClient(headers=headers) as http,
                Client(streamable_http_client(f"{server.url}/mcp", http_client=http)) as client,
            ):
                await a_lookup(client)
                answer = await client.call_tool("recommend", {"text": "a comedy"})
                assert answer.is_error is refused, answer.content

    with running(service, keys) as server:
        asyncio.run(talk())
