"""The accuracy of the film facts against casts and leads of an encyclopedia: `python -m tools.measure_film_facts FILE`.

FILE is a table with the columns movieId (MovieLens ids), wiki_title, wiki_cast (names with | between) and wiki_extract
(the lead).
"""

import math
import random
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from tools.errors import CatalogError, UsherError
from tools.facts import Facts, read_facts
from tools.movielens import FILM_FACTS
from tools.tabular import read_table
from tools.text import fold

COLUMNS = ("movie_id", "wiki_title", "wiki_cast", "wiki_extract")
DIRECTED = re.compile(r"\bdirected\b[^.]{0,60}?\bby (?P<who>.{5,160})", re.IGNORECASE)
WHOLE = (4, 6, 8)  # names an encyclopedia's cast has at least: the more, the more likely it is whole
Z = 1.959964  # of a 95% interval


@dataclass(frozen=True)
class Known:
    """What the encyclopedia says of one film."""

    title: str
    cast: tuple[str, ...]
    lead: str


def name_words(name: str) -> list[str]:
    """The words of a name as it is compared: without accents, initials, brackets, and what marks a generation."""
    words = re.findall(r"\w+", fold(re.sub(r"\(.*?\)", "", name)).replace("'", "").replace("-", " "))
    return [word for word in words if word not in ("jr", "sr", "ii", "iii")]


def same_name(one: str, other: str) -> bool:
    """Whether two writings can be of one person: alike but for initials, or one with more names than the other."""
    shorter, longer = sorted((name_words(one), name_words(other)), key=len)
    if "".join(shorter) == "".join(longer):
        return True
    if shorter[-1:] == longer[-1:] and shorter[0][0] == longer[0][0] and 1 in (len(shorter[0]), len(longer[0])):
        return True
    full = [word for word in shorter if len(word) > 1]
    return len(full) > 1 and set(full) <= set(longer)


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The 95% interval of a share (Wilson 1927)."""
    share, spread = successes / trials, Z * Z / trials
    half = Z * math.sqrt(share * (1 - share) / trials + spread / (4 * trials))
    return (share + spread / 2 - half) / (1 + spread), (share + spread / 2 + half) / (1 + spread)


def read_known(path: Path) -> dict[str, Known]:
    """By MovieLens id, the films that have a lead. Raises CatalogError."""
    table = read_table(path)
    if lacking := [name for name in COLUMNS if name not in table.columns]:
        raise CatalogError(f"{path}: no column {lacking[0]!r}; there are: {', '.join(table.columns)}")
    rows = zip(*(table.columns[name].to_pylist() for name in COLUMNS), strict=True)
    return {
        str(item_id): Known(title, tuple(name.strip() for name in (cast or "").split("|") if name.strip()), lead)
        for item_id, title, cast, lead in rows
        if lead
    }


def leads(facts: Facts, known: dict[str, Known], listed: int = 1) -> tuple[int, list[str]]:
    """How many leads were looked for, and a line for each that neither the cast nor the lead paragraph names.

    Films whose encyclopedia's cast has fewer than `listed` names are left out: most casts there are not whole.
    """
    total, missed = 0, []
    for item_id, fact in facts.items():
        film = known.get(item_id)
        if film is None or len(film.cast) < listed:
            continue
        total += len(fact["cast"])
        text = f" {' '.join(name_words(film.lead))} "
        for name in fact["cast"]:
            written = f" {' '.join(name_words(name))} "
            if written not in text and not any(same_name(name, other) for other in film.cast):
                missed.append(f"{item_id} {film.title}: {name}; there: {', '.join(film.cast)}")
    return total, missed


def directors(facts: Facts, known: dict[str, Known]) -> tuple[int, list[str]]:
    """How many films' leads say who directed, and a line for each that names someone else."""
    total, missed = 0, []
    for item_id, fact in facts.items():
        film = known.get(item_id)
        said = DIRECTED.search(film.lead) if film is not None else None
        if film is None or said is None:
            continue
        total += 1
        words = set(name_words(said["who"]))
        if lacking := [name for name in fact["director"] if not _surname(name) & words]:
            missed.append(f"{item_id} {film.title}: {', '.join(lacking)}; there: {said['who']}")
    return total, missed


def _surname(name: str) -> set[str]:
    (last,) = name_words(name)[-1:]
    return {last, f"{last}s"}  # "the Wachowskis"


def sample(facts: Facts, known: dict[str, Known], size: int, seed: int) -> Iterator[str]:
    """Films drawn at random among those that have a lead, each with what is said of it, to be read by a person."""
    ids = sorted(facts.keys() & known.keys(), key=int)
    for item_id in sorted(random.Random(seed).sample(ids, size), key=int):
        fact, film = facts[item_id], known[item_id]
        setting = fact["setting"]
        yield f"{item_id} {film.title}\n  director: {', '.join(fact['director'])}"
        yield f"  setting: {setting['place']}; {setting['period']}\n  logline: {fact['logline']}\n  lead: {film.lead}"


def _print_share(what: str, total: int, missed: Sequence[Any]) -> None:
    low, high = wilson(total - len(missed), total)
    share = 1 - len(missed) / total
    print(f"{what}: {total - len(missed):,} of {total:,} found, {share:.2%} (95% interval {low:.2%} to {high:.2%})")


def main(
    known: Annotated[Path, typer.Argument(help="The encyclopedia's table.")],
    file: Annotated[Path, typer.Option(help="The facts.")] = FILM_FACTS,
    size: Annotated[int, typer.Option("--sample", help="Films to print for reading, in place of the comparison.")] = 0,
    seed: Annotated[int, typer.Option(help="Of the sample.")] = 1,
) -> None:
    """Compare leads and directors with an encyclopedia's, naming every miss; or draw a sample to be read."""
    facts, films = read_facts(file), read_known(known)
    if size:
        print("\n".join(sample(facts, films, size, seed)))
        return
    compared = {"leads": leads(facts, films), "directors": directors(facts, films)}
    for what, (_, missed) in compared.items():
        print("\n".join(f"{what}: {line}" for line in missed))
    for what, (total, missed) in compared.items():
        _print_share(what, total, missed)
    for listed in WHOLE:
        _print_share(f"leads, where {listed} names or more are listed", *leads(facts, films, listed))


if __name__ == "__main__":
    try:
        typer.run(main)
    except UsherError as error:
        sys.exit(f"measure_film_facts: {error}")
