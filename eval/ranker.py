"""`usher eval ranker`: does the ranker role better the order it is given? On people whom nothing was trained on."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from agent.histories import Case, Part, cases
from agent.llm import Engine, engine
from agent.rank import LETTER_WEIGHT, combine, letter_scores
from agent.settings import Settings
from eval.stats import interval
from tools.catalog import Catalog
from tools.errors import UsherError

AT = 10
EACH = 8  # cases of one person at most
SEED = 7
WEIGHTS = (0.0, 0.02, 0.05, 0.1, 0.15, 0.25, 0.4, 0.6, 1.0, 2.0)  # tried on the people of `validation`
ROWS = ("fused", "model", "combined")


@dataclass(frozen=True)
class Scored:
    """A case with the fused scores and the ranker's log-probabilities, both of shape (candidates,)."""

    case: Case
    fused: NDArray[np.float32]
    letters: NDArray[np.float64]

    def ndcg(self, weight: float) -> float:
        return ndcg(combine(self.fused, self.letters, weight), self.case.relevant)

    def rows(self) -> dict[str, float]:
        """nDCG@10 by row of the table."""
        model = ndcg(self.letters, self.case.relevant)
        return {"fused": self.ndcg(0.0), "model": model, "combined": self.ndcg(LETTER_WEIGHT)}


def ndcg(scores: NDArray[np.floating[Any]], relevant: Sequence[int]) -> float:
    """nDCG@10 with gains of 0 and 1 (Järvelin and Kekäläinen 2002); ties keep the order given. The ideal is the best
    order of these candidates, so that it measures ranking and not what the tools found.
    """
    discounts = 1.0 / np.log2(np.arange(2, AT + 2))
    gains = np.zeros(len(scores))
    gains[list(relevant)] = 1.0
    ranked = gains[np.argsort(-scores, kind="stable")][:AT]
    return float(ranked @ discounts[: len(ranked)] / discounts[: len(relevant)].sum())


def run_ranker(catalog: Path | None, people: int | None, out: Path) -> None:
    """Print nDCG@10 of the fused order, the model alone and both, and write results.json to `out`.

    `people` limits those who are measured. Raises CatalogError, EngineError, or UsherError when no ranker was trained
    or the catalog has no interactions.
    """
    settings = Settings() if catalog is None else Settings(catalog=catalog)
    with Catalog.open(settings.catalog) as opened, engine(settings) as model:
        if not model.plays("ranker"):
            raise UsherError("the ranker was not trained; train it with: usher finetune train --role ranker")
        results = {"command": "usher eval ranker" + (f" --people {people}" if people else "")}
        results |= score(opened, model, people)
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(results, indent=2), encoding="utf-8")
    _print(results)


def score(catalog: Catalog, model: Engine, people: int | None) -> dict[str, Any]:
    """The rows over `test` people, and nDCG@10 by weight over those of `validation`."""
    chosen = run_cases(catalog, model, "validation", people)
    scored = run_cases(catalog, model, "test", people)
    if not scored:
        raise UsherError(f"{catalog.folder}: too few people in the interactions to measure the ranker on")
    kinds = sorted({one.case.kind for one in scored})
    groups = {"all": scored} | {kind: [one for one in scored if one.case.kind == kind] for kind in kinds}
    return {
        "date": date.today().isoformat(),
        "catalog": {"name": catalog.manifest.name, "build": catalog.manifest.build_hash[:12]},
        "engine": model.name,
        "weight": LETTER_WEIGHT,
        "by_weight": {str(weight): _mean(chosen, weight) for weight in WEIGHTS} if chosen else {},
        "ndcg": {name: summary(group) for name, group in groups.items()},
    }


def run_cases(catalog: Catalog, model: Engine, part: Part, people: int | None) -> list[Scored]:
    """The ranker over the cases of a part's people."""
    noun, scored = catalog.manifest.noun, []
    for case in tqdm(cases(catalog, part, SEED, EACH, people), desc=part, unit=" cases"):
        letters = letter_scores(model, noun, case.wish, case.candidates, case.ordered, case.liked)
        scored.append(Scored(case, case.ordered.scores, letters))
    return scored


def summary(scored: Sequence[Scored]) -> dict[str, dict[str, float]]:
    """Means of the rows, and of what they gain over the fused order, with 95% intervals of a paired bootstrap.

    A person counts once, with the mean of their cases: whole people are drawn.
    """
    people: dict[str, list[dict[str, float]]] = {}
    for one in scored:
        people.setdefault(one.case.user_id, []).append(one.rows())
    means = {row: np.array([np.mean([case[row] for case in cases]) for cases in people.values()]) for row in ROWS}
    values = means | {f"{row} - fused": means[row] - means["fused"] for row in ROWS[1:]}
    found = {}
    for name, by_person in values.items():
        low, high = interval(by_person)
        found[name] = {"mean": float(by_person.mean()), "low": low, "high": high, "people": float(len(people))}
    return found


def _mean(scored: Sequence[Scored], weight: float) -> float:
    """Over people, as in `summary`."""
    people: dict[str, list[float]] = {}
    for one in scored:
        people.setdefault(one.case.user_id, []).append(one.ndcg(weight))
    return float(np.mean([np.mean(values) for values in people.values()]))


def _print(results: dict[str, Any]) -> None:
    held = results["catalog"]
    print(f"{results['date']}  nDCG@{AT}, 95% bootstrap intervals over people; {held['name']} (build {held['build']})")
    for kind, rows in results["ndcg"].items():
        print(f"\n{kind}: {rows['fused']['people']:.0f} people")
        for name, found in rows.items():
            print(f"  {name:<18}{found['mean']:+.4f} ({found['low']:+.4f} to {found['high']:+.4f})")
    tried = ", ".join(f"{weight}: {value:.4f}" for weight, value in results["by_weight"].items())
    print(f"\nweight of the letters {results['weight']} (agent/rank.py); on the people of validation {tried}")
