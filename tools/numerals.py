"""The number words of data/numbers.txt, and texts levelled so that accents make no difference to a pattern."""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

ONES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
        "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")  # fmt: skip
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_PLAIN = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "\u2019": "'", "\u2018": "'", "\u2011": "-"})


def level(text: str) -> str:
    """The text in lower case and without accents, every character in its place: "Años" is "anos"."""
    low = text.lower()
    if len(low) != len(text):  # a letter whose lower case is two would shift every place
        low = text
    if low.isascii():
        return low
    return "".join(char if char.isascii() else unicodedata.normalize("NFKD", char)[:1] for char in low).translate(
        _PLAIN
    )


def either(words: Iterable[str]) -> str:
    """A pattern of alternatives, the longest first."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


@cache
def said(kind: str) -> dict[str, str]:
    """The words of a kind, each with what it says: {"zwei": "2", ...} for "number"."""
    found = dict[str, str]()
    for line in files("tools").joinpath("data/numbers.txt").read_text(encoding="utf-8").splitlines():
        head, _, words = line.partition(": ")
        if not line.startswith("#") and head.split(" ")[0] == kind:
            found.update(dict.fromkeys(words.split(", "), head.split(" ")[1]))
    return found


@cache
def numbers() -> dict[str, int]:
    """Number words below a thousand and their numbers: what is listed, and what English makes of tens and ones."""
    made = {word: number for number, word in enumerate(ONES, start=1)}
    for tens, ten in enumerate(TENS, start=2):
        made[ten] = 10 * tens
        made |= {f"{ten}{glue}{one}": 10 * tens + ones for ones, one in enumerate(ONES[:9], start=1) for glue in "- "}
    return made | {word: int(number) for word, number in said("number").items()}


@cache
def years() -> dict[str, int]:
    """Years as English says them: "nineteen sixty", "nineteen oh five", "two thousand and one", "twenty ten"."""
    tens = {
        word: value for word, value in numbers().items() if value < 100 and word.split("-")[0].split(" ")[0] in TENS
    }
    teens = {word: value for value, word in enumerate(ONES, start=1) if value > 9}
    small = {word: value for value, word in enumerate(ONES[:9], start=1)}
    made = dict[str, int]()
    for century, start in (("eighteen", 1800), ("nineteen", 1900), ("twenty", 2000)):
        made |= {f"{century}{glue}{word}": start + value for word, value in (tens | teens).items() for glue in " -"
                 if start < 2000 or value < 30}  # fmt: skip
        made |= {f"{century} {oh} {word}": start + value for word, value in small.items() for oh in ("oh", "o")}
    made |= {"eighteen hundred": 1800, "nineteen hundred": 1900, "two thousand": 2000}
    made |= {f"two thousand{glue}{word}": 2000 + value for word, value in (small | teens).items()
             for glue in (" ", " and ")}  # fmt: skip
    return made
