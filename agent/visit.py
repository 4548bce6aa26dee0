"""Who a browser is to the page, and what the server kept for it: a visit goes on where it was left."""

import re
import uuid
from dataclasses import dataclass, replace
from typing import Any

from agent.evidence import Pick, gather
from agent.memory import Feedback, Profile, Session
from agent.render import message, reply
from agent.server.service import Conversation, Service
from agent.server.store import Person
from tools.catalog import Catalog

PAGE = ":page"  # owner of what the page keeps; no key has such a name
NAME = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Visitor:
    """Two names that cannot be guessed, of a person and of the conversation they are in; the browser keeps both."""

    person: str
    talk: str

    @classmethod
    def of(cls, held: Any) -> "Visitor":
        """From what the browser kept; a new visitor where that is nothing of ours."""
        match held:
            case {"person": str() as person, "talk": str() as talk} if NAME.fullmatch(person) and NAME.fullmatch(talk):
                return cls(person, talk)
        return cls(uuid.uuid4().hex, uuid.uuid4().hex)

    def anew(self) -> "Visitor":
        """The same person in a new conversation."""
        return replace(self, talk=uuid.uuid4().hex)

    def conversation(self, service: Service) -> Conversation:
        """As it stands on disk, whichever tab wrote it. Raises StateError."""
        return service.open(PAGE, self.talk, Person.user(PAGE, self.person))

    def press(self, service: Service, item_id: str, feedback: str) -> Profile:
        """Note a press of a button; the profile after it. An item that is not in the catalog changes nothing."""
        person = Person.user(PAGE, self.person)
        profile = service.store.profile(person)
        if service.agent.catalog.row_of(item_id) is None:
            return profile
        word = meant(profile, item_id, feedback)
        return service.store.add_feedback(person, self.talk, item_id, word)[1]

    def forgotten(self, service: Service) -> "Visitor":
        """Somebody new, once all that was kept is erased."""
        service.erase(Person.user(PAGE, self.person))
        return Visitor.of(None)


def meant(profile: Profile, item_id: str, feedback: str) -> Feedback | None:
    """A press of like or dislike; the same again takes it back, and so does any other word."""
    if feedback == "like" and item_id not in profile.liked:
        return "like"
    if feedback == "dislike" and item_id not in profile.disliked:
        return "dislike"
    return None


def said_before(session: Session) -> list[Any]:
    """The chat of a conversation that goes on; its steps are not kept."""
    return [said for turn in session.exchanges for said in (message(turn.user), reply(turn.reply))]


def found_before(catalog: Catalog, session: Session) -> tuple[Pick, ...]:
    """The items that stood last, without their reasons."""
    items = next((turn.items for turn in reversed(session.exchanges) if turn.items), ())
    rows = [row for item in items if (row := catalog.row_of(item)) is not None]
    return tuple(gather(catalog, rows, [0.0] * len(rows), []))
