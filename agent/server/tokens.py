"""Tokens of a text, as `usage` counts them and `max_tokens` cuts them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

from agent.llm import Engine, Message, Request

_PIECE = re.compile(r"\s*(?:[^\W\d_]{1,8}(?![^\W\d_])|[^\W\d_]{5}|\d|[^\w\s]|_)|\s+")


@runtime_checkable
class Tokenizing(Protocol):
    """An engine in process, which can be asked for a prompt as its model reads it."""

    def tokens(self, request: Request) -> list[int]: ...


@dataclass
class Counter:
    """Counts as the engine's own tokenizer does where the engine runs in process, else by an estimate."""

    engine: Engine

    def count(self, text: str) -> int:
        if isinstance(self.engine, Tokenizing):
            return max(0, len(self.engine.tokens(_alone(text))) - self._template)
        return sum(1 for _ in pieces(text))

    @cached_property
    def _template(self) -> int:
        """Tokens of the chat template around a message."""
        assert isinstance(self.engine, Tokenizing)
        return len(self.engine.tokens(_alone("")))


def _alone(text: str) -> Request:
    return Request("planner", (Message("user", text),), 0)


def pieces(text: str) -> Iterator[str]:
    """The text in pieces of about a token; joined they are the text.

    Estimated as most byte-pair vocabularies cut English: a word of up to eight letters is one, a longer one a piece for
    every five letters, digits one by one, every other mark one.
    """
    for match in _PIECE.finditer(text):
        yield match[0]
