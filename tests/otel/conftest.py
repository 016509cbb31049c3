"""A tracer whose spans stay in memory, and what tests ask of them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from millstream import OpenTelemetryTracer, RunnableConfig


class Open(SpanProcessor):
    """Counts the spans that have begun and not ended; one that ends twice makes it negative."""

    def __init__(self) -> None:
        self.count = 0

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        self.count += 1

    def on_end(self, span: ReadableSpan) -> None:
        self.count -= 1


class Traces:
    """The spans of a test."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.open = Open()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.provider.add_span_processor(self.open)
        #: What the caller, or a step's own code, makes spans with.
        self.own = self.provider.get_tracer("own")

    def config(self, **kwargs: Any) -> RunnableConfig:
        """A config with a new tracer."""
        return {"callbacks": [OpenTelemetryTracer(self.provider, **kwargs)]}

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans that have ended, as they began."""
        return sorted(self._exporter.get_finished_spans(), key=lambda span: span.start_time or 0)

    def named(self, name: str) -> ReadableSpan:
        """The one span of this name."""
        [span] = [each for each in self.spans if each.name == name]
        return span

    def said(self, name: str) -> dict[str, Any]:
        """Its attributes."""
        return dict(self.named(name).attributes or {})

    def parent(self, name: str) -> str | None:
        """The name of its parent."""
        return self.above(self.named(name))

    def above(self, span: ReadableSpan) -> str | None:
        """The name of a span's parent."""
        if span.parent is None:
            return None
        names = {each.context.span_id: each.name for each in self.spans if each.context is not None}
        return names[span.parent.span_id]

    @property
    def tree(self) -> set[tuple[str | None, str]]:
        """All pairs of parent and child."""
        return {(self.above(span), span.name) for span in self.spans}

    def read(self, name: str, attribute: str) -> Any:
        """An attribute that is JSON."""
        return json.loads(self.said(name)[attribute])


@pytest.fixture
def traces() -> Iterator[Traces]:
    """Spans in memory; all of them have ended, once, when the test has."""
    traces = Traces()
    yield traces
    assert traces.open.count == 0
