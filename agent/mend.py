"""What a message names and its plan leaves out is put into the plan's filter.

A small model that plans leaves out a condition now and then ("a horror comedy" becomes horror), seldom writes one that
was not asked for, and repeats its plan when it is told so (finetune/LOG.md). What was found in the message stands in its
context, so the condition can be added as it stands there, unless the words around it say that something else is meant.
"""

import re
from collections.abc import Sequence

from agent.context import PlannerContext
from agent.plan import Call, Plan
from tools.value_index import Link

_CLAUSE = re.compile(r"[.;!?,]|\b(?:but|aber|mais|pero|ma|maar|men|ale)\b", re.IGNORECASE)
# Right before a value these refuse it.
_NO = re.compile(
    r"\b(?:no|not|non|without|w/o|nothing|neither|nor|ohne|kein|keinen?|sans|pas de|sin|senza|geen|zonder|ingen|inga"
    r"|inte|utan|bez)(?: an?| any| de| too| so)? ?$",
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
_OR = re.compile(r",? or (?:an? |some |even )?", re.IGNORECASE)
_VALUE = re.compile(r"'%?((?:[^']|'')+?)%?'")
TRAIL = 30  # characters after a word that may take it back


def completed(plan: Plan, context: PlannerContext) -> Plan:
    """The plan with what it left out; as it is where nothing was, or where it recommends nothing."""
    if plan.act != "recommend":
        return plan
    held = next((call for call in plan.calls if call.tool == "sql_filter"), None)
    before = where = str(held.arguments.get("where", "")) if held else ""
    said, words = plan.text().lower(), _words(context)
    for place, word in enumerate(words):
        link = word[0]
        if len(word) > 1 or link.kind not in ("value", "name") or _is_said(link, context.message, said):
            continue
        if any(context.message[link.start : link.end].lower() in title.lower() for title in context.named):
            continue
        where = _added(where, link, words[place - 1] if place else (), context.message)
    if where == before:
        return plan
    call = Call(tool="sql_filter", arguments={**(held.arguments if held else {}), "where": where})
    rest = tuple(one for one in plan.calls if one is not held)
    return plan.model_copy(update={"calls": (call, *rest)})


def _words(context: PlannerContext) -> list[tuple[Link, ...]]:
    """The message's words that mean something, each with all it may mean."""
    found: list[list[Link]] = []
    for link in sorted(context.found, key=lambda one: one.start):
        if found and link.start < max(one.end for one in found[-1]):
            found[-1].append(link)
        else:
            found.append([link])
    return [tuple(word) for word in found]


def _is_said(link: Link, message: str, plan: str) -> bool:
    if message[link.start : link.end].lower() in plan:
        return True
    value = _VALUE.search(link.said)
    return (value[1] if value else link.said.split(" ")[0]).lower() in plan


def _added(where: str, link: Link, before: Sequence[Link], message: str) -> str:
    """The filter with the condition of a link, as the words around it say; as it is where they leave that open."""
    for other in before:
        if _OR.fullmatch(message[other.end : link.start]) and _column(other) == _column(link):
            taken = other.said in where and f"NOT ({other.said})" not in where
            return where.replace(other.said, f"({other.said} OR {link.said})", 1) if taken else where
    start = max((other.end for other in before), default=0)
    lead = _CLAUSE.split(message[start : link.start])[-1]
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
