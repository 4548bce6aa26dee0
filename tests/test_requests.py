"""The requests with known answers, and their score."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.loop import Agent
from agent.settings import Settings
from eval.requests import FILM_REQUESTS, Request, read_requests, recall, reciprocal_ranks, score
from eval.stats import interval
from tests.scripted import ScriptedEngine
from tools.catalog import Catalog
from tools.errors import UsherError
from tools.movielens import movielens_source


def test_the_shipped_requests_are_sixty_and_want_films_there_are() -> None:
    ids = set(movielens_source(with_facts=False).items["item_id"].to_pylist())
    requests = [Request.model_validate_json(line) for line in FILM_REQUESTS.read_text(encoding="utf-8").splitlines()]
    assert len(requests) == len({request.id for request in requests}) == len({r.text for r in requests}) == 60
    assert {request.kind for request in requests} == {"theme", "mood", "person", "place"}
    for request in requests:
        assert len(set(request.wanted)) == len(request.wanted) >= 3
        assert set(request.wanted) <= ids
        assert request.kind == "person" or len(request.wanted) <= 12


def test_recall_is_of_as_many_as_can_be_found() -> None:
    ranked = [str(number) for number in range(20)]
    assert recall(ranked, ["0", "9", "x", "y"]) == 0.5
    assert recall(ranked, ["10", "11"]) == 0.0
    assert recall(ranked, ranked) == 1.0
    assert recall([], ["1"]) == 0.0


def test_the_interval_holds_the_mean_and_narrows_with_more() -> None:
    few, many = np.array([0.0, 1.0] * 10), np.array([0.0, 1.0] * 1000)
    assert interval(few)[0] < 0.5 < interval(few)[1]
    assert interval(many)[1] - interval(many)[0] < (interval(few)[1] - interval(few)[0]) / 5
    assert interval(np.ones(5)) == (1.0, 1.0)


def test_reciprocal_ranks_put_what_both_found_first() -> None:
    assert reciprocal_ranks([["a", "b", "c"], ["c", "d"]]) == ["c", "a", "b", "d"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"wanted": []}, "wanted: List should have at least 1 item"),
        ({"wanted": ["nobody"]}, "wanted: nobody is not in the catalog"),
        ({"wanted": ["{0}", "{0}"]}, "wanted: names an item twice"),
        ({"text": ""}, "text: String should have at least 1 character"),
        ({"more": 1}, "more: Extra inputs"),
    ],
)
def test_a_request_that_cannot_be_used_is_named(
    changed: dict[str, Any], said: str, tiny_catalog: Catalog, tmp_path: Path
) -> None:
    first = str(tiny_catalog.ids[0])
    good = {"id": "1", "kind": "theme", "text": "bees", "wanted": ["{0}"]}
    lines = [json.dumps(line).replace("{0}", first) for line in (good, good | changed)]
    path = tmp_path / "requests.jsonl"
    path.write_text("\n".join(lines))
    with pytest.raises(UsherError) as caught:
        read_requests(path, tiny_catalog)
    assert str(caught.value).startswith(f"{path}: line 2: {said}")


def test_an_empty_or_missing_file_is_named(tiny_catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    for name, said in (("empty.jsonl", "has no requests"), ("none.jsonl", "cannot be read")):
        with pytest.raises(UsherError, match=said):
            read_requests(tmp_path / name, tiny_catalog)


def test_rankings_are_scored_by_kind(tiny_catalog: Catalog) -> None:
    """The scripted turn filters Westerns; one request wants what it names, one does not."""
    western = str(tiny_catalog.ids[tiny_catalog.select("list_contains(genres, 'Western')")[0]])
    title = tiny_catalog.title(western)
    engine = ScriptedEngine(["recommend | sql_filter 'Western' IN genres"] * 2)
    agent = Agent.of(tiny_catalog, engine, Settings(catalog=tiny_catalog.folder, shown=10))
    absent = str(tiny_catalog.ids[tiny_catalog.select("NOT list_contains(genres, 'Western')")[-1]])
    requests = [
        Request(id="1", kind="title", text=f"{title}", wanted=[western]),
        Request(id="2", kind="nonsense", text="zzzz qqqq", wanted=[absent]),
    ]
    results = score(agent, requests)
    assert results["recall"]["bm25_search"]["title"]["mean"] == 1.0
    assert results["recall"]["bm25_search"]["nonsense"]["mean"] == 0.0
    assert results["recall"]["bm25_search"]["all"] == pytest.approx({"mean": 0.5, "low": 0.0, "high": 1.0, "n": 2})
    assert results["recall"]["a whole turn"]["title"]["mean"] == 1.0
    assert results["recall"]["a whole turn"]["nonsense"]["mean"] == 0.0
    assert results["each"][0]["both, fused"] == 1.0
