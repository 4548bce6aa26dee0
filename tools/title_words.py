"""Words that a title is to hold: 'films with "night" in the title', "the word night in the title"."""

import re
from collections.abc import Iterator

TITLE = re.compile(r"\b(?:titles?|titled|names?|named|called|titel|titeln|titre|t[ií]tulo|titolo)\b", re.IGNORECASE)
QUOTED = re.compile(r"(?<!\w)[\"'\u201c\u2018]([^\"'\u201c\u201d\u2018\u2019]{2,30})[\"'\u201d\u2019](?!\w)")
_ONE = r"([^\W_][\w'\u2019-]*)"
TITLE_WORDS = (
    re.compile(
        rf"\b(?:the )?(?:words?|term) {_ONE}(?: \w+)? (?:in|of|as part of|is in|appears in) (?:the|its|their"
        rf"|a) (?:title|name)s?\b",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b(?:with|has|have|having|containing|contains?) (?!the |a |an )(?:the word )?{_ONE} (?:in"
        rf"|as part of) (?:the|its|their) (?:title|name)s?\b",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\btitles? (?:that |which )?(?:contain(?:s|ing)?|includ(?:es?|ing)|ha(?:s|ve)|having|with|says?"
        rf"|mentions?|mentioning) (?:the )?words? {_ONE}",
        re.IGNORECASE,
    ),
    re.compile(rf"\bwith {_ONE} in (?:the|its|their) titles?\b", re.IGNORECASE),
    re.compile(
        rf"\b(?:Wort|mot|palabra|parola|palavra|woord|ordet) {_ONE} (?:im Titel|dans le titre|en el t[ií]tulo"
        rf"|nel titolo|no t[ií]tulo|in de titel|i titeln)",
        re.IGNORECASE,
    ),
)


def title_words(text: str) -> Iterator[tuple[int, int, str]]:
    """Where they stand, and the words; those in quotes count where titles are spoken of."""
    if TITLE.search(text):
        for pattern in TITLE_WORDS:
            for match in pattern.finditer(text):
                if not re.search("[\"'\u201c\u2018]", match[0]):
                    yield match.start(1), match.end(1), match[1]
        for match in QUOTED.finditer(text):
            yield match.start(1), match.end(1), match[1]
