"""`usher eval replay`: recorded dialogues, and how high each row ranks what was suggested next and not yet named."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from agent.dialogues import Memory
from agent.learned import Ranking, Ranks
from agent.learning import Heard, listen, remembered
from agent.loop import Agent
from agent.recorded import Turn, fold_of
from agent.settings import Settings
from agent.signals import Listening
from eval.cluster import on_cluster
from eval.learned import NO_CF, NO_DIALOGUES, NO_SEARCH, WHOLE, learned_rows, weights_by_fold
from eval.metrics import places
from eval.replay_agent import Fused, agent_rankings, part_rankings, plan_dialogue
from eval.replay_data import Replay, read_replay
from eval.replay_report import print_results, results
from eval.replay_rows import Ranked, Ranker, popularity_row, tool_rows
from eval.report import write_report
from eval.runs import Record, Run, file_hash
from tools.catalog import Catalog

Group = Literal["tools", "learned", "agent", "parts"]
GROUPS: tuple[Group, ...] = ("tools", "learned", "agent", "parts")
AGENT = frozenset({"agent", "parts"})  # groups that the agent plans for
TOP = 10  # items of a ranking that a record keeps


@dataclass(frozen=True)
class Asked:
    """What to replay: `train` is a replay file to count popularity in, `limit` a number of dialogues. `plans` is the
    folder that keeps the agent's plans, in `out` where none is given.
    """

    data: Path
    catalog: Path
    out: Path
    groups: tuple[Group, ...] = GROUPS
    train: Path | None = None
    limit: int | None = None
    bad_lines: float = 0.01
    jobs: int = 1
    ray: str = ""
    plans: Path | None = None


@dataclass(frozen=True)
class Recorded:
    """A dialogue by its name, and the agent's plans of its messages; none where the agent is not asked for."""

    name: str
    plans: Sequence[str] = ()


@dataclass
class Replaying:
    """What dialogues are replayed with, opened once in each process; the rows without a model when first wanted.

    Raises UsherError for data that cannot be used, CatalogError, and EngineError.
    """

    asked: Asked
    catalog: Catalog = field(init=False)
    replay: Replay = field(init=False)
    dialogues: dict[str, list[Turn]] = field(init=False)
    agent: Agent | None = field(init=False)

    def __post_init__(self) -> None:
        settings = Settings(catalog=self.asked.catalog, shown=20)
        self.catalog = Catalog.open(settings.catalog)
        self.replay = read_replay(self.asked.data, frozenset(map(str, self.catalog.ids)), self.asked.bad_lines)
        self.dialogues = _limited(self.replay.dialogues(), self.asked.limit)
        self.agent = Agent.open(settings) if AGENT & set(self.asked.groups) else None

    def plan(self, name: str) -> Record:
        assert self.agent is not None
        return {"plans": plan_dialogue(self.agent, self.dialogues[name])}

    def dialogue(self, one: Recorded) -> Record:
        turns = self.dialogues[one.name]
        ranked = {name: {turn.id: ranker(turn.id) for turn in turns} for name, ranker in self.rankers.items()}
        agent = self.agent
        if agent is not None:
            own, others = self.rankings[fold_of(one.name)]
            agent = replace(agent, ranking=own)
            if "agent" in self.asked.groups:
                ranked |= agent_rankings(agent, turns, one.plans)
            if "parts" in self.asked.groups:
                ranked |= part_rankings(agent, turns, one.plans, others)
        return judged_dialogue(self.catalog, self.replay, ranked, turns)

    def prepare(self) -> None:
        """All that dialogues are replayed with, before any thread asks for it."""
        _ = self.rankers
        if self.agent is not None:
            _ = self.rankings

    @cached_property
    def turns(self) -> list[Turn]:
        return [turn for held in self.dialogues.values() for turn in held]

    @cached_property
    def heard(self) -> dict[str, Heard]:
        return listen(self.catalog, self.turns)

    @cached_property
    def memory(self) -> Memory:
        return remembered(self.catalog, self.turns, self.heard)

    @cached_property
    def gold(self) -> dict[str, Sequence[str]]:
        return {turn.id: self.replay.gold(turn) for turn in self.turns}

    @cached_property
    def rankings(self) -> list[tuple[Ranks, dict[str, Ranks]]]:
        """For each fold, of which they know nothing, the agent's, and those of its rows that only rank otherwise."""
        found: list[tuple[Ranks, dict[str, Ranks]]] = []
        listening = Listening(self.catalog)
        for fold, weights in enumerate(weights_by_fold(self.catalog, self.heard, self.gold, self.memory)):
            others: dict[str, Ranks] = {
                f"agent{part.removeprefix(WHOLE)}": Ranking(listening, weights[part], self.memory, fold)
                for part in (NO_CF, NO_SEARCH)
            }
            others[f"agent{NO_DIALOGUES.removeprefix(WHOLE)}"] = Ranking(listening, weights[NO_DIALOGUES])
            others[f"agent without {WHOLE}"] = Fused(self.catalog)
            found.append((Ranking(listening, weights[WHOLE], self.memory, fold), others))
        return found

    @cached_property
    def rankers(self) -> dict[str, Ranker]:
        """The rows that need no model."""
        asked, rankers = self.asked, dict[str, Ranker]()
        if asked.train is not None:
            held = read_replay(asked.train, frozenset(map(str, self.catalog.ids)), asked.bad_lines)
            rankers[f"popularity in {asked.train.name}"] = popularity_row(self.catalog, held.turns)
        if "tools" in asked.groups:
            rankers |= tool_rows(self.catalog, self.heard)
        if "learned" in asked.groups:
            rankers |= learned_rows(self.catalog, self.heard, self.gold, self.memory)
        return rankers

    def close(self) -> None:
        if self.agent is not None:
            self.agent.close()
        self.catalog.close()


