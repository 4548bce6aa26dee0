"""What the words around a value say of it: asked for, refused, or left open; and what a filter lacks of it.

A value that the message names and the filter has not is put in, a refused one is negated, and of two that an "or" joins
either will do.
"""

import re
from collections.abc import Sequence
from itertools import pairwise, product

from agent.conditions import VALUE, column_of, joined, parts_of, without
from agent.context import PlannerContext
from tools.schema import Manifest
from tools.value_index import Link

_CLAUSE = re.compile(
    r"[.;!?,]|\b(?:(?<!anything )(?<!everything )(?<!all )but|aber|mais|pero|ma|maar|men|ale)\b", re.IGNORECASE
)
# Right before a value these refuse it: "no horror", "not in English", "I can't stand romance".
_NO = re.compile(
    r"(?:\b(?:no|not|non|without|w/o|w/out|nothing|neither|nor|anything but|except|outside(?: of)?|hates?|refuses?"
    r"|avoid|minus|ohne|kein|keine[nrs]?|nichts|sans|pas|rien|sin|nada|senza|niente|sem|geen|zonder|niets|ingen|inga|inte|utan|bez|nie"
    r"|żadn\w+|que no (?:sea|sean|esté|tenga)|che non (?:sia|siano)|que não seja|qui ne soi(?:t|ent) pas)|n't"
    r"|can't (?:stand|bear)|don't (?:want|like|need)|je ne veux (?:pas|plus)|no quiero|non voglio|não quero)"
    r"(?:,? (?:an?|any|anything|too|so|the|in|from|with|by|of|de|d'|du|des|una?|um|uma|too much|set in|really|please"
    r"|rated"
    r"|aus|con|di|met|med|zu|quiero|voglio))* ?$",
    re.IGNORECASE,
)
_WHY_NOT = re.compile(
    r"\b(?:why not|warum nicht|pourquoi pas|por ?qu[eé] no|perch[eé] no|waarom niet|varför inte)\b", re.IGNORECASE
)
# Right after a value these refuse it.
_NO_GO = re.compile(
    r"^(?: films?| movies?| ones?| games?| stuff)?(?:,? (?:is|are|'s|'re|would be) (?:an? )?(?:absolute |complete "
    r"|total |big )?"
    r"(?:no[- ]?go|no[- ]no|out\b|off the table|off limits|not an option|deal ?breaker)|,? no thanks|,? puts? me off"
    r"|,? bores? me|,? nein danke|,? non merci|,? no gracias|,? no grazie|,? nee bedankt|,? nej tack)",
    re.IGNORECASE,
)
_AND = re.compile(r",? (?:or|nor|and|und|oder|et|ou|ni|y|o|e|of|en|eller|och|i|ani|lub) (?:an? )?", re.IGNORECASE)
_BOTH = re.compile(
    r"\b(?:both|mixed|at once|at the same time|together|combined|in one|zugleich|à la fois)\b", re.IGNORECASE
)
# Before a value, or after it, these leave open what is meant: taken back, compared, exchanged.
_OPEN = re.compile(
    r"\b(?:no|not|non|without|nothing|never|nor|except|hates?|dislikes?|refuses?|avoid|minus|skip|ban|anything but"
    r"|besides|instead of|rather than|in place of|apart from|other than|enough|tired of|sick of|drop|forget|fewer|less"
    r"|more|lose|remove|leave out|matters?|seen|watched|sans|ohne|keine?|pas|sin|ingen|bez|geen)\b|n't\b",
    re.IGNORECASE,
)
# These are a part of a bound: "no more than 20 euros".
_THAN = re.compile(
    r"\b(?:no|not|nothing|never|n't)?(?: any| up for)? ?(?:more|less|fewer|later|earlier|longer|shorter|older|newer"
    r"|over|under"
    r"|above|below|beyond|after|before)\b.*$",
    re.IGNORECASE,
)
_AFTER = re.compile(r"\bnot\b|n't\b|\b(?:enough|optional|either way)\b", re.IGNORECASE)
_OR = re.compile(r",? (?:or|nor) (?:an? |some |even |any |the )?(?:from |by |with )?", re.IGNORECASE)
_OR_NOT = re.compile(r"^,? or (?:not|no)\b", re.IGNORECASE)
_EXCHANGED = re.compile(
    r"\b(?:instead of|rather than|in place of|in lieu of|swap|replace|exchange|trade|statt|anstatt|anstelle von"
    r"|au lieu de|à la place de|en vez de|en lugar de|invece di|al posto di|anziché|em vez de|ao invés de"
    r"|no lugar de|in plaats van|i stället för|istället för|zamiast|tausche?|ersetze?|remplacez?|sustituye|cambia"
    r"|sostituisci|troca|vervang"
    r"|byt ut|byt|zamień)(?: the| an?| those| den| die| das| le| la| il| el| o)? ?$",
    re.IGNORECASE,
)
TRAIL = 30  # characters after a word that may take it back


def words_of(context: PlannerContext) -> list[tuple[Link, ...]]:
    """The message's words that mean something, each with all it may mean."""
    found: list[list[Link]] = []
    for link in sorted(context.found, key=lambda one: one.start):
        if found and link.start < max(one.end for one in found[-1]):
            found[-1].append(link)
        else:
            found.append([link])
    return [tuple(word) for word in found]


