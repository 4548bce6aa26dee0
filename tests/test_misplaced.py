"""What a plan turned round, put on another column, or made up is put right."""

import pytest

from tests.test_mend import MANIFEST, mend
from tools.value_index import ValueIndex


@pytest.fixture(scope="module")
def index() -> ValueIndex:
    return ValueIndex.of(MANIFEST, [])


@pytest.mark.parametrize(
    ("message", "plan", "whole"),
    [
        (
            "nothing over 90 minutes",
            "recommend | sql_filter NOT (runtime <= 90)",
            "recommend | sql_filter runtime <= 90",
        ),
        ("under 90 minutes", "recommend | sql_filter year < 90", "recommend | sql_filter runtime < 90"),
        ("at most 90 minutes", "recommend | sql_filter runtime >= 90", "recommend | sql_filter runtime <= 90"),
        (
            "horror, romantic or not",
            "recommend | sql_filter 'Horror' IN genres AND 'romantic' IN mood",
            "recommend | sql_filter 'Horror' IN genres",
        ),
        (
            "from France or from Italy",
            "recommend | sql_filter 'France' IN country AND 'Italy' IN country",
            "recommend | sql_filter ('France' IN country OR 'Italy' IN country)",
        ),
        (
            "horror",
            "recommend | sql_filter 'Horror' IN genres ORDER BY year DESC",
            "recommend | sql_filter 'Horror' IN genres",
        ),
        (
            "a comedy, 2 slow last time",
            "recommend 2 | sql_filter 'Comedy' IN genres",
            "recommend | sql_filter 'Comedy' IN genres",
        ),
    ],
)
def test_what_a_plan_turned_round_or_put_elsewhere_is_put_right(
    index: ValueIndex, message: str, plan: str, whole: str
) -> None:
    assert mend(index, message, plan) == whole


def test_a_bound_without_a_column_is_on_what_was_bounded_before(index: ValueIndex) -> None:
    last = "recommend | sql_filter 'Horror' IN genres AND runtime <= 90"
    for plan in (last, "recommend | sql_filter 'Horror' IN genres AND runtime <= 90 AND year <= 100"):
        said = mend(index, "i could stretch to 100 max", plan, last=last)
        assert said == "recommend | sql_filter 'Horror' IN genres AND runtime <= 100"
    said = mend(index, "i could stretch to 2000000 max", last, last=last)
    assert said == "recommend | sql_filter 'Horror' IN genres AND runtime <= 2000000"
