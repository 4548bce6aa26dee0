"""What the page shows, as chat messages and HTML. Every text in it, of an item or of a person, is escaped here."""

import html
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import gradio as gr

from agent.events import Called, Planned
from agent.evidence import Pick
from agent.loop import Agent
from agent.memory import Profile
from tools.catalog import Catalog, Item
from tools.schema import Manifest

TAGS = 4  # values of an item's first list column that its card shows
MARKS = re.compile(r"[\\`*_\[\]<>&~|#=+@]|^-|:(?=//)|(?<=www)\.", re.IGNORECASE)  # what Markdown could take for its own


def message(text: str) -> gr.ChatMessage:
    """What the person wrote."""
    return gr.ChatMessage(role="user", content=as_markdown(text))


def reply(text: str) -> gr.ChatMessage:
    """What is answered, whole or so far."""
    return gr.ChatMessage(role="assistant", content=as_markdown(text))


def working() -> gr.ChatMessage:
    """The step that stands at the end until the reply begins."""
    return gr.ChatMessage(role="assistant", content="", metadata={"title": "working", "status": "pending"})


def step(event: Planned | Called) -> gr.ChatMessage:
    """One collapsible step: what ran, with its arguments, its count and its milliseconds."""
    if isinstance(event, Planned):
        title = f"plan · {event.ms:.0f} ms"
        body = [] if event.plan is None else [_code(json.dumps(event.plan.model_dump(), indent=2, ensure_ascii=False))]
    else:
        found = "refused" if event.error else f"{event.count:,} found"
        title = f"{event.tool} · {found} · {event.ms:.0f} ms"
        body = [_code(json.dumps(event.args, indent=2, ensure_ascii=False))]
    if event.error:
        body.append(as_markdown(event.error))
    return gr.ChatMessage(
        role="assistant", content="\n\n".join(body), metadata={"title": as_markdown(title), "status": "done"}
    )


def _code(text: str) -> str:
    """A block of JSON, which has no line that could close the fence."""
    return f"```json\n{text}\n```"


def as_markdown(text: str) -> str:
    """Text as Markdown that shows it letter by letter: no tag, link or emphasis; lines and list items stay."""
    return "\n".join(
        ("- " if line.startswith("- ") else "") + MARKS.sub(r"\\\g<0>", line.removeprefix("- "))
        for line in text.split("\n")
    )


def header(agent: Agent) -> str:
    """What the catalog holds, which model runs, and a notice if it was not trained to plan."""
    manifest = agent.catalog.manifest
    columns = "".join(
        f"<li><b>{_text(column.name)}</b>{f' {_text(column.note)}' if column.note else ''}</li>"
        for column in manifest.columns
    )
    notice = (
        ""
        if agent.engine.trained("planner")
        else '<p class="notice">The language model is not trained for this job and often plans badly. '
        "Open a step to see what it understood.</p>"
    )
    return (
        f'<header class="about"><h1>Usher</h1><details><summary>{len(agent.catalog):,} {_text(manifest.noun)}s, '
        f"{len(manifest.columns)} columns · {_text(_model(agent))}</summary><ul>{columns}</ul></details>"
        f"{notice}</header>"
    )


def _model(agent: Agent) -> str:
    settings = agent.settings
    if settings.llm_url:
        return f"{settings.llm_model or 'a language model'} over HTTP"
    return f"{Path(settings.model).name} on {agent.engine.name}"


def prompts(manifest: Manifest) -> list[str]:
    """A few things to ask, from the catalog's own values."""
    column = next((column for column in manifest.enumerated() if column.is_list), None)
    values = [value.lower() for value in column.values or ()] if column is not None else []
    years = manifest.column("year")
    asked = []
    if len(values) > 2:
        asked += [f"I feel like {values[0]}", f"{values[1].capitalize()} but no {values[2]}"]
    if values and years is not None and years.maximum is not None:
        asked.append(f"{values[1 % len(values)].capitalize()} from the {int(float(years.maximum)) // 10 * 10 - 20}s")
    return [*asked, "Something about an unlikely friendship"]


def cards(picks: Sequence[Pick], profile: Profile, manifest: Manifest) -> str:
    """The items as a grid of cards, empty without items."""
    if not picks:
        return ""
    made = "".join(f"<li>{card(pick, profile, manifest)}</li>" for pick in picks)
    return f'<ul class="cards" aria-label="{_text(manifest.noun)}s found">{made}</ul>'


def card(pick: Pick, profile: Profile, manifest: Manifest) -> str:
    """Title, year, the item's first values, what it is about, why it came, and two buttons."""
    item = pick.item
    facts = "".join(f"<span>{_text(fact)}</span>" for fact in _facts(item, manifest))
    tags = "".join(f"<span>{_text(tag)}</span>" for tag in _tags(item, manifest))
    about = f"<p>{_text(pick.description)}</p>" if pick.description else ""
    why = "".join(f"<li>{_text(reason)}</li>" for reason in pick.why)
    return (
        f'<article class="card"><h3>{_text(item.title)}</h3><div class="facts">{facts}</div>'
        f'<div class="tags">{tags}</div>{about}'
        f"{f'<ul class=why aria-label=Why>{why}</ul>' if why else ''}"
        f'<div class="feedback">{_button(pick, "like", item.item_id in profile.liked)}'
        f"{_button(pick, 'dislike', item.item_id in profile.disliked)}</div></article>"
    )


def _facts(item: Item, manifest: Manifest) -> Iterator[str]:
    """The year, and the numbers whose column has a unit: a note of one word."""
    if item.year is not None:
        yield str(item.year)
    for column in manifest.columns:
        value = item.values.get(column.name)
        if column.type in ("integer", "number") and column.note.isalpha() and isinstance(value, int | float):
            yield f"{value:,g} {column.note}"


def _tags(item: Item, manifest: Manifest) -> Sequence[str]:
    """Values of the first list column with a vocabulary."""
    column = next((column for column in manifest.enumerated() if column.is_list), None)
    values = item.values.get(column.name) if column is not None else None
    return [str(value) for value in values[:TAGS]] if isinstance(values, tuple) else []


def _button(pick: Pick, feedback: str, pressed: bool) -> str:
    word = feedback.capitalize()
    return (
        f'<button type="button" data-item="{_text(pick.item.item_id)}" data-feedback="{feedback}" '
        f'aria-pressed="{str(pressed).lower()}" aria-label="{word} {_text(pick.name)}">{word}</button>'
    )


def taste(profile: Profile, catalog: Catalog) -> str:
    """The profile: what is liked and disliked, newest first, each with a button that takes it out."""
    lists = "".join(
        f"<h3>{word}</h3><ul>{''.join(_held(item_id, catalog) for item_id in reversed(held))}</ul>"
        for word, held in (("Liked", profile.liked), ("Disliked", profile.disliked))
        if held
    )
    empty = "<p>Nothing yet. What you like and dislike shapes the next answer.</p>"
    return f'<section class="taste" aria-label="Your taste"><h2>Your taste</h2>{lists or empty}</section>'


def _held(item_id: str, catalog: Catalog) -> str:
    title = _text(catalog.title(item_id) or item_id)
    return (
        f'<li><span>{title}</span><button type="button" data-item="{_text(item_id)}" data-feedback="forget" '
        f'aria-label="Forget {title}">×</button></li>'
    )


def _text(text: str) -> str:
    return html.escape(text, quote=True)
