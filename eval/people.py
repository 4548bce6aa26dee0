"""Simulated people made from real ones: a persona and a profile of their past, tastes of what they liked later.

What they liked later is hidden. All that a simulated user gets of it are attributes that those items have in common,
never a title.
"""

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from agent.histories import History, histories, part_of, refitted
from agent.messages import UserKind
from eval.leaks import Titles
from tools.catalog import Catalog, Item
from tools.errors import UsherError

KINDS: tuple[UserKind, ...] = ("knows", "vague", "changes mind", "contrary", "terse")
TASTES: dict[UserKind, int] = {"knows": 3, "vague": 2, "changes mind": 2, "contrary": 2, "terse": 2}
REFUSED: dict[UserKind, int] = {"knows": 1, "vague": 0, "changes mind": 0, "contrary": 2, "terse": 1}
PAST = 0.6  # share of a person's likes, the first in time, that is their past
FEWEST = 5  # likes in the past, and later
COMMON = 0.5  # share of the items from which a value is no taste
HELD = 3  # items that hold a value which can be a taste
LONGEST = 30  # characters of such a value
DECADES = 0.4  # chance that the time an item came out is a taste
DISLIKE_AT = 0.5  # share of the top rating up to which a rating is a dislike


_YEARS = re.compile(r"\d{3}")  # a year in a text would be said as the time an item came out is


@dataclass(frozen=True)
class Taste:
    """One attribute, wanted or not: a value of a column, or (`low` set) the ten years from `low`."""

    column: str
    value: str
    low: int = 0
    wanted: bool = True

    def line(self) -> str:
        """As the simulated user reads it."""
        if self.low:
            return f"{self.column}: {self.low} to {self.low + 9}"
        return f"{'' if self.wanted else 'not '}{self.column}: {self.value}"

    def held_by(self, item: Item) -> bool:
        """Whether the item has the attribute, wanted or not."""
        if self.low:
            return item.year is not None and self.low <= item.year <= self.low + 9
        return self.value in listed(item.values.get(self.column))

    def met_by(self, item: Item) -> bool:
        return self.held_by(item) == self.wanted


@dataclass(frozen=True)
class Wish:
    """What a person is after for a while: their tastes, and the hidden items that meet all of them."""

    tastes: tuple[Taste, ...]
    goal: frozenset[str]


@dataclass(frozen=True)
class Person:
    """One simulated user. `liked` and `disliked` are their past, known to every recommender; `hidden` is what they
    liked later, and `seen` all they had rated by then. Who changes their mind has two wishes. All sets are of item ids.
    """

    id: str
    kind: UserKind
    persona: str
    wishes: tuple[Wish, ...]
    liked: tuple[str, ...]
    disliked: tuple[str, ...]
    seen: frozenset[str] = field(repr=False)
    hidden: frozenset[str] = field(repr=False)

    def wish(self, turn: int) -> Wish:
        """The wish at a turn, from 1: minds change before the third."""
        return self.wishes[-1 if turn > 2 else 0]


def listed(value: object) -> list[str]:
    """The texts of a cell."""
    return [str(one) for one in value] if isinstance(value, (list, tuple)) else [] if value is None else [str(value)]


def without(catalog: Catalog) -> Catalog:
    """The catalog as it would be had the people of the test part never come: CF and popularity from the others alone.

    Its columns of counts and means still hold everyone. Raises UsherError where too few people are left.
    """
    return refitted(catalog, [person for person in histories(catalog) if part_of(person.user_id) != "test"])


def people(catalog: Catalog, count: int, seed: int) -> list[Person]:
    """`count` people of the test part, the kinds in turn.

    Raises UsherError when there are fewer with enough likes and with tastes in common.
    """
    items = catalog.items(range(len(catalog)))
    held = [person for person in histories(catalog) if part_of(person.user_id) == "test"]
    random.Random(seed).shuffle(held)
    maker = _Maker(catalog, items)
    made: list[Person] = []
    for history in held:
        if len(made) == count:
            break
        kind = KINDS[len(made) % len(KINDS)]
        person = maker.person(history, kind, random.Random(f"{seed} {history.user_id}"))
        if person is not None:
            made.append(person)
    if len(made) < count:
        raise UsherError(
            f"{catalog.folder}: has {len(made)} held-out people with enough likes, not {count}; ask for fewer"
        )
    return made


