"""The page: what it makes of the event stream, its cards, and that conversations do not mix."""

import re
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from agent.events import Called, Planned
from agent.evidence import Pick
from agent.llm import EngineError, Request
from agent.loop import Agent
from agent.memory import Profile, Session
from agent.page import Frame, build_page, mount_page, respond, stopped
from agent.plan import Plan
from agent.render import as_markdown, card, cards, header, message, prompts, step, taste, working
from agent.server import limits
from agent.server.database import open_database
from agent.server.factory import build_server
from agent.server.limits import LATE
from agent.server.problems import AWAY
from agent.server.service import Conversation, Service
from agent.server.store import Person, Store
from agent.settings import Settings
from agent.visit import PAGE, Visitor, found_before, meant, said_before
from tests.scripted import ScriptedEngine
from tests.server import service_of
from tools.catalog import Catalog, Item

COMEDIES = "recommend | sql_filter 'Comedy' IN genres"
NONE_FOUND = "recommend | sql_filter NOT (rating_count >= 0)"
CHAT = "chat"
HOSTILE = ["<script>alert(1)</script>", "\"><img src=x onerror='alert(1)'>", "a & b", "' onclick='alert(1)"]


def service(catalog: Catalog, *texts: str, engine: ScriptedEngine | None = None, state: str = "") -> Service:
    state = state or str(Path(tempfile.mkdtemp(prefix="usher")) / "state.db")
    agent = Agent.of(catalog, engine or ScriptedEngine(texts), Settings(catalog=catalog.folder, state=state))
    return Service.of(agent, Store(open_database(state)))


def talk(session: Session) -> Conversation:
    return Conversation(session, "a test")


def frames(catalog: Catalog, *texts: str, say: str = "a comedy", session: Session | None = None) -> list[Frame]:
    return list(respond(service(catalog, *texts), say, [], talk(session or Session()), ()))


def titles(history: list[Any]) -> list[str]:
    return [(said.metadata or {}).get("title", "") for said in history]


def test_a_turn_shows_its_steps_as_they_come_then_the_reply_and_the_items(tiny_catalog: Catalog) -> None:
    session = Session()
    seen = frames(tiny_catalog, COMEDIES, session=session)
    assert [titles(frame.history)[1:] for frame in seen[:3]] == [
        ["working"],
        [titles(seen[-1].history)[1], "working"],
        [*titles(seen[-1].history)[1:3], "working"],
    ]
    last = seen[-1]
    assert [said.role for said in last.history] == ["user", "assistant", "assistant", "assistant"]
    assert titles(last.history)[1].startswith("plan · ")
    assert titles(last.history)[2].startswith(as_markdown("sql_filter · 12 found · "))
    assert last.history[3].content == as_markdown(session.exchanges[0].reply)
    assert tuple(pick.item.item_id for pick in last.picks) == session.exchanges[0].items
    assert len(last.picks) == 5
    assert seen[0].draft == ""
    assert {frame.draft for frame in seen[1:]} == {None}


def test_items_stand_until_a_search_finds_others_or_none(tiny_catalog: Catalog) -> None:
    shared, session = service(tiny_catalog, COMEDIES, CHAT, NONE_FOUND), talk(Session())
    (*_, comedies) = respond(shared, "a comedy", [], session, ())
    (*_, thanked) = respond(shared, "thanks", comedies.history, session, comedies.picks)
    (*_, nothing) = respond(shared, "of no year", thanked.history, session, thanked.picks)
    assert thanked.picks == comedies.picks != ()
    assert nothing.picks == ()


def test_turns_of_two_people_at_once_do_not_mix(tiny_catalog: Catalog) -> None:
    shared = service(tiny_catalog, COMEDIES, COMEDIES)
    sessions = [Session(), Session()]
    turns = [respond(shared, text, [], talk(held), ()) for text, held in zip(("one", "two"), sessions, strict=True)]
    for _ in range(20):
        for turn in turns:
            next(turn, None)
    assert [[exchange.user for exchange in session.exchanges] for session in sessions] == [["one"], ["two"]]


def test_nobody_is_anybody_before_the_browser_said_who_it_is(tiny_catalog: Catalog) -> None:
    page = build_page(service(tiny_catalog))
    assert [block.value for block in page.blocks.values() if isinstance(block, gr.State)] == [()]


