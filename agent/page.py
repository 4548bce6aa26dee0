"""The chat page: it reads the turn's event stream and nothing else. The server keeps who said what."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import gradio as gr
from fastapi import FastAPI

from agent.events import Called, Planned, Shown, Text
from agent.evidence import Pick
from agent.memory import Profile
from agent.render import cards, header, message, prompts, reply, step, taste, working
from agent.server.problems import problem_of
from agent.server.service import Conversation, Service, cut_note, waited_events
from agent.visit import PAGE, Visitor, found_before, said_before
from tools.errors import UsherError

QUOTED = 200  # characters of a longer one that the chat shows
READY, WAIT = "Your message", "One moment, the page is loading"  # in the empty message box
AT_ONCE = 64  # turns of the page; the service bounds what runs and what waits
SYSTEM_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
MONOSPACE = ("ui-monospace", "Consolas", "monospace")

# A click on a button of a card or of the profile, as an event that names the item.
PRESS = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-item]');
  if (button) trigger('click', {item: button.dataset.item, feedback: button.dataset.feedback});
});
"""
SCROLL = "() => document.getElementById('conversation').scrollIntoView({block: 'nearest', behavior: 'smooth'})"

History = list[Any]  # Gradio's messages: its ChatMessage on the way out, dicts on the way in


@dataclass(frozen=True)
class Frame:
    """The page at one moment of a turn. `draft` goes into the message box; None leaves what is being typed there."""

    history: History
    picks: tuple[Pick, ...]
    draft: str | None = None


def respond(
    service: Service, text: str, history: History, conversation: Conversation, picks: tuple[Pick, ...]
) -> Generator[Frame, None, None]:
    """One turn, event by event. The conversation changes in place; `picks` stand until the turn finds others.

    An error is one line in the chat, and the message goes back to where it was typed.
    """
    longest = service.agent.settings.message_limit
    if len(text) > longest:
        problem = f"That message has {len(text):,} characters; please keep it to {longest:,}."
        yield Frame([*history, message(text[:QUOTED] + "…"), reply(problem)], picks, text)
        return
    history = [*history, message(text)]
    if cut := cut_note(text):
        history = [*history, reply(cut)]
    yield Frame([*history, working()], picks, "")
    said = ""
    try:
        with closing(waited_events(service, conversation, text, service.watch())) as events:
            for event in events:
                if isinstance(event, Planned | Called):
                    history = [*history, step(event)]
                elif isinstance(event, Shown):
                    picks = event.picks
                elif isinstance(event, Text):
                    said += event.piece
                elif event.plan.act == "recommend":
                    picks = event.picks
                yield Frame([*history, reply(said) if said else working()], picks)
    except UsherError as error:
        yield Frame([*history, reply(str(problem_of(error)))], picks, text)


def halt(service: Service, held: Any, history: History) -> History:
    """Stop the turn that runs; the chat after it. The model hears of it before it has written another word."""
    service.stop(PAGE, Visitor.of(held).talk)
    return stopped(history)


def stopped(history: History) -> History:
    """The chat of a turn that was stopped: nothing in it is still going on."""
    steady = [said for said in history if (said.get("metadata") or {}).get("status") != "pending"]
    return [*steady, reply("Stopped.")]


def mount_page(server: FastAPI, service: Service) -> FastAPI:
    """The page at the server's root. Nothing is fetched from elsewhere and no run is recorded."""
    gr.mount_gradio_app(
        server,
        build_page(service),
        path="/",
        theme=_theme(),
        css=files("agent").joinpath("page.css").read_text(encoding="utf-8"),
        footer_links=[],
        run_history=False,
        ssr_mode=False,
    )
    return server


def _theme() -> gr.themes.Base:
    return gr.themes.Base(
        primary_hue="teal", neutral_hue="stone", radius_size="lg", font=SYSTEM_FONTS, font_mono=MONOSPACE
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_600",
        button_primary_text_color="white",
        input_background_fill="white",
        input_background_fill_dark="*neutral_900",
        chatbot_text_size="*text_md",
    )


