"""What a message names is looked for in its plan: left out, it is put in; refused, negated; taken back, dropped.

A small model now and then leaves a condition out ("a horror comedy" becomes horror), overlooks a "not", or keeps what
was taken back, and repeats its plan when it is told so (finetune/LOG.md). What was found in the message is in its
context; with it the plan's filter can be mended, unless the words around it leave open what is meant.
"""

import re
from collections.abc import Callable, Sequence

from agent.context import PlannerContext
from agent.plan import MOST_CALLS, Call, Plan
from agent.tastes import search_for, tasted
from tools.errors import ToolError
from tools.mentions import filler_words
from tools.schema import Manifest
from tools.text import STOPWORDS, fold
from tools.value_index import Link
from tools.where import parse_where

_CLAUSE = re.compile(r"[.;!?,]|\b(?:but|aber|mais|pero|ma|maar|men|ale)\b", re.IGNORECASE)
# Right before a value these refuse it: "no horror", "not in English", "I can't stand romance".
_NO = re.compile(
    r"(?:\b(?:no|not|non|without|w/o|w/out|nothing|neither|nor|anything but|except|hates?|refuses?|avoid|minus|ohne"
    r"|kein|keinen?|sans|pas|sin|senza|geen|zonder|ingen|inga|inte|utan|bez)|n't|can't (?:stand|bear)"
    r"|don't (?:want|like|need))"
    r"(?:,? (?:an?|any|anything|too|so|the|in|from|with|by|of|de|too much|set in|really|please))* ?$",
    re.IGNORECASE,
)
# Before a value, or after it, these leave open what is meant: taken back, compared, exchanged.
_OPEN = re.compile(
    r"\b(?:no|not|non|without|nothing|never|nor|except|hates?|dislikes?|refuses?|avoid|minus|skip|ban|anything but"
    r"|besides|instead of|rather than|in place of|apart from|other than|enough|tired of|sick of|drop|forget|fewer|less"
    r"|more|lose|remove|leave out|matters?|seen|watched|sans|ohne|keine?|pas|sin|ingen|bez|geen)\b|n't\b",
    re.IGNORECASE,
)
_AFTER = re.compile(r"\bnot\b|n't\b|\b(?:instead|enough|optional|either way)\b", re.IGNORECASE)
_OR = re.compile(r",? (?:or|nor) (?:an? |some |even |any |the )?(?:from )?", re.IGNORECASE)
# A column named with one of these does not matter any more; with the others nothing of before does.
_TAKEN_BACK = re.compile(
    r"(?:doesn't|does not|don't|isn't|not) (?:matter|important|care|mind|picky)|irrelevant|no matter"
    r"|never ?mind the|don't care|\b(?:drop|forget|ignore|any|whatever|lift|anywhere)\b|picky",
    re.IGNORECASE,
)
_ANEW = re.compile(
    r"\bnever ?mind[,.;!:]|\bforget (?:all|everything|it|that|those|the rest|about)\b|\bstart (?:over|again|anew)"
    r"|\bnew idea|\bscrap (?:all|that|it)|\bsomething (?:else entirely|completely different)|\bchanged my mind"
    r"|\bno other (?:wishes|conditions)|\bnothing else matters",
    re.IGNORECASE,
)
# Someone or something of before need not be: which of the last conditions that was is the planner's to say.
_RELEASED = re.compile(r"(?:doesn't|does not|don't) (?:have to|need)|no longer|\banymore\b|\bneedn't\b", re.IGNORECASE)
_EXCHANGED = re.compile(r"\b(?:instead of|rather than|in place of)(?: the| an?| those)? ?$", re.IGNORECASE)
_VALUE = re.compile(r"'%?((?:[^']|'')+?)%?'")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
TRAIL = 30  # characters after a word that may take it back


def mended(plan: Plan, context: PlannerContext, manifest: Manifest) -> Plan:
    """The plan with what it left out of the message, turned or kept; as it is where it recommends nothing."""
    if plan.act != "recommend":
        return plan
    words = _words(context)
    if (released := _released(context, words, manifest)) is not None:
        return released
    held = next((call for call in plan.calls if call.tool == "sql_filter"), None)
    before = where = str(held.arguments.get("where", "")) if held else ""
    if context.last_plan is not None and context.last_plan.act == "recommend":
        where = _continued(where, context, words, manifest)
    said = plan.text().lower()
    for place, word in enumerate(words):
        link = word[0]
        if len(word) > 1 or link.kind not in ("value", "name", "bound"):
            continue
        typed = context.message[link.start : link.end].lower()
        if any(typed in title.lower() and title.lower() in said for title in context.named):
            continue  # it is a part of a title that the plan is about
        if _EXCHANGED.search(_lead(link, words[place - 1] if place else (), context.message)):
            where = _minus(where, link.said, manifest)
        elif _is_said(link, context.message, said) if link.kind != "bound" else _is_bounded(link, where):
            where = _turned(where, link, words[place - 1] if place else (), context.message)
        else:
            where = _added(where, link, words[place - 1] if place else (), context.message)
    grounded = _consistent(_grounded(where, context, manifest), manifest)
    tastes = tasted(plan, grounded, context)
    grounded = _without(grounded, lambda part, _: part in tastes, manifest)
    if grounded == before:
        return plan
    made = _with(plan, held, grounded)
    made = made.model_copy(update={"calls": (*made.calls, *search_for(tastes))[:MOST_CALLS]})
    return made if grounded or _searches(made) else _searching(made, context, manifest)


