"""A small model's plan mended by what its message says: left out, put in; refused, negated; taken back, dropped.

A small model now and then leaves a condition out ("a horror comedy" becomes horror), overlooks a "not", or keeps what
was taken back, and repeats its plan when it is told so (finetune/LOG.md). What was found in the message is in its
context; with it the plan can be mended, unless the words around it leave open what is meant.
"""

import re
from dataclasses import replace

from agent.anew import is_anew, of_this_message, said_anew
from agent.conditions import (
    BOUND,
    VALUE,
    column_of,
    conjuncts,
    filter_of,
    joined,
    parts_of,
    refused,
    with_filter,
    without,
)
from agent.context import PlannerContext
from agent.cues import phrases, plainly
from agent.exchanged import consistent_bounds, exchanged, likeness_exchanged, themes_exchanged
from agent.left_out import (
    added,
    asserted,
    both_of,
    either_of,
    either_way,
    is_bounded,
    is_exchanged,
    is_refused,
    is_said,
    turned,
    words_of,
)
from agent.misplaced import on_their_columns
from agent.plan import MOST_CALLS, Call, Plan
from agent.sense import acting, ordered, sensible, with_theme
from agent.taken_back import Rest, refused_person, taken_back
from agent.tastes import search_for, tasted
from tools.mentions import filler_words
from tools.schema import Manifest
from tools.text import STOPWORDS, fold
from tools.value_index import Link

_SHOWN = re.compile(r"\b(?:th[eo]se|them|than|dies\w*|als|ces|ceux|celles|est[oa]s|quest\w+|quell\w+|que|che|dan|an)\b")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def mended(plan: Plan, context: PlannerContext, manifest: Manifest) -> Plan:
    """The plan with what it left out of the message, turned or kept; as it is where it recommends nothing."""
    anew = is_anew(context.message)
    rest = None if anew else taken_back(context, manifest)
    plan = acting(plan, context, back=rest is not None)
    if plan.act != "recommend":
        return plan
    plan = ordered(sensible(plan, context), context)
    if rest is not None:
        context = _after(rest, context)
        plan = _continuing(rest, plan, context, manifest)
    elif anew:
        plan = of_this_message(plan, context, manifest)
    held, before = filter_of(plan)
    where = on_their_columns(_grounded(before, context, manifest), context, manifest)
    if not anew and context.last_plan is not None and context.last_plan.act == "recommend":
        where = _continued(where, context, manifest)
        plan = _searching_on(plan, context)
    where, asked, gone = _spoken(where, plan, context, manifest)
    if not anew:
        where = exchanged(where, context, asked, gone, manifest)
        calls = themes_exchanged(likeness_exchanged(plan.calls, context), context)
        plan = plan.model_copy(update={"calls": calls})
    where = _consistent(consistent_bounds(where, asked, manifest), manifest)
    tastes = tasted(plan, where, context)
    where = without(where, lambda part, _: part in tastes, manifest)
    if where == before:
        made = with_theme(plan, context)
        return _searching(made, said_anew(context), manifest) if anew and not made.calls else made
    made = with_filter(plan, held, where)
    made = made.model_copy(update={"calls": (*made.calls, *search_for(tastes))[:MOST_CALLS]})
    made = with_theme(made, context)
    return made if where or _searches(made) or rest is not None else _searching(made, context, manifest)


def _spoken(where: str, plan: Plan, context: PlannerContext, manifest: Manifest) -> tuple[str, list[Link], set[str]]:
    """The filter with what the message says of each value it names; those it asks for, and the conditions that it
    names only to put others in their place.
    """
    words, message = words_of(context), context.message
    said = plan.text().lower()
    asked, refusals, gone = list[Link](), list[Link](), set[str]()
    before = conjuncts(context.last_plan, manifest)
    for place, word in enumerate(words):
        link, previous = word[0], words[place - 1] if place else ()
        if any(is_exchanged(one, previous, message) for one in word):
            gone |= {one.said for one in word}
            where = without(where, lambda part, _: part in gone, manifest)  # noqa: B023 (called at once)
            continue
        refused_here = is_refused(link, previous, message)
        (refusals if refused_here else asked).extend(word)
        now = without(where, lambda part, _: part in before and link.said not in part, manifest)  # noqa: B023
        if len(word) == 1 and _is_compared(link, now, context):
            where = added(where, link, previous, message)
        if len(word) > 1 or link.kind not in ("value", "name", "bound"):
            continue
        typed = message[link.start : link.end].lower()
        if any(typed in title.lower() and title.lower() in said for title in context.named):
            continue  # it is a part of a title that the plan is about
        if is_said(link, message, said) if link.kind != "bound" else is_bounded(link, now):
            where = turned(where, link, previous, message)
            if f"NOT ({link.said})" not in before:
                where = asserted(where, link, previous, message)
        else:
            where = added(where, link, previous, message)
        where = either_way(where, link, message, manifest)
    # "Australian, not British": what is refused of the last plan just goes when another takes its place.
    columns = {column_of(link.said) for link in asked if link.said not in before}
    swapped = {link.said for link in refusals if link.said in before and column_of(link.said) in columns}
    if swapped:
        where = without(where, lambda part, _: part in swapped or refused(part) in swapped, manifest)
    where = both_of(either_of(where, words, message, manifest), words, message)
    return refused_person(where, context, manifest), asked, gone | swapped


