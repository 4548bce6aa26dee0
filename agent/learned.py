"""The ranking of a turn, learned from recorded dialogues: a weight for each signal, for some of them by circumstance.

A catalog that has learned from dialogues of its own (`usher finetune fusion`) ranks by what these led to as well; any
other by the weights that come with Usher.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from agent.dialogues import MEMORIES, NO_FOLD, Memory
from agent.fusion import Case, Fusion, fit
from agent.memory import Profile, Session
from agent.pool import DEPTH, RRF_K, Pool, reciprocal_ranks
from agent.signals import FEATURES as OF_TOOLS
from agent.signals import RANK, SIGNALS, Candidates, Listening, Matrix, Talk, features, hear
from agent.stance import Feeling, Role, Stance
from tools.catalog import LEARNED, Catalog
from tools.errors import CatalogError
from tools.mentions import Mention, find_mentions
from tools.scorer import Mask, Rows, Scores, top

WEIGHTS, DIALOGUES = "fusion.json", "dialogues.npz"  # in a catalog's folder LEARNED
SHIPPED = Path(__file__).parent / "data"
SEARCHED = 200.0  # weight of the reciprocal ranks in the plan's own searches beside the learned score
FEW = 1000  # items: where the filters leave no more, all of them are candidates
RECALLED = 20  # items of the profile that are listened to
LISTENED = 10  # exchanges
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


OF_DIALOGUES = made_of(*MEMORIES)
# What holds of dialogues alone: what they led to, and what was new or the talk of the day when they were held.
OWN = OF_DIALOGUES | made_of("year", "new", "modern", "lately")


@dataclass(frozen=True)
class Weights:
    """A fusion of those of the FEATURES that stand at `kept`."""

    kept: Sequence[int]
    fusion: Fusion

    @classmethod
    def learned(cls, learned: Iterable[Case], left_out: Collection[str] = ()) -> Self:
        """From cases with all FEATURES. Raises ValueError without any."""
        kept = [place for place, name in enumerate(FEATURES) if name not in left_out]
        return cls(kept, fit([Case(case.features[:, kept], case.wanted) for case in learned]))

    def score(self, matrix: Matrix) -> Matrix:
        """Shape (candidates,), of features (candidates, FEATURES)."""
        return self.fusion.score(matrix[:, self.kept])

    def json(self) -> dict[str, list[float]]:
        """Mean, spread and weight of each feature by its name."""
        numbers = np.stack([self.fusion.mean, self.fusion.spread, self.fusion.weights], axis=1)
        return {FEATURES[at]: [float(f"{n:.6g}") for n in row] for at, row in zip(self.kept, numbers, strict=True)}

    @classmethod
    def read(cls, file: Path) -> Self:
        """Raises CatalogError for a damaged file, or one with a feature that there is not."""
        try:
            held = json.loads(file.read_text(encoding="utf-8"))["features"]
            kept = sorted(FEATURES.index(name) for name in held)
            mean, spread, weights = np.array([held[FEATURES[at]] for at in kept], dtype=np.float32).T
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CatalogError(
                f"{file}: cannot be read ({error}); learn it again with: usher finetune fusion, or remove it"
            ) from error
        return cls(kept, Fusion(mean, spread, weights))


@dataclass(frozen=True)
class Ordered:
    """Catalog rows, best first, with their scores, both of shape (items,), and what the tools say of each, shape
    (items, SIGNALS), NaN where they know nothing. `asked` for an order that was asked for by name.
    """

    rows: Rows
    scores: Scores
    signals: Matrix
    asked: bool = False

    @classmethod
    def plain(cls, rows: Rows, scores: Scores, asked: bool = False) -> Self:
        """Of which the tools say nothing more."""
        return cls(rows, scores, np.full((len(rows), len(SIGNALS)), np.nan, dtype=np.float32), asked)

    def first(self, count: int) -> "Ordered":
        return Ordered(self.rows[:count], self.scores[:count], self.signals[:count], self.asked)


class Ranks(Protocol):
    """Orders what a plan's filters let through."""

    def rank(self, talk: Talk, pool: Pool) -> Ordered: ...

    def warm(self) -> None: ...


