"""The learned rows of a replay: a fusion of all that the tools and other dialogues say, whole and without each part.

Five folds by dialogue: whatever scores a turn (weights, counts, shared titles) has seen nothing of its fold.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np
from tqdm import tqdm

from agent.recorded import FOLDS
from eval.fusion import Case, Fusion, fit, thinned
from eval.memory import MEMORIES, Memory
from eval.replay_rows import Heard, Ranked, Ranker, best_first, by_turn, cuts
from eval.signals import FEATURES as OF_TOOLS
from eval.signals import RANK, Matrix, Talk, features
from tools.catalog import Catalog
from tools.scorer import Rows

WHOLE = "learned fusion"
LENGTHY = 150  # characters that make a wish a long one
# Signals whose weight depends on how much the person has said, and of what kind that is.
DEPENDENT = (
    "words",
    "meaning",
    "asked",
    "popular",
    "lately",
    "year",
    "new",
    *(name for name in MEMORIES if name != "together"),
)
WHEN = ("nothing named", "at first", "at length")
FEATURES = (*OF_TOOLS, *MEMORIES, *(f"{name}, {when}" for when in WHEN for name in DEPENDENT))


def made_of(*signals: str) -> frozenset[str]:
    """The FEATURES that are made of these signals."""
    return frozenset(name for name in FEATURES if name.partition(", ")[0].removesuffix(RANK) in signals)


# What a row of the learned fusion goes without.
PARTS: Mapping[str, frozenset[str]] = {
    f"{WHOLE} without CF": made_of("liked", "named", "disliked"),
    f"{WHOLE} without text search": made_of("words", "meaning", "meaning_last", "asked", "leaning", "names"),
    f"{WHOLE} without neighbours": made_of("near", "near_last", "kinds", "shared", "era", "modern"),
    f"{WHOLE} without popularity": made_of("popular", "lately", "rating", "year", "new"),
    f"{WHOLE} without other dialogues": made_of(*MEMORIES),
    f"{WHOLE} without circumstances": frozenset(name for name in FEATURES if name.endswith(WHEN)),
}


def learned_rows(
    catalog: Catalog, heard: Mapping[str, Heard], gold: Mapping[str, Sequence[str]], memory: Memory
) -> dict[str, Ranker]:
    """Popularity in other dialogues, the learned fusion, and the same without PARTS. `gold` is by the ids of turns."""
    popular = [Ranked(best_first(memory.suggestions(fold))) for fold in range(FOLDS)]
    ranked: dict[str, dict[str, Ranked]] = {part: {} for part in (WHOLE, *PARTS)}
    for fold in tqdm(range(FOLDS), desc="folds", dynamic_ncols=True):
        learned = cases(catalog, heard.values(), gold, memory, fold)
        fusions = {part: Partial.learned(learned, PARTS.get(part, ())) for part in ranked}
        for one in heard.values():
            if one.fold == fold:
                rows, matrix = candidates(one, memory, fold)
                for part, fusion in fusions.items():
                    ordered = rows[np.argsort(-fusion.score(matrix), kind="stable")]
                    ranked[part][one.talk.id] = Ranked(ordered, {"candidates": rows} | cuts(ordered))
    rankers = {"popularity in other dialogues": by_turn(catalog, heard, lambda one: popular[one.fold])}
    return rankers | {part: by_turn(catalog, heard, partial(_found, by)) for part, by in ranked.items()}


def _found(by_id: Mapping[str, Ranked], one: Heard) -> Ranked:
    return by_id[one.talk.id]


@dataclass(frozen=True)
class Partial:
    """A fusion of some of the FEATURES."""

    kept: Sequence[int]
    fusion: Fusion

    @classmethod
    def learned(cls, learned: Sequence[Case], left_out: Collection[str]) -> Self:
        """From cases with all FEATURES."""
        kept = [place for place, name in enumerate(FEATURES) if name not in left_out]
        return cls(kept, fit([Case(case.features[:, kept], case.wanted) for case in learned]))

    def score(self, matrix: Matrix) -> Matrix:
        """Shape (candidates,), of features (candidates, FEATURES)."""
        return self.fusion.score(matrix[:, self.kept])


def cases(
    catalog: Catalog, heard: Iterable[Heard], gold: Mapping[str, Sequence[str]], memory: Memory, fold: int
) -> list[Case]:
    """What the turns of the other folds teach, seen without the fold."""
    draw, found = np.random.default_rng(fold), []
    for one in heard:
        if one.fold != fold:
            wanted = [row for item_id in gold[one.talk.id] if (row := catalog.row_of(item_id)) is not None]
            rows, matrix = candidates(one, memory, fold)
            if np.isin(rows, wanted).any():
                found.append(thinned(Case(matrix, np.isin(rows, wanted)), draw))
    return found


def candidates(one: Heard, memory: Memory, fold: int) -> tuple[Rows, Matrix]:
    """The candidates of the tools and of the dialogues outside a fold, and their features (candidates, FEATURES)."""
    held = one.candidates
    remembered = memory.signals(one.talk, held, fold)[held.rows]
    kept = held.brought() | (remembered[:, MEMORIES.index("suggested")] > 0)
    said = np.concatenate([features(held.matrix[kept]), remembered[kept]], axis=1)
    return held.rows[kept], np.concatenate([said, *circumstances(one.talk, said)], axis=1)


def circumstances(talk: Talk, said: Matrix) -> list[Matrix]:
    """DEPENDENT for each of WHEN, shape (candidates, DEPENDENT): from their mean over the candidates where it holds,
    zeros where it does not. `said` are the features before them.
    """
    places = [FEATURES.index(name) for name in DEPENDENT]
    centred = said[:, places] - said[:, places].mean(axis=0)
    holds = (not talk.wanted, talk.said == talk.last, len(talk.said) > LENGTHY)
    return [centred * np.float32(held) for held in holds]
