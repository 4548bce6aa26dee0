"""Example plans for a model that was not trained, made from the catalog's own columns and values.

They show the shape of a plan and of a `where`; a trained planner never sees them.
"""

from collections.abc import Iterator

from agent.llm import Message
from agent.plan import Call, Plan
from tools.literals import spell
from tools.schema import Column, Manifest

FEWEST = 6  # values a column has to show examples with


def example_messages(manifest: Manifest) -> tuple[Message, ...]:
    """Pairs of a message and its plan, a handful, within what the catalog has."""
    return tuple(
        message
        for text, plan in _pairs(manifest)
        for message in (Message("user", f"Message: {text}"), Message("assistant", plan.text()))
    )


def _pairs(manifest: Manifest) -> Iterator[tuple[str, Plan]]:
    noun, years = manifest.noun, manifest.column("year")
    lists = [column for column in manifest.enumerated() if column.is_list and len(column.values or ()) >= FEWEST]
    yield "hello!", Plan(act="chat")
    if lists:
        name, values = lists[0].name, lists[0].values or ()
        has = [f"{spell(value)} IN {name}" for value in values]
        words = [value.lower() for value in values]
        yield f"I feel like {words[2]}", _filter(has[2])
        yield f"a {words[3]} {noun}", _filter(has[3])
        yield f"{words[4]} but no {words[2]}", _filter(f"{has[4]} AND NOT ({has[2]})")
        if years is not None:
            decade = _decade(years)
            yield f"{words[3]} from the {decade}s", _filter(f"{has[3]} AND year BETWEEN {decade} AND {decade + 9}")
            yield f"{words[5]} after {decade + 5}", _filter(f"{has[5]} AND year >= {decade + 5}")
        yield f"some {words[5]}, please", _filter(has[5])
    for theme in ("losing a friend", "growing old"):
        yield f"a {noun} about {theme}", Plan(act="recommend", calls=(_call("dense_search", query=theme),))
    yield "thanks!", Plan(act="chat")
    yield f"recommend me a {noun}", Plan(act="ask", question=f"What kind of {noun} are you in the mood for?")


def _filter(where: str) -> Plan:
    return Plan(act="recommend", calls=(_call("sql_filter", where=where),))


def _call(tool: str, **arguments: str) -> Call:
    return Call(tool=tool, arguments=dict(arguments))


def _decade(years: Column) -> int:
    """A decade inside the catalog's range, not its newest."""
    newest = int(float(years.maximum or 0))
    return (newest - 25) // 10 * 10
