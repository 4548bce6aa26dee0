"""What a plan makes of the conditions that its message names."""

import pytest

from agent.context import PlannerContext
from agent.mend import mended
from agent.plan import Plan
from tools.schema import Column, Manifest
from tools.value_index import ValueIndex

MANIFEST = Manifest(
    name="a",
    noun="film",
    source="b",
    rows=1,
    interactions=0,
    columns=(
        Column(name="year", type="integer", minimum=1900, maximum=2020),
        Column(name="genres", type="text", is_list=True, values=("Comedy", "Horror", "War")),
        Column(name="mood", type="text", is_list=True, values=("romantic", "eerie")),
        Column(name="rated", type="text", values=("PG", "PG-13")),
        Column(name="language", type="text", is_list=True, values=("French",)),
        Column(name="country", type="text", is_list=True, values=("France", "Italy")),
        Column(name="runtime", type="integer", minimum=1, maximum=500),
        Column(name="cast", type="text", is_list=True),
    ),
    parts={},
    build_hash="",
)


@pytest.fixture(scope="module")
def index() -> ValueIndex:
    return ValueIndex.of(MANIFEST, [("cast", "Ana Vidal")])


def mend(index: ValueIndex, message: str, plan: str, *, last: str = "", named: tuple[str, ...] = ()) -> str:
    context = PlannerContext(
        message,
        last_plan=Plan.parse(last) if last else None,
        named=named,
        found=tuple(index.link(message, frozenset())),
    )
    return mended(Plan.parse(plan), context, MANIFEST).text()


@pytest.mark.parametrize(
    ("message", "plan", "whole"),
    [
        (
            "I doubt you have a horror film",
            "recommend | sql_filter 'Horror' IN genres AND NOT ('Horror' IN genres)",
            "recommend | sql_filter 'Horror' IN genres",
        ),
        (
            "a horror comedy",
            "recommend | sql_filter 'Horror' IN genres",
            "recommend | sql_filter 'Horror' IN genres AND 'Comedy' IN genres",
        ),
        (
            "comedies with Ana Vidal",
            "recommend 2 | sql_filter 'Comedy' IN genres ORDER BY year DESC",
            "recommend 2 | sql_filter 'Comedy' IN genres AND cast ILIKE '%Ana Vidal%' ORDER BY year DESC",
        ),
        (
            "a war film about a siege",
            "recommend | dense_search a siege",
            "recommend | sql_filter 'War' IN genres | dense_search a siege",
        ),
        (
            "PG or PG-13",
            "recommend | sql_filter rated = 'PG'",
            "recommend | sql_filter (rated = 'PG' OR rated = 'PG-13')",
        ),
        (
            "horror from the 70s or the 80s",
            "recommend | sql_filter 'Horror' IN genres AND year BETWEEN 1970 AND 1979",
            "recommend | sql_filter 'Horror' IN genres AND (year BETWEEN 1970 AND 1979 OR year BETWEEN 1980 AND 1989)",
        ),
        (
            "war, under two hours",
            "recommend | sql_filter 'War' IN genres",
            "recommend | sql_filter 'War' IN genres AND runtime < 120",
        ),
    ],
)
def test_what_was_left_out_is_put_in(index: ValueIndex, message: str, plan: str, whole: str) -> None:
    assert mend(index, message, plan) == whole


@pytest.mark.parametrize(
    ("message", "plan", "turned"),
    [
        (
            "eerie, no horror",
            "recommend | sql_filter 'eerie' IN mood",
            "recommend | sql_filter 'eerie' IN mood AND NOT ('Horror' IN genres)",
        ),
        (
            "a comedy that isn't romantic",
            "recommend | sql_filter 'Comedy' IN genres AND 'romantic' IN mood",
            "recommend | sql_filter 'Comedy' IN genres AND NOT ('romantic' IN mood)",
        ),
        (
            "war but not from the nineties",
            "recommend | sql_filter 'War' IN genres AND year BETWEEN 1990 AND 1999",
            "recommend | sql_filter 'War' IN genres AND NOT (year BETWEEN 1990 AND 1999)",
        ),
    ],
)
def test_what_is_refused_is_negated(index: ValueIndex, message: str, plan: str, turned: str) -> None:
    assert mend(index, message, plan) == turned


@pytest.mark.parametrize(
    ("message", "plan"),
    [
        ("a horror comedy", "recommend | sql_filter 'Horror' IN genres AND 'Comedy' IN genres"),
        ("a film about a comedy club", "recommend | dense_search a comedy club"),
        ("war instead of comedy", "recommend | sql_filter 'War' IN genres"),
        ("a romantic film", "recommend | sql_filter 'romantic' IN mood"),
        ("not a comedy", "recommend | sql_filter NOT ('Comedy' IN genres)"),
        ("which one is a comedy?", "answer"),
        ("hello comedy bot", "chat"),
        ("any language", "recommend"),
    ],
)
def test_a_plan_stays_as_it_is(index: ValueIndex, message: str, plan: str) -> None:
    assert mend(index, message, plan) == plan


