"""What a message takes back of the last plan: "the decade isn't important any more", "scrap the actress".

A clause that holds a phrase which takes back, and names something that the last plan has (a column by whatever people
call it, a value, a name, a theme, a title), takes just that out of it. The rest stays as it was.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent.conditions import VALUE, conjuncts, filter_of, refused, with_filter, without
from agent.context import PlannerContext
from agent.cues import Clause, called, clauses, phrases, plainly
from agent.plan import QUERIES, TITLES, Call, Plan
from tools.schema import Manifest
from tools.text import STOPWORDS, fold, stem
from tools.value_index import Link

ALIKE = 5  # letters that two forms of a word share at the start
# Whoever is meant by these is the one person of the last plan.
_PERSON = re.compile(
    r"\b(?:he|she|him|her|his|hers|er|sie|ihn|ihr|il|elle|lui|ella|lei|ele|ela|hij|zij|haar|hem|han|hon|henne|honom"
    r"|on|ona|jego|jej|leading (?:lady|man))\b"
)
# An order is meant by these even where a condition is on the same column.
_FOREMOST = re.compile(
    r"\b(?:newest|oldest|latest|longest|shortest|cheapest|best|most|top|first|order\w*|sort\w*|rank\w*|nieuwste|oudste"
    r"|neueste\w*|alteste\w*|beste\w*|zuerst|d'abord|primero|prima|eerst)\b"
)
# With these a clause speaks of what the one before names: "the length? I don't care about that".
_POINTS = re.compile(r"\b(?:it|that|this|those|them|das|es|ca|ça|cela|eso|lo|questo|isso|dat|het|det|to|about)\b")
_WITHOUT = re.compile(
    r"\b(?:without|not|no|minus|ohne|sans|sin|senza|sem|zonder|utan|bez) (?:her|him|ihn|sie|elle|lui|ella|el|lei|ela"
    r"|ele"
    r"|hem|haar|honom|henne|niego|niej)\b"
)
_ONLY = re.compile(r"(?:and|or|nor|und|oder|et|ou|ni|y|o|e|en|of|och|eller|i|lub|both|the|either|also|too|all|of)")


@dataclass(frozen=True)
class Rest:
    """The last plan without what was taken back, what that was, and the clauses that did."""

    plan: Plan
    gone: tuple[str, ...]
    said: tuple[Clause, ...]


def taken_back(context: PlannerContext, manifest: Manifest) -> Rest | None:
    """What a message leaves of the last plan by taking back a part of it; None when it takes back nothing."""
    last = context.last_plan
    if last is None or last.act != "recommend":
        return None
    parts = conjuncts(last, manifest)
    gone: list[str] = []
    calls: list[Call] = []
    said: list[Clause] = []
    ordered = False
    every = clauses(context.message)
    for place, own in enumerate(every):
        clause = own
        back, allowed = phrases("taken_back").search(clause.said), phrases("allowed").search(clause.said)
        if not back and not allowed and not _listed(clause, every, place, said):
            continue
        if back and place and _POINTS.search(clause.said) and every[place - 1] not in said:
            whole = Clause(every[place - 1].start, clause.end, f"{every[place - 1].said} {clause.said}")
            clause = own if _names(own, parts, context, last) else whole
        named = _named(clause, parts, context, bool(back or not allowed))
        searches = _searches(clause, last) if back or not allowed else []
        order = _is_order(clause, last) and (not named or bool(_FOREMOST.search(clause.said)))
        if order and _FOREMOST.search(clause.said):
            named = []
        if named or searches or order:
            gone += named
            calls += searches
            ordered |= order
            said.append(clause)
    if not said:
        return None
    kept = last.model_copy(update={"count": None, "calls": tuple(call for call in last.calls if call not in calls)})
    held, where = filter_of(kept)
    if held and ordered:
        bare = Call(tool=held.tool, arguments={"where": where})
        kept = kept.model_copy(update={"calls": tuple(bare if call is held else call for call in kept.calls)})
        held = bare
    if held:
        kept = with_filter(kept, held, without(where, lambda part, _: part in gone, manifest))
    return Rest(kept, tuple(gone), tuple(said))


def refused_person(where: str, context: PlannerContext, manifest: Manifest) -> str:
    """The filter without the one person of the last plan, where the message says "without her"."""
    people = [
        part
        for part, of in conjuncts(context.last_plan, manifest).items()
        if " ILIKE " in part and not refused(part) and not _is_place(of)
    ]
    if len(people) != 1 or people[0] not in where or not _WITHOUT.search(plainly(context.message)):
        return where
    return where.replace(people[0], f"NOT ({people[0]})", 1)


def _names(clause: Clause, parts: dict[str, tuple[str, ...]], context: PlannerContext, last: Plan) -> bool:
    return bool(_named(clause, parts, context, True) or _searches(clause, last) or _is_order(clause, last))


def _listed(clause: Clause, every: Sequence[Clause], place: int, said: Sequence[Clause]) -> bool:
    """Whether a clause goes on with what the one before takes back: "drop the year, the length and the actor"."""
    if place == 0 or every[place - 1] not in said or len(clause.words()) > 6:
        return False
    words = {word for _, names in called() for name in names for word in name.split()}
    return all(word in words or _ONLY.fullmatch(word) for word in clause.words())


def _named(clause: Clause, parts: dict[str, tuple[str, ...]], context: PlannerContext, back: bool) -> list[str]:
    """The conditions that a clause names; of those that it only allows, the refusals and the bounds."""
    links = [link for link in context.found if clause.holds(link.start, link.end)]
    bounded = any(
        link.kind in ("bound", "word") and link.said.split(" ")[0] in of for link in links for of in parts.values()
    )
    named = [part for part in parts if _has_value(clause, part, links)]
    if not back:
        named = [part for part in named if refused(part)]
    if named:
        return named
    if bounded and not back:
        return []
    by_column = _by_column(clause, parts, links)
    if not back:
        by_column = [part for part in by_column if not VALUE.search(part)]
    if by_column or not back or not _PERSON.search(clause.said):
        return by_column
    people = [part for part in parts if " ILIKE " in part and not refused(part) and not _is_place(parts[part])]
    return people if len(people) == 1 else []


def _is_place(columns: Sequence[str]) -> bool:
    return any("place" in column or "period" in column or "title" in column for column in columns)


def _has_value(clause: Clause, part: str, links: Sequence[Link]) -> bool:
    """Whether a clause names a value of a condition, in its own words or in others."""
    if any(" " in link.said and (link.said in part or link.said == refused(part)) for link in links):
        return True
    words = {stem(word) for word in clause.words()}
    for value in VALUE.findall(part):
        own = [stem(word) for word in re.findall(r"[^\W_]+", fold(value))]
        telling = [word for word in own if len(word) > 2 and word not in STOPWORDS]
        enough = any if " ILIKE " in part else all
        if telling and enough(word in words for word in telling):
            return True
    return False


def _by_column(clause: Clause, parts: dict[str, tuple[str, ...]], links: Sequence[Link]) -> list[str]:
    """The conditions on what a clause calls a column; longer names first: an age rating is no rating."""
    left, found = clause.said, list[str]()
    spoken = {link.said.split(" ")[0] for link in links if link.kind == "column"}
    names = sorted(((word, columns) for columns, words in called() for word in words), key=lambda one: -len(one[0]))
    for word, columns in names:
        if not re.search(rf"(?<!\w){re.escape(word)}(?!\w)", left):
            continue
        hit = [part for part, of in parts.items() if columns & set(of)]
        if hit:
            left = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", "_", left)
            found += hit
    for part, of in parts.items():
        if set(of) & spoken or any(column.replace("_", " ") in left for column in of):
            found.append(part)
    return list(dict.fromkeys(found))


def _searches(clause: Clause, last: Plan) -> list[Call]:
    """The searches of the last plan whose words or titles a clause names, or whose kind it does."""
    words = clause.words()
    found = []
    for call in last.calls:
        if call.tool in ("bm25_search", "dense_search"):
            query = fold(str(call.arguments[QUERIES[call.tool]]))
            own = [word for word in re.findall(r"[^\W_]+", query) if len(word) > 2 and word not in STOPWORDS]
            if any(_alike(one, word) for one in own for word in words):
                found.append(call)
        elif call.tool in ("similar_items", "cf_recommend"):
            titles = (
                [str(call.arguments[TITLES[call.tool]])] if call.tool in TITLES else call.arguments.get("liked", [])
            )
            if any(fold(str(title)) in clause.said for title in titles):
                found.append(call)
    if not found:
        for names, called_so in called():
            if any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", clause.said) for word in called_so):
                found += [call for call in last.calls if call.tool in names and call not in found]
    people = [call for call in last.calls if call.tool == "bm25_search"]
    if not found and len(people) == 1 and _PERSON.search(clause.said):
        found = people
    return found


def _is_order(clause: Clause, last: Plan) -> bool:
    """Whether a clause names the order of the last plan, or what it is by."""
    held, _ = filter_of(last)
    order = str(held.arguments.get("order_by") or "") if held else ""
    column = order.split(" ")[0]
    return bool(order) and any(
        names & {column, "order_by"} and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", clause.said)
        for names, words in called()
        for word in words
    )


def _alike(one: str, other: str) -> bool:
    return stem(one) == stem(other) or (min(len(one), len(other)) >= ALIKE and one[:ALIKE] == other[:ALIKE])
