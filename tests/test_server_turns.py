"""Turns that meet their bounds, as clients of the chat path see it: conflicts, leavers, deadlines, a full queue."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest

from agent.llm import Request
from agent.server.limits import BusyError, Gate, LeftError, Watch
from tests.server import HeldEngine, Running, WordEngine, running, service_of
from tests.test_server_chat import USER, items, openai_client, say
from tools.catalog import Catalog

pytestmark = pytest.mark.enable_socket


def test_a_second_message_while_the_first_is_answered_is_a_conflict(tiny_catalog: Catalog, tmp_path: Path) -> None:
    engine = HeldEngine()
    with running(service_of(tiny_catalog, engine, str(tmp_path / "state.db"))) as server, ThreadPoolExecutor() as pool:
        client = openai_client(server.url)
        first = pool.submit(say, client, "a comedy", extra_body={"session_id": "one"})
        assert engine.begun.acquire(timeout=20)
        with pytest.raises(openai.ConflictError):
            say(client, "a comedy", extra_body={"session_id": "one"})
        engine.go.set()
        assert items(first.result(timeout=20))


@contextmanager
def begun_request(server: Running, **fields: Any) -> Iterator[None]:
    """A chat request whose client hangs up at the end, whatever came back."""
    body = json.dumps({"model": "usher", "messages": [USER], **fields}).encode()
    host, _, port = server.url.removeprefix("http://").partition(":")
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        yield


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_goes_away_stops_its_turn(tiny_catalog: Catalog, tmp_path: Path, stream: bool) -> None:
    engine = HeldEngine()
    service = service_of(tiny_catalog, engine, str(tmp_path / "state.db"))
    with running(service) as server:
        with begun_request(server, session_id="one", stream=stream):
            assert engine.begun.acquire(timeout=20)
        wait_until(lambda: service.gate.running == 0)
        assert service.store.person_of("local", "one") is None
        with server.client() as client:
            assert 'usher_turns_total{act="none",outcome="stopped"} 1.0' in client.get("/metrics").text


def test_a_turn_past_its_deadline_is_stopped(tiny_catalog: Catalog, tmp_path: Path) -> None:
    service = service_of(tiny_catalog, HeldEngine(), str(tmp_path / "state.db"), deadline=0.3)
    with running(service) as server, pytest.raises(openai.InternalServerError) as late:
        say(openai_client(server.url), "a comedy")
    assert late.value.status_code == 504
    assert late.value.code == "deadline"


def test_a_person_who_is_erased_in_mid_turn_stays_erased(tiny_catalog: Catalog, tmp_path: Path) -> None:
    engine = HeldEngine()
    service = service_of(tiny_catalog, engine, str(tmp_path / "state.db"))
    with running(service) as server, ThreadPoolExecutor() as pool, server.client() as client:
        asked = pool.submit(say, openai_client(server.url), "a comedy", user="ann", extra_body={"session_id": "one"})
        assert engine.begun.acquire(timeout=20)
        client.delete("/v1/users/ann/profile").raise_for_status()
        engine.go.set()
        with pytest.raises(openai.APIStatusError) as left:
            asked.result(timeout=20)
        assert left.value.code == "left"
        assert client.get("/v1/users/ann/export").json()["sessions"] == []


def test_a_conversation_whose_turn_is_stopped_is_free_again(tiny_catalog: Catalog, tmp_path: Path) -> None:
    engine = HeldEngine()
    service = service_of(tiny_catalog, engine, str(tmp_path / "state.db"))
    with running(service) as server, ThreadPoolExecutor() as pool:
        client = openai_client(server.url)
        for name in ("one", "two"):
            pool.submit(say, client, "a comedy", extra_body={"session_id": name})
            assert engine.begun.acquire(timeout=20)
        service.stop("local", "one")
        wait_until(lambda: service.gate.running == 1)
        engine.go.set()
        assert items(say(client, "a comedy", extra_body={"session_id": "one"}))


def test_a_caller_is_told_in_time_even_where_the_model_hangs(tiny_catalog: Catalog, tmp_path: Path) -> None:
    class Hanging(WordEngine):
        go = threading.Event()

        def stream(self, request: Request) -> Iterator[str]:
            assert self.go.wait(60)
            yield from super().stream(request)

    engine = Hanging()
    service = service_of(tiny_catalog, engine, str(tmp_path / "state.db"), deadline=0.3)
    with running(service) as server:
        for stream in (False, True):
            with pytest.raises(openai.InternalServerError) as late:
                say(openai_client(server.url), "a comedy", stream=stream)
            assert (late.value.status_code, late.value.code) == (504, "deadline")
        assert service.gate.running == 2  # no place is given twice
        engine.go.set()
        wait_until(lambda: service.gate.running == 0)


def test_a_full_queue_refuses_at_once_and_says_when_to_come_back(tiny_catalog: Catalog, tmp_path: Path) -> None:
    engine = HeldEngine()
    service = service_of(tiny_catalog, engine, str(tmp_path / "state.db"), turns_at_once=1, waiting=2)
    with running(service) as server, ThreadPoolExecutor() as pool:
        client = openai_client(server.url)
        taken = [pool.submit(say, client, "a comedy") for _ in range(3)]
        wait_until(lambda: service.gate.waiting == 2)
        with pytest.raises(openai.RateLimitError) as refused:
            say(client, "a comedy")
        assert refused.value.code == "queue_full"
        assert int(refused.value.response.headers["Retry-After"]) >= 1
        engine.go.set()
        assert [len(items(answer.result(timeout=30))) for answer in taken] == [5, 5, 5]
        assert items(say(client, "a comedy"))


def in_a_minute() -> Watch:
    return Watch(until=time.monotonic() + 60)


def test_who_could_not_be_done_in_time_is_refused_instead_of_kept_waiting() -> None:
    gate = Gate(running=lambda: 1, waiting=5, deadline=0.5)
    with gate.place(in_a_minute()), pytest.raises(BusyError), gate.reserved():
        pass  # a turn takes a second, as long as none was seen
    for _ in range(20):
        with gate.place(in_a_minute()):
            pass
    with gate.place(in_a_minute()), gate.reserved():
        assert (gate.running, gate.waiting) == (1, 1)


def test_who_waits_is_refused_once_nothing_could_be_done_in_their_time() -> None:
    gate = Gate(running=lambda: 1, waiting=5, deadline=60)
    gate.seen(0.2)
    with gate.place(in_a_minute()), ThreadPoolExecutor() as pool:
        waiting = pool.submit(lambda: gate.place(Watch(until=time.monotonic() + 1)).__enter__())
        with pytest.raises(BusyError):
            waiting.result(timeout=10)
        assert (gate.waiting, gate.running) == (0, 1)


def test_a_slow_turn_before_anybody_came_is_reckoned_with() -> None:
    gate = Gate(running=lambda: 1, waiting=5, deadline=60)
    gate.seen(40)
    with gate.place(in_a_minute()), pytest.raises(BusyError) as refused, gate.reserved():
        pass
    assert refused.value.retry_after == 40


def test_of_many_at_once_no_more_are_let_in_than_have_room() -> None:
    gate = Gate(running=lambda: 2, waiting=3)
    with ExitStack() as held:
        for _ in range(5):
            held.enter_context(gate.reserved())
        assert (gate.running, gate.waiting) == (2, 3)
        with pytest.raises(BusyError), gate.reserved():
            pass
    assert (gate.running, gate.waiting) == (0, 0)


def test_a_gate_that_narrows_lets_nobody_in_until_it_has_room_again() -> None:
    most = 3
    gate = Gate(running=lambda: most, waiting=2)
    with ExitStack() as held:
        first = [held.enter_context(gate.reserved()) for _ in range(3)]
        most = 1
        waiting = held.enter_context(gate.reserved())
        assert (gate.running, gate.waiting) == (3, 1)
        with ExitStack() as turns:
            for ticket in first:
                turns.enter_context(gate.place(Watch(time.monotonic() + 60, ticket)))
            turns.pop_all().close()
        assert waiting.called.is_set()
        assert (gate.running, gate.waiting) == (1, 0)
        most = 2
        held.enter_context(gate.reserved())
        assert (gate.running, gate.waiting) == (2, 0)


def test_a_reserved_place_is_the_turns_once_it_has_begun() -> None:
    gate = Gate(running=lambda: 1, waiting=0)
    with ExitStack() as turn:
        with gate.reserved() as ticket:
            turn.enter_context(gate.place(Watch(time.monotonic() + 60, ticket)))
        assert gate.running == 1
    assert gate.running == 0


def test_a_turn_whose_request_ended_before_it_began_takes_nobodys_place() -> None:
    gate = Gate(running=lambda: 1, waiting=0)
    with gate.reserved() as ticket:
        pass
    with gate.place(in_a_minute()), pytest.raises(LeftError), gate.place(Watch(time.monotonic() + 60, ticket)):
        pass
    assert gate.running == 0


def test_whoever_leaves_the_queue_gives_their_place_up(tiny_catalog: Catalog, tmp_path: Path) -> None:
    engine = HeldEngine()
    service = service_of(tiny_catalog, engine, str(tmp_path / "state.db"), turns_at_once=1, waiting=1)
    with running(service) as server, ThreadPoolExecutor() as pool:
        first = pool.submit(say, openai_client(server.url), "a comedy")
        assert engine.begun.acquire(timeout=20)
        with begun_request(server):
            wait_until(lambda: service.gate.waiting == 1)
        wait_until(lambda: service.gate.waiting == 0)
        engine.go.set()
        assert items(first.result(timeout=20))
        wait_until(lambda: not [thread for thread in threading.enumerate() if thread.name == "turn"])
