"""The agent's rows of a replay: its own turns along a recorded dialogue, and again without each of its parts.

The agent plans every message as it came, and then hears what the other side really replied. What it plans does not hang
on how items are ranked, so plans are made once and kept. Its turn is the real one up to the items; replies are not
written. Its ranking is what it shows, in order, and then the rest of its fused list. A turn in which it asks or chats
instead shows nothing, and its ranking is what the conversation alone gives.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from agent.events import Planned, Shown, Text
from agent.learned import Ordered, Ranks, overheard
from agent.llm import Engine, Request, Role
from agent.loop import Agent, best_rows, run_turn
from agent.memory import Exchange, Profile, Session
from agent.plan import Call, Plan
from agent.pool import Pool, excluded_rows, fuse, named_titles, run_calls
from agent.recorded import Turn, exchanges
from agent.signals import Talk
from agent.stance import stances
from eval.replay_rows import Ranked, cuts, with_tail
from tools.catalog import Catalog
from tools.mentions import find_mentions
from tools.scorer import Rows

WITHOUT: Mapping[str, tuple[str, ...]] = {
    "agent without filters": ("sql_filter",),
    "agent without CF": ("cf_recommend", "similar_items"),
    "agent without text search": ("bm25_search", "dense_search"),
}
QUERY = 300  # characters that a search takes

Rankings = dict[str, dict[str, Ranked]]  # row -> id of a turn


@dataclass(frozen=True)
class Fused:
    """Ranks by the plan's lists alone, nothing learned."""

    catalog: Catalog

    def rank(self, _: Talk, pool: Pool) -> Ordered:
        return Ordered.plain(*fuse(pool, self.catalog.popularity))

    def warm(self) -> None:
        """Nothing is loaded."""


@dataclass
class _Unranked:
    """An engine that does not play the ranker."""

    engine: Engine
    name: str = "unranked"

    def stream(self, request: Request) -> Iterator[str]:
        return self.engine.stream(request)

    def choose(self, request: Request, choices: Sequence[str]) -> list[float]:
        return self.engine.choose(request, choices)

    def trained(self, role: Role) -> bool:
        return role != "ranker" and self.engine.trained(role)

    def plays(self, role: Role) -> bool:
        return role != "ranker" and self.engine.plays(role)

    def close(self) -> None:
        """The engine is closed by whoever opened it."""


@dataclass
class _Noted:
    """Ranks as another does, and keeps what it ranked last."""

    by: Ranks
    ranked: Rows = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def rank(self, talk: Talk, pool: Pool) -> Ordered:
        ordered = self.by.rank(talk, pool)
        self.ranked = ordered.rows
        return ordered

    def warm(self) -> None:
        self.by.warm()


def plan_dialogue(agent: Agent, turns: Sequence[Turn]) -> list[str]:
    """The agent's plan of every message of one dialogue, as it writes them; turns come shortest first."""
    plans, session = list[str](), Session()
    for text, reply in exchanges(turns[-1].messages):
        plan = _plan(agent, session, text)
        plans.append(plan.text())
        _hear(agent.catalog, session, text, reply, plan)
    return plans


def agent_rankings(agent: Agent, turns: Sequence[Turn], plans: Sequence[str]) -> Rankings:
    """The agent's own ranking of every turn of one dialogue, turns shortest first, by its plans; where it has a ranker,
    without it, too.
    """
    found: Rankings = {}
    for at in _along(agent.catalog, turns, plans):
        found.setdefault("agent", {})[at.turn.id] = _ranking(agent, at.session, at.text, at.plan)
        if agent.engine.plays("ranker"):
            unranked = replace(agent, engine=_Unranked(agent.engine))
            ranked = _ranking(unranked, at.session, at.text, at.plan)
            found.setdefault("agent without ranker", {})[at.turn.id] = ranked
    return found


