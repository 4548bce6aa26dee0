"""A conversation that its client keeps, read back into a Session, without running the model on any of it.

What the client sends are texts; a session also holds the plan and the items of every turn. They are had, in this
order, from the field `usher` that came with our reply, if the client sends it back; from memory, where the same texts
under the same owner were answered by this process; from the reply itself, which names its items by their titles.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from agent.memory import Exchange, Session
from agent.messages import SPECIAL
from agent.plan import Plan
from agent.pool import named_titles
from agent.server.formats import ChatMessage
from agent.server.problems import RefusedError
from agent.server.store import Person
from tools.catalog import Catalog
from tools.errors import ToolError
from tools.mentions import find_mentions
from tools.registry import find

READ = 4000  # characters of a reply that are read for titles
RECALLED = 4096  # turns of conversations that clients keep themselves


class Recall:
    """The newest turns of conversations that their clients keep, by what was said in them up to there.

    A client sends back texts; the plan and the items behind a reply of ours are found here. In memory and bounded: what
    is forgotten is read from the texts instead.
    """

    def __init__(self, most: int = RECALLED) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[str, Exchange]] = OrderedDict()

    @staticmethod
    def key(owner: str, said: Sequence[str]) -> str:
        """A digest of an owner and every text of a conversation, user's and ours in turn."""
        digest = hashlib.sha256(owner.encode())
        for text in said:
            digest.update(b"\0" + " ".join(text.split()).encode())
        return digest.hexdigest()

    def keep(self, key: str, whose: str, exchange: Exchange) -> None:
        with self._lock:
            self._kept[key] = (whose, exchange)
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def find(self, key: str) -> Exchange | None:
        with self._lock:
            return self._kept[key][1] if key in self._kept else None

    def forget(self, whose: str) -> None:
        with self._lock:
            for key in [key for key, (name, _) in self._kept.items() if name == whose]:
                del self._kept[key]


def last_of(messages: Sequence[ChatMessage]) -> str:
    """What is said now. Raises RefusedError."""
    last = messages[-1]
    if last.role != "user" or not last.text.strip():
        raise RefusedError(
            400, "messages: the last one must be the user's, with text in it", "messages", "invalid_messages"
        )
    return last.text


def replay(
    catalog: Catalog, recall: Recall, owner: str, messages: Sequence[ChatMessage]
) -> tuple[Session, str, list[str]]:
    """The session that all but the last message left, the last message, and all texts as `Recall.key` takes them.

    Messages of one side in a row are read as one. Raises RefusedError.
    """
    last_of(messages)
    sides: list[tuple[str, str, dict[str, Any] | None]] = []
    for message in messages:
        if message.role not in ("user", "assistant"):
            continue
        if sides and sides[-1][0] == message.role:
            role, text, turn = sides.pop()
            sides.append((role, f"{text}\n{message.text}", message.usher or turn))
        else:
            sides.append((message.role, message.text, message.usher))
    if sides[0][0] == "assistant":  # a greeting of the client's own
        sides.pop(0)
    session, said = Session(), list[str]()
    for (_, asked, _), (_, replied, turn) in zip(sides[:-1:2], sides[1:-1:2], strict=True):
        said += [asked, replied]
        exchange = (
            (_returned(catalog, asked, replied, turn) if turn is not None else None)
            or recall.find(Recall.key(owner, said))
            or _read(catalog, asked, replied)
        )
        liked, disliked = (
            named_titles(catalog, exchange.plan, name) if exchange.plan else [] for name in ("liked", "disliked")
        )
        session.remember(exchange, liked, disliked)
    return session, sides[-1][1], [*said, sides[-1][1]]


def _returned(catalog: Catalog, asked: str, replied: str, turn: dict[str, Any]) -> Exchange | None:
    """The turn as the client returns it; None where it is not one of ours, since clients may send anything."""
    items = turn.get("items")
    if not isinstance(items, list):
        return None
    ids = [item.get("item_id") for item in items if isinstance(item, dict)]
    try:
        plan = Plan.model_validate(turn.get("plan"))
        for call in plan.calls:
            find(call.tool).parse(call.arguments)
    except (ValidationError, ToolError):
        return None
    if SPECIAL.search(plan.text()):  # the planner reads it as its own last plan
        return None
    known = tuple(item for item in ids if isinstance(item, str) and catalog.row_of(item) is not None)
    return Exchange(user=asked, reply=replied, plan=plan, items=known)


def _read(catalog: Catalog, asked: str, replied: str) -> Exchange:
    """Only what the texts say: the items are the titles in the reply."""
    rows = dict.fromkeys(mention.row for mention in find_mentions(catalog, replied[:READ]))
    return Exchange(user=asked, reply=replied, items=tuple(str(catalog.ids[row]) for row in rows))


def whose(owner: str, person: Person | None) -> str:
    """Under what `Recall` keeps a client's turns."""
    return f"{owner}\n{person.name if person is not None else ''}"
