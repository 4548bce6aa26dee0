"""What a conversation and a person's profile hold, and how a turn changes them."""

from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agent.plan import Plan

Feedback = Literal["like", "dislike"]


class Exchange(BaseModel):
    """One message and what came of it; `items` are the ids shown, best first."""

    model_config = ConfigDict(frozen=True)

    user: str
    reply: str
    plan: Plan | None = None
    items: tuple[str, ...] = ()


class Profile(BaseModel):
    """A person's likes and dislikes by item id, oldest first; one item is never in both."""

    liked: list[str] = []
    disliked: list[str] = []

    def note(self, item_id: str, feedback: Feedback) -> None:
        """A later word on the same item replaces the earlier one."""
        self.forget(item_id)
        (self.liked if feedback == "like" else self.disliked).append(item_id)

    def forget(self, item_id: str) -> None:
        for items in (self.liked, self.disliked):
            if item_id in items:
                items.remove(item_id)


@dataclass
class Session:
    """One conversation. It belongs to one person and one front at a time; nothing in it is shared."""

    exchanges: list[Exchange] = field(default_factory=list)
    profile: Profile = field(default_factory=Profile)

    @property
    def shown(self) -> set[str]:
        """Every item this conversation has shown."""
        return {item for exchange in self.exchanges for item in exchange.items}

    @property
    def last(self) -> Exchange | None:
        return self.exchanges[-1] if self.exchanges else None

    def remember(self, exchange: Exchange, liked: list[str], disliked: list[str]) -> None:
        """Keep a finished turn, and what its plan said the person likes and dislikes."""
        self.exchanges.append(exchange)
        for item in liked:
            self.profile.note(item, "like")
        for item in disliked:
            self.profile.note(item, "dislike")
