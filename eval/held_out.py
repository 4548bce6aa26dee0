"""The held-out requests: conversations with the right plan of every turn, read line by line and checked."""

import hashlib
import shlex
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError
from tqdm import tqdm

from agent.settings import Settings
from agent.written import Dialogue, problem
from tools.build import build
from tools.catalog import Catalog
from tools.errors import UsherError
from tools.ingest import folder_source

PROJECT = Path(__file__).resolve().parent.parent
DATA = Path(__file__).parent / "data"
REQUESTS = DATA / "planner_requests.jsonl"  # what is measured: nobody looks at it while mending the planner
DEVELOPMENT = DATA / "planner_dev.jsonl"  # of the same making, to look at
MOST_BROKEN = 0.01  # share of broken lines above which nothing is measured


@dataclass(frozen=True)
class HeldOut:
    """A file of dialogues; `broken` says by line number, from 1, what is wrong with the lines left out."""

    file: Path
    sha256: str
    lines: int
    dialogues: dict[int, Dialogue]
    broken: dict[int, str]

    @property
    def catalogs(self) -> set[str]:
        """The names of the catalogs that the dialogues are about."""
        return {dialogue.catalog for dialogue in self.dialogues.values()}

    @classmethod
    def read(cls, file: Path) -> "HeldOut":
        """Raises UsherError for a file that cannot be read or is empty."""
        try:
            content = file.read_bytes()
            lines = content.decode("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsherError(f"{file}: cannot be read ({error})") from error
        if not lines:
            raise UsherError(f"{file}: has no requests")
        dialogues: dict[int, Dialogue] = {}
        broken: dict[int, str] = {}
        seen: set[str] = set()
        for number, line in enumerate(lines, start=1):
            try:
                dialogue = Dialogue.model_validate_json(line)
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                broken[number] = f"{'.'.join(map(str, first['loc'])) or 'line'}: {first['msg']}"
                continue
            if dialogue.id in seen:
                broken[number] = f"id: {dialogue.id} is there twice"
            else:
                dialogues[number] = dialogue
            seen.add(dialogue.id)
        return cls(file, hashlib.sha256(content).hexdigest(), len(lines), dialogues, broken)

    def checked(self, catalogs: Mapping[str, Catalog]) -> "HeldOut":
        """Without the dialogues that name an item which is not there, or whose right plan does not run."""
        dialogues, broken = {}, dict(self.broken)
        for number, dialogue in tqdm(self.dialogues.items(), desc="requests", leave=False):
            if wrong := problem(dialogue, catalogs[dialogue.catalog]):
                broken[number] = wrong
            else:
                dialogues[number] = dialogue
        return HeldOut(self.file, self.sha256, self.lines, dialogues, broken)

    def usable(self, limit: int | None = None) -> list[Dialogue]:
        """At most `limit` dialogues, from all over the file. Every broken line is named on stderr.

        Raises UsherError when more than one line in a hundred is broken.
        """
        for number, wrong in sorted(self.broken.items()):
            print(f"{self.file}: line {number}: {wrong}; left out", file=sys.stderr)
        if len(self.broken) > MOST_BROKEN * self.lines:
            number = min(self.broken)
            raise UsherError(
                f"{self.file}: {len(self.broken)} of {self.lines} lines are broken, more than {MOST_BROKEN:.0%}; "
                f"the first is line {number}: {self.broken[number]}; mend them"
            )
        found = list(self.dialogues.values())
        return spread(found, min(limit or len(found), len(found)))


def spread(dialogues: Sequence[Dialogue], size: int) -> list[Dialogue]:
    """So many of them, at even distances, in their order."""
    return [dialogues[place] for place in np.linspace(0, len(dialogues) - 1, size).round().astype(int)]


def catalog_folders(given: Mapping[str, Path], names: Iterable[str], settings: Settings) -> Iterator[tuple[str, Path]]:
    """The folders of these catalogs: as given, the settings' own for films, or built from a table in eval/data.

    Raises UsherError for a name that nobody knows.
    """
    for name in sorted(names):
        if name in given:
            yield name, given[name]
        elif name == "films":
            yield name, settings.catalog
        elif (DATA / f"{name}.csv").is_file():
            yield name, _build(DATA / f"{name}.csv", settings)
        else:
            raise UsherError(f"the requests are about the catalog {name}; say where it is: --catalog {name}=DIR")


def _build(table: Path, settings: Settings) -> Path:
    """The catalog of a table, in the cache; parts that have not changed are taken over from the last time."""
    folder = settings.cache / "eval" / table.stem
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / table.stem
        source.mkdir()
        (source / "items.csv").write_bytes(table.read_bytes())
        build(folder_source(source), folder)
    return folder


@dataclass(frozen=True)
class Opened:
    """What a role is measured on, and what a report says of it."""

    dialogues: list[Dialogue]
    catalogs: dict[str, Catalog]
    about: dict[str, Any]


@contextmanager
def opened(folders: Mapping[str, Path], file: Path, limit: int | None, settings: Settings) -> Iterator[Opened]:
    """A file's dialogues, at most `limit`, with the catalogs they are about.

    Raises CatalogError, and UsherError when more than one line in a hundred cannot be used.
    """
    held_out = HeldOut.read(file)
    with ExitStack() as stack:
        catalogs = {
            name: stack.enter_context(Catalog.open(folder))
            for name, folder in catalog_folders(folders, held_out.catalogs, settings)
        }
        held_out = held_out.checked(catalogs)
        dialogues = held_out.usable(limit)
        about = {
            "file": file.name,
            "sha256": held_out.sha256,
            "broken": {str(number): wrong for number, wrong in sorted(held_out.broken.items())},
            "dialogues": len(dialogues),
            "catalogs": {name: catalog.manifest.build_hash[:12] for name, catalog in catalogs.items()},
        }
        yield Opened(dialogues, catalogs, about)


def command(name: str, file: Path, limit: int | None, with_base: bool) -> str:
    """The command that measures the same again. A file outside the project goes by its name alone."""
    inside = file.resolve().is_relative_to(PROJECT)
    said = str(file.resolve().relative_to(PROJECT)) if inside else file.name
    options = [*(["--limit", str(limit)] if limit else []), *(["--base"] if with_base else [])]
    return shlex.join(["usher", "eval", name, "--file", said, *options])
