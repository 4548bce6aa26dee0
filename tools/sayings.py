"""What words without a number say of the columns of numbers: "recent", "well rated", "shortest", "older than these".

The words are data/sayings.txt; what each says is reckoned from the card, as finetune/CONVENTIONS.md has it.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files

from tools.literals import spell_column
from tools.measures import Ends, Measures, Named, few
from tools.numerals import level
from tools.schema import Column

OLD = 1970  # before it an item is "old"
RECENT = 5  # years before the catalog's newest that are "recent"
GOOD, BAD = 0.8, 0.4  # of the highest rating

Said = tuple[int, int, str]  # where words stand, and what they say
_spelled = cache(spell_column)  # of the few columns of a catalog, over and over


def words_in(text: str, measures: Measures) -> Iterator[Said]:
    """Where words without a number stand and what they say: "recent", "well rated", "hidden gems", "shortest"."""
    low = level(text)
    rating, year, count = measures.rating(low), measures.year, measures.count
    newest, top = (float(one.maximum or 0) if one else 0.0 for one in (year, rating))
    known = count and f"{_spelled(count.name)} <= {few(count)}"
    good = rating and f"{_spelled(rating.name)} >= {round(GOOD * top)}"
    meant = {
        "good": good,
        "bad": rating and f"{_spelled(rating.name)} <= {round(BAD * top)}",
        "gem": " AND ".join(part for part in (good, known) if part),
        "known": known,
        "recent": year and f"{_spelled(year.name)} >= {int(newest) - RECENT}",
        "decade": year and f"{_spelled(year.name)} >= {int(newest) - 2 * RECENT}",
        "old": year and f"{_spelled(year.name)} < {OLD}",
    }
    columns = _usual(low, measures)
    for place, kinds, pattern in _sayings():
        *names, way = kinds
        if place == "say" and (said := meant.get(way)):
            yield from ((match.start(), match.end(), said) for match in pattern.finditer(low))
        elif place in ("order", "sort"):
            column = columns.get(names[0]) if place == "order" else _called(names, measures)
            if column is not None:
                said = f"ORDER BY {_spelled(column.name)} {way}"
                yield from ((match.start(), match.end(), said) for match in pattern.finditer(low))


def beyond(text: str, measures: Measures, shown: Sequence[Ends], named: Sequence[Named]) -> Iterator[Said]:
    """ "Older", "a higher weight": beyond what the last items span. `named` are columns that the text names."""
    if not shown:
        return
    low = level(text)
    held = {name: (least, most) for name, least, most in shown}
    columns = _usual(low, measures)
    found = [
        (match, columns.get(names[0]) if place == "than" else _called(names, measures), sign)
        for place, (*names, sign), pattern in _sayings()
        if place in ("than", "degree")
        for match in pattern.finditer(low)
        if not low.startswith(" the better", match.end())  # an order, "the older the better"
    ]
    if not any(column for _, column, _ in found):
        numbers = {one.name: one for one in measures.numbers}
        ways = [(match, sign) for sign, said in DEGREES for match in said.finditer(low)][:1]
        found = [(match, numbers.get(name), sign) for match, sign in ways for _, _, name in named]
    for match, column, sign in found:
        if column is not None and column.name in held:
            least, most = held[column.name]
            yield match.start(), match.end(), f"{_spelled(column.name)} {sign} {least if sign == '<' else most}"


def _usual(text: str, measures: Measures) -> dict[str, Column | None]:
    """The columns that the words of orders and comparisons are about."""
    return {
        "year": measures.year,
        "length": measures.length(),
        "price": measures.price,
        "count": measures.count,
        "rating": measures.rating(text),
    }


def _called(names: Sequence[str], measures: Measures) -> Column | None:
    """The first column of numbers whose name has one of these words."""
    return next((one for one in measures.numbers if set(names) & set(one.name.lower().split("_"))), None)


def _pattern(said: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-])(?:{said})(?![\w-])")


@cache
def _sayings() -> tuple[tuple[str, tuple[str, ...], re.Pattern[str]], ...]:
    """The lines of data/sayings.txt: their place, what they are about with the way, and a pattern of their words."""
    found = []
    for line in files("tools").joinpath("data/sayings.txt").read_text(encoding="utf-8").splitlines():
        head, _, phrases = line.partition(": ")
        if not line.startswith("#"):
            place, *kinds = head.split(" ")
            words = "|".join(re.sub(r"(?<![\[?]) (?!\])", "[ -]", phrase) for phrase in phrases.split(", "))
            found.append((place, tuple(kinds), _pattern(words)))
    return tuple(found)


DEGREES = (
    (">", _pattern("too low|not high enough|higher|more|bigger|larger|greater|better")),
    ("<", _pattern("too (?:high|much|many|big)|lower|less|fewer|smaller")),
)
