"""The measures of `usher eval planner`: estimates by kind, turn and catalog, as JSON and as tables."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from eval.plans import Case
from eval.stats import Estimate, Measures, by_group, cell, spread
from tools.registry import TOOLS

WHOLE = ("parses", "act", "filter", "count", "tools", "whole plan")
BY_TOOL = tuple(f"{measure} {tool}" for measure in ("runs", "F1") for tool in TOOLS)
OF_GROUPS = ("act", "filter", "whole plan")  # what is printed of each group; results.json has every measure
COMMONEST = 10


def write_report(about: Mapping[str, Any], planned: Mapping[str, Sequence[Case]], out: Path) -> dict[str, Any]:
    """Write results.json to `out` and return what it holds; `planned` are the cases by planner."""
    results = {
        "date": date.today().isoformat(),
        **about,
        "turns": len(next(iter(planned.values()))),
        "planners": {
            name: {
                "measures": {group: _json(measures) for group, measures in measure(cases).items()},
                "cost": cost(cases),
                "wrong": wrong(cases),
            }
            for name, cases in planned.items()
        },
        "cases": {name: [asdict(case) for case in cases] for name, cases in planned.items()},
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(results, indent=1, ensure_ascii=False), encoding="utf-8")
    return results


def measure(cases: Sequence[Case]) -> Measures:
    """Group of cases -> measure -> estimate; the intervals draw whole dialogues. Measures of nothing are left out."""
    made = by_group((case.dialogue, groups(case), case.shares) for case in cases)
    return {group: made[group] for group in sorted(made, key=_place)}


def groups(case: Case) -> tuple[str, ...]:
    """The groups that a case counts in."""
    turn = "first turn" if case.turn == 1 else "later turns"
    return "all", turn, f"catalog {case.catalog}", f"kind {case.kind}"


def _place(group: str) -> tuple[int, str]:
    return ("all", "first", "later", "catalog", "kind").index(group.split(maxsplit=1)[0]), group


def _json(measures: Mapping[str, Estimate]) -> dict[str, Any]:
    return {name: measures[name].json() for name in (*WHOLE, *BY_TOOL) if name in measures}


def cost(cases: Sequence[Case]) -> dict[str, dict[str, float]]:
    """Median and 95th percentile of a plan's milliseconds and, where they were counted, tokens."""
    read = [case.tokens for case in cases if case.tokens is not None]
    numbers = {"ms a plan": [case.ms for case in cases]}
    if read:
        numbers |= {"prompt tokens": [float(prompt) for prompt, _ in read], "plan tokens": [float(n) for _, n in read]}
    return {name: spread(values) for name, values in numbers.items()}


def wrong(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """The kinds of mistake, commonest first, each with how many turns have it and one of them."""
    counted = Counter(mistake for case in cases for mistake in case.wrong)
    return [
        {"mistake": mistake, "turns": count, "such as": next(case.text for case in cases if mistake in case.wrong)}
        for mistake, count in counted.most_common()
    ]


def print_report(results: Mapping[str, Any]) -> None:
    """Tables of the planners side by side, and each one's commonest mistakes."""
    planners = results["planners"]
    print(
        f"{results['date']}  {results['turns']} turns of {results['dialogues']} dialogues in {results['file']} "
        f"({results['sha256'][:12]}), {len(results['broken'])} broken lines left out; engine {results['engine']}"
    )
    print("mean (95% bootstrap interval over dialogues), n\n")
    print(f"{'':<22}" + "".join(f"{name:>30}" for name in planners))
    for name in (*WHOLE, *BY_TOOL):
        row = [planner["measures"]["all"].get(name) for planner in planners.values()]
        if any(row):
            print(f"{name:<22}" + "".join(f"{cell(estimate):>30}" for estimate in row))
    for name, planner in planners.items():
        print(f"\n{name + ', by group':<28}" + "".join(f"{measured:>30}" for measured in OF_GROUPS))
        for group, measures in planner["measures"].items():
            print(f"{group:<28}" + "".join(f"{cell(measures.get(measured)):>30}" for measured in OF_GROUPS))
    for name, planner in planners.items():
        print(f"\n{name}: " + ", ".join(f"{what} {_spread(held)}" for what, held in planner["cost"].items()))
        for mistake in planner["wrong"][:COMMONEST]:
            print(f"  {mistake['turns']:>4}  {mistake['mistake']}, such as: {mistake['such as']}")


def _spread(held: Mapping[str, float]) -> str:
    return f"{held['median']:.0f} (p95 {held['p95']:.0f})"
