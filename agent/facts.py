"""The check of a reply: every title, name, number and attribute in it must stand in the evidence.

The rule is closed: a word passes when the evidence of the picks its sentence names holds it, or when it is one of the
neutral words (prompts/neutral_words.txt), which state nothing about an item. Whatever else a model writes is refused,
so a claim nobody foresaw ("Oscar-winning") is refused too.

An item's free text was written by whoever filled the catalog, and may hold instructions to the model. So it is evidence
for its own item alone: a sentence that names no pick draws on values and reasons only. And it is evidence for words
alone: links and code out of it never pass.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

from agent.evidence import Pick
from tools.schema import Column, Manifest

WORD = re.compile(r"[^\W_]+(?:['’.\-][^\W_]+)*")
PRONOUNS = frozenset(
    {"it", "its", "it's", "this", "that", "they", "their", "these", "those", "he", "she", "his", "her"}
)
DECIMAL = re.compile(r"\d+\.\d+")
# A word, a whole number, initials.
PLAIN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|\d+(?:s|st|nd|rd|th)?|(?:[^\W\d_]\.)+[^\W\d_]")
CODE = re.compile(r"[<>{}|\\=@^~`]|://|\]\(|\bwww\.", re.IGNORECASE)  # no sentence about an item has any of these
NAME = 4  # words of a value that may be a name or a keyword; a longer one is free text
HELD = 4096  # texts of the catalog whose stems are kept
QUOTE = "theme: "  # begins the reason that quotes an item's text (tools/dense_search.py)
# The first of "George S. Patton", "E.T.", "with F. Murray Abraham".
INITIALS = re.compile(r"(?:[A-Z][\w'’-]+ [A-Z]|\b[A-Z]\.[A-Z]|\b(?:and|by|from|with) [A-Z])\.$")
SENTENCE_END = re.compile(r"(?<=[.!?])[\"'”’)]*\s+|\n+")


def fold(text: str) -> str:
    """Lower case without accents, one character for each of the composed text, so that places in it stay the same."""
    if text.isascii():
        return text.lower()  # the same, and most texts are
    return "".join(_fold_one(char) for char in compose(text))


def compose(text: str) -> str:
    """Accents as part of their letters, one kind of apostrophe."""
    return unicodedata.normalize("NFC", text).replace("’", "'")


def _fold_one(char: str) -> str:
    decomposed = unicodedata.normalize("NFKD", char.casefold())
    return next((part for part in decomposed if not unicodedata.combining(part)), " ")


def stem(word: str) -> str:
    """A word's singular, roughly: both sides of every comparison go through it."""
    word = word.removesuffix("'s")
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word


def stems(text: str) -> frozenset[str]:
    """Stems of a text's words; a hyphenated word gives its parts too."""
    found = set[str]()
    for word in WORD.findall(fold(text)):
        found.add(stem(word))
        if not DECIMAL.fullmatch(word):
            found.update(stem(part) for part in re.split(r"[-.]", word))
    return frozenset(found)


@lru_cache(HELD)
def _held_stems(text: str) -> frozenset[str]:
    """Of what a catalog holds, which comes up again and again; nothing that a person wrote is kept."""
    return stems(text)


