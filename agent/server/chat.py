"""`POST /v1/chat/completions`: a turn for any client that speaks the OpenAI format; `GET /v1/models`."""

import json
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response, StreamingResponse

from agent.events import Done, Text
from agent.server.access import caller_of
from agent.server.conversation import BadConversation, replay
from agent.server.formats import MODEL, ChatRequest, chunk, completion, usage
from agent.server.problems import Problem, body, problem_of
from agent.server.service import Conversation, Recall, Service, whose
from agent.server.store import Person
from agent.server.threads import events_of
from agent.server.tokens import pieces
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
            raise Problem(404, f"there is no model {name[:64]!r}; there is: {MODEL}", "model", "model_not_found")
        return _model()

    @routes.post("/v1/chat/completions", summary="One turn of a conversation", response_model=None)
    async def completions(asked: ChatRequest, request: Request) -> Response:
        """The field `usher` holds items, plan and trace; in a stream it comes with the last chunk.

        Without `session_id` the client sends the whole conversation and nothing of it is kept, but for what `user` likes.
        """
        service.gate.check()
        turn = await run_in_threadpool(_turn, service, asked, caller_of(request).owner)
        watch = service.watch()
        events = events_of(service, turn.conversation, turn.text, watch, request)
        answer_id = f"chatcmpl-{uuid.uuid4().hex}"
        if not asked.stream:
            reply = Reply(asked.most_tokens)
            async with aclosing(events):
                async for event in events:
                    if isinstance(event, Text):
                        reply.add(event.piece)
                    elif isinstance(event, Done):
                        _recall(service, turn, reply.text)
                        return JSONResponse(
                            completion(answer_id, reply.text, reply.finish, asked.prompt_tokens, event.json())
                        )
            raise Problem(500, "the turn ended without a reply")
        first = await anext(events)  # a turn that is refused is refused with a status, not in the middle of a stream
        return StreamingResponse(
            _stream(service, asked, turn, answer_id, first, events),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return routes


class Reply:
    """The text so far, cut at the caller's `max_tokens`."""

    def __init__(self, most: int | None) -> None:
        self.text, self.tokens, self._most = "", 0, most
        self.finish = "stop"

    def add(self, piece: str) -> str:
        """What of this piece is still within the limit."""
        taken = ""
        for token in pieces(piece):
            if self._most is not None and self.tokens >= self._most:
                self.finish = "length"
                break
            taken += token
            self.tokens += 1
        self.text += taken
        return taken


async def _stream(
    service: Service, asked: ChatRequest, turn: Turn, answer_id: str, first: Any, events: AsyncIterator[Any]
) -> AsyncIterator[str]:
    """Server-sent events. An error in mid-stream is the last event, as the OpenAI API has it."""
    created, reply = int(time.time()), Reply(asked.most_tokens)
    with_usage = asked.stream_options is not None and asked.stream_options.include_usage
    yield _event(chunk(answer_id, created, {"role": "assistant", "content": ""}))
    try:
        async with aclosing(events):  # type: ignore[type-var]
            event = first
            while True:
                if isinstance(event, Text) and (piece := reply.add(event.piece)):
                    yield _event(chunk(answer_id, created, {"content": piece}))
                if isinstance(event, Done):
                    _recall(service, turn, reply.text)
                    last = chunk(answer_id, created, {}, reply.finish)
                    if with_usage:
                        yield _event(last)
                        last = chunk(answer_id, created, None) | {"usage": usage(asked.prompt_tokens, reply.tokens)}
                    yield _event(last | {"usher": event.json()})
                    yield "data: [DONE]\n\n"
                    return
                event = await anext(events)
    except UsherError as error:
        problem = problem_of(error)
        yield _event(body(problem.status, str(problem), problem.param, problem.code))


def _turn(service: Service, asked: ChatRequest, owner: str) -> Turn:
    """Raises Problem or BadConversation for what is too long, or no conversation."""
    settings = service.agent.settings
    if len(asked.messages) > settings.history_limit:
        raise Problem(
            400, f"messages: {len(asked.messages)}; a conversation may have {settings.history_limit}", "messages", "too_many"
        )
    longest = max((len(message.text) for message in asked.messages if message.role == "user"), default=0)
    if longest > settings.message_limit:
        raise Problem(
            400, f"messages: one has {longest:,} characters; {settings.message_limit:,} may be", "messages", "too_long"
        )
    person = Person.user(owner, asked.user) if asked.user is not None else None
    if asked.session_id is not None:
        return _kept(service, asked, owner, person)
    session, text, said = replay(service.agent.catalog, service.recall, whose(owner, person), asked.messages)
    if person is not None:
        session.profile = service.store.profile(person)
    return Turn(Conversation(session, owner, person), text, said)


def _kept(service: Service, asked: ChatRequest, owner: str, person: Person | None) -> Turn:
    """A conversation on the server: it belongs to whoever began it."""
    assert asked.session_id is not None
    text = asked.messages[-1].text
    if asked.messages[-1].role != "user" or not text.strip():
        raise BadConversation("messages: the last one must be the user's, with text in it")
    held = service.store.person_of(owner, asked.session_id)
    if held is not None and person is not None and held != person:
        raise Problem(409, "session_id: this conversation was begun by another user", "session_id", "conflict")
    person = held or person or Person.session(owner, asked.session_id)
    session = service.store.session(owner, asked.session_id, person)
    return Turn(Conversation(session, owner, person, asked.session_id), text)


def _recall(service: Service, turn: Turn, reply: str) -> None:
    if turn.said is not None:
        name = whose(turn.conversation.owner, turn.conversation.person)
        key = Recall.key(whose, [*turn.said, reply])
        service.recall.keep(key, whose, turn.conversation.session.exchanges[-1])


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


def _model() -> dict[str, Any]:
    return {"id": MODEL, "object": "model", "created": 0, "owned_by": "usher"}
