"""Titles named in running text: "I loved The Matrix and inception but not titanic".

Precision before recall: only titles spelt right count, and those that are everyday words ("It", "Heat", "Last Night")
only when their capitals, quotes or a year after them show that a title is meant.
"""

import re
from bisect import bisect_left
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from tools.catalog import Catalog
from tools.text import STOPWORDS
from tools.title_index import TitleIndex, carrying
from tools.titles import normalise

LONGEST = 12  # words of a title
KNOWN = 1000  # rows from the top whose titles people write without capitals
SURE = 0.8  # score of a lookup from which words with a year after them are that title
WELL_KNOWN = 300  # and write so even where they are two everyday words ("toy story")

_WORD = re.compile(r"&|[^\W_]+(?:['\u2019.·*-][^\W_]+)*")
_YEAR = re.compile(r"(?:[!.?'\"\u2019\u201d]*\s*[(\[]|['\"\u2019\u201d]?,?\s+)(?P<year>(?:1[89]|20)\d\d)\b[)\]]?")
_END = re.compile(r"[!?;\n\"\u201c\u201d()\[\]]|[.…](?:\s|$)")
_SEQUEL = re.compile(r"[2-9]|1\d|ii|iii|iv|vi|vii|viii|ix", re.IGNORECASE)
_ABBREVIATIONS = frozenset({"dr", "mr", "mrs", "ms", "vol", "st", "vs", "jr", "inc"})
_CONJUNCTIONS = frozenset({"and", "or", "but", "with", "too", "also"})
_QUOTES = frozenset("\"'\u201c\u201d\u2018\u2019")


@dataclass(frozen=True)
class Mention:
    """`text[start:end]` names the item of `row`; a year after the title belongs to it. `score` is from 0 to 1."""

    start: int
    end: int
    row: int
    score: float


def find_mentions(catalog: Catalog, text: str) -> list[Mention]:
    """In the order of the text, not overlapping; of titles that begin at one word the longest wins."""
    reader = _Reader(catalog.title_index, text)
    mentions, first = list[Mention](), 0
    while first < len(reader.words):
        mention = reader.mention_at(first)
        if mention is not None:
            mentions.append(mention)
        first = reader.after(mention.end) if mention is not None else first + 1
    return mentions


@cache
def common_words() -> frozenset[str]:
    """Everyday English words, folded."""
    return frozenset(files("tools").joinpath("data/common_words.txt").read_text(encoding="utf-8").split())


@cache
def filler_words() -> frozenset[str]:
    """English words with which people ask for anything at all, folded."""
    return frozenset(files("tools").joinpath("data/filler_words.txt").read_text(encoding="utf-8").split())


