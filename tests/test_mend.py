"""What a first plan leaves out, and the second look at it."""

import pytest

from agent.context import PlannerContext
from agent.events import Called
from agent.mend import left_out, mistakes
from agent.plan import Plan
from tools.value_index import Link

COMEDY = Link(2, 8, "'Comedy' IN genres")
NINETIES = Link(18, 26, "1990 to 1999")
TEXT = "a comedy from the nineties"


@pytest.mark.parametrize(
    ("plan", "missing"),
    [
        ("recommend | sql_filter 'Comedy' IN genres AND year BETWEEN 1990 AND 1999", ""),
        ("recommend | sql_filter 'Comedy' IN genres AND year >= 1990 AND year < 2000", ""),
        ("recommend | sql_filter NOT ('Comedy' IN genres) AND year > 1989", ""),
        ("recommend | sql_filter 'Comedy' IN genres", "left out 1990 to 1999"),
        ("recommend | dense_search a comedy of errors", "left out 1990 to 1999"),
        ("recommend", "left out 'Comedy' IN genres; 1990 to 1999"),
        ("chat", ""),
    ],
)
def test_what_a_plan_leaves_out(plan: str, missing: str) -> None:
    assert left_out(Plan.parse(plan), PlannerContext(TEXT, found=(COMEDY, NINETIES))) == missing


@pytest.mark.parametrize("plan", ["'Polish' IN language", "'Poland' IN country"])
def test_one_meaning_of_a_word_is_enough(plan: str) -> None:
    found = (Link(0, 6, "'Polish' IN language"), Link(0, 6, "'Poland' IN country"))
    context = PlannerContext("Polish ones", found=found)
    assert left_out(Plan.parse(f"recommend | sql_filter {plan}"), context) == ""
    assert left_out(Plan.parse("recommend"), context) == "left out 'Polish' IN language or 'Poland' IN country"


def test_minutes_may_be_a_range_about_them_and_a_bare_column_is_nothing() -> None:
    context = PlannerContext(
        "around two hours, rating", found=(Link(7, 16, "120 minutes"), Link(18, 24, "rating_mean"))
    )
    assert left_out(Plan.parse("recommend | sql_filter runtime BETWEEN 105 AND 135"), context) == ""
    assert left_out(Plan.parse("recommend | sql_filter runtime < 200"), context) == "left out 120 minutes"


def test_refusals_and_filters_that_nothing_meets_are_told_too() -> None:
    plan = Plan.parse('recommend | sql_filter runtime < 2 | similar_items "zzz"')
    calls = [Called("sql_filter", {"where": "runtime < 2"}, 0, 1.0), Called("similar_items", {}, 0, 1.0, "no film zzz")]
    assert mistakes(plan, PlannerContext("x"), calls) == "no film zzz; nothing meets runtime < 2"
    found = Called("sql_filter", {"where": "runtime < 2"}, 1, 1.0)
    assert mistakes(plan, PlannerContext("x"), [found]) == ""
