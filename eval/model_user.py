"""The model-driven user: the role `user` of an engine, in process or any OpenAI-compatible server."""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.llm import Engine, Message, Request, complete
from agent.messages import LEAVE, Heard, user_messages
from eval.people import Person

MAX_TOKENS = 60


@dataclass(frozen=True)
class ModelUser:
    """Says what the model writes for its person; raises EngineError when the model cannot be reached."""

    engine: Engine
    person: Person
    noun: str
    seed: int

    def say(self, heard: Sequence[Heard]) -> str:
        """The next message, one line; one that ends in LEAVE ends the dialogue."""
        request = Request("user", self._messages(heard), MAX_TOKENS, temperature=0.7, seed=self.seed + len(heard))
        text = " ".join(complete(self.engine, request).split())
        return f"{text} {LEAVE}".strip() if not text.replace(LEAVE, "").strip() else text

    def read(self, heard: Sequence[Heard]) -> str:
        """What the model reads before that message, for the leak check."""
        return "\n".join(message.content for message in self._messages(heard))

    def _messages(self, heard: Sequence[Heard]) -> tuple[Message, ...]:
        tastes = [taste.line() for taste in self.person.wish(len(heard) + 1).tastes]
        return user_messages(self.noun, self.person.persona, tastes, heard, self.person.kind)
