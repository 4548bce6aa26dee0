"""A server over the tiny catalog and a scripted model, for the tests of the HTTP paths."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from agent.llm import Engine
from agent.loop import Agent
from agent.server.database import open_database
from agent.server.factory import build_server
from agent.server.keys import Keys
from agent.server.service import Service
from agent.server.store import Store
from agent.settings import Settings
from tests.scripted import ScriptedEngine
from tools.catalog import Catalog

COMEDIES = "recommend | sql_filter 'Comedy' IN genres"
DRAMAS = "recommend | sql_filter 'Drama' IN genres"
CHAT = "chat"
LOCALHOST = "http://localhost"


def service_of(catalog: Catalog, engine: Engine, state: Path, **settings: Any) -> Service:
    """Over a state file of its own."""
    agent = Agent.of(catalog, engine, Settings(catalog=catalog.folder, state=str(state), **settings))
    return Service.of(agent, Store(open_database(str(state))))


Serve = Callable[..., TestClient]


def client_of(service: Service, keys: Keys | None = None) -> TestClient:
    """Without keys the guard answers the loopback's names alone, so the client calls one of them."""
    return TestClient(build_server(service, keys), base_url=LOCALHOST, raise_server_exceptions=False)


def scripted(texts: Sequence[str]) -> ScriptedEngine:
    return ScriptedEngine(texts)
