"""The chat page: it reads the turn's event stream and nothing else, and keeps one Session a browser session."""

import html
import json
from collections.abc import Callable, Generator
from importlib.resources import files
from typing import Any

import gradio as gr
from fastapi import FastAPI

from agent.events import Called, Planned, Shown, Text
from agent.evidence import Pick
from agent.loop import Agent, run_turn
from agent.memory import Feedback, Session
from tools.errors import UsherError
from tools.schema import Manifest

LONGEST = 2000  # characters of one message
AT_ONCE = 8  # turns that run side by side; the model itself takes them in order
SYSTEM_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")

History = list[gr.ChatMessage]
Cards = list[tuple[str, str]]  # item id and HTML of each card shown
Update = tuple[History, Session, Cards]


def mount_page(server: FastAPI, agent: Agent) -> FastAPI:
    """The page at the server's root. Nothing is fetched from elsewhere: system fonts, no analytics."""
    theme = gr.themes.Soft(primary_hue="indigo", neutral_hue="slate", font=SYSTEM_FONTS, font_mono=("monospace",))
    style = files("agent").joinpath("page.css").read_text(encoding="utf-8")
    gr.mount_gradio_app(server, build_page(agent), path="/", theme=theme, css=style, footer_links=[])
    return server


def respond(agent: Agent, text: str, history: History, session: Session) -> Generator[Update, None, None]:
    """One turn, event by event: the history so far, the session, and the items to show as cards."""
    history = [*history, gr.ChatMessage(role="user", content=text)]
    cards: Cards = []
    yield history, session, cards
    reply = ""
    try:
        for event in run_turn(agent, session, text[:LONGEST]):
            if isinstance(event, Planned | Called):
                history = [*history, step(event)]
            elif isinstance(event, Shown):
                cards = [(pick.item.item_id, card(pick)) for pick in event.picks]
            elif isinstance(event, Text):
                shown = history[:-1] if reply else history
                reply += event.piece
                history = [*shown, gr.ChatMessage(role="assistant", content=as_markdown(reply))]
            yield history, session, cards
    except UsherError as error:
        yield [*history, gr.ChatMessage(role="assistant", content=f"Sorry: {as_markdown(str(error))}")], session, cards


def step(event: Planned | Called) -> gr.ChatMessage:
    """One collapsible step: what ran, with its arguments, its count and its milliseconds."""
    if isinstance(event, Planned):
        title = f"plan · {event.ms:.0f} ms"
        body = event.error or (event.plan.text() if event.plan else "")
    else:
        found = "refused" if event.error else f"{event.count:,} found"
        title = f"{event.tool} · {found} · {event.ms:.0f} ms"
        body = json.dumps(event.args, indent=2, ensure_ascii=False) + (f"\n\n{event.error}" if event.error else "")
    fence = "```" if "```" not in body else "~~~~"
    return gr.ChatMessage(
        role="assistant", content=f"{fence}\n{body}\n{fence}", metadata={"title": title, "status": "done"}
    )


def as_markdown(text: str) -> str:
    """Text as it stands: nothing in it is taken for HTML."""
    return html.escape(text, quote=False)


def card(pick: Pick) -> str:
    """One item as HTML: title, year, its short values and why it came. Everything in it is escaped."""
    values = pick.item.values
    lists = [value for value in values.values() if isinstance(value, tuple) and value]
    tags = "".join(f"<span>{html.escape(str(tag))}</span>" for tag in (lists[0][:4] if lists else ()))
    why = "".join(f"<li>{html.escape(reason)}</li>" for reason in pick.why)
    about = f"<p>{html.escape(pick.description)}</p>" if pick.description else ""
    year = f" <small>{pick.item.year}</small>" if pick.item.year is not None else ""
    return (
        f'<article class="card"><h3>{html.escape(pick.item.title)}{year}</h3>'
        f'<div class="tags">{tags}</div>{about}<ul>{why}</ul></article>'
    )


def toggle(session: Session, item_id: str, feedback: Feedback) -> Session:
    """Note a like or a dislike; the same again takes it back."""
    held = session.profile.liked if feedback == "like" else session.profile.disliked
    if item_id in held:
        session.profile.forget(item_id)
    else:
        session.profile.note(item_id, feedback)
    return session


def prompts(manifest: Manifest) -> list[str]:
    """A few things to ask, from the catalog's own values."""
    asked = []
    column = next((column for column in manifest.enumerated() if column.is_list), None)
    values = [value.lower() for value in (column.values or ())] if column is not None else []
    years = manifest.column("year")
    if len(values) > 2:
        asked += [f"I feel like {values[0]}", f"{values[1]} but no {values[2]}"]
    if values and years is not None and years.maximum is not None:
        asked.append(f"{values[1 % len(values)]} from the {int(float(years.maximum)) // 10 * 10 - 20}s")
    return [*asked, f"a {manifest.noun} about an unlikely friendship"]


