"""The plan: what the planner writes, as typed data, and how it is asked for."""

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_serializer, model_validator

from agent.llm import Engine, Message, Request, complete
from tools.errors import ToolError

MAX_TOKENS = 220  # of a plan; the grammar's longest sensible plan is shorter

Act = Literal["recommend", "ask", "answer", "chat"]


class Call(BaseModel):
    """One tool call; in JSON the arguments stand beside the tool's name."""

    model_config = ConfigDict(frozen=True)

    tool: str
    arguments: dict[str, Any]

    @model_validator(mode="before")
    @classmethod
    def _from_flat(cls, data: Any) -> Any:
        if isinstance(data, dict) and "arguments" not in data:
            return {"tool": data.get("tool"), "arguments": {k: v for k, v in data.items() if k != "tool"}}
        return data

    @model_serializer
    def _to_flat(self) -> dict[str, Any]:
        return {"tool": self.tool, **self.arguments}


class Plan(BaseModel):
    """What to do about one message. `count` is how many items were asked for, None when the person named no number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    act: Act
    count: int | None = Field(default=None, ge=1, le=20)
    calls: tuple[Call, ...] = Field(default=(), max_length=6)
    question: str | None = None

    def text(self) -> str:
        """The plan as the planner writes it: one line of JSON, keys in the grammar's order."""
        data: dict[str, Any] = {"act": self.act}
        if self.count is not None:
            data["count"] = self.count
        data["calls"] = [call.model_dump() for call in self.calls]
        data["question"] = self.question
        return json.dumps(data, ensure_ascii=False)


def write_plan(engine: Engine, messages: tuple[Message, ...], grammar: str) -> Plan:
    """Ask the planner. Raises ToolError when what it wrote is no plan, which an engine that obeys grammars never does
    unless the plan outgrew its tokens.
    """
    text = complete(engine, Request("planner", messages, MAX_TOKENS, grammar))
    try:
        return Plan.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ToolError(f"not a plan: {where} {first['msg']}") from error
