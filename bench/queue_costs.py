"""The cost of the queue's SQL functions for each image, with few and with many images waiting.

The functions are called inside the server as the drainer calls them (claim and finish, one
transaction each), without other work in between. A batch is timed without its COMMIT, which depends
on the disk. The result is the lower quartile over the batches, because other work on the machine
can only add time.
"""

from contextlib import closing

SHORT = 1000
SLOTS = (64, 256)
MEASURED = 20_000  # images, for each place in a long queue and number of slots
CALLS = 200
REPEATS = 400

CREATE_DRAIN = """
CREATE PROCEDURE drain(images integer, slots integer, INOUT claim_us float8[], INOUT finish_us float8[])
LANGUAGE plpgsql AS $$
DECLARE
    done integer := 0;
    lease bigint := (random() * 1e15)::bigint;
    outcomes imgpress_internal.outcome[];
    n integer;
    begun timestamptz;
BEGIN
    WHILE done < images LOOP
        lease := lease + 1;
        begun := clock_timestamp();
        SELECT array_agg((lease, i.request_id, i.image_no, 'Completed', NULL, 0, 0, 0, false, false, NULL, NULL,
                          200, 100, 'jpeg', 'image/jpeg', 'digest', 4, 3, false, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL)::imgpress_internal.outcome)
            INTO outcomes
            FROM imgpress_internal.claim_images(0, lease, slots, slots / 2, '{}', '{}', '5 minutes') i
            WHERE i.image_no IS NOT NULL;
        EXIT WHEN outcomes IS NULL;
        n := cardinality(outcomes);
        claim_us := claim_us || extract(epoch FROM clock_timestamp() - begun)::float8 * 1e6 / n;
        COMMIT;
        begun := clock_timestamp();
        PERFORM imgpress_internal.finish_images(outcomes, array_fill('\\xffd8ffd9'::bytea, ARRAY[n]));
        finish_us := finish_us || extract(epoch FROM clock_timestamp() - begun)::float8 * 1e6 / n;
        COMMIT;
        done := done + n;
    END LOOP;
END
$$
"""

CREATE_WATCH = """
CREATE FUNCTION watch(request uuid, calls integer, OUT status_us float8, OUT progress_us float8)
LANGUAGE plpgsql AS $$
DECLARE
    begun timestamptz := clock_timestamp();
BEGIN
    FOR i IN 1..calls LOOP
        PERFORM imgpress.request_status(request);
    END LOOP;
    status_us := extract(epoch FROM clock_timestamp() - begun) * 1e6 / calls;
    begun := clock_timestamp();
    FOR i IN 1..calls LOOP
        PERFORM p.percent FROM imgpress.progress p WHERE p.request_id = request;
    END LOOP;
    progress_us := extract(epoch FROM clock_timestamp() - begun) * 1e6 / calls;
END
$$
"""

SUBMIT = r"""
SELECT imgpress.submit_csv(E'S. No.,Product Name,URLs\n' || string_agg(
    format(E'%%s,Product %%s,http://images.example/%%s.jpg\n', n, n, n), ''))
FROM generate_series(1, %s) r, generate_series(1, %s) n GROUP BY r
"""

PRODUCTS = "SELECT count(output_image_urls) FROM imgpress.request_products(%s)"


class Backlog:
    """The queue of one database, processed by drain() only, in one session that keeps its plans."""

    def __init__(self, cluster, database):
        cluster.query(f"CREATE DATABASE {database}")
        self._connection = cluster.connect(database)
        self._cursor = self._connection.cursor()
        for statement in ("CREATE EXTENSION imgpress", CREATE_DRAIN, CREATE_WATCH):
            self._cursor.execute(statement)
        self._cursor.execute("SET client_min_messages = warning")

    def close(self):
        self._connection.close()

    def submit(self, requests, images):
        """Submits this many requests of this many images; returns their ids."""
        self._cursor.execute(SUBMIT, (requests, images))
        return [row[0] for row in self._cursor.fetchall()]

    def drain(self, images, slots):
        """{"claim": [...], "finish": [...]}: microseconds an image, batch by batch."""
        self._cursor.execute("CALL drain(%s, %s, '{}', '{}')", (images, slots))
        return dict(zip(("claim", "finish"), self._cursor.fetchone()))

    def watch(self, request):
        """{"status": [...], "progress": [...]}: microseconds a call."""
        self._cursor.execute("SELECT * FROM watch(%s, %s)", (request, CALLS))
        return {name: [us] for name, us in zip(("status", "progress"), self._cursor.fetchone())}

    def products(self, request):
        """{"products": [...]}: microseconds an image of request_products()."""
        self._cursor.execute("SELECT clock_timestamp()")
        begun = self._cursor.fetchone()[0]
        self._cursor.execute(PRODUCTS, (request,))
        count = self._cursor.fetchone()[0]
        self._cursor.execute("SELECT extract(epoch FROM clock_timestamp() - %s)", (begun,))
        return {"products": [float(self._cursor.fetchone()[0]) * 1e6 / count]}


class Costs:
    """Samples of one situation: a list for each (operation, slots)."""

    def __init__(self):
        self._samples = {}

    def add(self, samples, slots=None):
        for operation, values in samples.items():
            self._samples.setdefault((operation, slots), []).extend(values)

    def typical(self):
        """The lower quartile of each."""
        return {
            key: sorted(values)[(len(values) - 1) // 4] for key, values in self._samples.items()
        }


def measure(long, short, request, with_products):
    """(costs of the long queue, costs of the short one), measured in turns, since whatever else the
    machine does comes and goes: 1,000 images of the one, then all 1,000 of the other."""
    costs, base = Costs(), Costs()
    for slots in SLOTS:
        for _ in range(MEASURED // SHORT):
            costs.add(long.drain(SHORT, slots), slots)
            (small,) = short.submit(1, SHORT)
            base.add(short.drain(SHORT, slots), slots)
    for _ in range(REPEATS):
        costs.add(long.watch(request))
        base.add(short.watch(small))
    if with_products:
        costs.add(long.products(request))
        base.add(short.products(small))
    return costs.typical(), base.typical()


def measure_places(long, short, requests, images):
    """Yields (place, costs, costs of the short queue) at three places of a long queue."""
    ids = long.submit(requests, images // requests)
    middle = ids[len(ids) // 2]
    between = (images - 3 * len(SLOTS) * (MEASURED + max(SLOTS))) // 2
    for place in ("beginning", "middle", "end"):
        yield place, *measure(long, short, middle, place == "end")
        if place != "end":
            long.drain(between, SLOTS[-1])


def rows(cluster, images):
    """One row for each situation, operation and number of slots, with the ratio to the short
    queue."""
    measured = []
    with closing(Backlog(cluster, "short")) as short:
        for number, requests in enumerate((1, images // SHORT)):
            with closing(Backlog(cluster, f"long{number}")) as long:
                for backlog in (short, long):  # plans are made and caches filled
                    backlog.submit(1, SHORT)
                    backlog.drain(SHORT, SLOTS[-1])
                for place in measure_places(long, short, requests, images):
                    queue = f"{requests:,} x {images // requests:,}"
                    measured += situation_rows(queue, *place)
    return measured


def situation_rows(queue, place, costs, base):
    for (operation, slots), microseconds in costs.items():
        yield {
            "queue": queue,
            "place": place,
            "operation": operation,
            "slots": slots or "",
            "us": round(microseconds, 1),
            f"us at {SHORT:,}": round(base[operation, slots], 1),
            "ratio": round(microseconds / base[operation, slots], 2),
        }
