"""What outlives the process: conversations, profiles and feedback, on SQLite and on PostgreSQL."""

import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent.memory import Exchange, Profile, Session
from agent.plan import Plan
from agent.server.database import MIGRATIONS, ConflictError, Database, StateError, open_database
from agent.server.keys import Keys
from agent.server.store import Person, Store, changes
from tests.server import WordEngine, program, running, service_of
from tools.catalog import Catalog

pytestmark = pytest.mark.enable_socket
ANN, BOB = Person.user("key", "ann"), Person.user("key", "bob")
TURN = Exchange(user="a comedy", reply="These fit.", plan=Plan(act="recommend"), items=("1", "2"))


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL of this test's own, on a socket in its folder."""
    tools = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)  # where Debian keeps initdb and pg_ctl
    if not tools:
        pytest.skip("PostgreSQL is not installed here (apt-get install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="usher-postgres"))
    prefix = []
    if os.geteuid() == 0:  # which PostgreSQL does not run as
        shutil.chown(folder, "postgres")
        prefix = ["runuser", "-u", "postgres", "--"]

    def run(name: str, *arguments: str) -> None:
        command = [*prefix, str(tools[0] / name), "-D", str(folder / "data"), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)

    try:
        run("initdb", "-A", "trust", "--no-sync")
        run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", f"-c listen_addresses= -k {folder}", "start")
        yield f"postgresql:///postgres?host={folder}" + ("&user=postgres" if prefix else "")
        run("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    where = str(tmp_path / "state.db") if request.param == "sqlite" else request.getfixturevalue("postgres")
    opened = open_database(where)
    yield opened
    with opened.transaction() as cursor:
        for table in ("profiles", "sessions", "exchanges", "feedback", "keys"):
            cursor.execute(f"DELETE FROM {table}")
    opened.close()


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database)


def test_what_is_written_is_read_back(store: Store) -> None:
    assert store.answers()
    assert store.profile(ANN) == Profile()
    store.put_profile(ANN, Profile(liked=["1", "2"], disliked=["3"]))
    assert store.note(ANN, [("2", None), ("3", "like"), ("4", "dislike")]) == Profile(liked=["1", "3"], disliked=["4"])
    assert store.profile(ANN) == Profile(liked=["1", "3"], disliked=["4"])
    assert store.profile(BOB) == Profile()
    store.add_exchange(ANN, "s", 0, TURN)
    assert store.session("key", "s", ANN) == Session([TURN], store.profile(ANN))
    assert store.person_of("key", "s") == ANN
    assert store.person_of("other", "s") is None


def test_a_place_in_a_conversation_is_taken_once(store: Store) -> None:
    store.add_exchange(ANN, "s", 0, TURN)
    with pytest.raises(ConflictError):
        store.add_exchange(ANN, "s", 0, TURN)
    assert store.session("key", "s", ANN).exchanges == [TURN]


def test_threads_that_note_at_once_lose_nothing(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: store.add_feedback(ANN, None, str(number), "like"), range(40)))
    assert sorted(store.profile(ANN).liked, key=int) == [str(number) for number in range(40)]
    assert len(store.export(ANN)["feedback"]) == 40


def test_an_export_is_everything_and_an_erased_person_is_gone(store: Store) -> None:
    for person, session in ((ANN, "s"), (BOB, "t")):
        store.add_exchange(person, session, 0, TURN)
        store.add_feedback(person, session, "1", "like")
    held = store.export(ANN)
    assert held["profile"] == {"liked": ["1"], "disliked": []}
    assert [turn["user"] for turn in held["sessions"][0]["turns"]] == ["a comedy"]
    assert [word["feedback"] for word in held["feedback"]] == ["like"]
    assert store.erase(ANN) == 4
    assert store.export(ANN) == {"profile": {"liked": [], "disliked": []}, "sessions": [], "feedback": []}
    assert len(store.export(BOB)["sessions"]) == 1
    assert store.erase(ANN) == 0


def test_a_failed_write_leaves_nothing_behind(store: Store, database: Database) -> None:
    store.put_profile(ANN, Profile(liked=["1"]))

    def write_half() -> None:
        with database.transaction() as cursor:
            cursor.execute("UPDATE profiles SET body = ?", ("torn",))
            cursor.execute("SELECT nonsense FROM nowhere")

    with pytest.raises(StateError):
        write_half()
    assert store.profile(ANN) == Profile(liked=["1"])


