"""What a run does, as metrics for Prometheus and as traces of OpenTelemetry (extra ``telemetry``).

Numbers by stage and kind of failure alone: no text of a question or reply, no message, no name of a
model, judge or item, and no key gets into a label or an attribute.
"""

from __future__ import annotations

import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from judgebench.errors import ConfigError
from judgebench.extras import TRACES_TO, install_line, is_installed
from judgebench.protocols import Meter, Progress

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer
    from prometheus_client.metrics_core import Metric

LOOPBACK = "127.0.0.1"
STAGES = ("answering", "judging", "loading")


class Telemetry:
    """A progress that tells another one the same, and keeps figures of it.

    ``counts`` has for each stage what there is to do, what became of it, and calls.
    """

    def __init__(self, shown: Progress, tracer: Tracer | None = None) -> None:
        self._shown = shown
        self._tracer = tracer
        self._run = None if tracer is None else tracer.start_span("run")
        self._ends = ExitStack()
        self._stage = "other"
        self._figures = Meter()
        self.counts: dict[str, Counter[str]] = defaultdict(Counter)

    def stage(self, name: str, total: int | None) -> None:
        self._shown.stage(name, total)
        self._ends.close()
        words = name.partition(":")[0], name.rpartition(": ")[2].partition(" ")[0]
        self._stage = next((word for word in words if word in STAGES), "other")
        self._figures = replace(self._figures, calls=0)  # they are counted from its beginning
        before = self.counts[self._stage].copy()
        self.counts[self._stage]["wanted"] += total or 0
        if self._tracer is not None and self._run is not None:
            from opentelemetry.trace import set_span_in_context

            span = self._tracer.start_span(self._stage, set_span_in_context(self._run))
            self._ends.callback(span.end)
            self._ends.callback(lambda: span.set_attributes(self._since(before)))

    def advance(self, n: int = 1, *, failed: str | None = None, waiting: bool = False) -> None:
        self._shown.advance(n, failed=failed, waiting=waiting)
        what = f"failed.{failed}" if failed else "waiting" if waiting else "done"
        self.counts[self._stage][what] += n

    def meter(self, figures: Meter) -> None:
        self._shown.meter(figures)
        self.counts[self._stage]["calls"] += max(0, figures.calls - self._figures.calls)
        self._figures = figures

    def say(self, message: str) -> None:
        self._shown.say(message)

    def close(self, error: BaseException | None = None) -> None:
        """The run has ended; by an error, of which its type is told."""
        self._ends.close()
        if self._run is not None:
            self._run.set_attribute("judgebench.ended", type(error).__name__ if error else "done")
            self._run.end()

    def _since(self, before: Counter[str]) -> Mapping[str, float]:
        """What a stage came to, and what the run had taken by its end."""
        taken = {"tokens": self._figures.tokens, "cost_usd": self._figures.cost_usd or 0.0}
        told = {**(self.counts[self._stage] - before), **taken}
        return {f"judgebench.{name}": value for name, value in told.items()}

    def collect(self) -> Iterator[Metric]:
        """As Prometheus asks for it."""
        from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

        for what in ("wanted", "done", "waiting", "failed", "calls"):
            labels = ["stage", "kind"] if what == "failed" else ["stage"]
            told = CounterMetricFamily(f"judgebench_{what}", f"Of a stage: {what}.", labels=labels)
            for stage, counts in list(self.counts.items()):
                for name, n in list(counts.items()):
                    if name.partition(".")[0] == what:
                        told.add_metric([stage, *name.split(".")[1:]], n)
            yield told
        yield GaugeMetricFamily("judgebench_tokens", "Tokens of the run.", self._figures.tokens)
        cost = self._figures.cost_usd or 0.0
        yield GaugeMetricFamily("judgebench_cost_usd", "US dollars of the run.", cost)


@contextmanager
def telemetry(
    shown: Progress,
    metrics_port: int | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Iterator[Progress]:
    """What shows progress, and keeps figures of it where that is asked for.

    Parameters
    ----------
    metrics_port
        Where Prometheus finds them, on the loopback; 0 for a free port, None for nowhere.
    environment
        ``OTEL_TRACES_EXPORTER`` (console, otlp) says where traces go; nowhere if it is not set.

    Raises
    ------
    ConfigError
        Where Prometheus is to be served and the extra is not installed, or the port is taken. That
        traces can go nowhere is said.
    """
    wanted = [one for one in environment.get(TRACES_TO, "").split(",") if one not in ("", "none")]
    if metrics_port is None and not wanted:
        yield shown
        return
    with ExitStack() as kept:
        tracer = None
        if wanted:
            try:
                tracer = kept.enter_context(_tracing(wanted))
            except ConfigError as error:  # the variable may be meant for others
                shown.say(f"warning: no traces: {error}")
        told = Telemetry(shown, tracer)
        if metrics_port is not None:
            port = kept.enter_context(_served(told, metrics_port))
            shown.say(f"metrics: http://{LOOPBACK}:{port}/metrics")
        try:
            yield told
        except BaseException as error:
            told.close(error)
            raise
        told.close()


def _needs(what: str, package: str) -> None:
    if not is_installed(package):
        raise ConfigError(
            f"{what} needs {package}, which is not installed: {install_line(package)}"
        )


@contextmanager
def _served(told: Telemetry, port: int) -> Iterator[int]:
    _needs("--metrics-port", "prometheus_client")
    from prometheus_client import CollectorRegistry, start_http_server

    registry = CollectorRegistry(auto_describe=False)
    registry.register(told)
    try:
        server, thread = start_http_server(port, LOOPBACK, registry)
    except (OSError, OverflowError) as error:
        raise ConfigError(f"--metrics-port {port}: {error}; 0 takes a free one") from None
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def _tracing(names: list[str]) -> Iterator[Tracer]:
    """Spans go to the exporters of these names, as packages of OpenTelemetry offer them."""
    _needs(f"{TRACES_TO}={','.join(names)}", "opentelemetry.sdk")
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

    own = {} if os.environ.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: "judgebench"}
    provider = TracerProvider(resource=Resource.create(own))
    for name in names:
        offered = [*entry_points(group="opentelemetry_traces_exporter", name=name)]
        if not offered:
            raise ConfigError(
                f"{TRACES_TO}={name}: no package offers it (for otlp: pip install "
                "opentelemetry-exporter-otlp); unset it to go on without traces"
            )
        # Standard output is for results.
        exporter = ConsoleSpanExporter(out=sys.stderr) if name == "console" else offered[0].load()()
        provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        yield provider.get_tracer("judgebench")
    finally:
        provider.shutdown()
