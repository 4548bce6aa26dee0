"""What every front of the server shares, and the one way a turn is run for people: bounded, counted, remembered."""

import asyncio
import dataclasses
import logging
import queue
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field

from agent.events import Done, Event
from agent.fallback import FallbackEngine
from agent.loop import Agent, run_turn
from agent.memory import Profile, Session
from agent.messages import MESSAGE
from agent.server.conversation import Recall, whose
from agent.server.database import ConflictError
from agent.server.limits import GRACE, LATE, Gate, LateError, Ticket, Watch, WatchedEngine, give_way, settle
from agent.server.problems import SLOW, RefusedError
from agent.server.store import Person, Store, changes
from agent.server.tokens import Counter
from agent.server.watching import Metrics, log, turn_span
from tools.errors import ToolError, UsherError
from tools.text import HALF, is_text

IN_PROCESS, ON_SERVER = 2, 32  # turns side by side: a model in process answers one at a time, a server batches
AGAIN = 5.0  # seconds until a model that could not be warmed is tried again

Item = Event | BaseException | None  # what a turn's thread hands over


@dataclass
class Conversation:
    """Where a turn belongs. Without a session id the client keeps the conversation; without a person nobody's profile
    changes.
    """

    session: Session
    owner: str
    person: Person | None = None
    session_id: str | None = None


@dataclass(eq=False)
class _Turn:
    conversation: Conversation
    watch: Watch

    def is_in(self, owner: str, session_id: str | None) -> bool:
        held = self.conversation
        return session_id is not None and (held.owner, held.session_id) == (owner, session_id)


@dataclass
class Service:
    """Shared by the page, the HTTP paths and MCP; opened once."""

    agent: Agent
    store: Store
    gate: Gate
    metrics: Metrics
    counter: Counter
    recall: Recall = field(default_factory=Recall)
    warmed: bool = False
    _turns: list["_Turn"] = field(default_factory=list)  # that run or wait
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _keeping: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, agent: Agent, store: Store) -> "Service":
        gate = Gate(lambda: turns_at_once(agent), agent.settings.waiting, agent.settings.deadline)
        return cls(agent, store, gate, Metrics.of(gate), Counter(agent.engine))

    def warm(self) -> None:
        """Load the model, its grammar and the embeddings, as often as it takes; /readyz says no until then.

        A turn about the best known item comes last: the queue knows from it how long one takes.
        """
        give_way()
        while not self.warmed:
            try:
                self.agent.warm()
                started = time.monotonic()
                list(run_turn(self.agent, Session(), f"something like {self.agent.catalog.titles[0]}"))
            except UsherError as error:
                log("model_away", logging.ERROR, error)
                time.sleep(AGAIN)
            else:
                self.gate.seen(time.monotonic() - started)
                settle()
                self.warmed = True

    def watch(self, ticket: Ticket | None = None) -> Watch:
        """A turn that starts now: its time runs while it waits, too."""
        return Watch(time.monotonic() + self.agent.settings.deadline, ticket)

    def open(self, owner: str, session_id: str, person: Person | None = None) -> Conversation:
        """A conversation on the server: it belongs to whoever began it. Raises RefusedError, for another person's."""
        held = self.store.person_of(owner, session_id)
        if held is not None and person is not None and held != person:
            raise RefusedError(409, "session_id: this conversation was begun by another user", "session_id", "conflict")
        person = held or person or Person.session(owner, session_id)
        return Conversation(self.store.session(owner, session_id, person), owner, person, session_id)

    def turn(self, conversation: Conversation, text: str, watch: Watch) -> Generator[Event, None, None]:
        """One turn, in the thread of whoever asks. Done comes after everything is on disk.

        Raises BusyError, LateError, LeftError, ConflictError, EngineError, StateError, or RefusedError for a long text.
        """
        self.check_text(text)
        self._check_room(conversation)
        agent = dataclasses.replace(self.agent, engine=WatchedEngine(self.agent.engine, watch))
        before = conversation.session.profile.model_copy(deep=True)
        if cut := cut_note(text):
            watch.notes.append(cut)
        ended: Done | None = None
        with (
            self._alone(conversation, watch),
            self.gate.place(watch),
            turn_span() as span,
            self.metrics.counting(watch) as count,
            _no_fault_of_callers(),
            closing(run_turn(agent, conversation.session, text)) as events,
        ):
            for event in events:
                watch.check()
                if isinstance(event, Done):
                    self._keep(conversation, watch, before)
                    ended = dataclasses.replace(event, notes=(*event.notes, *watch.notes))
                    span(ended)
                    count(ended)
                else:
                    span(event)
                    yield event
        if ended is not None:  # the conversation is free again when its caller reads this
            yield ended

    def check_text(self, text: str) -> None:
        """Raises RefusedError for a message that is too long, or no text."""
        if not is_text(text):
            raise RefusedError(400, HALF, "messages", "no_text")
        most = self.agent.settings.message_limit
        if len(text) > most:
            raise RefusedError(
                400, f"a message has {len(text):,} characters; it may have {most:,}", "messages", "too_long"
            )

    def _check_room(self, conversation: Conversation) -> None:
        most = self.agent.settings.history_limit // 2
        if conversation.session_id is not None and len(conversation.session.exchanges) >= most:
            problem = f"this conversation has its {most} turns; begin a new one"
            raise RefusedError(400, problem, "session_id", "too_many")

    def stop(self, owner: str, session_id: str) -> None:
        """Stop the turn that runs in a conversation, if one does, as if its caller had gone away."""
        with self._lock:
            for turn in self._turns:
                if turn.is_in(owner, session_id):
                    turn.watch.left.set()

    def erase(self, person: Person) -> int:
        """Everything about a person, for good: a turn of theirs that still runs keeps nothing. How many rows."""
        with self._keeping:
            with self._lock:
                for turn in self._turns:
                    if turn.conversation.person == person:
                        turn.watch.left.set()
            gone = self.store.erase(person)
        self.recall.forget(whose(person.owner, person))
        return gone

    def _keep(self, conversation: Conversation, watch: Watch, before: Profile) -> None:
        session, person = conversation.session, conversation.person
        with self._keeping:
            watch.check()
            if conversation.session_id is not None and person is not None:
                last = len(session.exchanges) - 1
                self.store.add_exchange(person, conversation.session_id, last, session.exchanges[last])
            if person is not None and (said := changes(before, session.profile)):
                self.store.note(person, said)

    @contextmanager
    def _alone(self, conversation: Conversation, watch: Watch) -> Iterator[None]:
        """One turn at a time in a conversation. Raises ConflictError."""
        mine = _Turn(conversation, watch)
        with self._lock:
            if any(turn.is_in(conversation.owner, conversation.session_id) for turn in self._turns):
                raise ConflictError("a turn of this conversation is still running; wait for its reply")
            self._turns.append(mine)
        try:
            yield
        finally:
            with self._lock:
                self._turns = [turn for turn in self._turns if turn is not mine]


