"""Keys, scopes, rates, bounds and headers: what stands between a server and everybody else."""

import base64
import json
import logging
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest
from openai import OpenAI

import agent.server.keys as keys_module
from agent.server.database import open_database
from agent.server.factory import is_loopback, listen
from agent.server.guard import Bucket
from agent.server.keys import Keys
from agent.server.watching import JSONLines
from tests.server import Running, WordEngine, running, service_of
from tests.test_app import error_line, usher
from tools.catalog import Catalog
from tools.errors import UsherError

pytestmark = pytest.mark.enable_socket
WISH = {"model": "usher", "messages": [{"role": "user", "content": "a comedy about xylophones"}]}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def locked(tiny_catalog: Catalog, state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Running, Keys]]:
    """A server that asks for keys, as one does that others can reach."""
    monkeypatch.setattr(keys_module, "REMEMBERED", 0.0)
    service = service_of(tiny_catalog, WordEngine(), str(state), rate=8, body_limit=20_000)
    keys = Keys(service.store.database)
    with running(service, keys) as server:
        yield server, keys


@pytest.fixture
def loopback(tiny_catalog: Catalog, state: Path) -> Iterator[Running]:
    with running(service_of(tiny_catalog, WordEngine(), str(state), body_limit=20_000)) as server:
        yield server


def error_of(answer: httpx.Response) -> str:
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return str(error["code"])


@pytest.mark.parametrize(
    "path", ["/v1/models", "/v1/tools", "/mcp", "/metrics", "/docs", "/openapi.json", "/", "/nowhere"]
)
def test_without_a_key_nothing_answers_but_the_probes(locked: tuple[Running, Keys], path: str) -> None:
    server, _ = locked
    for key in ("", "usher_wrong"):
        with server.client(key) as client:
            answer = client.get(path)
            assert answer.status_code == 401
            assert error_of(answer) == "invalid_api_key"
            assert "Basic" in answer.headers["WWW-Authenticate"]
            assert client.get("/healthz").status_code == 200


def test_a_key_opens_what_its_scopes_say(locked: tuple[Running, Keys]) -> None:
    server, keys = locked
    allowed = {
        "chat": {"chat"},
        "tools": {"tools"},
        "admin": {"chat", "tools", "admin"},
    }
    for scope, opens in allowed.items():
        with server.client(keys.add(f"of-{scope}", (scope,))) as client:
            tried = {
                "chat": client.post("/v1/chat/completions", json=WISH),
                "tools": client.post("/v1/tools/sql_filter", json={"where": "year > 2000"}),
                "admin": client.get("/metrics"),
            }
        for name, answer in tried.items():
            assert answer.status_code == (200 if name in opens else 403), (scope, name, answer.text)
            if name not in opens:
                assert error_of(answer) == "scope"


def test_the_openai_client_works_with_a_key_and_fails_as_it_expects_without(locked: tuple[Running, Keys]) -> None:
    server, keys = locked
    key = keys.add("ann", ("chat",))
    for given in (key, "nonsense"):
        client = OpenAI(base_url=f"{server.url}/v1", api_key=given, max_retries=0)
        if given == key:
            assert client.chat.completions.create(**WISH).choices  # type: ignore[call-overload]
        else:
            with pytest.raises(openai.AuthenticationError):
                client.chat.completions.create(**WISH)  # type: ignore[call-overload]


def test_a_browser_gives_its_key_as_a_password_and_other_sites_cannot_use_it(locked: tuple[Running, Keys]) -> None:
    server, keys = locked
    password = base64.b64encode(f"anyone:{keys.add('ann', ('chat',))}".encode()).decode()
    headers = {"Authorization": f"Basic {password}"}
    with server.client() as client:
        assert client.get("/v1/models", headers=headers).status_code == 200
        away = client.get("/v1/models", headers=headers | {"Origin": "https://evil.example"})
        assert (away.status_code, error_of(away)) == (403, "origin")
        assert client.get("/v1/models", headers={"Authorization": "Basic ===="}).status_code == 401


def test_two_keys_do_not_see_each_others_people(locked: tuple[Running, Keys]) -> None:
    server, keys = locked
    with server.client(keys.add("one", ("chat",))) as one, server.client(keys.add("two", ("chat",))) as two:
        one.put("/v1/users/ann/profile", json={"liked": ["1"]}).raise_for_status()
        assert one.get("/v1/users/ann/profile").json()["liked"] == ["1"]
        assert two.get("/v1/users/ann/profile").json()["liked"] == []
        first = one.post("/v1/chat/completions", json=WISH | {"session_id": "s"}).json()["usher"]["items"]
        assert two.post("/v1/chat/completions", json=WISH | {"session_id": "s"}).json()["usher"]["items"] == first


def test_a_revoked_key_is_refused(locked: tuple[Running, Keys]) -> None:
    server, keys = locked
    with server.client(keys.add("ann", ("chat",))) as client:
        assert client.get("/v1/models").status_code == 200
        (held,) = keys.list()
        keys.revoke(held.id)
        assert client.get("/v1/models").status_code == 401
    assert not keys.any()
    with pytest.raises(UsherError, match="usher keys list"):
        keys.revoke(held.id)


def test_a_key_is_nowhere_on_disk(state: Path) -> None:
    database = open_database(str(state))
    key = Keys(database).add("ann", ("chat",))
    assert Keys(database).caller(key) is not None
    for file in state.parent.iterdir():
        assert key.encode() not in file.read_bytes()
        assert key.removeprefix("usher_").encode() not in file.read_bytes()
    assert state.stat().st_mode & 0o077 == 0
    database.close()