def test_the_box_is_shut_until_the_page_is_ready_and_what_came_before_is_sent_then(tiny_catalog: Catalog) -> None:
    shared = service(tiny_catalog, COMEDIES)
    page = build_page(shared)
    (box,) = (block for block in page.blocks.values() if isinstance(block, gr.Textbox))
    assert not box.interactive
    (load,) = (fn for fn in page.fns.values() if ("load" in {event for _, event in fn.targets}))
    browser, update, *_ = load.fn(None)
    assert update["interactive"]
    (waited,) = (fn for fn in page.fns.values() if fn.concurrency_id == "turn" and fn.trigger_after == load._id)
    assert list(waited.fn("a comedy", [], None, ())) == [gr.skip()]
    *_, last = waited.fn("a comedy", [], browser, ())
    assert last[1][-1].content == as_markdown(shared.store.session(*talk_of(browser)).exchanges[0].reply)


def talk_of(browser: dict[str, str]) -> tuple[str, str, Person]:
    return PAGE, browser["talk"], Person.user(PAGE, browser["person"])


def test_a_visit_goes_on_where_it_was_left_also_on_another_server(tiny_catalog: Catalog, tmp_path: Path) -> None:
    state = str(tmp_path / "state.db")
    first, visitor = service(tiny_catalog, COMEDIES, state=state), Visitor.of(None)
    (*_, last) = respond(first, "a comedy", [], visitor.conversation(first), ())
    liked = last.picks[0].item.item_id
    visitor.press(first, liked, "like")
    second, again = service(tiny_catalog, state=state), Visitor.of(vars(visitor))
    session = again.conversation(second).session
    assert [said.content for said in said_before(session)] == ["a comedy", last.history[-1].content]
    assert [pick.item for pick in found_before(tiny_catalog, session)] == [pick.item for pick in last.picks]
    assert session.profile.liked == [liked]
    fresh = again.anew().conversation(second).session
    assert (fresh.exchanges, fresh.profile.liked) == ([], [liked])
    stranger = Visitor.of(None).conversation(second).session
    assert (stranger.exchanges, stranger.profile.liked) == ([], [])
    gone = again.forgotten(second)
    assert gone.person != again.person
    assert again.conversation(second).session == Session()


@pytest.mark.parametrize("held", [None, 3, {}, {"person": "../x", "talk": "a" * 32}, {"person": "a" * 32}])
def test_a_browser_that_holds_nonsense_is_somebody_new(held: Any) -> None:
    one, two = Visitor.of(held), Visitor.of(held)
    assert len({one.person, one.talk, two.person, two.talk}) == 4


def test_several_turns_may_run_at_once(tiny_catalog: Catalog) -> None:
    page = build_page(service(tiny_catalog))
    turns = [fn for fn in page.fns.values() if fn.concurrency_id == "turn"]
    assert len(turns) == 3
    assert all(fn.concurrency_limit > 1 for fn in turns)


def test_an_error_is_one_line_and_the_message_goes_back_to_where_it_was_typed(tiny_catalog: Catalog) -> None:
    class Broken(ScriptedEngine):
        def stream(self, request: Request) -> Iterator[str]:
            raise EngineError("the model is <b>gone</b>; start it")

    session = Session()
    (*_, last) = respond(service(tiny_catalog, engine=Broken()), "a comedy", [], talk(session), ())
    assert [said.content for said in last.history] == ["a comedy", as_markdown(AWAY)]
    assert last.draft == "a comedy"
    assert session.exchanges == []


def test_a_turn_that_is_closed_stops_the_model_and_leaves_no_mark(tiny_catalog: Catalog) -> None:
    class Writer(ScriptedEngine):
        stopped = False

        def stream(self, request: Request) -> Iterator[str]:
            if request.role == "planner":
                yield CHAT
                return
            try:
                while True:
                    yield "Tell me more. "
            finally:
                self.stopped = True

    engine, session = Writer(free=["writer"]), Session()
    turn = respond(service(tiny_catalog, engine=engine), "hello", [], talk(session), ())
    while not next(turn).history[-1].content.startswith("Tell"):
        assert not engine.stopped
    turn.close()
    assert engine.stopped
    assert session.exchanges == []


