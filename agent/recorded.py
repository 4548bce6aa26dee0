"""Recorded dialogues in the replay format: JSON lines, gzipped or not, one recommending turn each.

`{"id", "messages": [{"role", "content"}], "mentioned": [item_id], "gold": [item_id]}`: what was said up to the turn,
the items named by then, and those the other side suggested next. An id is the dialogue's, a dash, and the number of
the turn. A line may have `labels`: what the person said afterwards of the items.
"""

import gzip
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tools.errors import UsherError

FOLDS = 5


class Said(BaseModel):
    """One message of either side."""

    model_config = ConfigDict(frozen=True)

    role: Literal["user", "assistant"]
    content: str


class Labels(BaseModel):
    """What the person said of items when the dialogue was over. No recommender may read it."""

    model_config = ConfigDict(frozen=True)

    liked: tuple[str, ...] = ()
    disliked: tuple[str, ...] = ()


class Turn(BaseModel):
    """One line; other fields than these are left alone."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(min_length=1)
    messages: Annotated[tuple[Said, ...], Field(min_length=1)]
    mentioned: tuple[str, ...] = ()
    gold: tuple[str, ...]
    labels: Labels = Labels()

    @property
    def dialogue(self) -> str:
        """The part of the id before its last dash; the whole id where it has none."""
        return self.id.rpartition("-")[0] or self.id


def fold_of(dialogue: str) -> int:
    """0 to 4, by the SHA-256 of the dialogue's id: what is split is split by dialogue, never by turn."""
    return int.from_bytes(sha256(dialogue.encode()).digest()[:8], "big") % FOLDS


def read_texts(file: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, with their numbers. Raises UsherError when the file cannot be read."""
    try:
        with gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as lines:
            yield from ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UsherError(f"{file}: cannot be read ({error})") from error


def read_turn(text: str) -> Turn:
    """Raises UsherError saying which field is broken and how."""
    try:
        return Turn.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "line"
        raise UsherError(f"{where}: {first['msg']}") from error


def exchanges(messages: Sequence[Said]) -> list[tuple[str, str]]:
    """(message, reply) pairs, what one side says in a row joined; what is said before the first message is left out."""
    pairs: list[tuple[str, str]] = []
    previous = ""
    for one in messages:
        if one.role == "user" and previous != "user":
            pairs.append((one.content, ""))
        elif one.role == "user":
            pairs[-1] = (f"{pairs[-1][0]} {one.content}", "")
        elif pairs:
            pairs[-1] = (pairs[-1][0], f"{pairs[-1][1]} {one.content}".strip())
        previous = one.role
    return pairs
