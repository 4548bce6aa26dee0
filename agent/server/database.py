"""SQLite or PostgreSQL behind one small interface: transactions, and making sure that what was deleted is gone.

SQL is written with `?` and kept to what both read. An acknowledged transaction is on disk: SQLite syncs its log at
every commit (WAL, synchronous FULL), PostgreSQL does so by default.
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from tools.errors import UsherError

PATIENCE = 5.0  # seconds to wait for another process's write
# The schema: a database is brought up to date from wherever it stands. A migration that was released never changes; the
# next one is added below. Only SQL that SQLite and PostgreSQL both read.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # A person is "user:ID" as a client names them, or "session:ID" where nobody is named. Profiles are JSON.
        "CREATE TABLE profiles (owner TEXT NOT NULL, person TEXT NOT NULL, body TEXT NOT NULL, updated TEXT NOT NULL,"
        " PRIMARY KEY (owner, person))",
        "CREATE TABLE sessions (owner TEXT NOT NULL, session TEXT NOT NULL, person TEXT NOT NULL,"
        " created TEXT NOT NULL, PRIMARY KEY (owner, session))",
        "CREATE TABLE exchanges (owner TEXT NOT NULL, session TEXT NOT NULL, position INTEGER NOT NULL,"
        " body TEXT NOT NULL, created TEXT NOT NULL, PRIMARY KEY (owner, session, position))",
        "CREATE TABLE feedback (id TEXT PRIMARY KEY, owner TEXT NOT NULL, person TEXT NOT NULL, session TEXT,"
        " item TEXT NOT NULL, word TEXT NOT NULL, created TEXT NOT NULL)",
    ),
    (
        "CREATE TABLE keys (id TEXT PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL UNIQUE, scopes TEXT NOT NULL,"
        " created TEXT NOT NULL, revoked TEXT)",
    ),
    (
        "CREATE INDEX sessions_of_person ON sessions (owner, person)",
        "CREATE INDEX feedback_of_person ON feedback (owner, person)",
    ),
)


class StateError(UsherError):
    """The state cannot be opened, read or written."""


class ConflictError(StateError):
    """Another request wrote the same row first."""


class Cursor(Protocol):
    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Any: ...


class Database(Protocol):
    """`transaction` commits when its block ends, and undoes everything when it raises. Shared by threads."""

    def transaction(self) -> Any: ...

    def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...

    def scrub(self) -> None:
        """Overwrite what deleted rows left in the files."""

    def close(self) -> None: ...


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def open_database(where: str) -> Database:
    """Opened and brought up to date. Raises StateError."""
    database: Database = Postgres(where) if "://" in where else SQLite(Path(where).expanduser())
    migrate(database)
    return database


def migrate(database: Database) -> None:
    """Run the migrations that are missing, each in one transaction. Raises StateError for a newer schema than ours."""
    with database.transaction() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, applied TEXT NOT NULL)")
    while True:
        with database.transaction() as cursor:  # one at a time: the transaction holds the write lock
            done = int(cursor.execute("SELECT coalesce(max(version), 0) FROM migrations").fetchall()[0][0])
            if done > len(MIGRATIONS):
                raise StateError(f"the state has schema {done}, newer than this Usher knows ({len(MIGRATIONS)})")
            if done == len(MIGRATIONS):
                return
            for statement in MIGRATIONS[done]:
                cursor.execute(statement)
            cursor.execute("INSERT INTO migrations VALUES (?, ?)", (done + 1, now()))


class SQLite:
    """One connection, one writer at a time; readers of other processes are never blocked (WAL)."""

    def __init__(self, file: Path) -> None:
        self._lock = threading.RLock()
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file.touch(mode=0o600)
            self._connection = sqlite3.connect(
                file, timeout=PATIENCE, isolation_level=None, check_same_thread=False, cached_statements=64
            )
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA secure_delete = ON")
        except (sqlite3.Error, OSError) as error:
            raise StateError(f"{file}: the state cannot be opened ({error})") from error

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
            except sqlite3.IntegrityError as error:
                raise ConflictError(f"the state was written by another request ({error})") from error
            except sqlite3.Error as error:
                raise StateError(f"the state cannot be written ({error})") from error

    def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._connection.execute(sql, parameters).fetchall()
            except sqlite3.Error as error:
                raise StateError(f"the state cannot be read ({error})") from error

    def scrub(self) -> None:
        with self._lock:
            try:
                self._connection.execute("VACUUM")
                busy, *_ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.Error as error:
                raise StateError(f"the state cannot be scrubbed ({error}); try again") from error
            if busy:
                raise StateError("the state cannot be scrubbed: another process reads it; try again")

    def close(self) -> None:
        with self._lock:
            self._connection.close()


class Postgres:
    """One connection, opened again after it broke; needs the extra `scale`."""

    TABLES = ("profiles", "sessions", "exchanges", "feedback")
    ADVISORY = 7_860_786  # one migration at a time, whichever server starts first

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.RLock()
        self._open: Any = None
        self._connection()

    def _connection(self) -> Any:
        try:
            import psycopg
        except ModuleNotFoundError as error:
            raise StateError("PostgreSQL needs psycopg; run: pip install 'usher-recommender[scale]'") from error
        if self._open is None or self._open.closed or self._open.broken:
            try:
                self._open = psycopg.connect(self._url, autocommit=True, connect_timeout=int(PATIENCE))
            except psycopg.Error as error:
                reason = " ".join(str(error).split()[:20])
                raise StateError(f"PostgreSQL cannot be reached ({reason})") from error
        return self._open

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        with self._lock:
            import psycopg

            connection = self._connection()
            try:
                with connection.transaction(), connection.cursor() as cursor:
                    cursor.execute("SELECT pg_advisory_xact_lock(%s)", (self.ADVISORY,))
                    yield _Translated(cursor)
            except psycopg.errors.IntegrityError as error:
                raise ConflictError("the state was written by another request") from error
            except psycopg.Error as error:
                raise StateError(f"the state cannot be written ({type(error).__name__})") from error

    def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            import psycopg

            try:
                with self._connection().cursor() as cursor:
                    return list(_Translated(cursor).execute(sql, parameters).fetchall())
            except psycopg.Error as error:
                raise StateError(f"the state cannot be read ({type(error).__name__})") from error

    def scrub(self) -> None:
        with self._lock:
            for table in self.TABLES:
                self._connection().execute(f"VACUUM FULL {table}")

    def close(self) -> None:
        with self._lock:
            if self._open is not None:
                self._open.close()


class _Translated:
    """psycopg writes placeholders as %s."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        return self._cursor.execute(sql.replace("?", "%s"), parameters)
