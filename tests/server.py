"""A real server on a port of this machine, over the tiny catalog and an engine that plans by the words of a message.

As a program (`python -m tests.server --catalog DIR --state FILE [--stdio]`) it is `usher chat --no-page` or `usher mcp`
in all but its engine, for tests that kill it or speak to it through pipes.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from agent.llm import Engine, Request
from agent.loop import Agent
from agent.server.database import open_database
from agent.server.factory import build_server, listen, uvicorn_server
from agent.server.keys import Keys
from agent.server.mcp import serve_stdio
from agent.server.service import Service
from agent.server.store import Store
from agent.server.watching import log_to_stderr
from agent.settings import Settings
from tests.scripted import ScriptedEngine
from tools.catalog import Catalog

ROOT = Path(__file__).parent.parent
PLANS = {
    "comedy": "recommend | sql_filter 'Comedy' IN genres",
    "drama": "recommend | sql_filter 'Drama' IN genres",
    "western": "recommend | sql_filter 'Western' IN genres",
    "salt road": 'recommend | cf_recommend "Salt Road"',
    "hello": "chat",
}


class WordEngine(ScriptedEngine):
    """Plans by the first word of PLANS in the message, and small talk where there is none; never runs out.

    As the writer it says `says`.
    """

    says = "Tell me more. What are you in the mood for?"

    def stream(self, request: Request) -> Iterator[str]:
        self.requests.append(request)
        text = self.says if request.role == "writer" else plan_of(request)
        for start in range(0, len(text), 7):
            yield text[start : start + 7]


def plan_of(request: Request) -> str:
    message = request.messages[-1].content.rpartition("Message: ")[2].lower()
    return next((plan for word, plan in PLANS.items() if word in message), "chat")


class HeldEngine(WordEngine):
    """Writes nothing until it is let `go`; `begun` counts the requests that came."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.begun = threading.Semaphore(0)

    def stream(self, request: Request) -> Iterator[str]:
        self.begun.release()
        while not self.go.wait(0.01):
            yield ""
        yield from super().stream(request)


def service_of(catalog: Catalog, engine: Engine, state: str, **settings: Any) -> Service:
    """Over a state of its own; `settings` as in Settings."""
    agent = Agent.of(catalog, engine, Settings(catalog=catalog.folder, state=state, **settings))
    return Service.of(agent, Store(open_database(state)))


@dataclass
class Running:
    """A server that answers at `url`."""

    url: str
    service: Service

    def client(self, key: str = "", **options: Any) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, **options)


@contextlib.contextmanager
def running(service: Service, keys: Keys | None = None) -> Iterator[Running]:
    """The server in a thread of this process, on a free port; the service is closed by who made it."""
    listening = listen("127.0.0.1", 0)
    server = uvicorn_server(build_server(service, keys))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    until = time.monotonic() + 60
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < until
        time.sleep(0.01)
    try:
        yield Running(f"http://127.0.0.1:{listening.getsockname()[1]}", service)
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        listening.close()


@dataclass
class Program:
    """This file as a program of its own, so that it can be killed."""

    process: "subprocess.Popen[str]"
    url: str

    def kill(self) -> None:
        """As a power cut would: nothing is finished, nothing is flushed."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def program(catalog: Path, state: str, *arguments: str) -> Iterator[Program]:
    """Ready to answer."""
    command = [sys.executable, "-m", "tests.server", "--catalog", str(catalog), "--state", state, *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("http://"), line
        yield Program(process, line.strip())
    finally:
        process.kill()
        process.wait()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until killed; the address is the first line on stdout, once a request would be answered."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--catalog", type=Path, required=True)
    parser.add_argument("--state", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--stdio", action="store_true")
    given = parser.parse_args(arguments)
    service = service_of(Catalog.open(given.catalog), WordEngine(), given.state)
    log_to_stderr()
    if given.stdio:
        asyncio.run(serve_stdio(service))
        return
    listening = listen("127.0.0.1", given.port)
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    uvicorn_server(build_server(service, None)).run(sockets=[listening])


if __name__ == "__main__":
    main()
