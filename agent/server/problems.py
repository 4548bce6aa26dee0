"""Errors as the OpenAI API words them: {"error": {"message", "type", "param", "code"}}, and nothing of this side's."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from agent.llm import EngineError
from agent.server.database import ConflictError, StateError
from agent.server.limits import BusyError, LateError, LeftError
from agent.server.watching import log
from tools.errors import ToolError, UsherError

AWAY = "The model does not answer just now; try again in a moment."
SLOW = "The catalog takes too long to answer just now; try again in a moment."
BROKEN = "Something went wrong on this side; it has been noted."
KINDS = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class RefusedError(UsherError):
    """A request that is refused. `param` names what is wrong in it, `code` is for programs."""

    def __init__(
        self,
        status: int,
        message: str,
        param: str | None = None,
        code: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.param, self.code, self.retry_after = status, param, code, retry_after


def body(status: int, message: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    kind = KINDS.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def problem_of(error: UsherError) -> RefusedError:
    """What visitors read of an error; what the model's side or the state says is logged instead."""
    match error:
        case RefusedError():
            problem = error
        case BusyError():
            problem = RefusedError(429, str(error), code="queue_full", retry_after=error.retry_after)
        case LateError():
            problem = RefusedError(504, str(error), code="deadline")
        case LeftError():
            problem = RefusedError(499, str(error), code="left")
        case ConflictError():
            problem = RefusedError(409, str(error), code="conflict")
        case ToolError():
            problem = RefusedError(400, str(error), code="tool_refused")
        case EngineError():
            log("model_error", logging.ERROR, error)
            problem = RefusedError(503, AWAY, code="model_away", retry_after=2)
        case StateError():
            log("state_error", logging.ERROR, error)
            problem = RefusedError(503, BROKEN, code="state_away", retry_after=2)
        case _:
            log("error", logging.ERROR, error)
            problem = RefusedError(500, BROKEN)
    return problem


def answer(problem: RefusedError) -> JSONResponse:
    headers = {} if problem.retry_after is None else {"Retry-After": str(problem.retry_after)}
    return JSONResponse(
        body(problem.status, str(problem), problem.param, problem.code), status_code=problem.status, headers=headers
    )


def add_handlers(server: FastAPI) -> None:
    """Every error of the API in one form; none with a traceback."""

    @server.exception_handler(UsherError)
    def refused(_: Request, error: UsherError) -> JSONResponse:
        return answer(problem_of(error))

    @server.exception_handler(UnicodeEncodeError)
    def broken_text(_: Request, __: UnicodeEncodeError) -> JSONResponse:
        return answer(RefusedError(400, "a text in the body holds half of a character (a lone surrogate)"))

    @server.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
        message = str(first["msg"]).removeprefix("Value error, ")
        if first["type"] == "value_error" and not where:
            where = message.partition(":")[0]
        elif where:
            message = f"{where}: {message}"
        wrong_model = where == "model" and first["type"] == "literal_error"
        if wrong_model:
            return answer(
                RefusedError(404, "model: there is no such model; see GET /v1/models", "model", "model_not_found")
            )
        return answer(RefusedError(400, message, where or None))

    @server.exception_handler(HTTPException)
    def http(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse(body(error.status_code, str(error.detail)), error.status_code, error.headers)
