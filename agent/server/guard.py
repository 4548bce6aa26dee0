"""Who may call what, and how often. Without keys the server answers this machine alone, and only under its names."""

import base64
import binascii
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.server.database import StateError
from agent.server.keys import Caller, Keys, Scope as KeyScope
from agent.server.metrics import Metrics
from agent.server.problems import Problem, answer, problem_of

LOCAL = Caller("local", "", frozenset({"chat", "tools", "admin"}))
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})
OPEN = frozenset({"/healthz", "/readyz"})  # what a load balancer asks; nothing of anyone's is in it


@dataclass
class Bucket:
    """A token bucket: `rate` requests a minute, and as many at once."""

    rate: float
    clock: Callable[[], float] = time.monotonic
    _left: dict[str, tuple[float, float]] = field(default_factory=dict)

    def take(self, key: str) -> float:
        """Seconds until there is room; 0 when there is, and one is taken."""
        now = self.clock()
        left, then = self._left.get(key, (self.rate, now))
        left = min(self.rate, left + (now - then) * self.rate / 60)
        wait = 0.0 if left >= 1 else (1 - left) * 60 / self.rate
        self._left[key] = (left - 1 if wait == 0.0 else left, now)
        return wait


class Guard:
    """`keys` is None on a loopback address: nobody else can reach the server there, but for web pages that this
    machine's browser opens, so the Host header must name the loopback and not a site that resolves to it.
    """

    def __init__(self, inner: ASGIApp, keys: Keys | None, rate: float, metrics: Metrics) -> None:
        self._inner, self._keys, self._metrics = inner, keys, metrics
        self._bucket = Bucket(rate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._inner(scope, receive, send)
            return
        headers = Headers(scope=scope)
        scope.setdefault("state", {})["caller"] = LOCAL
        try:
            if self._keys is None:
                self._check_host(headers)
            elif scope["path"] not in OPEN:
                key = _key(headers)
                caller = await run_in_threadpool(self._keys.caller, key) if key else None
                scope["state"]["caller"] = self._admit(caller, scope["path"])
        except (Problem, StateError) as error:
            problem = problem_of(error)
            self._metrics.refused.labels(problem.code or str(problem.status)).inc()
            response = answer(problem)
            if problem.status == 401:
                response.headers["WWW-Authenticate"] = 'Basic realm="Usher: your API key is the password"'
            await response(scope, receive, send)
            return
        await self._inner(scope, receive, send)

    def _check_host(self, headers: Headers) -> None:
        host = headers.get("host", "")
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host
        if name.lower() not in LOOPBACK:
            raise Problem(403, "this server answers its own machine alone, as localhost", code="host")
        origin = headers.get("origin")
        if origin and origin.partition("://")[2] != host:
            raise Problem(403, "another site's page may not call this server", code="origin")

    def _admit(self, caller: Caller | None, path: str) -> Caller:
        """Raises Problem: no key, not this key's business, or too often."""
        if caller is None:
            raise Problem(401, "give an API key: Authorization: Bearer usher_..", code="invalid_api_key")
        scope = _scope(path)
        if not caller.may(scope):
            raise Problem(403, f"this key lacks the scope {scope!r}", code="scope")
        if path.startswith(("/v1/", "/mcp")) and (wait := self._bucket.take(caller.key)):
            raise Problem(
                429, "too many requests with this key", code="rate_limit_exceeded", retry_after=math.ceil(wait)
            )
        return caller


def _scope(path: str) -> KeyScope:
    if path.startswith(("/v1/tools", "/mcp")):
        return "tools"
    return "admin" if path == "/metrics" else "chat"


def _key(headers: Headers) -> str:
    """From `Bearer KEY`, or as the password of `Basic`, which is how a browser asks for it."""
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode("utf-8").partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""
