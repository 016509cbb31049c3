"""OpenTelemetry: a span for each run, in the words of the GenAI semantic conventions.

`spans.py` is the watcher that begins and ends them, `attributes.py` says what stands on them, `content.py`
writes what was said, for those who ask for it. The last two know nothing of OpenTelemetry.
"""

from typing import TYPE_CHECKING

from millstream.errors import MissingDependency
from millstream.kernel.stage import Watcher

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

__all__ = ["OpenTelemetryTracer"]


class OpenTelemetryTracer:
    """Makes a span of each run that it is a callback of, and of all runs below.

    Give it as one of `callbacks`: in a call's config, in `with_config`, or to a model for its own runs. One
    serves any number of calls, threads and event loops at a time. The outermost span's parent is the span
    that is current where the chain is called; while a step's own code runs, the step's span is the current
    one.

    `tracer_provider` is the one whose exporters get the spans, the global one without. What was said
    (messages, arguments and results of tools, documents) is on the spans only with `capture_content`.

    Raises `MissingDependency` if `opentelemetry-api` is not installed. With the API alone, and no SDK,
    nothing is recorded.
    """

    def __init__(
        self, tracer_provider: "TracerProvider | None" = None, *, capture_content: bool = False
    ) -> None:
        try:
            import opentelemetry.trace  # noqa: F401
        except ImportError as error:
            raise MissingDependency("opentelemetry-api", command="pip install 'millstream[otel]'") from error
        from millstream.otel.spans import Spans

        self._watcher = Spans(tracer_provider, capture_content)

    def watcher(self) -> Watcher:
        """What the kernel tells of runs."""
        return self._watcher
