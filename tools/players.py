"""For how many people a message wants something, and of what age.

A catalog may have a pair of columns such as min_players and max_players.

"For six of us" is `min_players <= 6 AND max_players >= 6`; "solo" asks for what one can play alone.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from tools.bounds import LOOK, said_after, said_before
from tools.literals import spell_column
from tools.numerals import level
from tools.quantities import DIGITS, SPELLED, number
from tools.schema import Column

PEOPLE = frozenset(["player", "players", "people", "persons", "participants", "guests", "members", "team", "group"])
ADULT = 19  # age from which none needs to be said
MOST = 100  # people at most: "for 2000" is a price or a year
_TO = r"(?: ?[-–] ?| (?:to|or|bis|oder|a|ou|o|of|till|do|tot|och|eller|and|und|et|y|e) )"


_FOR = re.compile(r"\b(?:for|voor|fur|pour|para|per|dla|na|till|til) $")  # "before", too, in some languages
_NUMBER = rf"(?<![\w.])(?:{DIGITS}|{SPELLED})(?!\w)"
_NAMED = re.compile(
    rf"(?:(?P<before>{_NUMBER}) (?:as|for|is) (?:the |a |its )?)?"
    r"\b(?P<name>(?:min(?:imum)?|max(?:imum)?|fewest|most)\.?[ _](?:number of )?(?:players?|people"
    r"|persons)(?: count| number)?)\b"
    rf"(?(before)|[:=]?(?: (?:of|is|are|at|least|most|or|the|be|must|should|under|over|below|above|less|more"
    rf"|than|exactly|up|to|no|not)){{0,5}} (?P<after>{_NUMBER}))"
)


@dataclass(frozen=True)
class Players:
    """The columns of the fewest and the most people that an item is for."""

    least: Column
    most: Column

    @classmethod
    def of(cls, columns: Sequence[Column]) -> "Players | None":
        """None where no pair of columns says so."""
        names = {one.name: one for one in columns}
        for one in columns:
            words = one.name.lower().split("_")
            for low, high in (("min", "max"), ("minimum", "maximum"), ("fewest", "most")):
                if low in words and set(words) & PEOPLE:
                    other = names.get("_".join(high if word == low else word for word in words))
                    if other is not None:
                        return cls(one, other)
        return None

    def found(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Where a text says how many people there are, and the condition; the longest of those that share words.

        Of two conditions each has a part of the words: links that share words are other readings of these.
        """
        low = level(text)
        held = [*self._named(low)]
        for count, pattern in _sayings():
            for match in pattern.finditer(low):
                typed = next((word for word in match.groups() if word), None)
                if typed is None:
                    held.append((match.start(), match.end(), self._solo() if count == 1 else self._for(count, count)))
                elif (one := self._numbered(low, match, typed)) is not None:
                    held.append(one)
        kept = list[tuple[int, int, str]]()
        for one in sorted(held, key=lambda one: one[0] - one[1]):
            if not any(one[0] < other[1] and other[0] < one[1] for other in kept):
                kept.append(one)
        for start, end, said in sorted(kept):
            least, both, most = said.partition(" AND ")
            middle = max(text.rfind(" ", start, end), start + 1) if both else end
            yield start, middle, least
            if both:
                yield middle + text[middle:end].startswith(" "), end, most

    def _named(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Bounds on one of the columns alone: "a minimum player count of 3 or above"."""
        for match in _NAMED.finditer(text):
            column = self.least if match["name"].startswith(("min", "few")) else self.most
            name = spell_column(column.name)
            if match["before"]:
                yield match.start(), match.end(), f"{name} = {number(match['before']):g}"
                continue
            at = match.start("after")
            lead, trail = text[match.end("name") : at], text[match.end() : match.end() + LOOK]
            before = said_before(f" {lead}")
            yield (
                match.start(),
                match.end(),
                f"{name} {(before[0] if before else said_after(trail)) or '='} {number(match['after']):g}",
            )

    def _numbered(self, text: str, match: re.Match[str], typed: str) -> tuple[int, int, str] | None:
        """A number of people, what bounds it and what range it ends or begins."""
        people = number(typed)
        if people != int(people) or not 0 < people <= MOST:
            return None
        at = match.start() + match[0].index(typed)
        lead, trail = text[max(0, at - LOOK) : at], text[at + len(typed) : at + len(typed) + LOOK]
        if (pair := re.search(rf"(?<![\w.])({DIGITS}|{SPELLED}){_TO}$", lead)) is not None:
            first = number(pair[1])
            start = min(match.start(), at - len(pair[0]))
            return (start, match.end(), self._for(int(first), int(people))) if first < people else None
        if (pair := re.match(rf"{_TO}({DIGITS}|{SPELLED})(?!\w)", trail)) is not None and number(pair[1]) > people:
            return (
                match.start(),
                max(match.end(), at + len(typed) + pair.end()),
                self._for(int(people), int(number(pair[1]))),
            )
        before = said_before(_FOR.sub("", lead))
        sign = before[0] if before else said_after(trail)
        start = min(match.start(), at - len(lead) + before[1]) if before else match.start()
        least, most = spell_column(self.least.name), spell_column(self.most.name)
        count = int(people)
        said = {
            "<=": f"{most} >= {count}",
            ">=": f"{most} >= {count}",
            ">": f"{most} > {count}",
            "<": f"{least} < {count}",
        }.get(sign, self._for(count, count))
        return start, match.end(), said

    def _for(self, least: int, most: int) -> str:
        return f"{spell_column(self.least.name)} <= {least} AND {spell_column(self.most.name)} >= {most}"

    def _solo(self) -> str:
        return f"{spell_column(self.least.name)} = 1"


def ages(text: str, column: Column) -> Iterator[tuple[int, int, str]]:
    """Where a text says how old someone is, for whom an item is to be: "my son is five"."""
    low = level(text)
    for match in _age().finditer(low):
        typed = next(word for word in match.groups() if word)
        at = match.start() + match[0].index(typed)
        before = said_before(low[max(0, at - LOOK) : at])
        sign = before[0] if before and before[0] in ("<", "<=") else "<="
        if 0 < number(typed) < ADULT:
            yield match.start(), match.end(), f"{spell_column(column.name)} {sign} {number(typed):g}"


@cache
def _age() -> re.Pattern[str]:
    (words,) = (phrases for head, phrases in _lines() if head.startswith("age"))
    return re.compile(rf"(?<![\w-])(?:{words})(?!\w)")


@cache
def _sayings() -> tuple[tuple[int, re.Pattern[str]], ...]:
    """Patterns with the number that they say; 0 where the number is a group of the pattern."""
    found = [(head.split(" ")[1], words) for head, words in _lines() if head.startswith("=")]
    return tuple(
        (0 if count == "N" else int(count), re.compile(rf"(?<!\w)(?<![a-z]-)(?:{words})(?!\w)"))
        for count, words in found
    )


def _lines() -> Iterator[tuple[str, str]]:
    """The lines of data/players.txt, each with a pattern of its words; a number in them is a group."""
    for line in files("tools").joinpath("data/players.txt").read_text(encoding="utf-8").splitlines():
        head, _, phrases = line.partition(": ")
        if not line.startswith("#"):
            yield head, "|".join(phrases.split(", ")).replace("N", rf"(?<![\w.])({DIGITS}|{SPELLED})(?![\w])")
