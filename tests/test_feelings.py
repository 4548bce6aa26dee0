"""Feelings read from dialogues are counted against what the same people said afterwards."""

import json
from pathlib import Path

import pytest

from agent.recorded import read_turn
from eval.feelings import read_feelings, run_feelings
from tools.catalog import Catalog
from tools.errors import UsherError

TALK = (
    ("assistant", "Have you seen Salt Road?"),
    ("user", "I couldn't stand it. I loved Night Ferry, not Iron Harvest"),
)


def line(catalog: Catalog, number: int, **changes: object) -> str:
    ids = {str(title): str(item_id) for title, item_id in zip(catalog.titles, catalog.ids, strict=True)}
    labels = {"liked": [ids["Night Ferry"]], "disliked": [ids["Salt Road"], ids["Iron Harvest"], ids["Bread Alone"]]}
    said = [{"role": role, "content": text} for role, text in TALK]
    held = {"id": f"d{number}-1", "messages": said, "mentioned": [], "gold": [ids["Small Thunder"]], "labels": labels}
    return json.dumps(held | changes)


def test_each_title_counts_by_who_named_it_and_what_was_said_of_it(tiny_catalog: Catalog) -> None:
    rows = read_feelings(tiny_catalog, [read_turn(line(tiny_catalog, 1))])
    found = {
        (row["by"], row["label"]): {name: n for name, n in row.items() if isinstance(n, int) and n} for row in rows
    }
    assert found == {
        ("user", "liked"): {"liked": 1},
        ("user", "disliked"): {"disliked": 1},
        ("assistant", "liked"): {},
        ("assistant", "disliked"): {"disliked": 1},
    }


def test_halves_make_up_the_whole(tiny_catalog: Catalog, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "talks.jsonl"
    file.write_text("\n".join(line(tiny_catalog, number) for number in range(5)), encoding="utf-8")
    counts = {}
    for half in ("first", "second", "all"):
        run_feelings(file, tiny_catalog.folder, half, tmp_path / half)
        counts[half] = json.loads((tmp_path / half / "results.json").read_text())["read"][0]["liked"]
    assert counts == {"first": 2, "second": 3, "all": 5}
    assert "the person, disliked" in capsys.readouterr().out


def test_broken_labels_are_named(tiny_catalog: Catalog, tmp_path: Path) -> None:
    file = tmp_path / "talks.jsonl"
    file.write_text(line(tiny_catalog, 1, labels={"liked": 3}), encoding="utf-8")
    with pytest.raises(UsherError, match=r"line 1: broken line: labels\.liked"):
        run_feelings(file, tiny_catalog.folder, "all", tmp_path / "run")