def run_replay(asked: Asked) -> None:
    """Print the tables and fill the run folder.

    Raises UsherError for data or a folder that cannot be used, CatalogError, and EngineError.
    """
    replaying = Replaying(asked)
    try:
        run = Run.open(asked.out, _config(asked, replaying.catalog, replaying.agent))
        tasks = {name: Recorded(name, plans) for name, plans in _plans(asked, replaying).items()}
        if not asked.ray and tasks.keys() - run.done().keys():
            replaying.prepare()
        records = _played(asked, replaying, "dialogue", run, tasks, "dialogues")
    finally:
        replaying.close()
    figures = {"date": date.today().isoformat(), "data": replaying.replay.json(), **results(records)}
    run.finish(figures)
    write_report(run.folder)
    print_results(run.config, figures)


def _plans(asked: Asked, replaying: Replaying) -> Mapping[str, Sequence[str]]:
    """The agent's plans by dialogue. They take nearly all of the time and do not hang on how items are ranked: made
    once, they serve every run with the same planner, catalog and data.
    """
    if replaying.agent is None:
        return dict.fromkeys(replaying.dialogues, ())
    config = _config(asked, replaying.catalog, replaying.agent)
    hold = {"command": "replay: plans", "data": config["data"][asked.data.name]}
    hold |= {name: config[name] for name in ("catalog", "bad_lines", "planner")}
    run = Run.open(asked.plans or asked.out / "plans", hold)
    tasks = {name: name for name in replaying.dialogues}
    return {record["id"]: record["plans"] for record in _played(asked, replaying, "plan", run, tasks, "plans")}


def _played(
    asked: Asked, replaying: Replaying, method: str, run: Run, tasks: Mapping[str, Any], name: str
) -> list[Record]:
    """What that method makes of each task, here or on the cluster; what the run holds already is not done again."""
    with (
        on_cluster(asked.ray, asked.jobs, Replaying, asked, method)
        if asked.ray and tasks.keys() - run.done().keys()
        else nullcontext(getattr(replaying, method)) as play
    ):
        return list(run.map(play, tasks, asked.jobs, name))


def judged_dialogue(
    catalog: Catalog, replay: Replay, ranked: Mapping[str, Mapping[str, Ranked]], turns: Sequence[Turn]
) -> Record:
    """Where each row ranks the gold of one dialogue's turns; turns whose gold was all named before are left out."""
    record: Record = {"fold": fold_of(turns[0].dialogue), "turns": []}
    heard = 0
    for number, turn in enumerate(turns):
        gold = replay.gold(turn)
        if gold:
            said = [f"{one.role}: {one.content}" for one in turn.messages[heard:]]
            heard = len(turn.messages)
            held = [row for item in gold if (row := catalog.row_of(item)) is not None]
            rows = {name: _judged(catalog, turn, gold, by_turn[turn.id]) for name, by_turn in ranked.items()}
            record["turns"].append(
                {
                    "id": turn.id,
                    "said": said,
                    "first": number == 0,
                    "named": len(set(turn.mentioned)),
                    "gold": list(gold),
                    "gold_popularity": float(catalog.popularity[held].mean()) if held else 0.0,
                    "rows": rows,
                    "titles": {
                        item: catalog.title(item)
                        for item in sorted({*gold}.union(*(row["top"] for row in rows.values())))
                    },
                }
            )
    return record


def _judged(catalog: Catalog, turn: Turn, gold: Sequence[str], ranked: Ranked) -> dict[str, Any]:
    """Places of the gold, the first items, and after each step how much gold is left among how many items."""
    mentioned = set(turn.mentioned)
    wanted = [row for item in gold if (row := catalog.row_of(item)) is not None]
    ids = [str(item_id) for item_id in catalog.ids[ranked.rows]]
    return {
        "places": places(ids, gold, mentioned),
        "top": [item_id for item_id in ids[: TOP + len(mentioned)] if item_id not in mentioned][:TOP],
        "steps": {name: [int(np.isin(wanted, rows).sum()), len(rows)] for name, rows in ranked.steps.items()},
    }


def _limited(dialogues: dict[str, list[Turn]], limit: int | None) -> dict[str, list[Turn]]:
    """That many dialogues, evenly from all over the file."""
    if limit is None or limit >= len(dialogues):
        return dialogues
    kept = np.linspace(0, len(dialogues) - 1, limit).round().astype(int)
    names = list(dialogues)
    return {names[place]: dialogues[names[place]] for place in kept}


def _config(asked: Asked, catalog: Catalog, agent: Agent | None) -> dict[str, Any]:
    """All that the figures depend on."""
    files = [asked.data, *([asked.train] if asked.train else [])]
    config: dict[str, Any] = {
        "command": "replay",
        "data": {file.name: file_hash(file) for file in files},
        "catalog": {"name": catalog.manifest.name, "items": len(catalog), "build": catalog.manifest.build_hash},
        "groups": list(asked.groups),
        "limit": asked.limit,
        "bad_lines": asked.bad_lines,
    }
    if agent is not None:
        adapters = sorted(agent.settings.adapters.glob("*/*.safetensors"))
        hashes = {file.parent.name: file_hash(file)[:16] for file in adapters}
        model = agent.settings.model_dump(mode="json", include={"model", "llm_url", "llm_model"})
        config["planner"] = model | {"engine": agent.engine.name, "adapter": hashes.get("planner")}
        config["agent"] = agent.settings.model_dump(mode="json", include={"shown", "diversity"}) | {"adapters": hashes}
    return config
