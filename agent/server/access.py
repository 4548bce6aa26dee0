"""The outermost layer: a request id, security headers, a bound on the body, the log line, the request's metrics."""

import re
import uuid
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.server.keys import Caller
from agent.server.logs import log
from agent.server.metrics import Metrics
from agent.server.problems import Problem, answer

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


class TooLarge(Exception):
    """The body outgrew its bound while it was read."""


class Access:
    """Around everything, the guard included, so that what is refused is logged and carries an id, too."""

    def __init__(self, inner: ASGIApp, metrics: Metrics, body_limit: int) -> None:
        self._inner, self._metrics, self._body_limit = inner, metrics, body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        policy = API_POLICY if scope["path"].startswith(("/v1/", "/mcp")) else PAGE_POLICY
        status, taken = 0, 0

        async def take() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._body_limit:
                raise TooLarge
            return message

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

        with self._metrics.request(scope["method"]) as answered:
            try:
                declared = Headers(scope=scope).get("content-length", "0")
                if not declared.isdigit() or int(declared) > self._body_limit:
                    raise TooLarge
                await self._inner(scope, take, give)
            except TooLarge:
                if not status:
                    problem = Problem(413, f"the body may have {self._body_limit:,} bytes", code="too_large")
                    await answer(problem)(scope, receive, give)
            finally:
                route = _route(scope)
                seconds = answered(route, status)
                caller: Caller | None = scope["state"].get("caller")
                log(
                    "request",
                    request_id=request_id,
                    method=scope["method"],
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
