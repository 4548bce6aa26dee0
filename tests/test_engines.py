"""The engines with the real small model, and the HTTP engine against a server on this machine."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, get_args

import pytest
import xgrammar

from agent import llm_openvino
from agent.context import planner_context
from agent.events import Done
from agent.grammar import plan_grammar
from agent.llm import Engine, EngineError, Message, Request, Role, complete, open_engine
from agent.llm_http import HTTPEngine
from agent.llm_openvino import OpenVINOEngine
from agent.llm_transformers import TransformersEngine, load_base
from agent.loop import Agent, run_turn
from agent.memory import Session
from agent.messages import planner_messages
from agent.models import model_path
from agent.plan import Plan
from agent.settings import Settings
from finetune.batches import encode
from finetune.planner_data import planner_examples
from finetune.ranker_data import ranker_examples
from finetune.user_data import user_examples
from finetune.writer_data import writer_examples
from tests.lora import random_adapter
from tools.catalog import Catalog

RAMBLING = 220  # tokens in which a plan should have come to its end
HELLO = (Message("system", "You are a helpful assistant."), Message("user", "Say hello and nothing else."))


@pytest.fixture(scope="module")
def openvino() -> Iterator[Engine]:
    engine = OpenVINOEngine(Settings(adapters=Path("none")))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def transformers() -> Iterator[Engine]:
    engine = TransformersEngine(Settings(adapters=Path("none")))
    yield engine
    engine.close()


@pytest.mark.model
def test_a_whole_turn_with_the_real_model(tiny_catalog: Catalog, openvino: Engine) -> None:
    agent = Agent.of(tiny_catalog, openvino, Settings(catalog=tiny_catalog.folder))
    session = Session()
    for text in ("I feel like a comedy from the nineties", "something shorter"):
        done = list(run_turn(agent, session, text))[-1]
        assert isinstance(done, Done)
        assert done.reply
        assert all(tiny_catalog.title(pick.item.item_id) == pick.item.title for pick in done.picks)
    assert len(session.exchanges) == 2


@pytest.mark.model
@pytest.mark.parametrize("name", ["openvino", "transformers"])
def test_what_is_written_under_the_grammar_is_a_plan(
    name: str, tiny_catalog: Catalog, request: pytest.FixtureRequest
) -> None:
    """How the untrained model's processor rounds decides whether it rambles until its tokens end; then what it wrote is
    the beginning of a plan.
    """
    engine: Engine = request.getfixturevalue(name)
    grammar = plan_grammar(tiny_catalog.manifest)
    letters = [*(chr(code) for code in range(32, 127)), "</s>"]
    info = xgrammar.TokenizerInfo(letters, stop_token_ids=[len(letters) - 1])
    compiled = xgrammar.GrammarCompiler(info).compile_grammar(grammar)
    for text in ("a comedy", "anything with robots"):
        messages = planner_messages(tiny_catalog.manifest, planner_context(tiny_catalog, Session(), text))
        written = complete(engine, Request("planner", messages, RAMBLING, grammar))
        matcher = xgrammar.GrammarMatcher(compiled)
        assert matcher.accept_string(written), written
        if matcher.is_completed() or len(written) < RAMBLING:  # a token is a letter at least
            Plan.parse(written)


@pytest.mark.model
def test_both_engines_read_the_same_tokens(openvino: OpenVINOEngine, transformers: TransformersEngine) -> None:
    request = Request("planner", (*HELLO, Message("assistant", "Hello."), Message("user", "Ünïcode “quotes” ok?")), 1)
    ours = openvino.tokens(request)
    assert ours == transformers.tokens(request)
    assert len(ours) > 20


@pytest.mark.model
def test_training_reads_the_tokens_that_serving_reads(tiny_catalog: Catalog, openvino: OpenVINOEngine) -> None:
    """Of every role's messages; the answer begins where the model begins to write."""
    tokenizer, _ = load_base(model_path(Settings()), "auto")
    made = [
        *planner_examples([tiny_catalog], 8, 1), *ranker_examples(tiny_catalog, 1, 4),
        *writer_examples(tiny_catalog, 1, 4), *user_examples(tiny_catalog, 1, 4),
    ]  # fmt: skip
    assert {example.role for example in made} == set(get_args(Role))
    for example in made:
        prefix, row = encode(tokenizer, example)
        assert [*prefix, *row.prompt] == openvino.tokens(Request(example.role, example.messages, 1))


@pytest.mark.model
@pytest.mark.parametrize("name", ["openvino", "transformers"])
def test_choices_are_scored_by_the_first_token(name: str, request: pytest.FixtureRequest) -> None:
    engine: Engine = request.getfixturevalue(name)
    hello, nonsense = engine.choose(Request("ranker", HELLO, 1), ["Hello", "zzzz"])
    assert -10 < hello <= 0
    assert nonsense < hello


