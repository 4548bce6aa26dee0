"""The language model behind one small interface, whatever runs it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

from agent.settings import Settings
from tools.errors import UsherError

Role = Literal["planner", "ranker", "writer", "user"]


class EngineError(UsherError):
    """The model cannot be loaded or reached; the message says what to install or start."""


class EngineUnavailableError(EngineError):
    """The model's server cannot be reached or has no room just now; another engine may stand in.

    `retry_after` is in seconds, 0 when the server did not say when to come back.
    """

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True)
class Message:
    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Request:
    """One call of the model: which role's adapter, the messages, and how to decode.

    `grammar` is EBNF (xgrammar's dialect, start symbol `root`) that the text must obey. Temperature 0 is greedy.
    `begun` is text that the reply has already: the model writes on from there.
    """

    role: Role
    messages: tuple[Message, ...]
    max_tokens: int
    grammar: str | None = None
    temperature: float = 0.0
    seed: int = 0
    begun: str = ""


class Engine(Protocol):
    """`stream` yields pieces of text and stops the model when it is closed early.

    `choose` gives the log-probability of the first token that each choice begins with (-inf when it is not among the
    likeliest). `trained` says whether a role has an adapter. `plays` says whether the model may rank and write: a small
    base model without an adapter writes nonsense and only plans, by examples; a model that someone chose may.
    """

    name: str

    def stream(self, request: Request) -> Iterator[str]: ...

    def choose(self, request: Request, choices: Sequence[str]) -> list[float]: ...

    def trained(self, role: Role) -> bool: ...

    def plays(self, role: Role) -> bool: ...

    def close(self) -> None: ...


def complete(engine: Engine, request: Request) -> str:
    """The whole reply of one request."""
    return "".join(engine.stream(request))


def by_first_token(found: Mapping[str, float], choices: Sequence[str]) -> list[float]:
    """Each choice's log-probability, where `found` has the likeliest tokens: that of the longest it begins with."""
    held: dict[str, float] = {}
    for token, score in found.items():
        if token.strip():
            held[token.strip()] = max(score, held.get(token.strip(), float("-inf")))
    begins = [
        max((token for token in held if choice.strip().startswith(token)), key=len, default="") for choice in choices
    ]
    return [held.get(token, float("-inf")) for token in begins]


def open_engine(settings: Settings) -> Engine:
    """The engine the settings name. Raises EngineError."""
    if settings.llm_url:
        from agent.llm_http import HTTPEngine

        return HTTPEngine(settings)
    if settings.engine == "transformers":
        from agent.llm_transformers import TransformersEngine

        return TransformersEngine(settings)
    from agent.llm_openvino import OpenVINOEngine

    return OpenVINOEngine(settings)


@contextmanager
def engine(settings: Settings) -> Iterator[Engine]:
    """An open engine, closed at the end."""
    opened = open_engine(settings)
    try:
        yield opened
    finally:
        opened.close()
