"""The rows of a replay that need no model and learn nothing: popularity, one tool each, and all of them fused.

Each ranks every item: what a row knows nothing of follows in the order of popularity.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from agent.learning import Heard
from agent.pool import Pool, fuse
from agent.recorded import Turn
from agent.signals import SEARCHES, Talk
from tools.catalog import Catalog
from tools.scorer import Query, Rows, Scores, top

CUTS = (200, 50, 20)  # of a ranking, in the funnel


@dataclass(frozen=True)
class Ranked:
    """A ranking of catalog rows, best first, and the rows that were left after each step towards it."""

    rows: Rows
    steps: Mapping[str, Rows] = field(default_factory=dict)


Ranker = Callable[[str], Ranked]  # by the id of a turn


def tool_rows(catalog: Catalog, heard: Mapping[str, Heard]) -> dict[str, Ranker]:
    """Popularity, each tool alone, and the fixed pipeline: every tool, fused by reciprocal rank."""

    def of_list(name: str, one: Heard) -> Ranked:
        return Ranked(one.candidates.lists[name])

    def fixed(one: Heard) -> Ranked:
        lists = [one.candidates.lists[name] for name in SEARCHES]
        none = np.zeros(len(catalog), dtype=np.bool_)
        rows, _ = fuse(Pool(~none, none, [rows for rows in lists if len(rows)]), catalog.popularity)
        return Ranked(rows, {"candidates": one.candidates.rows[one.candidates.brought()]} | cuts(rows))

    ranked: dict[str, Callable[[Heard], Ranked]] = {
        "popularity": lambda _: Ranked(np.arange(len(catalog), dtype=np.int64)),
        "BM25": partial(of_list, "words"),
        "dense": partial(of_list, "meaning"),
        "EASE": lambda one: Ranked(best_first(_folded_in(catalog, one.talk))),
        "fixed pipeline": fixed,
    }
    return {name: by_turn(catalog, heard, rank) for name, rank in ranked.items()}


def popularity_row(catalog: Catalog, turns: Iterable[Turn]) -> Ranker:
    """Popularity among the suggestions of other turns."""
    gold = [row for turn in turns for item_id in turn.gold if (row := catalog.row_of(item_id)) is not None]
    rows = best_first(np.bincount(gold, minlength=len(catalog)).astype(np.float32))
    return lambda _: Ranked(rows)


def cuts(rows: Rows) -> dict[str, Rows]:
    """The steps of a ranking that is cut ever shorter."""
    return {f"first {cut}": rows[:cut] for cut in CUTS}


def _folded_in(catalog: Catalog, talk: Talk) -> Scores:
    """cf_recommend as the agent would call it with the titles it found."""
    if catalog.cf is None:
        return np.full(len(catalog), np.nan, dtype=np.float32)
    return catalog.cf.score(Query(liked=talk.feeling("liked", "seen", "mentioned"), disliked=talk.feeling("disliked")))


def best_first(scores: Scores) -> Rows:
    """Every item with a score; ties in the order of popularity."""
    return top(scores, len(scores))


def by_turn(catalog: Catalog, heard: Mapping[str, Heard], rank: Callable[[Heard], Ranked]) -> Ranker:
    """A ranker from a function of one turn; what is left follows in the order of popularity."""
    return lambda turn_id: with_tail(rank(heard[turn_id]), len(catalog))


def with_tail(ranked: Ranked, items: int) -> Ranked:
    """The ranking with all other rows after it: row numbers are the order of popularity."""
    tail = np.setdiff1d(np.arange(items, dtype=np.int64), ranked.rows, assume_unique=True)
    return Ranked(np.concatenate([ranked.rows, tail]), ranked.steps)
