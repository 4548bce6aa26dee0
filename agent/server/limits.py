"""What bounds a turn: its place in the queue, its time, and a caller who may leave."""

import math
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from agent.fallback import FallbackEngine
from agent.llm import Engine, Request, Role
from tools.errors import UsherError

SMOOTHING = 0.2  # weight of the newest turn in the mean that waiting is reckoned from
NICE = 5  # niceness of the threads that do turns
POLL = 0.1  # seconds between two looks of a waiting turn at its watch
GRACE = 1.0  # seconds beyond its time that a turn gets to end by itself before its caller is told
LATE = "That took too long and was stopped; try again or ask for less."


class BusyError(UsherError):
    """Too many turns wait already; `retry_after` is when a place is likely, in whole seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many conversations at once; try again in {retry_after} s")
        self.retry_after = retry_after


class LateError(UsherError):
    """The turn's time was up."""


class LeftError(UsherError):
    """The caller went away; nobody reads the rest."""


@dataclass
class Watch:
    """One turn's limits and counts. `until` is on the monotonic clock; `left` may be set from any thread."""

    until: float
    left: threading.Event = field(default_factory=threading.Event)
    tokens: int = 0
    notes: list[str] = field(default_factory=list)  # what the engine has to say about this turn

    @property
    def patience(self) -> float:
        """Seconds that a caller waits for the next event: an engine may be stuck where it looks at no watch."""
        return max(0.0, self.until - time.monotonic()) + GRACE

    def check(self) -> None:
        """Raises LateError or LeftError."""
        if time.monotonic() > self.until:
            raise LateError(LATE)
        if self.left.is_set():
            raise LeftError("the caller went away")


def give_way() -> None:
    """Let this thread and those it starts run behind the one that answers requests: a refusal waits for no model.

    Only Linux has a niceness for every thread; elsewhere nothing changes.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


class WatchedEngine:
    """The engine as one turn sees it: between any two pieces of text the watch is looked at, and tokens are counted."""

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


class Gate:
    """The bounded queue before the model: so many turns run, so many wait in order, the next is refused at once.

    So is one that could not be done within its deadline (seconds), going by the turns before it and by those that run:
    when it comes, or as soon as that is seen.
    """

    def __init__(self, running: int, waiting: int, deadline: float = math.inf) -> None:
        self._lock = threading.Lock()
        self._most_running, self._most_waiting, self._deadline = running, waiting, deadline
        self._begun: dict[threading.Event, float] = {}  # the turns that run, by their tickets, and since when
        self._queue: deque[threading.Event] = deque()
        self._mean = 1.0  # seconds of a turn

    @property
    def running(self) -> int:
        return len(self._begun)

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def seen(self, seconds: float) -> None:
        """A turn took so long, alone, before anybody came."""
        with self._lock:
            self._mean = seconds

    def check(self) -> None:
        """Raises BusyError where a request that came now would be refused, before any work is done for it."""
        with self._lock:
            if self.running >= self._most_running and not self._has_room():
                raise self._busy()

    @contextmanager
    def place(self, watch: Watch) -> Iterator[None]:
        """Wait for a place, in the caller's thread. Raises BusyError, nearly always at once; LeftError or LateError."""
        ticket = self._enter()
        try:
            while not ticket.wait(POLL):
                watch.check()
                self._check_hope(ticket, watch)
        except UsherError:
            self._give_up(ticket)
            raise
        started = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._mean += SMOOTHING * (time.monotonic() - started - self._mean)
                self._hand_on(ticket)

    def _enter(self) -> threading.Event:
        """A ticket, set when its place is there."""
        ticket = threading.Event()
        with self._lock:
            if self.running < self._most_running:
                self._begin(ticket)
            elif self._has_room():
                self._queue.append(ticket)
            else:
                raise self._busy()
        return ticket

    def _has_room(self) -> bool:
        """Whether one more may wait. The lock is held."""
        return len(self._queue) < self._most_waiting and self._seconds_of(len(self._queue)) <= self._deadline

    def _check_hope(self, ticket: threading.Event, watch: Watch) -> None:
        """Raises BusyError for a turn that waits and could not be done in time any more."""
        with self._lock:
            if ticket in self._queue:
                seconds = self._seconds_of(self._queue.index(ticket))
                if time.monotonic() + seconds > watch.until:
                    raise self._busy()

    def _seconds_of(self, ahead: int) -> float:
        """How long it takes until a turn is done before which so many wait. The lock is held."""
        return ((ahead + 1) / self._most_running + 1) * self._turn_seconds()

    def _turn_seconds(self) -> float:
        """The mean of the turns before, or what one of those that run has taken already. The lock is held."""
        now = time.monotonic()
        return max([self._mean, *(now - begun for begun in self._begun.values())])

    def _busy(self) -> BusyError:
        ahead = len(self._queue) + self.running
        return BusyError(max(1, math.ceil(ahead * self._turn_seconds() / self._most_running)))

    def _give_up(self, ticket: threading.Event) -> None:
        """Leave the queue; a place that came in the same moment goes to the next."""
        with self._lock:
            if ticket in self._queue:
                self._queue.remove(ticket)
            else:
                self._hand_on(ticket)

    def _begin(self, ticket: threading.Event) -> None:
        self._begun[ticket] = time.monotonic()
        ticket.set()

    def _hand_on(self, ticket: threading.Event) -> None:
        """Give a turn's place to whoever waits longest. The lock is held."""
        del self._begun[ticket]
        if self._queue:
            self._begin(self._queue.popleft())
