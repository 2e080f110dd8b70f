"""An attached table and what imgpress makes of its rows."""

import re

from ..waiting import PROMPT, WaitTimeout, wait_until

KEEPER = "keeper"  # owns the tables


def make_keeper(shop):
    """The role that owns the tables: a user of imgpress with a login and a schema."""
    shop.sql(f"CREATE ROLE {KEEPER} LOGIN IN ROLE imgpress_user")
    shop.sql(f"CREATE SCHEMA catalogue AUTHORIZATION {KEEPER}")


def writers(shop):
    """The processes of attached tables of this shop."""
    statement = (
        "SELECT pid FROM pg_stat_activity "
        "WHERE backend_type = 'imgpress attachments' AND datname = current_database()"
    )
    return [pid for (pid,) in shop.sql(statement)]


class KeptTable:
    """KeptTable(shop, "p"): catalogue.p with the columns id, url, small and err, attached."""

    def __init__(self, shop, name, columns=None, attach=True, **options):
        self.shop = shop
        self.name = f"catalogue.{name}"
        columns = columns or "id int PRIMARY KEY, url text, small text, err text"
        self.owner(f"CREATE TABLE {self.name} ({columns})")
        self.id = self.attach(**options) if attach else None

    def owner(self, statement, *parameters):
        """Runs a statement as the owner of the table."""
        return self.shop.cluster.query(statement, parameters or None, user=KEEPER)

    def attach(self, key="id", url="url", output="small", error="err", **options):
        more = "".join(f", {name} => %s" for name in options)
        statement = f"SELECT imgpress.attach(%s, %s, %s, %s, error => %s{more})"
        ((self.id,),) = self.owner(statement, self.name, key, url, output, error, *options.values())
        return self.id

    def url(self, path):
        return self.shop.origin.url(path)

    def insert(self, key, url):
        self.owner(f"INSERT INTO {self.name} (id, url) VALUES (%s, %s)", key, url)

    def change(self, key, url):
        self.owner(f"UPDATE {self.name} SET url = %s WHERE id = %s", url, key)

    def row(self, key):
        """Output and error of a row."""
        rows = self.shop.sql(f"SELECT small, err FROM {self.name} WHERE id = %s", key)
        return rows[0] if rows else None

    def wait(self, key, expected, timeout=PROMPT):
        """Waits until output and error of a row satisfy the function; returns them."""
        return self._wait_until(
            lambda: (row := self.row(key)) and expected(*row) and row, f"row {key}", timeout
        )

    def wait_shown(self, key, path, timeout=PROMPT):
        """Waits until the row shows the compressed image of this path; returns its output URL."""
        stem = re.sub(r"\.\w+$", "", path.rpartition("/")[2])
        return self.wait(key, lambda out, _err: out and f"/{stem}_compressed." in out, timeout)[0]

    def wait_settled(self, timeout=30.0):
        """Waits until nothing is left to be done for this table; returns its row of the view."""

        def settled():
            state = self.state()
            return state["waiting"] == 0 and state["scan"] is None and state

        return self._wait_until(settled, f"{self.name} is settled", timeout)

    def _wait_until(self, predicate, what, timeout):
        """Adds to the error what is known about the table."""
        try:
            return wait_until(predicate, what, timeout)
        except WaitTimeout as error:
            rows = self.shop.sql(
                "SELECT key, wanted, shown, state, reason FROM imgpress_internal.attached_rows "
                "WHERE attachment_id = %s LIMIT 10",
                self.id,
            )
            raise WaitTimeout(f"{error}; {self.state()}; {rows}") from error

    def state(self):
        """Its row of imgpress.attachments, in its essential columns."""
        columns = ("state", "reason", "waiting", "done", "failed", "left_alone", "scan", "scan_rows")
        statement = f"SELECT {', '.join(columns)} FROM imgpress.attachments WHERE request_id = %s"
        rows = self.shop.sql(statement, self.id)
        return dict(zip(columns, rows[0])) if rows else None

    def counts(self):
        """Rows of products, images and outputs; and the counters that must say the same."""
        counted = self.shop.sql(
            "SELECT (SELECT count(*) FROM imgpress.products WHERE request_id = r.id), "
            "(SELECT count(*) FROM imgpress.images WHERE request_id = r.id), "
            "(SELECT count(*) FROM imgpress.outputs WHERE request_id = r.id), "
            "product_count, image_count, succeeded_count FROM imgpress.processing_requests r "
            "WHERE id = %s",
            self.id,
        )[0]
        assert counted[:3] == counted[3:], f"rows and counters differ: {counted}"
        return counted[:3]

    def served(self, output_url):
        """The bytes behind an output URL."""
        number = int(output_url.split("/")[-2])
        statement = "SELECT bytes FROM imgpress.output_image(%s, %s)"
        data = self.shop.value(statement, self.id, number)
        return None if data is None else bytes(data)
