"""`usher eval feelings`: how the feeling towards titles is read, against what the same people said of them afterwards.

ReDial (Li et al. 2018) asked its people after the talk which of the titles they liked; `labels` of a replay file holds
their answers. The rules of `agent/stance.py` were written with the first half of the dialogues at hand, so the second
half is the one to go by.
"""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal

from agent.recorded import Turn
from agent.stance import Feeling, Role, stances
from eval.replay_data import read_replay
from eval.runs import file_hash
from tools.catalog import Catalog

Half = Literal["all", "first", "second"]
FEELINGS: tuple[Feeling, ...] = ("liked", "disliked", "seen", "mentioned")
SIDES: tuple[tuple[Role, str], ...] = (("user", "the person"), ("assistant", "the other side"))


def run_feelings(data: Path, catalog: Path, half: Half, out: Path) -> None:
    """Print what was read of titles that were liked and disliked, and write results.json to `out`.

    Raises UsherError for data that cannot be used, and CatalogError.
    """
    with Catalog.open(catalog) as opened:
        replay = read_replay(data, frozenset(map(str, opened.ids)))
        talks = [turns[-1] for turns in replay.dialogues().values()]
        chosen = {"all": talks, "first": talks[: len(talks) // 2], "second": talks[len(talks) // 2 :]}[half]
        results = {
            "date": date.today().isoformat(),
            "data": {data.name: file_hash(data)},
            "catalog": {"name": opened.manifest.name, "build": opened.manifest.build_hash},
            "half": half,
            "dialogues": len(chosen),
            "read": read_feelings(opened, chosen),
        }
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(results, indent=2), encoding="utf-8")
    _print(results)


def read_feelings(catalog: Catalog, talks: Sequence[Turn]) -> list[dict[str, Any]]:
    """For titles by who named them first and whether the person liked them: how many were read as which feeling.

    `talks` are the longest turns of their dialogues. Titles without an answer do not count.
    """
    counts: Counter[tuple[Role, str, Feeling]] = Counter()
    for talk in talks:
        said = dict.fromkeys(talk.labels.liked, "liked") | dict.fromkeys(talk.labels.disliked, "disliked")
        for stance in stances(catalog, [(one.role, one.content) for one in talk.messages]):
            label = said.get(str(catalog.ids[stance.row]))
            if label is not None:
                counts[stance.by, label, stance.feeling] += 1
    return [
        {"by": by, "label": label, **{feeling: counts[by, label, feeling] for feeling in FEELINGS}}
        for by, _ in SIDES
        for label in ("liked", "disliked")
    ]


def _print(results: dict[str, Any]) -> None:
    ((name, digest),) = results["data"].items()
    print(f"{results['date']}  {name} {digest[:12]}, {results['half']} dialogues: {results['dialogues']:,}")
    print(f"\n{'named by, and afterwards':<32}" + "".join(f"{feeling:>12}" for feeling in FEELINGS))
    sides = dict(SIDES)
    for row in results["read"]:
        said = f"{sides[row['by']]}, {row['label']}"
        print(f"{said:<32}" + "".join(f"{row[feeling]:>12}" for feeling in FEELINGS))
