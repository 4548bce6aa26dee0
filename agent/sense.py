"""What a plan makes no sense without: a wish to act on, titles that somebody named, themes that are searched for."""

import re

from agent.context import PlannerContext
from agent.cues import phrases, plainly
from agent.plan import MOST_CALLS, TITLES, Call, Plan
from tools.mentions import common_words, filler_words
from tools.quantities import SPELLED, WORDS
from tools.text import STOPWORDS, fold

ENGLISH = 0.4  # share of a message's words that are everyday ones from which it is in English
# Beside a title these say that it is one: to be like, liked, seen.
_LIKENESS = re.compile(
    r"\b(?:like|likes?d?|similar\w*|alike|resembl\w+|comparable|along the lines|in the (?:vein|style|spirit) of"
    r"|reminds?"
    r"|lov\w+|enjoy\w*|ador\w+|hat\w+|favou?rites?|fans?|seen|watched|played|same as|vibes?|wie|ahnlich\w*|comme|como"
    r"|come|simil\w+|parecid\w+|semblable\w*|style|genre|zoals|soortgelijk\w*|som|liknande|jak|podobn\w+|typu|gust\w+"
    r"|encant\w+|aim\w+|piac\w+|geliebt|mag|mochte|gefallen|vond|alskar|gost\w+|lubi\w*|podobal\w*|more|another"
    r"|sequel)\b"
)
_WITH = r"\b(?:with|about|featuring|mit|avec|con|com|met)"
_FOREMOST = re.compile(r"\b(?:most|best|top|least|first|\w{2,}est|the \w+er the)\b")
_TOO = re.compile(r"2 (?:much|many|long|short|old|new|slow|sad|dark|scary|silly|heavy|hard|easy|(?:expen|pric)\w+)\b")
_THANKS = re.compile(
    r"\b(?:thanks?|thank you|thx|cheers|merci|danke|gracias|grazie|obrigad[oa]|bedankt|dank je|tack|dziekuje|dzieki)\b"
)
_ON = re.compile(r"\?|\b(?:but|more|others?|another|next|else|now|different|show|give|find|seen|please|like)\b")
_SMALL_TALK = re.compile(
    r"\?\s*$|\b(?:thank\w*|thanks|thx|cheers|hello|hi|hey|bye|goodbye|you|your|you're|u|bot|merci|danke|gracias|grazie"
    r"|obrigad[oa]|bedankt|dank|tack|dziekuje|dzieki|bonjour|hallo|hola|ciao|ola|hej|czesc|weather|joke|liked|sorry)\b"
)
_THEME = re.compile(
    r"\b(?:about|dealing with|revolv\w+ around|on the (?:topic|subject|theme) of|über|sobre|acerca de|à propos d[eu]"
    r"|traitant de)"
    r" (?P<about>[^.,;!?]+)"
    r"|\bwhere (?:you|we|players|everyone|someone|the hero) (?P<where>[^.,;!?]+)"
    r"|\b(?:with|has|have|want|involving) (?P<held>[^.,;!?]+?) in (?:it|them|the (?:plot|story|storyline))\b",
    re.IGNORECASE,
)
# A theme ends where other wishes begin.
_ENDS = re.compile(
    r" (?:set|from|starring|stars|directed|by|under|over|before|after|since|but|please|pls|that|which|who|where|if"
    r"|for|not|no"
    r"|without|made|released|ending|bitte|por favor|s'il|aus|de los|von|mit|con|avec|and (?:it|they|not))\b.*",
    re.IGNORECASE,
)
_ARTICLE = re.compile(
    r"^(?:(?:an?|the|some|any|ein\w*|der|die|das|une?|le|la|les|el|los|las|una?|uns|os|as|o)\s+)+", re.IGNORECASE
)


def acting(plan: Plan, context: PlannerContext, *, back: bool) -> Plan:
    """The plan that recommends where it should: a wish of which a part is taken back is a wish, so is a value that is
    said without small talk, and whoever leaves the answer to our question to us has answered it.
    """
    said, last = plainly(context.message), context.last_plan
    if plan.act == "recommend" and last is not None and plan.calls == last.calls and not context.found:
        thanked = _THANKS.search(said) and not _ON.search(said) and not context.named
        return Plan(act="chat") if thanked else plan
    if plan.act not in ("chat", "ask"):
        return plan
    wish = Plan(act="recommend")
    if back and not context.message.rstrip().endswith("?"):
        return wish
    if last is not None and last.act == "ask" and phrases("anything").search(said) and "?" not in said:
        return wish
    exact = any(link.exact and link.kind == "value" for link in context.found)
    return wish if exact and not _SMALL_TALK.search(said) else plan


