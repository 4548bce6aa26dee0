"""Broken lines, repeated ids, empty gold and unknown ids: each is counted and named, and too many stop the run."""

import gzip
import json
from pathlib import Path
from typing import Any, Literal

import pytest

from agent.recorded import Said, exchanges, fold_of
from eval.replay_data import read_replay
from tools.errors import UsherError

KNOWN = {"1", "2", "3"}


def line(number: int, **changes: Any) -> str:
    said = [{"role": "user", "content": "hello"}]
    return json.dumps({"id": f"d-{number}", "messages": said, "mentioned": ["1"], "gold": ["2"]} | changes)


def written(folder: Path, *lines: str) -> Path:
    file = folder / "talks.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


BAD = (
    (line(2, gold=["77"]), "unknown gold: 77 of d-2"),
    (line(2, mentioned=["1", "88"]), "unknown mentioned: 88 of d-2"),
    (line(2, gold=[]), "empty gold: d-2"),
    (line(1), "duplicate id: d-1"),
    ('{"id": "d-2", "messages"', "broken line: line: Invalid JSON"),
    (line(2, messages=[{"role": "king", "content": "hm"}]), "broken line: messages.0.role"),
    (line(2, messages=[]), "broken line: messages"),
)


@pytest.mark.parametrize(("bad", "said"), BAD)
def test_a_bad_line_stops_the_run_and_is_named(tmp_path: Path, bad: str, said: str) -> None:
    file = written(tmp_path, line(1), bad)
    with pytest.raises(UsherError, match=r"50\.0% of them bad; first line 2: .*--bad-lines") as raised:
        read_replay(file, KNOWN)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("bad", "said"), BAD)
def test_a_bad_line_among_a_hundred_is_counted(tmp_path: Path, bad: str, said: str) -> None:
    replay = read_replay(written(tmp_path, line(1), bad, *map(line, range(3, 101))), KNOWN)
    counted = replay.json()
    assert counted["bad_lines"] == 1
    assert said in counted["named"][0]
    assert sum(counted["problems"].values()) == 1
    scored = "unknown" in said  # an item the catalog lacks is a miss, not a line that is not there
    assert len(replay.turns) == 99 + scored


def test_gold_that_was_named_is_counted(tmp_path: Path) -> None:
    replay = read_replay(written(tmp_path, line(1, gold=["1", "2"]), line(2), line(3, gold=["1"])), KNOWN)
    assert [replay.gold(turn) for turn in replay.turns] == [("2",), ("2",), ()]
    counted = replay.json()
    assert (counted["gold"], counted["gold_named_before"], counted["turns_without_other_gold"]) == (4, 2, 1)
    assert counted["gold_named_before_share"] == 0.5


def test_files_may_be_gzipped_and_extra_fields_stay_unread(tmp_path: Path) -> None:
    file = tmp_path / "talks.jsonl.gz"
    with gzip.open(file, "wt", encoding="utf-8") as opened:
        opened.write(line(1, labels={"liked": ["2"]}) + "\n\n" + line(2) + "\n")
    assert [turn.id for turn in read_replay(file, KNOWN).turns] == ["d-1", "d-2"]


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_file_has_nothing_to_score(tmp_path: Path, content: str) -> None:
    with pytest.raises(UsherError, match="nothing to score"):
        read_replay(written(tmp_path, content), KNOWN)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsherError, match=r"absent\.jsonl: cannot be read"):
        read_replay(tmp_path / "absent.jsonl", KNOWN)


def test_turns_of_one_dialogue_share_a_fold(tmp_path: Path) -> None:
    replay = read_replay(written(tmp_path, line(1, id="a-b-1"), line(2, id="a-b-12"), line(3, id="alone")), KNOWN)
    assert {name: len(turns) for name, turns in replay.dialogues().items()} == {"a-b": 2, "alone": 1}
    assert {fold_of(str(number)) for number in range(100)} == {0, 1, 2, 3, 4}


def said(role: Literal["user", "assistant"], *texts: str) -> list[Said]:
    return [Said(role=role, content=text) for text in texts]


def test_what_one_side_says_in_a_row_is_one_message() -> None:
    talk = [*said("assistant", "hi"), *said("user", "a", "b"), *said("assistant", "c", "d"), *said("user", "e")]
    assert exchanges(talk) == [("a b", "c d"), ("e", "")]
