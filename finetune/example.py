"""One training example of any role, and files of them: gzipped JSON lines."""

import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.llm import Message, Role
from tools.errors import UsherError


class Example(BaseModel):
    """What the role reads and what it should write. `choices` are target weights (sum 1) of the ranker's letters; its
    `answer` is empty.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Role
    id: str
    kind: str
    messages: tuple[Message, ...]
    answer: str
    choices: tuple[tuple[str, float], ...] = ()


def write_examples(path: Path, examples: Iterable[Example]) -> int:
    """How many were written. The file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    building, count = path.with_name(f"{path.name}.new"), 0
    # No name and no time inside: the same examples give the same bytes.
    with building.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as file:
        for example in examples:
            file.write(example.model_dump_json().encode() + b"\n")
            count += 1
    building.replace(path)
    return count


def read_examples(path: Path) -> Iterator[Example]:
    """Raises UsherError naming the file and the line that is broken."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                try:
                    yield Example.model_validate_json(line)
                except ValidationError as error:
                    first = error.errors()[0]
                    where = ".".join(map(str, first["loc"])) or "line"
                    raise UsherError(f"{path}: line {number}: {where}: {first['msg']}") from error
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UsherError(f"{path}: cannot be read ({error})") from error
