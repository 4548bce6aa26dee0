"""The page: what it makes of the event stream, its cards, and that conversations do not mix."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest

from agent.events import Called, Planned
from agent.evidence import Pick
from agent.llm import EngineError, Request
from agent.loop import Agent
from agent.memory import Profile, Session
from agent.page import LONGEST, Frame, build_page, press, respond, stopped
from agent.plan import Plan
from agent.render import card, prompts, step
from agent.settings import Settings
from tests.scripted import ScriptedEngine
from tools.catalog import Catalog, Item

COMEDIES = json.dumps(
    {"act": "recommend", "calls": [{"tool": "sql_filter", "where": "'Comedy' IN genres"}], "question": None}
)


def agent(catalog: Catalog, *texts: str) -> Agent:
    return Agent.of(catalog, ScriptedEngine(texts), Settings(catalog=catalog.folder))


def test_a_turn_shows_its_steps_then_the_reply_and_the_cards(tiny_catalog: Catalog) -> None:
    session = Session()
    frames = list(respond(agent(tiny_catalog, COMEDIES), "a comedy", [], session, ()))
    history, picks = frames[-1].history, frames[-1].picks
    assert [message.role for message in history] == ["user", "assistant", "assistant", "assistant"]
    titles = [(message.metadata or {}).get("title", "").replace("\\", "") for message in history]
    assert titles[1].startswith("plan · ")
    assert titles[2].startswith("sql_filter · 12 found · ")
    assert len(picks) == 5
    assert [pick.item.item_id for pick in picks] == list(session.exchanges[0].items)
    lengths = [len(frame.history) for frame in frames]
    assert lengths == sorted(lengths)
    assert frames[0].draft == ""


def test_turns_of_two_people_at_once_do_not_mix(tiny_catalog: Catalog) -> None:
    shared = agent(tiny_catalog, COMEDIES, COMEDIES)
    sessions = [Session(), Session()]
    turns: list[Iterator[Frame]] = [
        respond(shared, text, [], session, ()) for text, session in zip(("one", "two"), sessions, strict=True)
    ]
    for _ in range(20):
        for turn in turns:
            next(turn, None)
    assert [[exchange.user for exchange in session.exchanges] for session in sessions] == [["one"], ["two"]]
    press(sessions[0].profile, "3", "like")
    assert sessions[1].profile.liked == []


def test_every_browser_session_starts_with_its_own_session(tiny_catalog: Catalog) -> None:
    page = build_page(agent(tiny_catalog))
    (state,) = [
        block for block in page.blocks.values() if isinstance(block, gr.State) and isinstance(block.value, Session)
    ]
    first, second = (copy.deepcopy(state.value) for _ in range(2))  # what Gradio does for each browser session
    press(first.profile, "3", "like")
    assert second.profile.liked == state.value.profile.liked == []


def test_an_error_is_one_line_and_the_message_stays(tiny_catalog: Catalog) -> None:
    class Broken(ScriptedEngine):
        def stream(self, request: Request) -> Iterator[str]:
            raise EngineError("the model is <b>gone</b>; start it")

    broken = Agent.of(tiny_catalog, Broken(), Settings(catalog=tiny_catalog.folder))
    session = Session()
    last = list(respond(broken, "a comedy", [], session, ()))[-1]
    assert last.history[0].content == "a comedy"
    assert "gone" in str(last.history[-1].content)
    assert "<b>" not in str(last.history[-1].content)
    assert last.draft == "a comedy"
    assert session.exchanges == []


def test_a_message_that_is_too_long_is_refused_and_kept(tiny_catalog: Catalog) -> None:
    session, long = Session(), "x" * (LONGEST + 1)
    (only,) = respond(agent(tiny_catalog), long, [], session, ())
    assert f"{LONGEST:,}" in str(only.history[-1].content)
    assert only.draft == long
    assert session.exchanges == []


def test_a_stopped_turn_leaves_no_step_running() -> None:
    shown = [
        {"role": "assistant", "metadata": {"status": "done"}},
        {"role": "assistant", "metadata": {"status": "pending"}},
    ]
    kept = stopped(shown)
    assert kept[:1] == shown[:1]
    assert len(kept) == 2


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a & b"])
def test_nothing_in_an_item_is_taken_for_html(hostile: str, tiny_catalog: Catalog) -> None:
    item = Item(0, "1", hostile, {"year": 1999, "genres": (hostile,)})
    made = card(Pick(item, 1.0, (hostile,)), Profile(), tiny_catalog.manifest)
    assert "<script" not in made
    assert "<img" not in made
    assert made.count("&amp;") + made.count("&lt;") >= 3


def test_a_step_says_what_ran_and_what_was_refused() -> None:
    ran = step(Called("sql_filter", {"where": "year > 1"}, 1234, 3.4))
    refused = step(Called("sql_filter", {"where": "colour = 1"}, 0, 0.5, "no column 'colour'"))
    failed = step(Planned(None, 9.0, "not a plan"))
    assert (ran.metadata or {})["title"].replace("\\", "") == "sql_filter · 1,234 found · 3 ms"
    assert '"where": "year > 1"' in str(ran.content)
    assert "no column 'colour'" in str(refused.content).replace("\\", "")
    assert "refused" in str((refused.metadata or {})["title"])
    assert "not a plan" in str(failed.content)
    assert '"chat"' in str(step(Planned(Plan(act="chat"), 9.0)).content)


def test_a_second_click_takes_feedback_back_and_another_replaces_it() -> None:
    session = Session()
    profiles: list[Any] = []
    for feedback in ("like", "like", "like", "dislike"):
        press(session.profile, "7", feedback)
        profiles.append((list(session.profile.liked), list(session.profile.disliked)))
    assert profiles == [(["7"], []), ([], []), (["7"], []), ([], ["7"])]


def test_the_examples_come_from_the_catalog(tiny_catalog: Catalog) -> None:
    made = prompts(tiny_catalog.manifest)
    assert len(made) == 4
    assert "drama" in " ".join(made).lower()
