"""The check of the shipped film facts: `python -m tools.check_film_facts`, a line a fault, exit 1 if any."""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from tools.errors import CatalogError, UsherError
from tools.movielens import FILM_FACTS, movielens_source
from tools.tabular import read_table
from tools.text import fold

MOODS = (
    "adventurous",
    "bittersweet",
    "bleak",
    "charming",
    "chilling",
    "contemplative",
    "cosy",
    "cynical",
    "dark",
    "dreamy",
    "eerie",
    "epic",
    "feel-good",
    "gritty",
    "heartbreaking",
    "hilarious",
    "inspiring",
    "intense",
    "irreverent",
    "melancholic",
    "mind-bending",
    "nostalgic",
    "playful",
    "provocative",
    "quirky",
    "raunchy",
    "romantic",
    "satirical",
    "surreal",
    "tense",
    "thrilling",
    "touching",
    "whimsical",
    "witty",
)
CONTENT = (
    "graphic violence",
    "violence",
    "sexual content",
    "sexual violence",
    "strong language",
    "drug use",
    "disturbing scenes",
    "suitable for young children",
    "suitable for families",
)
LOGLINE = (15, 30)  # words, fewest and most
SHINGLE = 3  # words that are compared as one between two loglines
ALIKE = 0.3  # Jaccard similarity of shingles from which two loglines are the same sentence
COPIED = 8  # words in a row that two people don't write by chance


def _tidy(text: str) -> str:
    if not text or text != " ".join(text.split()):
        raise ValueError("empty, or has spaces to spare")
    return text


def _lower(text: str) -> str:
    if text != text.lower():
        raise ValueError(f"{text!r} is not lower case")
    return text


def _mood(text: str) -> str:
    if text not in MOODS:
        raise ValueError(f"{text!r} is not one of: {', '.join(MOODS)}")
    return text


def _content(text: str) -> str:
    if text not in CONTENT:
        raise ValueError(f"{text!r} is not one of: {', '.join(CONTENT)}")
    return text


def _logline(text: str) -> str:
    if not LOGLINE[0] <= len(text.split()) <= LOGLINE[1]:
        raise ValueError(f"{len(text.split())} words; wants {LOGLINE[0]} to {LOGLINE[1]}")
    return text


def _distinct(values: list[str]) -> list[str]:
    if twice := [value for value, count in Counter(values).items() if count > 1]:
        raise ValueError(f"{twice[0]!r} stands there twice")
    return values


Text = Annotated[str, AfterValidator(_tidy)]
Distinct = AfterValidator(_distinct)


