"""The measures of `usher eval writer`: of the first try and of what went out, as JSON, as a table, and as samples."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from eval.replies import Measured, Reply, distinct
from eval.stats import Estimate, Measures, by_group, cell, spread

STAGES = ("first try", "as sent")
MEASURES = ("supported replies", "supported sentences", "names a pick", "repeats itself", "same as another", "words",
            "as written", "rewritten", "plain reply")  # fmt: skip
SIZES = (1, 2)  # of the n-grams of distinct-n
COMMONEST = 10
MARKS = re.compile(r"([\\`*_\[\]<>#|~])")  # what Markdown would read as its own


def write_report(
    about: Mapping[str, Any], written: Mapping[str, Sequence[Reply]], out: Path, shown: int
) -> dict[str, Any]:
    """Write results.json and samples.md to `out`, and return what the first holds; `written` are replies by writer."""
    results = {
        "date": date.today().isoformat(),
        **about,
        "turns": len(next(iter(written.values()))),
        "writers": {
            name: {
                "measures": {stage: _json(measure(replies, stage)) for stage in STAGES},
                "distinct": {stage: _distinct(replies, stage) for stage in STAGES},
                "cost": cost(replies),
                "unsupported": unsupported(replies),
            }
            for name, replies in written.items()
            if replies
        },
        "replies": {name: [asdict(reply) for reply in replies] for name, replies in written.items()},
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(results, indent=1, ensure_ascii=False), encoding="utf-8")
    (out / "samples.md").write_text(samples(results, next(iter(written.values()))[:shown]), encoding="utf-8")
    return results


def measure(replies: Sequence[Reply], stage: str) -> Measures:
    """Act, and "all" -> measure -> estimate at a stage; the intervals draw whole dialogues."""
    counted = Counter(at(reply, stage).text for reply in replies)

    def shares(reply: Reply) -> dict[str, tuple[float, float]]:
        same = {"same as another": (float(counted[at(reply, stage).text] > 1), 1.0)}
        came = {name: (float(reply.came == name), 1.0) for name in ("as written", "rewritten", "plain reply")}
        return at(reply, stage).shares | same | (came if stage == "as sent" else {})

    return by_group((reply.dialogue, ("all", f"act {reply.act}"), shares(reply)) for reply in replies)


def at(reply: Reply, stage: str) -> Measured:
    """The reply at one of STAGES."""
    return reply.first if stage == "first try" else reply.sent


def _distinct(replies: Sequence[Reply], stage: str) -> dict[str, float]:
    texts = [at(reply, stage).text for reply in replies]
    return {f"distinct-{size}": round(distinct(texts, size), 4) for size in SIZES}


def _json(measures: Mapping[str, Mapping[str, Estimate]]) -> dict[str, Any]:
    return {
        group: {name: found[name].json() for name in MEASURES if name in found} for group, found in measures.items()
    }


def cost(replies: Sequence[Reply]) -> dict[str, dict[str, float]]:
    """Median and 95th percentile of the milliseconds to the first words and to the last."""
    return {
        "ms to the first words": spread([reply.ms_first for reply in replies]),
        "ms a reply": spread([reply.ms for reply in replies]),
    }


def unsupported(replies: Sequence[Reply]) -> list[dict[str, Any]]:
    """The words that the check refused in first tries, commonest first, each with how many replies have it and one."""
    counted = Counter(word for reply in replies for word in dict.fromkeys(reply.first.unsupported))
    return [
        {"word": word, "replies": count, "such as": next(r.first.text for r in replies if word in r.first.unsupported)}
        for word, count in counted.most_common()
    ]


def samples(results: Mapping[str, Any], replies: Sequence[Reply]) -> str:
    """These replies as Markdown: what was asked, what was shown, what was answered and how it came about."""
    writer = next(iter(results["writers"]))
    lines = [
        f"The first {len(replies)} replies ({writer}, {results['engine']}, {results['date']}) in the order of "
        f"`{results['file']}`, none left out."
    ]
    for number, reply in enumerate(replies, start=1):
        lines += ["", f"**{number}. {_plain(reply.text)}** ({reply.act}; {reply.came})", ""]
        lines += [f"Shown: {_plain('; '.join(reply.titles))}", ""] if reply.titles else []
        lines += [f"Given up: {_plain('; '.join(reply.given_up))}", ""] if reply.given_up else []
        lines += [f"> {_plain(line)}".rstrip() for line in reply.sent.text.strip().splitlines()]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    return MARKS.sub(r"\\\1", text)


def print_report(results: Mapping[str, Any]) -> None:
    """The writers side by side, before the check and after it, and what it refused most often."""
    print(
        f"{results['date']}  {results['turns']} turns of {results['dialogues']} dialogues in {results['file']} "
        f"({results['sha256'][:12]}), {len(results['broken'])} broken lines left out; engine {results['engine']}"
    )
    print("mean (95% bootstrap interval over dialogues), n")
    for name, writer in results["writers"].items():
        groups = [writer["measures"][stage]["all"] for stage in STAGES]
        print(f"\n{name:<22}" + "".join(f"{stage:>30}" for stage in STAGES))
        for measured in MEASURES:
            if any(measured in group for group in groups):
                print(f"{measured:<22}" + "".join(f"{cell(group.get(measured)):>30}" for group in groups))
        for size in SIZES:
            found = [writer["distinct"][stage][f"distinct-{size}"] for stage in STAGES]
            print(f"{f'distinct-{size}':<22}" + "".join(f"{value:>30.3f}" for value in found))
        print(
            ", ".join(f"{what} {held['median']:.0f} (p95 {held['p95']:.0f})" for what, held in writer["cost"].items())
        )
        for refused in writer["unsupported"][:COMMONEST]:
            print(
                f"  {refused['replies']:>4}  {refused['word']}, such as: {' '.join(refused['such as'].split())[:160]}"
            )
