"""The test harness: the servers misbehave as told, and the comparisons see differences."""

import http.client
import threading

import pytest

from harness.gateway import Client, multipart
from harness.images import decode, jpeg, painting, psnr
from harness.processes import refuse_sanitizer_reports
from harness.servers import webhook_signature
from harness.servers.origin import Origin
from harness.servers.webhook_receiver import WebhookReceiver


@pytest.fixture(name="origin")
def fixture_origin(tmp_path):
    with Origin(tmp_path) as origin:
        origin.add("a.jpg", jpeg())
        yield origin


def get(origin, path):
    return Client("127.0.0.1", origin.port).get(path)


def test_signature_of_the_specification():
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    body = b'{"test": 2432232314}'
    assert webhook_signature.verify(secret, headers, body)
    assert not webhook_signature.verify(secret, headers, body + b" ")


@pytest.mark.parametrize(
    "line",
    [
        "==7==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x602000000011",
        "==7==ERROR: LeakSanitizer: detected memory leaks",
        "extension/core/text/utf8.cpp:7:9: runtime error: shift exponent 32 is too large",
    ],
)
def test_reports_of_sanitizers_are_failures(line):
    with pytest.raises(AssertionError, match=line.split(":", maxsplit=1)[0]):
        refuse_sanitizer_reports(f"LOG:  before\n{line}\n    #0 0x1 in main\n")
    refuse_sanitizer_reports("LOG:  imgpress works\nERROR:  a runtime error of a user\n")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/a.jpg", 200),
        ("/b.jpg", 404),
        ("/../conftest.py", 404),
        ("/html/a.jpg", 200),
        ("/status/429/a.jpg?retry_after=1", 429),
        ("/redirect/a.jpg?to=/a.jpg", 302),
        ("/redirect-loop/a.jpg", 302),
        ("/redirect-private/a.jpg", 302),
    ],
)
def test_origin_answers_as_asked(origin, path, status):
    assert get(origin, path).status == status


def test_origin_truncates(origin):
    with pytest.raises(http.client.IncompleteRead):
        get(origin, "/truncated/a.jpg")


def test_origin_recovers_when_flaky(origin):
    assert [get(origin, "/flaky/a.jpg?fail=2").status for _ in range(3)] == [503, 503, 200]
    assert origin.ledger.count("/flaky/a.jpg?fail=2") == 3


@pytest.mark.parametrize("length", ["yes", "no"])
def test_origin_sends_as_much_as_asked(origin, length):
    assert len(get(origin, f"/large/a.jpg?bytes=200001&length={length}").body) == 200_001


def test_gate_holds_until_released(origin):
    gate = origin.gate("g")
    got = []
    thread = threading.Thread(target=lambda: got.append(get(origin, "/held/g/a.jpg").status))
    thread.start()
    gate.wait_arrived(1)
    assert not got and gate.waiting == 1
    gate.release(1)
    thread.join(10)
    assert got == [200] and gate.passed == 1


def test_receiver_follows_its_script():
    with WebhookReceiver() as receiver:
        endpoint = receiver.endpoint("/done")
        endpoint.script(500)
        client = Client("127.0.0.1", receiver.port)
        answers = [client.request("POST", "/done", b"x", {"A-B": "c"}).status for _ in range(2)]
        assert answers == [500, 204]
        assert [delivery.headers["a-b"] for delivery in endpoint.wait(2)] == ["c", "c"]


def test_rows_without_columns_are_rows(shop):
    assert shop.sql("SELECT FROM generate_series(1, 2)") == [(), ()]
    assert shop.sql("SELECT FROM generate_series(1, 0)") == []
    assert shop.sql("SET enable_seqscan = on") == []


def test_psnr_distinguishes_pictures():
    assert psnr(painting(seed=1), decode(jpeg(seed=1))) > 30
    assert psnr(painting(seed=1), painting(seed=2)) < 20


def test_multipart_form_without_file():
    _, body = multipart({"quality": 40})
    assert b'name="quality"' in body and b'name="file"' not in body
