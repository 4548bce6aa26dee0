"""What the planner knows when a message comes: the profile, the last turn and the catalog's titles in the message."""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.memory import Session
from agent.plan import Plan
from tools.catalog import Catalog
from tools.mentions import Mention, common_words, find_mentions
from tools.quantities import plain
from tools.schema import Manifest
from tools.value_index import Link, ValueIndex

MEANT = 0.9  # score of a mention that capitals or quotes show to be a title
RECALLED = 8  # the newest likes and dislikes the planner reads; the whole profile goes into the tools


@dataclass(frozen=True)
class Span:
    """What a column of numbers or dates spans over the last items: "older" means below it."""

    column: str
    low: float | str
    high: float | str


@dataclass(frozen=True)
class PlannerContext:
    """Everything the planner reads beside the card; titles, never ids, oldest first."""

    message: str
    liked: tuple[str, ...] = ()
    disliked: tuple[str, ...] = ()
    last_plan: Plan | None = None
    last_titles: tuple[str, ...] = ()
    last_spans: tuple[Span, ...] = ()
    named: tuple[str, ...] = ()  # the catalog's titles found in the message
    found: tuple[Link, ...] = ()  # what its other words may mean in the catalog


def planner_context(catalog: Catalog, session: Session, text: str) -> PlannerContext:
    """The context of one message."""
    mentions = find_mentions(catalog, text)
    named = dict.fromkeys(str(catalog.titles[mention.row]) for mention in mentions)
    # Small talk and answers between leave the wish and the items as they were.
    plan = next((e.plan for e in reversed(session.exchanges) if e.plan and e.plan.act in ("recommend", "ask")), None)
    last = next((exchange.items for exchange in reversed(session.exchanges) if exchange.items), ())
    rows = [row for item in last if (row := catalog.row_of(item)) is not None]
    shown = catalog.items(rows) if rows else []
    spanned = spans(catalog.manifest, [{"year": item.year, **item.values} for item in shown])
    return PlannerContext(
        message=text,
        liked=_titles(catalog, session.profile.liked),
        disliked=_titles(catalog, session.profile.disliked),
        last_plan=plan,
        last_titles=tuple(item.title for item in shown),
        last_spans=spanned,
        named=tuple(named)[:RECALLED],
        found=tuple(
            link for link in found_in(catalog.value_index, text, spanned) if not _in_a_title(link, text, mentions)
        ),
    )


def found_in(index: ValueIndex, text: str, shown: Sequence[Span]) -> tuple[Link, ...]:
    """Conditions, columns, bounds and orders that the words of a message may mean; `shown` is of the last items."""
    ends = [
        (span.column, plain(span.low), plain(span.high))
        for span in shown
        if isinstance(span.low, float) and isinstance(span.high, float)
    ]
    return tuple(index.link(text, common_words(), ends))


def _in_a_title(link: Link, text: str, mentions: Sequence[Mention]) -> bool:
    """Whether the words are a part of what surely is a title: the place in "Out of Africa", not in "scary movie"."""
    for mention in mentions:
        if mention.start <= link.start and link.end <= mention.end:
            words = len(text[mention.start : mention.end].split()) - len(text[link.start : link.end].split())
            return words > 1 or (words == 1 and mention.score >= MEANT)
    return False


def spans(manifest: Manifest, items: list[dict[str, object]]) -> tuple[Span, ...]:
    """What every column of single numbers or dates spans over these items; columns without a value are left out."""
    found = []
    for column in manifest.columns:
        if column.type in ("integer", "number", "date") and not column.is_list:
            values = [value for item in items if (value := item.get(column.name)) is not None]
            if values:
                low, high = min(values, key=_order), max(values, key=_order)
                found.append(Span(column.name, _plain(low), _plain(high)))
    return tuple(found)


def _order(value: object) -> float | str:
    return float(value) if isinstance(value, (int, float)) else str(value)


def _plain(value: object) -> float | str:
    return float(value) if isinstance(value, (int, float)) else str(value)


def _titles(catalog: Catalog, items: list[str]) -> tuple[str, ...]:
    return tuple(title for item in items[-RECALLED:] if (title := catalog.title(item)) is not None)
