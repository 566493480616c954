"""A device's queue: order, place, cancelling, bounds, batches, and its end; with plain functions."""

import threading

import pytest

from cdd_icm.studio.queue import Cancelled, Closed, DeviceQueue, QueueFull

PATIENCE = 30.0  # for threads that answer at once unless something is wrong


@pytest.fixture
def queue():
    with DeviceQueue(limit=4, largest_batch=3, gather=0.0) as queue:
        yield queue


class Held:
    """A job that runs until it is let go, and looks whether it was cancelled."""

    def __init__(self, queue):
        self.begun, self.go = threading.Event(), threading.Event()
        self.ticket = queue.submit(lambda: self._run(queue))
        assert self.begun.wait(PATIENCE)

    def _run(self, queue):
        self.begun.set()
        while not self.go.wait(0.001):
            queue.check()
        return "held"


class Batches:
    """A `run` of batches that notes what it was given."""

    def __init__(self, fails_on=None):
        self.given, self.fails_on = [], fails_on

    def __call__(self, items, check):
        self.given.append(list(items))
        check()
        if self.fails_on in items:
            raise ValueError(f"bad {self.fails_on}")
        return [10 * item for item in items]


def batch(queue, run, items, kind="kind", **options):
    return [queue.submit_batch(run, item, kind=kind, **options) for item in items]


def test_jobs_run_in_the_order_in_which_they_came(queue):
    held, done = Held(queue), []
    tickets = [queue.submit(lambda number=number: done.append(number)) for number in range(4)]
    assert [ticket.position for ticket in (held.ticket, *tickets)] == [0, 1, 2, 3, 4]
    assert not tickets[0].done and tickets[0].worked == 0.0
    held.go.set()
    for ticket in tickets:
        ticket.result(PATIENCE)
    assert done == [0, 1, 2, 3] and held.ticket.result() == "held"
    assert all(ticket.position == 0 and ticket.done and ticket.batch == 1 for ticket in tickets)
    assert all(ticket.waited > 0 and ticket.worked > 0 for ticket in tickets)


def test_a_result_that_is_not_there_in_time_comes_later(queue):
    held = Held(queue)
    with pytest.raises(TimeoutError):
        held.ticket.result(0.001)
    held.go.set()
    assert held.ticket.result(PATIENCE) == "held"


def test_an_error_reaches_whoever_asked_and_the_queue_goes_on(queue):
    def fail():
        raise KeyError("x")

    with pytest.raises(KeyError):
        queue.submit(fail).result(PATIENCE)
    with pytest.raises(SystemExit):  # would end the thread
        queue.submit(leave).result(PATIENCE)
    assert queue.submit(lambda: 3).result(PATIENCE) == 3


def leave():
    raise SystemExit(1)


def test_a_running_job_that_is_cancelled_stops_at_its_next_check(queue):
    held = Held(queue)
    held.ticket.cancel()
    with pytest.raises(Cancelled, match="^stopped: it was cancelled$"):
        held.ticket.result(PATIENCE)
    assert held.ticket.cancelled and queue.submit(lambda: 1).result(PATIENCE) == 1


def test_a_waiting_job_that_is_cancelled_leaves_the_queue_at_once(queue):
    held, done = Held(queue), []
    first, second = queue.submit(lambda: done.append(1)), queue.submit(lambda: done.append(2))
    first.cancel()
    first.cancel()
    assert second.position == 1 and first.done and queue.waiting == 1
    with pytest.raises(Cancelled):
        first.result(0)
    held.go.set()
    second.result(PATIENCE)
    assert done == [2]


def test_cancelling_a_job_that_is_done_changes_nothing(queue):
    ticket = queue.submit(lambda: 7)
    assert ticket.result(PATIENCE) == 7
    ticket.cancel()
    ticket.future.cancel()
    assert ticket.result(0) == 7


def test_more_than_may_wait_are_refused(queue):
    held = Held(queue)
    waiting = [queue.submit(lambda: None) for _ in range(4)]
    with pytest.raises(QueueFull, match="^queue: 4 requests wait already; try again in a moment$"):
        queue.submit(lambda: None)
    with pytest.raises(QueueFull):
        queue.submit_batch(Batches(), 1, kind="kind")
    waiting[0].cancel()
    assert not queue.submit(lambda: None).done
    held.go.set()


def test_one_caller_can_not_fill_the_queue():
    with DeviceQueue(limit=4, limit_of_caller=2) as queue:
        held = Held(queue)
        own = [queue.submit(lambda: 1, key="a"), queue.submit_batch(Batches(), 1, kind="k", key="a")]
        with pytest.raises(QueueFull, match="^queue: 2 of your requests wait already"):
            queue.submit(lambda: None, key="a")
        others = [queue.submit(lambda: 2, key="b"), queue.submit(lambda: 2)]
        held.go.set()
        assert [ticket.result(PATIENCE) for ticket in (*own, *others)] == [1, 10, 2, 2]
        assert queue.submit(lambda: 3, key="a").result(PATIENCE) == 3


def test_waiting_jobs_of_a_kind_are_done_together_and_others_stay_in_order(queue):
    held, run, other, done = Held(queue), Batches(), Batches(), []
    a, b = batch(queue, run, [1, 2])
    alone = queue.submit(lambda: done.append(list(run.given)))
    (c,) = batch(queue, run, [3])
    assert [ticket.position for ticket in (a, b, alone, c)] == [1, 2, 3, 4]
    held.go.set()
    assert [ticket.result(PATIENCE) for ticket in (a, b, c)] == [10, 20, 30]
    alone.result(PATIENCE)
    assert run.given == [[1, 2, 3]] and done == [[[1, 2, 3]]] and a.batch == c.batch == 3
    held = Held(queue)
    tickets = [*batch(queue, run, [4]), *batch(queue, other, [5], kind="other"), *batch(queue, run, [6])]
    held.go.set()
    assert [ticket.result(PATIENCE) for ticket in tickets] == [40, 50, 60]
    assert run.given[1:] == [[4, 6]] and other.given == [[5]]