@pytest.mark.parametrize("hangs", [False, True])
def test_a_turn_past_its_deadline_is_seen_to_end(
    tiny_catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hangs: bool
) -> None:
    class Slow(ScriptedEngine):
        go = threading.Event()

        def stream(self, request: Request) -> Iterator[str]:
            while not self.go.wait(9 if hangs else 0.01):
                yield ""
            yield CHAT

    monkeypatch.setattr(limits, "GRACE", 0.2)
    engine, session = Slow(), Session()
    held = service_of(tiny_catalog, engine, str(tmp_path / "state.db"), deadline=0.2)
    *_, last = respond(held, "a comedy", [], talk(session), ())
    assert [said.content for said in last.history] == ["a comedy", as_markdown(f"{LATE}")]
    assert last.draft == "a comedy"
    engine.go.set()


def test_a_long_message_is_said_to_be_planned_by_its_ends(tiny_catalog: Catalog) -> None:
    seen = frames(tiny_catalog, COMEDIES, say="a comedy " * 60)
    assert "400 of 539 characters" in seen[0].history[1].content
    assert len(frames(tiny_catalog, COMEDIES, say="a comedy " * 6)[0].history) == 2


def test_a_stopped_turn_is_no_longer_working() -> None:
    history = [vars(said) for said in (message("a comedy"), step(Planned(Plan(act="chat"), 9.0)), working())]
    after = stopped(history)
    assert after[:2] == history[:2]
    assert [said.content for said in after[2:]] == ["Stopped."]


def test_a_message_that_is_too_long_is_not_run_and_not_lost(tiny_catalog: Catalog) -> None:
    session, longest = Session(), 2000
    (frame,) = frames(tiny_catalog, say="x" * (longest + 1), session=session)
    assert frame.draft == "x" * (longest + 1)
    assert "2,001" in frame.history[-1].content
    assert len(frame.history[0].content) < longest
    assert session.exchanges == []
    assert frames(tiny_catalog, COMEDIES, say="x" * longest, session=session)
    assert len(session.exchanges) == 1


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_in_an_item_is_taken_for_html(tiny_catalog: Catalog, hostile: str) -> None:
    item = Item(0, hostile, hostile, {"year": 1999, "genres": (hostile,), "description": hostile * 3})
    made = card(Pick(item, 1.0, (hostile,)), Profile(liked=[hostile]), tiny_catalog.manifest)
    made += taste(Profile(liked=[hostile], disliked=[hostile]), tiny_catalog)
    for raw in ("<script", "<img", "a & b", "' onclick"):
        assert raw not in made
    assert made.count('aria-pressed="true"') == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", r"\<script\>alert(1)\</script\>"),
        ("*batteries not included", r"\*batteries not included"),
        ("![x](https://a.example/x.png)", r"!\[x\](https\://a.example/x.png)"),
        ("WWW.example.com a@b.example", r"WWW\.example.com a\@b.example"),
        ("# not a heading", r"\# not a heading"),
        ("These fit:\n- M*A*S*H (1970)", "These fit:\n- M\\*A\\*S\\*H (1970)"),
        ("---", r"\---"),
        ("&lt;", r"\&lt;"),
    ],
)
def test_text_is_shown_letter_by_letter(text: str, shown: str) -> None:
    assert as_markdown(text) == shown


@given(st.text())
def test_showing_text_only_adds_backslashes(text: str) -> None:
    assert as_markdown(text).replace("\\", "") == text.replace("\\", "")


def test_a_card_says_what_the_catalog_knows(tiny_catalog: Catalog) -> None:
    (item,) = tiny_catalog.items([0])
    made = card(
        Pick(item, 1.0, ("liked by people who liked Salt Road",)), Profile(disliked=["x"]), tiny_catalog.manifest
    )
    for known in (item.title, str(item.year), *item.values["genres"], "liked by people who liked Salt Road"):
        assert known in made
    assert made.count('aria-pressed="false"') == 2
    assert f'aria-label="Like {item.title} ({item.year})"' in made


def test_no_items_are_no_cards(tiny_catalog: Catalog) -> None:
    pick = Pick(tiny_catalog.items([0])[0], 1.0, ())
    assert cards((), Profile(), tiny_catalog.manifest) == ""
    assert cards((pick, pick), Profile(), tiny_catalog.manifest).count("<article") == 2