def build_page(agent: Agent) -> gr.Blocks:
    """The page's components and what each of them does."""
    manifest = agent.catalog.manifest
    with gr.Blocks(title="Usher", analytics_enabled=False, fill_width=True) as page:
        session, picks, noted = gr.State(Session()), gr.State([]), gr.State(0)
        gr.HTML(_header(agent))
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=320):
                chat = gr.Chatbot(
                    label="Conversation",
                    height="52vh",
                    buttons=[],
                    feedback_options=None,
                    layout="bubble",
                    placeholder=f"Say what {manifest.noun} you are in the mood for.",
                )
                with gr.Row(elem_classes="ask"):
                    text = gr.Textbox(
                        placeholder="Your message", label="Message", show_label=False, max_length=LONGEST, scale=6
                    )
                    send = gr.Button("Send", variant="primary", scale=1, min_width=80)
                    stop = gr.Button("Stop", scale=1, min_width=80)
                gr.Examples([[prompt] for prompt in prompts(manifest)], inputs=text, label="Try")
                cards = gr.Column(elem_classes="cards")
            with gr.Column(scale=1, min_width=260, elem_classes="profile"):
                panel = gr.Column()
                anew = gr.Button("New conversation", size="sm")
                forget = gr.Button("Forget me", size="sm", variant="stop")

        def take(message: str, history: History, kept: Session) -> Generator[tuple[Any, ...], None, None]:
            if not message.strip():
                yield message, history, kept, gr.skip()
                return
            for update in respond(agent, message.strip(), history, kept):
                yield "", *update

        asked = [text, chat, session]
        shown = [text, chat, session, picks]
        running = [
            event(take, asked, shown, concurrency_limit=AT_ONCE, show_progress="hidden")
            for event in (text.submit, send.click)
        ]
        stop.click(None, cancels=running)

        def bump(count: int) -> int:
            return count + 1

        def button(label: str, pressed: bool, change: Callable[[Session], Session], name: str) -> None:
            variant = "primary" if pressed else "secondary"
            made = gr.Button(label, variant=variant, size="sm", min_width=80, elem_classes=name)
            made.click(change, session, session, show_progress="hidden").then(
                bump, noted, noted, show_progress="hidden"
            )

        with cards:

            def _cards(found: Cards, kept: Session, _: int) -> None:
                for item_id, shown_as in found:
                    with gr.Column(elem_classes="cell", min_width=220):
                        gr.HTML(shown_as)
                        with gr.Row():
                            for word, feedback in (("Like", "like"), ("Dislike", "dislike")):
                                held = kept.profile.liked if feedback == "like" else kept.profile.disliked
                                button(word, item_id in held, _toggling(item_id, feedback), f"{feedback}-{item_id}")

            gr.render(inputs=[picks, session, noted])(_cards)

        with panel:

            def _profile(kept: Session, _: int) -> None:
                for word, held in (("You like", kept.profile.liked), ("You don't like", kept.profile.disliked)):
                    gr.Markdown(f"**{word}**" if held else f"**{word}**: nothing yet")
                    for item_id in list(held):
                        button(f"✕ {agent.catalog.title(item_id) or item_id}", False, _forgetting(item_id), "forget")

            gr.render(inputs=[session, noted])(_profile)

        for begin in (anew.click, chat.clear):
            begin(_begin, session, [chat, session, picks])
        forget.click(lambda: ([], Session(), []), None, [chat, session, picks]).then(bump, noted, noted)
    return page


def _begin(session: Session) -> Update:
    """A new conversation keeps the likes."""
    return [], Session(profile=session.profile), []


def _toggling(item_id: str, feedback: str) -> Callable[[Session], Session]:
    return lambda session: toggle(session, item_id, "like" if feedback == "like" else "dislike")


def _forgetting(item_id: str) -> Callable[[Session], Session]:
    def forget(session: Session) -> Session:
        session.profile.forget(item_id)
        return session

    return forget


def _header(agent: Agent) -> str:
    manifest = agent.catalog.manifest
    columns = ", ".join(column.name.replace("_", " ") for column in manifest.columns)
    notice = (
        ""
        if agent.engine.trained("planner")
        else "<p class='notice'>The language model is not trained for this job yet and often plans badly: "
        "open a plan step to see what it understood.</p>"
    )
    return (
        f"<header><h1>Usher</h1><p>{len(agent.catalog):,} {html.escape(manifest.noun)}s · {html.escape(columns)} · "
        f"{html.escape(agent.engine.name)}</p>{notice}</header>"
    )
