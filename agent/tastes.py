"""People who are praised beside a wish ("a comedy. I love Mila Kunis") are a taste to search by, and no condition.

Whoever asks for films *with* someone gets nothing else; whoever only says that they like someone is not told that all
other items are out. Where nothing else is said, the person is the whole wish and stays the condition.
"""

import re
from collections.abc import Sequence

from agent.context import PlannerContext
from agent.plan import Call, Plan
from tools.value_index import Link

_PRAISE = (
    r"(?:lov(?:e[sd]?|ing)|ador(?:e[sd]?|ing)|(?<!['’]d )(?<!would )(?<!looks )(?<!sounds )lik(?:e[sd]?)|enjoy(?:s|ed)?"
    r"|(?:a |huge |big )?fans? of|(?:am|['’]m) (?:really |so )?into)"
)
_FILLER = r"(?:(?:both|also|really|of|too|the|always|actors?|actress(?:es)?|directors?|like|as|great)\s+)*"
# What a praised person comes after: praise, or what a film that was named is said to have.
_BEFORE = re.compile(
    rf"(?:\b{_PRAISE}|\b(?:it|that one|that|which|they)(?: also| both)? (?:star(?:r?ed|s)|had|has)) {_FILLER}"
    r"(?:(?!with\b)\w+ (?:(?!with\b)\w+ )?(?:and|&) )?$",  # another name may stand between
    re.IGNORECASE,
)
_NOT = re.compile(r"\b(?:not|never|no)\b(?:\s+\w+){0,6}\s*$|n['’]t\b(?:\s+\w+){0,6}\s*$", re.IGNORECASE)
_WITH = re.compile(r"\b(?:with|starring|featuring|by|from|of)\s+$", re.IGNORECASE)
_AFTER = re.compile(
    r"^(?:\s+(?:and|too|also|both))*\s+(?:is|are|was|were|does|did|do)(?:\s+(?:so|such|a|an|also|just|really|very|pretty|"
    r"always|my))*\s+(?:great|good|amazing|awesome|hilarious|funny|fantastic|excellent|brilliant|wonderful|favou?rites?|"
    r"the best|fine)\b",
    re.IGNORECASE,
)
_JOINED = re.compile(r"\s*(?:,|and|&|or|,\s*and|\.?\s*i (?:also )?(?:like|love))\s*(?:of |the |also )*", re.IGNORECASE)
# With these after the name, things with the person in them are what is liked, and asked for.
_ASKED = re.compile(
    r"^(?:['’]s?)?\s+(?:\w+\s+)?(?:films?|movies?|books?|stuff|ones?|comed(?:y|ies)|thrillers?|work|roles?)\b"
    r"|^[^.!?]{0,40}\b(?:anything|something|everything|more|films?|movies?) (?:with|by) (?:him|her|them)\b",
    re.IGNORECASE,
)


def praised(message: str, names: Sequence[Link]) -> list[Link]:
    """Those of the links to names, in the order of the message, whose words say that they are liked and no more."""
    found: list[Link] = []
    for link in names:
        before, after = message[: link.start], message[link.end :]
        if _ASKED.search(after) or _NOT.search(before):
            continue
        joined = bool(found) and bool(_JOINED.fullmatch(message[found[-1].end : link.start]))
        same = bool(found) and found[-1].start == link.start  # another column that holds the name
        if same or joined or _BEFORE.search(before) or (_AFTER.search(after) and not _WITH.search(before)):
            found.append(link)
    return found


def tasted(plan: Plan, where: str, context: PlannerContext) -> tuple[str, ...]:
    """The conditions of the filter `where` that are no more than tastes; none where they are the whole wish."""
    names = [link for link in sorted(context.found, key=lambda one: one.start) if link.kind == "name"]
    held = {link.said for link in praised(context.message, names) if link.said in where}
    held -= {said for said in held if f"NOT ({said})" in where}
    before = context.last_plan is not None and context.last_plan.act == "recommend"
    others = any(call.tool != "sql_filter" for call in plan.calls)
    rest = where
    for said in held:
        rest = rest.replace(said, "")
    alone = not before and not others and not re.search(r"\w", re.sub(r"\b(?:AND|OR)\b", "", rest))
    return () if alone else tuple(sorted(held, key=where.index))


def search_for(conditions: Sequence[str]) -> tuple[Call, ...]:
    """A search by words for each name that the conditions hold."""
    named = [match[1].replace("''", "'") for said in conditions if (match := re.search(r"'%?((?:[^']|'')+?)%?'", said))]
    return tuple(Call(tool="bm25_search", arguments={"query": name}) for name in dict.fromkeys(named))
