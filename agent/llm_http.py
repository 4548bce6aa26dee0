"""Any OpenAI-compatible server as an engine; on vLLM the adapters are models by name and grammars are obeyed."""

import json
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from agent.llm import EngineError, EngineUnavailableError, Request, Role, by_first_token
from agent.settings import Settings

LIKELIEST = 20  # the most first tokens the OpenAI API returns
CONNECT = 2.0  # seconds a connection may take
TRIES = 3  # of a request that finds nobody, or no room
BACKOFF = 0.2  # seconds before the second try, doubled before each further one, with jitter
PATIENCE = 3.0  # seconds a turn waits at most before a try; a server that asks for more counts as away
AWAY = frozenset({429, 502, 503, 504})  # statuses of a server that has no room, or is not up yet


class HTTPEngine:
    """Raises EngineUnavailableError when the server cannot be reached, has no room after `TRIES`, or breaks off;
    EngineError when it refuses the key or the request. Closing a stream early closes the connection, which stops the
    model.
    """

    def __init__(self, settings: Settings) -> None:
        self.name = f"http {settings.llm_url}"
        headers = {"Authorization": f"Bearer {settings.llm_key}"} if settings.llm_key else {}
        self._client = httpx.Client(
            base_url=settings.llm_url.rstrip("/") + "/",
            headers=headers,
            timeout=httpx.Timeout(settings.deadline, connect=CONNECT),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
        )
        self._wanted = settings.llm_model
        self._listed: dict[str, str] | None = None

    @property
    def _models(self) -> dict[str, str]:
        """Model name -> who owns it, as the server lists them; asked again once the server was away."""
        listed = self._listed
        if listed is None:
            answer = self._ask("GET", "models")
            with self._reading():
                listed = self._listed = {model["id"]: model.get("owned_by", "") for model in answer["data"]}
        return listed

    def stream(self, request: Request) -> Iterator[str]:
        answer = self._send("POST", "chat/completions", self._body(request) | {"stream": True})
        ended = False
        try:
            for line in answer.iter_lines():
                if not line.startswith("data:"):
                    continue
                if line.endswith("[DONE]"):
                    return
                with self._reading():
                    chunk = json.loads(line[5:])
                    if "error" in chunk:
                        raise EngineUnavailableError(f"{self.name}: broke off: {str(chunk['error'])[:200]}")
                    choices = [(choice.get("delta") or {}, choice.get("finish_reason")) for choice in chunk["choices"]]
                for delta, finish in choices:
                    ended = ended or finish is not None
                    if piece := delta.get("content"):
                        yield piece
        except httpx.HTTPError as error:
            raise self._away(error) from error
        finally:
            answer.close()
        if not ended:  # a connection that closes without a word: the server was killed, or something between us gave up
            raise EngineUnavailableError(f"{self.name}: broke off in the middle of an answer")

    def choose(self, request: Request, choices: Sequence[str]) -> list[float]:
        body = self._body(request) | {"max_tokens": 1, "logprobs": True, "top_logprobs": LIKELIEST}
        answer = self._ask("POST", "chat/completions", body)
        with self._reading():
            logprobs = (answer["choices"][0].get("logprobs") or {}).get("content")
            first = logprobs[0]["top_logprobs"] if logprobs else []
            found = {entry["token"]: float(entry["logprob"]) for entry in first}
        return by_first_token(found, choices)

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
        if request.begun:  # as vLLM's chat completions take it
            body["messages"].append({"role": "assistant", "content": request.begun})
            body |= {"continue_final_message": True, "add_generation_prompt": False}
        if request.grammar is not None and self._models.get(model) == "vllm":
            body["structured_outputs"] = {"grammar": request.grammar}
        return body

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The whole answer, parsed."""
        answer = self._send(method, path, body)
        try:
            return json.loads(answer.read())
        except httpx.HTTPError as error:
            raise self._away(error) from error
        except ValueError as error:
            raise EngineError(f"{self.name}: {path} is not JSON; is this the URL of an OpenAI API?") from error
        finally:
            answer.close()

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """An answer whose body is not read yet; tried again while nobody answers or there is no room."""
        for attempt in range(1, TRIES + 1):
            wait = BACKOFF * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)
            try:
                answer = self._client.send(self._client.build_request(method, path, json=body), stream=True)
                if not answer.is_error:
                    return answer
                said = answer.read().decode(errors="replace")[:200]
            except httpx.HTTPError as error:
                slow = isinstance(error, httpx.ReadTimeout)  # it has the request: another would only add to its load
                if slow or attempt == TRIES:
                    raise self._away(error) from error
            else:
                problem = f"{self.name}: {answer.status_code} {said}"
                if answer.status_code not in AWAY:
                    self._listed = None  # a server that was started anew may serve other models
                    raise EngineError(problem)
                asked = _seconds(answer.headers.get("retry-after", ""))
                if attempt == TRIES or asked > PATIENCE:
                    self._listed = None
                    raise EngineUnavailableError(problem, retry_after=asked)
                wait = max(wait, asked)
            time.sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _away(self, error: httpx.HTTPError) -> EngineUnavailableError:
        self._listed = None
        reason = str(error) or type(error).__name__
        return EngineUnavailableError(f"{self.name}: cannot be reached ({reason}); start it, or unset USHER_LLM_URL")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Around what is read of an answer, which may have any shape."""
        try:
            yield
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise EngineError(f"{self.name}: answers otherwise than an OpenAI API does ({error!r})") from error


def _seconds(retry_after: str) -> float:
    """Retry-After as seconds or as a date (RFC 9110, 10.2.3); 0 when it says neither."""
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return 0.0
