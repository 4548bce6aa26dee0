"""The model server with the in-process model behind it: who answers when, and what the turn says about it."""

import dataclasses
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agent import llm_http
from agent.events import Done
from agent.fallback import FAILURES, LONGEST, REST, Circuit, FallbackEngine, Spare
from agent.llm import EngineError, EngineUnavailableError, Message, Request, Role, complete
from agent.llm_http import HTTPEngine
from agent.memory import Session
from agent.server.service import Conversation, turns_at_once
from agent.settings import Settings
from tests.rude import PLAN, RudeServer, answers, breaks_off, hangs_up, never_stops, refuses, rude_server
from tests.scripted import ScriptedEngine
from tests.server import service_of
from tools.catalog import Catalog

SPARED = "recommend | sql_filter 'Drama' IN genres"
HELLO = (Message("user", "Hello"),)
PLANNER = Request("planner", HELLO, 9, grammar='root ::= "a"')
WRITER = Request("writer", HELLO, 9)
RANKER = Request("ranker", HELLO, 1)
NOTE = "the model server was away, the in-process model stood in"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Pair:
    """An engine over a rude server and a scripted spare."""

    def __init__(self, server: RudeServer, roles: tuple[Role, ...] = ()) -> None:
        self.server, self.clock, self.notes = server, Clock(), list[str]()
        self.spare = ScriptedEngine([SPARED] * 20, letters=[-5.0, -6.0], roles=roles)
        self.loaded = 0
        http = HTTPEngine(Settings(llm_url=server.url))
        self.engine = FallbackEngine(http, Spare(self._load), Circuit(self.clock), self.notes)

    def _load(self) -> ScriptedEngine:
        self.loaded += 1
        return self.spare

    def asked(self) -> int:
        """Requests that reached the server since the last time this was asked."""
        count = len(self.server.bodies)
        self.server.bodies.clear()
        return count


@pytest.fixture
def pair(socket_enabled: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    monkeypatch.setattr(llm_http, "BACKOFF", 0.01)
    with rude_server() as server:
        made = Pair(server)
        yield made
        made.engine.close()


def test_with_a_server_that_answers_the_spare_is_never_loaded(pair: Pair) -> None:
    assert complete(pair.engine, PLANNER) == PLAN
    assert complete(pair.engine, WRITER) == PLAN
    assert pair.engine.choose(RANKER, ["A", "B"]) == [-2.0, -0.1]
    assert pair.engine.trained("planner")
    assert (pair.loaded, pair.notes) == (0, [])


def test_the_circuit_opens_rests_and_closes_again(pair: Pair) -> None:
    pair.server.always = refuses(503)
    for _ in range(FAILURES):
        assert complete(pair.engine, PLANNER) == SPARED
    assert pair.asked() == FAILURES * llm_http.TRIES
    assert complete(pair.engine, PLANNER) == SPARED
    assert pair.asked() == 0
    assert pair.notes == [f"planner: {NOTE}"] * 3
    assert pair.loaded == 1

    pair.clock.now += REST + 1
    assert complete(pair.engine, PLANNER) == SPARED  # half open, and the server is still away
    assert pair.asked() == llm_http.TRIES
    assert complete(pair.engine, PLANNER) == SPARED
    assert pair.asked() == 0

    pair.clock.now += REST + 1
    pair.server.always = answers()
    assert complete(pair.engine, PLANNER) == PLAN
    assert complete(pair.engine, WRITER) == PLAN
    assert not pair.engine.circuit.open


def test_one_failure_between_successes_opens_nothing(pair: Pair) -> None:
    for _ in range(3):
        pair.server.queue = [refuses(503)] * llm_http.TRIES
        assert complete(pair.engine, PLANNER) == SPARED
        assert complete(pair.engine, PLANNER) == PLAN
    assert not pair.engine.circuit.open


def test_half_open_lets_one_request_through() -> None:
    clock = Clock()
    circuit = Circuit(clock)
    for _ in range(FAILURES):
        circuit.failed()
    assert not circuit.allows()
    clock.now += REST
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: circuit.allows(), range(8))) == 1
    clock.now += REST  # that one was given up by its client and told nothing: another may try
    assert circuit.allows()


@pytest.mark.parametrize(("asked", "rest"), [(5.0, REST), (60.0, 60.0), (9e9, LONGEST)])
def test_a_server_that_says_when_to_come_back_is_left_alone_until_then(asked: float, rest: float) -> None:
    clock = Clock()
    circuit = Circuit(clock)
    circuit.failed(asked)
    clock.now += rest - 0.1
    assert not circuit.allows()
    clock.now += 0.2
    assert circuit.allows()


