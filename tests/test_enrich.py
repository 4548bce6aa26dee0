"""Descriptions of the user's own: from a table, and from a server on loopback that answers like the summary service."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from tests.conftest import TINY
from tests.test_app import error_line, usher
from tools.build import build
from tools.catalog import Catalog
from tools.enrich import (
    Answer,
    add_descriptions,
    append_record,
    enrich,
    read_catalog,
    read_file,
    read_record,
    record_path,
)
from tools.errors import CatalogError
from tools.ingest import folder_source
from tools.wikipedia import Summaries, ask_about_all, page_titles

LONG = "A keeper of bees and his granddaughter sail an old barge down to the sea to find the village where they began."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A catalog of its own for each test."""
    build(folder_source(TINY), tmp_path / "made")
    return tmp_path / "made"


def described(item_id: str, text: str = LONG) -> Answer:
    return Answer(item_id=item_id, text=text, source="https://example.org/a", licence="CC0")


def test_a_catalog_is_read_back_as_it_was_built(folder: Path) -> None:
    before = read_catalog(folder)
    manifest = build(before, folder)
    assert manifest.build_hash == read_manifest_hash(folder)
    assert read_catalog(folder).items.equals(before.items)


def read_manifest_hash(folder: Path) -> str:
    build_hash = json.loads((folder / "manifest.json").read_text())["build_hash"]
    assert isinstance(build_hash, str)
    return build_hash


def test_descriptions_from_a_table_are_found_by_both_searches(folder: Path, tmp_path: Path) -> None:
    with Catalog.open(folder) as catalog:
        item_id = str(catalog.ids[3])
        parts = catalog.manifest.parts
    table = tmp_path / "texts.csv"
    table.write_text(f'item_id,text,source\n{item_id},"{LONG}",https://example.org/bees\n')
    done = usher("catalog", "enrich", str(folder), "--from", str(table))
    assert done.returncode == 0, done.stderr
    with Catalog.open(folder) as catalog:
        assert LONG in catalog.document(3)
        assert catalog.items([3])[0].values["description"] == LONG
        assert catalog.manifest.parts["cf"] == parts["cf"]
        assert catalog.manifest.parts["bm25"] != parts["bm25"]
    found = json.loads(usher("tools", "call", "bm25_search", '{"query": "bees barge"}', catalog=folder).stdout)
    assert found["items"][0]["item_id"] == item_id
    assert read_record(record_path(folder))[item_id].source == "https://example.org/bees"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("item_id,words\n1,a\n", "line 1: no column text; it has item_id, words"),
        ("item_id,text\n1,a\n1,b\n", "line 3: column item_id: '1' is described in line 2 too"),
        ("item_id,text\n1,\n", "line 2: column text: is empty"),
    ],
)
def test_a_table_that_cannot_be_used_is_named(text: str, said: str, tmp_path: Path) -> None:
    table = tmp_path / "texts.csv"
    table.write_text(text)
    with pytest.raises(CatalogError, match=r"texts\.csv") as caught:
        read_file(table)
    assert said in str(caught.value)


