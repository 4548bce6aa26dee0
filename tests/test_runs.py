"""A run folder: what is written line by line, gone on with after a kill, and refused for another config."""

import json
import re
import signal
import subprocess
import sys
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


KILLED = """
import os, signal, sys, time
from pathlib import Path
from eval.runs import Run

def square(number):
    if number == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.02)  # what is done is written while the next is done
    return {"square": number**2}

list(Run.open(Path(sys.argv[1]), {}).map(square, {str(number): number for number in range(9)}))
"""


def test_what_was_written_outlives_a_kill(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    held = Run.open(tmp_path, {}).done()
    assert "3" in held
    assert {name: record["square"] for name, record in held.items()} == {str(n): n**2 for n in range(len(held))}
    calls: list[int] = []
    tasks = {str(number): number for number in range(9)}
    records = list(Run.open(tmp_path, {}).map(counted(calls), tasks))
    assert calls == list(range(len(held), 9))
    assert sorted(record["square"] for record in records) == [n**2 for n in range(9)]


def test_progress_has_a_rate_and_the_time_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run.open(tmp_path, {})
    run.append({"id": "a", "square": 4})
    list(run.map(counted([]), {"a": 2, "b": 3, "c": 4}, name="cases"))
    last = capsys.readouterr().err.split("\r")[-1]
    assert last.startswith("cases: 100%")
    assert "3/3" in last  # what an earlier start did counts as done
    assert re.search(r"<\d\d:\d\d, .*(?:it/s|s/it)", last)


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