def test_words_of_a_title_that_the_plan_is_about_are_no_condition(index: ValueIndex) -> None:
    plan, title = 'recommend | similar_items "The King of Comedy"', ("The King of Comedy",)
    assert mend(index, "something like the king of comedy", plan, named=title) == plan


WAR = "recommend | sql_filter 'War' IN genres AND runtime < 120 | dense_search a siege"


@pytest.mark.parametrize(
    ("message", "plan", "whole"),
    [
        (
            "from Italy please",
            "recommend | sql_filter 'Italy' IN country",
            "recommend | sql_filter 'War' IN genres AND runtime < 120 AND 'Italy' IN country",
        ),
        (
            "under 100 minutes",
            "recommend | sql_filter runtime < 100",
            "recommend | sql_filter 'War' IN genres AND runtime < 100",
        ),
        (
            "never mind, a comedy",
            "recommend | sql_filter 'War' IN genres AND 'Comedy' IN genres",
            "recommend | sql_filter 'Comedy' IN genres",
        ),
        ("the length doesn't matter", WAR, "recommend | sql_filter 'War' IN genres | dense_search a siege"),
        (
            "comedy rather than war",
            "recommend | sql_filter 'Comedy' IN genres AND 'War' IN genres AND runtime < 120",
            "recommend | sql_filter 'Comedy' IN genres AND runtime < 120",
        ),
        (
            "she doesn't have to be in it",
            "recommend | sql_filter 'War' IN genres",
            "recommend | sql_filter 'War' IN genres",
        ),
    ],
)
def test_what_holds_of_the_last_plan_stays_and_the_rest_goes(
    index: ValueIndex, message: str, plan: str, whole: str
) -> None:
    assert mend(index, message, plan, last=WAR) == whole


@pytest.mark.parametrize(
    ("message", "plan", "grounded"),
    [
        ("James Bond films", "recommend | sql_filter 'War' IN genres", "recommend | bm25_search James Bond"),
        ("something about weddings", "recommend | sql_filter 'Comedy' IN genres", "recommend | dense_search weddings"),
        (
            "a war film",
            "recommend | sql_filter 'War' IN genres AND 'Italy' IN country AND year > 2001",
            "recommend | sql_filter 'War' IN genres",
        ),
        ("some film", "recommend | sql_filter 'War' IN genres", "recommend"),
    ],
)
def test_what_nobody_said_is_searched_for_instead(index: ValueIndex, message: str, plan: str, grounded: str) -> None:
    assert mend(index, message, plan) == grounded


@pytest.mark.parametrize(
    ("message", "plan", "softened"),
    [
        (
            "a comedy please, I love Ana Vidal",
            "recommend | sql_filter 'Comedy' IN genres AND cast ILIKE '%Ana Vidal%'",
            "recommend | sql_filter 'Comedy' IN genres | bm25_search Ana Vidal",
        ),
        (
            "something like Heat, Ana Vidal is great",
            "recommend | sql_filter cast ILIKE '%Ana Vidal%' | similar_items \"Heat\"",
            'recommend | similar_items "Heat" | bm25_search Ana Vidal',
        ),
        (
            "a comedy. I like Ana Vidal films",
            "recommend | sql_filter 'Comedy' IN genres AND cast ILIKE '%Ana Vidal%'",
            "recommend | sql_filter 'Comedy' IN genres AND cast ILIKE '%Ana Vidal%'",
        ),
        (
            "I'd like Ana Vidal in a comedy",
            "recommend | sql_filter cast ILIKE '%Ana Vidal%' AND 'Comedy' IN genres",
            "recommend | sql_filter cast ILIKE '%Ana Vidal%' AND 'Comedy' IN genres",
        ),
        (
            "I love Ana Vidal",
            "recommend | sql_filter cast ILIKE '%Ana Vidal%'",
            "recommend | sql_filter cast ILIKE '%Ana Vidal%'",
        ),
        (
            "a comedy with Ana Vidal",
            "recommend | sql_filter 'Comedy' IN genres AND cast ILIKE '%Ana Vidal%' AND NOT (cast ILIKE '%Ana Vidal%')",
            "recommend | sql_filter 'Comedy' IN genres AND cast ILIKE '%Ana Vidal%'",
        ),
    ],
)
def test_a_person_praised_beside_the_wish_is_a_taste(index: ValueIndex, message: str, plan: str, softened: str) -> None:
    assert mend(index, message, plan) == softened


def test_a_person_praised_after_a_wish_is_a_taste(index: ValueIndex) -> None:
    last = "recommend | sql_filter 'Comedy' IN genres"
    plan = f"{last} AND cast ILIKE '%Ana Vidal%'"
    assert mend(index, "Oh I love Ana Vidal", plan, last=last) == f"{last} | bm25_search Ana Vidal"
