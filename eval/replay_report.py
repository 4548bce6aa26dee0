"""Figures of a replay from its records: rows with intervals over dialogues, slices, funnel, paired differences."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.metrics import FIGURES, figures
from eval.runs import Record
from eval.stats import estimates, paired_difference

PAIRED = ("R@10", "R@20", "nDCG@10")
MADE = re.compile(" without |, then ")
UNTRAINED = (3, 4)  # folds whose dialogues no adapter of the agent may have been trained on
Floats = NDArray[np.float64]
Turn = dict[str, Any]
Slice = Callable[[Turn], bool]


def results(records: Sequence[Record]) -> dict[str, Any]:
    """By row: figures over all turns and by slice, the funnel, and the difference to the row it is a part of."""
    records = sorted((record for record in records if record["turns"]), key=lambda record: str(record["id"]))
    turns = [{**turn, "fold": record["fold"]} for record in records for turn in record["turns"]]
    if not turns:
        return {"turns": 0, "rows": {}}
    dialogue = np.repeat(np.arange(len(records)), [len(record["turns"]) for record in records])
    rows = list(dict.fromkeys(name for turn in turns for name in turn["rows"]))
    scored = {name: np.array([figures(turn["rows"][name]["places"]) for turn in turns]) for name in rows}
    return {
        "turns": len(turns),
        "dialogues": len(records),
        "rows": {name: _estimated(values, dialogue) for name, values in scored.items()},
        "slices": {
            said: {name: _estimated(values[mask], dialogue[mask]) for name, values in scored.items()}
            for said, mask in _slices(turns).items()
            if mask.any()
        },
        "funnel": {name: funnel for name in rows if (funnel := _funnel([turn["rows"][name] for turn in turns]))},
        "differences": dict(_differences(scored, dialogue)),
    }


def _estimated(values: Floats, dialogue: NDArray[np.int64]) -> dict[str, Any]:
    """Means over turns of values (turns, FIGURES), intervals over whole dialogues."""
    hits, tries = _sums(values, dialogue)
    counts = np.full(len(FIGURES), len(values))
    found = estimates(hits, np.repeat(tries[:, None], len(FIGURES), axis=1), counts)
    return {name: estimate.json() for name, estimate in zip(FIGURES, found, strict=True)}


def _sums(values: Floats, dialogue: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Sums by dialogue, shape (dialogues, measures), and its turns, shape (dialogues,)."""
    _, place = np.unique(dialogue, return_inverse=True)
    hits = np.zeros((int(place.max()) + 1, values.shape[1]))
    np.add.at(hits, place, values)
    return hits, np.bincount(place).astype(np.float64)


def _slices(turns: Sequence[Turn]) -> dict[str, NDArray[np.bool_]]:
    popularity = np.array([turn["gold_popularity"] for turn in turns])
    low, high = np.quantile(popularity, [1 / 3, 2 / 3])
    conditions: dict[str, Slice] = {
        "first turn": lambda turn: bool(turn["first"]),
        "later turns": lambda turn: not turn["first"],
        "no item named": lambda turn: turn["named"] == 0,
        "1 or 2 named": lambda turn: 1 <= turn["named"] <= 2,
        "3 or more named": lambda turn: turn["named"] >= 3,
        f"gold popularity up to {low:.0f}": lambda turn: turn["gold_popularity"] <= low,
        f"gold popularity {low:.0f} to {high:.0f}": lambda turn: low < turn["gold_popularity"] <= high,
        f"gold popularity above {high:.0f}": lambda turn: turn["gold_popularity"] > high,
        f"folds {UNTRAINED[0]} and {UNTRAINED[1]}": lambda turn: turn["fold"] in UNTRAINED,
    }
    return {said: np.array([holds(turn) for turn in turns]) for said, holds in conditions.items()}


def _funnel(judged: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each step: the share of all gold that is left, the mean number of items, and the turns that took the step."""
    gold = sum(len(one["places"]) for one in judged)
    steps: dict[str, list[tuple[int, int]]] = {}
    for one in judged:
        for name, (found, size) in one["steps"].items():
            steps.setdefault(name, []).append((found, size))
    return [
        {
            "step": name,
            "recall": round(sum(found for found, _ in held) / gold, 4),
            "items": round(sum(size for _, size in held) / len(held), 1),
            "turns": len(held),
        }
        for name, held in steps.items()
    ]


def _differences(scored: Mapping[str, Floats], dialogue: NDArray[np.int64]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each row less the row it is made from ("agent without CF" less "agent"), or else less popularity."""
    for name, values in scored.items():
        whole = MADE.split(name)[0]
        against = whole if whole != name else "popularity"
        if against != name and against in scored:
            first, tries = _sums(values, dialogue)
            second, _ = _sums(scored[against], dialogue)
            places = [FIGURES.index(figure) for figure in PAIRED]
            found = {
                figure: paired_difference(first[:, place], second[:, place], tries).json()
                for figure, place in zip(PAIRED, places, strict=True)
            }
            yield name, {"less": against, **found}


def print_results(config: Mapping[str, Any], figures: Mapping[str, Any]) -> None:
    """The tables as the README has them."""
    data = figures["data"]
    held = config["catalog"]
    files = ", ".join(f"{name} {hashed[:12]}" for name, hashed in config["data"].items())
    print(f"{figures['date']}  data {files}")
    print(f"catalog {held['name']}, {held['items']:,} items, build {held['build'][:12]}")
    print(f"{data['turns']:,} turns of {data['dialogues']:,} dialogues, {figures['turns']:,} scored")
    print(f"gold named before and removed: {data['gold_named_before_share']:.1%}")
    print(f"bad lines: {data['bad_lines']} of {data['lines']:,}")
    for problem in data["named"]:
        print(f"  {problem}")
    _table("all turns", figures["rows"])
    for said, rows in figures.get("slices", {}).items():
        _table(f"{said} ({next(iter(rows.values()))['MRR']['n']} turns)", rows)
    print("\nshare of the gold left after each step (mean items)")
    for name, steps in figures.get("funnel", {}).items():
        print(f"{name:<42}" + "  ".join(f"{one['step']} {one['recall']:.3f} ({one['items']:g})" for one in steps))
    print("\npaired differences")
    for name, found in figures.get("differences", {}).items():
        cells = "  ".join(f"{figure} {_cell(found[figure], '+')}" for figure in PAIRED)
        print(f"{name:<42} less {found['less']:<16} {cells}")


def _table(said: str, rows: Mapping[str, Any]) -> None:
    print(f"\n{said:<42}" + "".join(f"{figure:>22}" for figure in FIGURES))
    for name, found in rows.items():
        print(f"{name:<42}" + "".join(f"{_cell(found[figure]):>22}" for figure in FIGURES))


def _cell(estimate: Mapping[str, float], sign: str = "") -> str:
    return f"{estimate['mean']:{sign}.3f} ({estimate['low']:{sign}.3f}..{estimate['high']:{sign}.3f})"