@pytest.mark.model
def test_of_many_at_once_one_loads_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    loads = []
    load = llm_openvino._load
    monkeypatch.setattr(llm_openvino, "_load", lambda *args: loads.append(args) or load(*args))  # type: ignore[func-returns-value]
    engine = OpenVINOEngine(Settings(adapters=Path("none")))
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda _: complete(engine, Request("planner", HELLO, 3)), range(4)))
    assert len(loads) == 1
    engine.close()


@pytest.mark.model
def test_a_stream_closed_early_stops_the_model(openvino: Engine) -> None:
    long = Request("writer", (Message("user", "Write a very long story about the sea."),), 400)
    stream = openvino.stream(long)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert complete(openvino, Request("writer", HELLO, 8))


@pytest.mark.model
def test_an_adapter_merged_into_the_gguf_decides_like_the_adapter(tmp_path: Path) -> None:
    settings = Settings(adapters=tmp_path / "adapters", cache=tmp_path / "cache")
    random_adapter(settings)
    request = Request("planner", HELLO, 1)
    words = ["Hello", "Hi", "I", "Good", "The", "Welcome"]
    base_scores = OpenVINOEngine(Settings(adapters=Path("none"))).choose(request, words)
    by_peft = TransformersEngine(settings).choose(request, words)
    by_merge = OpenVINOEngine(settings).choose(request, words)
    merged = [(a, b) for a, b in zip(by_peft, by_merge, strict=True) if b > float("-inf")]
    assert len(merged) >= 3
    assert max(abs(a - b) for a, b in merged) < 0.35
    assert max(abs(a - b) for a, b in zip(by_peft, base_scores, strict=True) if b > float("-inf")) > 0.35


class Server(BaseHTTPRequestHandler):
    """Answers like an OpenAI-compatible server that has a planner adapter; keeps the bodies it got."""

    bodies: list[dict[str, Any]] = []  # noqa: RUF012 - read by the tests
    refuse = False

    def log_message(self, *_: Any) -> None:
        return

    def do_GET(self) -> None:
        self._json({"data": [{"id": "base", "owned_by": "vllm"}, {"id": "planner", "owned_by": "vllm"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.bodies.append(body)
        if self.refuse:
            self._json({"error": {"message": "no room"}}, 503)
        elif body.get("stream"):
            pieces = [{"choices": [{"delta": {"content": piece}}]} for piece in ("Hel", "lo")]
            lines = [f"data: {json.dumps(piece)}\n\n" for piece in pieces]
            self._send("".join([*lines, "data: [DONE]\n\n"]).encode(), "text/event-stream")
        else:
            top = [{"token": "A", "logprob": -0.1}, {"token": " B", "logprob": -2.0}]
            self._json({"choices": [{"logprobs": {"content": [{"top_logprobs": top}]}}]})

    def _json(self, data: dict[str, Any], status: int = 200) -> None:
        self._send(json.dumps(data).encode(), "application/json", status)

    def _send(self, body: bytes, kind: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def server(socket_enabled: None) -> Iterator[tuple[str, type[Server]]]:
    handler = type("Handler", (Server,), {"bodies": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}/v1", handler
        running.shutdown()
        thread.join()


def test_a_server_is_an_engine(server: tuple[str, type[Server]]) -> None:
    url, handler = server
    engine = open_engine(Settings(llm_url=url))
    assert complete(engine, Request("planner", HELLO, 9, grammar='root ::= "a"')) == "Hello"
    assert engine.choose(Request("ranker", HELLO, 1), ["A", "B", "C"]) == [-0.1, -2.0, float("-inf")]
    assert (engine.trained("planner"), engine.trained("writer"), engine.plays("writer")) == (True, False, True)
    planner, ranker = handler.bodies
    assert planner["model"] == "planner"
    assert planner["structured_outputs"] == {"grammar": 'root ::= "a"'}
    assert ranker["model"] == "base"
    assert ranker["max_tokens"] == 1
    engine.close()


def test_a_server_that_refuses_is_one_line(server: tuple[str, type[Server]]) -> None:
    url, handler = server
    engine = open_engine(Settings(llm_url=url))
    handler.refuse = True
    with pytest.raises(EngineError, match=r"503.*no room"):
        complete(engine, Request("writer", HELLO, 9))


def test_a_server_that_is_not_there_is_one_line(socket_enabled: None) -> None:
    with pytest.raises(EngineError, match="cannot be reached"):
        complete(HTTPEngine(Settings(llm_url="http://127.0.0.1:9/v1")), Request("writer", HELLO, 9))


def test_a_model_that_is_not_there_is_one_line() -> None:
    with pytest.raises(EngineError, match="no such model file"):
        model_path(Settings(model="/nowhere/model.gguf"))
    with pytest.raises(EngineError, match="usher model pull"):
        complete(OpenVINOEngine(Settings(model="someone/model")), Request("planner", HELLO, 1))
