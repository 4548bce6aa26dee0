"""The schema of the state, as a numbered list: a database is brought up to date from wherever it stands.

A migration that was released never changes; the next one is added below. Only SQL that SQLite and PostgreSQL both read.
"""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # A person is "user:ID" as a client names them, or "session:ID" where nobody is named. Profiles are JSON.
        "CREATE TABLE profiles (owner TEXT NOT NULL, person TEXT NOT NULL, body TEXT NOT NULL, updated TEXT NOT NULL,"
        " PRIMARY KEY (owner, person))",
        "CREATE TABLE sessions (owner TEXT NOT NULL, session TEXT NOT NULL, person TEXT NOT NULL, created TEXT NOT NULL,"
        " PRIMARY KEY (owner, session))",
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