class Setting(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    place: Text
    period: Text


class FilmFact(BaseModel):
    """One line of the file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    item_id: Annotated[str, Field(pattern=r"^[1-9]\d*$")]
    director: Annotated[list[Text], Field(min_length=1), Distinct]
    cast: Annotated[list[Text], Field(max_length=4), Distinct]
    country: Annotated[list[Text], Field(min_length=1, max_length=3), Distinct]
    language: Annotated[list[Text], Field(max_length=3), Distinct]  # none in a silent film
    keywords: Annotated[list[Annotated[Text, AfterValidator(_lower)]], Field(min_length=6, max_length=10), Distinct]
    mood: Annotated[list[Annotated[str, AfterValidator(_mood)]], Field(min_length=2, max_length=4), Distinct]
    setting: Setting
    logline: Annotated[Text, AfterValidator(_logline)]
    content: Annotated[list[Annotated[str, AfterValidator(_content)]], Distinct]


def check(path: Path, known: Container[str], against: Iterable[tuple[str, str]] = ()) -> list[str]:
    """The faults of a facts file, a line each: file, line, field, what.

    `known` are the ids a fact may be about, `against` texts (name, text) that no logline may share eight words with.
    Raises CatalogError when the file cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogError(f"{path}: cannot be read ({error})") from error
    faults: list[tuple[int, str]] = []
    facts: dict[int, FilmFact] = {}
    for number, line in enumerate(lines, start=1):
        try:
            facts[number] = FilmFact.model_validate(json.loads(line))
        except ValidationError as error:
            faults += [(number, f"{'.'.join(map(str, e['loc'])) or 'line'}: {e['msg']}") for e in error.errors()]
        except ValueError as error:
            faults.append((number, f"line: not JSON ({error})"))
    faults += _id_faults(facts, known)
    loglines = {number: _words(fact.logline) for number, fact in facts.items()}
    faults += _alike(loglines)
    faults += _copied(loglines, against)
    return [f"{path}: line {number}: {what}" for number, what in sorted(faults)]


def _id_faults(facts: dict[int, FilmFact], known: Container[str]) -> Iterator[tuple[int, str]]:
    first: dict[str, int] = {}
    highest = 0
    for number, fact in facts.items():
        item_id = fact.item_id
        if item_id in first:
            yield number, f"item_id: {item_id} stands already in line {first[item_id]}"
        elif int(item_id) < highest:
            yield number, f"item_id: {item_id} comes after {highest}; the file is sorted by id"
        if item_id not in known:
            yield number, f"item_id: {item_id} is not in the catalog"
        first.setdefault(item_id, number)
        highest = max(highest, int(item_id))


def _words(text: str) -> list[str]:
    return "".join(char if char.isalnum() else " " for char in fold(text).replace("'", "")).split()


def _shingles(words: Sequence[str], size: int) -> set[tuple[str, ...]]:
    return {tuple(words[at : at + size]) for at in range(len(words) - size + 1)}


def _alike(loglines: dict[int, list[str]]) -> Iterator[tuple[int, str]]:
    """Pairs by Jaccard similarity of their shingles (Broder 1997), found through the shingles they share."""
    shingles = {number: _shingles(words, SHINGLE) for number, words in loglines.items()}
    holders: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, held in shingles.items():
        shared = Counter(other for shingle in held for other in holders[shingle])
        for other, count in shared.items():
            alike = count / (len(held) + len(shingles[other]) - count)
            if alike >= ALIKE:
                yield number, f"logline: like that of line {other} ({alike:.2f} of their word triples are the same)"
        for shingle in held:
            holders[shingle].append(number)


def _copied(loglines: dict[int, list[str]], against: Iterable[tuple[str, str]]) -> Iterator[tuple[int, str]]:
    holders: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, words in loglines.items():
        for run in _shingles(words, COPIED):
            holders[run].append(number)
    for name, text in against:
        shared = _shingles(_words(text), COPIED) & holders.keys()
        for run in sorted(shared)[:1]:
            for number in holders[run]:
                yield number, f"logline: {' '.join(run)!r} stands in {name}"


def known_texts(named: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The texts of each FILE:COLUMN, named by file and line. Raises CatalogError where there are none."""
    for name in named:
        file, _, column = name.rpartition(":")
        if not file:
            raise CatalogError(f"{name}: --against wants FILE:COLUMN")
        table = read_table(Path(file))
        if column not in table.columns:
            raise CatalogError(f"{file}: no column {column!r}; there are: {', '.join(table.columns)}")
        for row, text in enumerate(table.columns[column].to_pylist()):
            yield f"{file}, {table.place(row)}", text or ""


def main(
    file: Annotated[Path, typer.Argument(help="The facts.")] = FILM_FACTS,
    against: Annotated[
        list[str] | None, typer.Option(help="FILE:COLUMN with texts that no logline may copy from; may be repeated.")
    ] = None,
) -> None:
    """Check the film facts: schema, vocabulary, lengths, ids, and that loglines are their own."""
    ids = frozenset(movielens_source(with_facts=False).items["item_id"].to_pylist())
    faults = check(file, ids, known_texts(against or ()))
    for fault in faults:
        print(fault)
    print(f"{file}: {len(faults)} faults", file=sys.stderr)
    raise typer.Exit(1 if faults else 0)


if __name__ == "__main__":
    try:
        typer.run(main)
    except UsherError as error:
        sys.exit(f"check_film_facts: {error}")
