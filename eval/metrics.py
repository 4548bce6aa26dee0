"""How well a ranking finds several wanted items: recall, reciprocal rank and nDCG, all with binary relevance.

Everything is worked out from the places of the wanted items, which are small enough to be kept for every case.
"""

from collections.abc import Collection, Iterable, Sequence
from math import log2

CUTOFFS = (1, 10, 20, 50)
NDCG_AT = 10
FIGURES = (*(f"R@{k}" for k in CUTOFFS), "MRR", f"nDCG@{NDCG_AT}")

Places = Sequence[int | None]  # the rank of each wanted item, from 1; None for one that is not in the ranking


def unnamed(gold: Iterable[str], mentioned: Collection[str]) -> tuple[str, ...]:
    """The wanted items that nobody had named before, each once: finding an item that was named is no finding."""
    return tuple(item for item in dict.fromkeys(gold) if item not in mentioned)


def places(ranking: Iterable[str], gold: Sequence[str], mentioned: Collection[str] = ()) -> list[int | None]:
    """The rank of each gold item, in the order of `gold`, once the mentioned items are taken out of the ranking.

    Raises ValueError for a ranking that holds an item twice, since that would count it twice.
    """
    left = [item for item in ranking if item not in mentioned]
    rank = {item: place for place, item in enumerate(left, start=1)}
    if len(rank) < len(left):
        raise ValueError("the ranking holds an item twice")
    return [rank.get(item) for item in gold]


def recall(found: Places, k: int) -> float:
    """The share of the wanted items among the first k. Raises ValueError where nothing is wanted."""
    _wanted(found)
    return sum(place is not None and place <= k for place in found) / len(found)


def reciprocal_rank(found: Places) -> float:
    """One over the rank of the first wanted item, 0 where none is ranked. Raises ValueError where nothing is wanted."""
    _wanted(found)
    return max((1 / place for place in found if place is not None), default=0.0)


def ndcg(found: Places, k: int) -> float:
    """Normalised discounted cumulative gain at k (Järvelin and Kekäläinen 2002), gain 1 and discount log2(1 + rank).

    Raises ValueError where nothing is wanted.
    """
    _wanted(found)
    gained = sum(1 / log2(1 + place) for place in found if place is not None and place <= k)
    return gained / sum(1 / log2(1 + place) for place in range(1, min(k, len(found)) + 1))


def figures(found: Places) -> list[float]:
    """All of FIGURES, in their order."""
    return [*(recall(found, k) for k in CUTOFFS), reciprocal_rank(found), ndcg(found, NDCG_AT)]


def _wanted(found: Places) -> None:
    if not found:
        raise ValueError("nothing is wanted")
