"""The load bench: what it counts of a server that does well, and of servers that don't."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from eval import load
from eval.load import measure, run_load
from tests.server import WordEngine, running, service_of
from tools.catalog import Catalog
from tools.errors import UsherError


class FakeServer:
    """Keeps what it is told, by user; each kind of fault is one way to be wrong."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.turns: dict[str, list[str]] = {}
        self.likes: dict[str, list[str]] = {}
        self.sessions = set[str]()
        self.chats = self.readings = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.005)
        path, body = request.url.path, json.loads(request.content or b"{}")
        user = path.split("/")[3] if path.startswith("/v1/users/") else body.get("user", "")
        if path == "/readyz":
            return httpx.Response(503 if self.fault == "asleep" else 200, text="starting")
        if path == "/metrics":
            self.readings += 1
            return httpx.Response(200, text=f"process_resident_memory_bytes {self.readings * 1e6}\n")
        if path == "/v1/feedback":
            self.likes.setdefault(user, []).append(body["item_id"])
            return httpx.Response(200, json={})
        if path == "/v1/chat/completions":
            self.sessions.add(body["session_id"])
            return self.chat(user, body["messages"][0]["content"])
        if request.method == "DELETE":
            self.turns.pop(user, None)
            return httpx.Response(200, json={})
        return httpx.Response(200, json=self.export(user))

    def chat(self, user: str, text: str) -> httpx.Response:
        self.chats += 1
        if self.fault == "busy" and self.chats % 3 == 0:
            return httpx.Response(429, headers={"Retry-After": "0"}, json={"error": {"code": "queue_full"}})
        if self.fault == "breaks" and self.chats % 3 == 0:
            return httpx.Response(503, json={"error": {"code": "model_away"}})
        if self.fault == "hangs up" and self.chats % 3 == 0:
            raise httpx.RemoteProtocolError("gone")
        self.turns.setdefault(user, []).append(text)
        other = next((name for name in self.turns if name != user), "")
        reply = f"for {other if self.fault == 'mixes replies' else user}"
        return httpx.Response(200, json={"reply": reply, "usher": {"items": [{"item_id": f"of {user[3:]}"}]}})

    def export(self, user: str) -> dict[str, Any]:
        turns = self.turns.get(user, [])[1 if self.fault == "loses a turn" else 0 :]
        likes = self.likes.get(user, [])
        if self.fault == "mixes likes":
            likes = [item for items in self.likes.values() for item in items]
        return {
            "sessions": [{"turns": [{"user": text} for text in turns]}],
            "feedback": [{"item_id": item} for item in likes],
        }


def measured(fault: str = "", pause: float = 0.0) -> tuple[dict[str, Any], FakeServer]:
    server = FakeServer(fault)

    def connect() -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(server), base_url="http://fake")

    return asyncio.run(measure(connect, users=5, seconds=0.5, pause=pause)), server


def test_everything_answered_is_counted_and_checked() -> None:
    results, server = measured()
    assert results["turns"]["n"] == server.chats >= 5
    assert results["turns"]["median_ms"] >= 5
    assert results["turns"]["median_ms"] <= results["turns"]["p95_ms"] <= results["turns"]["p99_ms"]
    assert results["turns"]["per_second"] == pytest.approx(server.chats / results["seconds"], rel=0.15)
    assert results["refusals"] == {"n": 0, "prompt": 0}
    assert results["errors"] == {}
    assert results["sessions"] == {"users": 5, "turns": server.chats, "crossed": 0, "lost": 0}
    assert results["memory"]["end"] == server.readings
    assert not server.turns  # everyone was erased


@pytest.mark.parametrize(("bound", "prompt"), [(1e9, 1), (0.0, 0)])
def test_refusals_are_no_errors(monkeypatch: pytest.MonkeyPatch, bound: float, prompt: int) -> None:
    monkeypatch.setattr(load, "PROMPT_MS", bound)
    results, server = measured("busy")
    assert results["refusals"]["n"] == server.chats // 3
    assert results["refusals"]["prompt"] == prompt * results["refusals"]["n"]
    assert results["turns"]["n"] == server.chats - server.chats // 3
    assert results["errors"] == {}
    assert results["sessions"]["lost"] == 0


def test_users_who_read_ask_less_and_begin_new_conversations(monkeypatch: pytest.MonkeyPatch) -> None:
    reading = measured(pause=0.2)[1]
    assert 5 <= reading.chats <= 5 * 6
    assert len(reading.sessions) == 5
    monkeypatch.setattr(load, "CONVERSATION", 1)
    hurried = measured()[1]
    assert len(hurried.sessions) == hurried.chats >= 5


@pytest.mark.parametrize(
    ("fault", "kind"), [("breaks", "503 model_away POST chat"), ("hangs up", "RemoteProtocolError")]
)
def test_errors_are_counted_by_kind(fault: str, kind: str) -> None:
    results, server = measured(fault)
    assert results["errors"] == {kind: server.chats // 3}
    assert results["sessions"]["lost"] == results["sessions"]["crossed"] == 0


def test_crossed_sessions_and_lost_turns_are_found() -> None:
    assert measured("mixes replies")[0]["sessions"]["crossed"] > 0
    assert measured("mixes likes")[0]["sessions"]["crossed"] == 5
    results = measured("loses a turn")[0]
    assert results["sessions"]["lost"] == 5
    assert results["sessions"]["crossed"] == 0


def test_a_server_that_is_not_ready_is_one_line(socket_enabled: None, tmp_path: Path) -> None:
    with pytest.raises(UsherError, match="is not ready"):
        measured("asleep")
    with pytest.raises(UsherError, match="cannot be reached"):
        run_load("http://127.0.0.1:9", 1, 1.0, tmp_path)


def test_the_server_itself_under_load(
    tiny_catalog: Catalog, socket_enabled: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service = service_of(tiny_catalog, WordEngine(), str(tmp_path / "state.db"), turns_at_once=1, waiting=1)
    service.warmed = True
    with running(service) as server:
        run_load(server.url, 6, 2.0, tmp_path / "run")
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["turns"]["n"] > 0
    assert results["refusals"]["n"] > 0
    assert results["errors"] == {}
    assert results["sessions"] == {"users": 6, "turns": results["turns"]["n"], "crossed": 0, "lost": 0}
    head, *rows = (tmp_path / "run" / "samples.csv").read_text().splitlines()
    assert head == "seconds,turns,refused,errors,memory_bytes"
    assert rows
    assert all(len(row.split(",")) == 5 for row in rows)
    assert f"{results['sessions']['turns']} turns checked, 0 crossed, 0 lost" in capsys.readouterr().out
