"""A model server with the in-process model behind it: when the server is gone, turns go on, and their trace says so."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from agent.llm import Engine, EngineUnavailable, Request, Role, open_engine
from agent.settings import Settings

FAILURES = 2  # in a row, each after its own retries, that open the circuit
REST = 15.0  # seconds until one request tries the server again


@dataclass
class Circuit:
    """Closed: requests go to the server. Open: they don't, until `REST` has passed and one may try (half open)."""

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

    def failed(self) -> None:
        with self._lock:
            self._failures += 1
            self._until = self.clock() + REST


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


@dataclass(frozen=True)
class FallbackEngine:
    """Raises EngineError for what the server refuses (a bad key, a bad request): standing in would hide that.

    A stream that breaks after its first piece is begun anew only if it is a plan, which nobody reads half.
    """

    server: Engine
    spare: Spare
    circuit: Circuit = field(default_factory=Circuit)
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.server.name

    def noting(self, notes: list[str]) -> "FallbackEngine":
        """The same engine, whose remarks go into one turn's notes."""
        return replace(self, notes=notes)

    def stream(self, request: Request) -> Iterator[str]:
        if self.circuit.allows():
            begun = False
            try:
                if request.grammar is not None:
                    pieces: Iterator[str] = iter(list(self.server.stream(request)))
                else:
                    pieces = self.server.stream(request)
                for piece in pieces:
                    begun = True
                    yield piece
                self.circuit.succeeded()
                return
            except EngineUnavailable:
                self.circuit.failed()
                if begun:
                    raise
        self._note(request.role)
        yield from self.spare.get().stream(request)

    def choose(self, request: Request, choices: Sequence[str]) -> list[float]:
        if self.circuit.allows():
            try:
                scores = self.server.choose(request, choices)
            except EngineUnavailable:
                self.circuit.failed()
            else:
                self.circuit.succeeded()
                return scores
        self._note(request.role)
        return self.spare.get().choose(request, choices)

    def trained(self, role: Role) -> bool:
        return self._now().trained(role)

    def plays(self, role: Role) -> bool:
        return self._now().plays(role)

    def close(self) -> None:
        self.server.close()
        self.spare.close()

    def _now(self) -> Engine:
        """Who would answer a request that came now."""
        if self.circuit.open:
            return self.spare.get()
        try:
            self.server.trained("planner")
        except EngineUnavailable:
            self.circuit.failed()
            return self.spare.get()
        return self.server

    def _note(self, role: Role) -> None:
        self.notes.append(f"{role}: the model server was away, the in-process model stood in")


def serving_engine(settings: Settings) -> Engine:
    """The engine of a server: with a model server named, the in-process model stands by. Raises EngineError."""
    engine = open_engine(settings)
    if not settings.llm_url:
        return engine
    return FallbackEngine(engine, Spare(lambda: open_engine(settings.model_copy(update={"llm_url": ""}))))


