"""What the tools say of every candidate for one recorded turn: the candidates, and a column of numbers a signal.

Nothing here is learned. Titles and the feeling towards them are found in the text by the agent's own means; the ids of
the replay file are not looked at.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.recorded import Turn
from agent.stance import Stance, stances
from tools.catalog import Catalog
from tools.mentions import common_words, find_mentions
from tools.scorer import Query, Rows, Scores, top
from tools.text import tokenize

WORDS = 600  # characters of what was said, from its end, that a search reads: what an embedding model can take in
DEPTH = 200  # candidates that each signal brings
POPULAR = 300  # and popularity
NEW = 2  # years
LONGEST = 4  # words of a value that is looked for in what was said
NEIGHBOURS = 6  # titles named last whose neighbours in meaning are looked for
SEARCHES = ("liked", "named", "words", "meaning", "meaning_last", "near")  # that bring candidates
RANK = " rank"
SIGNALS = (
    "liked",  # cf_recommend: folded in from the titles the person likes
    "named",  # from the other titles that came up
    "disliked",  # from those the person dislikes
    "words",  # bm25_search for what the person said, titles taken out
    "meaning",  # dense_search for it
    "meaning_last",  # dense_search for the last message
    "near",  # similarity in meaning to the titles named, at most NEIGHBOURS
    "asked",  # share of the vocabulary values that the person said which the item has
    "leaning",  # how near in meaning to what was said the item's vocabulary values are
    "names",  # values of its free lists (people, keywords) that the person said, rare ones counting more
    "kinds",  # cosine of its vocabulary values with those of the titles named
    "popular",  # log of the interactions
    "unled",  # the same, where no title was named that could lead elsewhere
    "lately",  # log of the latest tenth of the interactions
    "rating",  # mean rating
    "year",  # decades before the catalog's newest item
    "new",  # 1 for items of the catalog's last NEW years
    "era",  # decades from the mean year of the titles named
    "modern",  # year times the mean year of the titles named, both from the mean year of the interactions
)
FEATURES = (*SIGNALS, *(f"{name}{RANK}" for name in SEARCHES))

Matrix = NDArray[np.float32]  # (candidates, signals)


@dataclass(frozen=True)
class Talk:
    """What the agent makes of the messages up to a turn: the titles named, and the person's words without them."""

    id: str
    dialogue: str
    stances: tuple[Stance, ...]
    said: str
    last: str

    @property
    def named(self) -> list[int]:
        """Rows of all titles, in the order they came up."""
        return [stance.row for stance in self.stances]

    def feeling(self, *feelings: str) -> list[int]:
        """Rows of the titles that the person has one of these feelings towards."""
        return [stance.row for stance in self.stances if stance.feeling in feelings]


@dataclass(frozen=True)
class Candidates:
    """`lists` are the rows that each signal brought, best first. `rows` are all of them and those that were asked for
    besides, each once; `matrix` is of shape (rows, SIGNALS), NaN where a signal knows nothing. `request` is the unit
    vector of what was said.
    """

    rows: Rows
    matrix: Matrix
    lists: dict[str, Rows]
    request: NDArray[np.float32]

    def brought(self) -> NDArray[np.bool_]:
        """Which of the rows some signal brought, shape (rows,)."""
        return np.isin(self.rows, np.concatenate(list(self.lists.values())))


def hear(catalog: Catalog, turn: Turn) -> Talk:
    """Read a turn's messages as the agent does."""
    said = [_without_titles(catalog, one.content) for one in turn.messages if one.role == "user"]
    found = stances(catalog, [(one.role, one.content) for one in turn.messages])
    return Talk(turn.id, turn.dialogue, tuple(found), " ".join(said)[-WORDS:], said[-1][-WORDS:] if said else "")


def _without_titles(catalog: Catalog, text: str) -> str:
    for mention in reversed(find_mentions(catalog, text)):
        text = f"{text[: mention.start]} {text[mention.end :]}"
    return " ".join(text.split())


