"""`POST /v1/chat/completions`: a turn for any client that speaks the OpenAI format; `GET /v1/models`."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response, StreamingResponse

from agent.events import Done, Event, Text
from agent.server.conversation import Recall, last_of, replay, whose
from agent.server.formats import MODEL, ChatRequest, chunk, completion, usage
from agent.server.guard import caller_of
from agent.server.limits import Watch
from agent.server.problems import RefusedError, body, problem_of
from agent.server.service import Conversation, Service, events_of
from agent.server.store import Person
from agent.server.tokens import Counter, pieces
from tools.errors import UsherError


@dataclass
class Turn:
    """One request on its way: where it belongs, what was said, and the digest's texts where the client keeps it."""

    conversation: Conversation
    text: str
    said: list[str] | None = None


def chat_routes(service: Service) -> APIRouter:
    routes = APIRouter(tags=["chat"])

    @routes.get("/v1/models", summary="The one model there is")
    def models() -> dict[str, Any]:
        return {"object": "list", "data": [_model()]}

    @routes.get("/v1/models/{name}", summary="The model by its name")
    def model(name: str) -> dict[str, Any]:
        if name != MODEL:
            raise RefusedError(404, f"there is no model {name[:64]!r}; there is: {MODEL}", "model", "model_not_found")
        return _model()

    @routes.post("/v1/chat/completions", summary="One turn of a conversation", response_model=None)
    async def completions(asked: ChatRequest, request: Request) -> Response:
        """The field `usher` holds items, plan and trace; in a stream it comes with the last chunk.

        Without `session_id` the client sends the whole conversation, and only what `user` likes is kept. Of a message
        of more than 400 characters the planner reads the beginning and the end; `usher.notes` says so then.
        """
        answer_id = f"chatcmpl-{uuid.uuid4().hex}"
        with service.gate.reserved() as ticket:
            turn = await run_in_threadpool(_turn, service, asked, caller_of(request).owner)
            watch = service.watch(ticket)
            events = events_of(service, turn.conversation, turn.text, watch)
            async with _connected(request, watch):
                if not asked.stream:
                    return await _whole(service, asked, turn, answer_id, events)
                first = await anext(events)  # what is refused is refused with a status, not in mid-stream
        return StreamingResponse(
            _stream(service, asked, turn, answer_id, first, events),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return routes


class Reply:
    """The text so far, cut at the caller's `max_tokens`."""

    def __init__(self, asked: ChatRequest, counter: Counter) -> None:
        self.text, self.finish = "", "stop"
        self._asked, self._counter = asked, counter

    def add(self, piece: str) -> str:
        """What of this piece is still within the limit."""
        if self.finish == "length":
            return ""
        taken = piece if self._asked.most_tokens is None else self._cut(piece, self._asked.most_tokens)
        self.text += taken
        return taken

    def _cut(self, piece: str, most: int) -> str:
        taken = ""
        for token in pieces(piece):
            if self._counter.count(self.text + taken + token) > most:
                self.finish = "length"
                break
            taken += token
        return taken

    def usage(self) -> dict[str, int]:
        """Tokens of what was asked and of what was answered."""
        return usage(self._counter.count(self._asked.text), self._counter.count(self.text))


@asynccontextmanager
async def _connected(request: Request, watch: Watch) -> AsyncIterator[None]:
    """Meanwhile, a client that goes away stops its turn. The request's body has been read."""

    async def wait() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        watch.left.set()

    waiting = asyncio.create_task(wait())
    try:
        yield
    finally:
        waiting.cancel()


async def _whole(
    service: Service, asked: ChatRequest, turn: Turn, answer_id: str, events: AsyncGenerator[Event, None]
) -> JSONResponse:
    reply = Reply(asked, service.counter)
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Text):
                reply.add(event.piece)
            elif isinstance(event, Done):
                _recall(service, turn, reply.text)
                used = await run_in_threadpool(reply.usage)
                return JSONResponse(completion(answer_id, reply.text, reply.finish, used, event.json()))
    raise AssertionError("a turn ends with Done or raises")


async def _stream(
    service: Service, asked: ChatRequest, turn: Turn, answer_id: str, first: Event, events: AsyncGenerator[Event, None]
) -> AsyncIterator[str]:
    """Server-sent events. An error in mid-stream is the last event, as the OpenAI API has it."""
    created, reply = int(time.time()), Reply(asked, service.counter)
    with_usage = asked.stream_options is not None and asked.stream_options.include_usage
    yield _event(chunk(answer_id, created, {"role": "assistant", "content": ""}))
    event = first
    try:
        async with aclosing(events):
            while not isinstance(event, Done):
                if isinstance(event, Text) and (piece := reply.add(event.piece)):
                    yield _event(chunk(answer_id, created, {"content": piece}))
                event = await anext(events)
    except UsherError as error:
        problem = problem_of(error)
        yield _event(body(problem.status, str(problem), problem.param, problem.code))
        return
    _recall(service, turn, reply.text)
    last = chunk(answer_id, created, {}, reply.finish)
    if with_usage:
        yield _event(last)
        last = chunk(answer_id, created, None) | {"usage": await run_in_threadpool(reply.usage)}
    yield _event(last | {"usher": event.json()})
    yield "data: [DONE]\n\n"


def _turn(service: Service, asked: ChatRequest, owner: str) -> Turn:
    """Where the turn belongs and what is said. Raises RefusedError for what is too long, or no conversation."""
    most = service.agent.settings.history_limit
    if len(asked.messages) > most:
        raise RefusedError(
            400, f"messages: {len(asked.messages)}; a conversation may have {most}", "messages", "too_many"
        )
    for message in asked.messages:
        if message.role == "user":
            service.check_text(message.text)
    person = Person.user(owner, asked.user) if asked.user is not None else None
    if asked.session_id is not None:
        text = last_of(asked.messages)
        return Turn(service.open(owner, asked.session_id, person), text)
    session, text, said = replay(service.agent.catalog, service.recall, whose(owner, person), asked.messages)
    if person is not None:
        session.profile = service.store.profile(person)
    return Turn(Conversation(session, owner, person), text, said)


def _recall(service: Service, turn: Turn, reply: str) -> None:
    """Remember what was meant by a turn whose text the client keeps."""
    if turn.said is not None:
        name = whose(turn.conversation.owner, turn.conversation.person)
        key = Recall.key(name, [*turn.said, reply])
        service.recall.keep(key, name, turn.conversation.session.exchanges[-1])


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


def _model() -> dict[str, Any]:
    return {"id": MODEL, "object": "model", "created": 0, "owned_by": "usher"}