def build_page(service: Service) -> gr.Blocks:
    """The page's components and what each of them does."""
    catalog = service.agent.catalog
    manifest = catalog.manifest
    plain = {"apply_default_css": False, "padding": False}
    with gr.Blocks(title="Usher", analytics_enabled=False) as page:
        # Scrambled with a name that stands, so that it can still be read after the server was started again.
        browser = gr.BrowserState(None, storage_key="usher", secret="usher")
        picks = gr.State(())  # Gradio copies it for each browser
        gr.HTML(header(service.agent), **plain)
        with gr.Row(equal_height=False, elem_id="room"):
            with gr.Column(scale=4, min_width=320):
                chat = gr.Chatbot(
                    label="Conversation",
                    show_label=False,
                    elem_id="conversation",
                    height="auto",
                    layout="bubble",
                    buttons=[],
                    feedback_options=None,
                    latex_delimiters=[],
                    allow_tags=False,
                    placeholder=f"### What {manifest.noun} are you in the mood for?",
                    examples=[{"text": prompt} for prompt in prompts(manifest)],
                )
                grid = gr.HTML(js_on_load=PRESS, elem_id="found", **plain)
                with gr.Row(elem_id="composer"):
                    text = gr.Textbox(
                        label="Message",
                        show_label=False,
                        container=False,
                        placeholder=WAIT,
                        interactive=False,
                        max_lines=5,
                        scale=6,
                    )
                    send = gr.Button("Send", variant="primary", scale=0, min_width=88)
                    stop = gr.Button("Stop", variant="stop", scale=0, min_width=88, visible=False)
            with gr.Column(scale=1, min_width=240, elem_id="profile"):
                panel = gr.HTML(taste(Profile(), catalog), js_on_load=PRESS, **plain)
                anew = gr.Button("New conversation", size="sm")
                forget = gr.Button("Forget me", size="sm")
                gr.HTML('<p class="hint">A new conversation keeps your taste; Forget me clears it too.</p>', **plain)

        busy = gr.update(visible=False), gr.update(visible=True)
        idle = gr.update(visible=True), gr.update(visible=False)

        def take(written: str, history: History, held: Any, found: tuple[Pick, ...]) -> Generator[Any, None, None]:
            if held is None or not written.strip():  # what came before the page was ready is sent when it is
                yield gr.skip()
                return
            conversation = Visitor.of(held).conversation(service)
            for frame in respond(service, written.strip(), history, conversation, found):
                draft = gr.skip() if frame.draft is None else frame.draft
                yield draft, frame.history, frame.picks, *lists(frame.picks, conversation.session.profile), *busy

        def lists(found: tuple[Pick, ...], profile: Profile) -> tuple[str, str]:
            return cards(found, profile, manifest), taste(profile, catalog)

        def pressed(held: Any, found: tuple[Pick, ...], event: gr.EventData) -> tuple[str, str]:
            return lists(found, Visitor.of(held).press(service, str(event.item), str(event.feedback)))

        def begin(visitor: Visitor) -> tuple[Any, ...]:
            session = visitor.conversation(service).session
            found = found_before(catalog, session)
            box = gr.update(interactive=True, placeholder=READY)
            return vars(visitor), box, said_before(session), found, *lists(found, session.profile), *idle

        def chosen(event: gr.SelectData) -> str:
            return str(event.value["text"])

        private = {"api_visibility": "private", "show_progress": "hidden"}
        turn = {
            "fn": take,
            "inputs": [text, chat, browser, picks],
            "outputs": [text, chat, picks, grid, panel, send, stop],
            "concurrency_limit": AT_ONCE,
            "concurrency_id": "turn",
            **private,
        }
        sent = gr.on([text.submit, send.click], **turn)
        tried = chat.example_select(chosen, None, text, **private).then(**turn)
        fresh = [browser, text, chat, picks, grid, panel, send, stop]
        waited = page.load(lambda held: begin(Visitor.of(held)), browser, fresh, **private).then(**turn)
        turns = [sent, tried, waited]
        for ran in turns:
            ran.then(lambda: idle, None, [send, stop], **private)
        gr.on([text.submit, send.click], None, js=SCROLL)
        stop.click(
            lambda history, held: (halt(service, held, history), *idle),
            [chat, browser],
            [chat, send, stop],
            cancels=turns,
            **private,
        )

        for buttons in (grid, panel):
            buttons.click(pressed, [browser, picks], [grid, panel], trigger_mode="multiple", queue=False, **private)
        anew.click(lambda held: begin(Visitor.of(held).anew()), browser, fresh, cancels=turns, **private)
        forget.click(lambda held: begin(Visitor.of(held).forgotten(service)), browser, fresh, cancels=turns, **private)
    return page
