"""Which columns hold years, lengths of time, prices, ratings and counts, and what words and numbers say about them.

"A recent hidden gem under two hours" is a bound on the year, on the mean rating, on the count of ratings and on the
running time, as finetune/CONVENTIONS.md has it. What is reckoned from the card here need not be by a small model.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from tools.bounds import DECADE, YEARS, Bound
from tools.literals import spell, spell_column
from tools.quantities import MINUTES
from tools.schema import Column, Manifest

NEAR = 25  # characters between a column's name and its number: "weight of at least 4"
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
    r"|people|players|times|points|copies|sales|views|listeners|students|learners|episodes|seasons|stars|inch(?:es)?)(?![\w-])"
)
_MONEY = re.compile(r" ?(?:[$€£]|(?:euros?|eur|dollars?|bucks|usd|pounds|quid|gbp)(?!\w))")
_STARS = re.compile(r" ?(?:\*|stars?\b)")
_SET = re.compile(r"\b(?:set(?!\w)|setting|takes? place|taking place|plays? in|story)")

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
            return f"{name} ILIKE {spell(f'%{bound.low:g}s%')}"
        if bound.sign:
            return f"{name} {said}"
        low, is_range, high = said.partition(" to ")
        return f"{name} BETWEEN {low} AND {high}" if is_range else said + (" hours" if scale > 1 else bound.unit)

    def _column(self, bound: Bound, text: str, named: Sequence[Named]) -> Column | None:
        after, before = text[bound.end :], text[: bound.start]
        if bound.unit == MINUTES:
            return self.minutes or self.hours
        if bound.years and bound.low < bound.high:
            decade = bound.high - bound.low == DECADE and not bound.sign
            return self.period if decade and self.period is not None and _SET.search(text) else self.year
        if (beside := self._beside(bound, text, named)) is not None:
            return beside
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


def words_in(text: str, measures: Measures) -> Iterator[tuple[int, int, str]]:
    """Where words without a number stand and what they say: "recent", "well rated", "hidden gems", "shortest"."""
    low = text.lower()
    rating, year, count = measures.rating(low), measures.year, measures.count
    newest, top = (float(one.maximum or 0) if one else 0.0 for one in (year, rating))
    known = count and f"{spell_column(count.name)} <= {few(count)}"
    good = rating and f"{spell_column(rating.name)} >= {round(GOOD * top)}"
    meant = {
        "good": good,
        "bad": rating and f"{spell_column(rating.name)} <= {round(BAD * top)}",
        "gem": " AND ".join(part for part in (good, known) if part),
        "known": known,
        "recent": year and f"{spell_column(year.name)} >= {int(newest) - RECENT}",
        "decade": year and f"{spell_column(year.name)} >= {int(newest) - 2 * RECENT}",
        "old": year and f"{spell_column(year.name)} < {OLD}",
    }
    orders = {"count": count, "rating": rating, "year": year, "length": measures.length(), "price": measures.price}
    for name, column in orders.items():
        for direction in ("ASC", "DESC") if column else ():
            meant[f"{name} {direction}"] = f"ORDER BY {spell_column(column.name)} {direction}" if column else None
    for kind, pattern in SAYINGS:
        if said := meant.get(kind):
            yield from ((match.start(), match.end(), said) for match in pattern.finditer(low))


def beyond(
    text: str, measures: Measures, shown: Sequence[Ends], named: Sequence[Named]
) -> Iterator[tuple[int, int, str]]:
    """ "Older", "a higher weight": beyond what the last items span. `named` are columns that the text names."""
    low = text.lower()
    held = {name: (least, most) for name, least, most in shown}
    columns = {"year": measures.year, "length": measures.length(), "price": measures.price, "count": measures.count}
    columns["rating"] = measures.rating(low)
    found = [(match, columns[kind], sign) for kind, sign, said in COMPARISONS for match in said.finditer(low)]
    if not found:
        numbers = {one.name: one for one in measures.numbers}
        ways = [(match, sign) for sign, said in DEGREES for match in said.finditer(low)][:1]
        found = [(match, numbers.get(name), sign) for match, sign in ways for _, _, name in named]
    for match, column, sign in found:
        if column is not None and column.name in held:
            least, most = held[column.name]
            yield match.start(), match.end(), f"{spell_column(column.name)} {sign} {least if sign == '<' else most}"


def few(column: Column) -> int:
    """How many ratings a hidden gem has at most: the maximum without its last digit, only the first digit kept."""
    tenth = int(float(column.maximum or 0)) // 10
    return tenth if tenth < 10 else int(str(tenth)[0]) * 10 ** (len(str(tenth)) - 1)


def _words(said: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-])(?:{said})(?![\w-])")


OLD = 1970  # before it an item is "old"
RECENT = 5  # years before the catalog's newest that are "recent"
GOOD, BAD = 0.8, 0.4  # of the highest rating
_REVIEWS = r"(?:reviews|ratings?)"
SAYINGS = tuple(
    (kind, _words(said))
    for kind, said in (
        (
            "good",
            rf"(?:well|highly)[- ]?(?:rated|reviewed|regarded|received)|acclaimed|(?:good|great|rave|high) {_REVIEWS}",
        ),
        ("good", rf"(?:excellent|glowing) {_REVIEWS}"),
        ("bad", rf"(?:badly|poorly|low)[- ](?:rated|reviewed)|bad {_REVIEWS}|so bad (?:it'?s|they'?re) good"),
        (
            "gem",
            r"(?:hidden|undiscovered|underrated|overlooked) (?:gems?|treasures?)|underrated|overlooked|undervalued",
        ),
        ("gem", r"under[- ]the[- ]radar|underappreciated"),
        ("known", r"obscure|(?:little|lesser|barely)[- ]known|unknown"),
        ("recent", r"recent|new(?=$|[.,!?]| stuff| \w+s\b)|modern|newish|up-to-date"),
        ("decade", "(?:last|past) (?:ten|10) years"),
        ("old", "old|classics?|vintage|old[- ]school|old[- ]fashioned"),
        ("count DESC", "(?:most )?(?:popular|famous|well[- ]known|mainstream)|best[- ]known|blockbusters?"),
        ("count ASC", "least (?:known|popular)"),
        ("rating DESC", "best|(?:top|highest|best)[- ]rated|greatest"),
        ("rating ASC", "worst|(?:worst|lowest)[- ]rated"),
        ("year DESC", "newest|latest|most recent"),
        ("year ASC", "oldest|earliest"),
        ("length ASC", "short(?:est)?|quick(?:est)?|brief"),
        ("length DESC", "long(?:est)?|lengthy"),
        ("price ASC", "cheap(?:est)?|inexpensive|least expensive|affordable"),
        ("price DESC", "(?:most )?expensive|priciest|pricey"),
    )
)
COMPARISONS = tuple(
    (kind, sign, _words(said))
    for kind, sign, said in (
        ("year", "<", "older|earlier"),
        ("year", ">", "newer|more recent|later|more modern"),
        ("length", "<", "shorter|quicker|less long"),
        ("length", ">", "longer"),
        ("price", "<", "cheaper|less expensive|too (?:expensive|pricey)"),
        ("price", ">", "more expensive|pricier"),
        ("rating", ">", r"(?:better|higher)[- ](?:rated|ratings?|reviewed|scor\w+)"),
        ("count", ">", "more popular|better known"),
        ("count", "<", "less (?:popular|known)|more obscure"),
    )
)
DEGREES = (
    (">", _words("too low|not high enough|higher|more|bigger|larger|greater|better")),
    ("<", _words("too (?:high|much|many|big)|lower|less|fewer|smaller")),
)
