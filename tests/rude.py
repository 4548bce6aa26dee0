"""A model server on this machine that misbehaves as a test tells it to."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

PLAN = "recommend | sql_filter 'Comedy' IN genres"


class Handler(BaseHTTPRequestHandler):
    server: "RudeServer"

    def log_message(self, *_: Any) -> None:
        return

    def do_GET(self) -> None:
        if self.path == "/health":
            self.raw(b"", 200 if time.monotonic() > self.server.ready else 503)
            return
        self.server.listed += 1
        owner = self.server.owner
        self.json({"data": [{"id": name, "owned_by": owner} for name in self.server.models]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.bodies.append(body)
        behave = self.server.queue.pop(0) if self.server.queue else self.server.always
        behave(self, body)

    def json(self, data: Any, status: int = 200, **headers: str) -> None:
        self.raw(json.dumps(data).encode(), status, **headers)

    def raw(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def stream(self) -> None:
        """Begin a stream whose end is the end of the connection."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.close_connection = True

    def piece(self, text: str) -> None:
        self.event({"choices": [{"delta": {"content": text}, "finish_reason": None}]})

    def event(self, data: Any) -> None:
        self.wfile.write(f"data: {json.dumps(data)}\n\n".encode())
        self.wfile.flush()


Behaviour: TypeAlias = Callable[[Handler, dict[str, Any]], None]


def answers(text: str = PLAN) -> Behaviour:
    """As it should be: the text, streamed or not, and the letters A and B."""

    def behave(handler: Handler, body: dict[str, Any]) -> None:
        if body.get("stream"):
            handler.stream()
            for start in range(0, len(text), 7):
                handler.piece(text[start : start + 7])
            handler.wfile.write(b"data: [DONE]\n\n")
        else:
            top = [{"token": "A", "logprob": -2.0}, {"token": " B", "logprob": -0.1}]
            handler.json({"choices": [{"logprobs": {"content": [{"top_logprobs": top}]}}]})

    return behave


def refuses(status: int, **headers: str) -> Behaviour:
    return lambda handler, _: handler.json({"error": {"message": "no"}}, status, **headers)


def says(body: str) -> Behaviour:
    return lambda handler, _: handler.raw(body.encode())


def hangs_up(handler: Handler, _: dict[str, Any]) -> None:
    """Close the connection without a word."""
    handler.close_connection = True


def breaks_off(after: str) -> Behaviour:
    """Close the connection in the middle of a stream, as a server does that is killed."""

    def behave(handler: Handler, _: dict[str, Any]) -> None:
        handler.stream()
        handler.piece(after)

    return behave


def fails_inside(handler: Handler, _: dict[str, Any]) -> None:
    """Say in the stream that it went wrong, as vLLM does."""
    handler.stream()
    handler.piece("Hel")
    handler.event({"error": {"message": "the engine died"}})


def never_stops(handler: Handler, _: dict[str, Any]) -> None:
    """Write until the client has gone, and note that it has."""
    handler.stream()
    try:
        for _step in range(500):
            handler.piece("and ")
            time.sleep(0.02)
    except OSError:
        handler.server.left.set()


class RudeServer(ThreadingHTTPServer):
    """Each chat request takes the next behaviour of `queue`, or `always`; `bodies` are what it was asked.

    It is healthy from `ready` on, on the monotonic clock.
    """

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.ready = 0.0
        self.queue: list[Behaviour] = []
        self.always: Behaviour = answers()
        self.models: Sequence[str] = ("base", "planner")
        self.owner = "vllm"
        self.bodies: list[dict[str, Any]] = []
        self.listed = 0
        self.left = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


@contextmanager
def rude_server() -> Iterator[RudeServer]:
    with RudeServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
