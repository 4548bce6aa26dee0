"""A conversation that its client keeps, read back into a Session, without running the model on any of it.

What the client sends are texts; a session also holds the plan and the items of every turn. They are had, in this order,
from the field `usher` that came with our reply, if the client sends it back; from memory, where the same texts under the
same owner were answered by this process; from the reply itself, which names its items by their titles.
"""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from agent.memory import Exchange, Session
from agent.plan import Plan
from agent.pool import named_titles
from agent.server.formats import ChatMessage
from agent.server.service import Recall
from tools.catalog import Catalog
from tools.errors import ToolError, UsherError
from tools.mentions import find_mentions
from tools.registry import find


class BadConversation(UsherError):
    """Messages that are no conversation; the message names the first that is wrong."""


def replay(
    catalog: Catalog, recall: Recall, owner: str, messages: Sequence[ChatMessage]
) -> tuple[Session, str, list[str]]:
    """The session that all but the last message left, the last message, and all texts as `Recall.key` takes them.

    Messages of one side in a row are read as one. Raises BadConversation.
    """
    sides: list[tuple[str, str, dict[str, Any] | None]] = []
    for message in messages:
        if message.role not in ("user", "assistant"):
            continue
        if sides and sides[-1][0] == message.role:
            role, text, turn = sides.pop()
            sides.append((role, f"{text}\n{message.text}", message.usher or turn))
        else:
            sides.append((message.role, message.text, message.usher))
    if sides and sides[0][0] == "assistant":  # a greeting of the client's own
        sides.pop(0)
    if not sides or sides[-1][0] != "user" or not sides[-1][1].strip():
        raise BadConversation("messages: the last one must be the user's, with text in it")
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
    known = tuple(item for item in ids if isinstance(item, str) and catalog.row_of(item) is not None)
    return Exchange(user=asked, reply=replied, plan=plan, items=known)


def _read(catalog: Catalog, asked: str, replied: str) -> Exchange:
    """Only what the texts say: the items are the titles in the reply."""
    rows = dict.fromkeys(mention.row for mention in find_mentions(catalog, replied))
    return Exchange(user=asked, reply=replied, items=tuple(str(catalog.ids[row]) for row in rows))
