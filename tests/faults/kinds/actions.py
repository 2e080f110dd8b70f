"""What users do while images are being processed: cancel, retry, purge."""

import threading

import psycopg2

from faults.kinds.fault import Fault

SOME = "SELECT id FROM imgpress.processing_requests WHERE {} ORDER BY random() LIMIT 3"


class Action(Fault):
    """Runs calls in several sessions at the same time; what images do must not suffer."""

    work_goes_on = True

    def calls(self, world):
        """Functions without arguments, each for a session of its own."""
        raise NotImplementedError

    def inject(self, world, rng):
        threads = [threading.Thread(target=_run, args=(call,)) for call in self.calls(world)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _run(call):
    try:
        call()
    except psycopg2.errors.NoDataFound:
        pass  # the request was purged meanwhile


def _ids(world, condition):
    return [request for (request,) in world.cluster.query(SOME.format(condition))]


class CancelAndRetry(Action):
    """The same requests are cancelled and retried at the same time."""

    name = "cancel and retry"

    def calls(self, world):
        for request in _ids(world, "ended_at IS NULL"):
            for function in ("cancel", "retry_failed", "cancel"):
                sql = f"SELECT imgpress.{function}(%s)"
                yield lambda sql=sql, request=request: world.cluster.query(sql, (request,))


class RetryAndPurge(Action):
    """Failed images are retried, by request and all together, while ended requests are purged."""

    name = "retry and purge"

    def calls(self, world):
        for request in _ids(world, "failed_count > 0 AND ended_at IS NOT NULL"):
            sql = "SELECT imgpress.retry_failed(%s)"
            yield lambda request=request: world.cluster.query(sql, (request,))
        yield lambda: world.cluster.query("SELECT imgpress.retry_recent()")
        yield world.purge


FAULTS = (CancelAndRetry(), RetryAndPurge())
