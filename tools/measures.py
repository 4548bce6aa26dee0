"""Which columns hold years, lengths of time, prices, ratings and counts, and what words and numbers say about them.

"A recent hidden gem under two hours" is a bound on the year, on the mean rating, on the count of ratings and on the
running time, as finetune/CONVENTIONS.md has it. What is reckoned from the card here need not be by a small model.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from tools.bounds import AGO, DECADE, YEARS, Bound
from tools.literals import spell, spell_column
from tools.players import Players
from tools.quantities import MINUTES
from tools.schema import Column, Manifest

NEAR = 25  # characters between a column's name and its number: "weight of at least 4"
CENTURY = 99  # years from its first to its last
BEYOND = 2.0  # times a column's maximum that a number about it may be
_WORD = re.compile(r"[a-z]+")
_MINUTES = frozenset(["minutes", "minute", "min", "runtime", "duration", "length", "playtime"])
_OTHER_LENGTHS = frozenset(["hours", "km", "kilometres", "pages"])
_HOURS = frozenset(["hours", "hour"])
_PRICE = frozenset(["price", "cost", "fee"])
_COUNT = frozenset(
    ["ratings", "votes", "reviews", "count", "popularity", "sales", "sold", "owners", "listeners", "readers", "views",
     "students"]
)  # fmt: skip
_COUNTED = ("how many", "how often", "number of")
_RATING = frozenset(["rating", "stars", "score", "metascore", "points", "mark", "approval", "imdb"])
# A number that one of these follows is no year: "under 2000 votes".
_UNIT = re.compile(
    r" ?(?:%|imdb votes|votes|ratings|reviews|km|kilomet\w+|miles|met(?:er|re)s?|m|calories|kcal|k?g|grams|mah|pages"
    r"|people|players|times|points|copies|sales|views|listeners|students|learners|episodes|seasons|stars"
    r"|inch(?:es)?)(?![\w-])"
)
_MONEY = re.compile(
    r" ?(?:[$€£]|(?:euros?|eur|dollars?|bucks|usd|pounds|quid|gbp|dollari|dolares|dolar\w*|pesos|zl|zlotych"
    r"|kronor|kr|francs|franken|euro|sterline|livres|libras|pond)(?!\w))"
)
_ON = re.compile(r"(?: ?/ ?10| out of (?:10|ten)| stars?| points?)? (?:on|in|at|from|by|for)(?: the)? ")  # "8 on IMDb"
_STARS = re.compile(r" ?(?:\*|stars?\b)")
_RATED = re.compile(
    r"\b(?:rated|ratings?|scor(?:e[sd]?|ing)|reviewed|rates|bewertung|bewertet|note|notes|puntuacion|nota|voto"
    r"|voti|betyg|ocen\w*)"
    r"(?! (?:r|pg|nc|g)\b)(?: (?!by|people|votes)[^\W\d]+){0,4} ?$"
)
_SET = re.compile(
    r"\b(?:set(?!\w)|setting|takes? place|taking place|plays? in|playing in|story|spielt|spielen|se passe"
    r"|se passant|se deroule|ambientad[oaie]s?|ambientat[oaie]|passa-se|speelt|utspelar|dzieje|rozgrywa)"
)

Named = tuple[int, int, str]  # where a text names a column, and the column
Ends = tuple[str, str, str]  # a column with the lowest and the highest value of the last items


@dataclass(frozen=True)
class Measures:
    """Columns by what they hold; None where a catalog has none, or several and none of the usual name."""

    numbers: tuple[Column, ...]
    year: Column | None
    minutes: Column | None
    hours: Column | None
    price: Column | None
    ratings: tuple[Column, ...]  # the first is meant where none is named
    count: Column | None
    period: Column | None  # of text, in which a story is set
    players: Players | None  # for how many people
    age: Column | None

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        numbers = [one for one in manifest.columns if one.type in ("integer", "number") and not one.is_list]
        numbers = [one for one in numbers if one.maximum is not None]
        years = [one for one in numbers if float(one.minimum or 0) >= 1000 and float(one.maximum or 0) <= YEARS.stop]
        minutes = [one for one in numbers if _says(one, _MINUTES) and not _told(one) & _OTHER_LENGTHS]
        counts = [one for one in numbers if one.type == "integer" and (_says(one, _COUNT) or _is_counted(one))]
        ratings = [one for one in numbers if one not in counts and _says(one, _RATING)]
        return cls(
            numbers=tuple(numbers),
            year=_one(years, "year"),
            minutes=_one(minutes, "minutes"),
            hours=_one([one for one in numbers if _says(one, _HOURS)], "hours"),
            price=_one([one for one in numbers if _says(one, _PRICE)], "price"),
            ratings=tuple(sorted(ratings, key=lambda one: one.name != "rating_mean")),
            count=next((one for one in counts if one.name == "rating_count"), counts[0] if counts else None),
            players=Players.of(numbers),
            age=next((one for one in numbers if "age" in one.name.lower().split("_")), None),
            period=next((one for one in manifest.columns if one.type == "text" and "period" in one.name), None),
        )

    def condition(self, bound: Bound, text: str, named: Sequence[Named] = ()) -> str:
        """What a bound says in this catalog: a condition where its column is plain, else its sign and number."""
        column = self._column(bound, text.lower(), named)
        if column is None:
            return bound.text() + bound.unit
        scale = 60.0 if bound.unit == MINUTES and column is self.hours else 1.0
        name, said = spell_column(column.name), bound.text(scale)
        if column is self.period:
            period = f"{bound.low:g}s" if bound.high - bound.low == DECADE else f"{bound.low // 100 + 1:g}th century"
            return f"{name} ILIKE {spell(f'%{period}%')}"
        if bound.unit == AGO:
            return f"{name} {bound.sign} {int(float(column.maximum or 0) - bound.low)}"
        if bound.sign:
            return f"{name} {said}"
        low, is_range, high = said.partition(" to ")
        return f"{name} BETWEEN {low} AND {high}" if is_range else said + (" hours" if scale > 1 else bound.unit)

    def _column(  # noqa: PLR0911 (one a reason)
        self, bound: Bound, text: str, named: Sequence[Named]
    ) -> Column | None:
        after, before = text[bound.end :], text[: bound.start]
        if bound.unit == MINUTES:
            return self.minutes or self.hours
        if bound.unit == AGO:
            return self.year
        if bound.years and bound.low < bound.high:
            decade = bound.high - bound.low in (DECADE, CENTURY) and not bound.sign
            return self.period if decade and self.period is not None and _SET.search(text) else self.year
        if (beside := self._beside(bound, text, named)) is not None:
            return beside
        unit = re.match(r" (ratings|votes|reviews|sales|copies|views|listeners|students)\b", after)
        if (
            unit
            and self.count
            and unit[1] in _told(self.count)
            and bound.high <= BEYOND * float(self.count.maximum or 0)
        ):
            return self.count
        if _RATED.search(before) and not bound.unit:
            fitting = [
                one for one in (self.rating(text), *self.ratings) if one and bound.high <= float(one.maximum or 0)
            ]
            return next(iter(fitting), None)
        if _MONEY.match(after) or before.endswith(("$", "€", "£")) or text[bound.start] in "$€£":
            return self.price
        if _STARS.match(after):
            starred = [one for one in self.numbers if "star" in f"{one.name} {one.note or ''}".lower()]
            return [*starred, *self.ratings, None][0]
        return self.year if bound.years and not _UNIT.match(after) else None

    def _beside(self, bound: Bound, text: str, named: Sequence[Named]) -> Column | None:
        """The column whose name stands before the number, or right after it: "over 20,000 IMDb votes"."""
        near = {
            name
            for start, end, name in named
            if (0 <= bound.start - end <= NEAR and not re.search(r"[,;\d]", text[end : bound.start]))
            or 0 <= start - bound.end <= 1
            or (bound.end < start and _ON.fullmatch(text[bound.end : start]))
        }
        fitting = [one for one in self.numbers if bound.high <= BEYOND * float(one.maximum or 0)]
        return next((one for one in fitting if one.name in near), None)

    def rating(self, text: str) -> Column | None:
        """The rating that a text in lower case is about: the one it names, else the first."""
        words = set(_WORD.findall(text)) - (_RATING - {"imdb"})
        named = [one for one in self.ratings[1:] if words & set(one.name.split("_"))]
        return [*named, *self.ratings, None][0]

    def length(self) -> Column | None:
        return self.minutes or self.hours


def _told(column: Column) -> set[str]:
    return set(_WORD.findall(f"{column.name} {column.note or ''}".lower()))


def _says(column: Column, words: frozenset[str]) -> bool:
    """Whether a column's name says so, or its note where the name says nothing."""
    name = set(_WORD.findall(column.name.lower()))
    return bool((name if name & (_COUNT | _RATING) else _told(column)) & words)


def _is_counted(column: Column) -> bool:
    return any(said in (column.note or "").lower() for said in _COUNTED)


def _one(columns: Sequence[Column], name: str) -> Column | None:
    named = [one for one in columns if one.name == name]
    return named[0] if named else columns[0] if len(columns) == 1 else None


def few(column: Column) -> int:
    """How many ratings a hidden gem has at most: the maximum without its last digit, only the first digit kept."""
    tenth = int(float(column.maximum or 0)) // 10
    return tenth if tenth < 10 else int(str(tenth)[0]) * 10 ** (len(str(tenth)) - 1)
