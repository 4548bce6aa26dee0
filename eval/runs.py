"""A run is a folder: what is measured (config.json), each case as it comes (transcripts.jsonl), figures (results.json).

A killed run goes on where it stopped: cases whose ids stand in transcripts.jsonl are not done again.
"""

import json
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self, TypeVar

from tqdm import tqdm

from tools.errors import UsherError

LIBRARIES = ("usher-recommender", "numpy", "torch", "transformers", "sentence-transformers", "openvino-genai", "duckdb")
Record = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """An open run folder. `config` holds all that the figures depend on: settings, seed, hashes of the data."""

    folder: Path
    config: dict[str, Any]

    @classmethod
    def open(cls, folder: Path, config: dict[str, Any]) -> Self:
        """Begin a run, or go on with the one the folder holds.

        Raises UsherError when the folder holds a run of another config or of other versions, or cannot be written.
        """
        settings: dict[str, Any] = json.loads(json.dumps({**config, "versions": versions()}))
        file = folder / "config.json"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if file.exists():
                held = json.loads(file.read_text(encoding="utf-8"))
                held.pop("started", None)
                if differing := _differing(held, settings):
                    raise UsherError(f"{folder}: holds a run with another {differing}; name another folder with --out")
            else:
                started = datetime.now(UTC).isoformat(timespec="seconds")
                _write(file, {"started": started, **settings})
        except (OSError, json.JSONDecodeError) as error:
            raise UsherError(f"{file}: cannot be used ({error}); name another folder with --out") from error
        run = cls(folder, settings)
        run._cut_torn_line()
        return run

    @property
    def transcripts(self) -> Path:
        """The file of records, one JSON line each."""
        return self.folder / "transcripts.jsonl"

    def done(self) -> dict[str, Record]:
        """The records written so far by id. Raises UsherError naming a line that is not a record."""
        found: dict[str, Record] = {}
        if not self.transcripts.exists():
            return found
        with self.transcripts.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    record = json.loads(line)
                    found[record["id"]] = record
                except (json.JSONDecodeError, KeyError, TypeError) as error:
                    raise UsherError(f"{self.transcripts}: line {number}: is not a record; remove it") from error
        return found

    def append(self, record: Record) -> None:
        """Write one record; `record["id"]` names its case."""
        line = json.dumps({"id": record["id"]} | record, ensure_ascii=False)
        with self.transcripts.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def map(
        self, function: Callable[[T], Record], tasks: Mapping[str, T], jobs: int = 1, name: str = ""
    ) -> Iterator[Record]:
        """The record of every task: those of an earlier start first, then the others as they are done and written.

        `function` gives a task's record, which gets the task's key as its id. With `jobs` above one it runs in that
        many threads at once; the order of what comes is then that of their ends. An error stops the run; what was
        written stays.
        """
        done = self.done()
        yield from (done[key] for key in tasks if key in done)
        left = {key: task for key, task in tasks.items() if key not in done}
        bar = tqdm(total=len(tasks), initial=len(tasks) - len(left), desc=name or self.folder.name, dynamic_ncols=True)
        with bar, ThreadPoolExecutor(jobs) as pool:
            futures = {pool.submit(function, task): key for key, task in left.items()}
            try:
                for future in as_completed(futures):
                    record = {"id": futures.pop(future)} | future.result()
                    self.append(record)
                    bar.update()
                    yield record
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def finish(self, results: Mapping[str, Any]) -> None:
        """Write results.json."""
        _write(self.folder / "results.json", results)

    def _cut_torn_line(self) -> None:
        """A killed run may leave half a line behind."""
        if not self.transcripts.exists():
            return
        with self.transcripts.open("rb+") as file:
            held = file.read()
            file.truncate(held.rfind(b"\n") + 1)


def versions() -> dict[str, str]:
    """Of Python and the libraries that figures depend on."""
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hex. Raises UsherError when it cannot be read."""
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UsherError(f"{path}: cannot be read ({error.strerror})") from error


def _differing(held: dict[str, Any], asked: dict[str, Any]) -> str:
    """The first setting in which two configs differ, with both values; empty where they are alike."""
    names: Sequence[str] = [*asked, *(name for name in held if name not in asked)]
    for name in names:
        if held.get(name) != asked.get(name):
            return f"{name} ({held.get(name)}, not {asked.get(name)})"
    return ""


def _write(file: Path, value: Mapping[str, Any]) -> None:
    """Whole or not at all."""
    half = file.with_suffix(".part")
    half.write_text(json.dumps(value, indent=2, ensure_ascii=False), encoding="utf-8")
    half.replace(file)
