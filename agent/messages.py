"""The one renderer of what the model reads, in training and in serving: each role's messages from typed data."""

import re
from collections.abc import Sequence
from importlib.resources import files
from string import Template

from agent.context import PlannerContext, Span
from agent.evidence import Pick
from agent.llm import Message, Role
from tools.schema import Column, Manifest

LETTERS = "ABCDEFGHIJKLMNOPQRST"
CARD_VALUES = 36  # a column with more values than these shows its most frequent; the grammar has them all
CARD_FREQUENT = 12
MESSAGE = 400  # characters of one message that are read
SPECIAL = re.compile(r"<\|[^|<>]*\|>")  # chat template marks: text of items and people is data and may not hold any


def clean(text: str, limit: int = MESSAGE) -> str:
    """One line without template marks, cut at `limit` characters."""
    return " ".join(SPECIAL.sub(" ", text).split())[:limit]


def template(role: Role) -> str:
    """The role's prompt file."""
    return files("prompts").joinpath(f"{role}.md").read_text(encoding="utf-8").strip()


def schema_card(manifest: Manifest) -> str:
    """The catalog's columns, a line each: name, type, range or values, note."""
    return "\n".join(["title text", *(_card_line(column) for column in manifest.columns)])


def _card_line(column: Column) -> str:
    line = f"{column.name} {'list of ' if column.is_list else ''}{column.type}"
    if column.values is not None:
        if len(column.values) > CARD_VALUES:
            return f"{line}: {', '.join(column.values[:CARD_FREQUENT])}, .."
        return f"{line}: {', '.join(column.values)}"
    if column.minimum is not None:
        line += f" {_short(column.minimum)} to {_short(column.maximum)}"
    return f"{line} ({column.note})" if column.note else line


def _short(value: float | str | None) -> str:
    return f"{value:g}" if isinstance(value, float) and value < 1e6 else str(value)


def planner_messages(
    manifest: Manifest, context: PlannerContext, examples: Sequence[Message] = (), error: str = ""
) -> tuple[Message, ...]:
    """What the planner reads: the card, then the profile, the last turn, the catalog's titles in the message, and it.

    `examples` stand between them for a model that was not trained; `error` is what was wrong with its last try.
    """
    taste = " cf_recommend: titles liked NOT disliked." if manifest.interactions else ""
    system = Template(template("planner")).substitute(noun=manifest.noun, taste=taste, card=schema_card(manifest))
    lines = []
    for name, titles in (("Likes", context.liked), ("Dislikes", context.disliked)):
        if titles:
            lines.append(f"{name}: {_list(titles)}")
    if context.last_plan is not None:
        lines.append(f"Last plan: {context.last_plan.text()}")
    if context.last_titles:
        lines.append(f"Last items: {_list(context.last_titles)}")
    if context.last_spans:
        lines.append(f"Last range: {', '.join(_span(span) for span in context.last_spans)}")
    if context.named:
        lines.append(f"Titles: {_list(context.named)}")
    lines.append(f"Message: {clean(context.message)}")
    if error:
        lines.append(f"The last try failed: {clean(error)}")
    return (Message("system", system), *examples, Message("user", "\n".join(lines)))


def _list(titles: Sequence[str]) -> str:
    return "; ".join(clean(title) for title in titles)


def _span(span: Span) -> str:
    low, high = _short(span.low), _short(span.high)
    return f"{span.column} {low}" if low == high else f"{span.column} {low} to {high}"


def ranker_messages(noun: str, wish: str, candidates: Sequence[str]) -> tuple[Message, ...]:
    """Candidates, one line each, get the letters A to T; the reply's first token is the best one's letter."""
    system = Template(template("ranker")).substitute(noun=noun)
    lines = [f"{letter}. {clean(line, 160)}" for letter, line in zip(LETTERS, candidates, strict=False)]
    return Message("system", system), Message("user", "\n".join([f"Wish: {clean(wish)}", *lines]))


def writer_messages(noun: str, wish: str, picks: Sequence[Pick], relaxed: Sequence[str]) -> tuple[Message, ...]:
    """The picks with their evidence, and what was given up to find them."""
    system = Template(template("writer")).substitute(noun=noun)
    lines = [f"Wish: {clean(wish)}"]
    lines += [f"Given up: {condition}" for condition in relaxed]
    lines += [f"{number}. {clean(pick.line())}" for number, pick in enumerate(picks, start=1)]
    return Message("system", system), Message("user", "\n".join(lines))


def chat_messages(noun: str, text: str) -> tuple[Message, ...]:
    """Small talk: the writer without picks."""
    system = Template(template("writer")).substitute(noun=noun)
    return Message("system", system), Message(
        "user", f"Wish: {clean(text)}\nNo picks: this is small talk. Answer in one sentence."
    )
