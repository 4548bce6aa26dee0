"""What the tools say of every candidate for one turn: the candidates, and a column of numbers a signal.

Nothing here is learned. Titles and the feeling towards them are found in the text of a conversation, recorded or not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from agent.attributes import Attributes
from agent.stance import Find, Role, Stance, stances
from tools.bm25_search import BM25, BM25Config
from tools.catalog import Catalog
from tools.mentions import Mention, find_mentions
from tools.scorer import Mask, Query, Rows, Scores, top
from tools.text import tokenize

WORDS = 600  # characters of what was said, from its end, that a search reads: what an embedding model can take in
DEPTH = 200  # candidates that each signal brings
POPULAR = 300  # and popularity
NEW = 2  # years
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
    "near_last",  # and to the last of them
    "asked",  # share of the vocabulary values that the person said which the item has
    "leaning",  # how near in meaning to what was said the item's vocabulary values are
    "names",  # values of its free lists (people, keywords) that the person said, rare ones counting more
    "kinds",  # cosine of its vocabulary values with those of the titles named
    "shared",  # how much of its free lists it shares with them
    "popular",  # log of the interactions
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
    """What the agent makes of the messages up to a turn: the titles named, and the person's words without them.
    `dialogue` names a recorded one; `latest` are the rows of the titles in the last message.
    """

    dialogue: str
    stances: tuple[Stance, ...]
    said: str
    last: str
    latest: tuple[int, ...] = ()

    @property
    def named(self) -> list[int]:
        """Rows of all titles, in the order they came up."""
        return [stance.row for stance in self.stances]

    @property
    def wanted(self) -> list[int]:
        """Rows of those that the person does not dislike, in that order."""
        return [stance.row for stance in self.stances if stance.feeling != "disliked"]

    def feeling(self, *feelings: str) -> list[int]:
        """Rows of the titles that the person has one of these feelings towards."""
        return [stance.row for stance in self.stances if stance.feeling in feelings]


@dataclass(frozen=True)
class Candidates:
    """`lists` are the rows that each signal brought, best first. `rows` are all of them and those that were asked for
    besides, each once; `matrix` is of shape (rows, SIGNALS), NaN where a signal knows nothing. `request` is the unit
    vector of what was said, `taste` that of the mean of the titles named last, zeros without any.
    """

    rows: Rows
    matrix: Matrix
    lists: dict[str, Rows]
    request: NDArray[np.float32]
    taste: NDArray[np.float32]

    def brought(self) -> NDArray[np.bool_]:
        """Which of the rows some signal brought, shape (rows,)."""
        return np.isin(self.rows, np.concatenate(list(self.lists.values())))

    def only(self, kept: NDArray[np.bool_]) -> Self:
        """Some of the rows."""
        return replace(self, rows=self.rows[kept], matrix=self.matrix[kept])


def hear(
    catalog: Catalog, messages: Sequence[tuple[Role, str]], dialogue: str = "", find: Find = find_mentions
) -> Talk:
    """Read the messages up to a turn; `find` gives the mentions of a text."""
    texts = [text for role, text in messages if role == "user"]
    said = [_without_titles(text, find(catalog, text)) for text in texts]
    latest = tuple(mention.row for mention in find(catalog, texts[-1])) if texts else ()
    found = tuple(stances(catalog, messages, find))
    return Talk(dialogue, found, " ".join(said)[-WORDS:], said[-1][-WORDS:] if said else "", latest)


def _without_titles(text: str, mentions: Sequence[Mention]) -> str:
    for mention in reversed(mentions):
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

    def candidates(
        self,
        talk: Talk,
        request: NDArray[np.float32],
        last: NDArray[np.float32],
        within: Mask,
        besides: Rows,
    ) -> Candidates:
        """What each signal brings for a turn among the rows `within`, and every signal for all of it and for the rows
        `besides`. `request` and `last` are the unit vectors of what was said, and said last.
        """
        taste = self._taste(talk.wanted[-NEIGHBOURS:])
        found = self._searched(talk, request, last, taste)
        lists = {name: top(found[name], DEPTH, within) for name in SEARCHES}
        lists["popular"] = top(self.catalog.popularity, POPULAR, within)
        rows = np.unique(np.concatenate([*lists.values(), besides[within[besides]]]))
        signals = {name: scores[rows] for name, scores in found.items()} | self._known(talk, rows, request)
        matrix = np.stack([signals[name] for name in SIGNALS], axis=1).astype(np.float32)
        return Candidates(rows, matrix, lists, request, taste)

    def _searched(
        self, talk: Talk, request: NDArray[np.float32], last: NDArray[np.float32], taste: NDArray[np.float32]
    ) -> dict[str, Scores]:
        """The signals that look through all items, each of shape (items,)."""
        catalog = self.catalog
        unknown = np.full(len(catalog), np.nan, dtype=np.float32)
        liked, other, disliked = talk.feeling("liked"), talk.feeling("seen", "mentioned"), talk.feeling("disliked")

        def cf(rows: list[int]) -> Scores:
            return unknown if catalog.cf is None or not rows else catalog.cf.score(Query(liked=rows))

        # The vectors of a large catalog are read once for all three.
        near = np.asarray(catalog.dense.vectors @ np.stack([request, last, taste], axis=1), dtype=np.float32)
        return {
            "liked": cf(liked),
            "named": cf(other),
            "disliked": cf(disliked),
            "words": self._bm25.score(Query(text=talk.said)),
            "meaning": near[:, 0] if talk.said else unknown,
            "meaning_last": near[:, 1] if talk.last else unknown,
            "near": near[:, 2] if talk.wanted else unknown,
        }

    def _known(self, talk: Talk, rows: Rows, request: NDArray[np.float32]) -> dict[str, Scores]:
        """The other signals, each of shape (rows,)."""
        attributes, named, years = self._attributes, talk.wanted, self._years[rows]
        unknown = np.full(len(rows), np.nan, dtype=np.float32)
        newest, era = _of_known(np.max, self._years), _of_known(np.mean, self._years[named])
        return {
            "near_last": self.catalog.dense.vectors[rows] @ self._taste(named[-1:]) if named else unknown,
            "asked": attributes.asked(rows, talk.said),
            "leaning": attributes.leaning(rows, request) if talk.said else unknown,
            "names": attributes.names(rows, talk.said),
            "kinds": attributes.kinds(rows, named),
            "shared": attributes.shared(rows, named),
            "popular": np.log1p(self.catalog.popularity[rows]),
            "lately": np.log1p(self.catalog.lately[rows]),
            "rating": self._ratings[rows],
            "year": years - newest,
            "new": np.asarray(years > newest - NEW / 10, dtype=np.float32),
            "era": np.abs(years - era),
            "modern": (years - self._middle) * (era - self._middle),
        }

    def _taste(self, rows: Sequence[int]) -> NDArray[np.float32]:
        """The unit vector of the mean of some items' meaning, zeros where none is known."""
        mean = np.nan_to_num(self.catalog.dense.vectors[list(rows)]).sum(axis=0)
        return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-6), dtype=np.float32)

    @cached_property
    def _bm25(self) -> BM25:
        """The catalog's, in the form for large catalogs: the same scores, and as fast for all that was said in a
        conversation as for one word of it.
        """
        if len(self.catalog) > BM25Config().large:
            return self.catalog.bm25
        documents = [tokenize(text) for text in self.catalog.documents(range(len(self.catalog)))]
        return BM25.of_tokens(documents, BM25Config(large=0))

    @cached_property
    def _attributes(self) -> Attributes:
        return Attributes(self.catalog)

    @cached_property
    def _years(self) -> Scores:
        """In decades; NaN where none is known."""
        return self._column("year") / np.float32(10)

    @cached_property
    def _ratings(self) -> Scores:
        return self._column("rating_mean")

    def _column(self, name: str) -> Scores:
        """A column of single numbers, NaN throughout where the catalog has none of that name."""
        column = self.catalog.manifest.column(name)
        if column is None or column.is_list or column.type not in ("integer", "number"):
            return np.full(len(self.catalog), np.nan, dtype=np.float32)
        return np.array([np.nan if value is None else value for value in self.catalog.values(name)], dtype=np.float32)

    @cached_property
    def _middle(self) -> np.float32:
        return _of_known(np.mean, np.repeat(self._years, self.catalog.popularity.astype(np.int64)))


def _of_known(of: Callable[[Scores], np.floating[Any]], values: Scores) -> np.float32:
    """Mean or maximum of the known values, NaN without any."""
    known = values[np.isfinite(values)]
    return np.float32(of(known)) if len(known) else np.float32(np.nan)
