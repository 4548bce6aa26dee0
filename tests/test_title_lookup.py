"""Titles as people type them: in the tiny catalog through the tool, and in a list of awkward ones."""

import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.catalog import Catalog
from tools.errors import ToolError
from tools.title_index import TitleIndex, split_year
from tools.title_lookup import TOOL, nearest, resolve

TITLES = [  # most popular first
    ("The Matrix", 1999),
    ("Star Wars: Episode IV - A New Hope", 1977),
    ("Star Wars: Episode V - The Empire Strikes Back", 1980),
    ("The Shawshank Redemption", 1994),
    ("The Godfather", 1972),
    ("The Godfather: Part II", 1974),
    ("The Lord of the Rings: The Fellowship of the Ring", 2001),
    ("Seven", 1995),
    ("Heat", 1995),
    ("Spider-Man", 2002),
    ("Amélie", 2001),
    ("Rocky", 1976),
    ("Rocky II", 1979),
    ("Beauty and the Beast", 1991),
    ("Zootopia", 2016),
    ("Mr. & Mrs. Smith", 2005),
    ("Harry Potter and the Chamber of Secrets", 2002),
    ("Tinker Tailor Soldier Spy", 2011),
    ("Tailor of Panama", 2001),
    ("Elizabeth Taylor: A Life", 1999),
    ("Kill Bill: Vol. 1", 2003),
    ("Kill Bill: Vol. 2", 2004),
    ("The Heat", 2013),
    ("Ocean's Eleven", 2001),
    ("Zoolander 2", 2016),
    ("Beauty and the Beast", 2017),
    ("Wonder Man", 1945),
    ("1984", 1984),
    ("It", 2017),
    ("Casino", 1995),
    ("The Wedding Singer", 1998),
    ("Passengers", 2016),
    ("Blade Runner", 1982),
]
ALTERNATES = {"Seven": "Se7en", "Amélie": "Le Fabuleux Destin d'Amélie Poulain"}
INDEX = TitleIndex(
    [*((row, title) for row, (title, _) in enumerate(TITLES))]
    + [(row, ALTERNATES[title]) for row, (title, _) in enumerate(TITLES) if title in ALTERNATES],
    [year for _, year in TITLES],
)


def found(query: str) -> list[str]:
    return [f"{TITLES[match.row][0]} ({TITLES[match.row][1]})" for match in INDEX.lookup(query)]


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("matrix", "The Matrix (1999)"),
        ("the matrix", "The Matrix (1999)"),
        ("Matrix, The", "The Matrix (1999)"),
        ("teh matrix", "The Matrix (1999)"),
        ("MATRIX!!", "The Matrix (1999)"),
        ("heat", "Heat (1995)"),
        ("heat 1995", "Heat (1995)"),
        ("Heat (1994)", "Heat (1995)"),
        ("Heat (2013)", "The Heat (2013)"),
        ("beauty & the beast 2017", "Beauty and the Beast (2017)"),
        ("amelie", "Amélie (2001)"),
        ("le fabuleux destin d'amelie poulain", "Amélie (2001)"),
        ("se7en", "Seven (1995)"),
        ("godfahter", "The Godfather (1972)"),
        ("god fahter", "The Godfather (1972)"),
        ("shawshenk redemption", "The Shawshank Redemption (1994)"),
        ("shawshank", "The Shawshank Redemption (1994)"),
        ("lord of the rings fellowship", "The Lord of the Rings: The Fellowship of the Ring (2001)"),
        ("star wars", "Star Wars: Episode IV - A New Hope (1977)"),
        ("star wars a new hope", "Star Wars: Episode IV - A New Hope (1977)"),
        ("star wars 5", "Star Wars: Episode V - The Empire Strikes Back (1980)"),
        ("empire strikes back", "Star Wars: Episode V - The Empire Strikes Back (1980)"),
        ("harry potter chamber of secrets", "Harry Potter and the Chamber of Secrets (2002)"),
        ("tinker taylor soldier spy", "Tinker Tailor Soldier Spy (2011)"),
        ("rocky 2", "Rocky II (1979)"),
        ("rocky 1", "Rocky (1976)"),
        ("godfather 2", "The Godfather: Part II (1974)"),
        ("kill bill volume 2", "Kill Bill: Vol. 2 (2004)"),
        ("oceans 11", "Ocean's Eleven (2001)"),
        ("spiderman", "Spider-Man (2002)"),
        ("mr and mrs smith", "Mr. & Mrs. Smith (2005)"),
        ("1984", "1984 (1984)"),
        ("it", "It (2017)"),
    ],
)
def test_best_match(query: str, best: str) -> None:
    assert found(query)[0] == best