def test_texts_of_other_items_are_refused_and_nothing_changes(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "texts.csv"
    table.write_text("item_id,text\nnobody,a text\n")
    before = read_manifest_hash(folder)
    line = error_line(usher("catalog", "enrich", str(folder), "--from", str(table)))
    assert "no item_id in it is in the catalog" in line
    assert read_manifest_hash(folder) == before
    assert not record_path(folder).exists()
    (item_id,) = read_catalog(folder).items["item_id"].to_pylist()[:1]
    table.write_text(f"item_id,text\nnobody,a text\n{item_id},another text\n")
    done = usher("catalog", "enrich", str(folder), "--from", str(table))
    assert done.returncode == 0
    assert "texts.csv: 1 of other items left out: nobody" in done.stderr
    assert set(read_record(record_path(folder))) == {item_id}
    assert "no catalog here" in error_line(usher("catalog", "enrich", str(tmp_path), "--from", str(table)))


def test_a_later_answer_replaces_an_earlier_one(folder: Path) -> None:
    source = read_catalog(folder)
    item_id = source.items["item_id"].to_pylist()[0]
    once = add_descriptions(source, {item_id: described(item_id)})
    twice = add_descriptions(once, {item_id: described(item_id, "Another text.")})
    assert [column.name for column in twice.columns].count("description") == 1
    assert twice.items["description"].to_pylist()[0] == "Another text."
    assert once.licence.endswith("descriptions: CC0")


def test_enriching_twice_names_the_licence_once(folder: Path) -> None:
    item_id = read_catalog(folder).items["item_id"].to_pylist()[0]
    append_record(record_path(folder), [described(item_id)])
    enrich(folder)
    assert enrich(folder).licence.count("descriptions: CC0") == 1


def test_a_record_survives_a_kill_and_names_what_is_broken(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    append_record(record, [described("1"), described("2")])
    with record.open("a") as file:
        file.write('{"item_id": "3", "te')
    assert set(read_record(record)) == {"1", "2"}
    append_record(record, [described("3")])
    assert set(read_record(record)) == {"1", "2", "3"}
    record.write_text("[]\n" + record.read_text())
    with pytest.raises(CatalogError, match=r"record\.jsonl: line 1: not an answer"):
        read_record(record)


class Service:
    """What the summary service on loopback answers, and what it was asked."""

    def __init__(self) -> None:
        self.pages: dict[str, dict[str, Any]] = {}
        self.busy: dict[str, list[tuple[int, dict[str, str]]]] = {}  # title -> answers before the page comes
        self.asked: list[str] = []
        self.agents: set[str] = set()
        self.address = ""

    def page(self, name: str, extract: str, kind: str = "standard") -> None:
        urls = {"desktop": {"page": f"https://example.org/wiki/{name}"}}
        self.pages[name] = {"type": kind, "title": name, "extract": extract, "content_urls": urls}


@pytest.fixture
def service(socket_enabled: None) -> Iterator[Service]:
    state = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = unquote(self.path.removeprefix("/api/page/summary/")).replace("_", " ")
            state.asked.append(name)
            state.agents.add(self.headers["User-Agent"])
            waiting = state.busy.get(name)
            status, headers = waiting.pop(0) if waiting else (200 if name in state.pages else 404, {})
            body = json.dumps(state.pages.get(name, {"type": "not found"})).encode()
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    state.address = f"http://127.0.0.1:{server.server_port}/api"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def ask(service: Service, title: str, year: int | None, slept: list[float] | None = None) -> Answer:
    slept = [] if slept is None else slept
    with httpx.Client(trust_env=False) as client:
        return Summaries(client, service.address, 1000, slept.append).answer("1", title, year, "film")


def test_the_surest_title_is_asked_first() -> None:
    assert list(page_titles("Heat", 1995, "film")) == ["Heat (1995 film)", "Heat (film)", "Heat"]
    assert list(page_titles("Heat", None, "film")) == ["Heat (film)", "Heat"]


def test_a_page_is_taken_with_its_attribution(service: Service) -> None:
    service.page("AC/DC? (1995 film)", "A 1995 film\nof  noise.")
    assert ask(service, "AC/DC?", 1995) == Answer(
        item_id="1",
        text="A 1995 film of noise.",
        source="https://example.org/wiki/AC/DC? (1995 film)",
        licence="CC BY-SA 4.0",
    )


def test_pages_on_other_things_are_passed_over(service: Service) -> None:
    service.page("Heat (film)", "Heat may refer to films of 1995.", kind="disambiguation")
    service.page("Heat", "Heat is energy in transfer.")
    assert ask(service, "Heat", 1995).problem == "a page on something else: it does not mention the year"
    assert service.asked == ["Heat (1995 film)", "Heat (film)", "Heat"]
    service.page("Heat", "Heat is a 1995 film.")
    assert ask(service, "Heat", 1995).text == "Heat is a 1995 film."
    assert ask(service, "Cold", 1995).problem == "no page"
    service.page("Empty", "")
    assert ask(service, "Empty", 1995).problem == "a page without a summary"


def test_a_busy_service_is_waited_for(service: Service) -> None:
    service.page("Heat (1995 film)", "A 1995 film.")
    service.busy["Heat (1995 film)"] = [(429, {"Retry-After": "7"}), (503, {}), (429, {"Retry-After": "9999"})]
    slept: list[float] = []
    assert ask(service, "Heat", 1995, slept).text == "A 1995 film."
    assert [seconds for seconds in slept if seconds > 1] == [7.0, 5.0, 120.0]
    service.busy["Heat (1995 film)"] = [(429, {"Retry-After": "0"})] * 4
    with pytest.raises(httpx.HTTPStatusError, match="429"):
        ask(service, "Heat", 1995)


def test_requests_keep_to_the_rate(service: Service) -> None:
    slept: list[float] = []
    with httpx.Client(trust_env=False) as client:
        Summaries(client, service.address, 0.5, slept.append).answer("1", "Heat", 1995, "film")
    assert slept[0] == 0.0
    assert all(1.5 < seconds <= 2.0 for seconds in slept[1:])


def test_every_item_is_asked_about_once(service: Service, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    items = read_catalog(folder).items.select(["item_id", "title", "year"]).to_pylist()
    for item in items[:5]:
        service.page(f"{item['title']} ({item['year']} film)", f"A {item['year']} film about bees. {LONG}")
    service.busy[f"{items[5]['title']} ({items[5]['year']} film)"] = [(400, {})]
    run = ["catalog", "enrich", str(folder), "--from", "wikipedia", "--base-url", service.address, "--rate", "1000"]
    done = usher(*run, "--limit", "8", "--user-agent", "tests (mail@example.org)")
    assert done.returncode == 0, done.stderr
    assert {"5 described", "2 no page", "1 failed"} <= set(done.stdout.splitlines())
    assert service.agents == {"tests (mail@example.org)"}
    service.asked.clear()
    counts = ask_about_all(folder, service.address, 1000, 1, "tests")
    assert service.asked[0] == f"{items[5]['title']} ({items[5]['year']} film)", "what failed is asked again"
    assert counts == {"no page": 1}
    with Catalog.open(folder) as catalog:
        assert catalog.items([0])[0].values["description"].startswith(f"A {items[0]['year']} film about bees")
        assert "CC BY-SA 4.0" in catalog.manifest.licence


def test_a_service_that_is_down_stops_the_run(service: Service, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for item in read_catalog(folder).items.select(["title", "year"]).to_pylist():
        service.busy[f"{item['title']} ({item['year']} film)"] = [(403, {})]
    with pytest.raises(CatalogError, match="failed 5 times in a row"):
        ask_about_all(folder, service.address, 1000, 100, "tests")
    assert len(service.asked) == 5
    assert not record_path(folder).exists()
