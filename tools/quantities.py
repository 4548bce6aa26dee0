"""The numbers of a message: digits and words, lengths of time in minutes, decades, centuries; in several languages."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tools.numerals import either, numbers, said, years

MINUTES = " minutes"
WORDS = numbers()
DECADES = {word: int(year) for word, year in said("decade").items()}
ABROAD_PARTS = said("part")
PARTS = {"early": (0, 3), "mid": (4, 6), "late": (7, 9), "beginning": (0, 3), "start": (0, 3), "middle": (4, 6),
         "end": (7, 9), "first half": (0, 4), "second half": (5, 9)}  # fmt: skip
CENTURIES = {word: int(year) for word, year in said("century").items()}
LENGTHS = {word: float(minutes) for word, minutes in said("minutes").items()}
YEARS_SAID = years()
SHORT_YEAR = 30  # from which '87 is of the last century

SPELLED = either(WORDS)
DIGITS = r"\d{1,3}(?:,\d{3})+(?!\d)|\d+(?:\.\d+)?"
_HOUR = r"hours?|hrs?|hr|stunden?|heures?|horas?|ora|ore|uur|uren|godzin[aye]?|timm(?:e|ar)"
_MINUTE = r"minutes?|mins?|minuten|minutos?|minuti|minut[aeyo]?|minuut|minuter"
_HOURS = rf"\d+(?:[.,]\d+)?|{SPELLED}|an?|eine[r]?|une|una|uma|un'(?=ora)|een|en"
_FIVES = either(word for word, value in WORDS.items() if value in range(5, 60, 5))  # "an hour fifty"
_HALF = " and a half| et demie?| y media| e mezz[ao]| e meia| i pol| och en halv"
_QUARTER = " and a quarter| et quart| y cuarto| e un quarto| e um quarto"
_TIME = re.compile(
    rf"\b(?:(?P<whole>{either(LENGTHS)})(?!\w)"
    r"|(?P<compact>\d\d?) ?h(?: ?(?P<rest>\d\d))?(?: ?m(?:in)?)?\b"
    rf"|(?:(?P<count>{_HOURS})(?P<before> and a half)?(?:[ -]|(?<=[\d'])) ?(?:{_HOUR})"
    rf"|(?P<alone>hour|hora|ora|heure)(?= and| et | y | e | \d|-| (?:{_FIVES})\b))\b"
    rf"(?:(?P<after>{_HALF})\b|(?P<quarters> and three quarters)\b|(?P<quarter>{_QUARTER})\b"
    rf"|,? (?:and |und |et |y |e |en )?(?P<minutes>\d\d?|{_FIVES})(?![\w%'.])(?! ?[$€£])(?: ?(?:{_MINUTE}|m)\b)?)?"
    rf"|(?P<short>{DIGITS}|{SPELLED})[ -]?(?:{_MINUTE})\b|(?P<prime>\d{{2,3}})'(?![\w'])"
    rf")"
)
_GLUE = r"(?:(?:de|der|des|den|dei|degli|do|dos|los|las|av|van|van de|lat|les|del|della|di) )"
_ABROAD = r"annees|anni|anos|jaren|lat|lata|decada de los|decada de|decada dos|los"
_DECADE = re.compile(
    rf"\b(?:(?P<part>{either(PARTS)})(?: part)?(?: of)?[ -](?:the )?"
    rf"|(?P<teil>{either(ABROAD_PARTS)}) (?:{_GLUE}+|(?={_ABROAD})))?"
    r"(?:the )?(?:(?P<long>(?:1[89]|20)\d0)(?:'?s\b|er(?:n|jahren?)?\b|-talet\b|-tal\b)"
    r"|'?(?P<short>\d0)(?:'?s\b|er(?:n|jahren?)?\b|-talet\b|-tal\b|-ta\b|-tych\b)"
    rf"|(?:nineteen[- ])?(?P<word>{either(DECADES)})(?: jahren?\b| jaren\b)?"
    rf"|(?:{_ABROAD}) '?(?P<abroad>(?:(?:1[89]|20)\d|\d)0)(?:-tych|s)?)(?!\w)"
)
_CENTURY = re.compile(
    rf"\b(?:(?:the )?(?P<nth>1[89]|2[01])(?:th|st)[ -]century|(?P<word>{either(CENTURIES)}) (?:century"
    rf"|jahrhunderts?|siecle)"
    r"|(?P<hundred>18)00s"
    r"|(?:(?P<dot>1[89]|2[01])\. jahrhunderts?|(?P<eme>1[89]|2[01])e(?:me)? (?:siecle|eeuw)))\b"
)
# A year in words, and one without its century; the apostrophe opens no quote.
_YEAR = re.compile(
    rf"\b(?P<words>{either(YEARS_SAID)})\b(?! (?:votes|ratings|minutes|euros?|dollars))"
    rf"|(?<![\w'])'(?P<two>\d\d)(?![\w'.])"
)
# Not the 13 of "PG-13", and not a part of a word, a decimal or an ordinal.
_NUMBER = re.compile(
    rf"(?<![\w.,'])(?:(?<![a-z]-)|(?<=pre-)|(?<=post-))(?:[$€£] ?)?(?P<number>{DIGITS}|{SPELLED})"
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
    """Those of a levelled text, in their order; where two readings share words, the one that takes more."""
    found = [
        *map(_time, _TIME.finditer(text)),
        *map(_century, _CENTURY.finditer(text)),
        *map(_decade, _DECADE.finditer(text)),
        *map(_year, _YEAR.finditer(text)),
    ]
    taken = [(one.start, one.end) for one in found]
    for match in _NUMBER.finditer(text):
        whole = match["number"] not in WORDS or not text[match.end() : match.end() + 1].isalnum()
        if whole and not any(start < match.end() and match.start() < end for start, end in taken):
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
    if match["whole"]:
        minutes = LENGTHS[match["whole"]]
    elif match["compact"]:
        minutes = 60.0 * int(match["compact"]) + int(match["rest"] or 0)
    elif match["short"] or match["prime"]:
        minutes = number(match["short"] or match["prime"])
    else:
        minutes = 60.0 * (_hours(match["count"]) if match["count"] else 1.0)
        minutes += 30.0 * bool(match["before"] or match["after"]) + 45.0 * bool(match["quarters"])
        minutes += 15.0 * bool(match["quarter"])
        minutes += number(match["minutes"]) if match["minutes"] else 0.0
    return Quantity(match.start(), match.end(), minutes, minutes, MINUTES)


def _hours(text: str) -> float:
    return float(text.replace(",", ".")) if text[0].isdigit() else float(WORDS.get(text, 1))


def _decade(match: re.Match[str]) -> Quantity:
    short = match["short"] or match["abroad"]
    if match["word"]:
        start = DECADES[match["word"]]
    elif match["long"] or len(short) > 2:
        start = int(match["long"] or short)
    else:
        start = int(short) + (1900 if int(short) >= 20 else 2000)
    part = match["part"] or ABROAD_PARTS.get(match["teil"] or "", "")
    low, high = PARTS.get(part, (0, 9))
    return Quantity(match.start(), match.end(), start + low, start + high)


def _century(match: re.Match[str]) -> Quantity:
    if match["word"]:
        start = CENTURIES[match["word"]]
    elif match["hundred"]:
        start = 100 * int(match["hundred"])
    else:
        start = 100 * (int(match["nth"] or match["dot"] or match["eme"]) - 1)
    return Quantity(match.start(), match.end(), start, start + 99)


def _year(match: re.Match[str]) -> Quantity:
    short = int(match["two"] or 0)
    year = YEARS_SAID[match["words"]] if match["words"] else short + (1900 if short >= SHORT_YEAR else 2000)
    return Quantity(match.start(), match.end(), year, year)
