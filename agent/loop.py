"""The turn, from top to bottom: plan, run, relax, rank, write, check, remember."""

import random
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from agent.compose import SPOKEN, Composer, Parts, Phrases
from agent.context import planner_context
from agent.events import Called, Done, Event, Planned, Shown, Text
from agent.evidence import Pick, gather
from agent.examples import example_messages
from agent.facts import Checker, neutral_words
from agent.grammar import plan_grammar
from agent.learned import Ranking, Ranks, overheard
from agent.llm import Engine, Message, complete, open_engine
from agent.memory import Exchange, Session
from agent.messages import answer_messages, chat_messages, writer_messages
from agent.plan import Plan
from agent.planner import plan_turn
from agent.pool import Pool, excluded_rows, named_titles, run_calls
from agent.rank import combine, diversify, letter_scores
from agent.settings import Settings
from agent.warm import warm_requests
from agent.write import given_up, plain_chat, plain_question, plain_reply, tell, write
from tools.catalog import Catalog
from tools.errors import ToolError
from tools.scorer import Rows, Scores

PLAN_TRIES = 2  # a plan, and one mended after a tool refused it


@dataclass(frozen=True)
class Agent:
    """What every turn of every conversation shares; nothing in it changes from turn to turn."""

    catalog: Catalog
    ranking: Ranks
    engine: Engine
    settings: Settings
    grammar: str
    examples: tuple[Message, ...]
    neutral: frozenset[str]
    phrases: Phrases

    @classmethod
    def of(cls, catalog: Catalog, engine: Engine, settings: Settings) -> Self:
        """An untrained planner gets example plans; a trained one reads the card alone."""
        manifest, neutral = catalog.manifest, neutral_words()
        examples = () if engine.trained("planner") else example_messages(manifest)
        phrases = Phrases.read(manifest, neutral)
        return cls(catalog, Ranking.of(catalog), engine, settings, plan_grammar(manifest), examples, neutral, phrases)

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Raises CatalogError or EngineError."""
        return cls.of(Catalog.open(settings.catalog), open_engine(settings), settings)

    def warm(self) -> None:
        """Load what the first turn would wait for: the models, the grammar, the indexes and the embeddings."""
        planner_context(self.catalog, Session(), "hello")
        for request in warm_requests(self.catalog.manifest, self.examples):
            if request.role != "user" and self.engine.plays(request.role):  # the user plays in evaluation alone
                complete(self.engine, request)
        self.ranking.warm()

    def close(self) -> None:
        self.engine.close()
        self.catalog.close()


def run_turn(agent: Agent, session: Session, text: str) -> Generator[Event, None, None]:
    """One turn. The session remembers it when the last event, Done, is taken; a turn closed early leaves no mark."""
    started = time.perf_counter()
    clock = _Clock()
    plan, pool, trace = yield from _plan_and_run(agent, session, text)
    clock.lap("plan_ms", sum(call.ms for call in trace))
    clock.add("tools_ms", sum(call.ms for call in trace))

    notes: list[str] = []
    picks = _picks(agent, session, text, plan, pool, notes)
    if picks:
        yield Shown(picks, pool.relaxed)
    clock.lap("rank_ms")

    reply = ""
    for piece in _reply(agent, session, text, plan, pool, picks, notes):
        reply += piece
        yield Text(piece)
    clock.lap("write_ms")

    clock.add("total_ms", (time.perf_counter() - started) * 1000)
    liked, disliked = (named_titles(agent.catalog, plan, name) for name in ("liked", "disliked"))
    shown = tuple(pick.item.item_id for pick in picks)
    session.remember(Exchange(user=text, reply=reply, plan=plan, items=shown), liked, disliked)
    yield Done(reply, plan, picks, pool.relaxed, tuple(trace), tuple(notes), clock.timings)


def _plan_and_run(agent: Agent, session: Session, text: str) -> Generator[Event, None, tuple[Plan, Pool, list[Called]]]:
    """Plan and run the calls. What a tool refuses goes back to the planner once; the second plan stands as it is."""
    trace: list[Called] = []
    plan, pool, error = Plan(act="chat"), _empty_pool(agent, session), ""
    context = planner_context(agent.catalog, session, text)
    for _ in range(PLAN_TRIES):
        started = time.perf_counter()
        try:
            plan = plan_turn(agent.engine, agent.catalog.manifest, agent.grammar, agent.examples, context, error)
        except ToolError as refused:
            error = str(refused)
            yield Planned(None, (time.perf_counter() - started) * 1000, error)
            continue
        yield Planned(plan, (time.perf_counter() - started) * 1000)
        pool = _empty_pool(agent, session)
        calls: list[Called] = []
        for called in run_calls(agent.catalog, plan, session.profile, pool):
            calls.append(called)
            yield called
        trace += calls
        error = "; ".join(called.error for called in calls if called.error)
        if not error:
            break
    return plan, pool, trace


def _empty_pool(agent: Agent, session: Session) -> Pool:
    everything = np.ones(len(agent.catalog), dtype=np.bool_)
    return Pool(everything, excluded_rows(agent.catalog, session.profile, session.shown))


def _picks(agent: Agent, session: Session, text: str, plan: Plan, pool: Pool, notes: list[str]) -> tuple[Pick, ...]:
    """The items of this turn, best first, with their evidence."""
    catalog, settings = agent.catalog, agent.settings
    if plan.act == "answer":  # about what the plan looked up, or else about the last items
        last = [row for item in session.last.items if (row := catalog.row_of(item)) is not None] if session.last else []
        rows = pool.lists[0][: settings.shown] if pool.lists else np.array(last, dtype=np.int64)
        return tuple(gather(catalog, rows, [0.0] * len(rows), []))
    if plan.act != "recommend":
        return ()
    rows, scores = best_rows(agent, session, text, plan, pool, notes)
    return tuple(gather(catalog, rows, scores.tolist(), pool.ran))


def best_rows(
    agent: Agent, session: Session, text: str, plan: Plan, pool: Pool, notes: list[str]
) -> tuple[Rows, Scores]:
    """The rows that a recommending turn shows, best first, and their scores."""
    catalog, settings = agent.catalog, agent.settings
    ordered = agent.ranking.rank(overheard(catalog, session, text), pool).first(settings.candidates)
    rows, scores = ordered.rows, ordered.scores
    if agent.engine.plays("ranker") and len(rows) > 1 and not ordered.asked:
        likes = [row for item in session.profile.liked if (row := catalog.row_of(item)) is not None]
        candidates, liked = catalog.items(rows), catalog.items(likes)
        scores = combine(scores, letter_scores(agent.engine, catalog.manifest.noun, text, candidates, ordered, liked))
        notes.append("ranker: model")
    else:
        notes.append("ranker: fused order")
    best = diversify(catalog.dense.vectors[rows], scores, plan.count or settings.shown, settings.diversity)
    return rows[best], scores[best]


def reply_checker(agent: Agent, session: Session, text: str, plan: Plan, picks: tuple[Pick, ...]) -> Checker:
    """The check of the reply to a message that the session does not hold yet. What the person said, and the titles
    they like that the plan starts from, which may have been named long before, are no claim about an item.
    """
    said = " ".join([text, *(exchange.user for exchange in session.exchanges[-2:]), *_liked_titles(agent, plan)])
    documents = agent.catalog.documents([pick.item.row for pick in picks])
    return Checker(agent.catalog.manifest, picks, documents, said, agent.neutral)


def _reply(
    agent: Agent, session: Session, text: str, plan: Plan, pool: Pool, picks: tuple[Pick, ...], notes: list[str]
) -> Iterator[str]:
    """Checked pieces of the reply, whatever the act."""
    noun = agent.catalog.manifest.noun
    checker = reply_checker(agent, session, text, plan, picks)
    if plan.act == "ask":
        question = plan.question or ""
        # A question names no item, so the catalog's own values are the evidence it may draw on.
        asked = replace(checker, said=f"{checker.said} {' '.join(_vocabulary(agent))}")
        if question and not asked.check(question):
            notes.append("question: planner")
            yield question
        else:
            notes.append("question: plain")
            yield plain_question(agent.catalog.manifest, pool.data)
        return
    if plan.act == "recommend" and not picks:
        yield plain_reply(noun, picks, pool.relaxed)
        return
    spoken = picks[:SPOKEN] if plan.act == "recommend" else picks
    if picks:
        if pool.relaxed:
            yield given_up(pool.relaxed)
        messages, plain = writer_messages(noun, text, spoken, pool.relaxed), plain_reply(noun, picks, ())
    else:
        messages, plain = chat_messages(noun, text), plain_chat(noun)
    if agent.engine.trained("writer"):
        messages = answer_messages(noun, text, picks) if plan.act == "answer" and picks else messages
        parts = _parts(agent, text, plan, pool, spoken)
        yield from tell(agent.engine, messages, parts, checker, plain, notes)
    elif agent.engine.plays("writer"):
        yield from write(agent.engine, messages, checker, plain, notes)
    else:
        notes.append("writer: plain reply")
        yield plain


def _parts(agent: Agent, text: str, plan: Plan, pool: Pool, picks: tuple[Pick, ...]) -> Parts:
    """What the trained writer may say. The same message about the same items is answered in the same words."""
    chance = random.Random(f"{text} {[pick.item.item_id for pick in picks]}")
    composer = Composer.of(agent.phrases, agent.catalog.manifest, chance)
    if not picks:
        return composer.chatted()
    if plan.act == "answer":
        return composer.answered(picks)
    return composer.recommended(picks, _liked_titles(agent, plan), bool(pool.relaxed))


def _liked_titles(agent: Agent, plan: Plan) -> list[str]:
    return [agent.catalog.title(item) or "" for item in named_titles(agent.catalog, plan, "liked")]


def _vocabulary(agent: Agent) -> list[str]:
    return [value for column in agent.catalog.manifest.enumerated() for value in column.values or ()]


class _Clock:
    """Milliseconds of a turn's stages."""

    def __init__(self) -> None:
        self.timings: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str, less: float = 0.0) -> None:
        """The time since the last lap, less what was counted elsewhere."""
        now = time.perf_counter()
        self.timings[name] = (now - self._last) * 1000 - less
        self._last = now

    def add(self, name: str, ms: float) -> None:
        self.timings[name] = ms
