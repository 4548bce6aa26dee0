"""What bounds a turn: its place in the queue, its time, and a caller who may leave."""

import gc
import math
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from agent.fallback import FallbackEngine
from agent.llm import Engine, Request, Role
from tools.errors import UsherError

SMOOTHING = 0.2  # weight of the newest turn in the mean that waiting is reckoned from
NICE = 5  # niceness of the threads that do turns
MARGIN = 1.5  # of the time a turn is reckoned to take: turns differ, and who waits is to be answered
POLL = 0.1  # seconds between two looks of a waiting turn at its watch
GRACE = 1.0  # seconds beyond its time that a turn gets to end by itself before its caller is told
LEFT = "the caller went away"
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


@dataclass(eq=False)
class Ticket:
    """Of a turn that waits or runs. `taken` when a turn's thread holds it, and no longer the request."""

    called: threading.Event = field(default_factory=threading.Event)
    taken: bool = False


@dataclass
class Watch:
    """One turn's limits and counts. `until` is on the monotonic clock; `left` may be set from any thread."""

    until: float
    ticket: Ticket | None = None  # of a place that its request has reserved
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
            raise LeftError(LEFT)


def give_way() -> None:
    """Let this thread and those it starts run behind the one that answers requests: a refusal waits for no model.

    Only Linux has a niceness for every thread; elsewhere nothing changes.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


def settle() -> None:
    """Take what is loaded by now out of the collector's sight: each of its full rounds over a catalog's half million
    objects would leave everybody unanswered for 0.3 s.
    """
    gc.collect()
    gc.freeze()


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

    So is one that might not be done within its deadline (seconds), going by the turns before it and by those that run.
    `running` is asked each time: it changes when a model server goes away and comes back.
    """

    def __init__(self, running: Callable[[], int], waiting: int, deadline: float = math.inf) -> None:
        self._lock = threading.Lock()
        self._most_running, self._most_waiting, self._deadline = running, waiting, deadline
        self._begun: dict[Ticket, float] = {}  # the turns that run, and since when
        self._queue: deque[Ticket] = deque()
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

    @contextmanager
    def reserved(self) -> Iterator[Ticket]:
        """A ticket for a turn that is still to begin, before any work is done for it; of many that come at once no more
        get one than have room. Given back at the end unless the turn has begun. Raises BusyError, at once.
        """
        ticket = self._enter()
        try:
            yield ticket
        finally:
            with self._lock:
                if not ticket.taken:
                    self._leave(ticket)

    @contextmanager
    def place(self, watch: Watch) -> Iterator[None]:
        """Wait for a place, in the turn's thread, with the watch's ticket or a new one.

        Raises BusyError: at once, or in the rare case that those before took so long that nothing can be done any more;
        LeftError.
        """
        ticket = watch.ticket or self._enter()
        with self._lock:
            if ticket not in self._begun and ticket not in self._queue:
                raise LeftError("the request ended before its turn began")
            ticket.taken = True
        started = math.nan
        try:
            while not ticket.called.wait(POLL):
                self._check_hope(watch)
            started = time.monotonic()
            yield
        finally:
            with self._lock:
                if not math.isnan(started):
                    self._mean += SMOOTHING * (time.monotonic() - started - self._mean)
                self._leave(ticket)

    def _enter(self) -> Ticket:
        """A ticket, called when its place is there."""
        ticket = Ticket()
        with self._lock:
            if self.running >= self._most_running() and not self._has_room():
                raise self._busy()
            self._queue.append(ticket)
            self._advance()
        return ticket

    def _has_room(self) -> bool:
        """Whether one more may wait. The lock is held."""
        waiting, most = len(self._queue), self._most_running()
        ahead = waiting + max(0, self.running - most)
        turns = (ahead + 1) / most + 1  # one after the other, its own included
        return waiting < self._most_waiting and turns * self._turn_seconds() * MARGIN <= self._deadline

    def _check_hope(self, watch: Watch) -> None:
        """Raises LeftError, and BusyError for a turn that could not be done in time if it began now."""
        if watch.left.is_set():
            raise LeftError(LEFT)
        with self._lock:
            if time.monotonic() + self._mean > watch.until:
                raise self._busy()

    def _turn_seconds(self) -> float:
        """The mean of the turns before, or what one of those that run has taken already. The lock is held."""
        now = time.monotonic()
        return max([self._mean, *(now - begun for begun in self._begun.values())])

    def _busy(self) -> BusyError:
        ahead = len(self._queue) + self.running
        return BusyError(max(1, math.ceil(ahead * self._turn_seconds() / self._most_running())))

    def _leave(self, ticket: Ticket) -> None:
        """Out of the queue, or its place to whoever waits longest. The lock is held."""
        if self._begun.pop(ticket, None) is None and ticket in self._queue:
            self._queue.remove(ticket)
        self._advance()

    def _advance(self) -> None:
        """Begin as many as have a place. The lock is held."""
        while self._queue and self.running < self._most_running():
            ticket = self._queue.popleft()
            self._begun[ticket] = time.monotonic()
            ticket.called.set()