def _is_compared(link: Link, now: str, context: PlannerContext) -> bool:
    """Whether a word such as "shorter" compares with what was shown, and the new part of the filter has it not."""
    bound = BOUND.fullmatch(link.said) if link.kind == "word" else None
    shown = {span.column for span in context.last_spans}
    return bound is not None and bound["column"] in shown and bound["column"] not in now


def _after(rest: Rest, context: PlannerContext) -> PlannerContext:
    """What was said beside what was taken back, after what is left of the last plan."""
    message = context.message
    for clause in rest.said:
        message = message[: clause.start] + " " * (clause.end - clause.start) + message[clause.end :]
    found = tuple(link for link in context.found if not any(one.holds(link.start, link.end) for one in rest.said))
    return replace(context, message=message, found=found, last_plan=rest.plan)


def _continuing(rest: Rest, plan: Plan, context: PlannerContext, manifest: Manifest) -> Plan:
    """What is left of the last plan, with what the new plan has beside it that the rest of the message says."""
    held, where = filter_of(rest.plan)
    _, planned = filter_of(plan)
    old = {*parts_of(where, manifest), *((part, ()) for part in rest.gone)}
    known = {part for part, _ in old}
    heard = fold(context.message)
    new = [
        part
        for part, _ in parts_of(planned, manifest)
        if part not in known
        and refused(part) not in known
        and (
            any(link.said in part for link in context.found)
            or any(fold(value) in heard for value in VALUE.findall(part))
        )
    ]
    made = with_filter(rest.plan, held, joined(where, *new))
    calls = [
        call
        for call in plan.calls
        if call.tool not in ("sql_filter", "facet_counts")
        and call not in made.calls
        and any(len(word) > 3 and word in heard for word in re.findall(r"[^\W_]+", fold(call.text().split(" ", 1)[1])))
    ]
    count = plan.count if context.message.strip() else None
    return made.model_copy(update={"calls": (*made.calls, *calls)[:MOST_CALLS], "count": count})


def _consistent(where: str, manifest: Manifest) -> str:
    """Without refusals of what is asked for as well: nothing could meet both, and the message refuses nothing."""
    asked = {part for part, _ in parts_of(where, manifest)}
    return without(where, lambda part, _: refused(part) in asked, manifest)


def _searches(plan: Plan) -> bool:
    return any(call.tool not in ("sql_filter", "facet_counts") for call in plan.calls)


def _grounded(where: str, context: PlannerContext, manifest: Manifest) -> str:
    """The filter without values and numbers that neither the message nor what came before has: they are made up."""
    heard = fold(" ".join([context.message, *(link.said for link in context.found)]))
    ends = [end for span in context.last_spans for end in (span.low, span.high)] if _SHOWN.search(heard) else []
    numbers = {float(number) for number in [*_NUMBER.findall(heard), *ends]}
    before = conjuncts(context.last_plan, manifest)

    def made_up(part: str, _: tuple[str, ...]) -> bool:
        if part in before:
            return False
        values = VALUE.findall(part)
        said = {float(number) for number in _NUMBER.findall(VALUE.sub("", part))}
        return any(fold(value) not in heard for value in values) or bool(said and not said & numbers)

    return without(where, made_up, manifest)


def _searching(plan: Plan, context: PlannerContext, manifest: Manifest) -> Plan:
    """The plan with a search for the words of which nothing is known: names by BM25, themes by meaning."""
    message, known = context.message, [(link.start, link.end) for link in context.found]
    idle = filler_words() | STOPWORDS | {manifest.noun, f"{manifest.noun}s", "instead"}
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


def _searching_on(plan: Plan, context: PlannerContext) -> Plan:
    """The plan with the searches of the last one, if it searches for nothing and nothing says that they are over."""
    said, last = plainly(context.message), context.last_plan
    over = any(phrases(name).search(said) for name in ("taken_back", "exchanged"))
    if last is None or over or _searches(plan) or not context.found:
        return plan
    searches = [call for call in last.calls if call.tool in ("bm25_search", "dense_search", "similar_items")]
    return plan.model_copy(update={"calls": (*plan.calls, *searches)[:MOST_CALLS]})


def _continued(where: str, context: PlannerContext, manifest: Manifest) -> str:
    """What still holds of the last plan stays, but for columns that are spoken of."""
    if phrases("taken_back").search(plainly(context.message)):
        return where  # what that was is the planner's to say
    before, now = conjuncts(context.last_plan, manifest), dict(parts_of(where, manifest))
    spoken = {name for columns in now.values() for name in columns}
    spoken |= {name for link in context.found for name in re.findall(r"\w+", column_of(link.said))}
    lost = [part for part, columns in before.items() if part not in now and not spoken & set(columns)]
    return joined(*lost, where)