def test_a_number_with_a_unit_stands_on_the_card(tiny_catalog: Catalog) -> None:
    columns = tuple(
        column.model_copy(update={"note": "minutes" if column.name == "runtime" else column.note})
        for column in tiny_catalog.manifest.columns
    )
    manifest = tiny_catalog.manifest.model_copy(update={"columns": columns})
    item = Item(0, "1", "One", {"year": 1999, "runtime": 1100})
    assert "1,100 minutes" in card(Pick(item, 1.0, ()), Profile(), manifest)
    assert "1,100" not in card(Pick(item, 1.0, ()), Profile(), tiny_catalog.manifest)


def test_a_step_says_what_ran_and_what_was_refused() -> None:
    ran = step(Called("sql_filter", {"where": "year > 1"}, 1234, 3.4))
    refused = step(Called("sql_filter", {"where": "```\n<b>"}, 0, 0.5, "no column <b>"))
    failed = step(Planned(None, 9.0, "not a plan"))
    assert titles([ran, refused]) == [r"sql\_filter · 1,234 found · 3 ms", r"sql\_filter · refused · 0 ms"]
    assert '"where": "year > 1"' in ran.content
    assert refused.content == '```json\n{\n  "where": "```\\n<b>"\n}\n```\n\nno column \\<b\\>'
    assert failed.content == "not a plan"
    assert '"act": "chat"' in step(Planned(Plan(act="chat"), 9.0)).content


def test_a_second_press_takes_feedback_back_and_another_replaces_it() -> None:
    profile = Profile(liked=["7"], disliked=["8"])
    words = ("like", "dislike", "forget", "nonsense")
    assert [meant(profile, "7", word) for word in words] == [None, "dislike", None, None]
    assert [meant(profile, "8", word) for word in words] == ["like", None, None, None]
    assert [meant(profile, "9", word) for word in words] == ["like", "dislike", None, None]


def test_the_profile_names_what_it_holds_newest_first(tiny_catalog: Catalog) -> None:
    shown = taste(Profile(liked=["1", "2"], disliked=["9"]), tiny_catalog)
    places = [shown.index(f'aria-label="Forget {tiny_catalog.title(item_id)}"') for item_id in ("2", "1", "9")]
    assert places == sorted(places)
    assert "Nothing yet" in taste(Profile(), tiny_catalog)


def test_the_examples_come_from_the_catalog(tiny_catalog: Catalog) -> None:
    made = prompts(tiny_catalog.manifest)
    assert len(made) == 4
    assert "drama" in " ".join(made).lower()
    bare = tiny_catalog.manifest.model_copy(update={"columns": ()})
    assert len(prompts(bare)) == 1


def test_an_untrained_planner_is_owned_up_to(tiny_catalog: Catalog) -> None:
    trained = ScriptedEngine(roles=["planner"])
    assert "not trained" in header(service(tiny_catalog).agent)
    assert "not trained" not in header(service(tiny_catalog, engine=trained).agent)
    assert f"{len(tiny_catalog)} {tiny_catalog.manifest.noun}s" in header(service(tiny_catalog).agent)
    for column in tiny_catalog.manifest.columns:
        assert f"<b>{column.name}</b>" in header(service(tiny_catalog).agent)


def test_beside_the_page_the_api_keeps_its_own_errors(tiny_catalog: Catalog) -> None:
    shared = service(tiny_catalog)
    client = TestClient(mount_page(build_server(shared, None), shared), base_url="http://localhost")
    for answer in (client.get("/v1/nothing"), client.delete("/v1/models")):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert "gradio" in client.get("/").text


def test_the_mounted_page_has_its_style_and_loads_nothing_from_elsewhere(tiny_catalog: Catalog) -> None:
    client = TestClient(mount_page(FastAPI(), service(tiny_catalog)))
    config = client.get("/config").json()
    assert ".card" in config["css"]
    assert config["title"] == "Usher"
    assert config["analytics_enabled"] is False
    assert config["run_history"] is False
    for text in (client.get("/").text, client.get("/theme.css").text, config["css"]):
        assert not re.search(r"(src|href)=.?https?:|url\(.?https?:|@import", text)
