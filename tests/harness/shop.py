"""The whole system under test: image origin, cluster with imgpress, and optionally the gateway."""

import contextlib

from .catalogue import ERROR_TEXT, one_product
from .cluster import PRELOAD, SUPERUSER, Cluster
from .gateway import Gateway, free_port
from .servers.origin import Origin
from .waiting import PROMPT

GATEWAY_LOGIN = "shop_gateway"
GATEWAY_TIMEOUT = "10s"  # of a statement, as docs/operation.md recommends

# imgpress downloads from loopback, a private network, only if this setting allows it.
ALLOW_LOOPBACK = {"imgpress.allowed_networks": "127.0.0.0/8"}

# Short delays, so that a test of the last attempt does not take minutes.
TEST_SETTINGS = {
    **ALLOW_LOOPBACK,
    "imgpress.retry_base_delay": "100ms",
    "imgpress.max_attempts": "3",
    "imgpress.webhook_retry_delays": "0.1, 0.1, 0.1",
}

PRODUCT_COLUMNS = ("serial_number", "product_name", "input_image_urls", "output_image_urls")
FAILURE_COLUMNS = (
    "serial_number",
    "product_name",
    "image_no",
    "url",
    "attempts",
    "error_code",
    "error",
    "http_status",
    "hint",
)
CHILD_TABLES = ("products", "images", "outputs")
RESULT_COLUMNS = (
    "serial_number",
    "product_name",
    "image_no",
    "url",
    "output_url",
    "content_type",
    "source_bytes",
    "output_bytes",
    "kept_source",
    "warning",
)