def test_retry_after_reaches_the_circuit(pair: Pair) -> None:
    pair.server.always = refuses(429, Retry_After="60")
    assert complete(pair.engine, PLANNER) == SPARED
    assert complete(pair.engine, PLANNER) == SPARED
    assert pair.asked() == 1


def test_a_plan_that_breaks_off_is_begun_anew(pair: Pair) -> None:
    pair.server.queue = [breaks_off("recommend | sql")]
    assert complete(pair.engine, PLANNER) == SPARED
    assert pair.notes == [f"planner: {NOTE}"]


def test_a_reply_that_breaks_off_is_not_begun_anew(pair: Pair) -> None:
    pair.server.queue = [breaks_off("Hel")]
    pieces = pair.engine.stream(WRITER)
    assert next(pieces) == "Hel"
    with pytest.raises(EngineUnavailableError):
        next(pieces)


def test_a_spare_that_does_not_play_a_role_says_nothing(pair: Pair) -> None:
    pair.server.always = hangs_up
    assert complete(pair.engine, WRITER) == ""
    assert pair.engine.choose(RANKER, ["A", "B"]) == [float("-inf")] * 2
    assert pair.engine.plays("planner")
    assert not pair.engine.plays("writer")


def test_a_spare_that_was_trained_plays(socket_enabled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llm_http, "BACKOFF", 0.01)
    with rude_server() as server:
        pair = Pair(server, roles=("writer", "ranker"))
        server.always = hangs_up
        assert pair.engine.choose(RANKER, ["A", "B"]) == [-5.0, -6.0]
        assert complete(pair.engine, WRITER) == SPARED
        assert pair.engine.trained("writer")


def test_what_the_server_refuses_is_not_hidden(pair: Pair) -> None:
    pair.server.always = refuses(401)
    for _ in range(FAILURES + 1):
        with pytest.raises(EngineError, match="401"):
            complete(pair.engine, PLANNER)
    assert pair.loaded == 0


def test_a_turn_stopped_while_it_is_planned_stops_the_server(pair: Pair) -> None:
    pair.server.queue = [never_stops]
    pieces = pair.engine.stream(PLANNER)
    assert next(pieces) == ""
    pieces.close()
    assert pair.server.left.wait(5)
    assert not pair.engine.circuit.open


def test_many_at_once_all_get_their_answer(pair: Pair) -> None:
    pair.server.always = hangs_up
    with ThreadPoolExecutor(16) as pool:
        said = list(pool.map(lambda _: complete(pair.engine, PLANNER), range(16)))
    assert said == [SPARED] * 16
    assert pair.loaded == 1


def test_the_turn_says_who_stood_in(pair: Pair, tiny_catalog: Catalog, tmp_path: Path) -> None:
    assert pair.engine.trained("planner")  # it is there when the agent is made, and goes away afterwards
    service = service_of(tiny_catalog, pair.engine, str(tmp_path / "state.db"))
    pair.server.always = hangs_up
    done = turn(service, "a drama")
    assert done.plan.text() == SPARED
    assert f"planner: {NOTE}" in done.notes
    assert f"planner: {NOTE}" in done.json()["notes"]
    assert all("Drama" in str(pick.item.values["genres"]) for pick in done.picks)
    assert pair.notes == []  # a turn's notes are its own

    assert pair.engine.circuit.open
    assert turns_at_once(service.agent) == 2  # the server's 32 at once would be all late here

    pair.clock.now += REST + 1
    pair.server.always = answers()
    assert turn(service, "a comedy").plan.text() == PLAN
    assert turns_at_once(dataclasses.replace(service.agent, settings=Settings(llm_url="http://server/v1"))) == 32


def turn(service: Any, text: str) -> Done:
    done = list(service.turn(Conversation(Session(), "test"), text, service.watch()))[-1]
    assert isinstance(done, Done)
    return done


def test_the_spare_is_loaded_once() -> None:
    loaded = []
    lock = threading.Barrier(8)
    spare = Spare(lambda: loaded.append(1) or ScriptedEngine())  # type: ignore[func-returns-value]

    def get(_: int) -> object:
        lock.wait()
        return spare.get()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(map(id, pool.map(get, range(8))))) == 1
    assert len(loaded) == 1
