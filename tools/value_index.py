"""What the words of a message may mean in a catalog: values, names and columns in it, decades and lengths of time.

Schema linking as in BRIDGE (Lin et al. 2020): a planner that is told which values a message names does not have to find
them on the card, and so can serve a catalog it was never trained on. Recall before precision: the planner decides.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from rapidfuzz.distance import OSA

from tools.literals import spell, spell_column
from tools.schema import Column, Manifest
from tools.text import STOPWORDS, fold, stem

MOST = 8  # links of one message
ALIKE = 5  # letters that two forms of a word share at the start ("comedy", "comedies")
ENDING = 4  # letters that may follow them
SPELLING = 0.8  # OSA similarity from which a word is the other, misspelt
NAME_WORDS = 4  # of a proper name at most
VALUE_WORDS = 8  # of a value that may be made of names ("Paris, Texas, USA"); longer ones are prose
WORD = re.compile(r"[^\W_]+(?:['\u2019.][^\W_]+)*")
DECADES = {"twenties": 1920, "thirties": 1930, "forties": 1940, "fifties": 1950, "sixties": 1960, "seventies": 1970,
           "eighties": 1980, "nineties": 1990, "noughties": 2000}  # fmt: skip
PARTS = {"early": (0, 3), "mid": (4, 6), "late": (7, 9)}
COUNTS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "half an": 0.5}
DECADE = re.compile(
    r"\b(?:(?P<part>early|mid|late)[ -])?(?:the )?(?:(?P<long>(?:1[89]|20)\d0)'?s|'?(?P<short>\d0)'?(?:s|er)"
    rf"|(?P<word>{'|'.join(DECADES)})|(?:années|anni|años|anos|jaren) '?(?P<abroad>\d0))\b"
)
HOUR = r"hours?|stunden?|heures?|horas?|ora|ore|uur|uren"
HOURS = re.compile(
    rf"\b(?:(?P<number>\d+(?:[.,]\d+)?)[ -]?(?:h|hrs?|{HOUR})"
    rf"|(?:(?P<count>{'|'.join(sorted(COUNTS, key=len, reverse=True))})(?P<half> and a half)?[ -])?(?:{HOUR}))"
    r"(?:\b(?P<more> and a half| et demie| y media| e mezza| e meia)|(?:(?: and)? ?(?P<minutes>\d\d?)(?: ?m\w*)?)?)\b"
)


@dataclass(frozen=True)
class Link:
    """`text[start:end]` may mean this: a condition in SQL, a column's name, a range of years, or minutes."""

    start: int
    end: int
    said: str


