"""The clauses of a message, and phrases that say what becomes of the wishes of before (agent/data/words)."""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from tools.text import fold

# An "and" parts no clause: "take out both the year and the actor".
_BREAK = re.compile(r"[.;!?,:\u2026]+|\b(?:but|though|aber|mais|pero|(?<!nie )ma|maar|mas|men|ale)\b", re.IGNORECASE)
_SHORT = re.compile(r"\b(do|does|did|is|are|was|were|need|have|has|must|should|would|could|wo|ca)n'?t\b")
_WORDS = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


@dataclass(frozen=True)
class Clause:
    """`text[start:end]` of a message, and the same folded, with "n't" written as " not"."""

    start: int
    end: int
    said: str

    def holds(self, start: int, end: int) -> bool:
        return self.start <= start and end <= self.end

    def words(self) -> list[str]:
        return _WORDS.findall(self.said)


def clauses(message: str) -> list[Clause]:
    """The clauses of a message, in order; none is empty."""
    ends = [(match.start(), match.end()) for match in _BREAK.finditer(message)] + [(len(message), len(message))]
    found, start = [], 0
    for end, following in ends:
        if message[start:end].strip():
            found.append(Clause(start, end, plainly(message[start:end])))
        start = following
    return found


def plainly(text: str) -> str:
    """Folded, contractions written out: "doesn't" and "doesnt" are "does not"."""
    return " ".join(_SHORT.sub(r"\1 not", fold(text)).split())


@cache
def phrases(name: str) -> re.Pattern[str]:
    """Any of the phrases of the file of this name, whole words of a folded text."""
    lines = _lines(name)
    every = {phrase for line in lines for phrase in line.split(", ")}
    made = (_pattern(phrase) for phrase in sorted(every, key=len, reverse=True))
    return re.compile(rf"(?<!\w)(?:{'|'.join(made)})(?!\w)")


@cache
def called() -> tuple[tuple[frozenset[str], tuple[str, ...]], ...]:
    """Columns, or tools, with what people call what is in them."""
    pairs = [line.split(": ") for line in _lines("columns")]
    return tuple((frozenset(names.split(", ")), tuple(words.split(", "))) for names, words in pairs)


def _lines(name: str) -> list[str]:
    text = files("agent").joinpath(f"data/words/{name}.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def _pattern(phrase: str) -> str:
    words = re.escape(phrase.removesuffix(" <end>"))
    gaps = words.replace(r"\ \.\.\.\ ", r"(?:\ \S+){0,4}?\ ")
    return gaps + (r"(?=\W*$)" if phrase.endswith(" <end>") else "")
