"""A filter's text as the conditions that its top-level ANDs join, taken apart and put together again."""

import re
from collections.abc import Callable

from agent.plan import Call, Plan
from tools.errors import ToolError
from tools.schema import Manifest
from tools.where import parse_where

_TRUTH = re.compile(r"(?<== )(?:TRUE|FALSE)\b")
VALUE = re.compile(r"'%?((?:[^']|'')+?)%?'")
BOUND = re.compile(r'"?(?P<column>\w+)"? (?P<how><=?|>=?|=|BETWEEN) (?P<low>-?[\d.]+)(?: AND (?P<high>-?[\d.]+))?')


def parts_of(where: str, manifest: Manifest) -> list[tuple[str, tuple[str, ...]]]:
    """What the filter's top-level ANDs join, each with its columns; nothing of a filter that cannot be read."""
    try:
        parts = parse_where(where, manifest).conjuncts if where else ()
        return [(_bracketed(part), parse_where(part, manifest).columns) for part in parts]
    except ToolError:
        return []


def conjuncts(plan: Plan | None, manifest: Manifest) -> dict[str, tuple[str, ...]]:
    """What the filters of a plan are made of, with the columns."""
    wheres = [str(call.arguments.get("where", "")) for call in plan.calls if call.tool == "sql_filter"] if plan else []
    return {part: columns for where in wheres for part, columns in parts_of(where, manifest)}


def without(where: str, dropped: Callable[[str, tuple[str, ...]], bool], manifest: Manifest) -> str:
    """The filter without the conditions that `dropped` says so of, from their text and their columns."""
    parts = parts_of(where, manifest)
    kept = [part for part, columns in parts if not dropped(part, columns)]
    return where if len(kept) == len(parts) else joined(*kept)


def joined(*wheres: str) -> str:
    """All of the conditions together."""
    return " AND ".join(where for where in wheres if where)


def refused(part: str) -> str:
    """What a refusal refuses; nothing of any other condition."""
    if part.startswith("NOT ("):
        return part[5:-1]
    if " != " in part and " OR " not in part:
        return part.replace(" != ", " = ", 1)
    return part.replace(" NOT ILIKE ", " ILIKE ", 1) if " NOT ILIKE " in part else ""


def column_of(said: str) -> str:
    """What a condition is on: its text without its values."""
    return VALUE.sub("", said)


def filter_of(plan: Plan) -> tuple[Call | None, str]:
    """The plan's filter, and its conditions."""
    held = next((call for call in plan.calls if call.tool == "sql_filter"), None)
    return held, str(held.arguments.get("where", "")) if held else ""


def with_filter(plan: Plan, held: Call | None, where: str) -> Plan:
    """The plan with these conditions in its filter `held`, or in a new one; with none if nothing is filtered."""
    arguments = {**(held.arguments if held else {}), "where": where}
    rest = tuple(one for one in plan.calls if one is not held)
    keep = where or arguments.get("order_by")
    return plan.model_copy(update={"calls": (*([Call(tool="sql_filter", arguments=arguments)] if keep else []), *rest)})


def _bracketed(part: str) -> str:
    """An "or" that stands alone has no brackets, beside others it has; truth values are written as links have them."""
    part = _TRUTH.sub(lambda match: match[0].lower(), part)
    return f"({part})" if " OR " in part and not part.startswith("(") else part
