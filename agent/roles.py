"""Which of two columns that hold a name is meant: who acts and who directs, by the words around each name."""

import re
from collections.abc import Sequence

from agent.context import PlannerContext
from agent.left_out import words_of
from tools.value_index import Link

_DIRECTS = re.compile(
    r"\b(?:by|directed|director|direction|filmed|shot|made by|regisseur|regie(?: von)?|réalisée?s? par"
    r"|dirigid[oa]s? por"
    r"|dirett[oi] da|realizad[oa] por|geregisseerd door|regissör|i regi av|reżyseri[ai]"
    r"|w reżyserii)(?: the great)?:? $",
    re.IGNORECASE,
)
_DIRECTED = re.compile(
    r"^(?:['’]s? (?:films?|movies?|work)\b|,? (?:as (?:a |the )?director\b|direct\w*|behind the camera|at the helm"
    r"|(?:who |he |she )?(?:should|has to|must|can)(?: be)?(?: the)? direct\w*|als regisseur|comme réalisateur"
    r"|como director"
    r"|come regista|som regissör|jako reżyser)|[^.;!?]{0,25}\bwith (?:him|her) direct\w*"
    r"|,? (?:he|she|who) (?:should|must|has to) be the director)",
    re.IGNORECASE,
)
_ACTS = re.compile(
    r"\b(?:with|without|no|starring|stars|featuring|actors?|actress|acted by|plays?|mit|ohne|avec|sans|sin|senza|sem"
    r"|zonder|bez|utan|con|com|met|med|z|ze)(?: the)? $",
    re.IGNORECASE,
)
_ACTED = re.compile(
    r"^,? (?:(?:has|have|needs?|ought) to be (?:in|part)|(?:should|must|may|might|can) be in|(?:is|are|was) in\b"
    r"|acting|sharing|together|acts?\b"
    r"|as an? act|stars?\b|starring|plays?\b|playing|(?:both |together )?in (?:it|there|them|the (?:cast|lead|same)"
    r"|something"
    r"|an?\b|some)|(?:on|in front of the) (?:screen|camera)|as (?:the )?(?:lead|hero|heroine|villain)|spielt|joue"
    r"|actúa|recita)",
    re.IGNORECASE,
)
_AND = re.compile(r",? (?:and|und|et|y|e|en|och|i|&|or) ", re.IGNORECASE)


def by_role(where: str, context: PlannerContext) -> str:
    """The filter with each name that may be of either on the column that the message gives it, where it says so."""
    words, message = words_of(context), context.message
    acting: bool | None = None
    for place, word in enumerate(words):
        held = {link.said.split(" ")[0]: link for link in word if link.kind == "name"}
        if not {"cast", "director"} <= held.keys():
            continue
        role = acts(word, message)
        near = [
            acts(words[other], message) for other in (place - 1, place + 1) if _beside(words, place, other, message)
        ]
        acting = role if role is not None else next((one for one in near if one is not None), None)
        if acting is None:
            continue
        right, wrong = (held[name].said for name in (("cast", "director") if acting else ("director", "cast")))
        if wrong in where:
            both = right in where
            pattern = (
                rf"(?: AND )?{re.escape(wrong)}" if both and where.find(wrong) else rf"{re.escape(wrong)}(?: AND )?"
            )
            where = re.sub(pattern, "", where, count=1) if both else where.replace(wrong, right)
    return where


def meant_role(word: Sequence[Link], message: str) -> Link | None:
    """Of a name that may act or direct, the link that the words around it mean; None where nothing says so."""
    held = {link.said.split(" ")[0]: link for link in word if link.kind == "name"}
    role = acts(word, message) if {"cast", "director"} <= held.keys() else None
    return None if role is None else held["cast" if role else "director"]


def acts(word: Sequence[Link], message: str) -> bool | None:
    """Whether who is named acts; None where nothing says so."""
    before, after = message[: word[0].start], message[max(link.end for link in word) :]
    if _DIRECTS.search(before) or _DIRECTED.search(after):
        return False
    return True if _ACTS.search(before) or _ACTED.search(after) else None


def _beside(words: Sequence[Sequence[Link]], one: int, other: int, message: str) -> bool:
    """Whether an "and" joins two names."""
    if not 0 <= other < len(words) or words[other][0].kind != "name":
        return False
    first, second = sorted((one, other))
    return bool(_AND.fullmatch(message[max(link.end for link in words[first]) : words[second][0].start]))
