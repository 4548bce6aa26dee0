"""What every front of the server shares, and the one way a turn is run for people: bounded, counted, remembered."""

import dataclasses
import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from agent.events import Done, Event
from agent.loop import Agent, run_turn
from agent.memory import Exchange, Profile, Session
from agent.server.database import Conflict
from agent.server.gate import Gate
from agent.server.metrics import Metrics
from agent.server.store import Person, Store, changes
from agent.server.tracing import turn_span
from agent.server.watched import Watch, WatchedEngine

RECALLED = 4096  # turns of conversations that clients keep themselves


@dataclass
class Conversation:
    """Where a turn belongs. Without a session id the client keeps the conversation; without a person nobody's profile
    changes.
    """

    session: Session
    owner: str
    person: Person | None = None
    session_id: str | None = None


class Recall:
    """The newest turns of conversations that their clients keep, by what was said in them up to there.

    A client sends back texts; the plan and the items behind a reply of ours are found here. In memory and bounded: what
    is forgotten is read from the texts instead.
    """

    def __init__(self, most: int = RECALLED) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[str, Exchange]] = OrderedDict()

    @staticmethod
    def key(owner: str, said: Sequence[str]) -> str:
        """A digest of an owner and every text of a conversation, user's and ours in turn."""
        digest = hashlib.sha256(owner.encode())
        for text in said:
            digest.update(b"\\0" + " ".join(text.split()).encode())
        return digest.hexdigest()

    def keep(self, key: str, whose: str, exchange: Exchange) -> None:
        with self._lock:
            self._kept[key] = (whose, exchange)
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def find(self, key: str) -> Exchange | None:
        with self._lock:
            return self._kept[key][1] if key in self._kept else None

    def forget(self, whose: str) -> None:
        with self._lock:
            for key in [key for key, (name, _) in self._kept.items() if name == whose]:
                del self._kept[key]


@dataclass
class Service:
    """Shared by the page, the HTTP paths and MCP; opened once."""

    agent: Agent
    store: Store
    gate: Gate
    metrics: Metrics
    recall: Recall = field(default_factory=Recall)
    warmed: bool = False
    _busy: set[tuple[str, str]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, agent: Agent, store: Store) -> "Service":
        gate = Gate(agent.settings.concurrency, agent.settings.waiting)
        return cls(agent, store, gate, Metrics.of(gate))

    def warm(self) -> None:
        """Load the model, its grammar and the embeddings; /readyz says no until then."""
        self.agent.warm()
        self.warmed = True

    def watch(self) -> Watch:
        """A turn that starts now: its time runs while it waits, too."""
        return Watch(time.monotonic() + self.agent.settings.deadline)

    def turn(self, conversation: Conversation, text: str, watch: Watch) -> Iterator[Event]:
        """One turn, in the thread of whoever asks. Done comes after everything is on disk.

        Raises UsherError: EngineError, Late, Left, Conflict, StateError.
        """
        agent = dataclasses.replace(self.agent, engine=WatchedEngine(self.agent.engine, watch))
        before = conversation.session.profile.model_copy(deep=True)
        with self._alone(conversation), turn_span() as span, self.metrics.counting(watch) as count:
            with closing(run_turn(agent, conversation.session, text)) as events:
                for event in events:
                    watch.check()
                    if isinstance(event, Done):
                        self._keep(conversation, before)
                        done = dataclasses.replace(event, notes=(*event.notes, *watch.notes))
                        span(done)
                        count(done)
                        yield done
                    else:
                        span(event)
                        yield event

    def _keep(self, conversation: Conversation, before: Profile) -> None:
        session, person = conversation.session, conversation.person
        if conversation.session_id is not None and person is not None:
            position = len(session.exchanges) - 1
            self.store.add_exchange(conversation.owner, conversation.session_id, person, position, session.exchanges[-1])
        if person is not None and (said := changes(before, session.profile)):
            self.store.note(person, said)

    @contextmanager
    def _alone(self, conversation: Conversation) -> Iterator[None]:
        """One turn at a time in a conversation. Raises Conflict."""
        if conversation.session_id is None:
            yield
            return
        key = (conversation.owner, conversation.session_id)
        with self._lock:
            if key in self._busy:
                raise Conflict("a turn of this conversation is still running; wait for its reply")
            self._busy.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._busy.discard(key)

    def close(self) -> None:
        self.agent.close()
        self.store.close()


def whose(owner: str, person: Person | None) -> str:
    """Under what `Recall` keeps a client's turns."""
    return f"{owner}\n{person.name if person is not None else ''}"
