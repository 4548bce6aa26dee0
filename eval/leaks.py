"""Titles in text: that no simulated user knew a hidden one, and that no reply names one the catalog does not have."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tools.catalog import Catalog
from tools.mentions import common_words
from tools.text import STOPWORDS, fold
from tools.titles import normalise

_WORD = re.compile(r"\w+")
_DATED = re.compile(r"(?P<title>[\"“]?[A-Z0-9][^\n;()]*?)[\"”]?,? \((?P<year>(?:18|19|20)\d\d)\)")
_QUOTED = re.compile(r"[\"“](?P<title>[A-Z0-9][^\"“”\n]{1,80})[\"”]")


class Titles:
    """Looks for some items' titles in text, as whole words whatever their case.

    A title of everyday words alone ("It", "Her", "Speed") counts only in capitals that no new sentence explains, in
    quotes, or before its year.
    """

    def __init__(self, titles: Mapping[str, str]) -> None:
        self._patterns = {item_id: _pattern(title) for item_id, title in titles.items() if _WORD.search(title)}

    def named(self, text: str) -> set[str]:
        """Ids of the items whose titles stand in the text."""
        folded = fold(text)
        return {
            item_id
            for item_id, (plain, strict) in self._patterns.items()
            if (plain.search(folded) if strict is None else strict.search(text))
        }


def _pattern(title: str) -> tuple[re.Pattern[str], re.Pattern[str] | None]:
    """The pattern for folded text, and for everyday words the stricter one for the text as it stands."""
    words = _WORD.findall(fold(title))
    plain = re.compile(r"\b" + r"\W+".join(map(re.escape, words)) + r"\b")
    everyday = common_words() | STOPWORDS
    if not all(word in everyday or word.isdigit() for word in words):
        return plain, None
    exact = r"\W+".join(re.escape(word) for word in _WORD.findall(title))
    inside = rf"(?<=[a-z0-9,] ){exact}\b" if any(word[0].isupper() for word in _WORD.findall(title)) else r"(?!)"
    return plain, re.compile(rf"{inside}|[\"“]{exact}[\"”]|\b{exact} \(\d{{4}}\)|take {exact}\b")


@dataclass(frozen=True)
class Leak:
    """A hidden title that the user knew: in which dialogue, at which turn (from 1), where it stood."""

    dialogue: str
    turn: int
    where: str
    item_id: str

    def json(self) -> dict[str, Any]:
        return {"dialogue": self.dialogue, "turn": self.turn, "where": self.where, "item_id": self.item_id}


def leaks(record: Mapping[str, Any], titles: Titles) -> Iterator[Leak]:
    """Hidden titles that stood in what the user was given, read or said before the recommender named them.

    `record` is a dialogue of transcripts.jsonl, `titles` those of the person's hidden items. What the recommender shows
    or writes in a turn is known from the next turn on.
    """
    given = " \n".join([record["persona"], *record["tastes"]])
    for item_id in sorted(titles.named(given)):
        yield Leak(record["id"], 1, "given", item_id)
    known: set[str] = set()
    shown: list[str] = []  # titles, longest first: one that begins with a hidden title does not name that
    for number, turn in enumerate(record["turns"], start=1):
        for where in ("read", "said"):
            text = turn[where]
            for title in shown:
                text = text.replace(title, " ")
            for item_id in sorted(titles.named(text) - known):
                yield Leak(record["id"], number, where, item_id)
        known |= {item["item_id"] for item in turn["items"]}
        shown = sorted({*shown, *(item["title"] for item in turn["items"])}, key=len, reverse=True)
        known |= titles.named("\n".join([turn["reply"], *(item["line"] for item in turn["items"])]))


@dataclass(frozen=True)
class Outside:
    """Finds titles that the catalog does not have."""

    catalog: Catalog

    def named(self, reply: str, given: str = "") -> list[str]:
        """What stands in the reply as a title does, before a year in brackets or in quotes, and is no item's.

        What was `given`, by the person or in the texts of the items shown, may be repeated.
        """
        found = [match["title"].strip(' "“”-*') for match in (*_DATED.finditer(reply), *_QUOTED.finditer(reply))]
        return [title for title in dict.fromkeys(found) if not self._has(title) and fold(title) not in fold(given)]

    def _has(self, title: str) -> bool:
        """Whether the text is a title, or ends in one after words of the sentence: "I would take Heat" is Heat."""
        words = title.split()
        for start in range(len(words)):
            if any(word[0].isupper() for word in words[1:start]):
                return False
            if normalise(" ".join(words[start:])) in self._known:
                return True
        return False

    @cached_property
    def _known(self) -> set[str]:
        return {normalise(str(title)) for title in self.catalog.titles}
