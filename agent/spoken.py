"""What a model reads of an item in a few words: its text cut short, why it came, and its other facts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from agent.evidence import Pick

MOST_ALL = 150  # words told of all picks together, and at most of one
MOST_ONE = 55
TEXT = 0.65  # share of an item's words that its text may take
ELEMENTS = 4  # of a list at most
MANY = 35  # words from which up to ELEMENTS elements of a list are told, else two
UNSAID = ("words", "title")  # evidence that repeats the wish: stems that were hit, the title that was looked up


@dataclass(frozen=True)
class Told:
    """One pick as it is told: its text, and its facts as "column: value" or as words."""

    pick: Pick
    text: str
    facts: tuple[str, ...]

    def line(self) -> str:
        """`Heat (1995): text (fact; fact)`."""
        facts = "; ".join(self.facts)
        if self.text and facts:
            return f"{self.pick.name}: {self.text} ({facts})"
        return f"{self.pick.name}: {self.text or facts}".rstrip(": ")


def tell(picks: Sequence[Pick]) -> tuple[tuple[str, ...], list[Told]]:
    """The evidence that all picks share, said once, and each pick with what else there is to say of it."""
    if not picks:
        return (), []
    words = min(MOST_ONE, MOST_ALL // len(picks))
    shared = common_facts(picks)
    told = []
    for pick in picks:
        text = short_text(pick.description, int(words * TEXT))
        left = words - len(pick.name.split()) - len(text.split())
        told.append(Told(pick, text, short_facts(pick, left, shared)))
    return shared, told


def tell_all(pick: Pick) -> Told:
    """One pick with everything there is to say of it."""
    return Told(pick, pick.description, tuple(fact for _, fact in _values(pick, ELEMENTS, numbers=True)))


def common_facts(picks: Sequence[Pick]) -> tuple[str, ...]:
    """Evidence that holds for each of several picks; none for a single one."""
    if len(picks) < 2:
        return ()
    first, *others = [[fact for _, fact in _evidence(pick)] for pick in picks]
    return tuple(fact for fact in first if all(fact in other for other in others))


def short_text(text: str, words: int) -> str:
    """As many whole sentences as fit, or the beginning of the first with dots after it."""
    kept = text.split()
    if len(kept) <= words:
        return " ".join(kept)
    ends = [place for place, word in enumerate(kept[:words], start=1) if word.endswith((".", "!", "?"))]
    long_enough = [end for end in ends if end >= words // 2]
    return " ".join(kept[: long_enough[-1]]) if long_enough else f"{' '.join(kept[:words])} ..."


def short_facts(pick: Pick, words: int, said: Sequence[str] = ()) -> tuple[str, ...]:
    """Why it came, then its values as "column: value", as many as fit; one at least. `said` facts are left out.

    An item without evidence was asked about rather than searched for, so its numbers are told as well.
    """
    told = {fact.partition(": ")[0]: "" for fact in said}
    used = 0
    elements = ELEMENTS if words >= MANY else 2
    for name, fact in [*_evidence(pick), *_values(pick, elements, numbers=not pick.why)]:
        size = len(fact.split())
        if name not in told and (not used or used + size <= words):
            told[name] = fact
            used += size
    return tuple(fact for fact in told.values() if fact)


def _evidence(pick: Pick) -> Iterator[tuple[str, str]]:
    for why in pick.why:
        name, colon, value = why.partition(": ")
        if name == "theme":  # a part of the item's document: its text, which is told already, or a column
            name, colon, value = value.partition(": ")
            if not colon or why.removeprefix("theme: ") in pick.description or pick.item.title in name:
                continue
            name = name.lower()
        name = name.replace("_", " ")
        if name not in (*UNSAID, "year"):
            yield name, f"{name}{colon}{value}"


def _values(pick: Pick, elements: int, numbers: bool) -> Iterator[tuple[str, str]]:
    for column, value in pick.item.values.items():
        name = column.replace("_", " ")
        if column == "year" or "title" in column or value in (None, "", ()) or value == pick.description:
            continue  # the year stands behind the title
        if isinstance(value, (list, tuple)):
            yield name, f"{name}: {', '.join(str(element) for element in value[:elements])}"
        elif isinstance(value, str) or numbers:
            yield name, f"{name}: {_plain(value)}"


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
