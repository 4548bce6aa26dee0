"""A run folder: what is written line by line, gone on with after a kill, and refused for another config."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from eval.runs import Record, Run
from tools.errors import UsherError


def counted(calls: list[int]) -> Callable[[int], Record]:
    def square(number: int) -> Record:
        calls.append(number)
        if number == 13:
            raise UsherError("thirteen")
        return {"square": number**2}

    return square


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_stopped_run_goes_on_where_it_stopped(tmp_path: Path, jobs: int) -> None:
    calls: list[int] = []
    first = Run.open(tmp_path, {"seed": 1})
    with pytest.raises(UsherError, match="thirteen"):
        list(first.map(counted(calls), {"a": 2, "b": 3, "c": 13}, jobs))
    with first.transcripts.open("a") as file:
        file.write('{"id": "to')  # killed while it wrote
    held = Run.open(tmp_path, {"seed": 1}).done()
    calls.clear()
    again = Run.open(tmp_path, {"seed": 1})
    records = {record["id"]: record["square"] for record in again.map(counted(calls), {"a": 2, "b": 3, "d": 5}, jobs)}
    assert records == {"a": 4, "b": 9, "d": 25}
    assert sorted(calls) == sorted({"a": 2, "b": 3, "d": 5}[key] for key in records if key not in held)
    assert list(Run.open(tmp_path, {"seed": 1}).map(counted(calls), {"a": 2}, jobs)) == [{"id": "a", "square": 4}]


def test_a_folder_of_another_config_is_refused(tmp_path: Path) -> None:
    Run.open(tmp_path, {"seed": 1, "data": {"file": "abc"}})
    with pytest.raises(UsherError, match=r"another seed \(1, not 2\)"):
        Run.open(tmp_path, {"seed": 2, "data": {"file": "abc"}})
    Run.open(tmp_path, {"seed": 1, "data": {"file": "abc"}})


def test_a_broken_record_is_named(tmp_path: Path) -> None:
    run = Run.open(tmp_path, {})
    run.append({"id": "a"})
    with run.transcripts.open("a") as file:
        file.write("[1]\n")
    with pytest.raises(UsherError, match="line 2"):
        run.done()


def test_results_and_config_are_files(tmp_path: Path) -> None:
    run = Run.open(tmp_path / "new", {"seed": 7})
    run.finish({"hits": 3})
    assert json.loads((run.folder / "results.json").read_text()) == {"hits": 3}
    config = json.loads((run.folder / "config.json").read_text())
    assert config["seed"] == 7
    assert config["versions"]["numpy"]
    assert config["started"]
