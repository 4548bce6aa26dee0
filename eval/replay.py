"""`usher eval replay`: recorded dialogues, and how high each row ranks what was suggested next and not yet named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from agent.loop import Agent
from agent.recorded import Turn, fold_of
from agent.settings import Settings
from eval.memory import Memory
from eval.metrics import places
from eval.replay_agent import agent_rankings
from eval.replay_data import Replay, read_replay
from eval.replay_report import print_results, results
from eval.replay_rows import Ranked, Ranker, learned_rows, listen, popularity_row, tool_rows
from eval.report import write_report
from eval.runs import Record, Run, file_hash
from tools.catalog import Catalog

Group = Literal["tools", "learned", "agent"]
GROUPS: tuple[Group, ...] = ("tools", "learned", "agent")
TOP = 10  # items of a ranking that a record keeps


@dataclass(frozen=True)
class Asked:
    """What to replay: `train` is a replay file to count popularity in, `limit` a number of dialogues."""

    data: Path
    catalog: Path
    out: Path
    groups: tuple[Group, ...] = GROUPS
    train: Path | None = None
    limit: int | None = None
    bad_lines: float = 0.01
    jobs: int = 1


def run_replay(asked: Asked) -> None:
    """Print the tables and fill the run folder.

    Raises UsherError for data or a folder that cannot be used, CatalogError, and EngineError.
    """
    settings = Settings(catalog=asked.catalog, shown=20)
    with Catalog.open(settings.catalog) as catalog:
        known = frozenset(map(str, catalog.ids))
        replay = read_replay(asked.data, known, asked.bad_lines)
        dialogues = _limited(replay.dialogues(), asked.limit)
        agent = Agent.open(settings) if "agent" in asked.groups else None
        try:
            run = Run.open(asked.out, _config(asked, catalog, agent))
            task = partial(replay_dialogue, catalog, replay, _rankers(asked, catalog, replay, dialogues), agent)
            records = list(run.map(task, dialogues, asked.jobs, "dialogues"))
        finally:
            if agent is not None:
                agent.close()
    figures = {"date": date.today().isoformat(), "data": replay.json(), **results(records)}
    run.finish(figures)
    write_report(run.folder)
    print_results(run.config, figures)


def replay_dialogue(
    catalog: Catalog, replay: Replay, rankers: Mapping[str, Ranker], agent: Agent | None, turns: Sequence[Turn]
) -> Record:
    """Where each row ranks the gold of one dialogue's turns; turns whose gold was all named before are left out."""
    ranked = {name: {turn.id: ranker(turn.id) for turn in turns} for name, ranker in rankers.items()}
    if agent is not None:
        ranked |= agent_rankings(agent, turns)
    record: Record = {"fold": fold_of(turns[0].dialogue), "turns": []}
    for number, turn in enumerate(turns):
        gold = replay.gold(turn)
        if gold:
            held = [row for item in gold if (row := catalog.row_of(item)) is not None]
            rows = {name: _judged(catalog, turn, gold, by_turn[turn.id]) for name, by_turn in ranked.items()}
            record["turns"].append(
                {
                    "id": turn.id,
                    "first": number == 0,
                    "named": len(set(turn.mentioned)),
                    "gold": list(gold),
                    "gold_popularity": float(catalog.popularity[held].mean()) if held else 0.0,
                    "rows": rows,
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


def _rankers(
    asked: Asked, catalog: Catalog, replay: Replay, dialogues: Mapping[str, Sequence[Turn]]
) -> dict[str, Ranker]:
    """The rows that need no model."""
    turns = [turn for held in dialogues.values() for turn in held]
    rankers: dict[str, Ranker] = {}
    if asked.train is not None:
        name = f"popularity in {asked.train.name}"
        rankers[name] = popularity_row(
            catalog, read_replay(asked.train, frozenset(map(str, catalog.ids)), asked.bad_lines).turns
        )
    if {"tools", "learned"} & set(asked.groups):
        heard = listen(catalog, turns)
    if "tools" in asked.groups:
        rankers |= tool_rows(catalog, heard)
    if "learned" in asked.groups:
        memory = Memory.of(catalog, turns, np.stack([heard[turn.id].candidates.request for turn in turns]))
        rankers |= learned_rows(catalog, heard, {turn.id: replay.gold(turn) for turn in turns}, memory)
    return rankers


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
        shown = agent.settings.model_dump(mode="json", include={"model", "llm_url", "llm_model", "shown", "diversity"})
        adapters = sorted(agent.settings.adapters.glob("*/*.safetensors"))
        config["agent"] = shown | {
            "engine": agent.engine.name,
            "adapters": {file.parent.name: file_hash(file)[:16] for file in adapters},
        }
    return config