def part_rankings(agent: Agent, turns: Sequence[Turn], plans: Sequence[str], others: Mapping[str, Ranks]) -> Rankings:
    """As `agent_rankings`, without each other part. `others` rank for the rows of these names. The plan is the same in
    all but the row without planner.
    """
    found: Rankings = {}
    for at in _along(agent.catalog, turns, plans):
        session, rows = at.session, dict[str, Ranked]()
        for name, tools in WITHOUT.items():
            calls = tuple(call for call in at.plan.calls if call.tool not in tools)
            less = Session(session.exchanges, Profile() if "cf_recommend" in tools else session.profile)
            by = replace(agent, ranking=others.get(name, agent.ranking))
            rows[name] = _ranking(by, less, at.text, at.plan.model_copy(update={"calls": calls}))
        for name in others.keys() - WITHOUT.keys():
            rows[name] = _ranking(replace(agent, ranking=others[name]), session, at.text, at.plan)
        plan = fixed_plan(agent.catalog, at.turn)
        rows["agent without planner"] = _ranking(agent, Session(session.exchanges), at.text, plan)
        for name, ranked in rows.items():
            found.setdefault(name, {})[at.turn.id] = ranked
    return found


@dataclass(frozen=True)
class _At:
    """A recorded turn, as the agent comes to it."""

    turn: Turn
    session: Session
    text: str
    plan: Plan


def _along(catalog: Catalog, turns: Sequence[Turn], plans: Sequence[str]) -> Iterator[_At]:
    """The turns of one dialogue, each with a session that has heard what was said before."""
    recorded: dict[int, list[Turn]] = {}
    for turn in turns:
        recorded.setdefault(len(exchanges(turn.messages)), []).append(turn)
    session = Session()
    for number, (text, reply) in enumerate(exchanges(turns[-1].messages), start=1):
        plan = Plan.parse(plans[number - 1])
        yield from (_At(turn, session, text, plan) for turn in recorded.get(number, []))
        _hear(catalog, session, text, reply, plan)


def _hear(catalog: Catalog, session: Session, text: str, reply: str, plan: Plan) -> None:
    """Remember the turn with what the other side really replied, and the titles in that as what was shown."""
    named = dict.fromkeys(str(catalog.ids[mention.row]) for mention in find_mentions(catalog, reply))
    liked, disliked = (named_titles(catalog, plan, name) for name in ("liked", "disliked"))
    session.remember(Exchange(user=text, reply=reply, plan=plan, items=tuple(named)), liked, disliked)


def _ranking(agent: Agent, session: Session, text: str, plan: Plan) -> Ranked:
    """What the agent shows by this plan, and then the rest of its ranking."""
    catalog, noted = agent.catalog, _Noted(agent.ranking)
    pool = Pool(np.ones(len(catalog), dtype=np.bool_), excluded_rows(catalog, session.profile, session.shown))
    picks = np.empty(0, dtype=np.int64)
    if plan.act == "recommend":
        for _ in run_calls(catalog, plan, session.profile, pool):
            pass
        picks, _ = best_rows(replace(agent, ranking=noted), session, text, plan, pool, [])
    else:
        noted.rank(overheard(catalog, session, text), pool)
    return _ranked(noted.ranked, pool, picks)


def fixed_plan(catalog: Catalog, turn: Turn) -> Plan:
    """Every search, whatever was said: the titles found in the text for CF, the last message for both text searches."""
    found = stances(catalog, [(one.role, one.content) for one in turn.messages])
    liked = [str(catalog.titles[stance.row]) for stance in found if stance.feeling != "disliked"]
    disliked = [str(catalog.titles[stance.row]) for stance in found if stance.feeling == "disliked"]
    query = " ".join(turn.messages[-1].content.split())[-QUERY:]
    calls = [Call(tool=tool, arguments={"query": query}) for tool in ("bm25_search", "dense_search") if query]
    if liked and catalog.cf is not None:
        named = {"liked": liked} | ({"disliked": disliked} if disliked else {})
        calls.insert(0, Call(tool="cf_recommend", arguments=named))
    return Plan(act="recommend", calls=tuple(calls))


def _plan(agent: Agent, session: Session, text: str) -> Plan:
    """The agent's plan of a message. The turn is closed before it is done, so that the session stays as it was."""
    plan = Plan(act="chat")
    for event in run_turn(agent, session, text):
        if isinstance(event, Planned):
            plan = event.plan or plan
        elif isinstance(event, (Shown, Text)):
            break
    return plan


def _ranked(ranked: Rows, pool: Pool, picks: Rows) -> Ranked:
    """What was shown, then the rest of the ranking, with what was left after each step."""
    left = np.flatnonzero(pool.allowed & ~pool.excluded)
    steps = {"filters": left, **cuts(ranked), "shown": picks}
    rows = np.concatenate([picks, ranked[~np.isin(ranked, picks)]])
    return with_tail(Ranked(rows, steps), len(pool.allowed))
