"""What takes the place of what: "make it a romance", "Australian, not British", "I misspoke, 130 minutes or more".

A new value takes the place of its column's old one where the message exchanges them, or where the column holds one
value only; a new bound replaces the old one that it contradicts or that says as much from the same side.
"""

import re
from collections.abc import Collection, Sequence

from agent.conditions import BOUND, column_of, conjuncts, joined, parts_of, refused, without
from agent.context import PlannerContext
from agent.cues import phrases, plainly
from agent.plan import Call
from tools.schema import Manifest
from tools.text import fold, stem
from tools.value_index import Link

_RATHER = re.compile(
    r"(?:^|[.,;!?] ?)(?:\b(?:actually|no|make it|about|with|i'd like|i want|better|lieber|plutôt|mejor|meglio"
    r"|liever) )*"
    r"(?P<new>[^.,;!?]+?),? (?:rather than|instead of|in place of|and not|not|statt|anstatt|nicht|au lieu de"
    r"|plutôt que|pas"
    r"|en vez de|en lugar de|invece di|al posto di|anziché|em vez de|in plaats van|niet|i stället för|istället för"
    r"|zamiast)"
    r"(?: about)? (?P<old>[^.,;!?]+)",
    re.IGNORECASE,
)
_FOR = re.compile(
    r"\b(?:swap|replace|exchange|trade|change)(?: the)? (?P<old>[^.,;!?]+?) (?:for|with|by"
    r"|to)(?: the)? (?P<new>[^.,;!?]+)",
    re.IGNORECASE,
)
_EITHER = re.compile(r"^\W*(?:or|oder|ou|of|eller|albo|lub)\b", re.IGNORECASE)


def exchanged(
    where: str, context: PlannerContext, asked: Sequence[Link], gone: Collection[str], manifest: Manifest
) -> str:
    """The filter without what the links `asked` of the message take the place of; `gone` are conditions that the
    message names only to say what they are exchanged for.
    """
    before = conjuncts(context.last_plan, manifest)
    now = {part for part, _ in parts_of(where, manifest)}
    fresh = [link for link in asked if link.said not in before and any(link.said in part for part in now)]
    if not fresh or not before:
        return where
    said = plainly(context.message)
    swapped = bool(phrases("exchanged").search(said)) and not phrases("added").search(said)
    kept = {part for part in before for link in asked if link.said in part}

    def replaced(part: str, _: tuple[str, ...]) -> bool:
        if part not in before or part in kept:
            return False
        old = refused(part) or part
        for link in fresh:
            if (mine := BOUND.fullmatch(link.said)) and (theirs := BOUND.fullmatch(part)):
                if mine["column"] == theirs["column"]:
                    compared = link.kind == "word" and any(span.column == mine["column"] for span in context.last_spans)
                    return swapped or compared or _clashes(mine, theirs)
            elif column_of(link.said) == column_of(part) and not refused(part):
                return old in gone or swapped or (" = " in part and not mine)
        return False

    either = _EITHER.match(context.message)
    if either and len(fresh) == 1 and not swapped:
        return _or_else(where, fresh[0], before, manifest)
    return without(where, replaced, manifest)


def consistent_bounds(where: str, asked: Sequence[Link], manifest: Manifest) -> str:
    """Without bounds that contradict one that the message itself says."""
    said = [(link.said, match) for link in asked if (match := BOUND.fullmatch(link.said)) and link.said in where]

    def contradicts(part: str, _: tuple[str, ...]) -> bool:
        match = BOUND.fullmatch(part)
        if match is None or any(part == own for own, _ in said):
            return False
        return any(match["column"] == mine["column"] and _empty(mine, match) for _, mine in said)

    return without(where, contradicts, manifest)


def likeness_exchanged(calls: Sequence[Call], context: PlannerContext) -> tuple[Call, ...]:
    """The calls without titles of the last plan to be like, where the message names another in their place."""
    before = context.last_plan.calls if context.last_plan else ()
    likes = [call for call in calls if call.tool in ("similar_items", "cf_recommend")]
    fresh = [call for call in likes if call not in before]
    if not fresh or len(fresh) == len(likes) or not phrases("exchanged").search(plainly(context.message)):
        return tuple(calls)
    return tuple(call for call in calls if call not in likes or call in fresh)


def themes_exchanged(calls: Sequence[Call], context: PlannerContext) -> tuple[Call, ...]:
    """The calls with a search for "werewolves rather than vampires" in the place of the one for vampires."""
    match = _RATHER.search(context.message) or _FOR.search(context.message)
    before = context.last_plan.calls if context.last_plan else ()
    if match is None:
        return tuple(calls)
    old, new = fold(match["old"]), match["new"].strip()
    made = list[Call]()
    for call in calls:
        query = str(call.arguments.get("query", ""))
        words = [word for word in re.findall(r"[^\W_]+", fold(query)) if len(word) > 2]
        if call in before and call.tool == "dense_search" and any(stem(word) in old for word in words):
            made.append(Call(tool=call.tool, arguments={"query": new}))
        else:
            made.append(call)
    return tuple(call for place, call in enumerate(made) if call not in made[:place])


def _or_else(where: str, link: Link, before: Collection[str], manifest: Manifest) -> str:
    """ "Or tile placement?": what stood in that column, or this."""
    parts = [part for part, _ in parts_of(where, manifest)]
    old = [part for part in before if column_of(part) == column_of(link.said) and not refused(part)]
    if len(old) != 1 or link.said not in parts:
        return where
    both = f"({old[0]} OR {link.said})"
    return joined(*(both if part == link.said else part for part in parts if part != old[0]))


def _sides(match: re.Match[str]) -> set[str]:
    how = match["how"]
    return {"<", ">"} if how in ("=", "BETWEEN") else {how[0]}


def _clashes(one: re.Match[str], other: re.Match[str]) -> bool:
    """Whether both say something from the same side, or nothing can meet both."""
    return bool(_sides(one) & _sides(other)) or _empty(one, other)


def _empty(one: re.Match[str], other: re.Match[str]) -> bool:
    """Whether no number meets both bounds."""
    (low, low_open), (high, high_open) = max(_low(one), _low(other)), min(_high(one), _high(other))
    return low > high or (low == high and (low_open or not high_open))


def _low(match: re.Match[str]) -> tuple[float, bool]:
    """The lower end, and whether it is left out."""
    return (float("-inf"), False) if match["how"][0] == "<" else (float(match["low"]), match["how"] == ">")


def _high(match: re.Match[str]) -> tuple[float, bool]:
    """The upper end, and whether it is held: one that is left out is less."""
    if match["how"][0] == ">":
        return float("inf"), True
    return float(match["high"] or match["low"]), match["how"] != "<"
