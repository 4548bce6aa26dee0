"""What a plan leaves out of what the message names."""

import pytest

from agent.context import PlannerContext
from agent.mend import completed
from agent.plan import Plan
from tools.schema import Column, Manifest
from tools.value_index import ValueIndex


@pytest.fixture(scope="module")
def index() -> ValueIndex:
    columns = (
        Column(name="genres", type="text", is_list=True, values=("Comedy", "Horror", "War")),
        Column(name="mood", type="text", is_list=True, values=("romantic", "eerie")),
        Column(name="rated", type="text", values=("PG", "PG-13")),
        Column(name="language", type="text", is_list=True, values=("French",)),
        Column(name="country", type="text", is_list=True, values=("France",)),
        Column(name="cast", type="text", is_list=True),
    )
    manifest = Manifest(
        name="a", noun="film", source="b", rows=1, interactions=0, columns=columns, parts={}, build_hash=""
    )
    return ValueIndex.of(manifest, [("cast", "Ana Vidal")])


def mended(index: ValueIndex, message: str, plan: str, *named: str) -> str:
    context = PlannerContext(message, named=named, found=tuple(index.link(message, frozenset({"french"}))))
    return completed(Plan.parse(plan), context).text()


@pytest.mark.parametrize(
    ("message", "plan", "whole"),
    [
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
            "a war film",
            "recommend | dense_search battle",
            "recommend | sql_filter 'War' IN genres | dense_search battle",
        ),
        (
            "eerie, no horror",
            "recommend | sql_filter 'eerie' IN mood",
            "recommend | sql_filter 'eerie' IN mood AND NOT ('Horror' IN genres)",
        ),
        (
            "PG or PG-13",
            "recommend | sql_filter rated = 'PG'",
            "recommend | sql_filter (rated = 'PG' OR rated = 'PG-13')",
        ),
    ],
)
def test_what_was_left_out_is_put_in(index: ValueIndex, message: str, plan: str, whole: str) -> None:
    assert mended(index, message, plan) == whole


@pytest.mark.parametrize(
    ("message", "plan"),
    [
        ("a horror comedy", "recommend | sql_filter 'Horror' IN genres AND 'Comedy' IN genres"),
        ("a film about a comedy club", "recommend | dense_search a comedy club"),
        ("never mind the comedy", "recommend | sql_filter 'War' IN genres"),
        ("war instead of comedy", "recommend | sql_filter 'War' IN genres"),
        ("it doesn't have to be a comedy", "recommend"),
        ("a French film", "recommend"),  # the language or the country: the planner's to say
        ("not a comedy", "recommend | sql_filter NOT ('Comedy' IN genres)"),
        ("which one is a comedy?", "answer"),
        ("hello comedy bot", "chat"),
    ],
)
def test_a_plan_stays_as_it_is(index: ValueIndex, message: str, plan: str) -> None:
    assert mended(index, message, plan) == plan


def test_words_of_a_title_are_no_condition(index: ValueIndex) -> None:
    plan = 'recommend | similar_items "The King of Comedy"'
    assert mended(index, "something like the king of comedy", plan, "The King of Comedy") == plan


def test_a_column_named_alone_adds_nothing(index: ValueIndex) -> None:
    assert mended(index, "any language", "recommend") == "recommend"
