"""The gateway's figures for Prometheus; owns names and labels, which never grow with tenants, keys or models' users.

The hot path adds to plain integers of this process; the exposition reads them when somebody asks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from proxy.gateway import Gateway

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


class Histogram:
    """Counts per bucket and their sum in seconds."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(_SECONDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(_SECONDS, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        running, rows = 0, []
        for bound, count in zip((*map(str, _SECONDS), "+Inf"), self.counts, strict=True):
            running += count
            rows.append((bound, float(running)))
        return rows


class Tally(Collector):
    """Sums since the process began."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.requests: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.tokens: defaultdict[str, int] = defaultdict(int)
        self.latency: defaultdict[str, Histogram] = defaultdict(Histogram)
        self.first_token = Histogram()
        self.chunks = 0
        self.redis_failures = 0
        self.leased = 0

    def collect(self) -> Iterable[Metric]:
        yield from self._counters()
        yield from self._gauges()
        latency = HistogramMetricFamily("lumos_gateway_latency_seconds", "Whole request", labels=["endpoint"])
        for endpoint, histogram in sorted(self.latency.items()):
            latency.add_metric([endpoint], histogram.buckets(), histogram.total)
        yield latency
        first = HistogramMetricFamily("lumos_gateway_first_token_seconds", "Until the first event of a stream")
        first.add_metric([], self.first_token.buckets(), self.first_token.total)
        yield first

    def _counters(self) -> Iterator[Metric]:
        requests = CounterMetricFamily("lumos_gateway_requests", "By outcome", labels=["endpoint", "outcome"])
        for (endpoint, outcome), count in sorted(self.requests.items()):
            requests.add_metric([endpoint, outcome], count)
        yield requests
        tokens = CounterMetricFamily("lumos_gateway_tokens", "Settled tokens", labels=["direction"])
        for direction, count in sorted(self.tokens.items()):
            tokens.add_metric([direction], count)
        yield tokens
        yield CounterMetricFamily("lumos_gateway_stream_events", "Events passed on in streams", value=self.chunks)
        yield CounterMetricFamily(
            "lumos_gateway_redis_failures", "Refusals for want of Redis", value=self.redis_failures
        )
        yield CounterMetricFamily(
            "lumos_gateway_leased_requests", "Served on a lease while counters could not be asked", value=self.leased
        )
        yield CounterMetricFamily(
            "lumos_gateway_settlements_lost", "Left to the sweeper", value=self._gateway.settler.lost
        )

    def _gauges(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("lumos_gateway_in_flight", "Open exchanges", value=len(self._gateway.watch.open))
        yield GaugeMetricFamily("lumos_gateway_settle_backlog", "Books to close", value=len(self._gateway.settler))
        yield GaugeMetricFamily(
            "lumos_gateway_ready", "Processes in which requests can be decided", value=int(self._gateway.ready)
        )
