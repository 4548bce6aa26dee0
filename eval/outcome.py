"""Figures of simulated dialogues from their records: by row, by kind of person, and against a reference row."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eval.leaks import Leak
from eval.runs import Record
from eval.stats import estimates, paired_difference

PAIRED = ("success@1", "success@5", "hits", "adaptation", "violations", "diversity", "popularity lift")
TABLES = (
    ("success@1", "success@2", "success@3", "success@4", "success@5", "turns to success", "hits"),
    ("adaptation", "violations", "repeats", "diversity", "coverage", "popularity lift"),
    ("outside", "unsupported", "replaced", "asked", "left", "took", "tokens", "seconds"),
)
Measures = dict[str, dict[str, float | int]]


def results(records: Sequence[Record], leaked: Sequence[Leak], reference: str, items: int) -> dict[str, Any]:
    """By user and row: estimates over people, by kind too, and the paired difference to the reference row.

    A person who leaked a title in any dialogue is left out of every row of that user, so that rows stay comparable.
    """
    bad = {leak.dialogue for leak in leaked}
    out = {(record["user"], record["person"]) for record in records if record["id"] in bad}
    kept = sorted((r for r in records if (r["user"], r["person"]) not in out), key=lambda record: str(record["id"]))
    found: dict[str, Any] = {}
    for user in dict.fromkeys(record["user"] for record in records):
        rows: dict[str, list[Record]] = {}
        for record in kept:
            if record["user"] == user:
                rows.setdefault(record["row"], []).append(record)
        order = [row for row in dict.fromkeys(record["row"] for record in records) if row in rows]
        found[user] = {row: _row(rows[row], rows.get(reference), items) for row in order}
    return {"left_out": len(out), "reference": reference, "users": found}


def _row(records: Sequence[Record], reference: Sequence[Record] | None, items: int) -> dict[str, Any]:
    kinds = dict.fromkeys(record["kind"] for record in records)
    measures = measured(records)
    shown = {item["item_id"] for record in records for turn in record["turns"] for item in turn["items"]}
    measures["coverage"] = {"mean": round(len(shown) / items, 4), "n": len(shown)}
    return {
        "dialogues": len(records),
        "measures": measures,
        "kinds": {kind: measured([record for record in records if record["kind"] == kind]) for kind in sorted(kinds)},
        "seconds": _spread([turn["seconds"] for record in records for turn in record["turns"] if turn["reply"]]),
        "shown": _popularity(records),
    } | ({"paired": paired(records, reference)} if reference is not None and reference is not records else {})


def measured(records: Sequence[Record]) -> Measures:
    """Every measure with its interval over people; those of nothing are left out."""
    names = list(dict.fromkeys(name for record in records for name, share in record["shares"].items() if share))
    table = np.array([[record["shares"][name] or (0.0, 0.0) for name in names] for record in records])
    if not names:
        return {}
    hits, tries = table[:, :, 0], table[:, :, 1]
    found = estimates(hits, tries, (tries > 0).sum(axis=0))
    return {name: estimate.json() for name, estimate in zip(names, found, strict=True)}


def paired(records: Sequence[Record], reference: Sequence[Record]) -> Measures:
    """Means over people of what a person's own figure is above the one they have with the reference row.

    Only people whose dialogues have the measure in both rows count.
    """
    held = {record["person"]: record["shares"] for record in reference}
    found: Measures = {}
    for name in PAIRED:
        pairs = [
            (ours, theirs)
            for record in records
            if (ours := record["shares"].get(name)) and (theirs := held.get(record["person"], {}).get(name))
        ]
        if pairs:
            first, second = (np.array([hit / tried for hit, tried in side]) for side in zip(*pairs, strict=True))
            found[name] = paired_difference(first, second, np.ones(len(pairs))).json()
    return found


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    if not seconds:
        return {}
    return {"median": round(float(np.median(seconds)), 4), "p95": round(float(np.percentile(seconds, 95)), 4)}


def _popularity(records: Sequence[Record]) -> list[float]:
    """How much of all that was shown went to the items shown most: shares of the first 10, 100 and 1,000 items."""
    counts: dict[str, int] = {}
    for record in records:
        for turn in record["turns"]:
            for item in turn["items"]:
                counts[item["item_id"]] = counts.get(item["item_id"], 0) + 1
    ordered = sorted(counts.values(), reverse=True)
    return [round(sum(ordered[:most]) / max(sum(ordered), 1), 4) for most in (10, 100, 1000)]


def print_results(config: Mapping[str, Any], figures: Mapping[str, Any]) -> None:
    """Tables of the rows, one a user, and the paired differences."""
    held = config["catalog"]
    print(
        f"{figures['date']}  {figures['people']} people, seed {config['seed']}; {held['name']}, {held['items']:,} items"
    )
    print(f"build {held['build'][:12]}; {len(figures['leaks'])} leaks, {figures['left_out']} people left out for them")
    for user, rows in figures["users"].items():
        for names in TABLES:
            print(f"\n{'user: ' + user:<18}" + "".join(f"{name:>17}" for name in names))
            for row, found in rows.items():
                print(f"{row[:17]:<18}" + "".join(f"{_cell(found['measures'].get(name)):>17}" for name in names))
        print(f"\n{'less ' + figures['reference']:<18}" + "".join(f"{name:>22}" for name in PAIRED))
        for row, found in rows.items():
            if "paired" in found:
                print(f"{row[:17]:<18}" + "".join(f"{_interval(found['paired'].get(name)):>22}" for name in PAIRED))


def _cell(measure: Mapping[str, float] | None) -> str:
    if measure is None:
        return "-"
    half = (measure["high"] - measure["low"]) / 2 if "high" in measure else None
    return f"{measure['mean']:.3f}" + (f" ±{half:.3f}" if half is not None else "")


def _interval(measure: Mapping[str, float] | None) -> str:
    return "-" if measure is None else f"{measure['mean']:+.3f} [{measure['low']:+.2f} {measure['high']:+.2f}]"
