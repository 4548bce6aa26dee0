"""The rows of a replay that need no model and learn nothing: popularity, one tool each, and all of them fused.

Each ranks every item: what a row knows nothing of follows in the order of popularity.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from agent.pool import Pool, fuse
from agent.recorded import Turn, fold_of
from eval.signals import SEARCHES, Candidates, Listening, Matrix, Talk, hear
from tools.catalog import Catalog
from tools.mentions import find_mentions
from tools.scorer import Query, Rows, Scores, top

CUTS = (200, 50, 20)  # of a ranking, in the funnel
BATCH = 256  # texts embedded at once


@dataclass(frozen=True)
class Ranked:
    """A ranking of catalog rows, best first, and the rows that were left after each step towards it."""

    rows: Rows
    steps: Mapping[str, Rows] = field(default_factory=dict)


Ranker = Callable[[str], Ranked]  # by the id of a turn


@dataclass(frozen=True)
class Heard:
    """A turn as the tools see it."""

    talk: Talk
    candidates: Candidates

    @property
    def fold(self) -> int:
        return fold_of(self.talk.dialogue)


def listen(catalog: Catalog, turns: Sequence[Turn]) -> dict[str, Heard]:
    """What the tools say of each turn, by its id, and of all that was ever suggested: other dialogues may bring it."""
    suggested = {row for turn in turns for item_id in turn.gold if (row := catalog.row_of(item_id)) is not None}
    besides, listening = np.array(sorted(suggested), dtype=np.int64), Listening(catalog)
    find = cache(find_mentions)  # the turns of a dialogue share their messages
    talks = [hear(catalog, turn, find) for turn in tqdm(turns, desc="titles", dynamic_ncols=True)]
    vectors = _embedded(catalog, sorted({text for talk in talks for text in (talk.said, talk.last)}, key=len))
    return {
        talk.id: Heard(talk, listening.candidates(talk, vectors[talk.said], vectors[talk.last], besides))
        for talk in tqdm(talks, desc="signals", dynamic_ncols=True)
    }


def _embedded(catalog: Catalog, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """Unit vectors of texts; many at once are several times as fast as one by one."""
    found: dict[str, NDArray[np.float32]] = {}
    for start in tqdm(range(0, len(texts), BATCH), desc="vectors", dynamic_ncols=True):
        batch = list(texts[start : start + BATCH])
        found |= zip(batch, catalog.dense.embed(batch), strict=True)
    return found


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


def best_first(scores: Matrix) -> Rows:
    """Every item with a score; ties in the order of popularity."""
    return top(scores, len(scores))


def by_turn(catalog: Catalog, heard: Mapping[str, Heard], rank: Callable[[Heard], Ranked]) -> Ranker:
    """A ranker from a function of one turn; what is left follows in the order of popularity."""
    return lambda turn_id: with_tail(rank(heard[turn_id]), len(catalog))


def with_tail(ranked: Ranked, items: int) -> Ranked:
    """The ranking with all other rows after it: row numbers are the order of popularity."""
    tail = np.setdiff1d(np.arange(items, dtype=np.int64), ranked.rows, assume_unique=True)
    return Ranked(np.concatenate([ranked.rows, tail]), ranked.steps)