class Shop:
    """with Shop(folder_of_pictures) as shop: shop.finish(shop.submit_csv(...))"""

    def __init__(
        self,
        pictures,
        settings=None,
        gateway=True,
        port=None,
        gateway_options=(),
        extensions=("imgpress",),
        preload=PRELOAD,
        durable=False,
        name="shop",
    ):
        self.origin = Origin(pictures)
        self.port = port or free_port()
        self.public_url = f"http://127.0.0.1:{self.port}"
        settings = {
            "imgpress.databases": "shop",
            "imgpress.public_url": self.public_url,
            **(TEST_SETTINGS if settings is None else settings),
        }
        self.cluster = Cluster(settings, preload=preload, durable=durable, name=name)
        self.gateway = None
        self._with_gateway = gateway
        self._gateway_options = gateway_options
        self._extensions = extensions
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.origin)
            stack.enter_context(self.cluster)
            for extension in self._extensions:
                self.cluster.query(f"CREATE EXTENSION {extension}")
            if self._with_gateway:
                self.gateway = stack.enter_context(self.new_gateway(*self._gateway_options))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc):
        self._stack.__exit__(*exc)

    def new_gateway(self, *options, database=None, port=None):
        """A gateway (not yet started) whose login has the rights of imgpress_gateway only."""
        self.create_gateway_login(database)
        conninfo = self.cluster.conninfo(database, GATEWAY_LOGIN)
        return Gateway(conninfo, port or (self.port if self.gateway is None else None), options)

    def create_gateway_login(self, database=None):
        known = "SELECT true FROM pg_roles WHERE rolname = %s"
        if not self.cluster.scalar(known, (GATEWAY_LOGIN,), database):
            self.cluster.query(f"CREATE ROLE {GATEWAY_LOGIN} LOGIN IN ROLE imgpress_gateway")
            self.limit_statements(GATEWAY_TIMEOUT)

    def limit_statements(self, timeout):
        """Sets the statement_timeout of the gateway's login."""
        self.cluster.query(f"ALTER ROLE {GATEWAY_LOGIN} SET statement_timeout = '{timeout}'")

    # --- the SQL API --------------------------------------------------------------------------

    def sql(self, statement, *parameters):
        return self.cluster.query(statement, parameters or None)

    def value(self, statement, *parameters):
        return self.cluster.scalar(statement, parameters or None)

    def refused(self, sqlstate, statement, *parameters, user=SUPERUSER):
        """Runs a statement that must fail with this SQLSTATE; returns the message."""
        return str(self.cluster.refused(sqlstate, statement, parameters or None, user=user))

    def csv(self, *paths):
        """A CSV with one product that has these images of the origin."""
        return one_product(*map(self.origin.url, paths))

    def submit_csv(self, csv, webhook_url=None, effort=None):
        statement = "SELECT imgpress.submit_csv(%s, %s, effort => %s)"
        return self.value(statement, csv, webhook_url, effort)

    def submit(self, *paths, **options):
        """Submits one product with these images of the origin; returns the request's id."""
        return self.submit_csv(self.csv(*paths), **options)

    def upload(self, *paths):
        """Like submit(), but through the gateway, which sees only what came through it."""
        answer = self.gateway.upload(self.csv(*paths))
        assert answer.status == 202, answer.body
        return answer.json()["request_id"]

    def status(self, request):
        return self.value("SELECT imgpress.request_status(%s)", request)

    def wait(self, request, timeout=60.0):
        """The status when the request has ended or the timeout has passed."""
        return self.value("SELECT imgpress.wait(%s, %s * interval '1 s')", request, timeout)

    def submit_held(self, gate_name):
        """Submits one image, which waits at this gate of the origin; returns (request id, gate)."""
        gate = self.origin.gate(gate_name)
        request = self.submit(f"held/{gate_name}/small1.jpg")
        gate.wait_arrived()
        return request, gate

    def finish(self, request, timeout=60.0):
        """Waits for the end of a request that must complete; returns its products."""
        status = self.wait(request, timeout)
        assert status == "Completed", f"status {status}; {self.progress(request)}"
        return self.products(request)

    def assert_finished_once(self, request, timeout=PROMPT):
        """The request, which has one image, is finished soon and has one output."""
        (product,) = self.finish(request, timeout)
        assert ERROR_TEXT not in product["output_image_urls"], self.failures(request)
        outputs = "SELECT count(*) FROM imgpress.outputs WHERE request_id = %s"
        assert self.value(outputs, request) == 1

    def products(self, request):
        rows = self.sql("SELECT * FROM imgpress.request_products(%s)", request)
        return [dict(zip(PRODUCT_COLUMNS, row)) for row in rows]

    def urls_by_key(self, request):
        """{key of each product: [URL of each of its images]}"""
        rows = self.sql(
            "SELECT p.key, (SELECT array_agg(i.url ORDER BY n.place) "
            "FROM unnest(p.image_nos) WITH ORDINALITY n(image_no, place) JOIN imgpress.images i "
            "ON i.request_id = p.request_id AND i.image_no = n.image_no) "
            "FROM imgpress.products p WHERE p.request_id = %s ORDER BY p.product_no",
            request,
        )
        return dict(rows)

    def progress(self, request):
        """The row of imgpress.progress, in its essential columns."""
        columns = ("status", "images", "succeeded", "failed", "source_bytes", "output_bytes")
        statement = f"SELECT {', '.join(columns)} FROM imgpress.progress WHERE request_id = %s"
        rows = self.sql(statement, request)
        return dict(zip(columns, rows[0])) if rows else None

    def row_counts(self, request):
        """How many rows of the request are in the tables of requests, products, images, outputs."""
        keys = {"processing_requests": "id"} | dict.fromkeys(CHILD_TABLES, "request_id")
        count = "SELECT count(*) FROM imgpress.{} WHERE {} = %s"
        return [self.value(count.format(table, key), request) for table, key in keys.items()]

    def failures(self, request):
        return self._rows_of_view("failures", FAILURE_COLUMNS, request)

    def results(self, request):
        return self._rows_of_view("results", RESULT_COLUMNS, request)

    def _rows_of_view(self, view, columns, request):
        statement = (
            f"SELECT {', '.join(columns)} FROM imgpress.{view} "
            "WHERE request_id = %s ORDER BY image_no"
        )
        return [dict(zip(columns, row)) for row in self.sql(statement, request)]

    def output_path(self, output_url):
        """The path of an output URL, which must lie under the public base."""
        assert output_url.startswith(self.public_url + "/"), output_url
        return output_url[len(self.public_url) :]

    def fetch_output(self, output_url, headers=None):
        return self.gateway.get(self.output_path(output_url), headers)

    def living(self):
        """The pids of all running processes of this shop."""
        pids = [process.pid for process in self.cluster.family()]
        if self.cluster.postmaster() is not None:
            pids.append(self.cluster.postmaster())
        if self.gateway is not None and self.gateway.alive():
            pids.append(self.gateway.pid)
        return pids
