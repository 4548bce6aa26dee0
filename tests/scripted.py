"""An engine that answers from a queue: it tests everything around the model, and never the model."""

from collections.abc import Iterator, Sequence

from agent.llm import Request, Role


class ScriptedEngine:
    """Gives the queued texts in order, in pieces of a few characters; keeps every request for the test to look at.

    `letters` are the scores `choose` gives, `roles` those that count as trained, and `free` those that it plays without
    an adapter, as a bigger model does. An empty queue is a test's mistake and raises IndexError.
    """

    name = "scripted"

    def __init__(
        self,
        texts: Sequence[str] = (),
        letters: Sequence[float] = (),
        roles: Sequence[Role] = (),
        free: Sequence[Role] = (),
    ) -> None:
        self.texts = list(texts)
        self.letters = list(letters)
        self.roles, self.free = set(roles), set(free)
        self.requests: list[Request] = []
        self.closed = False

    def stream(self, request: Request) -> Iterator[str]:
        self.requests.append(request)
        text = self.texts.pop(0)
        for start in range(0, len(text), 7):
            yield text[start : start + 7]

    def choose(self, request: Request, choices: Sequence[str]) -> list[float]:
        self.requests.append(request)
        return self.letters[: len(choices)]

    def trained(self, role: Role) -> bool:
        return role in self.roles

    def plays(self, role: Role) -> bool:
        return role == "planner" or role in self.roles | self.free

    def close(self) -> None:
        self.closed = True