def test_keys_are_made_listed_and_revoked_from_the_command_line(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USHER_STATE", str(state))
    key = usher("keys", "add", "ann", "--scope", "chat", "--scope", "admin").stdout.strip()
    assert re.fullmatch(r"usher_[\w-]{43}", key)
    listed = usher("keys", "list").stdout
    assert "ann" in listed
    assert "chat,admin" in listed
    assert key not in listed
    key_id = listed.split()[0]
    assert usher("keys", "revoke", key_id).returncode == 0
    assert "revoked" in usher("keys", "list").stdout
    assert "usher keys list" in error_line(usher("keys", "revoke", key_id))
    assert "chat, tools, admin" in error_line(usher("keys", "add", "bob", "--scope", "root"))
    assert "letters" in error_line(usher("keys", "add", "a b"))


def test_a_server_that_others_can_reach_does_not_start_without_a_key(
    tiny_folder: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USHER_STATE", str(state))
    line = error_line(usher("chat", "--host", "0.0.0.0", "--port", "0", catalog=tiny_folder))
    assert "usher keys add" in line


@pytest.mark.parametrize(
    ("host", "safe"), [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("10.0.0.3", False)]
)
def test_which_addresses_are_this_machine_alone(host: str, safe: bool) -> None:
    assert is_loopback(host) is safe


def test_a_key_has_a_rate(locked: tuple[Running, Keys]) -> None:
    server, keys = locked
    with server.client(keys.add("ann", ("chat",))) as ann, server.client(keys.add("bob", ("chat",))) as bob:
        answers = [ann.get("/v1/models") for _ in range(12)]
        assert answers[0].status_code == 200
        assert answers[-1].status_code == 429
        assert error_of(answers[-1]) == "rate_limit_exceeded"
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 8
        assert bob.get("/v1/models").status_code == 200


def test_a_bucket_fills_again() -> None:
    now = 0.0
    bucket = Bucket(60, lambda: now)
    assert [bucket.take("ann") for _ in range(60)] == [0.0] * 60
    assert bucket.take("ann") == pytest.approx(1.0)
    assert bucket.take("bob") == 0.0
    now = 1.0
    assert bucket.take("ann") == 0.0
    assert bucket.take("ann") == pytest.approx(1.0)


def test_the_body_has_a_bound_whether_its_length_is_declared_or_not(loopback: Running) -> None:
    with loopback.client() as client:
        declared = client.post("/v1/chat/completions", content=b"x" * 20_001)
        chunked = client.post("/v1/chat/completions", content=iter([b"x" * 5000] * 5))
        exact = client.post("/v1/chat/completions", content=b"x" * 20_000)
    assert (declared.status_code, error_of(declared)) == (413, "too_large")
    assert (chunked.status_code, error_of(chunked)) == (413, "too_large")
    assert exact.status_code == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:7860"}, 403),
        ({"Host": "localhost"}, 200),
        ({"Host": "localhost:1234"}, 200),
        ({"Host": "[::1]:1234"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Host": "localhost:80", "Origin": "http://localhost:80"}, 200),
        ({"Origin": "null"}, 403),
    ],
)
def test_without_keys_only_this_machines_own_names_are_answered(
    loopback: Running, headers: dict[str, str], status: int
) -> None:
    with loopback.client() as client:
        assert client.get("/v1/models", headers=headers).status_code == status


def test_every_answer_carries_security_headers_and_an_id(locked: tuple[Running, Keys]) -> None:
    server, keys = locked
    with server.client(keys.add("ann", ("chat",))) as ann, server.client() as nobody:
        for answer in (
            ann.get("/v1/models"),
            ann.get("/v1/nothing"),
            ann.delete("/v1/models"),
            ann.get("/docs"),
            nobody.get("/v1/models"),
            nobody.get("/healthz"),
            ann.post("/v1/chat/completions", content=b"x" * 20_001),
        ):
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert "default-src" in answer.headers["Content-Security-Policy"]
            assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-Id"])
            assert "server" not in answer.headers


def test_a_callers_request_id_is_kept_if_it_is_one(loopback: Running) -> None:
    with loopback.client() as client:
        assert client.get("/healthz", headers={"X-Request-Id": "abc.123"}).headers["X-Request-Id"] == "abc.123"
        for bad in ("a b", "x" * 65, "{}"):
            assert client.get("/healthz", headers={"X-Request-Id": bad}).headers["X-Request-Id"] != bad


def test_a_log_line_names_the_request_and_quotes_nobody(loopback: Running, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "usher.server")
    with loopback.client() as client:
        body = WISH | {"user": "zebra", "session_id": "quagga"}
        client.post("/v1/chat/completions", json=body, headers={"X-Request-Id": "find-me"}).raise_for_status()
        client.get("/v1/users/zebra/profile").raise_for_status()
        client.post("/v1/chat/completions", json=body | {"model": "xylophones"})
    lines = [JSONLines().format(record) for record in caplog.records]
    first = json.loads(next(line for line in lines if "find-me" in line))
    assert (first["event"], first["route"], first["status"]) == ("request", "/v1/chat/completions", 200)
    assert first["ms"] > 0
    assert not [line for line in lines for text in ("xylophone", "zebra", "quagga", "Comedy") if text in line]
    assert any(json.loads(line)["route"] == "/v1/users/{user}/profile" for line in lines)


def test_what_is_accepted_sends_at_once() -> None:
    """Nagle's algorithm would hold the body of every answer back for 40 ms."""
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
