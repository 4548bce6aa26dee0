"""For how many people, and of what age, a message wants something."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.players import Players, ages
from tools.schema import Column

LEAST, MOST = (Column(name=f"{end}_players", type="integer", minimum=1, maximum=12) for end in ("min", "max"))
PLAYERS = Players(LEAST, MOST)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("need something for 6 of us tonight", ["min_players <= 6", "max_players >= 6"]),
        ("bluffing games for seven", ["min_players <= 7", "max_players >= 7"]),
        ("there will be TEN of us", ["min_players <= 10", "max_players >= 10"]),
        ("a three-player game", ["min_players <= 3", "max_players >= 3"]),
        ("just the two of us", ["min_players <= 2", "max_players >= 2"]),
        ("for 3 to 5 people", ["min_players <= 3", "max_players >= 5"]),
        ("up to eight people", ["max_players >= 8"]),
        ("more than 4 players", ["max_players > 4"]),
        ("must have a solo option", ["min_players = 1"]),
        ("minimum player count of 3 or above", ["min_players >= 3"]),
        ("maximum number of players at least 8", ["max_players >= 8"]),
        ("suitable for a table of five?", ["min_players <= 5", "max_players >= 5"]),
        ("two adults and three teenagers, all five play", ["min_players <= 5", "max_players >= 5"]),
        ("it must be playable with 2", ["min_players <= 2", "max_players >= 2"]),
        ("voor vijf spelers", ["min_players <= 5", "max_players >= 5"]),
        ("und für sechs Spieler", ["min_players <= 6", "max_players >= 6"]),
        ("zu viert", ["min_players <= 4", "max_players >= 4"]),
        ("for 30 euros, for 2 hours, for 2012", []),
        ("Han Solo, leave me alone", []),
    ],
)
def test_people_are_counted(text: str, said: list[str]) -> None:
    assert [one for _, _, one in PLAYERS.found(text)] == said


@given(st.text(max_size=60))
def test_what_is_found_lies_within_the_text_and_apart(text: str) -> None:
    end = 0
    for start, stop, _ in PLAYERS.found(text):
        assert end <= start < stop <= len(text)
        end = stop


def test_a_pair_of_columns_is_told_by_its_names() -> None:
    assert Players.of([LEAST, MOST]) == PLAYERS
    assert Players.of([LEAST]) is None
    assert Players.of([Column(name="min_price", type="number"), Column(name="max_price", type="number")]) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("My son has just turned five", ["age <= 5"]),
        ("for a 7 year old", ["age <= 7"]),
        ("für einen 8-jährigen", ["age <= 8"]),
        ("she is 45, he likes games of 1980", []),
    ],
)
def test_an_age_is_told(text: str, said: list[str]) -> None:
    assert [one for _, _, one in ages(text, Column(name="age", type="integer"))] == said