class _Maker:
    """What all people are made with."""

    def __init__(self, catalog: Catalog, items: Sequence[Item]) -> None:
        self._catalog, self._items = catalog, items
        self._columns = [column for column in catalog.manifest.columns if column.type == "text"]
        self._kinds = next((column.name for column in catalog.manifest.enumerated() if column.type == "text"), None)
        values = Counter(pair for item in items for pair in self._values(item))
        filled = Counter(name for item in items for name in {name for name, _ in self._values(item)})
        # Of the items whose column is filled: what most of them have is no taste.
        self._shares = {(name, value): n / filled[name] for (name, value), n in values.items() if n >= HELD}

    def _values(self, item: Item) -> set[tuple[str, str]]:
        return {
            (column.name, value)
            for column in self._columns
            for value in listed(item.values.get(column.name))
            if len(value) <= LONGEST
        }

    def person(self, history: History, kind: UserKind, chance: random.Random) -> Person | None:
        """None for a person with too few likes, or without a taste that can be said."""
        cut = int(len(history.likes) * PAST)
        if min(cut, len(history.likes) - cut) < FEWEST:
            return None
        day = history.likes[cut]  # the first of their later likes
        past = [self._items[row] for row in history.rows[history.likes[:cut]]]
        later = [self._items[row] for row in history.rows[history.likes[cut:]]]
        titles = Titles({item.item_id: item.title for item in later})
        wishes = [self._wish(later, titles, kind, chance) for _ in range(2 if kind == "changes mind" else 1)]
        kept = tuple(wish for wish in wishes if wish is not None)
        if len(kept) < len(wishes):
            return None
        low = history.rows[:day][history.ratings[:day] <= DISLIKE_AT * history.ratings.max()]
        return Person(
            id=history.user_id,
            kind=kind,
            persona=self._persona(past, titles),
            wishes=kept,
            liked=tuple(item.item_id for item in past),
            disliked=tuple(self._items[row].item_id for row in low) if np.ptp(history.ratings) else (),
            seen=frozenset(self._items[row].item_id for row in history.rows[:day]),
            hidden=frozenset(item.item_id for item in later),
        )

    def _persona(self, past: Sequence[Item], titles: Titles) -> str:
        """Someone in words, from what they liked before."""
        noun = self._catalog.manifest.noun
        kinds = Counter(value for item in past for value in listed(item.values.get(self._kinds or "")))
        loved = [value.lower() for value, _ in kinds.most_common(2)]
        text = f"someone who likes {' and '.join(loved) or 'all kinds of'} {noun}s"
        decades = Counter(item.year // 10 * 10 for item in past if item.year is not None)
        if decades:
            text += f", mostly from the {decades.most_common(1)[0][0]}s"
        return f"someone who likes {noun}s" if titles.named(text) else text

    def _wish(self, later: Sequence[Item], titles: Titles, kind: UserKind, chance: random.Random) -> Wish | None:
        """Tastes of one of the later likes, those first that others of them share more often than the catalog."""
        target = chance.choice(later)
        held = Counter(pair for item in later for pair in self._values(item))
        own = sorted(pair for pair in self._values(target) if 0 < self._shares.get(pair, 0) <= COMMON)
        own.sort(key=lambda pair: -(held[pair] / len(later) - self._shares[pair]) * chance.random())
        tastes: list[Taste] = []
        if target.year is not None and chance.random() < DECADES:
            tastes.append(Taste("year", "", low=target.year // 10 * 10))
        for column, value in own:
            if len(tastes) == TASTES[kind]:
                break
            if not titles.named(value) and not _YEARS.search(value):
                tastes.append(Taste(column, value))
        goal = [item for item in later if all(taste.met_by(item) for taste in tastes)]
        tastes += self._refused(goal, REFUSED[kind], titles, chance)
        return Wish(tuple(tastes), frozenset(item.item_id for item in goal)) if tastes else None

    def _refused(self, goal: Sequence[Item], count: int, titles: Titles, chance: random.Random) -> list[Taste]:
        """Frequent values that no item of the goal has: the person wants none of them."""
        if self._kinds is None:
            return []
        has = {value for item in goal for value in listed(item.values.get(self._kinds))}
        frequent = sorted(
            (value for column, value in self._shares if column == self._kinds and value not in has),
            key=lambda value: -self._shares[self._kinds or "", value],
        )
        values = [value for value in frequent[: 2 * count + 2] if not titles.named(value)]
        chosen = chance.sample(values, min(count, len(values)))
        return [Taste(self._kinds, value, wanted=False) for value in chosen]
