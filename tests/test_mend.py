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
            "a comedy instead",
            "recommend",
            "recommend | sql_filter 'Comedy' IN genres",
        ),
        (
            "scrap that. a comedy",
            "recommend | sql_filter NOT ('Comedy' IN genres)",
            "recommend | sql_filter 'Comedy' IN genres",
        ),
        (
            "anything but a comedy",
            "recommend | sql_filter NOT ('Comedy' IN genres)",
            "recommend | sql_filter NOT ('Comedy' IN genres)",
        ),
        (
            "a horror comedy",
            "recommend | sql_filter 'Horror' IN genres",
            "recommend | sql_filter 'Horror' IN genres AND 'Comedy' IN genres",
        ),
        (
            "the two newest comedies with Ana Vidal",
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
            "recommend | sql_filter 'War' IN genres AND runtime < 120 AND 'Italy' IN country | dense_search a siege",
        ),
        (
            "under 100 minutes",
            "recommend | sql_filter runtime < 100",
            "recommend | sql_filter 'War' IN genres AND runtime < 100 | dense_search a siege",
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


LONG = (
    "recommend | sql_filter 'War' IN genres AND NOT (rated = 'PG') AND year BETWEEN 1970 AND 1979 AND runtime < 120"
    " AND cast ILIKE '%Ana Vidal%' ORDER BY year DESC | dense_search a siege"
)


@pytest.mark.parametrize(
    ("message", "gone"),
    [
        ("the decade isn't important any more", "year BETWEEN"),
        ("scrap the actress", "cast"),
        ("she doesn't have to be in it", "cast"),
        ("Ana needn't be in it", "cast"),
        ("it can be as long as it likes", "runtime"),
        ("the length? I don't care about that", "runtime"),
        ("any length will do", "runtime"),
        ("PG is fine after all", "rated"),
        ("it needn't be about a siege", "dense_search"),
        ("no need to have the newest on top", "ORDER BY"),
        ("l'acteur n'a plus d'importance", "cast"),
        ("il decennio non importa", "year BETWEEN"),
        ("Ana Vidal hoeft er niet in te zitten", "cast"),
        ("die Länge ist egal", "runtime"),
        ("ya no importa la duración", "runtime"),
        ("a duração tanto faz", "runtime"),
        ("längden spelar ingen roll", "runtime"),
        ("długość nie ma znaczenia", "runtime"),
    ],
)
def test_what_is_taken_back_goes_and_nothing_else(index: ValueIndex, message: str, gone: str) -> None:
    made = mend(index, message, LONG, last=LONG)
    assert gone not in made
    kept = {"year BETWEEN", "cast", "runtime", "rated", "dense_search", "ORDER BY", "War"} - {gone}
    assert [one for one in kept if one not in made] == []


@pytest.mark.parametrize(
    ("message", "gone"),
    [
        ("drop both the decade and the actor", ("year BETWEEN", "cast")),
        ("forget the year, the actress and the length", ("year BETWEEN", "cast", "runtime")),
    ],
)
def test_several_are_taken_back_at_once(index: ValueIndex, message: str, gone: tuple[str, ...]) -> None:
    made = mend(index, message, LONG, last=LONG)
    assert not any(one in made for one in gone)
    assert "'War' IN genres" in made


@pytest.mark.parametrize(
    ("message", "where"),
    [
        ("make it a comedy", "runtime < 120 AND 'Comedy' IN genres"),
        ("comedy, not war, sorry", "runtime < 120 AND 'Comedy' IN genres"),
        ("swap war for horror", "runtime < 120 AND 'Horror' IN genres"),
        ("lieber eine Komödie", "runtime < 120 AND 'Comedy' IN genres"),
        ("also a comedy", "'War' IN genres AND runtime < 120 AND 'Comedy' IN genres"),
        ("I misspoke, 130 minutes or more", "'War' IN genres AND runtime >= 130"),
    ],
)
def test_one_value_takes_the_place_of_another_or_comes_beside_it(index: ValueIndex, message: str, where: str) -> None:
    last = "recommend | sql_filter 'War' IN genres AND runtime < 120"
    assert mend(index, message, last, last=last) == f"recommend | sql_filter {where}"


@pytest.mark.parametrize(
    "message",
    [
        "scratch everything, a comedy",
        "Forget what I said. A comedy!",
        "Vergiss das alles. Komödie",
        "olvida todo, comedia",
    ],
)
def test_nothing_holds_after_a_new_start(index: ValueIndex, message: str) -> None:
    assert mend(index, message, LONG, last=LONG) == "recommend | sql_filter 'Comedy' IN genres"


@pytest.mark.parametrize(
    ("message", "plan", "mended_plan"),
    [
        ("films with Sherlock Holmes", 'recommend | similar_items "Sherlock Holmes"', "bm25_search Sherlock Holmes"),
        ("war, 2h max", "recommend | sql_filter 'War' IN genres | similar_items \"2h max\"", "runtime <= 120"),
        ("something in the way of a siege", 'recommend | similar_items "siege"', "recommend"),
        (
            "horror with a babysitter in it",
            "recommend | sql_filter 'Horror' IN genres",
            "'Horror' IN genres | dense_search babysitter",
        ),
        ("80s horror", "recommend 8 | sql_filter 'Horror' IN genres AND year BETWEEN 1980 AND 1989", "1989"),
    ],
)
def test_calls_that_nobody_asked_for_go_and_themes_come(
    index: ValueIndex, message: str, plan: str, mended_plan: str
) -> None:
    made = mend(index, message, plan)
    assert made.endswith(mended_plan)
    assert "similar_items" not in made
    assert "recommend 8" not in made


def test_an_answer_that_leaves_the_choice_is_a_wish(index: ValueIndex) -> None:
    assert mend(index, "you choose, I trust you", "chat", last="ask Which? | facet_counts genres") == "recommend"


@pytest.mark.parametrize("message", ["no horror or war", "neither horror nor war", "horror is a no go, no war either"])
def test_each_of_several_is_refused(index: ValueIndex, message: str) -> None:
    assert mend(index, message, "recommend") == (
        "recommend | sql_filter NOT ('Horror' IN genres) AND NOT ('War' IN genres)"
    )


def test_after_a_fresh_start_words_that_nothing_explains_are_searched_for(index: ValueIndex) -> None:
    last = "recommend | sql_filter 'Comedy' IN genres"
    assert mend(index, "forget it, something with dragons", last, last=last) == "recommend | dense_search dragons"
