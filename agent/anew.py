"""Whether a message starts anew ("scratch everything", "vergiss das alles"), and what of a plan it says itself."""

from dataclasses import replace

from agent.conditions import conjuncts, filter_of, with_filter, without
from agent.context import PlannerContext
from agent.cues import clauses, phrases
from agent.plan import Call, Plan
from tools.schema import Manifest


def is_anew(message: str) -> bool:
    """Whether nothing of before holds any more."""
    return any(phrases("anew").search(clause.said) for clause in clauses(message))


def said_anew(context: PlannerContext) -> PlannerContext:
    """The context without the clauses that end what was before: what is left is the new wish."""
    message = context.message
    for clause in clauses(message):
        if phrases("anew").search(clause.said):
            message = message[: clause.start] + " " * (clause.end - clause.start) + message[clause.end :]
    return replace(context, message=message)


def of_this_message(plan: Plan, context: PlannerContext, manifest: Manifest) -> Plan:
    """The plan without what it has of the last one only; conditions that the message says again stay."""
    last = context.last_plan
    if last is None:
        return plan
    plan = plan.model_copy(
        update={"calls": tuple(call for call in plan.calls if call.tool == "sql_filter" or call not in last.calls)}
    )
    held, where = filter_of(plan)
    if held is None:
        return plan
    said = [link.said for link in context.found]
    old, _ = filter_of(last)
    order = held.arguments.get("order_by")
    if old and order == old.arguments.get("order_by") and not any("ORDER BY" in one for one in said):
        order = None
    before = conjuncts(last, manifest)
    kept = without(where, lambda part, _: part in before and not any(one in part for one in said), manifest)
    bare = Call(tool=held.tool, arguments={"where": kept} | ({"order_by": order} if order else {}))
    plan = plan.model_copy(update={"calls": tuple(bare if call is held else call for call in plan.calls)})
    return with_filter(plan, bare, kept)