def test_the_schema_is_brought_up_to_date_once_and_a_newer_one_is_refused(
    database: Database, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    assert database.fetch("SELECT max(version) FROM migrations") == [(len(MIGRATIONS),)]
    sqlite = (tmp_path / "state.db").exists()
    where = str(tmp_path / "state.db") if sqlite else request.getfixturevalue("postgres")
    open_database(where).close()
    with database.transaction() as cursor:
        cursor.execute("INSERT INTO migrations VALUES (?, ?)", (999, "later"))
    try:
        with pytest.raises(StateError, match="newer"):
            open_database(where)
    finally:
        with database.transaction() as cursor:
            cursor.execute("DELETE FROM migrations WHERE version = ?", (999,))


def test_keys_work_on_both(database: Database) -> None:
    keys = Keys(database)
    assert not keys.any()
    key = keys.add("ann", ("chat",))
    caller = keys.caller(key)
    assert caller is not None
    assert (caller.owner, caller.may("chat"), caller.may("tools")) == ("ann", True, False)


def test_changes_turn_one_profile_into_the_other() -> None:
    before, after = Profile(liked=["1", "2"], disliked=["3"]), Profile(liked=["2", "3"], disliked=["4"])
    made = before.model_copy(deep=True)
    for item, word in changes(before, after):
        made.forget(item) if word is None else made.note(item, word)
    assert (set(made.liked), set(made.disliked)) == (set(after.liked), set(after.disliked))


@pytest.mark.parametrize("where", ["/proc/nothing/state.db", "postgresql://127.0.0.1:1/none?connect_timeout=2"])
def test_a_state_that_cannot_be_opened_is_one_line(where: str) -> None:
    with pytest.raises(StateError) as error:
        open_database(where)
    assert "\n" not in str(error.value)


def test_an_erased_person_is_in_no_file(tiny_catalog: Catalog, tmp_path: Path) -> None:
    marks = [b"zebra", b"xylophone"]

    def held() -> list[bytes]:
        files = b"".join(file.read_bytes() for file in (tmp_path / "state").iterdir())
        return [mark for mark in marks if mark in files]

    state = str(tmp_path / "state" / "state.db")
    with running(service_of(tiny_catalog, WordEngine(), state)) as server, server.client() as client:
        wish = {"role": "user", "content": "a comedy about xylophones"}
        for session in ("zebra-1", "zebra-2"):
            body = {"model": "usher", "messages": [wish], "user": "zebra", "session_id": session}
            client.post("/v1/chat/completions", json=body).raise_for_status()
        client.put("/v1/users/zebra/profile", json={"liked": ["1"]}).raise_for_status()
        client.put("/v1/users/other/profile", json={"liked": ["2"]}).raise_for_status()
        assert held() == marks
        export = client.get("/v1/users/zebra/export").json()
        assert [turn["user"] for session in export["sessions"] for turn in session["turns"]] == [wish["content"]] * 2
        assert client.delete("/v1/users/zebra/profile").json() == {"deleted": True, "rows": 5}
        assert held() == []
        assert client.get("/v1/users/zebra/profile").json() == {"liked": [], "disliked": []}
        assert client.get("/v1/users/other/profile").json()["liked"] == ["2"]


def test_profiles_and_feedback_over_http(tiny_catalog: Catalog, tmp_path: Path) -> None:
    with (
        running(service_of(tiny_catalog, WordEngine(), str(tmp_path / "state.db"))) as server,
        server.client() as client,
    ):
        put = client.put("/v1/users/ann/profile", json={"liked": ["1", "1", "2"], "disliked": ["3"]})
        assert put.json() == {"liked": ["1", "2"], "disliked": ["3"]}
        said = client.post("/v1/feedback", json={"user": "ann", "item_id": "3", "feedback": "like"}).json()
        assert said["profile"] == {"liked": ["1", "2", "3"], "disliked": []}
        gone = client.post("/v1/feedback", json={"user": "ann", "item_id": "1", "feedback": "forget"}).json()
        assert gone["profile"]["liked"] == ["2", "3"]
        nobody = client.post("/v1/feedback", json={"session_id": "s", "item_id": "9", "feedback": "dislike"}).json()
        assert nobody["profile"] == {"liked": [], "disliked": ["9"]}
        refused: list[tuple[httpx.Response, int, str]] = [
            (client.put("/v1/users/ann/profile", json={"liked": ["no such"]}), 404, "no such"),
            (client.put("/v1/users/ann/profile", json={"liked": ["1"], "disliked": ["1"]}), 400, "both"),
            (client.put("/v1/users/ann/profile", json={"liked": [1]}), 400, "liked.0"),
            (client.put("/v1/users/ann/profile", json={"loved": ["1"]}), 400, "loved"),
            (client.get("/v1/users/a b/profile"), 400, "user"),
            (client.get(f"/v1/users/{'x' * 129}/profile"), 400, "user"),
            (client.post("/v1/feedback", json={"item_id": "1", "feedback": "like"}), 400, "whose"),
            (client.post("/v1/feedback", json={"user": "ann", "item_id": "1", "feedback": "love"}), 400, "feedback"),
        ]
        for answer, status, said_of in refused:
            assert answer.status_code == status, answer.text
            assert said_of in answer.json()["error"]["message"]
        assert client.get("/v1/users/ann/profile").json() == {"liked": ["2", "3"], "disliked": []}


def write(client: httpx.Client, worker: int, number: int, acknowledged: dict[str, Any]) -> None:
    """One write of one of the kinds there are; what the server confirmed goes into `acknowledged`."""
    kind = number % 3
    if kind == 0:
        body = {"user": f"w{worker}", "item_id": str(number % 40 + 1), "feedback": "like"}
        made = client.post("/v1/feedback", json=body).raise_for_status().json()
        acknowledged["feedback"].append(made["id"])
    elif kind == 1:
        liked = [str(number % 40 + 1)]
        may_be = acknowledged["profiles"].setdefault(f"p{worker}", [[]])
        may_be.append(liked)  # until it is confirmed, what was there before may be there still
        client.put(f"/v1/users/p{worker}/profile", json={"liked": liked}).raise_for_status()
        may_be[:] = [liked]
    else:
        turn = {
            "model": "usher",
            "session_id": f"s{worker}-{number // 30}",
            "messages": [{"role": "user", "content": f"hello {number}"}],
        }
        client.post("/v1/chat/completions", json=turn).raise_for_status()
        acknowledged["turns"].append((turn["session_id"], f"hello {number}"))


def count(acknowledged: dict[str, Any]) -> int:
    return len(acknowledged["feedback"]) + len(acknowledged["turns"])


def kill_in_mid_write(catalog: Path, state: str, round_: int, acknowledged: dict[str, Any]) -> None:
    """Four clients write until the server is killed."""

    def work(worker: int) -> None:
        with contextlib.suppress(httpx.HTTPError), httpx.Client(base_url=server.url, timeout=30) as client:
            for number in range(round_ * 10_000, round_ * 10_000 + 9_999):
                write(client, worker, number, acknowledged)

    before = count(acknowledged)
    with program(catalog, state) as server:
        workers = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
        for worker in workers:
            worker.start()
        until = time.monotonic() + 60
        while count(acknowledged) < before + 5 and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(random.random() / 4)
        server.kill()
        for worker in workers:
            worker.join()


def check(state: str, acknowledged: dict[str, Any]) -> None:
    """Everything acknowledged is there, and nothing is torn."""
    connection = sqlite3.connect(state)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    kept = {row[0] for row in connection.execute("SELECT id FROM feedback")}
    assert set(acknowledged["feedback"]) <= kept
    turns: dict[str, list[str]] = {}
    for session, position, body in connection.execute("SELECT session, position, body FROM exchanges ORDER BY 1, 2"):
        assert position == len(turns.setdefault(session, []))
        turns[session].append(Exchange.model_validate_json(body).user)
    assert all(text in turns[session] for session, text in acknowledged["turns"])
    profiles = {
        person: Profile.model_validate_json(body)
        for person, body in connection.execute("SELECT person, body FROM profiles")
    }
    for name, may_be in acknowledged["profiles"].items():  # the last confirmed one, or one that was on its way after it
        assert profiles.get(f"user:{name}", Profile()).liked in may_be
    connection.close()


@pytest.mark.parametrize("kills", [1, pytest.param(50, marks=pytest.mark.slow)])
def test_what_was_acknowledged_survives_kill_9(tiny_folder: Path, tmp_path: Path, kills: int) -> None:
    state = str(tmp_path / "state.db")
    acknowledged: dict[str, Any] = {"feedback": [], "profiles": {}, "turns": []}
    for round_ in range(kills):
        kill_in_mid_write(tiny_folder, state, round_, acknowledged)
        check(state, acknowledged)
    assert acknowledged["feedback"]
    assert acknowledged["turns"]


def test_a_conversation_goes_on_after_the_server_was_killed(tiny_folder: Path, tmp_path: Path) -> None:
    state = str(tmp_path / "state.db")
    body = {"model": "usher", "session_id": "s", "messages": [{"role": "user", "content": "a comedy"}]}
    found = []
    for _ in range(2):
        with program(tiny_folder, state) as server:
            answer = httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=30).raise_for_status()
            server.kill()
        found.append({item["item_id"] for item in answer.json()["usher"]["items"]})
    assert found[1]
    assert not found[0] & found[1]
