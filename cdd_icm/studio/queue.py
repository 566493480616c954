"""`DeviceQueue`: what all visitors and callers ask of one device, first come first served, in one thread."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice
from typing import Any

from cdd_icm.errors import InputError

CLOSE_SECONDS = 60.0
"""How long `close` waits for work that does not look whether it was cancelled."""


class QueueFull(InputError):
    """As many jobs wait as may wait. Asking again a little later may succeed."""


class Cancelled(InputError):
    """The job was cancelled before it had a result."""


class Closed(InputError):
    """The queue takes no more work: the program is ending."""


class Ticket:
    """One job in a queue: where it is, how to stop it, and its result.

    `future` is done when the job is; it can't be cancelled, `cancel` does that. `waited` and `worked` are
    seconds, `batch` is the number of jobs that were done at once, 0 before it began.
    """

    def __init__(self, queue: DeviceQueue):
        self._queue = queue
        self._cancelled = threading.Event()
        self._submitted = time.monotonic()
        self._started: float | None = None
        self._ended: float | None = None
        self.batch = 0
        self.future: Future = Future()
        self.future.set_running_or_notify_cancel()  # from now on the future's own cancel() does nothing

    @property
    def position(self) -> int:
        """0 if the job is running, about to, or done; else how many are before it. Jobs that are drawn
        together now count as one."""
        return self._queue.position(self)

    @property
    def done(self) -> bool:
        return self.future.done()

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called; the job may still be in its last step."""
        return self._cancelled.is_set()

    @property
    def waited(self) -> float:
        """Seconds in the queue, so far or until the job began."""
        return (self._started or self._ended or time.monotonic()) - self._submitted

    @property
    def worked(self) -> float:
        """Seconds since the job began, or that it took; 0 if it never began."""
        return (self._ended or time.monotonic()) - self._started if self._started else 0.0

    def cancel(self) -> None:
        """Takes a waiting job out of the queue. A running one stops at its next check, that is within one
        step. Does nothing if the job is done."""
        self._cancelled.set()
        self._queue.withdraw(self)

    def check(self) -> None:
        """Raises Cancelled if the job was cancelled."""
        if self._cancelled.is_set():
            raise cancelled()

    def result(self, timeout: float | None = None) -> Any:
        """Waits for the job and returns what it returned.

        Raises:
            TimeoutError: not done within `timeout` seconds; the job goes on.
            Cancelled, Closed: it was cancelled, or the queue was closed.
            Exception: what the job raised.
        """
        return self.future.result(timeout)

    def _begin(self, batch: int) -> None:
        self._started, self.batch = time.monotonic(), batch

    def _end(self, result: Any = None, error: BaseException | None = None) -> None:
        """Only the first end counts: one of a batch may have been cancelled before its end."""
        with self._queue.changed:
            if self.future.done():
                return
            self._ended = time.monotonic()
            if error is None:
                self.future.set_result(result)
            else:
                self.future.set_exception(error)
        self._queue.on_end(self)


@dataclass(eq=False)
class _Job:
    ticket: Ticket
    caller: Hashable


@dataclass(eq=False)
class _Alone(_Job):
    function: Callable[[], Any]


@dataclass(eq=False)
class _OfBatch(_Job):
    run: Callable[[Sequence[Any], Callable[[], None]], Sequence[Any]]
    item: Any
    kind: Hashable


@dataclass(frozen=True)
class _Expected:
    """How many jobs of a kind are likely to be there in a moment: as many as were just done or waited."""

    kind: Hashable = None
    jobs: int = 0


