"""What was said of each title in a conversation: liked, disliked, seen, or only mentioned.

A person's feeling is read from the words of the sentence around a title, in English: words of praise and blame, turned
round by a negation up to four words before ("didn't really care for", "not bad"), each within its clause ("but"). What
they say without a title ("loved it", "haven't seen those") is of the titles that the other side named last.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from tools.catalog import Catalog
from tools.mentions import Mention, find_mentions

Role = Literal["user", "assistant"]
Feeling = Literal["liked", "disliked", "seen", "mentioned"]
Find = Callable[[Catalog, str], Sequence[Mention]]

_SENTENCE = re.compile(r"[.!?…]+(?:\s+|$)|\s[.!?…]+|\n")
_CONTRAST = re.compile(r"\b(?:but|however|although)\b")
_JOINT = re.compile(r".*(?:,|;|\band\b)")  # up to the last place where a clause may go over to the next title
_NEGATION = (
    r"(?:\b(?:not|never|nor|cannot|hardly)|"
    r"\b(?:do|does|did|is|was|were|are|has|have|had|would|could|should|wo|ca|ai)n['’]?t)\b"
    r"(?:\s+(?!(?:see|seen|saw|watch\w*|heard?|read|only|sure|know|wait|stop|help|remember)\b)[\w'’-]+){0,4}?\s+"
)
_BAD = (
    r"\b(?:hat(?:e[sd]?|ing)|dislike[ds]?|despise[ds]?|loathe[ds]?|detest\w*|bor(?:ing|ed)|awful|terrible|horrible|"
    r"worst|overrated|stupid|dumb|lame|corny|annoying|crap\w*|suck(?:s|ed)|garbage|rubbish|trash|disappoint\w+|"
    r"let\s?down|underwhelm\w+|mediocre|forgettable|dreadful|atrocious|unwatchable|pointless|dull|cring\w+|ruined|mess|"
    r"flop(?:ped)?|meh|nah|yuck|gross|least favou?rites?|waste of|regret\w*|(?:tired|sick) of|fell asleep|walked out|"
    r"turned (?:it|that) off|turn ?off|do without|avoid|skip|other than|instead of|anything but|no more|"
    r"nothing (?:like|special)|pass on|rather not|no interest|not (?:so|that|too) (?:much|into)|"
    r"an? (?:bit|little) much|disagree\w*|bad (?:things|reviews)|"
    r"(?:so|really|pretty|very|just|was|is|were|are) (?:bad|weird)|"
    r"(?:is|was|were|are|['’]s|seems?|looks?|sounds?|just|way|bit|little) too \w+|"
    r"(?:wo|would)n['’]?t (?:\w+ )?(?:watch|see|read|try)|(?:do|did|would)n['’]?t think i\S* (?:\w+ ){0,2}"
    r"(?:watch|see|read|like|enjoy|want))\b"
)
_GOOD = (
    r"\b(?:lov\w+|(?<!looks )(?<!seems )(?<!sounds )(?<!look )(?<!sound )lik(?:e[sd]?|ing)|enjoy\w*|favou?rites?|"
    r"fave?s?|great|(?<!as )good|awesome|amazing|fantastic|excellent|best|fans?|fond|into|funny|hilarious|perfect|"
    r"wonderful|brilliant|classics?|interest\w*|similar to|such as|along the lines of)\b"
)
_MISSED = (  # blames only where it is negated
    r"\b(?:care[ds]?|stand|finish|sit through|impressed|keen|crazy about|special|memorable|worth|all that|biggest|"
    r"my (?:\w+ )?(?:thing|type|style|taste|cup))\b|\bwant(?= (?:to|an?|another|any|the|that|this)\b|\W*$)"
)
_WORD = re.compile(rf"(?P<negated>{_NEGATION})?(?:(?P<bad>{_BAD})|(?P<good>{_GOOD})|(?P<missed>{_MISSED}))")
_KIND = re.compile(  # "a film like": the words before say how one feels, unless "like" is a verb or a wish of its own
    r"\b(?!(?:something|anything|more|i|we|you|they|d|also|really|would|do|to|just|much|still)\b)\w+"
    r" (?:like|such as|similar to)\W*$"
)
_ALIKE = re.compile(
    r"(?:\b(?<!\bi )(?<!\breally )(?<!\balso )(?<!\bwe )(?<!\bwould )(?<!['’]d )like|similar to|such as|"
    r"along the lines of)\s*[\"'“]?(?:the )?$"
)
_BARRED = re.compile(r"(?<!why )\b(?:not|except(?: for)?|anything but)\s*[\"'“]?$")
_UNSEEN = re.compile(
    r"\b(?:ha(?:ve|s)n['’]?t|have not|has not|never|not|did\s?n['’]?t|have (?:you|u)|did (?:you|u)|do (?:you|u))\b"
    r"[^.!?]{0,24}\b(?:see|seen|saw|watch\w*|heard?|read|know|tried)\b|\bwant(?:ed)? to (?:see|watch|read|try)\b"
)
_SEEN = re.compile(r"\b(?:saw|seen|watched|watching|read|finished)\b")
_LISTED = re.compile(r"[\s,/&\"'\u201c\u201d]*(?:\b(?:and|or|nor)\b)?[\s\"'\u201c\u201d]*")  # between titles of a list
_BACK = re.compile(r"\b(?:it|that|this|those|them|these|one|both|all|two)\b")
_SHORT = 4  # words; a sentence of fewer is of what was offered even without a word that says so


@dataclass(frozen=True)
class Stance:
    """What is known of one item: who named it first, in which message (from 0), and the feeling said last."""

    row: int
    by: Role
    message: int
    feeling: Feeling


def stances(catalog: Catalog, messages: Sequence[tuple[Role, str]], find: Find = find_mentions) -> list[Stance]:
    """A stance for each item named in a conversation, in the order they came up; later words replace earlier ones.
    `find` gives the mentions of a text.
    """
    found: dict[int, Stance] = {}
    offered: list[int] = []  # what the other side named last
    for number, (role, text) in enumerate(messages):
        mentions = find(catalog, text)
        if role == "assistant":
            offered = [mention.row for mention in mentions] or offered
            for mention in mentions:
                found.setdefault(mention.row, Stance(mention.row, role, number, "mentioned"))
            continue
        back = feeling_back(_lead(text, mentions))
        for row in offered if back != "mentioned" else ():
            found[row] = replace(found[row], feeling=back)
        for place, mention in enumerate(mentions):
            feeling = feeling_towards(text, mentions, place)
            held = found.get(mention.row, Stance(mention.row, role, number, feeling))
            found[mention.row] = replace(held, feeling=feeling)
    return list(found.values())


def feeling_towards(text: str, mentions: Sequence[Mention], place: int) -> Feeling:
    """The feeling towards the title at `place` among the mentions of a text: what stands before and after it, or before
    and after the list of titles that it is one of, up to other titles and within the sentence; where that says nothing,
    the next sentence, if it is of "it". A title that a person names without more counts as liked: it says what they
    want.
    """
    before, after, following = _around(text, mentions, place)
    later = _after(after)
    if _UNSEEN.search(before):
        return "disliked" if later == "disliked" else "mentioned"
    feeling = _before(before) or later
    if not feeling and _BACK.search(following):
        feeling = _after(following)
    return feeling or ("seen" if _SEEN.search(before) else "liked")


def likened(text: str, mentions: Sequence[Mention], place: int) -> bool:
    """Whether the words before the title at `place`, or before its list, ask for something like it."""
    return _ALIKE.search(_around(text, mentions, place)[0]) is not None


def feeling_back(text: str) -> Feeling:
    """The feeling of a reply towards what was just offered: "mentioned" where it says nothing of it. Blame counts
    wherever it stands, since it comes after thanks; then the first sentence that says anything.
    """
    found: list[Feeling] = []
    for sentence in filter(str.strip, _SENTENCE.split(text.lower())):
        said = [feeling for clause in _CONTRAST.split(sentence) for feeling in _verdicts(clause)]
        back = _BACK.search(sentence) is not None or len(sentence.split()) < _SHORT
        if back and "disliked" in said:
            return "disliked"
        if _UNSEEN.search(sentence):
            found.append("mentioned")
        elif back and said:
            found.append("liked")
        elif _SEEN.search(sentence):
            found.append("seen")
    return found[0] if found else "mentioned"


def _lead(text: str, mentions: Sequence[Mention]) -> str:
    """The sentences of a reply before the one that names a title itself."""
    if not mentions:
        return text
    start = mentions[0].start
    ends = [end.end() for end in _SENTENCE.finditer(text) if end.end() <= start]
    return text[: ends[-1]] if ends else ""


def _around(text: str, mentions: Sequence[Mention], place: int) -> tuple[str, str, str]:
    """In lower case: the clause before a title, or before its list, the sentence after it, and the one after that."""
    lowered, first, last = text.lower(), place, place
    gaps = [lowered[one.end : other.start] for one, other in pairwise(mentions)]
    while first and _LISTED.fullmatch(gaps[first - 1]):
        first -= 1
    while last < len(gaps) and _LISTED.fullmatch(gaps[last]):
        last += 1
    before = _SENTENCE.split(gaps[first - 1] if first else lowered[: mentions[first].start])
    rest = _SENTENCE.split(gaps[last] if last < len(gaps) else lowered[mentions[last].end :])
    own = _CONTRAST.split(before[-1])[-1]
    if first and len(before) == 1:
        own = _shared(own)[1]
    if last < len(gaps):  # the end of what stands there is of the next title
        clauses = _CONTRAST.split(rest[0])
        rest = rest[:-1] if len(rest) > 1 else [clauses[0] if len(clauses) > 1 else _shared(rest[0])[0]]
    return own, rest[0], rest[1] if len(rest) > 1 else ""


def _shared(between: str) -> tuple[str, str]:
    """What stands between two titles of one sentence, parted: what is said of the first, and of the second."""
    joint = _JOINT.match(between)
    return (joint[0], between[joint.end() :]) if joint else ("", between)


def _before(clause: str) -> Feeling | None:
    """What the words before a title say: the last that say anything."""
    if _BARRED.search(clause):
        return "disliked"
    said = _verdicts(clause)
    if len(said) > 1 and _KIND.search(clause):
        said.pop()
    return said[-1] if said else None


def _after(sentence: str) -> Feeling | None:
    """What the words after a title say: the first that say anything, of the last clause that does."""
    said = [found[0] for clause in _CONTRAST.split(sentence) if (found := _verdicts(clause))]
    return said[-1] if said else None


def _verdicts(clause: str) -> list[Feeling]:
    """What each word of praise or blame says, in their order."""
    found: list[Feeling] = []
    for match in _WORD.finditer(clause):
        negated = match["negated"] is not None
        if match["missed"] is None:
            found.append("liked" if negated == (match["bad"] is not None) else "disliked")
        elif negated:
            found.append("disliked")
    return found