class _Reader:
    """One text, its words, and what can be told from how they are written."""

    def __init__(self, index: TitleIndex, text: str) -> None:
        self.words = list(_WORD.finditer(text))
        self._index = index
        self._text = text
        capital = sum(word[0][0].isupper() for word in self.words)
        self._capitals_tell = len(self.words) < 4 or capital <= 0.6 * len(self.words)

    def after(self, position: int) -> int:
        """The first word from a position in the text."""
        return bisect_left(self.words, position, key=lambda word: word.start())

    def mention_at(self, first: int) -> Mention | None:
        """The longest title that begins at a word."""
        last = first
        while last - first < LONGEST - 1 and last + 1 < len(self.words) and self._is_joined(last):
            last += 1
        for end in range(last, first - 1, -1):
            start, stop = self.words[first].start(), self.words[end].end()
            title = normalise(self._text[start:stop])
            rows = self._index.named(title)
            year = _YEAR.match(self._text, stop)
            if year is not None and (dated := self._index.of_year(rows, int(year["year"]))):
                return Mention(start, year.end(), dated[0], 1.0)
            if year is not None and year[0].endswith((")", "]")):  # no title of another year is meant
                row = self._dated(first, stop, int(year["year"]))
                if row is not None:
                    return Mention(start, year.end(), row, 0.9)
                continue
            if rows and (score := self._score(first, end, title, rows[0])):
                return Mention(start, stop, rows[0], score)
        return None

    def _dated(self, first: int, stop: int, year: int) -> int | None:
        """The item of that year whose title these words surely are, shortened or spelt otherwise."""
        if not self._is_upper(first):
            return None
        matches = self._index.lookup(f"{self._text[self.words[first].start() : stop]} ({year})")
        return matches[0].row if matches and matches[0].score >= SURE else None

    def _score(self, first: int, end: int, title: str, row: int) -> float:
        """How surely these words are meant as the title; 0 where they may mean anything."""
        if self._is_quoted(first, end):
            return 1.0
        if self._goes_on(end) or self._is_one_of_a_kind(first, end):
            return 0.0
        if self._capitals_tell and self._is_capital(first, end):
            return 0.9
        words, telling = title.split(), carrying(title)
        if not all(word in common_words() or word.isdigit() for word in words):
            return 0.8 if len(telling) > 1 or (row < KNOWN and len(title) > 4) else 0.0
        known = (len(words) > 3 and row < KNOWN) or (len(telling) > 1 and row < WELL_KNOWN)
        return 0.7 if known else 0.0

    def _gap(self, word: int) -> str:
        """What stands between a word and the next."""
        return self._text[self.words[word].end() : self.words[word + 1].start()]

    def _is_joined(self, word: int) -> bool:
        """Whether a title can go on over the next word: not past the end of a sentence, a quote or a bracket."""
        return self._lower(word) in _ABBREVIATIONS or not _END.search(self._gap(word))

    def _is_quoted(self, first: int, end: int) -> bool:
        start, stop = self.words[first].start(), self.words[end].end()
        before, after = self._text[max(start - 1, 0) : start], self._text[stop : stop + 1]
        return before in _QUOTES and after in _QUOTES

    def _goes_on(self, end: int) -> bool:
        """Whether the words only begin another title: "Rocky 4", "Captain America: Civil War"."""
        if end + 1 >= len(self.words):
            return False
        gap, following = self._gap(end), self.words[end + 1][0]
        numbered = gap.isspace() and _SEQUEL.fullmatch(following) is not None
        return numbered or (gap.startswith(":") and following[0].isupper())

    def _is_capital(self, first: int, end: int) -> bool:
        """Capitals on all words that carry meaning, and not for another reason: a new sentence, a name, a shout."""
        span = range(first, end + 1)
        pronoun = all(self._lower(word) in STOPWORDS for word in span)
        carry = [word for word in span if pronoun or self._lower(word) not in STOPWORDS]
        if not all(self.words[word][0][0].isupper() or self.words[word][0][0].isdigit() for word in carry):
            return False
        if len(carry) > 1:
            return any(map(self._is_upper, carry))
        (word,) = carry
        shouted = len(self.words[word][0]) > 1 and self.words[word][0].isupper()
        if not self._is_upper(word) or self._opens(word) or shouted or (pronoun and not self._stands_alone(word)):
            return False
        return not any(self._is_name_with(word, beside) for beside in (first - 1, end + 1))

    def _is_name_with(self, word: int, beside: int) -> bool:
        """Whether a capital word is rather part of a name: "Amy Adams"."""
        if not 0 <= beside < len(self.words) or not self._gap(min(word, beside)).isspace():
            return False
        return self._is_upper(beside) and not self._opens(beside)

    def _is_one_of_a_kind(self, first: int, end: int) -> bool:
        """Whether a single word has an article that makes it a common noun: "an Oscar", "a rocky road"."""
        return first in (end, end - 1) and end > 0 and self.words[end - 1][0] in ("a", "an")

    def _stands_alone(self, word: int) -> bool:
        """Whether no sentence goes on after a word, as it would after a pronoun: "Have you seen It?"."""
        return word + 1 == len(self.words) or not self._gap(word).isspace() or self._lower(word + 1) in _CONJUNCTIONS

    def _lower(self, word: int) -> str:
        return self.words[word][0].lower()

    def _is_upper(self, word: int) -> bool:
        return self.words[word][0][0].isupper() and self.words[word][0] != "I"

    def _opens(self, word: int) -> bool:
        """Whether a word opens a sentence."""
        return word == 0 or _END.search(self._gap(word - 1)) is not None or ":" in self._gap(word - 1)