@dataclass(frozen=True)
class Ranking:
    """How items are ranked in one catalog; `fold` is the fold of recorded dialogues that it must know nothing of."""

    listening: Listening
    weights: Weights
    memory: Memory | None = None
    fold: int = NO_FOLD

    @classmethod
    def of(cls, catalog: Catalog) -> Self:
        """The catalog's own, or that which comes with Usher. Raises CatalogError for a damaged file."""
        listening, made = Listening(catalog), catalog.folder / LEARNED
        if not (made / WEIGHTS).is_file():
            return cls(listening, Weights.read(SHIPPED / LEARNED / WEIGHTS))
        memory = Memory.load(made / DIALOGUES, catalog) if (made / DIALOGUES).is_file() else None
        return cls(listening, Weights.read(made / WEIGHTS), memory)

    def save(self, folder: Path, made: Mapping[str, Any]) -> None:
        """To a catalog's folder; the weights, which make it count, come last. `made` says what it was learned from."""
        out = folder / LEARNED
        out.mkdir(parents=True, exist_ok=True)
        if self.memory is not None:
            self.memory.save(out / DIALOGUES, self.listening.catalog)
        half = out / f"{WEIGHTS}.part"
        half.write_text(json.dumps({**made, "features": self.weights.json()}, indent=1) + "\n", encoding="utf-8")
        half.replace(out / WEIGHTS)

    def rank(self, talk: Talk, pool: Pool) -> Ordered:
        """What the pool's filters let through: all of it where that is little, else what is known to some signal.
        Titles that were named are left out, unless they are what is looked for.
        """
        catalog = self.listening.catalog
        allowed = pool.allowed & ~pool.excluded
        unnamed = allowed.copy()
        looked_for = set(talk.latest) if _seeks_titles(talk, pool) else set()
        unnamed[[row for row in talk.named if row not in looked_for]] = False
        within = unnamed if unnamed.any() else allowed
        if not within.any():
            return Ordered.plain(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))
        searched = reciprocal_ranks(pool.searched, within)
        if pool.order is not None:  # what was asked for by name, "the newest", is not for a ranking to know better
            meant = searched > 0 if pool.searched else within
            ranked = pool.order[meant[pool.order]][:DEPTH]
            return Ordered.plain(ranked, (1.0 / (RRF_K + 1 + np.arange(len(ranked)))).astype(np.float32), asked=True)
        listed = reciprocal_ranks(pool.lists, within) > 0
        few = int(within.sum()) <= FEW
        besides = np.flatnonzero(within if few else within & (listed | self._suggested))
        texts = [talk.said] if talk.said == talk.last else [talk.said, talk.last]
        vectors = catalog.dense.embed(texts)
        request, last = vectors[0], vectors[-1]
        held = self.listening.candidates(talk, request, last, within, besides)
        remembered = recalled(talk, held, self.memory, self.fold)
        scores = self.weights.score(described(talk, held, remembered)) + SEARCHED * searched[held.rows]
        best = top(scores, DEPTH)  # places among the candidates, whose rows ascend: ties keep the order of popularity
        return Ordered(held.rows[best], scores[best], held.matrix[best])

    @cached_property
    def _suggested(self) -> Mask:
        """The items that recorded dialogues suggested."""
        if self.memory is None:
            return np.zeros(len(self.listening.catalog), dtype=np.bool_)
        return self.memory.suggestions(self.fold) > 0

    def warm(self) -> None:
        """Load what the first ranking would wait for."""
        everything = np.ones(len(self.listening.catalog), dtype=np.bool_)
        self.rank(Talk("", (Stance(0, "user", 0, "liked"),), "hello", "hello"), Pool(everything, ~everything))


def _seeks_titles(talk: Talk, pool: Pool) -> bool:
    """Whether the message is nothing but titles, or the plan looks for words of a title."""
    return not any(letter.isalnum() for letter in talk.last) or any("title " in said for said in pool.conditions)


def overheard(catalog: Catalog, session: Session, text: str) -> Talk:
    """A conversation up to the message `text`, and the person's profile."""
    heard = session.exchanges[-LISTENED:]
    shown = {exchange.reply: exchange.items for exchange in heard}

    def find(catalog: Catalog, said: str) -> list[Mention]:
        """The titles of a reply are those of the items it showed: they need not be looked for."""
        if said not in shown:
            return find_mentions(catalog, said)
        return [Mention(0, 0, row, 1.0) for item_id in shown[said] if (row := catalog.row_of(item_id)) is not None]

    said: list[tuple[Role, str]] = []
    for exchange in heard:
        said += [("user", exchange.user), ("assistant", exchange.reply)]
    talk = hear(catalog, [*said, ("user", text)], find=find)
    known = set(talk.named)
    held = [one for one in _profile(catalog, session.profile) if one.row not in known]
    return replace(talk, stances=(*held, *talk.stances))


def _profile(catalog: Catalog, profile: Profile) -> list[Stance]:
    """The newest likes and dislikes of before."""
    kept: tuple[tuple[Feeling, list[str]], ...] = (("liked", profile.liked), ("disliked", profile.disliked))
    return [
        Stance(row, "user", 0, feeling)
        for feeling, items in kept
        for item_id in items[-RECALLED:]
        if (row := catalog.row_of(item_id)) is not None
    ]


def recalled(talk: Talk, held: Candidates, memory: Memory | None, fold: int) -> Matrix:
    """What dialogues outside the fold, and other than the talk's own, led to, shape (candidates, MEMORIES)."""
    if memory is None:
        return np.zeros((len(held.rows), len(MEMORIES)), dtype=np.float32)
    return memory.signals(talk, held, fold)[held.rows]


def described(talk: Talk, held: Candidates, remembered: Matrix) -> Matrix:
    """The FEATURES of candidates, shape (candidates, FEATURES), by the tools and by what is `recalled`."""
    said = np.concatenate([features(held.matrix), remembered], axis=1)
    return np.concatenate([said, *circumstances(talk, said)], axis=1)


def circumstances(talk: Talk, said: Matrix) -> list[Matrix]:
    """DEPENDENT for each of WHEN, shape (candidates, DEPENDENT): from their mean over the candidates where it holds,
    zeros where it does not. `said` are the features before them.
    """
    places = [FEATURES.index(name) for name in DEPENDENT]
    centred = said[:, places] - said[:, places].mean(axis=0)
    holds = (not talk.wanted, talk.said == talk.last, len(talk.said) > LENGTHY)
    return [centred * np.float32(held) for held in holds]
