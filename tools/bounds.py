"""How a message bounds its numbers: "under an hour and a half" is "< 90 minutes", "since 2005" is ">= 2005".

What is read here need not be reckoned by a small model: it copies the sign and the number.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from tools.numerals import either, level
from tools.quantities import SPELLED, Quantity, plain, quantities

YEARS = range(1800, 2100)  # numbers without a unit that are taken for years
AGO = " years ago"  # the unit of "the past twenty years"
DECADE = 9  # years from its first to its last
AROUND = 0.1  # of a number on either side, "around 100"; of a year AROUND_YEARS
AROUND_YEARS = 2
LOOK = 40  # characters on either side of a number that may say how it is meant
_TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
_REFUSED = {"<": ">=", ">": "<=", "<=": ">", ">=": "<"}
_FILL = (
    r"(?:(?:of|the|year|years|a|an|about|just|like|de|des|den|dem|die|le|la|les|el|los|il|lo|gli|o|os|het"
    r"|l\'|an[no]o?|roku|[$€£]) ?)*"
)
_UNITS = r"(?:[ -]?(?:[$€£%*\"]|[^\W\d_]+(?![^\W\d_]))){0,3}?"  # words between a number and what follows it
_NEXT = rf"(?![\w])(?! ?[\d$€£]| (?:{SPELLED})\b)"  # what comes before another number belongs to that
_TO = re.compile(
    r"(?: ?(?:year|euros?|min(?:ute)?s?|players?|[€$])?(?: ?[-–] ?| (?:to|and|bis|und|a|et|y|e|do|en|och|till"
    r"|until|tot|up to) ))"
    r"(?:the |les |los |il |die )?[$€£]?"
)
_BETWEEN = re.compile(r"\b(?:between|betwixt|zwischen|entre|tra|fra|tussen|mellan|miedzy)\b")
_AND = re.compile(r" (?:and|und|et|y|e|en|och|a) ")
_IN = re.compile(
    r"(?:^|\W)(?:in|from|frm|of|year|vintage|made|released|out|de|del|dell\'|d\'|aus|von|vom|z|fran|uit|van|w"
    r"|en|im|nel|roku|ano|anno"
    r"|annee|jaar|jahr|jahre)(?: (?:the year|dem jahr|jahre?|het jaar|l\'annee|ano|anno|roku))? $"
)
_OF = re.compile(r"\d ?/ ?(?:5|10|100)$")  # of "8/10" the 10
_ON = re.compile(r" on(?=$|[,.;!?])")  # "from 1990 on"
_AGES = re.compile(
    r"(?:\b(?:last|past|previous|recent) $|\b(?:within|over|in|during) the (?:last|past|previous) $)"
    r"|(?P<abroad>\b(?:letzten?|vergangenen|derniere?s?"
    r"|ultim[oai]s?|ultimi|ostatnich|laatste|afgelopen|senaste) $)"
)
_YEARS = re.compile(r"[ -]?(?:or so |odd )?(?P<unit>years?|yrs?|jahren?|annees|ans|anos|anni|lat|jaar|aren|decades?)\b")
_AFTER_YEARS = re.compile(r" (?:last|passati|passes|pasados)\b")
_DATED = re.compile(r"\b(?:older|newer|old|younger) than $")  # "no older than ten years": of a work
# What a bound is said of and refused with: "nothing that lasts over an hour", "not from before 1980".
_NOT = re.compile(
    r"(?:\b(?:nothing|none|not|no|never|refuses?|hates?|avoids?|won\'t watch|can\'t stand|nichts|rien|nada"
    r"|niente|niets|inget|nic|(?:do|does|ca|wo|is|are)nt)|n\'t)"
    r"(?:(?: |^)(?:that|which|to|be|is|are|it|go|goes|going|run|runs|last|lasts|lasting|running|take|takes|taking|cost"
    r"|costs|costing|anything|something|films?|games?|movies?|books?|ones?|stuff|from|made|released|for|on|much"
    r"|any|way|a"
    r"|rated|scoring|with|older|that\'s|spend|pay|want|der|die|das|qui|que|dure|dura|duri|che|dat|som|more"
    r"|have|up|into|in|the|mood|sit|sitting|through|watch|watching|play|playing|need|feel|feeling|got|time)){0,6} ?$"
)


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
    low = level(text)
    found: list[Bound] = []
    rest = [one for one in quantities(low) if not _OF.search(low[: one.end])]
    while rest:
        one, *rest = rest
        if (ago := _ago(low, one)) is not None:
            found.append(ago)
        elif rest and (pair := _range(low, one, rest[0])):
            found.append(pair)
            rest = rest[1:]
        elif bound := _bound(low, one):
            before = found[-1] if found else None
            if before is not None and _is_of_the_same(before, bound, low):
                bound = Bound(bound.start, bound.end, bound.sign, bound.low, bound.high, before.unit)
            found.append(bound)
    return found


def _is_of_the_same(before: Bound, bound: Bound, text: str) -> bool:
    """Whether a bound shares the unit of the one before: "more than 100 minutes but less than 150"."""
    if bound.unit or not before.sign or not before.unit or not bound.sign or bound.low in YEARS:
        return False
    joined = text[before.end : bound.start]
    return bool(re.match(r",? (?:but|and|aber|mais|pero|ma) ", joined)) and not re.search(r"[.;!?]", joined)


def _ago(text: str, one: Quantity) -> Bound | None:
    """ "The past twenty years", "the last two decades", "no older than ten years"; `low` is how long ago."""
    lead, unit = text[max(0, one.start - LOOK) : one.start], _YEARS.match(text, one.end)
    if unit is None or one.unit or one.low != one.high or one.low >= YEARS.start:
        return None
    lasting = _AGES.search(lead) or _AFTER_YEARS.match(text, unit.end())
    sign = ">=" if lasting else ""
    if not lasting and _DATED.search(lead) and not re.match(" olds?", text[unit.end() :]):
        sign = _sign(lead, "")  # "older than" is "<", of years and of how long ago alike
    if not sign:
        return None
    years = one.low * (10 if unit["unit"].startswith("decade") else 1)
    return Bound(one.start, unit.end(), sign, years, years, AGO)


def _range(text: str, one: Quantity, other: Quantity) -> Bound | None:
    """Two numbers that a range joins, "between 90 and 120 minutes"; the first has the unit of the second."""
    between = text[one.end : other.start]
    asked = _BETWEEN.search(text[max(0, one.start - 20) : one.start])
    if not _TO.fullmatch(between) or (_AND.search(between) and not asked) or one.low >= other.high:
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
    """What the words before a number say, or else those after it."""
    before = said_before(lead)
    return before[0] if before else said_after(trail)


def said_before(lead: str) -> tuple[str, int] | None:
    """The sign that the words before a number stand for, the longest that end there, and where they begin."""
    found = [(len(match[0]), sign, match.start()) for sign, said in _said()[0] if (match := said.search(lead))]
    if not found:
        return None
    _, sign, start = max(found)
    refused = _NOT.search(lead[:start].rstrip(" "))
    return (_REFUSED.get(sign, sign), refused.start()) if refused else (sign, start)


def said_after(trail: str) -> str:
    """The sign that the words after a number stand for; empty where they say nothing."""
    return next((sign for sign, said in _said()[1] if said.match(trail)), ">=" if _ON.match(trail) else "")


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
            yield level(line).removesuffix(",").split(" ", 2)


def _either(phrases: list[str]) -> str:
    """ "minimum of" may hold what is at the minimum: "a minimum rating of"."""
    return either(phrases).replace(r"imum\ of", r"imum(?:\ \w+)?\ of")
