"""What columns of numbers hold, and what is said about them."""

import pytest

from tools.bounds import bounds
from tools.measures import Measures, few
from tools.sayings import beyond, words_in
from tools.schema import Column, Manifest


def number(name: str, low: float, high: float, note: str = "") -> Column:
    return Column(name=name, type="integer", minimum=low, maximum=high, note=note)


def measures(*columns: Column) -> Measures:
    manifest = Manifest(
        name="a", noun="b", source="c", rows=1, interactions=0, columns=columns, parts={}, build_hash=""
    )
    return Measures.of(manifest)


@pytest.fixture
def films() -> Measures:
    return measures(
        number("year", 1902, 2016),
        number("runtime", 2, 566, "minutes"),
        number("imdb_rating", 1, 10),
        number("imdb_votes", 7, 157608, "votes behind imdb_rating"),
        Column(name="setting_period", type="text"),
        number("rating_count", 1, 341, "ratings by people here"),
        number("rating_mean", 0, 5),
    )


def test_columns_are_told_by_their_names_and_notes(films: Measures) -> None:
    held = films.year, films.minutes, films.count, films.ratings[0], films.period
    assert [one and one.name for one in held] == ["year", "runtime", "rating_count", "rating_mean", "setting_period"]
    assert (films.hours, films.price) == (None, None)
    games = measures(number("released", 1980, 2024), number("hours", 1, 300), number("sold", 0, 10**6, "copies sold"))
    asked = games.year, games.hours, games.count
    assert [one and one.name for one in asked] == ["released", "hours", "sold"]


def test_two_columns_of_minutes_and_none_of_the_name_are_left_to_the_planner() -> None:
    assert measures(number("cooking_min", 1, 90, "minutes"), number("resting_min", 1, 90, "minutes")).minutes is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("under two hours", ["runtime < 120"]),
        ("80s horror", ["year BETWEEN 1980 AND 1989"]),
        ("set in the 1930s", ["setting_period ILIKE '%1930s%'"]),
        ("under 2000 votes", ["< 2000"]),
        ("before 2000 please", ["year < 2000"]),
        ("at least four stars", ["rating_mean >= 4"]),
        ("an hour", ["60 minutes"]),
        ("set in the 19th century", ["setting_period ILIKE '%19th century%'"]),
        ("from the past twenty years", ["year >= 1996"]),
        ("more than 200 ratings", ["rating_count > 200"]),
        ("rated 3.5 or higher", ["rating_mean >= 3.5"]),
        ("rated 8 or higher on imdb", ["imdb_rating >= 8"]),
    ],
)
def test_a_bound_is_a_condition_where_its_column_is_plain(films: Measures, text: str, said: list[str]) -> None:
    assert [films.condition(one, text) for one in bounds(text)] == said


def test_a_bound_goes_to_the_column_named_beside_it(films: Measures) -> None:
    text = "IMDb rating above 8"
    assert films.condition(bounds(text)[0], text, [(0, 11, "imdb_rating")]) == "imdb_rating > 8"


def test_minutes_become_hours_where_a_catalog_has_hours() -> None:
    text = "shorter than 90 minutes"
    assert measures(number("hours", 1, 300)).condition(bounds(text)[0], text) == "hours < 1.5"


def test_money_is_a_price() -> None:
    shop = measures(number("price", 1, 99))
    assert [shop.condition(one, text) for text in ("at most 30 euros", "under $20") for one in bounds(text)] == [
        "price <= 30",
        "price < 20",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("recent and well rated", {"year >= 2011", "rating_mean >= 4"}),
        ("well rated on imdb", {"imdb_rating >= 8"}),
        ("a hidden gem", {"rating_mean >= 4 AND rating_count <= 30"}),
        ("little-known, shortest first", {"rating_count <= 30", "ORDER BY runtime ASC"}),
        ("the cheapest", set()),
        ("the longer the better", {"ORDER BY runtime DESC"}),
        ("any new space films?", {"year >= 2011"}),
        ("New York films", set()),
        ("les meilleurs films", {"ORDER BY rating_mean DESC"}),
        ("lo más nuevo", {"ORDER BY year DESC", "year >= 2011"}),
        ("barely known, not a long one, long story short", {"rating_count <= 30"}),
        ("is he old enough, he is ten years old", set()),
        ("good old-fashioned newspapers", {"year < 1970"}),
    ],
)
def test_words_say_what_the_card_makes_of_them(films: Measures, text: str, said: set[str]) -> None:
    assert {one for _, _, one in words_in(text, films)} == said


def test_comparisons_go_beyond_what_was_shown(films: Measures) -> None:
    shown = [("year", "1990", "1999"), ("imdb_votes", "100", "5000")]
    assert [one for _, _, one in beyond("older ones", films, shown, [])] == ["year < 1990"]
    assert [one for _, _, one in beyond("anything newer? or shorter", films, shown, [])] == ["year > 1999"]
    for said in ("ouder dan deze", "plus anciens", "più vecchio", "älter"):
        assert [one for _, _, one in beyond(said, films, shown, [])] == ["year < 1990"]
    assert not list(beyond("2005 or later", films, shown, []))
    assert not list(beyond("the older the better", films, shown, []))
    named = [(5, 15, "imdb_votes")]
    assert [one for _, _, one in beyond("more IMDb votes", films, shown, named)] == ["imdb_votes > 5000"]
    assert not list(beyond("older ones", films, [], []))


def test_words_are_told_of_columns_by_their_names() -> None:
    games = measures(number("weight", 1, 5), number("age", 4, 16))
    shown = [("weight", "2", "3"), ("age", "8", "10")]
    assert [one for _, _, one in words_in("lightest first", games)] == ["ORDER BY weight ASC"]
    assert [one for _, _, one in beyond("a lighter one", games, shown, [])] == ["weight < 2"]
    assert [one for _, _, one in beyond("for younger players", games, shown, [])] == ["age < 8"]


@pytest.mark.parametrize(("most", "gem"), [(341, 30), (157608, 10000), (5200, 500), (45, 4), (0, 0)])
def test_few_ratings_are_a_tenth_of_the_most(most: int, gem: int) -> None:
    assert few(number("votes", 0, most)) == gem
