"""The most important parts of the REST contract. Each test module that has a fixture `client` (calls
to a gateway of the fixture `shop`, through something) can run them: class TestX(ContractCases)."""

import threading
import uuid

from harness.catalogue import ERROR_TEXT, HEADER_LINE, REFUSED_URL, catalogue, split_urls
from harness.gateway import assert_error

LARGE = 20_000


def call_at_once(calls):
    """Calls these functions at the same time; returns their results in order."""
    start = threading.Barrier(len(calls))
    results = [None] * len(calls)

    def one(index):
        start.wait()
        results[index] = calls[index]()

    threads = [threading.Thread(target=one, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def stored_requests(shop):
    return shop.value("SELECT count(*) FROM imgpress.processing_requests")


class ContractCases:
    def test_from_the_upload_to_the_images(self, shop, client):
        urls = [shop.origin.url(name) for name in ("small0.jpg", "missing.jpg", "small1.jpg")]
        answer = client.upload(catalogue([(1, "SKU1", urls[:2]), (2, "SKU2, blue", urls[2:])]))
        assert answer.status == 202, answer.body
        request = answer.json()["request_id"]
        assert answer.headers["Location"] == f"/api/status/{request}/"
        assert int(answer.headers["Retry-After"]) > 0
        finished = shop.finish(request)

        answer = client.get(f"/api/status/{request}/")
        assert answer.status == 200
        assert answer.json().items() >= {"request_id": request, "status": "Completed"}.items()
        answer = client.get(f"/api/products/{request}")
        assert answer.status == 200
        assert answer.json() == {"request_id": request, "products": finished}
        good, bad = split_urls(finished[0]["output_image_urls"])
        assert bad == ERROR_TEXT
        self.check_image(client, shop.output_path(good))

    @staticmethod
    def check_image(client, path):
        whole = client.get(path)
        assert whole.status == 200 and whole.headers["Content-Type"] == "image/jpeg"
        head = client.request("HEAD", path)
        assert head.status == 200 and head.body == b""
        assert head.headers["Content-Length"] == str(len(whole.body))
        again = client.get(path, {"If-None-Match": whole.headers["ETag"]})
        assert again.status == 304 and again.body == b""
        part = client.get(path, {"Range": "bytes=2-9"})
        assert part.status == 206 and part.body == whole.body[2:10]
        assert part.headers["Content-Range"] == f"bytes 2-9/{len(whole.body)}"

    def test_unchanged_answers_are_304(self, shop, client):
        request = client.upload(shop.csv("small0.jpg")).json()["request_id"]
        shop.finish(request)
        for kind in ("status", "products"):
            answer = client.get(f"/api/{kind}/{request}/")
            etag = answer.headers["ETag"]
            assert etag.startswith('W/"')
            again = client.get(f"/api/{kind}/{request}/", {"If-None-Match": etag})
            assert again.status == 304 and again.body == b""

    def test_faults_of_fields_and_of_the_csv_come_together(self, shop, client):
        before = stored_requests(shop)
        answer = client.upload(f"{HEADER_LINE}x,,{REFUSED_URL}\n", quality="0", qualty="30")
        faults = assert_error(answer, "invalid_upload")["details"]
        assert [fault["line"] for fault in faults if fault["field"] == "file"] == [2, 2]
        assert {fault["field"] for fault in faults} == {"quality", "qualty", "file"}
        assert stored_requests(shop) == before

    def test_what_does_not_exist(self, client):
        for path in (f"/api/status/{uuid.uuid4()}/", f"/api/products/{uuid.uuid4()}", "/nothing"):
            assert_error(client.get(path), "not_found")
        assert_error(client.request("DELETE", "/api/upload/"), "method_not_allowed")

    def test_a_large_answer(self, shop, client):
        """The same image in each product, so that there is little to process."""
        rows = ((number, f"Product {number}", [REFUSED_URL]) for number in range(LARGE))
        request = client.upload(catalogue(rows)).json()["request_id"]
        shop.finish(request)
        answer = client.get(f"/api/products/{request}/")
        assert answer.status == 200
        assert answer.headers["Content-Length"] == str(len(answer.body))
        products = answer.json()["products"]
        assert [product["serial_number"] for product in products] == list(range(LARGE))

    def test_many_at_once(self, shop, client):
        known = client.upload(shop.csv("small0.jpg")).json()["request_id"]
        shop.finish(known)
        csv = shop.csv("small1.jpg")
        kinds = [
            (lambda: client.upload(csv), 202),
            (lambda: client.get(f"/api/status/{known}/"), 200),
            (lambda: client.get(f"/api/products/{known}/"), 200),
            (lambda: client.upload(""), 400),
        ]
        calls = kinds * 8
        answers = call_at_once([call for call, _ in calls])
        assert [answer.status for answer in answers] == [status for _, status in calls]
        for answer in answers:
            if answer.status == 202:
                shop.finish(answer.json()["request_id"])
