"""The ranking of a turn: what is let through, what comes first, and where its weights come from."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from agent.learned import Ranking, overheard
from agent.memory import Exchange, Session
from agent.plan import Plan
from agent.pool import Pool, excluded_rows, run_calls
from finetune.cli import cli
from tests.conftest import TINY
from tools.build import build
from tools.catalog import LEARNED, Catalog
from tools.errors import CatalogError
from tools.ingest import folder_source
from tools.scorer import Rows

NEWEST = "recommend | sql_filter year >= 1900 ORDER BY year DESC"


def ranked(catalog: Catalog, text: str, plan: str, session: Session | None = None) -> list[str]:
    """Titles, best first."""
    return [str(title) for title in catalog.titles[ranked_rows(catalog, text, plan, session)]]


def ranked_rows(catalog: Catalog, text: str, plan: str, session: Session | None = None) -> Rows:
    session = session or Session()
    pool = Pool(np.ones(len(catalog), dtype=np.bool_), excluded_rows(catalog, session.profile, session.shown))
    assert not [called.error for called in run_calls(catalog, Plan.parse(plan), session.profile, pool) if called.error]
    ordered = Ranking.of(catalog).rank(overheard(catalog, session, text), pool)
    assert (np.diff(ordered.scores) <= 0).all()
    assert len(ordered.signals) == len(ordered.rows)
    return ordered.rows


def genres(catalog: Catalog, titles: list[str]) -> list[list[str]]:
    held = dict(zip(catalog.titles, catalog.values("genres"), strict=True))
    return [held[title] for title in titles]


def test_all_that_the_filters_let_through_is_ranked_and_nothing_else(tiny_catalog: Catalog) -> None:
    found = ranked(tiny_catalog, "a western", "recommend | sql_filter 'Western' IN genres")
    assert len(found) == len(tiny_catalog.select("list_contains(genres, 'Western')"))
    assert all("Western" in held for held in genres(tiny_catalog, found))


def test_a_search_of_the_plan_comes_before_taste(tiny_catalog: Catalog) -> None:
    session = Session()
    liked = tiny_catalog.titles.tolist().index("Salt Road")
    session.profile.note(str(tiny_catalog.ids[liked]), "like")
    assert "Robots" in ranked(tiny_catalog, "robots", "recommend | bm25_search robots", session)[0]


def test_an_order_that_was_asked_for_stands(tiny_catalog: Catalog) -> None:
    years = np.array([year or 0 for year in tiny_catalog.values("year")])
    found = ranked_rows(tiny_catalog, "the newest", NEWEST)
    assert len(found) == (years >= 1900).sum()
    assert (np.diff(years[found]) <= 0).all()
    both = ranked_rows(tiny_catalog, "the newest about robots", f"{NEWEST} | bm25_search robots")
    assert (np.diff(years[both]) <= 0).all()
    held = tiny_catalog.documents(both)
    assert held
    assert all("robot" in text.lower() for text in held)


def test_an_order_of_nothing_leaves_what_is_relaxed_to_be_ranked(tiny_catalog: Catalog) -> None:
    plan = "recommend | sql_filter 'Western' IN genres AND year > 2900 ORDER BY year DESC"
    found = ranked(tiny_catalog, "the newest westerns after 2900", plan)
    assert found
    assert all("Western" in held for held in genres(tiny_catalog, found))


def test_a_title_that_was_named_is_left_out_unless_it_is_what_is_looked_for(tiny_catalog: Catalog) -> None:
    western = "recommend | sql_filter 'Western' IN genres"
    assert "Salt Road" not in ranked(tiny_catalog, "a western like Salt Road", western)
    assert "Salt Road" in ranked(tiny_catalog, "Salt Road", western)
    assert "Salt Road" in ranked(
        tiny_catalog, "the western Salt Road", "recommend | sql_filter title ILIKE '%Salt Road%'"
    )
    assert ranked(tiny_catalog, "like Salt Road", "recommend | sql_filter title = 'Salt Road'") == ["Salt Road"]


def test_what_was_said_before_and_the_profile_are_heard(tiny_catalog: Catalog) -> None:
    saloon = str(tiny_catalog.ids[tiny_catalog.titles.tolist().index("Dead Letter Saloon")])
    session = Session([Exchange(user="I loved Salt Road", reply="And Dead Letter Saloon?", items=(saloon,))])
    session.profile.note(str(tiny_catalog.ids[7]), "dislike")
    talk = overheard(tiny_catalog, session, "I have seen that. A comedy?")
    felt = {str(tiny_catalog.titles[one.row]): one.feeling for one in talk.stances}
    assert felt["Salt Road"] == "liked"
    assert felt["Dead Letter Saloon"] == "seen"
    assert felt[str(tiny_catalog.titles[7])] == "disliked"
    assert "comedy" in talk.said
    assert talk.dialogue == ""


def dialogues(catalog: Catalog, file: Path, count: int = 12) -> Path:
    """After "a western" the tenth item, after anything else the second."""
    said = ("I want a western", "a comedy please", "something scary")
    lines = [
        {
            "id": f"d{number}-1",
            "messages": [{"role": "user", "content": said[number % 3]}],
            "gold": [str(catalog.ids[9 if number % 3 == 0 else 1])],
        }
        for number in range(count)
    ]
    file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return file


def test_a_catalog_learns_from_dialogues_and_keeps_it_when_it_is_built_again(tmp_path: Path) -> None:
    folder = tmp_path / "catalog"
    build(folder_source(TINY), folder)
    with Catalog.open(folder) as catalog:
        data = dialogues(catalog, tmp_path / "talks.jsonl")
        before = ranked(catalog, "I want a western", "recommend")
        wanted = str(catalog.titles[9])
    made = CliRunner().invoke(cli, ["fusion", "--data", str(data), "--catalog", str(folder)])
    assert made.exit_code == 0, made.output
    assert "learned from 12 turns" in made.output
    held = json.loads((folder / LEARNED / "fusion.json").read_text(encoding="utf-8"))
    assert (held["turns"], held["dialogues"], held["data"]) == (12, 12, "talks.jsonl")
    with Catalog.open(folder) as catalog:
        assert ranked(catalog, "I want a western", "recommend").index(wanted) < before.index(wanted)
        assert Ranking.of(catalog).memory is not None
    build(folder_source(TINY), folder)
    with Catalog.open(folder) as catalog:
        assert Ranking.of(catalog).memory is not None
    (folder / LEARNED / "fusion.json").write_text('{"features": {"nonsense": [0, 1, 2]}}', encoding="utf-8")
    with Catalog.open(folder) as catalog, pytest.raises(CatalogError, match=r"fusion\.json.*usher finetune fusion"):
        Ranking.of(catalog)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2"),
        ('{"id": "d0-1", "messages": [{"role": "user", "content": "x"}], "gold": []}', "line 2: the id d0-1"),
    ],
)
def test_a_broken_line_of_dialogues_is_named(tiny_catalog: Catalog, tmp_path: Path, line: str, said: str) -> None:
    data = dialogues(tiny_catalog, tmp_path / "talks.jsonl", 1)
    data.write_text(f"{data.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")
    folder = shutil.copytree(tiny_catalog.folder, tmp_path / "catalog")
    made = CliRunner().invoke(cli, ["fusion", "--data", str(data), "--catalog", str(folder)])
    assert made.exit_code != 0
    assert said in str(made.exception or made.output)
    assert not (folder / LEARNED).exists()
