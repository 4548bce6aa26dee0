"""The learned rows of a replay: a fusion of all that the tools and other dialogues say, whole and without each part.

Five folds by dialogue: whatever scores a turn (weights, counts, shared titles) has seen nothing of its fold.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from tqdm import tqdm

from agent.dialogues import Memory
from agent.learned import FEATURES, OF_DIALOGUES, OWN, WHEN, Weights, made_of
from agent.learning import Heard, cases, known
from agent.recorded import FOLDS
from eval.replay_rows import Ranked, Ranker, best_first, cuts, with_tail
from tools.catalog import Catalog

WHOLE = "learned fusion"
NO_CF, NO_SEARCH, NO_DIALOGUES = (f"{WHOLE} without {part}" for part in ("CF", "text search", "other dialogues"))

# What a row of the learned fusion goes without.
PARTS: Mapping[str, frozenset[str]] = {
    NO_CF: made_of("liked", "named", "disliked"),
    NO_SEARCH: made_of("words", "meaning", "meaning_last", "asked", "leaning", "names"),
    f"{WHOLE} without neighbours": made_of("near", "near_last", "kinds", "shared", "era", "modern"),
    f"{WHOLE} without popularity": made_of("popular", "lately", "rating", "year", "new"),
    NO_DIALOGUES: OF_DIALOGUES,
    f"{WHOLE} without circumstances": frozenset(name for name in FEATURES if name.endswith(WHEN)),
}


def learned_rows(
    catalog: Catalog, heard: Mapping[str, Heard], gold: Mapping[str, Sequence[str]], memory: Memory
) -> dict[str, Ranker]:
    """Popularity in other dialogues, the learned fusion, and the same without PARTS. `gold` is by the ids of turns."""
    ranked: dict[str, dict[str, Ranked]] = {part: {} for part in ("popularity in other dialogues", WHOLE, *PARTS)}
    for fold in tqdm(range(FOLDS), desc="folds", dynamic_ncols=True):
        popular = Ranked(best_first(memory.suggestions(fold)))
        learned = cases(catalog, heard, gold, memory, fold)
        weights = {part: Weights.learned(learned, PARTS.get(part, ())) for part in (WHOLE, *PARTS)}
        for turn_id, one in heard.items():
            if one.fold == fold:
                ranked["popularity in other dialogues"][turn_id] = popular
                held, matrix = known(one, memory, fold)
                for part, learnt in weights.items():
                    ordered = held.rows[np.argsort(-learnt.score(matrix), kind="stable")]
                    ranked[part][turn_id] = Ranked(ordered, {"candidates": held.rows} | cuts(ordered))

    def ranker(by_id: Mapping[str, Ranked]) -> Ranker:
        return lambda turn_id: with_tail(by_id[turn_id], len(catalog))

    return {part: ranker(by_id) for part, by_id in ranked.items()}


def weights_by_fold(
    catalog: Catalog, heard: Mapping[str, Heard], gold: Mapping[str, Sequence[str]], memory: Memory
) -> list[dict[str, Weights]]:
    """For each fold what was learned from all others: the whole, without some of the PARTS, and, for NO_DIALOGUES, the
    weights that would come with Usher had it learned from these dialogues.
    """
    found = []
    for fold in tqdm(range(FOLDS), desc="folds", dynamic_ncols=True):
        learned = cases(catalog, heard, gold, memory, fold)
        of_tools = Weights.learned(cases(catalog, heard, gold, None, fold), OWN)
        some = {part: Weights.learned(learned, PARTS.get(part, ())) for part in (WHOLE, NO_CF, NO_SEARCH)}
        found.append(some | {NO_DIALOGUES: of_tools})
    return found
