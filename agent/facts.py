"""The check of a reply: every title, name, number and attribute in it must stand in the evidence.

The rule is closed: a word passes when the evidence of the picks its sentence names holds it, or when it is one of the
neutral words (prompts/neutral_words.txt), which state nothing about an item. Whatever else a model writes is refused, so
a claim nobody foresaw ("Oscar-winning") is refused too.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files

from agent.evidence import Pick
from tools.schema import Manifest

WORD = re.compile(r"[^\W_]+(?:['’.\-][^\W_]+)*")
SENTENCE_END = re.compile(r"(?<=[.!?])[\"'”’)]*\s+|\n+")


def fold(text: str) -> str:
    """Lower case without accents."""
    decomposed = unicodedata.normalize("NFKD", text.replace("’", "'"))
    return "".join(char for char in decomposed if not unicodedata.combining(char)).casefold()


def stem(word: str) -> str:
    """A word's singular, roughly: both sides of every comparison go through it."""
    word = word.removesuffix("'s")
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word


def stems(text: str) -> set[str]:
    """Stems of a text's words; a hyphenated word gives its parts too."""
    found = set()
    for word in WORD.findall(fold(text)):
        found.add(stem(word))
        found.update(stem(part) for part in re.split(r"[-.]", word))
    return found


def neutral_words() -> frozenset[str]:
    """Words that state nothing about an item."""
    lines = files("prompts").joinpath("neutral_words.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(stem(fold(word)) for line in lines if not line.startswith("#") for word in line.split())


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
    def _vocabulary(self) -> set[str]:
        return {word for column in self.manifest.enumerated() for value in column.values or () for word in stems(value)}

    @cached_property
    def _titles(self) -> list[tuple[re.Pattern[str], int]]:
        """Patterns of the picks' titles with or without year, longest first, so that a title inside another waits."""
        found = []
        for index, pick in enumerate(self.picks):
            title = re.escape(fold(pick.item.title)).replace(r"\ ", r"\s+")
            year = "" if pick.item.year is None else rf"(?:\s*\(?\b{pick.item.year}\b\)?)?"
            found.append((re.compile(rf"(?<!\w){title}(?!\w){year}"), index))
        return sorted(found, key=lambda pair: -len(pair[0].pattern))

    @cached_property
    def _evidence(self) -> list[set[str]]:
        return [
            stems(document) | stems(" ".join(pick.why)) | _values(pick)
            for pick, document in zip(self.picks, self.documents, strict=True)
        ]

    def unsupported(self, sentence: str) -> list[str]:
        """The words of a sentence that nothing supports, as they stand in it."""
        text = sentence.replace("’", "'")
        folded = fold(text)
        if len(folded) != len(text):  # folding changed lengths (ligatures): compare on the folded text alone
            text = folded
        named: list[int] = []
        for pattern, index in self._titles:
            for match in pattern.finditer(folded):
                named.append(index)
                blank = " " * (match.end() - match.start())
                folded = folded[: match.start()] + blank + folded[match.end() :]
                text = text[: match.start()] + blank + text[match.end() :]
        scope = [self._evidence[index] for index in named] or self._evidence
        held = set.intersection(*scope) if scope else set()
        some = set.union(*scope) if scope else set()
        said = stems(self.said)
        bad = []
        for match in WORD.finditer(text):
            word = match.group()
            # Hyphenated and dotted words stand when all their parts do.
            if not all(self._stands(part, held, some, said, bool(named), match) for part in re.split(r"[-.]", word)):
                bad.append(word)
        return bad

    def _stands(
        self, part: str, held: set[str], some: set[str], said: set[str], named: bool, match: re.Match[str]
    ) -> bool:
        base = stem(fold(part))
        if base in held:
            return True
        if base in self._vocabulary and part.islower() or base in self._vocabulary:
            # An attribute must be true of every item the sentence is about, or be the wish itself.
            return not named and base in said
        if base in some or base in said:
            return True
        if part[0].isdigit():
            return part.isdigit() and int(part) <= len(self.picks) or _decade(base, some)
        starts = not match.string[: match.start()].strip(" \t\"'“”‘’-–—*•():0123456789.")
        return base in self.neutral and (part.islower() or starts or part == "I" or part.startswith("I'"))

    def check(self, text: str) -> list[str]:
        """Every unsupported word of a whole reply."""
        return [word for sentence in split(text, self.picks) for word in self.unsupported(sentence)]


def _values(pick: Pick) -> set[str]:
    """Stems of all values of an item, numbers as a person would write them."""
    words: set[str] = stems(pick.name)
    for value in pick.item.values.values():
        for part in value if isinstance(value, (list, tuple)) else [value]:
            if part is None:
                continue
            words |= stems(str(part))
            if isinstance(part, float):
                words |= {f"{part:.0f}", *f"{part:.1f}".split("."), f"{part:.1f}"}
    return words


def _decade(word: str, evidence: Iterable[str]) -> bool:
    """Whether "1990s" or "90s" (stemmed: "1990", "90") is the decade of a year in the evidence."""
    digits = word.removesuffix("s")
    if not digits.isdigit() or not digits.endswith("0"):
        return False
    return any(len(year) == 4 and year.isdigit() and year[:3].endswith(digits[:-1]) for year in evidence)


def split(text: str, picks: Sequence[Pick] = ()) -> list[str]:
    """Sentences; a mark inside a pick's title ("Dr. Strangelove") ends none."""
    sentences, start = [], 0
    for match in SENTENCE_END.finditer(text):
        if not _inside_title(text[: match.start()], picks):
            sentences.append(text[start : match.end()])
            start = match.end()
    return [sentence for sentence in [*sentences, text[start:]] if sentence.strip()]


def _inside_title(before: str, picks: Sequence[Pick]) -> bool:
    """Whether a text ends in the first words of a title that goes on after a sentence mark."""
    for pick in picks:
        for match in SENTENCE_END.finditer(pick.item.title):
            if fold(before).endswith(fold(pick.item.title[: match.start()])):
                return True
    return False
