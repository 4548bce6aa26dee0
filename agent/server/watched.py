"""The engine as one turn sees it: its time is bounded, its caller may leave, its tokens are counted."""

import threading
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

from agent.fallback import FallbackEngine
from agent.llm import Engine, Request, Role
from agent.server.gate import Late
from tools.errors import UsherError


class Left(UsherError):
    """The caller went away; nobody reads the rest."""


@dataclass
class Watch:
    """One turn's limits and counts. `until` is on the monotonic clock; `left` may be set from any thread."""

    until: float
    left: threading.Event = field(default_factory=threading.Event)
    tokens: int = 0
    notes: list[str] = field(default_factory=list)  # what the engine has to say about this turn

    def check(self) -> None:
        """Raises Left or Late."""
        if self.left.is_set():
            raise Left("the caller went away")
        if time.monotonic() > self.until:
            raise Late("the turn took too long and was stopped; try again or ask for less")


class WatchedEngine:
    """Between any two pieces of text the watch is looked at; a turn that is over stops the model."""

    def __init__(self, engine: Engine, watch: Watch) -> None:
        self.name = engine.name
        self._engine = engine.noting(watch.notes) if isinstance(engine, FallbackEngine) else engine
        self._watch = watch

    def stream(self, request: Request) -> Iterator[str]:
        self._watch.check()
        pieces = self._engine.stream(request)
        try:
            for piece in pieces:
                self._watch.tokens += 1
                yield piece
                self._watch.check()
        finally:
            if isinstance(pieces, Generator):
                pieces.close()

    def choose(self, request: Request, choices: Sequence[str]) -> list[float]:
        self._watch.check()
        self._watch.tokens += 1
        return self._engine.choose(request, choices)

    def trained(self, role: Role) -> bool:
        return self._engine.trained(role)

    def plays(self, role: Role) -> bool:
        return self._engine.plays(role)

    def close(self) -> None:
        """The engine is everyone's; a turn does not close it."""
