"""API keys: who may call, and what. A key is shown once; the state holds its SHA-256 alone.

A key is 256 random bits, so a plain hash is enough: there is nothing to guess and nothing to slow down.
"""

import hashlib
import re
import secrets
import time
from dataclasses import dataclass
from typing import Literal, get_args

from agent.server.database import Database, now
from tools.errors import UsherError

Scope = Literal["chat", "tools", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
REMEMBERED = 2.0  # seconds a key that was looked up is not looked up again; a revoked one works no longer than that
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
MOST = 4096  # keys remembered at once


@dataclass(frozen=True)
class Caller:
    """Whoever sent a request. `owner` names the client whose conversations and profiles these are."""

    owner: str
    key: str
    scopes: frozenset[str]

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or "admin" in self.scopes


@dataclass(frozen=True)
class Key:
    """A key as it is listed: never the key itself."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created: str
    revoked: str | None


class Keys:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: dict[str, tuple[float, Caller | None]] = {}

    def add(self, name: str, scopes: tuple[str, ...]) -> str:
        """A new key, to be handed over now: it cannot be shown again. Raises UsherError for an unknown scope."""
        unknown = [scope for scope in scopes if scope not in SCOPES]
        if unknown or not scopes:
            raise UsherError(f"a key has scopes out of: {', '.join(SCOPES)}")
        if not NAME.fullmatch(name):
            raise UsherError("a key's name has up to 64 letters, digits, dots, hyphens and underscores")
        key = f"usher_{secrets.token_urlsafe(32)}"
        with self._database.transaction() as cursor:
            cursor.execute(
                "INSERT INTO keys VALUES (?, ?, ?, ?, ?, NULL)",
                (secrets.token_hex(4), name, _digest(key), ",".join(scopes), now()),
            )
        return key

    def list(self) -> list[Key]:
        rows = self._database.fetch("SELECT id, name, scopes, created, revoked FROM keys ORDER BY created")
        return [Key(id_, name, tuple(scopes.split(",")), made, gone) for id_, name, scopes, made, gone in rows]

    def revoke(self, key_id: str) -> None:
        """Raises UsherError when there is no such key, or it is revoked already."""
        with self._database.transaction() as cursor:
            changed = cursor.execute(
                "UPDATE keys SET revoked = ? WHERE id = ? AND revoked IS NULL", (now(), key_id)
            ).rowcount
        if not changed:
            raise UsherError(f"no key {key_id!r} that is in use; see: usher keys list")

    def any(self) -> bool:
        """Whether there is a key that is in use."""
        return bool(self._database.fetch("SELECT 1 FROM keys WHERE revoked IS NULL LIMIT 1"))

    def caller(self, key: str) -> Caller | None:
        """None for a key that was never given out, or is revoked."""
        digest = _digest(key)
        until, caller = self._seen.get(digest, (0.0, None))
        if time.monotonic() < until:
            return caller
        rows = self._database.fetch("SELECT id, name, scopes FROM keys WHERE digest = ? AND revoked IS NULL", (digest,))
        caller = Caller(rows[0][1], rows[0][0], frozenset(rows[0][2].split(","))) if rows else None
        if len(self._seen) >= MOST:
            self._seen.clear()
        self._seen[digest] = (time.monotonic() + REMEMBERED, caller)
        return caller


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
