"""The engine of a model server, against a server on this machine that misbehaves."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from agent import llm_http
from agent.llm import EngineError, EngineUnavailableError, Message, Request, complete
from agent.llm_http import HTTPEngine
from agent.settings import Settings
from tests.rude import (
    PLAN,
    Behaviour,
    RudeServer,
    answers,
    breaks_off,
    fails_inside,
    hangs_up,
    never_stops,
    refuses,
    rude_server,
    says,
)

HELLO = (Message("user", "Hello"),)
PLANNER = Request("planner", HELLO, 9, grammar='root ::= "a"')
WRITER = Request("writer", HELLO, 9)
RANKER = Request("ranker", HELLO, 1)


@pytest.fixture
def server(socket_enabled: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[RudeServer]:
    monkeypatch.setattr(llm_http, "BACKOFF", 0.01)
    with rude_server() as running:
        yield running


@pytest.fixture
def engine(server: RudeServer) -> Iterator[HTTPEngine]:
    opened = HTTPEngine(Settings(llm_url=server.url))
    yield opened
    opened.close()


def test_vllm_is_handed_the_grammar_and_the_adapter_by_name(server: RudeServer, engine: HTTPEngine) -> None:
    assert complete(engine, PLANNER) == PLAN
    assert server.bodies[0]["model"] == "planner"
    assert server.bodies[0]["structured_outputs"] == {"grammar": PLANNER.grammar}
    assert engine.choose(RANKER, ["A", "B", "C"]) == [-2.0, -0.1, float("-inf")]
    assert server.bodies[1]["model"] == "base"


def test_another_server_is_asked_for_plain_text(server: RudeServer, engine: HTTPEngine) -> None:
    server.owner = "library"
    assert complete(engine, PLANNER) == PLAN
    assert not {"structured_outputs", "response_format"} & set(server.bodies[0])


@pytest.mark.parametrize("first", [refuses(503), refuses(429), refuses(502), hangs_up])
def test_what_passes_is_tried_again(server: RudeServer, engine: HTTPEngine, first: Behaviour) -> None:
    server.queue = [first, first]
    assert complete(engine, WRITER) == PLAN
    assert len(server.bodies) == 3


@pytest.mark.parametrize("always", [refuses(503), refuses(429), hangs_up])
def test_what_does_not_pass_is_given_up(server: RudeServer, engine: HTTPEngine, always: Behaviour) -> None:
    server.always = always
    with pytest.raises(EngineUnavailableError) as caught:
        engine.choose(RANKER, ["A"])
    assert len(server.bodies) == 3
    assert "\n" not in str(caught.value)


def test_retry_after_is_waited_for(server: RudeServer, engine: HTTPEngine) -> None:
    server.queue = [refuses(429, Retry_After="1")]
    started = time.monotonic()
    assert complete(engine, WRITER) == PLAN
    assert time.monotonic() - started >= 1


def test_a_server_that_asks_for_long_is_not_asked_again(server: RudeServer, engine: HTTPEngine) -> None:
    for after in ("60", format_datetime(datetime.now(UTC) + timedelta(seconds=61), usegmt=True)):
        server.always = refuses(503, Retry_After=after)
        with pytest.raises(EngineUnavailableError) as caught:
            complete(engine, WRITER)
        assert caught.value.retry_after == pytest.approx(60, abs=2)
    assert len(server.bodies) == 2


def test_a_retry_after_that_says_nothing_is_no_more_than_a_refusal(server: RudeServer, engine: HTTPEngine) -> None:
    server.queue = [refuses(503, Retry_After="soon"), refuses(503, Retry_After="-1")]
    assert complete(engine, WRITER) == PLAN


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_what_is_refused_for_good_is_one_line_at_once(server: RudeServer, engine: HTTPEngine, status: int) -> None:
    server.always = refuses(status)
    with pytest.raises(EngineError, match=str(status)) as caught:
        complete(engine, WRITER)
    assert not isinstance(caught.value, EngineUnavailableError)
    assert len(server.bodies) == 1


@pytest.mark.parametrize("behaviour", [breaks_off("Hel"), fails_inside])
def test_a_stream_that_breaks_off_is_noticed(server: RudeServer, engine: HTTPEngine, behaviour: Behaviour) -> None:
    server.queue = [behaviour]
    pieces = engine.stream(WRITER)
    assert next(pieces) == "Hel"
    with pytest.raises(EngineUnavailableError, match="broke off"):
        next(pieces)


@pytest.mark.parametrize(
    "body", ["<html>", "[]", "{}", '{"choices": []}', '{"choices": [{"logprobs": {"content": 1}}]}']
)
def test_an_answer_of_another_shape_is_one_line(server: RudeServer, engine: HTTPEngine, body: str) -> None:
    server.queue = [says(body)]
    with pytest.raises(EngineError, match=r"^http http://127") as caught:
        engine.choose(RANKER, ["A"])
    assert "\n" not in str(caught.value)


def test_a_stream_of_another_shape_is_one_line(server: RudeServer, engine: HTTPEngine) -> None:
    for body in ("data: <html>\n\n", "data: 7\n\n", 'data: {"choices": 7}\n\n', "hello\n"):
        server.queue = [says(body)]
        with pytest.raises(EngineError, match=r"^http http://127"):
            complete(engine, WRITER)


def test_a_stream_closed_early_closes_the_connection(server: RudeServer, engine: HTTPEngine) -> None:
    server.queue = [never_stops]
    pieces = engine.stream(WRITER)
    assert next(pieces) == "and "
    assert not server.left.is_set()
    pieces.close()  # type: ignore[attr-defined]
    assert server.left.wait(5)


def test_a_server_that_came_back_is_asked_for_its_models_again(server: RudeServer, engine: HTTPEngine) -> None:
    assert engine.trained("planner")
    assert engine.trained("planner")
    assert server.listed == 1
    server.models, server.queue = ("base",), [refuses(404)]
    with pytest.raises(EngineError):
        complete(engine, PLANNER)
    assert not engine.trained("planner")
    server.queue = [answers("hello")]
    assert complete(engine, WRITER) == "hello"
    assert server.listed == 2


def test_a_server_that_is_not_there_is_one_line(socket_enabled: None) -> None:
    with pytest.raises(EngineUnavailableError, match="cannot be reached"):
        HTTPEngine(Settings(llm_url="http://127.0.0.1:9/v1")).trained("planner")