def _consistent(where: str, manifest: Manifest) -> str:
    """Without refusals of what is asked for as well: nothing could meet both, and the message refuses nothing."""
    asked = {part for part, _ in _parts(where, manifest)}
    return _without(where, lambda part, _: _refused(part) in asked, manifest)


def _refused(part: str) -> str:
    """What a refusal refuses; nothing of any other condition."""
    if part.startswith("NOT ("):
        return part[5:-1]
    return part.replace(" NOT ILIKE ", " ILIKE ", 1) if " NOT ILIKE " in part else ""


def _searches(plan: Plan) -> bool:
    return any(call.tool not in ("sql_filter", "facet_counts") for call in plan.calls)


def _grounded(where: str, context: PlannerContext, manifest: Manifest) -> str:
    """The filter without values and numbers that neither the message nor what came before has: they are made up."""
    heard = fold(" ".join([context.message, *(link.said for link in context.found)]))
    spanned = " ".join(f"{end}" for span in context.last_spans for end in (span.low, span.high))
    numbers = {float(number) for number in _NUMBER.findall(f"{heard} {spanned}")}
    before = _conjuncts(context.last_plan, manifest)

    def made_up(part: str, _: tuple[str, ...]) -> bool:
        if part in before:
            return False
        values = _VALUE.findall(part)
        said = {float(number) for number in _NUMBER.findall(_VALUE.sub("", part))}
        return any(fold(value) not in heard for value in values) or bool(said and not said & numbers)

    return _without(where, made_up, manifest)


def _searching(plan: Plan, context: PlannerContext, manifest: Manifest) -> Plan:
    """The plan with a search for the words of which nothing is known: names by BM25, themes by meaning."""
    message, known = context.message, [(link.start, link.end) for link in context.found]
    idle = filler_words() | STOPWORDS | {manifest.noun, f"{manifest.noun}s"}
    words = [
        word
        for word in re.finditer(r"[^\W_]+(?:['\u2019-][^\W_]+)*", message)
        if fold(word[0]) not in idle and not any(start <= word.start() < end for start, end in known)
    ]
    shouted = message.isupper() or not words
    names = [word[0] for word in words if word[0][0].isupper() and word.start() > 0 and not shouted]
    if names and words[0].start() == 0 and words[0][0][0].isupper() and words[0].end() + 1 == words[1].start():
        names = [words[0][0], *(name for name in names if name != words[0][0])]
    if not words:
        return plan
    query = " ".join(names or [word[0] for word in words])
    search = Call(tool="bm25_search" if names else "dense_search", arguments={"query": query})
    return plan.model_copy(update={"calls": (*plan.calls, search)[:MOST_CALLS]})


def _with(plan: Plan, held: Call | None, where: str) -> Plan:
    arguments = {**(held.arguments if held else {}), "where": where}
    rest = tuple(one for one in plan.calls if one is not held)
    keep = where or arguments.get("order_by")
    return plan.model_copy(update={"calls": (*([Call(tool="sql_filter", arguments=arguments)] if keep else []), *rest)})


def _words(context: PlannerContext) -> list[tuple[Link, ...]]:
    """The message's words that mean something, each with all it may mean."""
    found: list[list[Link]] = []
    for link in sorted(context.found, key=lambda one: one.start):
        if found and link.start < max(one.end for one in found[-1]):
            found[-1].append(link)
        else:
            found.append([link])
    return [tuple(word) for word in found]


def _released(context: PlannerContext, words: Sequence[tuple[Link, ...]], manifest: Manifest) -> Plan | None:
    """ "The year doesn't matter": the last plan without what it says of that column."""
    last, columns = context.last_plan, {link.said for word in words for link in word}
    if last is None or last.act != "recommend" or not words or not _TAKEN_BACK.search(context.message):
        return None
    if any(link.kind != "column" for word in words for link in word):
        return None
    held = next((call for call in last.calls if call.tool == "sql_filter"), None)
    before = str(held.arguments.get("where", "")) if held else ""
    where = _without(before, lambda _, of: bool(columns & set(of)), manifest)
    return None if where == before else _with(last.model_copy(update={"count": None}), held, where)