def sensible(plan: Plan, context: PlannerContext) -> Plan:
    """The plan without titles that nobody named and a count that nobody counts; a character with whom nothing is
    compared is searched for.
    """
    message, last = fold(context.message), context.last_plan.calls if context.last_plan else ()
    named = {fold(title) for title in context.named}
    calls: list[Call] = []
    for call in plan.calls:
        if call.tool == "dense_search" and call not in last and _is_unsaid(str(call.arguments["query"]), message):
            continue
        if call.tool != "similar_items" or call in last:
            calls.append(call)
            continue
        title = str(call.arguments[TITLES[call.tool]])
        likened = _LIKENESS.search(message.replace(fold(title), " "))
        held = not likened and re.search(
            rf"\b(?:with|about|featuring|mit|avec|con|com|met) {re.escape(fold(title))}", message
        )
        if held and _is_name(title, context.message):
            calls.append(Call(tool="bm25_search", arguments={"query": title}))
        elif fold(title) in named or (likened and not _is_linked(title, context)):
            calls.append(call)
        elif _is_name(title, context.message) and not _is_linked(title, context):
            calls.append(Call(tool="bm25_search", arguments={"query": title}))
    count = plan.count if plan.count is not None and _is_counted(plan.count, context) else None
    return plan.model_copy(update={"calls": tuple(calls), "count": count})


def ordered(plan: Plan, context: PlannerContext) -> Plan:
    """The plan without an order that nobody asks for, now or before; what words ask for one is known to linking."""
    last = [call.arguments.get("order_by") for call in context.last_plan.calls] if context.last_plan else []
    if any("ORDER BY" in link.said for link in context.found) or _FOREMOST.search(fold(context.message)):
        return plan
    calls = []
    for call in plan.calls:
        order = call.arguments.get("order_by")
        if call.tool != "sql_filter" or not order or order in last:
            calls.append(call)
        elif call.arguments.get("where"):
            calls.append(call.model_copy(update={"arguments": {"where": call.arguments["where"]}}))
    return plan.model_copy(update={"calls": tuple(calls)})


def with_theme(plan: Plan, context: PlannerContext) -> Plan:
    """The plan with a search for what the message says its items are about, where it searches for nothing."""
    if any(call.tool not in ("sql_filter", "facet_counts") for call in plan.calls):
        return plan
    for match in _THEME.finditer(context.message):
        name = next(name for name, words in match.groupdict().items() if words)
        theme = _ENDS.sub("", match[name])
        start = match.start(name)
        end = start + len(theme)
        known = any(link.start < end and start < link.end and link.kind != "column" for link in context.found)
        bare = _ARTICLE.sub("", theme).strip()
        telling = [word for word in re.findall(r"[^\W\d_]+", fold(bare)) if word not in filler_words() | STOPWORDS]
        if telling and not known:
            search = Call(tool="dense_search", arguments={"query": bare})
            return plan.model_copy(update={"calls": (*plan.calls, search)[:MOST_CALLS]})
    return plan


def _is_unsaid(query: str, message: str) -> bool:
    """Whether nothing of a search is in an English message; a theme of another language may be put into English."""
    said = re.findall(r"[^\W\d_]+", message)
    english = sum(word in common_words() or word in STOPWORDS for word in said)
    words = [word for word in re.findall(r"[^\W\d_]+", fold(query)) if word not in STOPWORDS]
    heard = any(word[:4] == other[:4] for word in words for other in said)
    return bool(said) and english > ENGLISH * len(said) and not heard


def _is_linked(text: str, context: PlannerContext) -> bool:
    """Whether the text is what a value, a name or a bound was found in."""
    said = fold(text)
    found = [fold(context.message[link.start : link.end]) for link in context.found if link.kind != "column"]
    return any(one in said for one in found)


def _is_name(title: str, message: str) -> bool:
    """Whether all words of it that matter have capitals in the message: "Sherlock Holmes", not "2h max"."""
    words = re.findall(r"[^\W\d_]+", title)
    return title in message and bool(words) and all(word[0].isupper() or len(word) < 4 for word in words)


def _is_counted(count: int, context: PlannerContext) -> bool:
    """Whether a number of the message may be a count: one that stands alone, and not in a bound."""
    message = fold(context.message)
    spelled = "|".join([str(count), *(word for word, number in WORDS.items() if number == count)])
    places = [match.start() for match in re.finditer(rf"(?<![\w.,])(?:{spelled})(?![\w%]|[.,]\d)", message)]
    places = [place for place in places if not _TOO.match(message, place)]
    if not places:
        return not re.search(rf"\d|\b(?:{SPELLED})\b", message)  # "a couple"
    bounds = [link for link in context.found if link.kind == "bound"]
    return any(not any(link.start <= place < link.end for link in bounds) for place in places)
