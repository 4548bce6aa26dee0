"""Which of several sentences a model goes on with: it is asked word by word, where they part, and never for more."""

import re
from collections.abc import Sequence

from agent.compose import Offer
from agent.grammar import any_of
from agent.llm import Engine, Message, Request, complete

WORD = re.compile(r"\s*(?:\d+|[^\W\d_]+|[^\w\s]+|_+)")
TOKENS = 16  # of one word at most


def choose(engine: Engine, messages: tuple[Message, ...], begun: str, offers: Sequence[Offer]) -> Offer:
    """The offer that the writer goes on with after the text `begun`.

    What all offers that are left share goes without asking, so that a sentence costs a word or two of writing for each
    place at which they part. Of two of which one is the other's beginning the longer one counts.
    """
    lead = " " if begun else ""
    left = [(offer, WORD.findall(lead + offer.text)) for offer in offers]
    place = 0
    while len(left) > 1:
        ways = list(dict.fromkeys(words[place] for _, words in left if len(words) > place))
        if not ways:
            break
        word = _next(engine, messages, begun, ways) if len(ways) > 1 else ways[0]
        left = [(offer, words) for offer, words in left if words[place : place + 1] == [word]]
        begun += word
        place += 1
    return left[0][0]


def _next(engine: Engine, messages: tuple[Message, ...], begun: str, words: Sequence[str]) -> str:
    """The word that the model writes when it may write no other; the first where a server without grammars does."""
    text = complete(engine, Request("writer", messages, TOKENS, f"root ::= {any_of(words)}", begun=begun))
    written = [word for word in words if text.strip().startswith(word.strip())]
    return max(written, key=len, default=words[0])
