"""Figures of a running server in the format of Prometheus."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from cdd_icm.studio.queue import DeviceQueue, Ticket

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class Metrics:
    """Each has a registry of its own, so that several servers in one process don't mix. Of the queues all
    jobs count, also those of the page."""

    def __init__(self, queues: Iterable[DeviceQueue]):
        self._registry = CollectorRegistry()
        own = {"registry": self._registry}
        self.requests = Counter(
            "cdd_icm_requests", "Requests to the API by address and status", ["route", "status"], **own
        )
        self.turns = Counter("cdd_icm_turns", "Turns that the API drew", ["model"], **own)
        self.searches = Counter("cdd_icm_searches", "Searches that the API answered", **own)
        self.waiting = Gauge("cdd_icm_queue_waiting", "Jobs that wait", ["device"], **own)
        self.running = Gauge("cdd_icm_queue_running", "Jobs that are running", ["device"], **own)
        self.wait_seconds = Histogram(
            "cdd_icm_wait_seconds", "Seconds from a job's arrival to its begin", buckets=SECONDS, **own
        )
        self.work_seconds = Histogram(
            "cdd_icm_work_seconds", "Seconds from a job's begin to its end", buckets=SECONDS, **own
        )
        self.batch_size = Histogram(
            "cdd_icm_batch_size",
            "Jobs done in one pass, counted at each of them",
            buckets=range(1, 17),
            **own,
        )
        for queue in queues:
            self.waiting.labels(queue.device).set_function(lambda queue=queue: queue.waiting)
            self.running.labels(queue.device).set_function(lambda queue=queue: queue.running)
            queue.on_end = self._ended

    def text(self) -> bytes:
        """All figures, as Prometheus reads them."""
        return generate_latest(self._registry)

    def _ended(self, ticket: Ticket) -> None:
        self.wait_seconds.observe(ticket.waited)
        if ticket.batch:
            self.work_seconds.observe(ticket.worked)
            self.batch_size.observe(ticket.batch)