def lead(link: Link, before: Sequence[Link], message: str) -> str:
    """The words before a link, of its own clause and after the link before it."""
    start = max((other.end for other in before), default=0)
    return _CLAUSE.split(message[start : link.start])[-1]


def is_refused(link: Link, before: Sequence[Link], message: str) -> bool:
    """Whether the words right before or after a link refuse it."""
    leading = lead(link, before, message)
    if _WHY_NOT.search(leading) or (link.kind == "bound" and _THAN.search(leading)):
        return False
    if link.kind != "bound" and any(_AND.fullmatch(message[other.end : link.start]) for other in before):
        first = before[0]  # "without horror or war"
        if column_of(first.said) == column_of(link.said) and _NO.search(lead(first, (), message)):
            return True
    return bool(_NO.search(leading) or (link.kind != "bound" and _NO_GO.search(message[link.end :])))


def is_said(link: Link, message: str, plan: str) -> bool:
    if re.search(rf"(?<!\w){re.escape(message[link.start : link.end].lower())}(?!\w)", plan):
        return True
    value = VALUE.search(link.said)
    return (value[1] if value else link.said.split(" ")[0]).lower() in plan


def is_bounded(link: Link, where: str) -> bool:
    """Whether the filter bounds the link's column; a link that names none cannot be put in."""
    column = link.said.split(" ")[0]
    bare = not column[0].isalpha() or " " not in link.said or link.said.endswith((" minutes", " hours"))
    return bare or column in where


def is_open(link: Link, before: Sequence[Link], message: str) -> bool:
    """Whether the words around a link leave open whether it is wanted."""
    leading = lead(link, before, message)
    if link.kind == "bound" and _THAN.search(leading):
        leading = ""
    trail = _CLAUSE.split(message[link.end : link.end + TRAIL])[0]
    return bool(_OPEN.search(leading) or _AFTER.search(trail))


def asserted(where: str, link: Link, before: Sequence[Link], message: str) -> str:
    """The filter without a "not" before a condition that nothing around its link refuses or leaves open: what is
    found in "not over 40" has its "not" already.
    """
    if is_refused(link, before, message) or is_open(link, before, message):
        return where
    denied = f"NOT ({link.said})"
    if link.said.endswith(" = true"):
        where = where.replace(link.said.replace(" = true", " = false"), link.said, 1)
    return where if link.said in where.replace(denied, "") else where.replace(denied, link.said, 1)


def turned(where: str, link: Link, before: Sequence[Link], message: str) -> str:
    """The filter with a refused condition negated, and with both sides of an "or"."""
    if is_refused(link, before, message) and link.said in where and f"NOT ({link.said})" not in where:
        ranged = link.kind != "bound" or " BETWEEN " in link.said
        return where.replace(link.said, f"NOT ({link.said})", 1) if ranged else where
    if link.kind == "bound" and link.said not in where:
        for other in before:
            joined = _OR.fullmatch(message[other.end : link.start]) and " BETWEEN " in other.said
            if joined and link.said.split(" ")[0] == other.said.split(" ")[0] and other.said in where:
                return where.replace(other.said, f"({other.said} OR {link.said})", 1)
    return where


def added(where: str, link: Link, before: Sequence[Link], message: str) -> str:
    """The filter with the condition of a link, as the words around it say; as it is where they leave that open."""
    for other in before:
        same = column_of(other.said) == column_of(link.said) and not is_refused(link, before, message)
        if same and _OR.fullmatch(message[other.end : link.start]):
            taken = other.said in where and f"NOT ({other.said})" not in where
            return where.replace(other.said, f"({other.said} OR {link.said})", 1) if taken else where
    if is_refused(link, before, message):
        condition = f"NOT ({link.said})"
    elif is_open(link, before, message):
        return where
    else:
        condition = link.said
    return f"{where} AND {condition}" if where else condition


def is_exchanged(link: Link, before: Sequence[Link], message: str) -> bool:
    """Whether a value is named only to say what something else takes the place of."""
    return bool(_EXCHANGED.search(lead(link, before, message)))


def either_way(where: str, link: Link, message: str, manifest: Manifest) -> str:
    """The filter without a condition of which the message says "or not"."""
    if not _OR_NOT.search(message[link.end :]):
        return where
    return without(where, lambda part, _: part in (link.said, f"NOT ({link.said})"), manifest)


def either_of(where: str, words: Sequence[Sequence[Link]], message: str, manifest: Manifest) -> str:
    """The filter with two conditions on a column by OR where the message has an "or" between them."""
    parts = [part for part, _ in parts_of(where, manifest)]
    for a, b in (pair for one, other in pairwise(words) for pair in product(one, other)):
        alike = a.kind == b.kind and a.kind in ("value", "name") and column_of(a.said) == column_of(b.said)
        if alike and a.said in parts and b.said in parts and _OR.fullmatch(message[a.end : b.start]):
            rest = [part for part in parts if part not in (a.said, b.said)]
            return joined(*rest, f"({a.said} OR {b.said})")
    return where


def both_of(where: str, words: Sequence[Sequence[Link]], message: str) -> str:
    """The filter with two values by AND where the message wants "both at once"."""
    if not _BOTH.search(message):
        return where
    for one, other in pairwise(words):
        either = f"({one[0].said} OR {other[0].said})"
        if either in where and _AND.fullmatch(message[one[0].end : other[0].start]):
            where = where.replace(either, f"{one[0].said} AND {other[0].said}", 1)
    return where
