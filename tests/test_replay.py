"""A replay from data to figures: perfect and shuffled rankings, the funnel, the agent's parts, and going on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace as dataclass_replace
from pathlib import Path

import numpy as np
import pytest

from agent.loop import Agent
from agent.recorded import Turn
from agent.settings import Settings
from eval.metrics import FIGURES
from eval.replay import Asked, judged_dialogue, run_replay
from eval.replay_agent import Fused, agent_rankings, fixed_plan, part_rankings, plan_dialogue
from eval.replay_data import Replay, read_replay
from eval.replay_report import results
from eval.replay_rows import Ranked, Ranker, with_tail
from tests.scripted import ScriptedEngine
from tools.catalog import Catalog

TALK = (
    "I loved Salt Road. Any western?",
    "You could try Dead Letter Saloon",
    "I have seen that. A comedy about robots then",
)


def lines(catalog: Catalog, dialogues: int) -> list[str]:
    """Dialogues of two turns; the second item is wanted first, then the third with one that was named."""
    ids = [str(item_id) for item_id in catalog.ids]
    made = []
    for number in range(dialogues):
        said = [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(TALK)]
        first, second, third = (ids[(number + step) % len(ids)] for step in range(3))
        made.append({"id": f"d{number}-1", "messages": said[:1], "mentioned": [first], "gold": [second]})
        made.append({"id": f"d{number}-2", "messages": said, "mentioned": [first, second], "gold": [second, third]})
    return [json.dumps(line) for line in made]


def replay(catalog: Catalog, folder: Path, dialogues: int) -> Replay:
    file = folder / "talks.jsonl"
    file.write_text("\n".join(lines(catalog, dialogues)), encoding="utf-8")
    return read_replay(file, frozenset(map(str, catalog.ids)))


def ranked(rankers: Mapping[str, Ranker], turns: Sequence[Turn]) -> dict[str, dict[str, Ranked]]:
    return {name: {turn.id: ranker(turn.id) for turn in turns} for name, ranker in rankers.items()}


def test_a_perfect_and_a_shuffled_ranking(tiny_catalog: Catalog, tmp_path: Path) -> None:
    found, draw = replay(tiny_catalog, tmp_path, 400), np.random.default_rng(1)
    turns = {turn.id: turn for turn in found.turns}

    def perfect(turn_id: str) -> Ranked:
        wanted = [tiny_catalog.row_of(item_id) for item_id in found.gold(turns[turn_id])]
        return with_tail(Ranked(np.array(wanted, dtype=np.int64)), len(tiny_catalog))

    rankers = {"perfect": perfect, "shuffled": lambda _: Ranked(draw.permutation(len(tiny_catalog)))}
    records = [
        {"id": name} | judged_dialogue(tiny_catalog, found, ranked(rankers, held), held)
        for name, held in found.dialogues().items()
    ]
    figures = results(records)
    assert figures["turns"] == 800
    assert all(figures["rows"]["perfect"][name]["mean"] == 1.0 for name in FIGURES)
    # One gold item among the 39 and 38 that were not named: k / 38.5 at k, within four standard errors.
    for k in (1, 10, 20):
        share = k / 38.5
        assert figures["rows"]["shuffled"][f"R@{k}"]["mean"] == pytest.approx(
            share, abs=4 * np.sqrt(share * (1 - share) / 800)
        )
        low, high = (figures["rows"]["shuffled"][f"R@{k}"][side] for side in ("low", "high"))
        assert low < share < high or abs(share - (low + high) / 2) < high - low
    assert figures["slices"]["first turn"]["perfect"]["MRR"]["n"] == 400
    assert figures["slices"]["1 or 2 named"]["perfect"]["MRR"]["n"] == 800
    assert "no item named" not in figures["slices"]


def test_gold_that_was_named_is_taken_out(tiny_catalog: Catalog, tmp_path: Path) -> None:
    found = replay(tiny_catalog, tmp_path, 1)
    rankers: dict[str, Ranker] = {"popularity": lambda _: Ranked(np.arange(40, dtype=np.int64))}
    record = judged_dialogue(tiny_catalog, found, ranked(rankers, found.turns), found.turns)
    first, second = record["turns"]
    assert first["rows"]["popularity"]["places"] == [1]  # rows 0 was named, row 1 is wanted
    assert second["rows"]["popularity"]["places"] == [1]  # rows 0 and 1 were named, row 1 is no gold any more
    assert found.json()["gold_named_before"] == 1


def test_a_row_less_a_part_is_paired_with_its_whole(tiny_catalog: Catalog, tmp_path: Path) -> None:
    found = replay(tiny_catalog, tmp_path, 20)
    rankers = {
        "popularity": lambda _: Ranked(np.arange(40, dtype=np.int64)),
        "x": lambda _: Ranked(np.arange(40, dtype=np.int64)[::-1], {"half": np.arange(20, dtype=np.int64)}),
        "x without y": lambda _: Ranked(np.arange(40, dtype=np.int64)[::-1]),
    }
    figures = results([
        {"id": name} | judged_dialogue(tiny_catalog, found, ranked(rankers, held), held)
        for name, held in found.dialogues().items()
    ])  # fmt: skip
    assert figures["differences"]["x without y"]["less"] == "x"
    assert figures["differences"]["x without y"]["R@10"]["high"] == 0.0
    assert figures["differences"]["x"]["less"] == "popularity"
    # Gold stands in rows 1 to 20 and 2 to 21 (twenty dialogues): 19 and 18 of them among the first twenty rows.
    assert figures["funnel"] == {"x": [{"step": "half", "recall": 37 / 40, "items": 20.0, "turns": 40}]}


def test_the_agent_shows_what_it_plans_and_loses_what_is_taken_from_it(tiny_catalog: Catalog, tmp_path: Path) -> None:
    found = replay(tiny_catalog, tmp_path, 1)
    plans = [
        "recommend | sql_filter 'Western' IN genres | cf_recommend \"Salt Road\"",
        "recommend | bm25_search robots",
    ]
    engine = ScriptedEngine(plans)
    agent = Agent.of(tiny_catalog, engine, Settings(catalog=tiny_catalog.folder, shown=20))
    turns = list(found.turns)
    kept = plan_dialogue(agent, turns)
    by_row = agent_rankings(agent, turns, kept)
    assert by_row.keys() == {"agent"}  # nobody ranks here
    by_row |= part_rankings(agent, turns, kept, {"rrf": Fused(tiny_catalog)})
    assert len(engine.requests) == 2  # planned once for all rows
    (first, second) = (by_row["agent"][turn.id] for turn in found.turns)
    westerns = {tiny_catalog.row_of(item_id) for item_id in tiny_catalog.ids} & set(
        tiny_catalog.select("list_contains(genres, 'Western')").tolist()
    )
    shown = first.steps["shown"].tolist()
    assert shown
    assert set(shown) <= westerns
    assert first.rows[: len(shown)].tolist() == shown
    assert sorted(first.rows.tolist()) == list(range(40))
    unfiltered = by_row["agent without filters"][found.turns[0].id]
    assert set(unfiltered.rows[:10].tolist()) - westerns
    assert len(unfiltered.steps["filters"]) > len(first.steps["filters"])
    title = tiny_catalog.titles[by_row["rrf"][found.turns[1].id].rows[0]]
    assert "Robots" in str(title)
    assert "Robots" in str(tiny_catalog.titles[second.rows[0]])
    assert by_row["agent without text search"][found.turns[1].id].rows[0] != second.rows[0]
    # What the other side really replied was heard: its title is not shown again.
    saloon = next(row for row, title in enumerate(tiny_catalog.titles) if title == "Dead Letter Saloon")
    assert saloon not in second.steps["filters"]


def test_the_fixed_plan_takes_titles_from_the_text(tiny_catalog: Catalog, tmp_path: Path) -> None:
    turn: Turn = replay(tiny_catalog, tmp_path, 1).turns[1]
    tools = {call.tool: call.arguments for call in fixed_plan(tiny_catalog, turn).calls}
    assert tools["cf_recommend"]["liked"] == ["Salt Road", "Dead Letter Saloon"]
    assert tools["bm25_search"] == tools["dense_search"] == {"query": TALK[2]}


def test_the_whole_command(tiny_catalog: Catalog, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replay(tiny_catalog, tmp_path, 12)
    asked = Asked(tmp_path / "talks.jsonl", tiny_catalog.folder, tmp_path / "run", ("tools", "learned"),
                  train=tmp_path / "talks.jsonl")  # fmt: skip
    run_replay(asked)
    first = json.loads((tmp_path / "run" / "results.json").read_text())
    assert {"popularity", "BM25", "dense", "EASE", "fixed pipeline", "learned fusion", "learned fusion without CF",
            "popularity in other dialogues", "popularity in talks.jsonl"} <= set(first["rows"])  # fmt: skip
    assert first["data"]["gold_named_before_share"] == pytest.approx(1 / 3, abs=1e-3)
    for row in first["rows"].values():
        for estimate in row.values():
            assert 0 <= estimate["low"] <= estimate["mean"] <= estimate["high"] <= 1
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "learned fusion without CF" in page
    assert "Share of what was wanted that is left after each step" in page
    printed = capsys.readouterr().out
    assert "gold named before and removed: 33.3%" in printed
    assert "learned fusion without CF" in printed
    run_replay(asked)  # all is there: the figures stay
    assert json.loads((tmp_path / "run" / "results.json").read_text()) == first


def test_a_replay_that_is_done_is_not_computed_again(
    tiny_catalog: Catalog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replay(tiny_catalog, tmp_path, 3)
    asked = Asked(tmp_path / "talks.jsonl", tiny_catalog.folder, tmp_path / "run", ("tools",))
    run_replay(asked)
    assert "signals" in capsys.readouterr().err
    run_replay(asked)
    assert "signals" not in capsys.readouterr().err
    transcripts = (tmp_path / "run" / "transcripts.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(transcripts) == 3
    first, second = json.loads(transcripts[0])["turns"]
    assert first["said"] == [f"user: {TALK[0]}"]
    assert second["said"] == [f"assistant: {TALK[1]}", f"user: {TALK[2]}"]
    assert all(first["titles"][item] for row in first["rows"].values() for item in row["top"])


@pytest.mark.ray
@pytest.mark.enable_socket
def test_two_nodes_replay_the_same_dialogues(tiny_catalog: Catalog, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    replay(tiny_catalog, tmp_path, 6)
    here = Asked(tmp_path / "talks.jsonl", tiny_catalog.folder, tmp_path / "here", ("tools",))
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    try:
        run_replay(here)
        run_replay(dataclass_replace(here, out=tmp_path / "there", jobs=2, ray=cluster.address))
    finally:
        cluster.shutdown()
    figures = [json.loads((tmp_path / name / "results.json").read_text())["rows"] for name in ("here", "there")]
    assert figures[0] == figures[1]
