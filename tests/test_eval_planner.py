"""The planner's score: plans compared by what they do, held-out requests read and checked, intervals over dialogues."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.plan import Plan
from agent.settings import Settings
from agent.written import Dialogue
from eval.held_out import HeldOut, catalog_folders, spread
from eval.models import models
from eval.planner import plan_all
from eval.planner_report import cost, measure, print_report, write_report, wrong
from eval.plans import differences, overlap, said, shares
from eval.stats import estimates, interval, ratio_intervals
from tests.scripted import ScriptedEngine
from tools.catalog import Catalog
from tools.errors import UsherError


def compared(catalog: Catalog, wanted: str, got: str) -> list[str]:
    one, other = Plan.parse(wanted), Plan.parse(got)
    return differences(one, other, said(catalog, one), said(catalog, other))


def measured(catalog: Catalog, wanted: str, got: str) -> dict[str, tuple[float, float]]:
    one, other = Plan.parse(wanted), Plan.parse(got)
    return shares(one, other, said(catalog, one), said(catalog, other))


@pytest.mark.parametrize(
    ("wanted", "got"),
    [
        ("chat", "chat"),
        (
            "recommend | sql_filter year < 1990 AND 'Comedy' IN genres",
            "recommend | sql_filter 'Comedy' IN genres AND year <= 1989",
        ),
        (
            "recommend | sql_filter year < 1990 AND 'Comedy' IN genres",
            "recommend | sql_filter year < 1990 | sql_filter 'Comedy' IN genres",
        ),
        ("recommend | sql_filter ORDER BY year DESC", "recommend | sql_filter ORDER BY year DESC"),
        ("recommend | dense_search losing an old friend", "recommend | dense_search the loss of old friends, losing"),
        ("ask What kind? | facet_counts genres", "ask Which year? | facet_counts year"),
    ],
)
def test_plans_that_do_the_same_are_right(wanted: str, got: str, tiny_catalog: Catalog) -> None:
    assert compared(tiny_catalog, wanted, got) == []
    assert measured(tiny_catalog, wanted, got)["whole plan"] == (1.0, 1.0)


@pytest.mark.parametrize(
    ("wanted", "got", "mistakes"),
    [
        ("chat", "recommend", ["recommend instead of chat"]),
        ("recommend 2", "recommend", ["count: left out"]),
        ("recommend", "recommend 2", ["count: not wanted"]),
        ("recommend 2", "recommend 3", ["count: another"]),
        ("recommend | sql_filter year < 1990", "recommend", ["sql_filter: left out"]),
        ("recommend", "recommend | dense_search bees", ["dense_search: not wanted"]),
        ("recommend | sql_filter year < 1990", "recommend | sql_filter year < 1970", ["condition on year: another"]),
        (
            "recommend | sql_filter year < 1990 AND 'Comedy' IN genres",
            "recommend | sql_filter year < 1990",
            ["condition on genres: left out"],
        ),
        ("recommend | sql_filter year < 1990", "recommend | sql_filter yaer < 1990", ["sql_filter: refused"]),
        ("recommend | sql_filter year < 1000", "recommend | sql_filter year > 3000", ["condition on year: another"]),
        (
            "recommend | sql_filter year < 1990 ORDER BY year DESC",
            "recommend | sql_filter year < 1990 ORDER BY year ASC",
            ["order: another"],
        ),
        ("recommend | dense_search bees at sea", "recommend | dense_search a dog", ["dense_search: another query"]),
    ],
)
def test_what_is_wrong_with_a_plan_is_named(wanted: str, got: str, mistakes: list[str], tiny_catalog: Catalog) -> None:
    assert compared(tiny_catalog, wanted, got) == mistakes
    assert measured(tiny_catalog, wanted, got)["whole plan"] == (0.0, 1.0)


def test_titles_are_the_items_they_name(tiny_catalog: Catalog) -> None:
    one, other = str(tiny_catalog.titles[0]), str(tiny_catalog.titles[1])
    wanted = f'recommend | cf_recommend "{one}" NOT "{other}"'
    assert compared(tiny_catalog, wanted, f'recommend | cf_recommend "{one.upper()}" NOT "{other.lower()}"') == []
    assert compared(tiny_catalog, wanted, f'recommend | cf_recommend "{other}" NOT "{one}"') == [
        "cf_recommend: other titles"
    ]
    assert compared(tiny_catalog, wanted, f'recommend | cf_recommend "{one}"') == ["cf_recommend: other titles"]
    assert measured(tiny_catalog, wanted, f'recommend | cf_recommend "{one}"')["F1 cf_recommend"] == (2.0, 3.0)


def test_a_measure_counts_only_where_it_says_something(tiny_catalog: Catalog) -> None:
    assert set(measured(tiny_catalog, "chat", "chat")) == {"parses", "act", "whole plan", "tools"}
    assert measured(tiny_catalog, "recommend", "recommend | sql_filter year < 1990")["filter"] == (0.0, 1.0)
    assert measured(tiny_catalog, "recommend | sql_filter year < 1990", "recommend")["filter"] == (0.0, 1.0)
    assert measured(tiny_catalog, "recommend 2", "recommend")["count"] == (0.0, 1.0)
    # An order nobody asked for leaves the filter's items as they are; one that was asked for must be there.
    ordered, plain = "recommend | sql_filter year < 1990 ORDER BY year ASC", "recommend | sql_filter year < 1990"
    assert measured(tiny_catalog, plain, ordered)["filter"] == (1.0, 1.0)
    assert measured(tiny_catalog, ordered, plain)["filter"] == (0.0, 1.0)


def test_no_plan_is_wrong_in_everything(tiny_catalog: Catalog) -> None:
    wanted = Plan.parse("recommend 2 | sql_filter year < 1990")
    found = shares(wanted, None, said(tiny_catalog, wanted), None)
    measures = ("parses", "act", "whole plan", "count", "tools", "filter", "F1 sql_filter")
    assert found == dict.fromkeys(measures, (0.0, 1.0))


@given(st.text(alphabet="abc ", max_size=20), st.text(alphabet="abc ", max_size=20))
def test_overlap_is_an_f1(one: str, other: str) -> None:
    from collections import Counter

    a, b = Counter(one.split()), Counter(other.split())
    hits, tries = overlap(a, b)
    assert 0 <= hits <= tries
    assert overlap(b, a) == (hits, tries)
    assert (hits == tries) == (a == b)


def test_intervals_draw_whole_units() -> None:
    """Ten turns of one dialogue are one witness: their interval is as wide as that of their means."""
    values = np.array([0.0, 1.0] * 20)
    alone = interval(values)
    many = ratio_intervals(values[:, None] * 10, np.full((40, 1), 10.0))[0]
    assert tuple(many) == alone
    assert alone[0] < 0.5 < alone[1]


def test_an_interval_has_the_width_that_theory_gives() -> None:
    values = np.random.default_rng(3).normal(size=400)
    low, high = interval(values)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.05)


def test_a_measure_of_few_units_is_taken_of_those() -> None:
    hits, tries = np.zeros((50, 2)), np.zeros((50, 2))
    hits[:5, 0], tries[:5, 0] = 1.0, 1.0
    hits[:, 1], tries[:, 1] = 0.0, 2.0
    right, wrong_ = estimates(hits, tries, np.array([5, 50]))
    assert (right.mean, right.low, right.high, right.n) == (1.0, 1.0, 1.0, 5)
    assert (wrong_.mean, wrong_.n) == (0.0, 50)


def dialogue(number: int, **changed: Any) -> dict[str, Any]:
    plan = {"act": "recommend", "calls": [{"tool": "sql_filter", "where": "'Western' IN genres"}]}
    return {
        "id": str(number),
        "kind": "genre",
        "catalog": "tiny",
        "turns": [{"text": "a western", "plan": plan}],
    } | changed


def held_out(path: Path, lines: list[Any], catalog: Catalog) -> HeldOut:
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return HeldOut.read(path).checked({"tiny": catalog})


REFUSED = {"act": "recommend", "calls": [{"tool": "sql_filter", "where": "smell = 3"}]}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "line: Invalid JSON"),
        (dialogue(2, turns=[]), "turns: List should have at least 1 item"),
        (dialogue(2, mood=1), "mood: Extra inputs"),
        (dialogue(1), "id: 1 is there twice"),
        (dialogue(2, liked=["nobody"]), "nobody is not in the catalog tiny"),
        (dialogue(2, turns=[{"text": "x", "plan": REFUSED}]), "turn 1: sql_filter: no column 'smell'"),
        (dialogue(2, turns=[{"text": "x", "plan": {"act": "sing"}}]), "turns.0.plan.act: Input should be"),
    ],
)
def test_a_broken_line_is_named(line: Any, problem: str, tiny_catalog: Catalog, tmp_path: Path) -> None:
    found = held_out(tmp_path / "requests.jsonl", [dialogue(1), line], tiny_catalog)
    assert list(found.broken) == [2]
    assert found.broken[2].startswith(problem)
    assert [one.id for one in found.dialogues.values()] == ["1"]


def test_few_broken_lines_are_left_out_and_many_stop_the_run(
    tiny_catalog: Catalog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good: list[Any] = [dialogue(number) for number in range(200)]
    found = held_out(tmp_path / "few.jsonl", [*good, "{", "["], tiny_catalog)
    capsys.readouterr()  # the progress bar
    assert len(found.usable()) == 200
    assert [line.split(": ")[1] for line in capsys.readouterr().err.splitlines()] == ["line 201", "line 202"]
    found = held_out(tmp_path / "many.jsonl", [*good, "{", "[", "{"], tiny_catalog)
    with pytest.raises(UsherError, match=r"3 of 203 lines are broken, more than 1%; the first is line 201: "):
        found.usable()


def test_a_limit_takes_from_all_over() -> None:
    many = [Dialogue.model_validate(dialogue(number)) for number in range(100)]
    assert [one.id for one in spread(many, 5)] == ["0", "25", "50", "74", "99"]
    assert spread(many, 100) == many


def test_a_catalog_nobody_knows_is_named(tmp_path: Path) -> None:
    assert dict(catalog_folders({"tiny": tmp_path}, {"tiny"}, Settings())) == {"tiny": tmp_path}
    assert dict(catalog_folders({}, {"films"}, Settings(catalog=tmp_path))) == {"films": tmp_path}
    with pytest.raises(UsherError, match="the catalog songs; say where it is: --catalog songs=DIR"):
        list(catalog_folders({}, {"songs"}, Settings()))


def test_a_run_scores_every_turn_after_the_right_ones(tiny_catalog: Catalog, tmp_path: Path) -> None:
    title, item = str(tiny_catalog.titles[0]), str(tiny_catalog.ids[1])
    liked = {"act": "recommend", "calls": [{"tool": "cf_recommend", "liked": [title]}]}
    turns = [{"text": "I loved it", "plan": liked, "shown": [item]}, {"text": "hi", "plan": {"act": "chat"}}]
    found = held_out(tmp_path / "requests.jsonl", [dialogue(1), dialogue(2, turns=turns, kind="likes")], tiny_catalog)
    engine = ScriptedEngine(
        ["chat", "recommend | sql_filter 'Western' IN genres", 'recommend | similar_items "zzzz qqqq"', "recommend"],
        roles=["planner"],
    )
    cases = plan_all(engine, found.usable(), {"tiny": tiny_catalog}, "test")
    assert [(case.dialogue, case.turn, case.wrong) for case in cases] == [
        ("1", 1, ()),
        ("2", 1, ("cf_recommend: left out", "similar_items: not wanted")),
        ("2", 2, ("recommend instead of chat",)),
    ]
    assert cases[0].shares["runs sql_filter"] == (1.0, 1.0)
    assert cases[1].shares["runs similar_items"] == (0.0, 1.0)
    assert "zzzz qqqq" in cases[1].error
    last = engine.requests[-1].messages[-1].content  # the wanted plan's history, not the one that was planned
    assert f"Likes: {title}" in last
    assert f"Last items: {tiny_catalog.titles[1]}" in last
    measures = measure(cases)
    assert list(measures) == ["all", "first turn", "later turns", "catalog tiny", "kind genre", "kind likes"]
    assert measures["all"]["act"].mean == pytest.approx(2 / 3)
    assert measures["kind genre"]["filter"].mean == 1.0
    assert "filter" not in measures["kind likes"]
    assert wrong(cases)[0] == {"mistake": "cf_recommend: left out", "turns": 1, "such as": "I loved it"}
    assert set(cost(cases)) == {"ms a plan"}


def test_the_report_is_a_table_and_a_file(
    tiny_catalog: Catalog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = held_out(tmp_path / "requests.jsonl", [dialogue(1), dialogue(2)], tiny_catalog)
    right, chat = "recommend | sql_filter 'Western' IN genres", "chat"
    planned = {
        name: plan_all(ScriptedEngine(["chat", *texts]), found.usable(), {"tiny": tiny_catalog}, name)
        for name, texts in (("adapter", [right, right]), ("base", [right, chat]))
    }
    about = {"file": "requests.jsonl", "sha256": found.sha256, "broken": {}, "dialogues": 2, "engine": "scripted"}
    print_report(write_report(about, planned, tmp_path / "run"))
    printed = capsys.readouterr().out
    assert [line.split()[:2] for line in printed.splitlines() if line.startswith("act")] == [["act", "1.000"]]
    assert "1  chat instead of recommend, such as: a western" in printed
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["planners"]["base"]["measures"]["all"]["whole plan"] == {
        "mean": 0.5,
        "low": 0.0,
        "high": 1.0,
        "n": 2,
    }
    assert [case["got"] for case in results["cases"]["base"]] == [right, chat]


def test_a_folder_of_adapters_without_the_role_is_refused_instead_of_measuring_the_base(tmp_path: Path) -> None:
    with pytest.raises(UsherError, match="has no adapter for the role planner"):
        next(models("planner", Settings(adapters=tmp_path / "out"), with_base=False))
