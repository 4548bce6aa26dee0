"""How a message bounds its numbers: "under an hour and a half" is "< 90 minutes", "since 2005" is ">= 2005".

What is read here need not be reckoned by a small model: it copies the sign and the number.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from tools.quantities import SPELLED, Quantity, either, plain, quantities

YEARS = range(1800, 2100)  # numbers without a unit that are taken for years
DECADE = 9  # years from its first to its last
AROUND = 0.1  # of a number on either side, "around 100"; of a year AROUND_YEARS
AROUND_YEARS = 2
LOOK = 40  # characters on either side of a number that may say how it is meant
_TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
_FILL = r"(?:(?:of|the|year|a|an|about|[$€£]) ?)*"
_UNITS = r"(?:[ -]?(?:[$€£%*\"]|[^\W\d_]+(?![^\W\d_]))){0,3}?"  # words between a number and what follows it
_NEXT = rf"(?![\w])(?! ?[\d$€£]| (?:{SPELLED})\b)"  # what comes before another number belongs to that
_TO = re.compile(r"(?: ?(?:-|–|to|and|bis|à|a|till|until) ?)(?:the )?")
_IN = re.compile(r"(?:^|\W)(?:in|from|frm|of|year|vintage|de|aus|von|z|från|uit)(?: the year)? $")
_ON = re.compile(r" on(?=$|[,.;!?])")  # "from 1990 on"


@dataclass(frozen=True)
class Bound:
    """What `text[start:end]` bounds. Without a sign it is a range, or a length of time of which nothing is said."""

    start: int
    end: int
    sign: str
    low: float
    high: float
    unit: str = ""

    @property
    def years(self) -> bool:
        return not self.unit and self.low in YEARS and self.high in YEARS

    def text(self, scale: float = 1.0) -> str:
        """ "< 90", "30 to 60" or "90", every number divided by `scale`; without the unit."""
        low, high = (plain(end / scale) for end in (self.low, self.high))
        if self.sign:
            return f"{self.sign} {low if self.sign in ('<', '>=', '=') else high}"
        return low if low == high else f"{low} to {high}"


def bounds(text: str) -> list[Bound]:
    """What every number of a text bounds. Numbers of which nothing is said are left out, but lengths of time."""
    low = text.lower()
    if len(low) != len(text):  # a letter whose lower case is two would shift every place
        low = text
    found: list[Bound] = []
    rest = list(quantities(low))
    while rest:
        one, *rest = rest
        if rest and (pair := _range(low, one, rest[0])):
            found.append(pair)
            rest = rest[1:]
        elif bound := _bound(low, one):
            found.append(bound)
    return found


def _range(text: str, one: Quantity, other: Quantity) -> Bound | None:
    """Two numbers that a range joins, "between 90 and 120 minutes"; the first has the unit of the second."""
    between = text[one.end : other.start]
    asked = "between" in text[max(0, one.start - 12) : one.start]
    if not _TO.fullmatch(between) or ("and" in between and not asked) or one.low >= other.high:
        return None
    low = one.low
    if other.unit and not one.unit and other.low >= 60 and low <= other.low / 60:  # "one to two hours"
        low *= 60
    return Bound(one.start, other.end, "", low, other.high, other.unit or one.unit)


def _bound(text: str, one: Quantity) -> Bound | None:
    lead, trail = text[max(0, one.start - LOOK) : one.start], text[one.end : one.end + LOOK]
    sign = _sign(re.sub(r"\bthen\b", "than", lead), trail)
    year = not one.unit and one.low in YEARS
    if not year and re.search("(older|younger) than", lead):
        sign = _TURNED.get(sign, sign)  # of an age, or of what was made so long ago
    low, high = one.low, one.high
    if sign == "~" and low == high:
        spread = AROUND_YEARS if year else max(1, round(low * AROUND))
        return Bound(one.start, one.end, "", low - spread, high + spread, one.unit)
    if sign == "~" or (sign == "=" and low < high):
        sign = ""
    if not sign and year and low == high and (_IN.search(lead) or text.strip() == text[one.start : one.end]):
        sign = "="
    if sign or one.unit or low < high:
        return Bound(one.start, one.end, sign, low, high, one.unit)
    return None


def _sign(lead: str, trail: str) -> str:
    """What the words before a number say, the longest that end there, or else those after it."""
    before, after = _said()
    found = [(len(match[0]), sign) for sign, said in before if (match := said.search(lead))]
    if found:
        return max(found)[1]
    return next((sign for sign, said in after if said.match(trail)), ">=" if _ON.match(trail) else "")


_Said = tuple[tuple[str, re.Pattern[str]], ...]


@cache
def _said() -> tuple[_Said, _Said]:
    """The phrases before and after a number, by sign."""
    held: dict[tuple[str, str], list[str]] = {}
    for place, sign, phrases in _lines():
        held.setdefault((place, sign), []).extend(phrase for phrase in phrases.split(", ") if phrase)
    before = [
        (sign, rf"(?<![\w-])(?:{_either(said)}) ?{_FILL}$") for (place, sign), said in held.items() if place == "before"
    ]
    after = [
        (sign, rf"{_UNITS}(?: |(?<![^\W\d_]))(?:{_either(said)}){_NEXT}")
        for (place, sign), said in held.items()
        if place == "after"
    ]
    compiled = [tuple((sign, re.compile(pattern)) for sign, pattern in pairs) for pairs in (before, after)]
    return compiled[0], compiled[1]


def _lines() -> Iterator[list[str]]:
    for line in files("tools").joinpath("data/bounds.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            yield line.removesuffix(",").split(" ", 2)


def _either(phrases: list[str]) -> str:
    """ "minimum of" may hold what is at the minimum: "a minimum rating of"."""
    return either(phrases).replace(r"imum\ of", r"imum(?:\ \w+)?\ of")
