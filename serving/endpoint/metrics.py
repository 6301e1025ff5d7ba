"""The service's metrics, in Prometheus' form."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from isocompute.serving.endpoint.chunks import StreamedText

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250)
COMPUTE = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """Counters of requests, calls, tokens and compute; no label comes from a client."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.requests = Counter(
            "isocompute_requests_total", "Chat completions, by HTTP status.", ["status"], registry=registry
        )
        self.stopped = Counter(
            "isocompute_stopped_total", "Answers, by the reason for which sampling stopped.", ["reason"],
            registry=registry,
        )  # fmt: skip
        self.calls = Counter(
            "isocompute_calls_total", "Calls to the servers behind, by role and end.", ["role", "end"],
            registry=registry,
        )  # fmt: skip
        self.tokens = Counter(
            "isocompute_tokens_total", "Tokens of these calls, cancelled ones included.", ["role", "kind", "end"],
            registry=registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "isocompute_request_seconds", "Seconds of a chat completion.", buckets=SECONDS, registry=registry
        )
        self.compute = Histogram(
            "isocompute_request_compute", "Compute of a request in x, one solution's.", buckets=COMPUTE,
            registry=registry,
        )  # fmt: skip
        self.running = Gauge("isocompute_requests_running", "Requests that are answered now.", registry=registry)
        self.waiting = Gauge("isocompute_requests_waiting", "Requests that wait for their turn.", registry=registry)

    def record_call(self, role: str, end: str, text: StreamedText | None) -> None:
        """Count a call that ended."""
        self.calls.labels(role, end).inc()
        if text is not None:
            self.tokens.labels(role, "completion", end).inc(text.completion_tokens)
            self.tokens.labels(role, "prompt", end).inc(text.prompt_tokens or 0)

    def record_stop(self, reason: str) -> None:
        """Count an answer by its reason, without the numbers in it."""
        self.stopped.labels(reason.split(" reached ")[0]).inc()

    def render_text(self) -> bytes:
        """Return all metrics as text."""
        return generate_latest(self.registry)
