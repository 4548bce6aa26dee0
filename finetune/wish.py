"""What a person wants while a dialogue is composed: the conditions that hold, and one message in the making."""

from dataclasses import dataclass, field, replace

from agent.context import PlannerContext
from agent.plan import Call, Plan
from finetune.phrases import Piece


@dataclass(frozen=True)
class Turn:
    """One message with everything the planner reads, and the right plan."""

    kind: str
    context: PlannerContext
    plan: Plan


@dataclass(frozen=True)
class Wish:
    """What holds: conditions in the order they were said, an order, and the searches."""

    pieces: tuple[Piece, ...] = ()
    order_by: str = ""
    searches: tuple[Call, ...] = ()

    @property
    def where(self) -> str:
        return " AND ".join(piece.sql for piece in self.pieces if piece.sql)

    @property
    def columns(self) -> frozenset[str]:
        return frozenset(column for piece in self.pieces for column in piece.columns)

    def plan(self, count: int | None = None) -> Plan:
        calls = list(self.searches)
        if self.where or self.order_by:
            order = {"order_by": self.order_by} if self.order_by else {}
            calls.insert(0, Call(tool="sql_filter", arguments={"where": self.where, **order}))
        return Plan(act="recommend", count=count, calls=tuple(calls))

    def without(self, column: str) -> "Wish":
        order = "" if self.order_by.split(" ")[0] == column else self.order_by
        return replace(self, pieces=tuple(p for p in self.pieces if column not in p.columns), order_by=order)

    def plus(self, *pieces: Piece) -> "Wish":
        order = next((said.order_by for said in reversed(pieces) if said.order_by), self.order_by)
        return replace(self, pieces=(*self.pieces, *(said for said in pieces if said.sql)), order_by=order)


@dataclass
class Draft:
    """A message in the making: its text, the wish after it, what must be copied as it is, the titles it names."""

    kind: str
    text: str
    wish: Wish
    plan: Plan | None = None  # of an act that leaves the wish alone
    count: int | None = None
    kept: list[str] = field(default_factory=list)
    liked: list[int] = field(default_factory=list)
    disliked: list[int] = field(default_factory=list)
    tool: str = ""  # which takes the titles


def title_calls(draft: Draft, titles: dict[int, str]) -> list[Call]:
    liked, disliked = [titles[row] for row in draft.liked], [titles[row] for row in draft.disliked]
    if draft.tool == "cf_recommend":
        arguments = {name: named for name, named in (("liked", liked), ("disliked", disliked)) if named}
        return [Call(tool="cf_recommend", arguments=arguments)]
    key = "title" if draft.tool == "title_lookup" else "item_id"
    return [Call(tool=draft.tool, arguments={key: title}) for title in liked[:2]]


def joined(held: Call, new: Call) -> Call:
    """One cf_recommend call that names the titles of both."""
    names = ("liked", "disliked")
    return Call(
        tool=held.tool,
        arguments={n: both for n in names if (both := [*held.arguments.get(n, []), *new.arguments.get(n, [])][-5:])},
    )


def as_written(wish: Wish, kept: list[str], text: str) -> Wish:
    """The wish with copied words cased as the message has them."""
    for words in kept:
        start = text.lower().find(words.lower()) if words else -1
        if start < 0 or text[start : start + len(words)] == words:
            continue
        typed = text[start : start + len(words)]
        pieces = [replace(p, sql=p.sql.replace(f"'%{words}%'", f"'%{typed}%'")) for p in wish.pieces]
        searches = [
            Call(tool=c.tool, arguments={"query": typed}) if c.arguments.get("query") == words else c
            for c in wish.searches
        ]
        wish = replace(wish, pieces=tuple(pieces), searches=tuple(searches))
    return wish