class DeviceQueue:
    """Runs jobs one after the other in a thread of its own, so that one device never does two things at once.

    Any thread may submit, but a job must not wait for another job of the same queue. The oldest job is always
    the next. If it may be done in a batch, waiting jobs of its kind go with it, also from behind others: they
    wait for a larger pass then.

    Args:
        limit: jobs that may wait; the next one is refused, so that memory is bounded.
        limit_of_caller: jobs that may wait under one key, such as a visitor; None: `limit`.
        largest_batch: the most jobs that are done at once.
        on_end: called with each ticket when it is done, in any thread; for figures.
        gather: seconds to wait, after a pass, for as many jobs of its kind as it had and as waited at its
            end. Callers who were answered together ask again together, and are drawn together. One who is
            alone never waits.
    """

    def __init__(
        self,
        device: str = "cpu",
        limit: int = 64,
        limit_of_caller: int | None = None,
        largest_batch: int = 8,
        gather: float = 0.03,
        on_end: Callable[[Ticket], None] = lambda _: None,
    ):
        self.device, self.limit, self.largest_batch, self.gather = device, limit, largest_batch, gather
        self.limit_of_caller = limit if limit_of_caller is None else limit_of_caller
        self.on_end = on_end
        self.changed = threading.Condition()
        self._waiting: deque[_Job] = deque()
        self._running: list[_Job] = []
        self._expected = _Expected()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=f"queue of {device}", daemon=True)
        self._thread.start()

    def submit(self, function: Callable[[], Any], *, key: Hashable = None) -> Ticket:
        """Has `function()` run alone. It should call this queue's `check` after each of its steps.

        Args:
            key: who asks, such as a visitor's id; see `limit_of_caller`. None has no limit of its own.

        Raises:
            QueueFull: too many jobs wait. Closed: `close` was called.
        """
        return self._put(_Alone(Ticket(self), key, function))

    def submit_batch(
        self,
        run: Callable[[Sequence[Any], Callable[[], None]], Sequence[Any]],
        item: Any,
        *,
        kind: Hashable,
        key: Hashable = None,
    ) -> Ticket:
        """Has `item` done by `run`, with others that wait if they are of the same `kind`.

        If a batch of several fails, each item is done alone, so that an error reaches the one that caused it.

        Args:
            run: gets the items, oldest first, and a check to call after each step, and returns their results
                in this order. The check raises Cancelled once all of the batch are cancelled. It must be the
                same for all of a kind.

        Raises: as `submit`.
        """
        return self._put(_OfBatch(Ticket(self), key, run, item, kind))

    @property
    def waiting(self) -> int:
        """Jobs that wait; without those that are running."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """Jobs that are running: 0, 1, or as many as the batch has."""
        return len(self._running)

    def check(self, *_: Any) -> None:
        """Raises Cancelled if the running job was cancelled: for the function that runs, in its own thread.
        May be a `callback_on_step_end`, whose arguments it does not need."""
        for job in self._running:
            job.ticket.check()

    def position(self, ticket: Ticket) -> int:
        """See `Ticket.position`."""
        with self.changed:
            for number, job in enumerate(self._waiting):
                if job.ticket is ticket:
                    return number + bool(self._running)
        return 0

    def withdraw(self, ticket: Ticket) -> None:
        """Ends a cancelled job that waits, or is one of a batch. One that runs alone ends itself, so that
        whoever waits for it knows that nothing of it is still at work."""
        with self.changed:
            for job in self._waiting:
                if job.ticket is ticket:
                    self._waiting.remove(job)
                    break
            else:
                if not any(isinstance(job, _OfBatch) and job.ticket is ticket for job in self._running):
                    return
            self.changed.notify_all()
        ticket._end(error=cancelled())

    def close(self) -> None:
        """Refuses new jobs, ends those that wait with `Closed`, has the running one stop within a step, and
        returns when the thread has ended. May be called again."""
        with self.changed:
            self._closed = True
            waiting, self._waiting = list(self._waiting), deque()
            running = list(self._running)
            self.changed.notify_all()
        for job in waiting:
            job.ticket._end(error=_closed())
        for job in running:
            job.ticket.cancel()
        if threading.current_thread() is not self._thread:
            self._thread.join(CLOSE_SECONDS)

    def __enter__(self) -> DeviceQueue:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _put(self, job: _Job) -> Ticket:
        with self.changed:
            if self._closed:
                raise _closed()
            if len(self._waiting) >= self.limit:
                raise QueueFull(f"queue: {len(self._waiting)} requests wait already; try again in a moment")
            if job.caller is not None:
                own = sum(each.caller == job.caller for each in self._waiting)
                if own >= self.limit_of_caller:
                    raise QueueFull(f"queue: {own} of your requests wait already; wait for one of them")
            self._waiting.append(job)
            self.changed.notify_all()
        return job.ticket

    def _work(self) -> None:
        while jobs := self._take():
            try:
                if isinstance(jobs[0], _OfBatch):
                    self._run_batch(jobs)
                else:
                    self._run_alone(jobs[0])
            finally:
                with self.changed:
                    self._running = []

    def _take(self) -> list[_Job]:
        """Waits for the next job, with those that are done with it; none when the queue is closed."""
        with self.changed:
            self.changed.wait_for(lambda: self._waiting or self._closed)
            self._gather()
            self.changed.wait_for(lambda: self._waiting or self._closed)  # the gathered may be withdrawn
            if self._closed:
                return []
            jobs = self._head()
            for job in jobs:
                self._waiting.remove(job)
                job.ticket._begin(len(jobs))
            self._running = jobs
            return jobs

    def _gather(self) -> None:
        """Waits a moment for as many as are expected; holds the lock."""
        until = time.monotonic() + self.gather
        wanted = min(self._expected.jobs, self.largest_batch)
        while not self._closed and self._waiting and (left := until - time.monotonic()) > 0:
            jobs = self._head()
            again = isinstance(jobs[0], _OfBatch) and jobs[0].kind == self._expected.kind
            # of the others, which may never wait for this, there must be none
            if not again or len(self._waiting) > len(jobs) or len(jobs) >= wanted:
                return
            self.changed.wait(left)

    def _head(self) -> list[_Job]:
        """The oldest waiting job, with those that are done with it."""
        first = self._waiting[0]
        if not isinstance(first, _OfBatch):
            return [first]
        return list(islice(filter(_of(first.kind), self._waiting), self.largest_batch))

    def _run_alone(self, job: _Alone) -> None:
        self._expected = _Expected()
        try:
            result = job.function()
        except BaseException as error:
            job.ticket._end(error=error)
        else:
            job.ticket._end(result)

    def _run_batch(self, jobs: Sequence[_OfBatch]) -> None:
        def check() -> None:
            if all(job.ticket.cancelled for job in jobs):
                raise cancelled()

        try:
            results = jobs[0].run([job.item for job in jobs], check)
        except BaseException as error:
            if len(jobs) > 1 and not isinstance(error, Cancelled):
                for job in jobs:
                    if not job.ticket.cancelled:
                        self._run_batch([job])
                return
            for job in jobs:
                job.ticket._end(error=error)
        else:
            with self.changed:  # before a caller knows of the end, and asks again
                kind = jobs[0].kind
                self._expected = _Expected(kind, len(jobs) + sum(map(_of(kind), self._waiting)))
            for job, result in zip(jobs, results, strict=True):
                job.ticket._end(result)


def _of(kind: Hashable) -> Callable[[_Job], bool]:
    """Whether a job may be done in a batch of this kind."""
    return lambda job: isinstance(job, _OfBatch) and job.kind == kind


def cancelled() -> Cancelled:
    """What a cancelled job ends with."""
    return Cancelled("stopped: it was cancelled")


def _closed() -> Closed:
    return Closed("queue: the server is stopping; nothing more is drawn")
