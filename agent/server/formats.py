"""The OpenAI chat format: what is read of a request, and what is answered."""

import time
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tools.text import HALF, is_text

MODEL = "usher"
ID = r"^[A-Za-z0-9._:@+-]{1,128}$"  # of users and sessions, as clients name them


class Part(BaseModel):
    """A part of a message; text is the only kind there is."""

    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    """`usher` may hold the turn as it was answered: with it a conversation goes on on any replica, after any restart.

    System messages are accepted, since clients send them, and not read: Usher's own prompts stand.
    """

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Part] | None = None
    usher: dict[str, Any] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class StreamOptions(BaseModel):
    include_usage: bool = False


class ChatRequest(BaseModel):
    """Sampling settings (temperature, top_p, seed, ..) are accepted and change nothing: a turn is planned greedily."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"model": MODEL, "messages": [{"role": "user", "content": "a comedy from the nineties"}]},
                {
                    "model": MODEL,
                    "session_id": "evening-1",
                    "user": "ann",
                    "stream": True,
                    "messages": [{"role": "user", "content": "something shorter"}],
                },
            ]
        }
    )

    model: Literal["usher"] = Field(description="usher")
    messages: list[ChatMessage] = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions | None = None
    user: str | None = Field(default=None, pattern=ID, description="whose likes and dislikes hold, and are learned")
    session_id: str | None = Field(
        default=None, pattern=ID, description="a conversation kept by the server; only the last message is read then"
    )
    n: Literal[1] | None = Field(default=None, description="1")
    max_tokens: int | None = Field(default=None, ge=1, description="tokens of the reply")
    max_completion_tokens: int | None = Field(default=None, ge=1, description="the same under its newer name")

    @model_validator(mode="before")
    @classmethod
    def _refuse(cls, data: Any) -> Any:
        """What would change the reply if it were heeded is refused rather than ignored."""
        if not is_text(data):
            raise ValueError(f"messages: {HALF}")
        if isinstance(data, dict):
            for name in ("tools", "functions"):
                if data.get(name):
                    raise ValueError(f"{name}: Usher calls its own tools and takes no others; see GET /v1/tools")
            if data.get("stop"):
                raise ValueError("stop: a checked reply ends by itself; cut it with max_tokens")
            if data.get("logprobs") or data.get("top_logprobs"):
                raise ValueError("logprobs: a checked reply has none")
            form = data.get("response_format")
            if form and (not isinstance(form, dict) or form.get("type") != "text"):
                raise ValueError("response_format: replies are text; the field `usher` holds the turn as JSON")
        return data

    @property
    def most_tokens(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens

    @property
    def text(self) -> str:
        """Everything that is said in it, for the count of its tokens."""
        return "\n".join(message.text for message in self.messages)


def usage(prompt: int, completion: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def completion(answer_id: str, reply: str, finish: str, used: dict[str, int], turn: dict[str, Any]) -> dict[str, Any]:
    """A whole answer."""
    return {
        "id": answer_id,
        "object": "chat.completion",
        "created": int(time.time()),
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": reply, "refusal": None},
                "logprobs": None,
                "finish_reason": finish,
            }
        ],
        "usage": used,
        "usher": turn,
    }


def chunk(answer_id: str, created: int, delta: dict[str, Any] | None, finish: str | None = None) -> dict[str, Any]:
    """A piece of a streamed answer; without a delta the one that carries usage alone."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
    return {
        "id": answer_id,
        "object": "chat.completion.chunk",
        "created": created,
        "model": MODEL,
        "choices": choices,
    }