@pytest.mark.parametrize(
    "query",
    [
        "asdfgh",
        "Zootopia 7",
        "Rocky 4",
        "The Matrix Reloaded",
        "Heat (2020)",
        "zoolander",  # only its sequel is there
        "Wonder Woman",
        "Camino",
        "The Wedding Ringer",
        "The Passenger",
        "Blade Runner 2049",
        "Star Wars: The Last Jedi",
        "the",
        "part 2",
        "!!!",
        "",
    ],
)
def test_what_is_not_there_is_not_found(query: str) -> None:
    assert found(query) == []


def test_titles_of_the_same_name_come_most_popular_first() -> None:
    assert found("beauty and the beast") == ["Beauty and the Beast (1991)", "Beauty and the Beast (2017)"]
    assert found("the heat") == ["Heat (1995)", "The Heat (2013)"]


def test_scores_fall_with_what_is_wrong() -> None:
    exact, misspelt, partial = (INDEX.lookup(title)[0].score for title in ("the godfather", "godfahter", "shawshank"))
    assert exact == 1.0
    assert exact > misspelt > partial > 0.5


@pytest.mark.parametrize("text", ["heat 1995", "Heat (1995)", "heat, 1995", "heat from 1995", "heat [1995]"])
def test_split_year(text: str) -> None:
    assert (split_year(text)[0].lower(), split_year(text)[1]) == ("heat", 1995)


@pytest.mark.parametrize("text", ["1984", "Blade Runner 3049", "Apollo 13", "2001: A Space Odyssey"])
def test_numbers_of_a_title_are_no_year(text: str) -> None:
    assert split_year(text) == (text, None)


@given(row=st.integers(0, len(TITLES) - 1), change=st.sampled_from([str.upper, str.lower, str.title, str.swapcase]))
def test_every_title_finds_itself_in_any_case(row: int, change: object) -> None:
    title, year = TITLES[row]
    assert callable(change)
    assert INDEX.lookup(f"{change(title)} ({year})")[0].row == row


@given(text=st.text(max_size=60) | st.text(string.ascii_lowercase + " 0123456789", max_size=30))
def test_any_text_gives_ranked_scores(text: str) -> None:
    scores = [match.score for match in INDEX.lookup(text)]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)


def test_tool_gives_rows_and_scores(tiny_catalog: Catalog) -> None:
    result = TOOL.run(tiny_catalog, TOOL.parse({"title": "house of ninety doors"}), None)
    assert [item.year for item in tiny_catalog.items(result.rows)] == [2007, 1959]
    assert result.scores.tolist() == [1.0, 1.0]
    assert result.data == {}
    assert TOOL.explain(tiny_catalog, TOOL.parse({"title": "x"}), result.rows[:1].tolist()) == [
        ["title: House of Ninety Doors"]
    ]


def test_tool_finds_alternate_titles(tiny_catalog: Catalog) -> None:
    result = TOOL.run(tiny_catalog, TOOL.parse({"title": "le verger de verre"}), None)
    assert [item.title for item in tiny_catalog.items(result.rows)] == ["The Glass Orchard"]


def test_tool_says_what_was_not_found_and_what_is_near(tiny_catalog: Catalog) -> None:
    result = TOOL.run(tiny_catalog, TOOL.parse({"title": "Night Ferry 3"}), None)
    assert (len(result.rows), result.count) == (0, 0)
    assert result.data["not_found"] == ["Night Ferry 3"]
    assert "Night Ferry (2003)" in result.data["nearest"]


def test_tool_keeps_to_the_pool(tiny_catalog: Catalog) -> None:
    pool = np.zeros(len(tiny_catalog), dtype=np.bool_)
    result = TOOL.run(tiny_catalog, TOOL.parse({"title": "Night Ferry"}), pool)
    assert (len(result.rows), result.count) == (0, 0)


def test_resolve_takes_ids_and_titles(tiny_catalog: Catalog) -> None:
    assert tiny_catalog.titles[resolve(tiny_catalog, "5")] == "Night Ferry"
    assert tiny_catalog.titles[resolve(tiny_catalog, "night fery")] == "Night Ferry"
    with pytest.raises(ToolError, match="no film with the id or title 'Night Fairy Tales'; the nearest titles: "):
        resolve(tiny_catalog, "Night Fairy Tales")
    assert nearest(tiny_catalog, "untitled sea projects 2")[0] == "Untitled Sea Project"


def test_title_has_a_length(tiny_catalog: Catalog) -> None:
    with pytest.raises(ToolError, match="title_lookup: title: String should have at most 200 characters"):
        TOOL.parse({"title": "x" * 201})
