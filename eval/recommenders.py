"""What is measured by simulated users: rows of tools that need no model, and the agent on any engine.

Every row is asked in the same way and answers with a whole turn; it keeps what it must remember in the session.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Protocol, runtime_checkable

import numpy as np

from agent.events import Done
from agent.evidence import gather
from agent.llm import Engine, Message, Request, Role
from agent.loop import Agent, run_turn
from agent.memory import Exchange, Profile, Session
from agent.plan import Call, Plan
from agent.pool import Pool, excluded_rows, fuse, run_calls
from agent.stance import feeling_towards
from agent.write import plain_reply
from tools.catalog import Catalog
from tools.mentions import find_mentions
from tools.scorer import Mask

_WORD = re.compile(r"[\w'’-]+")
ASKING = frozenset(
    _WORD.findall(
        "i i'm im i'd me my you do have want like looking mood for in a an the to any what's good show see else more"
        " that something anything recommend make be it its no not nothing with please never mind none"
    )
)  # words that ask and say nothing of what is asked for
WORDS = 600  # characters of what was said, from its end, that a search reads
TOOLS: Mapping[str, tuple[str, ...]] = {
    "popularity": (),
    "bm25": ("bm25_search",),
    "dense": ("dense_search",),
    "cf": ("cf_recommend",),
    "pipeline": ("bm25_search", "dense_search", "cf_recommend"),
}
RANDOM = "random"
MODEL_FREE = (RANDOM, *TOOLS)


class Recommender(Protocol):
    """Answers one message; the session remembers the turn. The number is tokens read and written, None if unknown."""

    def turn(self, session: Session, text: str) -> tuple[Done, int | None]: ...


@dataclass(frozen=True)
class ToolsRow:
    """The named tools over all the person said, their lists fused, then popularity; `shown` items a turn."""

    catalog: Catalog
    tools: tuple[str, ...]
    shown: int

    def turn(self, session: Session, text: str) -> tuple[Done, int | None]:
        self._hear(session, text)
        said = _wish([*(exchange.user for exchange in session.exchanges), text], self.catalog.manifest.noun)
        searches = tuple(Call(tool=tool, arguments={"query": said}) for tool in self.tools if tool != "cf_recommend")
        plan = Plan(act="recommend", calls=searches)
        pool = Pool(np.ones(len(self.catalog), dtype=np.bool_), _excluded(self.catalog, session))
        profile = session.profile if "cf_recommend" in self.tools else Profile()
        trace = tuple(run_calls(self.catalog, plan, profile, pool))
        rows, scores = fuse(pool, self.catalog.popularity)
        popular, _ = fuse(Pool(pool.allowed, pool.excluded), self.catalog.popularity)
        found = dict.fromkeys([*rows.tolist(), *popular.tolist()])  # a search that finds little is filled up
        kept = list(found)[: self.shown]
        held = [*scores.tolist(), *[0.0] * self.shown][: len(kept)]
        picks = tuple(gather(self.catalog, kept, held, []))
        return _done(self.catalog, session, Done("", plan, picks, trace=trace), text), None

    def _hear(self, session: Session, text: str) -> None:
        """Titles that the person named go into the profile with the feeling towards them."""
        mentions = find_mentions(self.catalog, text)
        for place, mention in enumerate(mentions):
            feeling = feeling_towards(text, mentions, place)
            if feeling in ("liked", "disliked"):
                session.profile.note(str(self.catalog.ids[mention.row]), "like" if feeling == "liked" else "dislike")


@dataclass(frozen=True)
class RandomRow:
    """Items drawn at random, new ones each turn: what chance alone finds."""

    catalog: Catalog
    seed: int
    shown: int

    def turn(self, session: Session, text: str) -> tuple[Done, int | None]:
        who = sha256(" ".join(session.profile.liked).encode()).digest()[:8]
        draw = np.random.default_rng([self.seed, len(session.exchanges), *who])
        rows = draw.permutation(np.flatnonzero(~_excluded(self.catalog, session)))[: self.shown]
        picks = tuple(gather(self.catalog, rows, [0.0] * len(rows), []))
        return _done(self.catalog, session, Done("", Plan(act="recommend"), picks), text), None


@dataclass(frozen=True)
class AgentRow:
    """The agent as it is served."""

    agent: Agent

    def turn(self, session: Session, text: str) -> tuple[Done, int | None]:
        counting = CountingEngine(self.agent.engine)
        for event in run_turn(replace(self.agent, engine=counting), session, text):
            if isinstance(event, Done):
                return event, counting.count
        raise RuntimeError("a turn ended without Done")


@runtime_checkable
class Tokenizes(Protocol):
    """An engine that can say how its model reads a prompt."""

    def tokens(self, request: Request) -> list[int]: ...


@dataclass
class CountingEngine:
    """An engine that counts the tokens its model reads and writes; `count` is None where it cannot tell."""

    engine: Engine
    count: int | None = 0
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.engine.name

    def stream(self, request: Request) -> Iterator[str]:
        text = ""
        try:
            for piece in self.engine.stream(request):
                text += piece
                yield piece
        finally:
            self._add(request, text)

    def choose(self, request: Request, choices: Sequence[str]) -> list[float]:
        self._add(request, "")
        return self.engine.choose(request, choices)

    def trained(self, role: Role) -> bool:
        return self.engine.trained(role)

    def plays(self, role: Role) -> bool:
        return self.engine.plays(role)

    def close(self) -> None:
        """The engine belongs to another."""

    def _add(self, request: Request, text: str) -> None:
        if self.count is None or not isinstance(self.engine, Tokenizes):
            self.count = None
            return
        answered = replace(request, messages=(*request.messages, Message("assistant", text)))
        self.count += len(self.engine.tokens(answered if text else request))


def _wish(messages: Sequence[str], noun: str) -> str:
    """What was asked for in all messages, without the words that only ask; all of them where there are no others."""
    said = [word for word in _WORD.findall(" ".join(messages)) if word.lower() not in (*ASKING, noun)]
    return (" ".join(said) or messages[-1])[-WORDS:]


def _excluded(catalog: Catalog, session: Session) -> Mask:
    return excluded_rows(catalog, session.profile, session.shown)


def _done(catalog: Catalog, session: Session, done: Done, text: str) -> Done:
    """The turn with a plain reply, remembered."""
    reply = plain_reply(catalog.manifest.noun, done.picks, ())
    shown = tuple(pick.item.item_id for pick in done.picks)
    session.remember(Exchange(user=text, reply=reply, plan=done.plan, items=shown), [], [])
    return replace(done, reply=reply)
