"""Probes, metrics, spans and the log's form."""

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from agent.events import Done
from agent.llm import EngineError, Request, Role
from agent.loop import run_turn
from agent.memory import Session
from agent.server.watching import JSONLines, export_spans, turn_span
from tests.server import Running, WordEngine, running, service_of
from tools.catalog import Catalog
from tools.errors import ToolError, UsherError

pytestmark = pytest.mark.enable_socket
WISH = {"model": "usher", "messages": [{"role": "user", "content": "a comedy"}]}


@pytest.fixture
def served(tiny_catalog: Catalog, tmp_path: Path) -> Iterator[Running]:
    with running(service_of(tiny_catalog, WordEngine(), str(tmp_path / "state.db"))) as server:
        yield server


def metrics(server: Running) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    with server.client() as client:
        families = text_string_to_metric_families(client.get("/metrics").text)
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families
            for sample in family.samples
        }


def test_ready_only_once_the_model_was_warmed_and_while_the_state_answers(served: Running) -> None:
    with served.client() as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        early = client.get("/readyz")
        assert (early.status_code, early.json()["model"]) == (503, "starting")
        served.service.warm()
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()) == (
            200,
            {"ready": True, "catalog": "ok", "state": "ok", "model": "ok"},
        )
        served.service.store.database.close()
        late = client.get("/readyz")
        assert (late.status_code, late.json()["state"]) == (503, "away")
        lost = client.post("/v1/chat/completions", json=WISH | {"session_id": "s"})
        assert (lost.status_code, lost.json()["error"]["code"]) == (503, "state_away")
        assert client.get("/healthz").status_code == 200


def test_turns_stages_and_requests_are_counted(served: Running) -> None:
    with served.client() as client:
        client.post("/v1/chat/completions", json=WISH).raise_for_status()
        client.post("/v1/chat/completions", json={})
        client.get("/wp-login.php")
    seen = metrics(served)
    assert seen["usher_turns_total", (("act", "recommend"), ("outcome", "ok"))] == 1
    for stage in ("plan", "tools", "rank", "write", "total"):
        assert seen["usher_stage_seconds_count", (("stage", stage),)] == 1
    route = ("route", "/v1/chat/completions")
    assert seen["usher_http_requests_total", (("method", "POST"), route, ("status", "200"))] == 1
    assert seen["usher_http_requests_total", (("method", "POST"), route, ("status", "400"))] == 1
    assert seen["usher_model_tokens_total", ()] >= 1
    assert seen["usher_turns_waiting", ()] == seen["usher_turns_running", ()] == 0
    assert not [labels for _, labels in seen if any("wp-login" in value for _, value in labels)]


def test_a_reply_the_check_replaced_is_counted(tiny_catalog: Catalog, tmp_path: Path) -> None:
    class Liar(WordEngine):
        says = "Zorblax won twelve Oscars in 1871."

    with running(service_of(tiny_catalog, Liar(free=["writer"]), str(tmp_path / "state.db"))) as server:
        with server.client() as client:
            answer = client.post("/v1/chat/completions", json=WISH).json()
        assert "Zorblax" not in answer["choices"][0]["message"]["content"]
        assert metrics(server)["usher_replies_replaced_total", ()] == 1


def test_a_model_that_is_away_is_said_without_its_address(tiny_catalog: Catalog, tmp_path: Path) -> None:
    class Away(WordEngine):
        def stream(self, request: Request) -> Iterator[str]:
            raise EngineError("http://10.0.0.7:8000 with key sk-secret cannot be reached")

    with running(service_of(tiny_catalog, Away(), str(tmp_path / "state.db"))) as server, server.client() as client:
        for stream in (False, True):
            answer = client.post("/v1/chat/completions", json=WISH | {"stream": stream})
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_away")
            assert "10.0.0.7" not in answer.text
            assert "sk-secret" not in answer.text
        assert metrics(server)["usher_turns_total", (("act", "none"), ("outcome", "failed"))] == 2


def test_a_catalog_that_is_too_slow_is_no_fault_of_the_callers(tiny_catalog: Catalog, tmp_path: Path) -> None:
    class Slow(WordEngine):
        def plays(self, role: Role) -> bool:
            raise ToolError("the query took longer than 2 s; ask for less")

    with running(service_of(tiny_catalog, Slow(), str(tmp_path / "state.db"))) as server, server.client() as client:
        answer = client.post("/v1/chat/completions", json=WISH)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "catalog_away")
    assert int(answer.headers["Retry-After"]) > 0


def test_a_bug_of_ours_is_a_500_without_a_word_of_it(
    tiny_catalog: Catalog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(WordEngine):
        def stream(self, request: Request) -> Iterator[str]:
            raise RuntimeError("a secret of somebody's")

    with running(service_of(tiny_catalog, Broken(), str(tmp_path / "state.db"))) as server, server.client() as client:
        answer = client.post("/v1/chat/completions", json=WISH)
        assert client.get("/healthz").status_code == 200
    assert answer.status_code == 500
    assert answer.json()["error"]["type"] == "server_error"
    assert "secret" not in answer.text
    assert "X-Request-Id" in answer.headers
    crash = next(record for record in caplog.records if record.msg == "crash")
    line = json.loads(JSONLines().format(crash))
    assert (line["error"], line["request_id"]) == ("RuntimeError", answer.headers["X-Request-Id"])
    assert "secret" not in json.dumps(line)


def test_a_turn_is_a_span_with_its_stages_and_no_text(tiny_catalog: Catalog, tmp_path: Path) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    service = service_of(tiny_catalog, WordEngine(), str(tmp_path / "state.db"))
    with turn_span(provider.get_tracer("test")) as note:
        for event in run_turn(service.agent, Session(), "a comedy about xylophones"):
            note(event)
    assert isinstance(event, Done)
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert set(spans) == {"usher.turn", "usher.plan", "usher.tool.sql_filter"}
    turn = spans["usher.turn"]
    assert turn.context is not None
    for name in ("usher.plan", "usher.tool.sql_filter"):
        parent = spans[name].parent
        assert parent is not None
        assert parent.span_id == turn.context.span_id
    assert turn.attributes is not None
    assert turn.attributes["usher.items"] == len(event.picks)
    assert not [span for span in spans.values() if "xylophone" in span.to_json()]


def test_spans_without_the_extra_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(UsherError, match=r"pip install 'usher-recommender\[otel\]'"):
        export_spans("http://localhost:4318")


def test_other_libraries_log_lines_lose_their_arguments() -> None:
    try:
        raise ValueError("a person's words")
    except ValueError:
        record = logging.LogRecord(
            "uvicorn.error", logging.ERROR, "", 0, "said %s", ("a person's words",), sys.exc_info()
        )
    line = json.loads(JSONLines().format(record))
    assert line["event"] == "uvicorn.error"
    assert line["error"] == "ValueError"
    assert "words" not in json.dumps(line)
