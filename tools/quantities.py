"""The numbers of a message: digits and words, lengths of time in minutes, decades, centuries; in several languages."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

MINUTES = " minutes"
ONES = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
        "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]  # fmt: skip
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
WORDS = {
    **{word: number for number, word in enumerate(ONES, start=1)},
    **{word: 10 * number for number, word in enumerate(TENS, start=2)},
    **{f"{ten}{glue}{one}": 10 * tens + ones for tens, ten in enumerate(TENS, start=2)
       for ones, one in enumerate(ONES[:9], start=1) for glue in "- "},
    "a dozen": 12, "a hundred": 100, "a hundred and fifty": 150, "one hundred": 100, "two hundred": 200,
    "three hundred": 300, "five hundred": 500, "a thousand": 1000, "one thousand": 1000, "a grand": 1000,
}  # fmt: skip
ABROAD = {"zwei": 2, "deux": 2, "dos": 2, "due": 2, "twee": 2, "dwie": 2, "drei": 3, "trois": 3, "tres": 3, "tre": 3}
PART_HOURS = {"half an": 30.0, "a quarter of an": 15.0, "three quarters of an": 45.0}
DECADES = {"twenties": 1920, "thirties": 1930, "forties": 1940, "fifties": 1950, "sixties": 1960, "seventies": 1970,
           "eighties": 1980, "nineties": 1990, "noughties": 2000}  # fmt: skip
PARTS = {"early": (0, 3), "mid": (4, 6), "late": (7, 9)}
CENTURIES = {"nineteenth": 1800, "twentieth": 1900, "last": 1900, "twenty-first": 2000, "this": 2000}


def either(words: Iterator[str] | list[str]) -> str:
    """A pattern of alternatives, the longest first."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


SPELLED = either(list(WORDS))
_DIGITS = r"\d{1,3}(?:,\d{3})+(?!\d)|\d+(?:\.\d+)?"
_HOUR = r"hours?|hrs?|stunden?|heures?|horas?|ora|ore|uur|uren|godzin[ay]?|timm(?:e|ar)"
_MINUTE = r"minutes?|mins?|minuten|minutos|minuti|minut[ay]?"
_HOURS = rf"\d+(?:[.,]\d+)?|{SPELLED}|{either(list(ABROAD))}|an?|eine[r]?|une|una|een"
_FIVES = either([word for word, value in WORDS.items() if value in range(5, 60, 5)])  # "an hour fifty"
_HALF = " and a half| et demie| y media| e mezza| e meia"
_TIME = re.compile(
    rf"\b(?:(?P<compact>\d\d?) ?h(?: ?(?P<rest>\d\d))?(?: ?m(?:in)?)?\b"
    rf"|(?P<part>{either(list(PART_HOURS))}) hour\b"
    rf"|(?:(?P<count>{_HOURS})(?P<before> and a half)?[ -]?(?:{_HOUR})|(?P<alone>hour)(?= and| \d|-| (?:{_FIVES})))\b"
    rf"(?:(?P<after>{_HALF})|(?P<quarters> and three quarters)"
    rf"|,? (?:and )?(?P<minutes>\d\d?|{_FIVES})(?: ?(?:{_MINUTE}|m))?(?![\w%]))?"
    rf"|(?P<short>{_DIGITS}|{SPELLED})[ -]?(?:{_MINUTE})\b)"
)
_DECADE = re.compile(
    r"\b(?:(?P<part>early|mid|late)[ -])?(?:the )?(?:(?P<long>(?:1[89]|20)\d0)'?s|'?(?P<short>\d0)'?(?:s|er)"
    rf"|(?P<word>{either(list(DECADES))})|(?:années|anni|años|anos|jaren) '?(?P<abroad>\d0))\b"
)
_CENTURY = re.compile(
    rf"\b(?:(?P<nth>1[89]|2[01])(?:th|st) century|(?P<word>{either(list(CENTURIES))}) century|1800s)\b"
)
# Not the 13 of "PG-13", and not a part of a word, a decimal or an ordinal.
_NUMBER = re.compile(
    rf"(?<![\w.,'])(?:(?<![a-z]-)|(?<=pre-)|(?<=post-))(?:[$€£] ?)?(?P<number>{_DIGITS}|{SPELLED})"
    r"(?P<half> and a half)?(?P<thousand>k(?!\w)| thousand| grand)?(?!\d|'?s\b|(?:th|st|nd|rd)\b)"
)


@dataclass(frozen=True)
class Quantity:
    """`text[start:end]` is a number, or goes from `low` to `high`; `unit` is MINUTES or empty."""

    start: int
    end: int
    low: float
    high: float
    unit: str = ""


def quantities(text: str) -> Iterator[Quantity]:
    """Those of a text in lower case, in their order; where two readings share words, the one that takes more."""
    found = [
        *map(_time, _TIME.finditer(text)),
        *map(_century, _CENTURY.finditer(text)),
        *map(_decade, _DECADE.finditer(text)),
    ]
    taken = [(one.start, one.end) for one in found]
    for match in _NUMBER.finditer(text):
        if not any(start < match.end() and match.start() < end for start, end in taken):
            value = (number(match["number"]) + 0.5 * bool(match["half"])) * (1000 if match["thousand"] else 1)
            found.append(Quantity(match.start(), match.end(), value, value))
    end = 0
    for one in sorted(found, key=lambda one: (one.start, -one.end)):
        if one.start >= end:
            yield one
            end = one.end


def number(text: str) -> float:
    """Of digits ("20,000") or a word."""
    return float(WORDS[text]) if text in WORDS else float(text.replace(",", ""))


def plain(value: float) -> str:
    """A number as people write it: 90, 3.5, 1200000."""
    return str(int(value)) if value == int(value) or abs(value) >= 1e6 else f"{value:g}"


def _time(match: re.Match[str]) -> Quantity:
    if match["compact"]:
        minutes = 60.0 * int(match["compact"]) + int(match["rest"] or 0)
    elif match["part"]:
        minutes = PART_HOURS[match["part"]]
    elif match["short"]:
        minutes = number(match["short"])
    else:
        minutes = 60.0 * (_hours(match["count"]) if match["count"] else 1.0)
        minutes += 30.0 * bool(match["before"] or match["after"]) + 45.0 * bool(match["quarters"])
        minutes += number(match["minutes"]) if match["minutes"] else 0.0
    return Quantity(match.start(), match.end(), minutes, minutes, MINUTES)


def _hours(text: str) -> float:
    if text[0].isdigit():
        return float(text.replace(",", "."))
    return float(ABROAD.get(text) or WORDS.get(text, 1))


def _decade(match: re.Match[str]) -> Quantity:
    short = match["short"] or match["abroad"]
    if match["word"]:
        start = DECADES[match["word"]]
    elif match["long"]:
        start = int(match["long"])
    else:
        start = int(short) + (1900 if int(short) >= 20 else 2000)
    low, high = PARTS.get(match["part"] or "", (0, 9))
    return Quantity(match.start(), match.end(), start + low, start + high)


def _century(match: re.Match[str]) -> Quantity:
    start = CENTURIES[match["word"]] if match["word"] else 100 * (int(match["nth"] or 19) - 1)
    return Quantity(match.start(), match.end(), start, start + 99)
