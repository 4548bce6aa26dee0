"""Example plans for a model that was not trained, made from the catalog's own columns and values.

They show the shape of a plan and of a `where`; a trained planner never sees them.
"""

from agent.llm import Message
from agent.plan import Call, Plan
from tools.schema import Column, Manifest


def example_messages(manifest: Manifest) -> tuple[Message, ...]:
    """Pairs of a message and its plan, a handful, within what the catalog has."""
    pairs = list(_pairs(manifest))
    return tuple(
        message
        for text, plan in pairs
        for message in (Message("user", f"Message: {text}"), Message("assistant", plan.text()))
    )


def _pairs(manifest: Manifest) -> list[tuple[str, Plan]]:
    noun = manifest.noun
    pairs = [("hello!", Plan(act="chat"))]
    lists = [column for column in manifest.enumerated() if column.is_list]
    years = manifest.column("year")
    first = next((column for column in lists if len(column.values or ()) >= 6), None)
    if first is not None and first.values is not None:
        a, b, c = first.values[2:5]
        pairs.append((f"I feel like {a.lower()}", _filter(f"'{a}' IN {first.name}")))
        if years is not None:
            decade = _decade(years)
            where = f"'{b}' IN {first.name} AND year BETWEEN {decade} AND {decade + 9}"
            pairs.append(
                (f"{b.lower()} from the {decade}s, no {c.lower()}", _filter(f"{where} AND NOT ('{c}' IN {first.name})"))
            )
        else:
            pairs.append(
                (f"{b.lower()} but no {c.lower()}", _filter(f"'{b}' IN {first.name} AND NOT ('{c}' IN {first.name})"))
            )
    pairs.append(
        (
            f"a {noun} about losing a friend",
            Plan(act="recommend", calls=(_call("dense_search", query="losing a friend"),)),
        )
    )
    pairs.append((f"recommend me a {noun}", Plan(act="ask", question=f"What kind of {noun} are you in the mood for?")))
    return pairs


def _filter(where: str) -> Plan:
    return Plan(act="recommend", calls=(_call("sql_filter", where=where),))


def _call(tool: str, **arguments: str) -> Call:
    return Call(tool=tool, arguments=dict(arguments))


def _decade(years: Column) -> int:
    """A decade inside the catalog's range, not its newest."""
    newest = int(float(years.maximum or 0))
    return (newest - 25) // 10 * 10