def features(matrix: Matrix) -> Matrix:
    """What a fusion learns from, shape (candidates, FEATURES): the signals, those of searches over the best of the turn
    since their size says more of the query than of the item, and then how high the searches rank each candidate: 1 for
    the best, a half for the eleventh, 0 where a search knows nothing of it.
    """
    searches = [SIGNALS.index(name) for name in SEARCHES]
    found = matrix[:, searches]
    best = np.nan_to_num(np.nanmax(np.where(np.isnan(found), -np.inf, found), axis=0, initial=0.0))
    order = np.argsort(np.argsort(np.where(np.isnan(found), np.inf, -found), axis=0, kind="stable"), axis=0)
    ranks = np.where(np.isnan(found), 0.0, 1.0 / (1.0 + order / 10.0))
    signals = matrix.copy()
    signals[:, searches] = found / np.where(best > 0, best, 1.0)
    return np.asarray(np.nan_to_num(np.concatenate([signals, ranks], axis=1)), dtype=np.float32)


@dataclass(frozen=True)
class Listening:
    """The signals over one catalog."""

    catalog: Catalog

    def candidates(self, talk: Talk, besides: Rows) -> Candidates:
        """What each signal brings for a turn, and every signal for all of it and for the rows `besides`."""
        request, last = self.catalog.dense.embed([talk.said, talk.last])
        scores = self._scores(talk, request, last)
        left_out = np.zeros(len(self.catalog), dtype=np.bool_)
        left_out[talk.named] = True  # whoever names a title needs it no more
        lists = {name: top(scores[name], DEPTH, ~left_out) for name in SEARCHES}
        lists["popular"] = top(scores["popular"], POPULAR, ~left_out)
        rows = np.unique(np.concatenate([*lists.values(), besides[~left_out[besides]]]))
        matrix = np.stack([scores[name][rows] for name in SIGNALS], axis=1).astype(np.float32)
        return Candidates(rows, matrix, lists, request)

    def _scores(self, talk: Talk, request: NDArray[np.float32], last: NDArray[np.float32]) -> dict[str, Scores]:
        """Every signal for every item, each of shape (items,)."""
        catalog = self.catalog
        unknown = np.full(len(catalog), np.nan, dtype=np.float32)
        disliked, other = talk.feeling("disliked"), talk.feeling("seen", "mentioned")
        liked = talk.feeling("liked")
        named = [*liked, *other]

        popular: Scores = np.log1p(catalog.popularity)
        newest, taste = _of_known(np.max, self._years), _of_known(np.mean, self._years[named])

        def cf(rows: list[int]) -> Scores:
            return unknown if catalog.cf is None or not rows else catalog.cf.score(Query(liked=rows))

        def near(text: str, vector: NDArray[np.float32]) -> Scores:
            scores: Scores = np.asarray(catalog.dense.vectors @ vector, dtype=np.float32)
            return scores if text else unknown

        return {
            "liked": cf(liked),
            "named": cf(other),
            "disliked": cf(disliked),
            "words": catalog.bm25.score(Query(text=talk.said)),
            "meaning": near(talk.said, request),
            "meaning_last": near(talk.last, last),
            "near": self._near(named[-NEIGHBOURS:]),
            "asked": self._asked(talk.said),
            "leaning": self._leaning(request) if talk.said else unknown,
            "names": self._names(talk.said),
            "kinds": self._kinds(named),
            "popular": popular,
            "unled": np.zeros_like(popular) if named else popular,
            "lately": self._lately,
            "rating": self._column("rating_mean"),
            "year": self._years - newest,
            "new": np.asarray(self._years > newest - NEW / 10, dtype=np.float32),
            "era": np.abs(self._years - taste),
            "modern": (self._years - self._middle) * (taste - self._middle),
        }

    def _near(self, rows: Sequence[int]) -> Scores:
        if not rows:
            return np.full(len(self.catalog), np.nan, dtype=np.float32)
        vectors = self.catalog.dense.vectors
        return np.asarray(vectors @ np.nan_to_num(vectors[list(rows)]).mean(axis=0), dtype=np.float32)

    def _asked(self, said: str) -> Scores:
        words = set(tokenize(said))
        wanted = [place for place, value in enumerate(self._vocabulary) if set(tokenize(value)) <= words]
        return np.asarray(self._values[:, wanted].sum(axis=1) / max(len(wanted), 1), dtype=np.float32)

    def _leaning(self, request: NDArray[np.float32]) -> Scores:
        if not self._vocabulary:
            return np.full(len(self.catalog), np.nan, dtype=np.float32)
        likeness = self._vocabulary_vectors @ request
        return np.asarray(self._unit_values @ (likeness - likeness.mean()), dtype=np.float32)

    def _kinds(self, rows: Sequence[int]) -> Scores:
        if not rows or not self._vocabulary:
            return np.full(len(self.catalog), np.nan, dtype=np.float32)
        taste = self._values[list(rows)].sum(axis=0)
        return np.asarray(self._unit_values @ taste / max(float(np.linalg.norm(taste)), 1.0), dtype=np.float32)

    def _names(self, said: str) -> Scores:
        scores = np.zeros(len(self.catalog), dtype=np.float32)
        words = tokenize(said)
        spans = {" ".join(words[at : at + size]) for size in range(1, LONGEST + 1) for at in range(len(words))}
        for name in spans & self._named.keys():
            rows = self._named[name]
            scores[rows] += np.log(len(self.catalog) / len(rows))
        return scores

    @cached_property
    def _named(self) -> dict[str, Rows]:
        """Rows by the values of free lists, as words; everyday words are left out, they name nothing."""
        held: dict[str, set[int]] = {}
        for column in self.catalog.manifest.columns:
            if column.type == "text" and column.is_list and column.values is None and "title" not in column.name:
                for row, cell in enumerate(self.catalog.values(column.name)):
                    for value in cell or ():
                        held.setdefault(" ".join(tokenize(value)), set()).add(row)
        everyday = common_words()
        return {name: np.array(sorted(rows)) for name, rows in held.items() if name and name not in everyday}

    @cached_property
    def _years(self) -> Scores:
        """In decades; NaN where none is known."""
        return self._column("year") / np.float32(10)

    @cached_property
    def _lately(self) -> Scores:
        found = self.catalog.interactions()
        since = np.quantile(found["timestamp"], 0.9) if len(found["row"]) else 0
        counts = np.bincount(found["row"][found["timestamp"] > since], minlength=len(self.catalog))
        return np.log1p(counts).astype(np.float32)

    def _column(self, name: str) -> Scores:
        """A column of single numbers, NaN throughout where the catalog has none of that name."""
        column = self.catalog.manifest.column(name)
        if column is None or column.is_list or column.type not in ("integer", "number"):
            return np.full(len(self.catalog), np.nan, dtype=np.float32)
        return np.array([np.nan if value is None else value for value in self.catalog.values(name)], dtype=np.float32)

    @cached_property
    def _middle(self) -> np.float32:
        return _of_known(np.mean, np.repeat(self._years, self.catalog.popularity.astype(np.int64)))

    @cached_property
    def _vocabulary(self) -> list[str]:
        """The values of the enumerated columns."""
        return [value for column in self.catalog.manifest.enumerated() for value in column.values or ()]

    @cached_property
    def _vocabulary_vectors(self) -> NDArray[np.float32]:
        return self.catalog.dense.embed(self._vocabulary)

    @cached_property
    def _unit_values(self) -> Matrix:
        """_values with rows of unit length, zeros where an item has none."""
        lengths = np.linalg.norm(self._values, axis=1, keepdims=True)
        return np.asarray(self._values / np.maximum(lengths, 1.0), dtype=np.float32)

    @cached_property
    def _values(self) -> Matrix:
        """Which values each item has, shape (items, values of the enumerated columns)."""
        blocks = []
        for column in self.catalog.manifest.enumerated():
            place = {value: index for index, value in enumerate(column.values or ())}
            block = np.zeros((len(self.catalog), len(place)), dtype=np.float32)
            for row, cell in enumerate(self.catalog.values(column.name)):
                held = cell if isinstance(cell, list) else [cell]
                block[row, [place[value] for value in held if value in place]] = 1.0
            blocks.append(block)
        return np.concatenate(blocks, axis=1) if blocks else np.zeros((len(self.catalog), 0), dtype=np.float32)


def _of_known(of: Callable[[Scores], np.floating[Any]], values: Scores) -> np.float32:
    """Mean or maximum of the known values, NaN without any."""
    known = values[np.isfinite(values)]
    return np.float32(of(known)) if len(known) else np.float32(np.nan)