def test_a_batch_is_at_most_so_large(queue):
    held, run = Held(queue), Batches()
    tickets = batch(queue, run, [1, 2, 3, 4])
    held.go.set()
    assert [ticket.result(PATIENCE) for ticket in tickets] == [10, 20, 30, 40]
    assert run.given == [[1, 2, 3], [4]] and [ticket.batch for ticket in tickets] == [3, 3, 3, 1]


def test_one_that_fails_in_a_batch_fails_alone(queue):
    held, run = Held(queue), Batches(fails_on=2)
    tickets = batch(queue, run, [1, 2, 3])
    held.go.set()
    assert [ticket.result(PATIENCE) for ticket in (tickets[0], tickets[2])] == [10, 30]
    with pytest.raises(ValueError, match="bad 2"):
        tickets[1].result(PATIENCE)
    assert run.given == [[1, 2, 3], [1], [2], [3]]


class Steps:
    """A `run` that takes steps until it is let go, or its check raises."""

    def __init__(self):
        self.begun, self.go, self.stopped = threading.Event(), threading.Event(), threading.Event()

    def __call__(self, items, check):
        self.begun.set()
        try:
            while not self.go.wait(0.001):
                check()
        except Cancelled:
            self.stopped.set()
            raise
        return items


def test_a_batch_goes_on_for_the_others_and_stops_with_the_last(queue):
    held, run = Held(queue), Steps()
    first, second = batch(queue, run, [1, 2])
    held.go.set()
    assert run.begun.wait(PATIENCE)
    first.cancel()
    with pytest.raises(Cancelled):
        first.result(0)
    assert not second.done and not run.stopped.wait(0.02)
    second.cancel()
    assert run.stopped.wait(PATIENCE)
    assert queue.submit(lambda: 1).result(PATIENCE) == 1


def test_after_a_batch_the_queue_waits_for_as_many_again():
    with DeviceQueue(gather=PATIENCE) as queue:
        held, run = Held(queue), Batches()
        tickets = batch(queue, run, [1, 2])
        held.go.set()
        assert [ticket.result(PATIENCE) for ticket in tickets] == [10, 20]
        tickets = [*batch(queue, run, [3]), *batch(queue, run, [4])]  # one by one
        assert [ticket.result(PATIENCE) for ticket in tickets] == [30, 40]
        assert run.given == [[1, 2], [3, 4]]
        (waiting,) = batch(queue, run, [5])
        alone = queue.submit(lambda: "at once")  # one of another kind ends the wait
        assert alone.result(PATIENCE) == "at once" and waiting.result(0) == 50
        batch(queue, run, [6])[0].result(PATIENCE)
        (single,) = batch(queue, run, [7])
        assert single.result(PATIENCE) == 70, "after a single one nothing is waited for"


def test_two_callers_who_take_turns_are_done_together_from_then_on():
    with DeviceQueue(gather=PATIENCE) as queue:
        run = Steps()
        (first,) = batch(queue, run, [1])
        assert run.begun.wait(PATIENCE)
        (second,) = batch(queue, run, [2])
        run.go.set()
        first.result(PATIENCE)
        (third,) = batch(queue, run, [3])  # as the first caller's next
        assert second.result(PATIENCE) == 2 and third.result(PATIENCE) == 3
        assert first.batch == 1 and second.batch == third.batch == 2


def test_close_ends_everything_and_leaves_no_thread():
    before = set(threading.enumerate())
    queue = DeviceQueue()
    held, waiting = Held(queue), queue.submit(lambda: 1)
    (of_batch,) = batch(queue, Batches(), [1])
    queue.close()
    assert set(threading.enumerate()) <= before
    for ticket, error in ((held.ticket, Cancelled), (waiting, Closed), (of_batch, Closed)):
        with pytest.raises(error):
            ticket.result(0)
    with pytest.raises(Closed, match="^queue: the server is stopping; nothing more is drawn$"):
        queue.submit(lambda: None)
    queue.close()


def test_close_ends_an_idle_queue_and_one_that_gathers():
    before = set(threading.enumerate())
    DeviceQueue().close()
    queue, run = DeviceQueue(gather=PATIENCE), Batches()
    held = Held(queue)
    tickets = batch(queue, run, [1, 2])
    held.go.set()
    [ticket.result(PATIENCE) for ticket in tickets]
    (waiting,) = batch(queue, run, [3])
    queue.close()
    with pytest.raises(Closed):
        waiting.result(0)
    assert set(threading.enumerate()) <= before


def test_many_threads_submit_and_cancel():
    """No ticket is lost and none runs twice."""
    ran, lock = [], threading.Lock()

    def run(items, check):
        with lock:
            ran.extend(items)
        return items

    with DeviceQueue(limit=1000, gather=0.001) as queue:
        tickets = {}

        def submit(thread):
            for number in range(30):
                name = (thread, number)
                if number % 3:
                    tickets[name] = queue.submit_batch(run, name, kind=number % 2)
                else:
                    tickets[name] = queue.submit(lambda name=name: run([name], None)[0])
                if number % 5 == 0:
                    tickets[name].cancel()

        threads = [threading.Thread(target=submit, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for name, ticket in tickets.items():
            try:
                assert ticket.result(PATIENCE) == name
            except Cancelled:
                assert ticket.cancelled
        assert len(ran) == len(set(ran)) and queue.waiting == 0
