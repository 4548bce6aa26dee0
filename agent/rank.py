"""From candidates to picks: the ranker role scores the best 20 by their letters, then diversity picks among them.

The ranker reads a line a candidate: title, kind, digits, letter. The digits are what the tools say of it, each from
0, the least among these candidates, to 9, the most, so that they mean the same in every catalog: READ_SIGNALS after the
score that ordered them, and its rating.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agent.learned import Ordered
from agent.llm import Engine, Message, Request
from agent.messages import LETTERS, ranker_messages
from agent.signals import SIGNALS
from tools.catalog import Item
from tools.scorer import Rows, Scores

LETTER_WEIGHT = 0.25  # of the ranker's log-probabilities in `combine`; other weights: finetune/LOG.md
READ = 5  # newest likes that the ranker reads
LONGEST = 24  # characters of a title
READ_SIGNALS = ("near", "names", "leaning", "popular", "lately")  # chosen by what they add: finetune/LOG.md


def letter_scores(
    engine: Engine, noun: str, wish: str, candidates: Sequence[Item], ordered: Ordered, liked: Sequence[Item] = ()
) -> NDArray[np.float64]:
    """Log-probability of each candidate's letter as the first token, shape (candidates,), one forward pass.

    `ordered` says of each candidate why it is there; `liked` are the person's likes, oldest first. Letters outside the
    likeliest tokens come after all others and keep the order they had.
    """
    request = Request("ranker", rank_messages(noun, wish, candidates, ordered, liked), max_tokens=1)
    scores = np.array(engine.choose(request, LETTERS[: len(candidates)]), dtype=np.float64)
    missing = ~np.isfinite(scores)
    floor = scores[~missing].min(initial=0.0)
    scores[missing] = floor - 1.0 - np.arange(int(missing.sum()))
    return scores


def combine(fused: Scores, letters: NDArray[np.float64], weight: float = LETTER_WEIGHT) -> Scores:
    """The final scores, shape (candidates,): fused scores scaled to 0..1, plus `weight` times the log-probabilities.

    At weight 0 it is the fused order, so that a weight chosen on people who were held out can only help.
    """
    spread = float(np.ptp(fused)) if len(fused) else 0.0
    scaled = (fused - fused.min()) / spread if spread else np.zeros(len(fused))
    return np.asarray(scaled + weight * letters, dtype=np.float32)


def rank_messages(
    noun: str, wish: str, candidates: Sequence[Item], ordered: Ordered, liked: Sequence[Item]
) -> tuple[Message, ...]:
    """What the ranker reads of a wish, in training and in serving; at most 20 candidates, best first."""
    lines = [
        " ".join([item.title[:LONGEST].strip(), *kinds(item)[:1], said])
        for item, said in zip(candidates, digits_of(candidates, ordered), strict=True)
    ]
    return ranker_messages(noun, wish, lines, [item.title[:LONGEST].strip() for item in liked[-READ:]])


def kinds(item: Item) -> tuple[str, ...]:
    """The values of the item's first list: genres, subjects, whatever the catalog has."""
    first = next((value for value in item.values.values() if isinstance(value, tuple)), ())
    return tuple(str(value) for value in first)


def measures(candidates: Sequence[Item], ordered: Ordered) -> list[NDArray[np.float64]]:
    """What the digits are of, each of shape (candidates,): the score, READ_SIGNALS, the rating; NaN for the unknown."""
    ratings = [item.values.get("rating_mean") for item in candidates]
    read = ordered.signals[:, [SIGNALS.index(name) for name in READ_SIGNALS]].astype(np.float64)
    rated = [float(rating) if isinstance(rating, (int, float)) else np.nan for rating in ratings]
    return [ordered.scores.astype(np.float64), *read.T, np.array(rated, dtype=np.float64)]


def digits_of(candidates: Sequence[Item], ordered: Ordered) -> list[str]:
    """A digit a measure, a dash for what is not known."""
    return ["".join(column) for column in zip(*map(_scale, measures(candidates, ordered)), strict=True)]


def _scale(values: NDArray[np.float64]) -> list[str]:
    """Digits from 0 for the least to 9 for the most."""
    known = [value for value in values if not np.isnan(value)]
    low, spread = min(known, default=0.0), (max(known) - min(known) if known else 0.0) or 1.0
    return ["-" if np.isnan(value) else str(round(9 * (value - low) / spread)) for value in values]


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
