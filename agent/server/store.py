"""What outlives the process: conversations, profiles and feedback, each under the owner whose key wrote it.

A profile belongs to a person. A client that names a user has one profile for all the user's conversations; a
conversation of nobody in particular has a profile of its own.
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.memory import Exchange, Feedback, Profile, Session
from agent.server.database import Cursor, Database, now


@dataclass(frozen=True)
class Person:
    """Whose profile it is. `owner` is the name on the API key (or a front's own name), so clients cannot meet."""

    owner: str
    name: str

    @classmethod
    def user(cls, owner: str, user: str) -> "Person":
        return cls(owner, f"user:{user}")

    @classmethod
    def session(cls, owner: str, session: str) -> "Person":
        return cls(owner, f"session:{session}")


class Store:
    """Every method is one transaction: when it returns, what it wrote is on disk. Raises StateError."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def answers(self) -> bool:
        return self.database.fetch("SELECT 1") == [(1,)]

    def profile(self, person: Person) -> Profile:
        """An empty one for a person nobody wrote about."""
        found = self.database.fetch(
            "SELECT body FROM profiles WHERE owner = ? AND person = ?", (person.owner, person.name)
        )
        return Profile.model_validate_json(found[0][0]) if found else Profile()

    def put_profile(self, person: Person, profile: Profile) -> None:
        with self.database.transaction() as cursor:
            _write_profile(cursor, person, profile)

    def person_of(self, owner: str, session: str) -> Person | None:
        """Whose conversation it is; None when there is none."""
        found = self.database.fetch("SELECT person FROM sessions WHERE owner = ? AND session = ?", (owner, session))
        return Person(owner, found[0][0]) if found else None

    def session(self, owner: str, session: str, person: Person) -> Session:
        """The conversation as it stands, with the person's profile; empty when it is new."""
        rows = self.database.fetch(
            "SELECT body FROM exchanges WHERE owner = ? AND session = ? ORDER BY position", (owner, session)
        )
        return Session([Exchange.model_validate_json(body) for (body,) in rows], self.profile(person))

    def add_exchange(self, person: Person, session: str, position: int, exchange: Exchange) -> None:
        """Keep a finished turn. Raises ConflictError when another request took this place in the conversation."""
        key = (person.owner, session)
        with self.database.transaction() as cursor:
            if not cursor.execute("SELECT 1 FROM sessions WHERE owner = ? AND session = ?", key).fetchall():
                cursor.execute("INSERT INTO sessions VALUES (?, ?, ?, ?)", (*key, person.name, now()))
            cursor.execute(
                "INSERT INTO exchanges VALUES (?, ?, ?, ?, ?)", (*key, position, exchange.model_dump_json(), now())
            )

    def note(self, person: Person, said: Sequence[tuple[str, Feedback | None]]) -> Profile:
        """Change likes and dislikes; None forgets an item. What others wrote meanwhile stays."""
        with self.database.transaction() as cursor:
            return _note(cursor, person, said)

    def add_feedback(
        self, person: Person, session: str | None, item: str, word: Feedback | None
    ) -> tuple[str, Profile]:
        """Keep one press of a button and what it did to the profile; gives the feedback's id and the profile."""
        made = uuid.uuid4().hex
        with self.database.transaction() as cursor:
            cursor.execute(
                "INSERT INTO feedback VALUES (?, ?, ?, ?, ?, ?, ?)",
                (made, person.owner, person.name, session, item, word or "forget", now()),
            )
            return made, _note(cursor, person, [(item, word)])

    def export(self, person: Person) -> dict[str, Any]:
        """Everything held about a person, as JSON."""
        key = (person.owner, person.name)
        sessions = self.database.fetch(
            "SELECT session, created FROM sessions WHERE owner = ? AND person = ? ORDER BY created", key
        )
        feedback = self.database.fetch(
            "SELECT session, item, word, created FROM feedback WHERE owner = ? AND person = ? ORDER BY created", key
        )
        return {
            "profile": self.profile(person).model_dump(),
            "sessions": [
                {"session_id": session, "created": created, "turns": self._turns(person.owner, session)}
                for session, created in sessions
            ],
            "feedback": [
                {"session_id": session, "item_id": item, "feedback": word, "created": created}
                for session, item, word, created in feedback
            ],
        }

    def _turns(self, owner: str, session: str) -> list[dict[str, Any]]:
        rows = self.database.fetch(
            "SELECT body, created FROM exchanges WHERE owner = ? AND session = ? ORDER BY position", (owner, session)
        )
        return [json.loads(body) | {"created": created} for body, created in rows]

    def erase(self, person: Person) -> int:
        """Everything about a person, out of the tables and out of the files; how many rows that were."""
        key = (person.owner, person.name)
        mine = "owner = ? AND person = ?"
        with self.database.transaction() as cursor:
            gone = cursor.execute(
                f"DELETE FROM exchanges WHERE owner = ? AND session IN (SELECT session FROM sessions WHERE {mine})",
                (person.owner, *key),
            ).rowcount
            for table in ("sessions", "feedback", "profiles"):
                gone += cursor.execute(f"DELETE FROM {table} WHERE {mine}", key).rowcount
        self.database.scrub()
        return int(gone)


def changes(before: Profile, after: Profile) -> list[tuple[str, Feedback | None]]:
    """What turns one profile into the other, as `Store.note` takes it."""
    said: list[tuple[str, Feedback | None]] = [
        (item, None) for item in (*before.liked, *before.disliked) if item not in (*after.liked, *after.disliked)
    ]
    said += [(item, "like") for item in after.liked if item not in before.liked]
    said += [(item, "dislike") for item in after.disliked if item not in before.disliked]
    return said


def _note(cursor: Cursor, person: Person, said: Sequence[tuple[str, Feedback | None]]) -> Profile:
    found = cursor.execute(
        "SELECT body FROM profiles WHERE owner = ? AND person = ?", (person.owner, person.name)
    ).fetchall()
    profile = Profile.model_validate_json(found[0][0]) if found else Profile()
    for item, word in said:
        if word is None:
            profile.forget(item)
        else:
            profile.note(item, word)
    _write_profile(cursor, person, profile)
    return profile


def _write_profile(cursor: Cursor, person: Person, profile: Profile) -> None:
    cursor.execute(
        "INSERT INTO profiles VALUES (?, ?, ?, ?)"
        " ON CONFLICT (owner, person) DO UPDATE SET body = excluded.body, updated = excluded.updated",
        (person.owner, person.name, profile.model_dump_json(), now()),
    )
