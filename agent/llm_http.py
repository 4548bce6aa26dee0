"""Any OpenAI-compatible server as an engine; on vLLM the adapters are models by name and grammars are obeyed."""

import json
import random
import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import httpx

from agent.llm import EngineError, EngineUnavailable, Request, Role
from agent.settings import Settings

LIKELIEST = 20  # the most first tokens the OpenAI API returns
TRIES = 3  # of a request that finds nobody, or no room
BACKOFF = 0.2  # seconds before the second try, doubled before each further one, with jitter
PATIENCE = 3.0  # the longest wait before a try, whatever Retry-After asks for
AWAY = frozenset({429, 502, 503, 504})  # statuses of a server that has no room, or is not up yet


class HTTPEngine:
    """Raises EngineUnavailable when the server cannot be reached or has no room after `TRIES`, and EngineError when it
    refuses the key or answers with another error. Closing a stream early closes the connection, which stops the model.
    """

    def __init__(self, settings: Settings) -> None:
        self.name = f"http {settings.llm_url}"
        headers = {"Authorization": f"Bearer {settings.llm_key}"} if settings.llm_key else {}
        self._client = httpx.Client(
            base_url=settings.llm_url.rstrip("/") + "/",
            headers=headers,
            timeout=httpx.Timeout(settings.deadline, connect=5.0),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
        )
        self._wanted = settings.llm_model

    @cached_property
    def _models(self) -> dict[str, str]:
        """Model name -> who owns it, as the server lists them."""
        answer = self._send("GET", "models")
        answer.read()
        return {model["id"]: model.get("owned_by", "") for model in answer.json()["data"]}

    def stream(self, request: Request) -> Iterator[str]:
        answer = self._send("POST", "chat/completions", self._body(request) | {"stream": True})
        try:
            for line in answer.iter_lines():
                if not line.startswith("data:") or line.endswith("[DONE]"):
                    continue
                chunk = json.loads(line[5:])
                for choice in chunk.get("choices", []):
                    if piece := choice.get("delta", {}).get("content"):
                        yield piece
        except httpx.HTTPError as error:
            raise EngineUnavailable(f"{self.name}: the connection broke ({error})") from error
        finally:
            answer.close()

    def choose(self, request: Request, choices: Sequence[str]) -> list[float]:
        body = self._body(request) | {"max_tokens": 1, "logprobs": True, "top_logprobs": LIKELIEST}
        answer = self._send("POST", "chat/completions", body)
        answer.read()
        logprobs = answer.json()["choices"][0].get("logprobs") or {"content": []}
        first = logprobs["content"][0]["top_logprobs"] if logprobs["content"] else []
        found = {entry["token"].strip(): float(entry["logprob"]) for entry in first}
        return [found.get(choice, float("-inf")) for choice in choices]

    def trained(self, role: Role) -> bool:
        return role in self._models

    def plays(self, role: Role) -> bool:  # noqa: ARG002 - whoever names a server chose its model
        return True

    def close(self) -> None:
        self._client.close()

    def _body(self, request: Request) -> dict[str, Any]:
        model = request.role if request.role in self._models else self._wanted or next(iter(self._models), "")
        body: dict[str, Any] = {
            "model": model,
            "messages": [{"role": message.role, "content": message.content} for message in request.messages],
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "seed": request.seed,
        }
        if request.grammar is not None:
            if self._models.get(model) == "vllm":
                body["structured_outputs"] = {"grammar": request.grammar}
            else:  # no common way to pass a grammar: ask for JSON, and the plan is checked when it comes back
                body["response_format"] = {"type": "json_object"}
        return body

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """An answer whose body is not read yet; tried again while nobody answers or there is no room."""
        for attempt in range(1, TRIES + 1):
            wait = BACKOFF * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)
            try:
                answer = self._client.send(self._client.build_request(method, path, json=body), stream=True)
                if not answer.is_error:
                    return answer
                answer.read()
                answer.close()
            except httpx.HTTPError as error:
                if attempt == TRIES:
                    raise EngineUnavailable(
                        f"{self.name}: cannot be reached ({error}); start it, or unset USHER_LLM_URL"
                    ) from error
            else:
                if answer.status_code not in AWAY:
                    raise EngineError(f"{self.name}: {answer.status_code} {answer.text[:200]}")
                if attempt == TRIES:
                    raise EngineUnavailable(f"{self.name}: {answer.status_code} {answer.text[:200]}")
                wait = max(wait, _seconds(answer.headers.get("retry-after", "")))
            time.sleep(min(wait, PATIENCE))
        raise AssertionError("the last try returns or raises")


def _seconds(retry_after: str) -> float:
    """0 for a date or nothing: the backoff alone decides then."""
    return float(retry_after) if retry_after.isdigit() else 0.0
