"""How the server is watched: its log, Prometheus metrics, OpenTelemetry spans. No text of a person's is in any."""

import atexit
import json
import logging
import queue
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from pathlib import PurePath
from types import TracebackType
from typing import Any

from opentelemetry import trace  # the interface alone; the extra `otel` brings what sends
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from agent.events import Called, Done, Event, Planned
from agent.server.limits import Gate, LateError, LeftError, Watch
from tools.errors import UsherError
from tools.registry import TOOLS

LOGGER = "usher.server"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


class JSONLines(logging.Formatter):
    """One JSON object a line: the event's name, its fields, and of an error its kind and where it rose.

    A message's arguments and an error's text are left out, also of other libraries' loggers: they may quote a person.
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": str(record.msg).strip() if record.name == LOGGER else record.name,
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
            line["at"] = _places(record.exc_info[2])
        return json.dumps(line, ensure_ascii=False, default=str)


def log_to_stderr() -> None:
    """Set the logs up; called once, by the command line.

    A thread of their own writes them: each write lets go of the interpreter, and whoever answers requests would have to
    wait for it behind the turns.
    """
    lines: queue.SimpleQueue[Any] = queue.SimpleQueue()
    handler = QueueHandler(lines)
    handler.setFormatter(JSONLines())
    listener = QueueListener(lines, logging.StreamHandler(sys.stderr))
    listener.start()
    atexit.register(listener.stop)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(LOGGER).setLevel(logging.INFO)


def log(event: str, level: int = logging.INFO, error: BaseException | None = None, **fields: Any) -> None:
    """Fields are names, numbers and ids; never a text of a person's."""
    logging.getLogger(LOGGER).log(level, event, exc_info=error, extra={"fields": fields})


def _places(at: TracebackType | None) -> list[str]:
    frames = traceback.extract_tb(at)[-6:]
    return [f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]


@dataclass(frozen=True)
class Metrics:
    """Turns, stages, queue, tokens, refusals, in a registry of this server's own."""

    registry: CollectorRegistry
    turns: Counter
    stages: Histogram
    tokens: Counter
    tool_errors: Counter
    replaced: Counter
    fallbacks: Counter
    requests: Counter
    latency: Histogram
    refused: Counter

    @classmethod
    def of(cls, gate: Gate) -> "Metrics":
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)  # memory, processor time, open files
        running = Gauge("usher_turns_running", "Turns that run now", registry=registry)
        running.set_function(lambda: gate.running)
        waiting = Gauge("usher_turns_waiting", "Turns that wait for their place", registry=registry)
        waiting.set_function(lambda: gate.waiting)

        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(name, what, labels, registry=registry)

        def seconds(name: str, what: str, *labels: str) -> Histogram:
            return Histogram(name, what, labels, registry=registry, buckets=SECONDS)

        return cls(
            registry,
            counter("usher_turns", "Turns by what they did and how they ended", "act", "outcome"),
            seconds("usher_stage_seconds", "Time of a turn's stages", "stage"),
            counter("usher_model_tokens", "Pieces of text the model wrote"),
            counter("usher_tool_errors", "Calls that a tool refused", "tool"),
            counter("usher_replies_replaced", "Replies of the writer that the check replaced"),
            counter("usher_fallbacks", "Turns in which the in-process model stood in for the server"),
            counter("usher_http_requests", "Requests by route and status", "method", "route", "status"),
            seconds("usher_http_seconds", "Time until a request's answer was sent", "method", "route"),
            counter("usher_refused", "Requests refused before any work", "reason"),
        )

    @contextmanager
    def counting(self, watch: Watch) -> Iterator[Callable[[Done], None]]:
        """Around one turn; the caller hands over its Done. A turn that ends without one is counted by its end."""
        act, outcome = "none", "stopped"

        def count(done: Done) -> None:
            nonlocal act, outcome
            act, outcome = done.plan.act, "ok"
            for stage, ms in done.timings.items():
                self.stages.labels(stage.removesuffix("_ms")).observe(ms / 1000)
            for called in done.trace:
                if called.error:
                    self.tool_errors.labels(called.tool if called.tool in TOOLS else "unknown").inc()
            self.replaced.inc("writer: plain reply" in done.notes and any("unsupported" in note for note in done.notes))
            self.fallbacks.inc(any("stood in" in note for note in done.notes))

        try:
            yield count
        except LeftError:
            raise
        except LateError:
            outcome = "late"
            raise
        except UsherError:
            outcome = "failed"
            raise
        finally:
            self.turns.labels(act, outcome).inc()
            self.tokens.inc(watch.tokens)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return bytes(generate_latest(self.registry))


def export_spans(collector: str) -> None:
    """Send spans to a collector over OTLP/HTTP, such as http://localhost:4318. Raises UsherError without the extra."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        raise UsherError("spans need OpenTelemetry; run: pip install 'usher-recommender[otel]'") from error
    provider = TracerProvider(resource=Resource.create({"service.name": "usher"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{collector.rstrip('/')}/v1/traces")))
    trace.set_tracer_provider(provider)


@contextmanager
def turn_span(tracer: trace.Tracer | None = None) -> Iterator[Callable[[Event], None]]:
    """A span around one turn, a child for its plan and each call, and the stages' times. No text goes into any."""
    tracer = tracer or trace.get_tracer("usher")
    span = tracer.start_span("usher.turn")
    context = trace.set_span_in_context(span)

    def child(name: str, ms: float, **attributes: str | int) -> None:
        end = time.time_ns()
        stage = tracer.start_span(name, context, start_time=end - int(ms * 1e6), attributes=attributes)
        stage.end(end)

    def note(event: Event) -> None:
        if isinstance(event, Planned):
            child("usher.plan", event.ms, act=event.plan.act if event.plan else "none")
        elif isinstance(event, Called):
            child(f"usher.tool.{event.tool}", event.ms, count=event.count, refused=int(event.error is not None))
        elif isinstance(event, Done):
            span.set_attributes({"usher.act": event.plan.act, "usher.items": len(event.picks), **event.timings})

    try:
        yield note
    finally:
        span.end()
