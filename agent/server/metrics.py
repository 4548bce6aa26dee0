"""What Prometheus reads: turns, stages, queue, tokens, refusals, in a registry of this server's own."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from agent.events import Done
from agent.server.gate import Gate, Late
from agent.server.watched import Left, Watch
from tools.errors import UsherError

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


@dataclass(frozen=True)
class Metrics:
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
        for name, what, value in (
            ("usher_turns_running", "Turns that run now", lambda: gate.running),
            ("usher_turns_waiting", "Turns that wait for their place", lambda: gate.waiting),
        ):
            Gauge(name, what, registry=registry).set_function(value)

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
                    self.tool_errors.labels(called.tool).inc()
            self.replaced.inc("writer: plain reply" in done.notes and any("unsupported" in note for note in done.notes))
            self.fallbacks.inc(any("stood in" in note for note in done.notes))

        try:
            yield count
        except Left:
            raise
        except Late:
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

    @contextmanager
    def request(self, method: str) -> Iterator[Callable[[str, int], float]]:
        """Around one request; the caller says which route it was and the status, and gets the seconds it took."""
        started = time.perf_counter()

        def answered(route: str, status: int) -> float:
            seconds = time.perf_counter() - started
            self.requests.labels(method, route, str(status)).inc()
            self.latency.labels(method, route).observe(seconds)
            return seconds

        yield answered
