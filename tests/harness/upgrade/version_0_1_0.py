"""Fills a database of version 0.1.0 with requests in every state, as that version leaves them."""

REQUESTS = {
    name: f"{n}0000000-0000-0000-0000-000000000000"
    for n, name in enumerate(
        ("completed", "working", "ending", "cancelled", "failed", "fresh", "retrying"), start=1
    )
}

COLUMNS = {
    "processing_requests": "id, status, webhook_url, reason, product_count, image_count, copy_count, "
    "claimed_count, done_count, failed_count, source_bytes, output_bytes, started_at, ended_at",
    "images": "request_id, position, product_no, copy_of, attempts, lease_token, retry_at, ended_at, "
    "transient, status, url, error_code, error",
}


class Filler:
    """Writes the rows of one database; base_url is where its images are."""

    def __init__(self, cluster, database, base_url):
        self._cluster = cluster
        self._database = database
        self._base = base_url

    def sql(self, statement, *parameters):
        return self._cluster.query(statement, parameters or None, self._database)

    def request(self, name, status, images, webhook_url=None, reason=None, claimed=None):
        """images: (status, copy_of or None) for each position; each has a product of its own."""
        request = REQUESTS[name]
        done = sum(state == "Completed" for state, _ in images)
        failed = sum(state == "Failed" for state, _ in images)
        ended = "now()" if status in ("Completed", "Failed") else "NULL"
        started = "NULL" if status == "Pending" else "now()"
        self.sql(
            f"INSERT INTO imgpress.processing_requests ({COLUMNS['processing_requests']}) VALUES "
            f"(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, {started}, {ended})",
            request, status, webhook_url, reason, len(images), len(images),
            sum(copy is not None for _, copy in images), len(images) if claimed is None else claimed,
            done, failed, 100 * done, 10 * done,
        )  # fmt: skip
        for position, (state, copy_of) in enumerate(images, start=1):
            self._image(request, position, state, copy_of)

    def _image(self, request, position, state, copy_of):
        self.sql(
            "INSERT INTO imgpress.products VALUES (%s, %s, %s, %s)",
            request, position, 100 + position, f"product {position}",
        )  # fmt: skip
        failed = state == "Failed"
        retry_at = "now()" if state == "Retry" else "NULL"
        ended = "now()" if state in ("Completed", "Failed") else "NULL"
        self.sql(
            f"INSERT INTO imgpress.images ({COLUMNS['images']}) VALUES (%s, %s, %s, %s, %s, %s, "
            f"{retry_at}, {ended}, %s, %s, %s, %s, %s)",
            request, position, position, copy_of, 0 if state == "Pending" else 1,
            4711 if state == "Processing" else None, failed,
            "Pending" if state == "Retry" else state, f"{self._base}small{copy_of or position}.jpg",
            "timeout" if failed else None, "timed out" if failed else None,
        )  # fmt: skip
        if state == "Completed":
            self.sql(
                "INSERT INTO imgpress.outputs (request_id, position, content_type, etag, width, "
                "height, source_bytes, kept_source, bytes) "
                "VALUES (%s, %s, 'image/jpeg', 'x', 4, 3, 100, false, %s)",
                request, position, f"picture {copy_of or position:02}".encode()[:10],
            )  # fmt: skip


def fill(cluster, database, base_url, webhook_url):
    filler = Filler(cluster, database, base_url)
    done, failed, fresh = "Completed", "Failed", "Pending"
    twice = [(done, None), (done, 1), (done, None), (done, 1)]
    filler.request("completed", done, twice, "http://a.test/")
    filler.request("working", "Processing", [("Processing", None), (fresh, 1), (done, None)])
    filler.request("ending", "Processing", [(done, None), (done, 1), (fresh, 1)], webhook_url)
    filler.request("cancelled", failed, [(failed, None), (done, 1), (done, 1)], reason="cancelled")
    filler.request("failed", done, [(failed, None), (failed, 1), (done, None)])
    filler.request("fresh", fresh, [(fresh, None), (fresh, 1), (fresh, None)], claimed=0)
    filler.request("retrying", "Processing", [("Retry", None), (fresh, 1)])
    filler.sql(
        "INSERT INTO imgpress.leases VALUES (4711, %s::uuid[], '{1}', now() + interval '1 day')",
        [REQUESTS["working"]],
    )
    filler.sql("INSERT INTO imgpress.copies_due VALUES (%s, 1, 2)", REQUESTS["ending"])
    filler.sql(
        "INSERT INTO imgpress.webhook_deliveries (request_id, url, payload, status, attempts, "
        "lease_token, ended_at) VALUES (%s, 'http://a.test/', '{}', 'Delivered', 1, NULL, now()), "
        "(%s, %s, '{\"type\": \"left\"}', 'Pending', 1, 99, NULL)",
        REQUESTS["completed"], REQUESTS["completed"], webhook_url,
    )  # fmt: skip
    return filler
