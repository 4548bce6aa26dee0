"""The one renderer of what the model reads, in training and in serving: each role's messages from typed data."""

import hashlib
import re
from collections.abc import Sequence
from importlib.resources import files
from string import Template
from typing import Literal, NamedTuple

from agent import spoken
from agent.context import PlannerContext, Span
from agent.evidence import Pick
from agent.llm import Message, Role
from tools.quantities import plain
from tools.schema import Column, Manifest

# Of what is rendered here; raised when what a role reads changes, since adapters are trained on it.
FORMATS: dict[Role, int] = {"planner": 3, "ranker": 3, "writer": 3, "user": 2}
LETTERS = "ABCDEFGHIJKLMNOPQRST"
CARD_VALUES = 36  # a column with more values than these shows its most frequent; the grammar has them all
CARD_FREQUENT = 12
MESSAGE = 400  # characters of one message that are read
CUT = " .. "  # stands for what was left out of a longer one
HEARD = 5  # picks of the last turn that the simulated user reads
USER_WORDS = 11  # facts of one item that the simulated user reads
LEAVE = "[leave]"  # ends the message of a simulated user who gives up
UserKind = Literal["knows", "vague", "changes mind", "contrary", "terse"]
SPECIAL = re.compile(r"<\|[^|<>]*\|>")  # chat template marks: text of items and people is data and may not hold any


def clean(text: str, limit: int = MESSAGE) -> str:
    """One line without template marks, cut at `limit` characters."""
    return " ".join(SPECIAL.sub(" ", text).split())[:limit]


def ends(text: str, limit: int = MESSAGE) -> str:
    """One line as `clean` gives it; of a longer text the beginning and the end: people tell first and ask last."""
    whole = clean(text, len(text))
    if len(whole) <= limit:
        return whole
    half = (limit - len(CUT)) // 2
    return f"{whole[:half].rpartition(' ')[0] or whole[:half]}{CUT}{whole[-half:].partition(' ')[2] or whole[-half:]}"


def template(role: Role) -> str:
    """The role's prompt file."""
    return files("prompts").joinpath(f"{role}.md").read_text(encoding="utf-8").strip()


def prompt_version(role: Role) -> str:
    """Changes with the role's prompt file and with this renderer: an adapter reads only what it was trained on."""
    return hashlib.sha256(f"{FORMATS[role]}\n{template(role)}".encode()).hexdigest()[:12]


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
    return plain(value) if isinstance(value, float) else str(value)


def planner_messages(
    manifest: Manifest, context: PlannerContext, examples: Sequence[Message] = (), error: str = ""
) -> tuple[Message, ...]:
    """What the planner reads: the card, then the profile, the last turn, what was found in the message, and it.

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
    if context.found:
        lines.append(f"Found: {_list([link.said for link in context.found])}")
    lines.append(f"Message: {ends(context.message)}")
    if error:
        lines.append(f"The last try failed: {clean(error)}")
    return (Message("system", system), *examples, Message("user", "\n".join(lines)))


def _list(titles: Sequence[str]) -> str:
    return "; ".join(clean(title) for title in titles)


def _span(span: Span) -> str:
    low, high = _short(span.low), _short(span.high)
    return f"{span.column} {low}" if low == high else f"{span.column} {low} to {high}"


def ranker_messages(noun: str, wish: str, candidates: Sequence[str], liked: Sequence[str] = ()) -> tuple[Message, ...]:
    """Candidates, one line each, end in the letters A to T; the reply's first token is the best one's letter.

    A letter that ends its line has read the line; one that began it would say nothing to the layers that pick.
    """
    system = Template(template("ranker")).substitute(noun=noun)
    lines = [f"Likes: {_list(liked)}"] if liked else []
    lines.append(f"Wish: {ends(wish)}")
    lines += [f"{clean(line, 160)}{letter}" for letter, line in zip(LETTERS, candidates, strict=False)]
    return Message("system", system), Message("user", "\n".join(lines))


def writer_messages(noun: str, wish: str, picks: Sequence[Pick], relaxed: Sequence[str]) -> tuple[Message, ...]:
    """The picks that the writer speaks of with their evidence, and what was given up to find them."""
    system = Template(template("writer")).substitute(noun=noun)
    shared, told = spoken.tell(picks)
    lines = [f"Wish: {clean(wish, 200)}"]
    lines += [f"Given up: {condition}" for condition in relaxed]
    lines += [f"All: {clean('; '.join(shared))}"] if shared else []
    lines += [f"{number}. {clean(pick.line())}" for number, pick in enumerate(told, start=1)]
    return Message("system", system), Message("user", "\n".join(lines))


def answer_messages(noun: str, question: str, picks: Sequence[Pick]) -> tuple[Message, ...]:
    """A question about picks, for a writer that chooses among answers: what may be asked of which, and no values."""
    system = Template(template("writer")).substitute(noun=noun)
    columns = dict.fromkeys(fact.partition(": ")[0] for pick in picks for fact in spoken.tell_all(pick).facts)
    lines = [f"Question: {clean(question, 200)}"]
    lines += [f"{number}. {clean(pick.name, 80)}" for number, pick in enumerate(picks, start=1)]
    lines.append(f"Known: {clean(', '.join(columns))}")
    return Message("system", system), Message("user", "\n".join(lines))


def chat_messages(noun: str, text: str) -> tuple[Message, ...]:
    """Small talk: the writer without picks."""
    system = Template(template("writer")).substitute(noun=noun)
    return Message("system", system), Message("user", f"Small talk: {clean(text, 200)}")


class Heard(NamedTuple):
    """One exchange as the simulated user knows it: what they said, what was answered, what was shown."""

    said: str
    reply: str
    picks: Sequence[Pick]


def user_messages(
    noun: str, persona: str, tastes: Sequence[str], dialogue: Sequence[Heard], kind: UserKind
) -> tuple[Message, ...]:
    """What the simulated user reads before their next message.

    `tastes` are attributes, a line each, never titles: "genres: Comedy, Drama", "year: 1990 to 1999",
    "not genres: Horror". Only the items shown last come with facts. A message that ends in LEAVE ends the dialogue.
    """
    system = Template(template("user")).substitute(noun=noun, leave=LEAVE)
    lines = [f"You: {clean(persona, 160)}", f"Kind: {kind}", *(f"Taste: {clean(taste, 100)}" for taste in tastes)]
    for number, heard in enumerate(dialogue, start=1):
        lines.append(f"You said: {clean(heard.said, 120)}")
        if number < len(dialogue):
            shown = "; ".join(clean(pick.item.title, 60) for pick in heard.picks)
            lines += [f"Shown: {shown}"] if shown else [f"Answer: {clean(heard.reply, 120)}"]
        else:
            lines += [] if heard.picks else [f"Answer: {clean(heard.reply, 160)}"]
            lines += [f"- {clean(_item(pick), 160)}" for pick in heard.picks[:HEARD]]
    lines.append(f"Turn {len(dialogue) + 1}")
    return Message("system", system), Message("user", "\n".join(lines))


def _item(pick: Pick) -> str:
    return f"{pick.name}: {'; '.join(spoken.short_facts(pick, USER_WORDS))}".rstrip(": ")
