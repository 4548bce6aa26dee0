"""Titles in running text, over an index of everyday and of telling titles."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.catalog import Catalog
from tools.mentions import common_words, find_mentions
from tools.schema import Column, Manifest

TITLES = [  # most popular first
    ("Toy Story", 1995),
    ("The Matrix", 1999),
    ("Inception", 2010),
    ("Titanic", 1997),
    ("Star Wars: Episode IV - A New Hope", 1977),
    ("Heat", 1995),
    ("It", 2017),
    ("Big", 1988),
    ("Up", 2009),
    ("Rocky", 1976),
    ("No Country for Old Men", 2007),
    ("Kill Bill: Vol. 1", 2003),
    ("Dr. No", 1962),
    ("Amy", 2015),
    ("Oscar", 1991),
    ("Captain America", 1990),
    ("Spider-Man", 2002),
    ("The Heat", 2013),
]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """A catalog of nothing but these titles and years."""
    folder = tmp_path_factory.mktemp("mentions")
    year = Column(name="year", type="integer")
    manifest = Manifest(name="m", source="test", rows=len(TITLES), columns=(year,), parts={}, build_hash="0")
    (folder / "manifest.json").write_text(manifest.model_dump_json(), encoding="utf-8")
    with duckdb.connect(folder / "catalog.duckdb") as connection:
        connection.execute("CREATE TABLE items (row BIGINT, item_id VARCHAR, title VARCHAR, year BIGINT)")
        rows = [(row, str(row), title, known) for row, (title, known) in enumerate(TITLES)]
        connection.executemany("INSERT INTO items VALUES (?, ?, ?, ?)", rows)
    with Catalog.open(Path(folder)) as opened:
        yield opened


def named(catalog: Catalog, text: str) -> list[tuple[str, str]]:
    """What stands in the text, and the title it was taken for."""
    return [(text[mention.start : mention.end], TITLES[mention.row][0]) for mention in find_mentions(catalog, text)]


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("I loved The Matrix and inception but not titanic", ["The Matrix", "inception", "titanic"]),
        ("Have you seen It? And Heat was good", ["It", "Heat"]),
        ("I saw it when I was big and the heat was up", []),
        ('is "up" any good', ["up"]),
        ("heat (1995), or heat 2013", ["heat (1995)", "heat 2013"]),
        ("It was great. It is long", []),
        ("toy story and no country for old men", ["toy story", "no country for old men"]),
        ("more like star wars please", ["star wars"]),
        ("I liked Kill Bill: Vol. 1. And Dr. No!", ["Kill Bill: Vol. 1", "Dr. No"]),
        ("spiderman or spider-man", ["spiderman", "spider-man"]),
        ("Rocky 4 and Captain America: Civil War", []),  # other titles, which the catalog does not have
        ("with Amy Adams, who won an Oscar", []),
        ("I LOVE IT SO MUCH, WHAT A BIG SHIP", []),
        ("", []),
    ],
)
def test_mentions(catalog: Catalog, text: str, titles: list[str]) -> None:
    assert [words for words, _ in named(catalog, text)] == titles


def test_year_tells_titles_of_the_same_name_apart(catalog: Catalog) -> None:
    text = "the heat (2013) and Heat (1995)"
    assert named(catalog, text) == [("the heat (2013)", "The Heat"), ("Heat (1995)", "Heat")]


def test_a_year_in_brackets_allows_shortened_titles_and_no_title_of_another_year(catalog: Catalog) -> None:
    assert named(catalog, "Have you seen Kill Bill (2003)?") == [("Kill Bill (2003)", "Kill Bill: Vol. 1")]
    assert named(catalog, "or Titanic (1953), or Rocky  (2022)") == []


def test_surer_mentions_score_higher(catalog: Catalog) -> None:
    dated, capital, plain = find_mentions(catalog, "i know Inception (2010), The Matrix and titanic")
    assert dated.score > capital.score > plain.score > 0


@given(
    text=st.text(max_size=40) | st.lists(st.sampled_from([title for title, _ in TITLES] + list("a.'\"("))).map(" ".join)
)
def test_mentions_lie_in_order_in_the_text(catalog: Catalog, text: str) -> None:
    position = 0
    for mention in find_mentions(catalog, text):
        assert position <= mention.start < mention.end <= len(text)
        assert 0 < mention.score <= 1
        position = mention.end


def test_common_words_are_folded() -> None:
    assert {"heat", "last", "night", "love"} <= common_words()
    assert "titanic" not in common_words()
