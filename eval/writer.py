"""`usher eval writer`: the writer's replies to held-out messages, in the product's own turn after the right plan."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from agent.events import Done, Text
from agent.llm import Engine, Request, Role, complete
from agent.loop import Agent, reply_checker, run_turn
from agent.memory import Session
from agent.messages import chat_messages
from agent.plan import Plan
from agent.settings import Settings
from agent.write import REFUSED
from agent.written import Dialogue, Turn, remember
from eval.held_out import command, opened
from eval.models import models
from eval.replies import Reply, measured
from eval.writer_report import print_report, write_report
from tools.catalog import Catalog
from tools.errors import UsherError

ACTS = ("recommend", "answer", "chat")  # a question back is the planner's
CAME = {"writer": "as written", "writer: rewritten": "rewritten", "writer: plain reply": "plain reply"}  # by note


def run_writer(
    folders: Mapping[str, Path], file: Path, out: Path, limit: int | None, with_base: bool, shown: int
) -> None:
    """Print the measures, and write results.json with every reply and samples.md with the first `shown` to `out`.

    `folders` are built catalogs by the name that the requests give them. Raises CatalogError, EngineError, and
    UsherError when no writer was trained, or more than one line in a hundred cannot be used.
    """
    settings = Settings()
    found = models("writer", settings, with_base)
    written: dict[str, list[Reply]] = {}
    with opened(folders, file, limit, settings) as held_out:
        for name, model in found:
            if not (model.plays("writer") or with_base):
                raise UsherError(
                    "the writer was not trained; train it with: usher finetune train --role writer; "
                    "the base model is measured with --base"
                )
            written[name] = reply_all(model, held_out.dialogues, held_out.catalogs, settings, name)
            engine_name = model.name
        if not any(written.values()):
            raise UsherError(f"{file}: has no turn that a writer answers")
        about = held_out.about | {"command": command("writer", file, limit, with_base), "engine": engine_name}
    print_report(write_report(about, written, out, shown))


def reply_all(
    model: Engine, dialogues: Sequence[Dialogue], catalogs: Mapping[str, Catalog], settings: Settings, name: str
) -> list[Reply]:
    """Every turn that the writer answers, in order; a search that finds nothing is answered without it.

    One reply comes first, which loads the model and is not counted.
    """
    listener = _Listener(model)
    agents = {of: Agent.of(catalog, listener, settings) for of, catalog in catalogs.items()}
    replies = []
    complete(model, Request("writer", chat_messages("item", "hello"), 8))
    with tqdm(total=sum(len(dialogue.turns) for dialogue in dialogues), desc=name, unit="reply") as bar:
        for dialogue in dialogues:
            agent, session = agents[dialogue.catalog], dialogue.begin()
            for place, turn in enumerate(dialogue.turns, start=1):
                if turn.plan.act in ACTS:
                    listener.begin(turn.plan)
                    reply = _reply(agent, listener, dialogue, place, turn, session)
                    replies += [reply] if reply is not None else []
                remember(agent.catalog, session, turn)
                bar.update()
    return replies


@dataclass
class _Listener:
    """An engine whose planner says what is right, and whose writer is a model that is listened to.

    Nobody ranks, so that every writer is given the same items: those of the fused order.
    """

    model: Engine
    name: str = "listener"
    plan: str = ""
    asked: list[Request] = field(default_factory=list)  # whole replies of the writer, in this turn
    whole: str | None = None  # its first try, unless it was cut short

    def begin(self, plan: Plan) -> None:
        """Another turn."""
        self.plan, self.asked, self.whole = plan.text(), [], None

    def stream(self, request: Request) -> Iterator[str]:
        if request.role == "planner":
            yield self.plan
            return
        if request.grammar is not None:  # one word of a reply
            yield from self.model.stream(request)
            return
        first, text = not self.asked, ""
        self.asked.append(request)
        for piece in self.model.stream(request):
            text += piece
            yield piece
        if first:
            self.whole = text

    def first_try(self, done: Done, sent: str) -> str:
        """Of a writer that chooses, what it said, after the sentences that were refused. Where the check ended a text
        of its own words, it is written again to its end: it is greedy, so it is the same text.
        """
        if not self.asked:
            return " ".join([*(note.removeprefix(REFUSED) for note in done.notes if note.startswith(REFUSED)), sent])
        return self.whole if self.whole is not None else complete(self.model, self.asked[0])

    def choose(self, request: Request, choices: Sequence[str]) -> list[float]:
        return self.model.choose(request, choices)

    def trained(self, role: Role) -> bool:
        return role == "writer" and self.model.trained(role)  # its plans are right, and not to be mended

    def plays(self, role: Role) -> bool:
        return role in ("planner", "writer")

    def close(self) -> None:
        """The model is closed by whoever opened it."""


def _reply(
    agent: Agent, listener: _Listener, dialogue: Dialogue, place: int, turn: Turn, session: Session
) -> Reply | None:
    """The reply of one turn, None where the writer was not asked. The session stays as it was."""
    pieces: list[tuple[float, str]] = []
    done, began = None, time.perf_counter()
    # What the turn remembers goes into a session of its own: the next one follows what was wanted.
    for event in run_turn(agent, Session(list(session.exchanges), session.profile.model_copy(deep=True)), turn.text):
        if isinstance(event, Text):
            pieces.append((time.perf_counter(), event.piece))
        elif isinstance(event, Done):
            done = event
        else:
            began = time.perf_counter()  # items are ranked and shown, or there are none to rank
    came = None if done is None else next((CAME[note] for note in reversed(done.notes) if note in CAME), None)
    if done is None or came is None:
        return None
    pieces = pieces[bool(done.relaxed) :]  # what was given up is said first, and is not the writer's
    sent = "".join(piece for _, piece in pieces)
    checker = reply_checker(agent, session, turn.text, done.plan, done.picks)
    return Reply(
        dialogue=dialogue.id,
        turn=place,
        kind=dialogue.kind,
        act=done.plan.act,
        text=turn.text,
        titles=tuple(pick.name for pick in done.picks),
        given_up=done.relaxed,
        came=came,
        first=measured(checker, listener.first_try(done, sent)),
        sent=measured(checker, sent),
        ms_first=(pieces[0][0] - began) * 1000,
        ms=(pieces[-1][0] - began) * 1000,
    )
