"""What a turn says while it runs. Every front reads this one stream: page, HTTP, command line, evaluation, training."""

from dataclasses import dataclass, field
from typing import Any

from agent.evidence import Pick
from agent.plan import Plan


@dataclass(frozen=True)
class Planned:
    """The plan, and the milliseconds it took. `error` is set on a try that was no plan; another follows."""

    plan: Plan | None
    ms: float
    error: str | None = None


@dataclass(frozen=True)
class Called:
    """One tool call that ran (`count` items matched) or that the tool refused (`error`)."""

    tool: str
    args: dict[str, Any]
    count: int
    ms: float
    error: str | None = None

    def json(self) -> dict[str, Any]:
        return {
            "tool": self.tool,
            "args": self.args,
            "count": self.count,
            "ms": round(self.ms, 1),
            "error": self.error,
        }


@dataclass(frozen=True)
class Shown:
    """The items of this turn, best first, and the conditions that were given up to find them."""

    picks: tuple[Pick, ...]
    relaxed: tuple[str, ...]


@dataclass(frozen=True)
class Text:
    """A piece of the reply, checked against the evidence."""

    piece: str


@dataclass(frozen=True)
class Done:
    """The whole turn, as `json` gives it to programs."""

    reply: str
    plan: Plan
    picks: tuple[Pick, ...] = ()
    relaxed: tuple[str, ...] = ()
    trace: tuple[Called, ...] = ()
    notes: tuple[str, ...] = ()  # who ranked and wrote: adapter, fused order, plain reply after a failed check
    timings: dict[str, float] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        return {
            "reply": self.reply,
            "act": self.plan.act,
            "items": [pick.json() for pick in self.picks],
            "plan": {"act": self.plan.act, "calls": [call.model_dump() for call in self.plan.calls]}
            | ({"count": self.plan.count} if self.plan.count is not None else {})
            | {"question": self.plan.question},
            "relaxed": list(self.relaxed),
            "trace": [called.json() for called in self.trace],
            "notes": list(self.notes),
            "timings": {name: round(ms, 1) for name, ms in self.timings.items()},
        }


Event = Planned | Called | Shown | Text | Done
