"""Hand-written dialogues: conversations in one catalog with the right plan of every turn, to train and measure by."""

from itertools import islice
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from agent.memory import Exchange, Profile, Session
from agent.plan import Plan
from agent.pool import Pool, excluded_rows, named_titles, run_calls
from tools.catalog import Catalog


class Turn(BaseModel):
    """A message, its right plan, and the ids of the items that were then shown."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str = Field(min_length=1)
    plan: Plan
    shown: list[str] = []


class Dialogue(BaseModel):
    """A conversation in one catalog, with the profile it starts from (item ids)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    kind: str
    catalog: str
    liked: list[str] = []
    disliked: list[str] = []
    turns: Annotated[list[Turn], Field(min_length=1)]

    def begin(self) -> Session:
        return Session(profile=Profile(liked=list(self.liked), disliked=list(self.disliked)))


def remember(catalog: Catalog, session: Session, turn: Turn) -> None:
    """Keep the turn as the loop would, had it planned right."""
    liked, disliked = (named_titles(catalog, turn.plan, name) for name in ("liked", "disliked"))
    session.remember(Exchange(user=turn.text, reply="", plan=turn.plan, items=tuple(turn.shown)), liked, disliked)


def run_plan(catalog: Catalog, plan: Plan, session: Session) -> list[tuple[str, str]]:
    """The plan's calls, run as a turn runs them: each tool's name and why it refused, empty when it ran."""
    everything = np.ones(len(catalog), dtype=np.bool_)
    pool = Pool(everything, excluded_rows(catalog, session.profile, session.shown))
    called = run_calls(catalog, plan, session.profile, pool)
    return [(one.tool, one.error or "") for one in islice(called, len(plan.calls))]  # what follows is the profile's own


def problem(dialogue: Dialogue, catalog: Catalog) -> str:
    """What of the dialogue is not there in the catalog or does not run; empty for nothing."""
    items = [*dialogue.liked, *dialogue.disliked, *(item for turn in dialogue.turns for item in turn.shown)]
    if unknown := [item for item in items if catalog.row_of(item) is None]:
        return f"{unknown[0]} is not in the catalog {dialogue.catalog}"
    session = dialogue.begin()
    for place, turn in enumerate(dialogue.turns, start=1):
        refused = [f"{tool}: {error}" for tool, error in run_plan(catalog, turn.plan, session) if error]
        if refused:
            return f"turn {place}: {refused[0]}"
        remember(catalog, session, turn)
    return ""
