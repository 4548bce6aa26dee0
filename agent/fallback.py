"""A model server with the in-process model behind it: when the server is gone, turns go on, and their trace says so."""

import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from agent.llm import Engine, EngineUnavailableError, Request, Role, open_engine
from agent.settings import Settings

FAILURES = 2  # in a row, each after its own retries, that open the circuit
REST = 15.0  # seconds until one request tries the server again
LONGEST = 120.0  # of what a server's Retry-After adds to that


@dataclass
class Circuit:
    """A circuit breaker (Nygard, "Release It!", 2007). Closed: requests go to the server. Open: they don't, until it
    has rested and one may try (half open): what that one finds closes the circuit or opens it again.
    """

    clock: Callable[[], float] = time.monotonic
    _failures: int = 0
    _until: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def open(self) -> bool:
        return self._failures >= FAILURES

    def allows(self) -> bool:
        """Whether this request may try the server."""
        with self._lock:
            if not self.open:
                return True
            if self.clock() < self._until:
                return False
            self._until = self.clock() + REST  # one tries; the others wait for what it finds
            return True

    def succeeded(self) -> None:
        with self._lock:
            self._failures = 0

    def failed(self, retry_after: float = 0.0) -> None:
        """A server that says when to come back is left alone at once, and until then."""
        with self._lock:
            self._failures = FAILURES if retry_after else self._failures + 1
            self._until = self.clock() + max(REST, min(retry_after, LONGEST))


@dataclass
class Spare:
    """The engine that stands in; loaded when it is first needed."""

    load: Callable[[], Engine]
    _engine: Engine | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self) -> Engine:
        with self._lock:
            if self._engine is None:
                self._engine = self.load()
            return self._engine

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()


@dataclass
class FallbackEngine:
    """Raises EngineError for what the server refuses (a bad key, a bad request): standing in would hide that.

    A reply that breaks off after its first words raises EngineUnavailableError, since they may have been read; a plan,
    which nobody reads half, is begun anew by the spare. A role that the spare does not play is left to the plain ways
    of the turn: no words, no preference.
    """

    server: Engine
    spare: Spare
    circuit: Circuit = field(default_factory=Circuit)
    notes: list[str] = field(default_factory=list)

    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.server.name

    def noting(self, notes: list[str]) -> "FallbackEngine":
        """The same engine, whose remarks go into one turn's notes."""
        return replace(self, notes=notes)

    def stream(self, request: Request) -> Generator[str, None, None]:
        if self.circuit.allows():
            said = 0
            try:
                with closing(self._server_pieces(request)) as pieces:
                    for piece in pieces:
                        said += len(piece)
                        yield piece
            except EngineUnavailableError as error:
                self.circuit.failed(error.retry_after)
                if said:
                    raise
            else:
                self.circuit.succeeded()
                return
        spare = self._stand_in(request.role)
        if spare.plays(request.role):
            yield from spare.stream(request)

    def choose(self, request: Request, choices: Sequence[str]) -> list[float]:
        if self.circuit.allows():
            try:
                scores = self.server.choose(request, choices)
            except EngineUnavailableError as error:
                self.circuit.failed(error.retry_after)
            else:
                self.circuit.succeeded()
                return scores
        spare = self._stand_in(request.role)
        return spare.choose(request, choices) if spare.plays(request.role) else [float("-inf")] * len(choices)

    def trained(self, role: Role) -> bool:
        return self._now().trained(role)

    def plays(self, role: Role) -> bool:
        return self._now().plays(role)

    def close(self) -> None:
        self.server.close()
        self.spare.close()

    def _server_pieces(self, request: Request) -> Generator[str, None, None]:
        """A plan comes in one piece at the end, after empty ones at which its reader may stop it."""
        held = []
        pieces = self.server.stream(request)
        try:
            for piece in pieces:
                if request.grammar is None:
                    yield piece
                else:
                    held.append(piece)
                    yield ""
        finally:
            if isinstance(pieces, Generator):
                pieces.close()
        if held:
            yield "".join(held)

    def _now(self) -> Engine:
        """Who would answer a request that came now."""
        if self.circuit.open:
            return self.spare.get()
        try:
            self.server.trained("planner")
        except EngineUnavailableError as error:
            self.circuit.failed(error.retry_after)
            return self.spare.get()
        return self.server

    def _stand_in(self, role: Role) -> Engine:
        self.notes.append(f"{role}: the model server was away, the in-process model stood in")
        return self.spare.get()


def serving_engine(settings: Settings) -> Engine:
    """The engine of a server: with a model server named, the in-process model stands by. Raises EngineError."""
    engine = open_engine(settings)
    if not settings.llm_url:
        return engine
    return FallbackEngine(engine, Spare(lambda: open_engine(settings.model_copy(update={"llm_url": ""}))))
