"""The reply, each sentence checked before anyone sees it, with a plain reply to fall back on.

A trained writer chooses among sentences composed from the evidence; a model of its own words writes freely.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from agent.choose import choose
from agent.compose import Parts
from agent.evidence import Pick
from agent.facts import Checker, split
from agent.llm import Engine, Message, Request
from tools.schema import Manifest

SIGNS = {"ILIKE": ": ", "=": ": ", ">": " above ", "<": " below ", ">=": " at least ", "<=": " at most "}
_NAME, _TEXT = r'"(?:[^"]|"")+"|\w+', r"'(?:[^']|'')*'"
_VALUE = rf"{_TEXT}|[-\w.]+"
CONDITION = re.compile(  # of Where.canonical
    rf"(?P<member>{_TEXT}) IN (?P<list>{_NAME})"
    rf"|(?P<range>{_NAME}) BETWEEN (?P<low>{_VALUE}) AND (?P<high>{_VALUE})"
    rf"|(?P<column>{_NAME}) (?P<sign>{'|'.join(sorted(SIGNS, reverse=True))}) (?P<value>{_VALUE})"
)
TRIES = 2  # one reply, one rewrite
MAX_TOKENS = 160
REFUSED = "writer: refused: "  # begins the note of a sentence that was offered, chosen, and did not pass


def write(
    engine: Engine, messages: tuple[Message, ...], checker: Checker, plain: str, notes: list[str]
) -> Iterator[str]:
    """Pieces of the reply; `notes` gets how it came about.

    A sentence goes out once it is checked. At the first unsupported one the writer is asked again, once, if nothing
    went out yet; else, or should that fail too, the plain reply takes over. What went out was checked and stands.
    """
    sent: list[str] = []
    for attempt in range(TRIES):
        refused = None
        request = Request("writer", messages, MAX_TOKENS, temperature=0.0 if attempt == 0 else 0.7, seed=attempt)
        before: tuple[int, ...] = ()
        for sentence in _sentences(engine.stream(request), checker.picks):
            refused = checker.unsupported(sentence, before)
            before = checker.named(sentence) or before
            if refused:
                notes.append(f"writer: unsupported: {', '.join(refused[:5])}")
                break
            if sentence not in sent:
                sent.append(sentence)
                yield sentence
        if not refused and _names_all(sent, checker.picks):
            notes.append("writer" if attempt == 0 else "writer: rewritten")
            return
        if sent:  # a second try would begin the reply anew under what has been read already
            break
    notes.append("writer: plain reply")
    yield ("\n\n" if sent else "") + plain


def tell(
    engine: Engine, messages: tuple[Message, ...], parts: Parts, checker: Checker, plain: str, notes: list[str]
) -> Iterator[str]:
    """Sentences of the reply that the writer chooses from what `parts` offers; `notes` gets how it came about.

    What the check refuses is no longer offered. Where nothing is left to say of any pick the plain reply is said.
    """
    written, text, before, spoken, refused = "", "", tuple[int, ...](), not checker.picks, 0
    offers = list(next(parts, ()))
    while offers:
        offer = choose(engine, messages, written, offers)
        checked = [] if offer.silent else list(checker.sentences(offer.text, before))
        if any(sentence.unsupported for sentence in checked):
            notes.append(REFUSED + offer.text)
            refused += 1
            offers.remove(offer)
            continue
        written += (" " if written else "") + offer.text
        if not offer.silent:
            before, spoken = checked[-1].about, spoken or bool(offer.size)
            piece = (" " if text else "") + offer.text
            text += piece
            yield piece
        try:
            offers = list(parts.send(offer))
        except StopIteration:
            break
    if text and spoken:
        notes.append("writer: rewritten" if refused else "writer")
    else:
        notes.append("writer: plain reply")
        yield ("\n\n" if text else "") + plain


def _sentences(pieces: Iterator[str], picks: Sequence[Pick]) -> Iterator[str]:
    """Whole sentences of a stream, as soon as the next one begins."""
    text = ""
    for piece in pieces:
        text += piece
        *whole, text = split(text, picks) or [""]
        yield from whole
    if text.strip():
        yield text


def _names_all(sent: Sequence[str], picks: Sequence[Pick]) -> bool:
    """Whether the reply names a pick, if there are any: one that names none says nothing."""
    reply = " ".join(sent)
    return bool(reply.strip()) and (not picks or any(pick.item.title in reply for pick in picks))


def plain_reply(noun: str, picks: Sequence[Pick], relaxed: Sequence[str]) -> str:
    """The picks and their evidence as a list; what was given up is said first."""
    if not picks:
        return f"I found no {noun} for this in the catalog. Try fewer or wider conditions."
    opening = "This one fits:" if len(picks) == 1 else f"These {len(picks)} {noun}s fit:"
    return "\n".join([given_up(relaxed) + opening, *(f"- {pick.line()}" for pick in picks)])


def given_up(relaxed: Sequence[str]) -> str:
    """What was given up, as a sentence; empty when nothing was."""
    said = "; ".join(in_words(condition) for condition in relaxed)
    return f"Nothing met every condition, so I gave up: {said}. " if relaxed else ""


def in_words(condition: str) -> str:
    """A filter's canonical condition as a person would say it; what has no words here stays as it is."""

    def said(match: re.Match[str]) -> str:
        if match["member"]:
            return f"{_name(match['list'])}: {_value(match['member'])}"
        if match["low"]:
            return f"{_name(match['range'])} {_value(match['low'])} to {_value(match['high'])}"
        return f"{_name(match['column'])}{SIGNS[match['sign']]}{_value(match['value'])}"

    words = CONDITION.sub(said, condition).replace(" OR ", " or ")
    return words[1:-1] if words.startswith("(") and words.find(")") == len(words) - 1 else words


def _name(column: str) -> str:
    return column.strip('"').replace("_", " ")


def _value(literal: str) -> str:
    return literal[1:-1].replace("''", "'").strip("%") if literal.startswith("'") else literal


def plain_chat(noun: str) -> str:
    """What is said to small talk when the writer's own words did not pass."""
    return f"I recommend {noun}s from this catalog. Tell me what you are in the mood for."


def plain_question(manifest: Manifest, data: Sequence[dict[str, Any]]) -> str:
    """A question about the column whose values were counted, or about the first enumerated one."""
    for counted in data:
        if counted.get("counts"):
            values = [str(entry["value"]) for entry in counted["counts"][:4]]
            return f"Which {str(counted['column']).replace('_', ' ')} would you like: {', '.join(values)}, or another?"
    column = next(manifest.enumerated(), None)
    if column is None or column.values is None:
        return f"What kind of {manifest.noun} would you like?"
    return f"What kind of {manifest.noun} would you like: {', '.join(column.values[:4])}, or something else?"
