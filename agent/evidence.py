"""A pick: an item that is shown, with the reasons it came and the facts that may be said of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tools.catalog import Catalog, Item
from tools.registry import find
from tools.scorer import Rows
from tools.tool import Arguments

SAID = 4  # reasons a card shows
SENTENCE = 40  # characters from which a text describes


@dataclass(frozen=True)
class Ran:
    """A call that ran: the tool's name and its parsed arguments, enough to ask why a row came back."""

    tool: str
    arguments: Arguments


@dataclass(frozen=True)
class Pick:
    """One item to show. `score` is the ranking's, higher is better; `why` is evidence in words."""

    item: Item
    score: float
    why: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.item.title if self.item.year is None else f"{self.item.title} ({self.item.year})"

    @property
    def description(self) -> str:
        """The item's longest text, if it is a sentence rather than a name."""
        texts = [value for value in self.item.values.values() if isinstance(value, str)]
        longest = max(texts, key=len, default="")
        return longest if len(longest) >= SENTENCE else ""

    def line(self) -> str:
        """The item and its evidence in one line: what it is about, then why it came."""
        facts = "; ".join(self.why) or short_facts(self.item.values)
        if self.description:
            return f"{self.name}: {self.description}" + (f" ({facts})" if facts else "")
        return f"{self.name}: {facts}" if facts else self.name

    def json(self) -> dict[str, Any]:
        return {
            "item_id": self.item.item_id,
            "title": self.item.title,
            "year": self.item.year,
            "score": round(self.score, 4),
            "why": list(self.why),
        }


def short_facts(values: dict[str, Any]) -> str:
    """Lists and short texts of an item, the way a card shows them."""
    shown = []
    for name, value in values.items():
        if isinstance(value, (list, tuple)) and value:
            shown.append(f"{name.replace('_', ' ')}: {', '.join(str(part) for part in value[:4])}")
    return "; ".join(shown[:3])


def gather(catalog: Catalog, rows: Rows | Sequence[int], scores: Sequence[float], ran: Sequence[Ran]) -> list[Pick]:
    """Picks for these rows, with every call's reasons, each said once."""
    items = catalog.items(rows)
    why: list[dict[str, None]] = [{} for _ in items]
    for call in ran if items else ():
        explained = find(call.tool).explain(catalog, call.arguments, [item.row for item in items])
        for reasons, said in zip(why, explained, strict=True):
            reasons.update(dict.fromkeys(said))
    return [
        Pick(item, float(score), tuple(reasons)[:SAID]) for item, score, reasons in zip(items, scores, why, strict=True)
    ]
