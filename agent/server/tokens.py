"""Tokens of a text, estimated: the engines have tokenizers of their own, or none that can be asked.

Counted as most byte-pair vocabularies cut English: a word of up to eight letters is one, a longer one a piece for every
five letters, digits one by one, every other mark one.
"""

import re
from collections.abc import Iterator

_PIECE = re.compile(r"\s*(?:[^\W\d_]{1,8}(?![^\W\d_])|[^\W\d_]{5}|\d|[^\w\s]|_)|\s+")


def pieces(text: str) -> Iterator[str]:
    """The text in pieces of about a token; joined they are the text."""
    for match in _PIECE.finditer(text):
        yield match[0]


def count_tokens(text: str) -> int:
    return sum(1 for _ in pieces(text))