@contextmanager
def _no_fault_of_callers() -> Iterator[None]:
    """What a tool refuses is part of the turn; a query that outlasts its time, as on a busy machine, is not."""
    try:
        yield
    except ToolError as error:
        log("catalog_slow", logging.ERROR, error)
        raise RefusedError(503, SLOW, code="catalog_away", retry_after=2) from error


def turns_at_once(agent: Agent) -> int:
    """As the settings say; never more than a model in process can do while it stands in for its server."""
    told = agent.settings.turns_at_once
    if isinstance(agent.engine, FallbackEngine) and agent.engine.circuit.open:
        return min(told or IN_PROCESS, IN_PROCESS)
    return told or (ON_SERVER if agent.settings.llm_url else IN_PROCESS)


def cut_note(text: str) -> str:
    """That the planner does not read all of a message; empty when it does."""
    length = len(" ".join(text.split()))
    if length <= MESSAGE:
        return ""
    return (
        f"message: planned by its beginning and end, {MESSAGE} of {length:,} characters; titles are found in all of it"
    )


def _start(
    service: Service, conversation: Conversation, text: str, watch: Watch, put: Callable[[Item], None]
) -> threading.Thread:
    """Run a turn in a thread of its own, which hands over its events, what it raises, and None at the end."""

    def work() -> None:
        give_way()
        try:
            with closing(service.turn(conversation, text, watch)) as events:
                for event in events:
                    put(event)
        except BaseException as error:  # noqa: BLE001 - carried to the caller, who raises it
            put(error)
        put(None)

    thread = threading.Thread(target=work, daemon=True, name="turn")
    thread.start()
    return thread


def waited_events(
    service: Service, conversation: Conversation, text: str, watch: Watch
) -> Generator[Event, None, None]:
    """A turn's events for a caller that may block. Raises what the turn raises, and LateError when its time is up even
    where the model hangs: the thread then gives its place back whenever it ends.
    """
    events: queue.SimpleQueue[Item] = queue.SimpleQueue()
    thread = _start(service, conversation, text, watch, events.put)
    try:
        while (item := events.get(timeout=watch.patience)) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    except queue.Empty:
        raise LateError(LATE) from None
    finally:
        watch.left.set()
        thread.join(GRACE)


async def events_of(
    service: Service, conversation: Conversation, text: str, watch: Watch
) -> AsyncGenerator[Event, None]:
    """The same in the event loop. Closed early, it stops the turn."""
    loop = asyncio.get_running_loop()
    events: asyncio.Queue[Item] = asyncio.Queue()

    def put(item: Item) -> None:
        with suppress(RuntimeError):  # the loop is closed: the server is going down
            loop.call_soon_threadsafe(events.put_nowait, item)

    _start(service, conversation, text, watch, put)
    try:
        while (item := await asyncio.wait_for(events.get(), watch.patience)) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    except TimeoutError:
        raise LateError(LATE) from None
    finally:
        watch.left.set()
