"""Numbers that a plan put on another column than the message, or turned round: "35 at most" after a price is one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from agent.conditions import BOUND, conjuncts, joined, parts_of, without
from agent.context import PlannerContext
from tools.schema import Manifest

_BARE = re.compile(r"(?P<how><=?|>=?) (?P<low>-?[\d.]+)")  # a bound whose words name no column
_AMOUNT = re.compile(r"(?P<low>-?[\d.]+) (?P<column>\w+)")  # a column without a bound: "45 minutes"


@dataclass(frozen=True)
class _Meant:
    """A bound on the column it belongs to, and the condition of the last plan in whose place it comes."""

    column: str
    how: str  # any where empty
    number: str
    old: str = ""


def on_their_columns(where: str, context: PlannerContext, manifest: Manifest) -> str:
    """The filter with each bound of the message on the column that its words name, or else on the one that the last
    plan bounds from the same side, where no other is.
    """
    before = conjuncts(context.last_plan, manifest)
    said = {link.said for link in context.found}
    for link in context.found:
        meant = _meant(link.said, before, manifest)
        parts = [part for part, _ in parts_of(where, manifest)]
        if meant is None or any(_is(part, meant) for part in parts):
            continue
        strays = [part for part in parts if part not in before and part not in said and _strayed(part, meant)]
        if len(strays) == 1 and (stray := BOUND.fullmatch(strays[0])):
            condition = f"{meant.column} {meant.how or stray['how']} {meant.number}"
        elif not strays and meant.old in parts:
            condition = f"{meant.column} {meant.how} {meant.number}"
        else:
            continue
        gone = {*strays, meant.old}
        where = joined(without(where, lambda part, _: part in gone, manifest), condition)  # noqa: B023 (called at once)
    return where


def _meant(said: str, before: Mapping[str, object], manifest: Manifest) -> _Meant | None:
    bound, bare, amount = BOUND.fullmatch(said), _BARE.fullmatch(said), _AMOUNT.fullmatch(said)
    if bound is not None and bound["how"] in ("<", "<=", ">", ">="):
        return _Meant(bound["column"], bound["how"], bound["low"])
    if bare is not None:
        bounds = [(part, match) for part in before if (match := BOUND.fullmatch(part)) is not None]
        olds = [(part, match) for part, match in bounds if match["how"][0] == bare["how"][0]]
        if len(olds) == 1:
            return _Meant(olds[0][1]["column"], bare["how"], bare["low"], olds[0][0])
    if amount is not None and any(column.name == amount["column"] for column in manifest.columns):
        return _Meant(amount["column"], "", amount["low"])
    return None


def _is(part: str, meant: _Meant) -> bool:
    match = BOUND.fullmatch(part)
    if match is None or match["column"] != meant.column or float(match["low"]) != float(meant.number):
        return False
    return not meant.how or match["how"][0] == meant.how[0]


def _strayed(part: str, meant: _Meant) -> bool:
    """Whether a condition has a bound's number and sign on another column, or its number the other way round."""
    match = BOUND.fullmatch(part)
    if match is None or match["how"] == "BETWEEN" or float(match["low"]) != float(meant.number):
        return False
    how = meant.how or match["how"]
    return match["how"] == how if match["column"] != meant.column else match["how"][0] + how[0] in ("<>", "><")
