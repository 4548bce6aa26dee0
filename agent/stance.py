"""What was said of each title in a conversation: liked, disliked, seen, or only mentioned.

A person's feeling is read from the words of the sentence around a title, in English. What they say without a title
("loved it", "haven't seen those") is of the titles that the other side named last.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from tools.catalog import Catalog
from tools.mentions import Mention, find_mentions

Role = Literal["user", "assistant"]
Feeling = Literal["liked", "disliked", "seen", "mentioned"]

_SENTENCE = re.compile(r"[.!?…](?:\s+|$)|\n|\bbut\b")
_UNSEEN = re.compile(
    r"\b(?:ha(?:ve|s)n['’]?t|have not|has not|never|not|have (?:you|u)|did (?:you|u)|do (?:you|u))\b[^.!?]{0,24}"
    r"\b(?:see|seen|saw|watch\w*|heard?|read|know|tried)\b|\bwant(?:ed)? to (?:see|watch|read|try)\b"
)
_DISLIKED = re.compile(
    r"\b(?:hated?|hates|dislike[ds]?|can['’]?t stand|could\s?n['’]?t (?:stand|finish|get into)|boring|bored|awful|"
    r"terrible|horrible|worst|overrated|stupid|dumb|disappoint\w+|did\s?n['’]?t (?:\w+ )?(?:like|enjoy|care|love)|"
    r"do(?:es)?\s?n['’]?t (?:\w+ )?(?:like|enjoy|care|love)|did not (?:\w+ )?(?:like|enjoy|care)|"
    r"do not (?:\w+ )?(?:like|enjoy|care)|not (?:\w+ )?(?:into|good|great|my (?:thing|type|style|taste)|"
    r"(?:a )?(?:big |huge |much of a )?fan)|other than|tired of|sick of|instead of|nothing like)\b"
)
_FOND = re.compile(
    r"\b(?:lov\w+|lik(?:e|es|ed|ing)|enjoy\w*|favou?rites?|fave?s?|great|good|awesome|amazing|fantastic|excellent|"
    r"best|fans?|funny|hilarious|perfect|wonderful|brilliant|classics?|similar to|such as|along the lines of)\b"
)
_SEEN = re.compile(r"\b(?:saw|seen|watched|watching|read|finished)\b")
_LISTED = re.compile(r"[\s,/&\"'\u201c\u201d]*(?:\b(?:and|or|nor)\b)?[\s\"'\u201c\u201d]*")  # between titles of a list
_BACK = re.compile(r"\b(?:it|that|this|those|them|these|one|both|all|two)\b")


@dataclass(frozen=True)
class Stance:
    """What is known of one item: who named it first, in which message (from 0), and the feeling said last."""

    row: int
    by: Role
    message: int
    feeling: Feeling


def stances(catalog: Catalog, messages: Sequence[tuple[Role, str]]) -> list[Stance]:
    """A stance for each item named in a conversation, in the order they came up; later words replace earlier ones."""
    found: dict[int, Stance] = {}
    offered: list[int] = []  # what the other side named last
    for number, (role, text) in enumerate(messages):
        mentions = find_mentions(catalog, text)
        if role == "assistant":
            offered = [mention.row for mention in mentions] or offered
            for mention in mentions:
                found.setdefault(mention.row, Stance(mention.row, role, number, "mentioned"))
            continue
        for place, mention in enumerate(mentions):
            feeling = feeling_towards(text, mentions, place)
            held = found.get(mention.row, Stance(mention.row, role, number, feeling))
            found[mention.row] = replace(held, feeling=feeling)
        for row in [] if mentions else offered:
            said = feeling_back(text)
            if said != "mentioned":
                found[row] = replace(found[row], feeling=said)
    return list(found.values())


def feeling_towards(text: str, mentions: Sequence[Mention], place: int) -> Feeling:
    """The feeling towards the title at `place` among the mentions of a text: what stands before and after it, or before
    and after the list of titles that it is one of, up to other titles and within the sentence. A title that a person
    names without more counts as liked: it says what they want.
    """
    lowered, first, last = text.lower(), place, place
    gaps = [lowered[one.end : other.start] for one, other in pairwise(mentions)]
    while first and _LISTED.fullmatch(gaps[first - 1]):
        first -= 1
    while last < len(gaps) and _LISTED.fullmatch(gaps[last]):
        last += 1
    before = _SENTENCE.split(gaps[first - 1] if first else lowered[: mentions[first].start])[-1]
    after = _SENTENCE.split(gaps[last] if last < len(gaps) else lowered[mentions[last].end :])[0]
    if _UNSEEN.search(before):
        return "mentioned"
    if _DISLIKED.search(before):
        return "disliked"
    if _FOND.search(before):
        return "liked"
    if _DISLIKED.search(after):
        return "disliked"
    if _FOND.search(after):
        return "liked"
    return "seen" if _SEEN.search(before) else "liked"


def feeling_back(text: str) -> Feeling:
    """The feeling of a reply towards what was just offered: "mentioned" where it says nothing of it."""
    sentences = [sentence for sentence in _SENTENCE.split(text.lower()) if sentence.strip()]
    for sentence in sentences:
        if _UNSEEN.search(sentence):
            return "mentioned"
        back = _BACK.search(sentence) is not None or len(sentence.split()) < 4
        if back and _DISLIKED.search(sentence):
            return "disliked"
        if back and _FOND.search(sentence):
            return "liked"
        if _SEEN.search(sentence):
            return "seen"
    return "mentioned"
