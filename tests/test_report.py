"""report.html: one file that loads nothing, in which nothing from a transcript becomes markup."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from eval.plots import Point, bars, lines
from eval.report import write_report
from tools.errors import UsherError

HOSTILE = "</script><img src=x onerror=alert(1)>"
MEASURE = {"mean": 0.25, "low": 0.1, "high": 0.4, "n": 4}
CATALOG = {"name": "tiny", "items": 40, "build": "abc"}


class Page(HTMLParser):
    """What a browser would make of the page: its elements, and the text of each script."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._inside = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag == "script"
        if self._inside:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts[-1] += data

    @property
    def records(self) -> list[dict[str, Any]]:
        return list(json.loads(self.scripts[0]))


def written(folder: Path, results: dict[str, Any], *records: dict[str, Any]) -> Page:
    (folder / "config.json").write_text(json.dumps({"command": "test", "catalog": CATALOG, "versions": {"a": HOSTILE}}))
    (folder / "results.json").write_text(json.dumps({"date": "2026-01-01", **results}))
    (folder / "transcripts.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return Page(write_report(folder))


def simulated() -> dict[str, Any]:
    row = {
        "dialogues": 4,
        "measures": {f"success@{turn}": MEASURE for turn in range(1, 6)} | {"popularity lift": MEASURE},
        "kinds": {"vague": {"success@5": MEASURE}},
        "seconds": {"median": 0.01, "p95": 0.02},
        "shown": [0.5, 0.9, 1.0],
    }
    rows = {HOSTILE: row, "cf": {**row, "paired": {"success@5": MEASURE}}}
    return {"people": 4, "leaks": [], "left_out": 0, "reference": HOSTILE, "users": {"agenda": rows}}


def dialogue() -> dict[str, Any]:
    item = {"item_id": "1", "title": HOSTILE, "year": 1990, "line": "x", "goal": True, "hidden": True}
    turn = {"said": HOSTILE, "reply": HOSTILE, "plan": "recommend", "items": [item], "outside": [HOSTILE]}
    about = {"row": "cf", "user": "agenda", "person": "7", "kind": "vague", "persona": HOSTILE, "tastes": ["a: b"]}
    return {"id": "agenda/cf/7", **about, "turns": [turn], "end": "left"}


def test_nothing_of_a_transcript_becomes_markup_and_nothing_is_loaded(tmp_path: Path) -> None:
    page = written(tmp_path, simulated(), dialogue())
    assert not [tag for tag, _ in page.elements if tag in ("img", "link", "iframe", "object")]
    assert not [attrs for _, attrs in page.elements if {"src", "href", "onerror"} & set(attrs)]
    assert len(page.scripts) == 2
    (record,) = page.records
    assert record["turns"][0]["said"] == HOSTILE
    assert record["turns"][0]["items"] == [{"text": f"{HOSTILE} (1990)", "mark": "goal"}]
    assert not re.search(r"innerHTML|insertAdjacent|document\.write|https?://", page.scripts[1])


def test_a_simulation_shows_its_rows_plots_and_differences(tmp_path: Path) -> None:
    page = written(tmp_path, simulated(), dialogue())
    assert [tag for tag, _ in page.elements].count("svg") == 4
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "0.250" in text
    assert "+0.250" in text


def test_a_replay_shows_its_funnel_slices_and_rankings(tmp_path: Path) -> None:
    figures = {"R@1": MEASURE, "R@10": MEASURE, "R@20": MEASURE}
    results = {
        "turns": 2,
        "data": {"gold_named_before_share": 0.031, "bad_lines": 1, "lines": 3, "named": [f"line 2: broken: {HOSTILE}"]},
        "rows": {"popularity": figures, "agent": figures},
        "slices": {"gold popularity up to 9": {"popularity": figures, "agent": figures}},
        "funnel": {"agent": [{"step": "candidates", "recall": 0.5, "items": 100, "turns": 2}]},
        "differences": {"agent": {"less": "popularity", "R@10": MEASURE}},
    }
    turn = {
        "id": "d-1",
        "said": ["user: a western"],
        "gold": ["3", "77"],
        "titles": {"3": "Salt Road", "4": HOSTILE, "77": None},
        "rows": {"agent": {"places": [1, None], "top": ["3", "4"], "steps": {}}},
    }
    page = written(tmp_path, results, {"id": "d", "fold": 1, "turns": [turn]})
    assert [tag for tag, _ in page.elements].count("svg") == 3
    wanted, ranked = page.records[0]["turns"]
    assert wanted["said"] == "user: a western"
    assert [item["text"] for item in wanted["items"]] == ["Salt Road", "77, not in the catalog"]
    assert ranked["plan"] == "agent"
    assert ranked["items"] == [{"text": "Salt Road", "mark": "goal"}, {"text": HOSTILE, "mark": ""}]
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "agent less popularity" in text
    assert "3.1% of what was wanted, named before" in text
    assert "1 of 3; line 2: broken: &lt;/script&gt;" in text


def test_steps_of_a_funnel_stand_in_the_order_in_which_they_are_taken(tmp_path: Path) -> None:
    """Whichever row comes first: the agent's own steps stand among those that it shares with the pipeline."""

    def path(*steps: str) -> list[dict[str, Any]]:
        return [{"step": step, "recall": 0.5, "items": 9, "turns": 2} for step in steps]

    figures = {"R@1": MEASURE, "R@10": MEASURE, "R@20": MEASURE}
    taken = {
        "pipeline": path("candidates", "first 200", "first 20"),
        "agent": path("filters", "first 200", "first 20", "shown"),
    }
    for rows in (taken, dict(reversed(taken.items()))):
        write = {
            "turns": 2,
            "data": {"gold_named_before_share": 0.0, "bad_lines": 0, "lines": 2, "named": []},
            "rows": dict.fromkeys(rows, figures),
            "funnel": rows,
        }
        written(tmp_path, write)
        text = (tmp_path / "report.html").read_text(encoding="utf-8").partition("is left after each step")[2]
        places = [text.index(f">{step}<") for step in ("filters", "first 200", "first 20", "shown")]
        assert places == sorted(places)
        assert text.index(">candidates<") < text.index(">first 200<")


def test_many_dialogues_are_thinned_and_said_to_be(tmp_path: Path) -> None:
    page = written(tmp_path, simulated(), *({**dialogue(), "id": str(n)} for n in range(2500)))
    assert len(page.records) == 1000
    assert "1,000 of 2,500 dialogues" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_an_unfinished_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsherError, match=r"config\.json: cannot be read"):
        write_report(tmp_path)


def test_points_stand_where_their_values_are() -> None:
    drawn = lines(
        "t", {"a": [Point(0.0, 0.0, 0.0), Point(1.0, 1.0, 1.0)], "b": [None, Point(0.5, 0.5, 0.5)]}, ["1", "2"]
    )
    heights = {float(y) for y in re.findall(r'<circle cx="[\d.]+" cy="([\d.]+)"', drawn)}
    assert len(heights) == 3
    assert sum(heights) / 3 == pytest.approx(sorted(heights)[1])  # a half is half way up


def test_bars_go_down_from_zero_for_what_is_negative() -> None:
    drawn = bars("t", {"up": [Point(1.0, 1.0, 1.0)], "down": [Point(-1.0, -1.0, -1.0)]}, ["x"])
    tops = [
        (float(y), float(h))
        for y, h in re.findall(r'<rect x="[\d.]+" y="([\d.]+)" width="[\d.]+" height="([\d.]+)"', drawn)
    ]
    (up, height), (down, other) = tops[:2]
    assert up + height == pytest.approx(down, abs=0.2)
    assert height == pytest.approx(other, abs=0.2)