def neutral_words() -> frozenset[str]:
    """Words that state nothing about an item."""
    lines = files("prompts").joinpath("neutral_words.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(stem(fold(word)) for line in lines if not line.startswith("#") for word in line.split())


def attribute_stems(manifest: Manifest, neutral: frozenset[str]) -> frozenset[str]:
    """Stems of the values of enumerated columns, which must hold for every pick of a sentence; of "suitable for
    families" no "for".
    """
    values = [_held_stems(value) for column in manifest.enumerated() for value in column.values or ()]
    return frozenset(word for words in values for word in (words - neutral or words))


class Checked(NamedTuple):
    """A sentence, its words that nothing supports, and the picks it is about: those that it or one before it named."""

    text: str
    unsupported: list[str]
    about: tuple[int, ...]


@dataclass(frozen=True)
class Checker:
    """Checks the sentences of one reply.

    `said` is what the person said and the plan asks for: in a sentence that names no pick its words may be repeated, in
    one that does only those that are no value of an enumerated column ("a comedy" must be true of that item).
    """

    manifest: Manifest
    picks: tuple[Pick, ...]
    documents: tuple[str, ...]
    said: str
    neutral: frozenset[str]

    @cached_property
    def _said(self) -> frozenset[str]:
        return stems(self.said)

    @cached_property
    def _vocabulary(self) -> frozenset[str]:
        return attribute_stems(self.manifest, self.neutral)

    @cached_property
    def _titles(self) -> list[tuple[re.Pattern[str], int]]:
        """Patterns of the picks' titles, longest first, so that a title inside another waits; those with the year come
        before those without, so that of two films of one name the right one is named.
        """
        dated, bare = [], []
        for index, pick in enumerate(self.picks):
            title = rf"(?<!\w){re.escape(fold(pick.item.title))}(?!\w)".replace(r"\ ", r"\s+")
            bare.append((re.compile(title), index))
            if pick.item.year is not None:
                dated.append((re.compile(rf"{title}\s*\(?\b{pick.item.year}\b\)?"), index))
        return [pair for some in (dated, bare) for pair in sorted(some, key=lambda pair: -len(pair[0].pattern))]

    @cached_property
    def _facts(self) -> list[set[str]]:
        """Stems of each pick's values and reasons."""
        return [
            _values(pick, self.manifest) | stems(" ".join(why for why in pick.why if not why.startswith(QUOTE)))
            for pick in self.picks
        ]

    @cached_property
    def _texts(self) -> list[frozenset[str]]:
        """Stems of each pick's free texts."""
        return [
            _plain_stems(document) | _plain_stems(" ".join([*pick.why, *_free_texts(pick, self.manifest)]))
            for pick, document in zip(self.picks, self.documents, strict=True)
        ]

    def named(self, sentence: str) -> tuple[int, ...]:
        """Indices of the picks a sentence names."""
        return self._without_titles(sentence)[1]

    def unsupported(self, sentence: str, before: tuple[int, ...] = ()) -> list[str]:
        """The words of a sentence that nothing supports, as they stand in it.

        `before` are the picks the last sentence was about: "It is ..." and "In it, ..." are about them too.
        """
        text, named = self._without_titles(sentence)
        words = list(WORD.finditer(text))
        if not named and any(fold(word.group()) in PRONOUNS for word in words[:2]):
            named = before
        scope = [self._facts[index] | self._texts[index] for index in named] or self._facts
        held = set.intersection(*scope) if scope else set()
        some = set.union(*scope) if scope else set()
        code = [chunk for chunk in text.split() if CODE.search(chunk)]
        # A hyphenated word stands when all its parts do; a dotted one, a fraction or an address, is one thing.
        return code + [
            match.group()
            for match in words
            if not all(self._stands(part, match, held, some, bool(named)) for part in match.group().split("-"))
        ]

    def _without_titles(self, sentence: str) -> tuple[str, tuple[int, ...]]:
        """The sentence with every pick's title blanked out, and which picks those were."""
        text = compose(sentence)
        folded = fold(text)
        named: dict[int, None] = {}
        for pattern, index in self._titles:
            title = self.picks[index].item.title
            for match in pattern.finditer(folded):
                if " " not in title and title[:1].isupper() and text[match.start()].islower():
                    continue  # "an orphan" does not name the film "Orphan"
                named[index] = None
                blank = " " * (match.end() - match.start())
                folded = folded[: match.start()] + blank + folded[match.end() :]
                text = text[: match.start()] + blank + text[match.end() :]
        return text, tuple(named)

    def _stands(self, part: str, match: re.Match[str], held: set[str], some: set[str], named: bool) -> bool:
        base = stem(fold(part))
        if base in held:
            return True
        if base in self._vocabulary:
            # An attribute must be true of every item the sentence is about, or be the wish itself.
            return not named and base in self._said
        if base in some or base in self._said:
            return True
        if part[0].isdigit():
            return (part.isdecimal() and int(part) <= len(self.picks)) or _decade(base, some)
        opens = not match.string[: match.start()].strip(" \t\n\"'-*•():0123456789.")
        return base in self.neutral and (part.islower() or opens or part == "I")

    def sentences(self, text: str, before: tuple[int, ...] = ()) -> Iterator[Checked]:
        """Each sentence of a text that follows one about the picks `before`."""
        for sentence in split(text, self.picks):
            bad = self.unsupported(sentence, before)
            before = self.named(sentence) or before
            yield Checked(sentence, bad, before)

    def check(self, text: str) -> list[str]:
        """Every unsupported word of a whole reply."""
        return [word for sentence in self.sentences(text) for word in sentence.unsupported]


def _values(pick: Pick, manifest: Manifest) -> set[str]:
    """Stems of an item's values, with their columns' names and units, but its free texts; numbers as a person would
    write them.
    """
    words = set(_held_stems(pick.name))
    for column in manifest.columns:
        parts = _parts(pick, column)
        if parts:
            words |= _held_stems(column.name.replace("_", " ")) | _held_stems(column.note)
        for part in parts:
            words |= set() if _is_free(part, column) else _held_stems(str(part))
            if isinstance(part, float):
                words |= {f"{part:.0f}", f"{part:.1f}", f"{part:g}"}
    return words


def _free_texts(pick: Pick, manifest: Manifest) -> list[str]:
    return [part for column in manifest.columns for part in _parts(pick, column) if _is_free(part, column)]


def _parts(pick: Pick, column: Column) -> list[Any]:
    """An item's values in one column."""
    value = pick.item.values.get(column.name)
    return [part for part in (value if isinstance(value, (list, tuple)) else [value]) if part is not None]


def _is_free(part: Any, column: Column) -> bool:
    return isinstance(part, str) and column.values is None and len(part.split()) > NAME


@lru_cache(HELD)
def _plain_stems(text: str) -> frozenset[str]:
    """Stems of a free text's words and whole numbers: none of a link, of code, or of what mixes letters and digits."""
    words = (word for chunk in text.split() if not CODE.search(chunk) for word in WORD.findall(fold(chunk)))
    return frozenset(stem(part) for word in words for part in [word, *word.split("-")] if PLAIN.fullmatch(part))


def _decade(word: str, evidence: Iterable[str]) -> bool:
    """Whether "1990s" or "90s" (stemmed: "1990", "90") is the decade of a year in the evidence."""
    digits = word.removesuffix("s")
    if not digits.isdigit() or not digits.endswith("0"):
        return False
    return any(len(year) == 4 and year.isdigit() and year[:3].endswith(digits[:-1]) for year in evidence)


def split(text: str, picks: Sequence[Pick] = ()) -> list[str]:
    """Sentences; a mark of a pick's title ("Dr. Strangelove"), or of initials ("George S. Patton"), ends none."""
    sentences, start = [], 0
    for match in SENTENCE_END.finditer(text):
        if not _goes_on(text[: match.start()], text[match.end() :], picks):
            sentences.append(text[start : match.end()])
            start = match.end()
    return [sentence for sentence in [*sentences, text[start:]] if sentence.strip()]


def _goes_on(before: str, after: str, picks: Sequence[Pick]) -> bool:
    """Whether a sentence goes on after a mark: in lower case, after initials, in a title that the mark is part of."""
    if after[:1].islower() or INITIALS.search(before):
        return True
    for pick in picks:
        if after[:1] == "(" and fold(before).endswith(fold(pick.item.title)):  # its year
            return True
        for match in SENTENCE_END.finditer(pick.item.title):
            if fold(before).endswith(fold(pick.item.title[: match.start()])):
                return True
    return False