def _continued(where: str, context: PlannerContext, words: Sequence[tuple[Link, ...]], manifest: Manifest) -> str:
    """What still holds of the last plan stays, but for columns that are spoken of; "never mind" ends it all."""
    before = _conjuncts(context.last_plan, manifest)
    if _ANEW.search(context.message):
        meant = [link.said for word in words for link in word]
        return _without(where, lambda part, _: part in before and not any(said in part for said in meant), manifest)
    if _TAKEN_BACK.search(context.message) or _RELEASED.search(context.message):
        return where
    now = dict(_parts(where, manifest))
    spoken = {name for columns in now.values() for name in columns}
    spoken |= {name for word in words for link in word for name in re.findall(r"\w+", _VALUE.sub("", link.said))}
    lost = [part for part, columns in before.items() if part not in now and not spoken & set(columns)]
    return " AND ".join([*lost, *([where] if where else [])])


def _conjuncts(plan: Plan | None, manifest: Manifest) -> dict[str, tuple[str, ...]]:
    """What the filters of a plan are made of, with the columns."""
    wheres = [str(call.arguments.get("where", "")) for call in plan.calls if call.tool == "sql_filter"] if plan else []
    return {part: columns for where in wheres for part, columns in _parts(where, manifest)}


def _parts(where: str, manifest: Manifest) -> list[tuple[str, tuple[str, ...]]]:
    """What the filter's top-level ANDs join, each with its columns; nothing of a filter that cannot be read."""
    try:
        parts = parse_where(where, manifest).conjuncts if where else ()
        return [(_bracketed(part), parse_where(part, manifest).columns) for part in parts]
    except ToolError:
        return []


def _bracketed(part: str) -> str:
    """An "or" that stands alone has no brackets, beside others it has."""
    return f"({part})" if " OR " in part and not part.startswith("(") else part


def _without(where: str, dropped: Callable[[str, tuple[str, ...]], bool], manifest: Manifest) -> str:
    parts = _parts(where, manifest)
    kept = [part for part, columns in parts if not dropped(part, columns)]
    return where if len(kept) == len(parts) else " AND ".join(kept)


def _minus(where: str, condition: str, manifest: Manifest) -> str:
    return _without(where, lambda part, _: part == condition, manifest)


def _is_said(link: Link, message: str, plan: str) -> bool:
    if message[link.start : link.end].lower() in plan:
        return True
    value = _VALUE.search(link.said)
    return (value[1] if value else link.said.split(" ")[0]).lower() in plan


def _is_bounded(link: Link, where: str) -> bool:
    """Whether the filter bounds the link's column; a link that names none cannot be put in."""
    column = link.said.split(" ")[0]
    bare = not column[0].isalpha() or " " not in link.said or link.said.endswith((" minutes", " hours"))
    return bare or column in where


def _lead(link: Link, before: Sequence[Link], message: str) -> str:
    """The words before a link, of its own clause and after the link before it."""
    start = max((other.end for other in before), default=0)
    return _CLAUSE.split(message[start : link.start])[-1]


def _is_refused(link: Link, before: Sequence[Link], message: str) -> bool:
    return bool(_NO.search(_lead(link, before, message)))


def _turned(where: str, link: Link, before: Sequence[Link], message: str) -> str:
    """The filter with a refused condition negated, and with both sides of an "or"."""
    if _is_refused(link, before, message) and link.said in where and f"NOT ({link.said})" not in where:
        ranged = link.kind != "bound" or " BETWEEN " in link.said
        return where.replace(link.said, f"NOT ({link.said})", 1) if ranged else where
    if link.kind == "bound" and link.said not in where:
        for other in before:
            joined = _OR.fullmatch(message[other.end : link.start]) and " BETWEEN " in other.said
            if joined and link.said.split(" ")[0] == other.said.split(" ")[0] and other.said in where:
                return where.replace(other.said, f"({other.said} OR {link.said})", 1)
    return where


def _added(where: str, link: Link, before: Sequence[Link], message: str) -> str:
    """The filter with the condition of a link, as the words around it say; as it is where they leave that open."""
    for other in before:
        if _OR.fullmatch(message[other.end : link.start]) and _column(other) == _column(link):
            taken = other.said in where and f"NOT ({other.said})" not in where
            return where.replace(other.said, f"({other.said} OR {link.said})", 1) if taken else where
    lead = _lead(link, before, message)
    trail = _CLAUSE.split(message[link.end : link.end + TRAIL])[0]
    if _NO.search(lead):
        condition = f"NOT ({link.said})"
    elif _OPEN.search(lead) or _AFTER.search(trail):
        return where
    else:
        condition = link.said
    return f"{where} AND {condition}" if where else condition


def _column(link: Link) -> str:
    return _VALUE.sub("", link.said)
