"""Words of a text, for indexing and for queries alike."""

import re
import unicodedata
from typing import Any

HALF = "half a character (a lone surrogate) is no text"
_SURROGATE = re.compile("[\ud800-\udfff]")
_WORD = re.compile(r"[^\W_]+")
_POSSESSIVE = re.compile(r"'s\b")
# Letters that have no decomposition, and the printer's apostrophe.
_PLAIN = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "\u0131": "i", "\u2019": "'"}
)
STOPWORDS = frozenset(
    _WORD.findall(
        "a an and are as at be by for from has he her his if in into is it its of on or she so that the their them they"
        " this to was were which who will with"
    )
)


def is_text(data: Any) -> bool:
    """Whether every text in parsed JSON is of whole characters: half of one can be neither stored nor sent again."""
    waiting = [data]
    while waiting:
        match waiting.pop():
            case str() as text if _SURROGATE.search(text):
                return False
            case dict() as held:
                waiting += [*held.keys(), *held.values()]
            case list() as held:
                waiting += held
    return True


def fold(text: str) -> str:
    """Lower case without accents: "Amélie" is "amelie", "Ødipus" is "odipus"; apostrophes are straight ones."""
    plain = unicodedata.normalize("NFKD", text).casefold().translate(_PLAIN)
    decomposed = unicodedata.normalize("NFKD", plain)  # again, for what casefold made
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def stem(word: str) -> str:
    """The singular of an English plural (the S-stemmer of Harman 1991); other words as they are."""
    if len(word) < 4 or not word.endswith("s"):
        return word
    if len(word) > 4 and word.endswith("ies") and not word.endswith(("aies", "eies")):
        return word[:-3] + "y"
    if word.endswith("es") and not word.endswith(("aes", "ees", "oes")):
        return word[:-1]
    return word if word.endswith(("us", "ss")) else word[:-1]


def tokenize(text: str) -> list[str]:
    """Folded, stemmed words in order, without English stopwords and possessive endings."""
    words = _WORD.findall(_POSSESSIVE.sub("", fold(text)).replace("'", ""))
    return [stem(word) for word in words if word not in STOPWORDS]
