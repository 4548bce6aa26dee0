"""From candidates to picks: the ranker role scores the best 20 by their letters, then diversity picks among them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agent.evidence import Pick
from agent.llm import Engine, Request
from agent.messages import LETTERS, ranker_messages
from tools.scorer import Rows, Scores


def letter_scores(engine: Engine, noun: str, wish: str, candidates: Sequence[Pick]) -> NDArray[np.float64]:
    """Log-probability of each candidate's letter as the first token, shape (candidates,), one forward pass.

    Letters outside the likeliest tokens come after all others and keep the order they had.
    """
    request = Request("ranker", ranker_messages(noun, wish, [pick.line() for pick in candidates]), max_tokens=1)
    scores = np.array(engine.choose(request, LETTERS[: len(candidates)]), dtype=np.float64)
    missing = ~np.isfinite(scores)
    floor = scores[~missing].min(initial=0.0)
    scores[missing] = floor - 1.0 - np.arange(int(missing.sum()))
    return scores


def diversify(vectors: NDArray[np.float32], scores: Scores, count: int, diversity: float) -> Rows:
    """Indices of the picks by maximal marginal relevance (Carbonell and Goldstein 1998).

    Relevance is the score scaled to 0..1, likeness the cosine to the nearest pick; `diversity` weighs the second.
    """
    if not len(scores):
        return np.empty(0, dtype=np.int64)
    relevance = (scores - scores.min()) / (float(np.ptp(scores)) or 1.0)
    likeness = np.nan_to_num(vectors @ vectors.T)
    nearest = np.zeros(len(scores), dtype=np.float32)
    picked: list[int] = []
    for _ in range(min(count, len(scores))):
        value = (1 - diversity) * relevance - diversity * nearest
        value[picked] = -np.inf
        best = int(np.argmax(value))
        picked.append(best)
        nearest = np.maximum(nearest, likeness[best])
    return np.array(picked, dtype=np.int64)
