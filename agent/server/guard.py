"""In front of every request: its id, its log line and metrics, who sent it, what they may do, how often, how much."""

import asyncio
import base64
import binascii
import logging
import math
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.server.database import StateError
from agent.server.keys import SCOPES, Caller, Keys
from agent.server.keys import Scope as KeyScope
from agent.server.problems import BROKEN, RefusedError, answer, problem_of
from agent.server.watching import Metrics, log

LOCAL = Caller("local", "", frozenset(SCOPES))
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})
OPEN = frozenset({"/healthz", "/readyz"})  # what a load balancer asks; nothing of anyone's is in it
SLOWEST = 30.0  # seconds a body may take to come in
CALLERS = 4096  # keys whose rate is held in memory
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
SECURITY: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
# The page's scripts and styles are its own and partly inline; nothing is loaded from or sent to anywhere else.
PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:;"
    " object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
API_POLICY = "default-src 'none'; frame-ancestors 'none'"


def caller_of(request: Request) -> Caller:
    """Who the guard found the request to come from."""
    caller: Caller = request.scope["state"]["caller"]
    return caller


class Access:
    """The outermost layer: what the guard refuses is logged, counted and carries an id, too."""

    def __init__(self, inner: ASGIApp, metrics: Metrics) -> None:
        self._inner, self._metrics = inner, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        policy = API_POLICY if scope["path"].startswith(("/v1/", "/mcp")) else PAGE_POLICY
        status = 0

        async def give(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers.setdefault("Content-Security-Policy", policy)
                for name, value in SECURITY.items():
                    headers.setdefault(name, value)
            await send(message)

        started = time.perf_counter()
        try:
            await self._inner(scope, receive, give)
        except Exception as error:  # a bug of ours: noted with the request's id, answered if nothing went out yet
            log("crash", logging.ERROR, error, request_id=request_id)
            if status:
                raise
            await answer(RefusedError(500, BROKEN))(scope, receive, give)
        finally:
            method = scope["method"] if scope["method"] in METHODS else "other"
            route, seconds = _route(scope), time.perf_counter() - started
            self._metrics.requests.labels(method, route, str(status)).inc()
            self._metrics.latency.labels(method, route).observe(seconds)
            caller: Caller | None = scope["state"].get("caller")
            log(
                "request",
                request_id=request_id,
                method=method,
                route=route,
                status=status,
                ms=round(seconds * 1000, 1),
                key=caller.key if caller is not None else None,
            )


def _route(scope: Scope) -> str:
    """The route's template: a path may hold a person's name."""
    path = getattr(scope.get("route"), "path", None)
    if path:
        return str(path)
    return "/mcp" if scope["path"].startswith("/mcp") else "page"


@dataclass
class Bucket:
    """A token bucket for each key: `rate` requests a minute, and as many at once."""

    rate: float
    clock: Callable[[], float] = time.monotonic
    _left: dict[str, tuple[float, float]] = field(default_factory=dict)

    def take(self, key: str) -> float:
        """Seconds until there is room; 0 when there is, and one is taken."""
        now = self.clock()
        if key not in self._left and len(self._left) >= CALLERS:
            self._left.clear()
        left, then = self._left.get(key, (self.rate, now))
        left = min(self.rate, left + (now - then) * self.rate / 60)
        wait = 0.0 if left >= 1 else (1 - left) * 60 / self.rate
        self._left[key] = (left - 1 if wait == 0.0 else left, now)
        return wait


class Guard:
    """`keys` is None on a loopback address: nobody else can reach the server there, but for web pages that this
    machine's browser opens, so the Host header must name the loopback and not a site that resolves to it.
    """

    def __init__(self, inner: ASGIApp, keys: Keys | None, rate: float, body_limit: int, metrics: Metrics) -> None:
        self._inner, self._keys, self._metrics = inner, keys, metrics
        self._bucket, self._body_limit = Bucket(rate), body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._inner(scope, receive, send)
            return
        if scope["type"] != "http":  # nothing here speaks anything else
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = Headers(scope=scope)
        scope.setdefault("state", {})["caller"] = LOCAL
        try:
            if self._keys is None:
                _check_host(headers)
                _check_origin(headers)
            elif scope["path"] not in OPEN:
                key = _key(headers)
                caller = await run_in_threadpool(self._keys.caller, key) if key else None
                scope["state"]["caller"] = self._admit(caller, scope["path"])
                if headers.get("authorization", "").lower().startswith("basic"):
                    _check_origin(headers)  # a browser sends its password along with other sites' requests, too
            body = await self._body(headers, receive)
        except (RefusedError, StateError) as error:
            problem = problem_of(error)
            self._metrics.refused.labels(problem.code or str(problem.status)).inc()
            response = answer(problem)
            if problem.status == 401:
                response.headers["WWW-Authenticate"] = 'Basic realm="Usher: your API key is the password"'
            await response(scope, receive, send)
            return

        async def take() -> Message:
            nonlocal body
            if body is None:
                return await receive()
            whole, body = body, None
            return {"type": "http.request", "body": whole, "more_body": False}

        await self._inner(scope, take, send)

    async def _body(self, headers: Headers, receive: Receive) -> bytes | None:
        """The whole body: bounded whether or not its length was declared. Raises RefusedError."""
        too_large = RefusedError(413, f"the body may have {self._body_limit:,} bytes", code="too_large")
        declared = headers.get("content-length", "0")
        if not declared.isdigit() or int(declared) > self._body_limit:
            raise too_large
        body: bytes = b""
        try:
            async with asyncio.timeout(SLOWEST):
                while True:
                    message = await receive()
                    body += bytes(message.get("body", b""))
                    if len(body) > self._body_limit:
                        raise too_large
                    if not message.get("more_body", False):
                        return body
        except TimeoutError as error:
            raise RefusedError(408, f"the body did not come within {SLOWEST:.0f} s", code="slow_body") from error

    def _admit(self, caller: Caller | None, path: str) -> Caller:
        """Raises RefusedError: no key, not this key's business, or too often."""
        if caller is None:
            raise RefusedError(401, "give an API key: Authorization: Bearer usher_..", code="invalid_api_key")
        scope = _scope(path)
        if not caller.may(scope):
            raise RefusedError(403, f"this key lacks the scope {scope!r}", code="scope")
        if path.startswith(("/v1/", "/mcp")) and (wait := self._bucket.take(caller.key)):
            raise RefusedError(
                429, "too many requests with this key", code="rate_limit_exceeded", retry_after=math.ceil(wait)
            )
        return caller


def _check_host(headers: Headers) -> None:
    host = headers.get("host", "")
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host
    if name.lower() not in LOOPBACK:
        raise RefusedError(403, "this server answers its own machine alone, as localhost", code="host")


def _check_origin(headers: Headers) -> None:
    origin = headers.get("origin")
    if origin and origin.partition("://")[2] != headers.get("host", ""):
        raise RefusedError(403, "another site's page may not call this server", code="origin")


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
