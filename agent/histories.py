"""Real people's histories as ranking cases: what someone liked by some day, a wish, and what they liked later.

People are parted by their id, once and for all: the ranker learns from `train`, its weight in the ranking is chosen on
`validation`, and `test` is for measuring. Whatever the tools know of likes (the CF model, the counts, the mean ratings)
is made again from training people alone, and for a training person from those of other folds: a model that was fitted
on the later likes would find them.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from agent.learned import SHIPPED, WEIGHTS, Ordered, Ranking, Weights, overheard
from agent.memory import Profile, Session
from agent.messages import LETTERS
from agent.plan import Call, Plan
from agent.pool import Pool, excluded_rows, run_calls
from agent.signals import Listening
from tools.catalog import LATEST, LEARNED, Catalog, Item
from tools.cf_recommend import EASE, EASEConfig
from tools.errors import UsherError
from tools.literals import spell, spell_column
from tools.scorer import FitData, Rows, Scores

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = (*("train",) * 6, "validation", *("test",) * 3)  # of ten people
FOLDS = 5  # of the training people
LIKES = 12  # most likes a case's profile holds
LATER = 3  # fewest likes after the day
SHARED = 3  # fewest items that hold a value which a wish names
TASTE = ("something I would like", "recommend me a {noun}", "which {noun} next?", "more {noun}s for me", "surprise me",
         "what would you pick?", "I liked {liked}", "more like {liked}", "I loved {liked}, what else?")  # fmt: skip
VALUES = ("a {value} {noun}", "{value} {noun}s", "something {value}, please", "{value}", "I want {value}")
DECADES = ("a {noun} from the {decade}s", "{noun}s of the {decade}s", "something from the {decade}s")
BOTH = ("a {value} {noun} from the {decade}s", "{value} {noun}s of the {decade}s", "{value}, {decade}s")
THEMES = ("a {noun} about {words}", "{words}", "something with {words}", "anything with {words}?")


@dataclass(frozen=True)
class History:
    """What one person did, in the order of time: `rows` with their `ratings`; `likes` are places among them."""

    user_id: str
    rows: Rows
    ratings: NDArray[np.float64]
    likes: NDArray[np.int64]
    last_year: int  # of their last interaction; 9999 where times are not known


@dataclass(frozen=True)
class Case:
    """One ranking: the candidates as the learned fusion `ordered` them, and the places of those the person liked later.

    `liked` is the profile, oldest first; `kind` says what the plan was made of. Candidates have the ratings that the
    tools knew.
    """

    id: str
    user_id: str
    kind: str
    wish: str
    liked: tuple[Item, ...]
    candidates: tuple[Item, ...]
    ordered: Ordered
    relevant: tuple[int, ...]


def part_of(user_id: str) -> Part:
    """Which part a person belongs to: nothing but the hash of their id decides."""
    return PARTS[_hash(user_id) % len(PARTS)]


def _hash(text: str) -> int:
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big")


def histories(catalog: Catalog, like_at: float = EASEConfig().like_at) -> list[History]:
    """Every person's. A like is a rating from `like_at` of the top rating, as the CF model has it; without differing
    ratings, all they did. Raises UsherError for a catalog without interactions.
    """
    found = catalog.interactions()
    if not len(found["row"]):
        raise UsherError(f"{catalog.folder}: has no interactions; the ranker is trained and measured on people's likes")
    least = like_at * found["rating"].max() if np.ptp(found["rating"]) else 0.0
    starts = np.flatnonzero(np.r_[True, found["user_id"][1:] != found["user_id"][:-1]])
    people = []
    for start, end in zip(starts, [*starts[1:], len(found["row"])], strict=True):
        user_id, times = str(found["user_id"][start]), found["timestamp"][start:end]
        rows, ratings = found["row"][start:end].astype(np.int64), found["rating"][start:end].astype(np.float64)
        if not np.ptp(times):  # no order is known, so one is drawn
            order = np.random.default_rng(_hash(user_id)).permutation(len(rows))
            rows, ratings = rows[order], ratings[order]
        last = datetime.fromtimestamp(int(times[-1]), UTC).year if times[-1] else 9999
        people.append(History(user_id, rows, ratings, np.flatnonzero(ratings >= least), last))
    return people


def rated(people: Sequence[History], items: int) -> csr_array:
    """What people rated, shape (people, items)."""
    rows = np.concatenate([person.rows for person in people])
    given = np.concatenate([person.ratings for person in people])
    lengths = np.cumsum([0, *(len(person.rows) for person in people)])
    return csr_array((given, rows, lengths), shape=(len(people), items))


def refitted(catalog: Catalog, people: Sequence[History]) -> Catalog:
    """The catalog as it would be had none but these people come: CF and popularity, the latest too, are theirs. Its
    columns of counts and means stay as they are.

    Raises UsherError where nobody is left.
    """
    if not people:
        raise UsherError(f"{catalog.folder}: too few people in the interactions to hold some of them out")
    ratings = rated(people, len(catalog))
    users = [person.user_id for person in people]
    fitted = catalog.with_cf(EASE.fit(FitData((), ratings, users), EASEConfig()))
    fitted.popularity = np.bincount(ratings.indices, minlength=len(catalog)).astype(np.float32)
    found = catalog.interactions()
    theirs = np.isin(found["user_id"], users) & (found["timestamp"] > 0)
    rows, times = found["row"][theirs], found["timestamp"][theirs]
    late = rows[times > np.quantile(times, 1 - LATEST)] if len(times) else rows
    fitted.lately = np.bincount(late, minlength=len(catalog)).astype(np.float32)
    return fitted


def cases(catalog: Catalog, part: Part, seed: int, each: int, people: int | None = None) -> Iterator[Case]:
    """Cases of a part's people: a round of one a person, then the next, `each` times at most.

    `people` limits them. Left out are rounds in which no candidate was liked later, and those in which a tool failed.
    """
    everyone, items = histories(catalog), catalog.items(range(len(catalog)))
    trained = [person for person in everyone if part_of(person.user_id) == "train"]
    chosen = [person for person in everyone if part_of(person.user_id) == part and len(person.likes) > LATER]
    random.Random(seed).shuffle(chosen)
    chosen = chosen[:people]
    folds: dict[int, _Maker] = {}
    for turn in range(each):
        for person in chosen:
            fold = _hash(f"fold {person.user_id}") % FOLDS if part == "train" else -1
            if fold not in folds:
                others = [one for one in trained if _hash(f"fold {one.user_id}") % FOLDS != fold]
                folds[fold] = _Maker(catalog, items, others, len(everyone))
            case = folds[fold].case(person, f"{seed}-{person.user_id}-{turn}")
            if case is not None:
                yield case


@dataclass(frozen=True)
class _Wish:
    """What is said, the calls that a right plan for it has, and the words that an item must hold to be meant."""

    kind: str
    text: str
    calls: tuple[Call, ...]
    words: tuple[str, ...] = ()

    def fits(self, item: Item) -> bool:
        """Filters have seen to themselves; a search's words are looked for among the item's texts."""
        texts = {text for value in item.values.values() for text in _listed(value)} if self.words else set()
        return all(word in texts for word in self.words)


class _Maker:
    """Makes cases with tools that know `others` only."""

    def __init__(self, catalog: Catalog, items: Sequence[Item], others: Sequence[History], everyone: int) -> None:
        self._items = items
        self._catalog = refitted(catalog, others)
        ratings = rated(others, len(catalog))
        counts = self._catalog.popularity.astype(np.float64)
        sums = np.bincount(ratings.indices, ratings.data, minlength=len(catalog))
        self._means = np.divide(sums, counts, out=np.full(len(catalog), np.nan), where=counts > 0)
        self._counts: Scores = np.round(counts * everyone / len(others)).astype(np.float32)  # as the whole catalog's
        self._ranking = Ranking(Listening(self._catalog), Weights.read(SHIPPED / LEARNED / WEIGHTS))
        self._years = _years(catalog)
        self._filtered = next((column for column in catalog.manifest.enumerated() if column.type == "text"), None)
        self._themes = _themes(catalog)

    def case(self, person: History, name: str) -> Case | None:
        """None where no candidate, or every one, was liked later."""
        chance = random.Random(_hash(name))
        day = chance.randrange(1, len(person.likes) - LATER + 1)  # in likes
        later = person.rows[person.likes[day:]]
        liked = [self._items[row] for row in person.rows[person.likes[:day]][-chance.randint(1, LIKES) :]]
        target = self._items[chance.choice(later.tolist())]
        wish = self._wish(target, liked, chance)
        profile = Profile(liked=[item.item_id for item in liked])
        seen = {str(self._catalog.ids[row]) for row in person.rows[: person.likes[day]]}
        pool = Pool(self._years <= person.last_year, excluded_rows(self._catalog, profile, seen))
        called = list(run_calls(self._catalog, Plan(act="recommend", calls=wish.calls), profile, pool))
        if pool.relaxed or any(call.error for call in called):
            return None
        talk = overheard(self._catalog, Session(profile=profile), wish.text)
        ordered = self._ranking.rank(talk, pool).first(len(LETTERS))
        items = tuple(self._as_known(self._items[row]) for row in ordered.rows)
        wanted = set(later.tolist())
        relevant = tuple(place for place, item in enumerate(items) if item.row in wanted and wish.fits(item))
        if not 0 < len(relevant) < len(items):
            return None
        return Case(name, person.user_id, wish.kind, wish.text, tuple(liked), items, ordered, relevant)

    def _as_known(self, item: Item) -> Item:
        """The item with the ratings of `others` alone."""
        mean = self._means[item.row]
        known = {
            "rating_count": int(self._counts[item.row]),
            "rating_mean": None if np.isnan(mean) else round(float(mean), 2),
        }
        return replace(item, values=item.values | {name: known[name] for name in known if name in item.values})

    def _wish(self, target: Item, liked: Sequence[Item], chance: random.Random) -> _Wish:
        """A wish that fits something the person liked later, with the calls that an agent would make of it."""
        noun = self._catalog.manifest.noun
        kind = chance.choices(("taste", "filter", "search"), (0.45, 0.35, 0.2))[0]
        if kind == "filter" and (asked := self._filter(target, chance)) is not None:
            where, said = asked
            frames = BOTH if len(said) > 1 else VALUES if "value" in said else DECADES
            text = chance.choice(frames).format(noun=noun, **said)
            return _Wish(kind, text, (Call(tool="sql_filter", arguments={"where": where}),))
        if kind == "search" and (themes := self._themes_of(target)):
            words = tuple(chance.sample(themes, min(len(themes), chance.choice((1, 1, 2)))))
            text = " and ".join(words)
            tool = "bm25_search" if text[0].isupper() else "dense_search"  # a name, or what it is about
            call = Call(tool=tool, arguments={"query": text})
            return _Wish(kind, chance.choice(THEMES).format(noun=noun, words=text), (call,), words)
        named = " and ".join(item.title for item in liked[-chance.choice((1, 2)) :])
        return _Wish("taste", chance.choice(TASTE).format(noun=noun, liked=named), ())

    def _filter(self, target: Item, chance: random.Random) -> tuple[str, dict[str, str]] | None:
        """A condition that the target meets, and how its parts are said."""
        conditions, said = [], {}
        column = self._filtered
        values = [] if column is None else _listed(target.values[column.name])
        if column is not None and values and chance.random() < 0.8:
            value, name = chance.choice(values), spell_column(column.name)
            conditions.append(f"{spell(value)} IN {name}" if column.is_list else f"{name} = {spell(value)}")
            said["value"] = value.lower()
        if target.year is not None and (not conditions or chance.random() < 0.3):
            decade = target.year // 10 * 10
            conditions.append(f"year BETWEEN {decade} AND {decade + 9}")
            said["decade"] = str(decade)
        return (" AND ".join(conditions), said) if conditions else None

    def _themes_of(self, item: Item) -> list[str]:
        return [value for name, held in self._themes.items() for value in _listed(item.values[name]) if value in held]


def _listed(value: object) -> list[str]:
    """The texts of a cell."""
    return [str(one) for one in value] if isinstance(value, (list, tuple)) else [] if value is None else [str(value)]


def _years(catalog: Catalog) -> NDArray[np.int64]:
    """Year of each item, shape (items,); 0 where none is known. What came out later nobody could have liked."""
    column = catalog.manifest.column("year")
    if column is None or column.type != "integer" or column.is_list:
        return np.zeros(len(catalog), dtype=np.int64)
    return np.array([year or 0 for year in catalog.values("year")], dtype=np.int64)


def _themes(catalog: Catalog) -> dict[str, set[str]]:
    """Values of the free lists that several items hold (names, keywords), by column."""
    themes = {}
    for column in catalog.manifest.columns:
        if column.type == "text" and column.is_list and column.values is None:
            held = Counter(value for cell in catalog.values(column.name) for value in set(_listed(cell)))
            themes[column.name] = {value for value, items in held.items() if items >= SHARED}
    return themes
