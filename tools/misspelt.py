"""Names of people and places that are written otherwise than in the catalog: "denzal washinton", "Robert DeNiro".

Precision before recall: only names of several words are mended, or a long surname that is written like a name, and only
where one name of the catalog is near. They are given as the catalog has them.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from rapidfuzz.distance import OSA

from tools.text import fold

WORDS = 4  # of a name at most
LONG = 6  # letters of a surname that is mended where it stands alone
SURNAME = 0.85  # likeness from which it is
FULL = 0.84  # likeness of whole names, and of each of their words:
EACH = 0.7
SHORT = 4  # letters of a word with no room for a slip: Hurt is not Hart
JOINED = 6  # letters of a name that may be written in other words: "di caprio"
_CUE = re.compile(
    r"\b(?:by|with|starring|featuring|director|actor|actress|von|mit|avec|par|con|di|de|met|van|med|av|z|com|like)$"
)


@dataclass(frozen=True)
class Misspelt:
    """Names by the first letters of their words, and by their letters alone."""

    near: dict[str, tuple[tuple[str, ...], ...]]  # first letters of the words: "dw"
    joined: dict[str, str]  # letters alone, and the name folded

    @classmethod
    def of(cls, names: Iterable[str]) -> Self:
        near: defaultdict[str, list[tuple[str, ...]]] = defaultdict(list)
        joined = dict[str, str]()
        for name in names:
            words = tuple(name.split())
            if len(words) <= WORDS and all(word[0].isalpha() for word in words):
                near["".join(word[0] for word in words)].append(words)
            if len(letters := _letters(name)) >= JOINED:
                joined[letters] = name
        return cls({key: tuple(held) for key, held in near.items()}, joined)

    def found(
        self, text: str, words: Sequence[re.Match[str]], common: frozenset[str], taken: Sequence[tuple[int, int]]
    ) -> Iterator[tuple[int, int, str]]:
        """Where words are a name that is written otherwise, and the name, folded; `taken` is where others are found."""
        folded = [fold(word[0]).removesuffix("'s") for word in words]
        free = [not any(start < word.end() and word.start() < end for start, end in taken) for word in words]
        first = 0
        while first < len(words):
            after = first + 1
            for size in range(WORDS, 0, -1):
                last = first + size
                if (
                    last > len(words)
                    or not all(free[first:last])
                    or re.search(r"[^\s'-]", _gaps(text, words[first:last]))
                ):
                    continue
                name = self._name(tuple(folded[first:last]), common, _is_told(text, words, first))
                if name is not None:
                    end = words[last - 1].start() + len(words[last - 1][0].removesuffix("'s").removesuffix("\u2019s"))
                    yield words[first].start(), end, name
                    after = last
                    break
            first = after

    def _name(self, typed: tuple[str, ...], common: frozenset[str], told: bool) -> str | None:
        if len(typed) == 1:
            (word,) = typed
            if len(word) < LONG or word in common or not told:
                return None
        elif all(word in common for word in typed):
            return None
        elif (name := self.joined.get(_letters(" ".join(typed)))) is not None:
            return name
        key = "".join(word[0] for word in typed if word[0].isalpha())
        likely = sorted(
            ((_alike(typed, name, common), " ".join(name)) for name in self.near.get(key, ())), reverse=True
        )
        if not likely or likely[0][0] < (SURNAME if len(typed) == 1 else FULL):
            return None
        if len(likely) > 1 and likely[1][0] == likely[0][0]:  # two are as near: neither is sure
            return None
        return likely[0][1]


def _alike(typed: Sequence[str], name: Sequence[str], common: frozenset[str]) -> float:
    """How alike the letters of two names are, from 0 to 1; 0 where any word is another one."""
    if len(typed) != len(name):
        return 0.0
    shares, letters = 0.0, 0
    for one, other in zip(typed, name, strict=True):
        if one != other and (min(len(one), len(other)) < SHORT + 1 - (len(typed) > 1 and len(other) > SHORT)):
            return 0.0
        alike = 1.0 if one == other else OSA.normalized_similarity(one, other, score_cutoff=EACH)
        if alike == 0.0 or (one != other and one in common):
            return 0.0
        shares, letters = shares + alike * len(other), letters + len(other)
    return shares / letters


def _is_told(text: str, words: Sequence[re.Match[str]], at: int) -> bool:
    """Whether a word alone is written as a name is, or comes after what one comes after; half of a name is not."""
    word, before = words[at], text[: words[at].start()].rstrip()
    beside = [words[near] for near in (at - 1, at + 1) if 0 <= near < len(words)]
    if word[0][0].isupper() and any(
        one[0][0].isupper() and text[min(word.end(), one.end()) : max(word.start(), one.start())] == " "
        for one in beside
    ):
        return False
    opens = not before or before[-1] in ".!?:"
    return (word[0][0].isupper() and not opens) or bool(_CUE.search(before.lower()))


def _gaps(text: str, words: Sequence[re.Match[str]]) -> str:
    return "".join(text[left.end() : right.start()] for left, right in pairwise(words))


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text)
