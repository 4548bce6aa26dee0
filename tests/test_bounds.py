"""Numbers in a message, and what bounds them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.bounds import bounds
from tools.numerals import level
from tools.quantities import quantities


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("under an hour and a half", ["< 90 minutes"]),
        ("no more than an hour fifty", ["<= 110 minutes"]),
        ("half an hour at most", ["<= 30 minutes"]),
        ("2h30 or 45 min", ["150 minutes", "45 minutes"]),
        ("one to two hours", ["60 to 120 minutes"]),
        ("kürzer als zwei Stunden", ["< 120 minutes"]),
        ("exactly 90 minutes", ["= 90 minutes"]),
        ("since 2005", [">= 2005"]),
        ("no older than 1995", [">= 1995"]),
        ("older than 12", ["> 12"]),
        ("pre-1980", ["< 1980"]),
        ("from 1990 on", [">= 1990"]),
        ("What have you got from 1982?", ["= 1982"]),
        ("before the eighties", ["< 1980"]),
        ("after the '60s", ["> 1969"]),
        ("the late nineties or early 2000s", ["1997 to 1999", "2000 to 2003"]),
        ("of the 19th century", ["1800 to 1899"]),
        ("between 1955 and 1965", ["1955 to 1965"]),
        ("1955 and 1965", []),
        ("around 100, around 1980", ["90 to 110", "1978 to 1982"]),
        ("over 20,000 votes", ["> 20000"]),
        ("20k or more", [">= 20000"]),
        ("at least three and a half stars", [">= 3.5"]),
        ("max 30€, $40-$70", ["<= 30", "40 to 70"]),
        ("a PG-13 film with 2 friends", []),
        ("an hour with one friend", ["60 minutes"]),
        ("came out in '87", ["= 1987"]),
        ("before nineteen sixty", ["< 1960"]),
        ("two thousand and five", ["= 2005"]),
        ("the past twenty years", [">= 20 years ago"]),
        ("the last two decades", [">= 20 years ago"]),
        ("less than an hour and a quarter", ["< 75 minutes"]),
        ("more than 100 minutes but less than 150", ["> 100 minutes", "< 150 minutes"]),
        ("nothing that lasts over an hour", ["<= 60 minutes"]),
        ("at least 8/10", [">= 8"]),
        ("I'm not up for more than two hours", ["<= 120 minutes"]),
        ("dont want to sit through over 2 hours", ["<= 120 minutes"]),
        ("not from before 1980", [">= 1980"]),
        ("refuses anything before 1980", [">= 1980"]),
        ("15 euros is my limit", ["<= 15"]),
        ("menos de cien minutos", ["< 100 minutes"]),
        ("un'ora e mezza al massimo", ["<= 90 minutes"]),
        ("anderthalb Stunden", ["90 minutes"]),
        ("vóór 1980", ["< 1980"]),
        ("después del año 2000", ["> 2000"]),
        ("entre 1980 y 1990", ["1980 to 1990"]),
        ("krótszy niż 90 minut", ["< 90 minutes"]),
        ("do the two of them", []),
        ("", []),
    ],
)
def test_what_bounds_a_number_is_read(text: str, found: list[str]) -> None:
    assert [one.text() + one.unit for one in bounds(text)] == found


@given(st.integers(1, 99_999), st.sampled_from([("under", "<"), ("at most", "<="), ("over", ">"), ("at least", ">=")]))
def test_any_number_keeps_its_value_and_sign(value: int, said: tuple[str, str]) -> None:
    word, sign = said
    assert [one.text() for one in bounds(f"something {word} {value} please")] == [f"{sign} {value}"]


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("una película de los años setenta", 1970),
        ("degli anni settanta", 1970),
        ("des années quatre-vingt-dix", 1990),
        ("aus den Achtzigern", 1980),
        ("från åttiotalet", 1980),
        ("uit de jaren '80", 1980),
        ("anos noventa", 1990),
        ("z lat osiemdziesiątych", 1980),
    ],
)
def test_decades_are_told_in_other_languages(text: str, start: int) -> None:
    assert [one.text() for one in bounds(text)] == [f"{start} to {start + 9}"]


@given(st.text(max_size=80))
def test_a_levelled_text_keeps_its_places(text: str) -> None:
    assert len(level(text)) == len(text)


@given(st.text(max_size=80))
def test_any_text_is_read_within_its_ends_and_in_order(text: str) -> None:
    found = bounds(text)
    assert all(0 <= one.start < one.end <= len(text) and one.low <= one.high for one in found)
    assert all(left.end <= right.start for left, right in pairwise(found))


def test_a_number_in_two_readings_is_read_once() -> None:
    (one,) = quantities("the 1990s")
    assert (one.low, one.high) == (1990, 1999)
