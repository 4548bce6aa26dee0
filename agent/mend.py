"""What is wrong with a first plan as far as one can see: the planner is told, and writes another, once."""

import re
from collections.abc import Iterator, Sequence

from agent.context import PlannerContext
from agent.events import Called
from agent.plan import Plan
from tools.value_index import Link

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_YEARS = re.compile(r"(\d+) to (\d+)")
_MINUTES = re.compile(r"(\d+(?:\.\d+)?) minutes")
_VALUE = re.compile(r"'%?((?:[^']|'')+?)%?'")
ABOUT = 0.25  # of the minutes named: "around two hours" is a range


def mistakes(plan: Plan, context: PlannerContext, calls: Sequence[Called]) -> str:
    """What the planner is told about its plan, empty when there is nothing to say: what a tool refused, filters that
    nothing meets, words of the message that are in no call.
    """
    said = [call.error for call in calls if call.error]
    where = [str(call.args.get("where", "")) for call in calls if call.tool == "sql_filter" and not call.error]
    empty = any(call.tool == "sql_filter" and not call.error and not call.count for call in calls)
    if plan.act == "recommend" and empty:
        said.append(nothing_meets(" AND ".join(filter(None, where))))
    return "; ".join([*said, *filter(None, [left_out(plan, context)])])


def nothing_meets(where: str) -> str:
    return f"nothing meets {where}"


def left_out(plan: Plan, context: PlannerContext) -> str:
    """The words that were found in the message and are in no call, as the planner reads of them.

    A word that was found may mean nothing ("never mind the length"): the planner has the last say.
    """
    return told(words_left_out(plan, context))


def told(words: Sequence[tuple[Link, ...]]) -> str:
    """Words that were left out, as the planner reads of them."""
    return f"left out {'; '.join(' or '.join(link.said for link in word) for word in words)}" if words else ""


def words_left_out(plan: Plan, context: PlannerContext) -> list[tuple[Link, ...]]:
    """Each word of the message whose meanings are all absent from a plan that recommends, with these meanings."""
    if plan.act != "recommend":
        return []
    said = plan.text().lower()
    return [word for word in words_found(context) if not any(_said(link, context.message, said) for link in word)]


def words_found(context: PlannerContext) -> Iterator[tuple[Link, ...]]:
    """The meanings of each word (or words) that has any; a column's bare name is none."""
    word: list[Link] = []
    for link in sorted(context.found, key=lambda one: one.start):
        if word and link.start >= max(one.end for one in word):
            yield from _telling(word)
            word = []
        word.append(link)
    yield from _telling(word)


def _telling(word: Sequence[Link]) -> Iterator[tuple[Link, ...]]:
    if any(" " in link.said for link in word):
        yield tuple(word)


def _said(link: Link, message: str, plan: str) -> bool:
    if message[link.start : link.end].lower() in plan:
        return True
    numbers = [float(number) for number in _NUMBER.findall(plan)]
    if years := _YEARS.fullmatch(link.said):
        return any(int(years[1]) - 1 <= number <= int(years[2]) + 1 for number in numbers)
    if minutes := _MINUTES.fullmatch(link.said):
        wanted = float(minutes[1])
        return any(abs(number - wanted) <= ABOUT * wanted for number in numbers)
    value = _VALUE.search(link.said)
    return (value[1] if value else link.said.split()[0]).lower() in plan
