"""A slice of the fuzz run, and that its checks can fail."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eval import fuzz
from eval.fuzz import Found, breach_of, run_fuzz, touched, traps, try_call, try_http
from eval.hostile import SECRET, WEIGHTS, Hostile
from tests.server import WordEngine, running, service_of
from tools.catalog import Catalog
from tools.errors import UsherError
from tools.where import Where, parse_where


@pytest.fixture(scope="module")
def paths(tiny_catalog: Catalog) -> Iterator[tuple[str, str]]:
    with traps(tiny_catalog) as made:
        yield made
        assert touched(made[1]) == ""


def meaning_free(name: str) -> bool:
    """Whether the tool needs no embedding model, which takes long to load."""
    return name != "dense_search"


@given(seed=st.integers(0, 2**32))
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_hostile_calls_run_as_the_white_list_says_or_are_refused(
    seed: int, tiny_catalog: Catalog, paths: tuple[str, str]
) -> None:
    name, arguments = Hostile(Random(seed), tiny_catalog, *paths).call()
    if meaning_free(name):
        assert try_call(tiny_catalog, name, arguments, Found()) == ""


def test_hostile_text_reaches_both_sides_of_the_white_list(tiny_catalog: Catalog, paths: tuple[str, str]) -> None:
    found, hostile = Found(), Hostile(Random(3), tiny_catalog, *paths)
    for _ in range(400):
        name, arguments = hostile.call()
        if meaning_free(name):
            assert try_call(tiny_catalog, name, arguments, found) == ""
    assert found.ran["sql_filter"] >= 30
    assert len(found.refused) >= 8
    assert found.refused["otherwise"] <= sum(found.refused.values()) / 10


def test_the_same_seed_says_the_same(tiny_catalog: Catalog) -> None:
    one, two = (Hostile(Random(9), tiny_catalog, "s", "c") for _ in range(2))
    assert [repr(one.call()) for _ in range(50)] == [repr(two.call()) for _ in range(50)]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("year = (SELECT 1)", "Subquery ran"),
        ("getenv(?) = ?", "the function getenv ran"),
        ("items.year = ?", "the column items.year was read"),
        ('"row" = ?', 'the column "row" was read'),
        ("year = 1990", "a literal of the text reached DuckDB"),
        ("CAST(year AS VARCHAR) = ?", "Cast ran"),
        ("year = ?", "the canonical text means something else"),
    ],
)
def test_sql_beyond_the_white_list_is_a_breach(sql: str, said: str, tiny_catalog: Catalog) -> None:
    where = Where(sql, (), "year = 1991", ("year",), (), ())
    assert breach_of(where, tiny_catalog.manifest) == said
    assert breach_of(parse_where("year = 1991", tiny_catalog.manifest), tiny_catalog.manifest) == ""


def test_a_call_that_takes_long_is_a_breach(tiny_catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Found()
    assert try_call(tiny_catalog, "sql_filter", {"where": "year > 1990"}, found) == ""
    assert 0 < found.longest < fuzz.LONGEST
    monkeypatch.setattr(fuzz, "LONGEST", 0.0)
    assert "of processor time" in try_call(tiny_catalog, "sql_filter", {"where": "year > 1990"}, found)


def test_a_crash_a_leak_and_a_written_file_are_breaches(tiny_catalog: Catalog, tmp_path: Path) -> None:
    closed = Catalog.open(tiny_catalog.folder)
    closed.close()
    assert "instead of a ToolError" in try_call(closed, "sql_filter", {"where": "year > 1990"}, Found())
    assert SECRET in try_call(tiny_catalog, SECRET, {}, Found())
    (tmp_path / "secret.csv").touch()
    (tmp_path / "canary").touch()
    assert touched(str(tmp_path / "canary")) == "a call wrote canary"


def test_half_a_character_is_refused_everywhere(tiny_catalog: Catalog, tmp_path: Path, socket_enabled: None) -> None:
    half = "a comedy \ud800"
    found = Found()
    assert try_call(tiny_catalog, "title_lookup", {"title": half}, found) == ""
    assert try_call(tiny_catalog, "cf_recommend", {"liked": [half]}, found) == ""
    assert found.refused["it takes:"] == 2
    with (
        running(service_of(tiny_catalog, WordEngine(), str(tmp_path / "state.db"))) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        assert try_http(client, "title_lookup", {"title": half}, found) == ""
        body = {"model": "usher", "messages": [{"role": "user", "content": half}]}
        headers = {"Content-Type": "application/json"}
        said = client.post("/v1/chat/completions", content=json.dumps(body), headers=headers)
        assert said.status_code == 400
        assert "half a character" in said.json()["error"]["message"]
    assert found.http == {"400": 1}


def test_a_server_that_breaks_is_a_breach() -> None:
    found = Found()
    for status, text, said in (
        (500, "", "500 over HTTP"),
        (400, 'Traceback: File "x.py"', "'Traceback' in an answer"),
        (400, "no", ""),
    ):
        answer = httpx.Response(status, text=text)
        with httpx.Client(
            transport=httpx.MockTransport(lambda _, answer=answer: answer), base_url="http://x"
        ) as client:
            assert try_http(client, "sql_filter/../\ud800", {"where": "\ud800"}, found) == said
    assert found.http == {"500": 1, "400": 2}


def test_the_run_counts_and_stops_at_a_breach(
    tiny_catalog: Catalog,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    socket_enabled: None,
) -> None:
    monkeypatch.setitem(WEIGHTS, "dense_search", 0)
    run_fuzz(tiny_catalog.folder, 50, 1, "", 1, tmp_path)
    assert "breaches: 0" in capsys.readouterr().out
    with pytest.raises(UsherError, match="breaches, the first: no answer over HTTP"):
        run_fuzz(tiny_catalog.folder, 2, 1, "http://127.0.0.1:9", 1, tmp_path)
