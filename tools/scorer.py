"""The one interface every scorer has: configured, fitted, saved, loaded, and asked for a score for every item."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from scipy.sparse import csr_array

Scores = NDArray[np.float32]  # shape (items,); NaN where the scorer knows nothing of the item
Rows = NDArray[np.int64]  # row numbers of items in the catalog, best first where there is an order
Mask = NDArray[np.bool_]  # shape (items,)


@dataclass(frozen=True)
class Query:
    """What to score against: words, or the rows someone liked and disliked, or a person the scorer was fitted on."""

    text: str = ""
    liked: Sequence[int] = ()
    disliked: Sequence[int] = ()
    user_id: str | None = None


@dataclass(frozen=True)
class FitData:
    """What a scorer may learn from: one document an item, and the interactions as users x items.

    `ratings` is None for a catalog without interactions; `users` names its rows.
    """

    documents: Sequence[str]
    ratings: csr_array | None
    users: Sequence[str]


class Scorer(Protocol):
    """`score` gives NaN, never zero, for items it knows nothing of, so that no knowledge is not taken for dislike."""

    @classmethod
    def fit(cls, data: FitData, config: BaseModel) -> Self: ...

    def score(self, query: Query) -> Scores: ...

    def save(self, folder: Path) -> None: ...

    @classmethod
    def load(cls, folder: Path) -> Self: ...


def top(scores: Scores, k: int, within: Mask | None = None) -> Rows:
    """Rows of the k best finite scores, best first; ties go to the lower row, so that a ranking is reproducible."""
    known = np.isfinite(scores) if within is None else np.isfinite(scores) & within
    rows = np.flatnonzero(known)
    if k < len(rows):
        # Keep all ties of the k-th score before the exact sort: argpartition alone would pick among them at random.
        kth = np.partition(scores[rows], len(rows) - k)[len(rows) - k]
        rows = rows[scores[rows] >= kth]
    order = np.lexsort((rows, -scores[rows]))
    return rows[order][:k].astype(np.int64)
