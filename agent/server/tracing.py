"""OpenTelemetry spans of a turn and its stages. Without the extra `otel` and a collector they cost next to nothing."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from opentelemetry import trace  # the interface alone, which `mcp` brings along; the extra brings what sends

from agent.events import Called, Done, Event, Planned
from tools.errors import UsherError


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
