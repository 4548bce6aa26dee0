"""The bounded queue in front of the model: so many turns run, so many wait in order, and the next is refused at once."""

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import asynccontextmanager, contextmanager

from tools.errors import UsherError

SMOOTHING = 0.2  # weight of the newest turn in the mean that Retry-After is reckoned from


class Busy(UsherError):
    """Too many turns wait already; `retry_after` is when a place is likely, in whole seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many conversations at once; try again in {retry_after} s")
        self.retry_after = retry_after


class Late(UsherError):
    """The turn's time was up."""


class Gate:
    """Shared by the page's threads and the server's event loop."""

    def __init__(self, running: int, waiting: int) -> None:
        self._lock = threading.Lock()
        self._most_running, self._most_waiting = running, waiting
        self._running = 0
        self._queue: deque[Future[None]] = deque()
        self._mean = 1.0  # seconds of a turn

    @property
    def running(self) -> int:
        return self._running

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def check(self) -> None:
        """Raises Busy where a request that came now would be refused, before any work is done for it."""
        with self._lock:
            if self._running >= self._most_running and len(self._queue) >= self._most_waiting:
                raise self._busy()

    @contextmanager
    def place(self, patience: float) -> Iterator[None]:
        """For a thread. Raises Busy at once, Late after `patience` seconds of waiting."""
        ticket = self._enter()
        try:
            ticket.result(timeout=patience)
        except FutureTimeout as error:
            raise self._give_up(ticket) from error
        with self._held():
            yield

    @asynccontextmanager
    async def place_async(self, patience: float) -> AsyncIterator[None]:
        """The same for the event loop."""
        ticket = self._enter()
        try:
            await asyncio.wait_for(asyncio.wrap_future(ticket), patience)
        except (TimeoutError, asyncio.CancelledError) as error:
            late = self._give_up(ticket)
            if isinstance(error, TimeoutError):
                raise late from error
            raise
        with self._held():
            yield

    def _enter(self) -> Future[None]:
        ticket: Future[None] = Future()
        with self._lock:
            if self._running < self._most_running:
                self._running += 1
                ticket.set_result(None)
            elif len(self._queue) < self._most_waiting:
                self._queue.append(ticket)
            else:
                raise self._busy()
        return ticket

    def _busy(self) -> Busy:
        ahead = len(self._queue) + self._running
        return Busy(max(1, math.ceil(ahead * self._mean / self._most_running)))

    def _give_up(self, ticket: Future[None]) -> Late:
        """Leave the queue; a place that came in the same moment goes to the next."""
        if ticket.cancel():
            with self._lock:
                if ticket in self._queue:
                    self._queue.remove(ticket)
        else:
            self._leave()
        return Late("the turn waited too long for its place; try again")

    @contextmanager
    def _held(self) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._mean += SMOOTHING * (time.monotonic() - started - self._mean)
            self._leave()

    def _leave(self) -> None:
        """Hand the place to whoever waits longest."""
        with self._lock:
            while self._queue:
                ticket = self._queue.popleft()
                if ticket.set_running_or_notify_cancel():
                    ticket.set_result(None)
                    return
            self._running -= 1