@dataclass(frozen=True)
class ValueIndex:
    """The vocabularies of a catalog by their first words, and its proper names by their folded text."""

    values: tuple[tuple[tuple[str, ...], str], ...]  # words, condition
    names: dict[str, tuple[str, ...]]  # columns

    @classmethod
    def of(cls, manifest: Manifest, named: Iterable[tuple[str, str]]) -> Self:
        """`named` are columns with one of their values each; those that look like proper names are kept."""
        values = list[tuple[tuple[str, ...], str]]()
        for column in manifest.columns:
            own = spell_column(column.name)
            held = "{} IN " + own if column.is_list else own + " = {}"
            values += [(_words(value), held.format(spell(value))) for value in column.values or ()]
            values.append((_words(column.name.replace("_", " ")), f"{own} = true" if column.type == "boolean" else own))
        names: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for name, value in named:
            for part in value.split(", "):
                words = part.split()
                if 0 < len(words) <= NAME_WORDS and part[0].isupper() and len(part) > 3:
                    names[fold(part)][name] = None
                    if len(words) > 1 and len(words[-1]) > 4 and words[-1][0].isupper():
                        names[fold(words[-1])].setdefault(name)
        return cls(tuple(pair for pair in values if pair[0]), {key: tuple(columns) for key, columns in names.items()})

    def link(self, text: str, common: frozenset[str]) -> list[Link]:
        """In the order of the text. `common` are everyday words, which are no names when they stand alone."""
        words = list(WORD.finditer(text))
        folded = [stem(fold(word[0])) for word in words]
        telling = [at for at, word in enumerate(words) if fold(word[0]) not in STOPWORDS]
        values = self._values_in([words[at] for at in telling], [folded[at] for at in telling])
        found = [*_decades(text), *_hours(text), *_longest(values), *self._names_in(text, words, common)]
        first: dict[str, Link] = {}
        for link in sorted(found, key=lambda one: one.start):
            first.setdefault(link.said, link)
        return list(first.values())[:MOST]

    def _values_in(self, words: Sequence[re.Match[str]], folded: Sequence[str]) -> Iterator[Link]:
        for key, said in self.values:
            for first in range(len(words)):
                last = first + len(key) - 1
                if last < len(words) and all(map(_same, key, folded[first : last + 1])):
                    yield Link(words[first].start(), words[last].end(), said)
                elif len(key) > 1 and folded[first] == "".join(key):  # "scifi"
                    yield Link(words[first].start(), words[first].end(), said)

    def _names_in(self, text: str, words: Sequence[re.Match[str]], common: frozenset[str]) -> Iterator[Link]:
        first = 0
        while first < len(words):
            after = first + 1
            for last in range(min(first + NAME_WORDS, len(words)) - 1, first - 1, -1):
                typed = text[words[first].start() : words[last].end()]
                columns = self.names.get(fold(typed), ())
                alone = first == last and (fold(typed) in common) and not typed[0].isupper()
                if columns and not alone and not (first == last and self._in_a_name(text, words, first)):
                    for column in columns:
                        yield Link(
                            words[first].start(),
                            words[last].end(),
                            f"{spell_column(column)} ILIKE {spell(f'%{typed}%')}",
                        )
                    after = last + 1
                    break
            first = after

    def _in_a_name(self, text: str, words: Sequence[re.Match[str]], at: int) -> bool:
        """Whether a capital stands beside this word's own: half of "James Bond" is nobody's name.

        The capital of a text's first word says nothing, unless that word is a name: "Any Hitchcock" names Hitchcock.
        """
        if not words[at][0][0].isupper():
            return False
        for near in (at - 1, at + 1):
            if 0 <= near < len(words) and words[near][0][0].isupper() and (near or fold(words[0][0]) in self.names):
                left, right = words[min(near, at)], words[max(near, at)]
                if text[left.end() : right.start()] == " ":
                    return True
        return False


def name_columns(columns: Sequence[Column]) -> list[str]:
    """Those of free text, in which names may stand; titles have an index of their own."""
    free = [column.name for column in columns if column.type == "text" and column.values is None]
    return [name for name in free if "title" not in name]


def named_values(listed: Mapping[str, Iterable[object]]) -> Iterator[tuple[str, str]]:
    """Columns with each value that items have in them and that may be made of names."""
    for name, cells in listed.items():
        for cell in cells:
            for one in cell if isinstance(cell, (list, tuple)) else (cell,):
                if isinstance(one, str) and len(one.split()) <= VALUE_WORDS:
                    yield name, one


def _words(text: str) -> tuple[str, ...]:
    return tuple(stem(fold(word)) for word in re.findall(r"[^\W_]+", text) if fold(word) not in STOPWORDS)


def _longest(links: Iterable[Link]) -> list[Link]:
    """Without those whose words another one covers and more: PG in PG-13."""
    held = list(links)
    return [
        one
        for one in held
        if not any(
            other.start <= one.start and one.end <= other.end and (other.end - other.start) > (one.end - one.start)
            for other in held
        )
    ]


def _same(one: str, other: str) -> bool:
    """Two forms of a word, or one misspelt."""
    if one == other:
        return True
    if min(len(one), len(other)) < ALIKE:
        return False
    shared = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    if shared >= ALIKE and max(len(one), len(other)) - shared <= ENDING:
        return True
    return one[0] == other[0] and OSA.normalized_similarity(one, other) >= SPELLING


def _decades(text: str) -> Iterator[Link]:
    for match in DECADE.finditer(text.lower()):
        short = match["short"] or match["abroad"]
        if match["word"]:
            start = DECADES[match["word"]]
        elif match["long"]:
            start = int(match["long"])
        else:
            start = int(short) + (1900 if int(short) >= 20 else 2000)
        low, high = PARTS.get(match["part"] or "", (0, 9))
        yield Link(match.start(), match.end(), f"{start + low} to {start + high}")


def _hours(text: str) -> Iterator[Link]:
    for match in HOURS.finditer(text.lower()):
        number, count = match["number"], match["count"]
        hours = float(number.replace(",", ".")) if number else COUNTS[count] if count else 1.0
        hours += 0.5 * bool(match["half"] or match["more"])
        yield Link(match.start(), match.end(), f"{hours * 60 + int(match['minutes'] or 0):g} minutes")
