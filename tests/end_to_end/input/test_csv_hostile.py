"""Malicious files: whatever their size, reading can be cancelled at any time and takes memory of at
most a few times their size."""

import contextlib
import threading
import time

import psycopg2
import pytest

from harness.catalogue import HEADER_LINE
from harness.processes import own_memory_kib, peak_memory_kib, read_process
from harness.waiting import wait_until

MIB = 1 << 20
TIMEOUT_MS = 50
# The machine may be busy; code that ignores the timeout takes far longer.
GRACE_S = 0.25

# SQL expressions for files of about 30 MiB.
FILES = {
    "a URL and blanks": "head || '1,n,\"http://x/a' || repeat(' ', 30 << 20) || E'b\"\\n'",
    "a URL and wide blanks": "head || '1,n,\"http://x/a' || repeat(U&'\\200B', 10 << 20) || 'b\"'",
    "a URL and commas": "head || '1,n,\"http://x/a' || repeat(',', 30 << 20) || E'b\"\\n'",
    "URLs in one cell": "head || '1,n,\"' || repeat('http://a/1,', 3 << 20) || E'\"\\n'",
    "an array": "head || '1,n,\"{' || repeat('a,', 15 << 20) || E'}\"\\n'",
    "JSON": "head || '1,n,\"[' || repeat('\"\"\"\",', 6 << 20) || E']\"\\n'",
    "one line of columns": "head || '1,n,http://a/1' || repeat(',a', 15 << 20) || E'\\n'",
    "a header of columns": "repeat('a,', 15 << 20) || E'\\n1,n,http://a/1\\n'",
    "a long name": "head || '1,' || repeat('n', 30 << 20) || E',http://a/1\\n'",
    "marks": "head || '1,\"' || repeat('\"', 30 << 20) || E'\",http://a/1\\n'",
    "curly quotes": "head || repeat(U&'\\201C,', 8 << 20)",
    "an unclosed mark": "head || '1,\"' || repeat(E'n\\n', 15 << 20)",
    "rows of faults": "head || repeat(E'x,,\\n', 8 << 20)",
    "blank lines": "head || repeat(E'\\n', 30 << 20)",
    "good rows": "head || repeat(E'1,n,http://images.example/1.jpg\\n', 1 << 20)",
}


@pytest.fixture(scope="module", name="files")
def fixture_files(shop):
    """A table of the files, uncompressed so that reading it costs next to nothing."""
    shop.sql("CREATE TABLE hostile (name text, csv text)")
    shop.sql("ALTER TABLE hostile ALTER COLUMN csv SET STORAGE EXTERNAL")
    for name, file in FILES.items():
        statement = f"INSERT INTO hostile SELECT %s, {file} FROM (SELECT %s) h (head)"
        shop.sql(statement, name, HEADER_LINE)
    yield
    shop.sql("DROP TABLE hostile")


@contextlib.contextmanager
def backend(shop):
    """A cursor and the pid of a new backend."""
    with shop.cluster.session() as cursor:
        cursor.execute("SELECT imgpress_internal.is_http_url('')")  # loads the library
        yield cursor, cursor.connection.info.backend_pid


CHECK = "SELECT count(*) FROM hostile, imgpress.csv_faults(csv) WHERE name = %s"
SUBMIT = "SELECT imgpress.submit_csv(csv) FROM hostile WHERE name = %s"


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("name", FILES)
def test_statement_timeout(shop, name):
    for statement in (CHECK, SUBMIT):
        with backend(shop) as (cursor, _):
            cursor.execute(f"SET statement_timeout = {TIMEOUT_MS}")
            began = time.monotonic()
            with contextlib.suppress(psycopg2.Error):
                cursor.execute(statement, (name,))
            assert time.monotonic() - began < TIMEOUT_MS / 1000 + GRACE_S


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("name", FILES)
def test_memory_is_at_most_a_few_times_the_file(shop, name):
    size = shop.value("SELECT octet_length(csv) FROM hostile WHERE name = %s", name)
    with backend(shop) as (cursor, pid):
        before = peak_memory_kib(pid)
        cursor.execute(CHECK, (name,))
        grown = (peak_memory_kib(pid) - before) * 1024
    assert grown < 3 * size + 40 * MIB, f"{grown / MIB:.0f} MiB for {size / MIB:.0f} MiB"


@pytest.mark.usefixtures("files")
def test_a_backend_that_reads_a_file_can_be_terminated(shop):
    with backend(shop) as (cursor, pid):
        failed = []

        def read():
            try:
                for _ in range(100):
                    cursor.execute(CHECK, ("rows of faults",))
            except psycopg2.Error as error:
                failed.append(error)

        reader = threading.Thread(target=read)
        reader.start()
        active = "SELECT state = 'active' FROM pg_stat_activity WHERE pid = %s"
        wait_until(lambda: shop.value(active, pid), "the backend is reading", 10)
        shop.value("SELECT pg_terminate_backend(%s)", pid)
        began = time.monotonic()
        wait_until(lambda: read_process(pid) is None, "the backend has ended", 10)
        assert time.monotonic() - began < 1
        reader.join()
        assert failed


def test_memory_for_an_upload(shop):
    """The parts of the upload are joined once, and no plan keeps a copy."""
    rows = 400_000
    line = "{0},Product {0},https://images.example/catalogue/{0}/photo-of-this-product.jpg\n"
    csv = HEADER_LINE + "".join(map(line.format, range(rows)))
    with shop.cluster.session(autocommit=False) as cursor:
        pid = cursor.connection.info.backend_pid
        cursor.execute("SELECT gen_random_uuid()")
        (upload,) = cursor.fetchone()
        for number, start in enumerate(range(0, len(csv), MIB)):
            cursor.execute(
                "INSERT INTO imgpress_internal.upload_parts VALUES (%s, %s, %s)",
                (upload, number, csv[start : start + MIB].encode()),
            )
        before = own_memory_kib(pid)
        sampler = Sampler(pid)
        cursor.execute("SELECT * FROM imgpress_internal.submit_upload(%s, '{}')", (upload,))
        grown = (sampler.stop() - before) * 1024
    assert grown < 3.5 * len(csv), f"{grown / MIB:.0f} MiB for {len(csv) / MIB:.0f} MiB"


class Sampler:
    """Records the largest private memory of a backend while a statement runs."""

    def __init__(self, pid):
        self._most = 0
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self):
        while not self._over.wait(0.002):
            self._most = max(self._most, own_memory_kib(self._pid))

    def stop(self):
        self._over.set()
        self._thread.join()
        return self._most
