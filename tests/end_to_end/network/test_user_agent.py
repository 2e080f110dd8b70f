"""User-Agent and further headers of downloads, as the settings say."""

import pytest

from harness.servers.recording_origin import RecordingOrigin
from harness.shop import TEST_SETTINGS


@pytest.fixture(scope="module", name="own")
def fixture_own(open_shop):
    with open_shop(gateway=False, settings=TEST_SETTINGS, name="agent") as made:
        yield made


@pytest.fixture(name="origin")
def fixture_origin():
    with RecordingOrigin() as made:
        yield made


def headers_of_a_download(shop, origin):
    """What the worker sends, and what a session does, which must be the same."""
    origin.requests.clear()
    products = "ARRAY[(1, 'p', %s)::imgpress.product_input]"
    request = shop.value(f"SELECT imgpress.submit({products})", origin.url("a.jpg"))
    shop.finish(request)
    worker = origin.headers("/a.jpg")
    shop.sql("SELECT imgpress.compress_image_url(%s)", origin.url("session.jpg"))
    assert origin.headers("/session.jpg") == worker
    return worker


def test_without_settings(own, origin):
    assert headers_of_a_download(own, origin) == {
        "host": f"127.0.0.1:{origin.port}",
        "user-agent": "imgpress",
        "accept": "*/*",
    }


def test_settings_take_effect_at_a_reload(own, origin):
    headers_of_a_download(own, origin)
    changed = {
        "imgpress.user_agent": "Mozilla/5.0 (imgpress; +https://shop.example/bot)",
        "imgpress.request_headers": "Accept: image/avif, image/* | X-Purpose: catalogue",
    }
    with own.cluster.settings(changed):
        assert headers_of_a_download(own, origin) == {
            "host": f"127.0.0.1:{origin.port}",
            "user-agent": "Mozilla/5.0 (imgpress; +https://shop.example/bot)",
            "accept": "image/avif, image/*",
            "x-purpose": "catalogue",
        }
    with own.cluster.settings({"imgpress.user_agent": ""}):
        assert "user-agent" not in headers_of_a_download(own, origin)


@pytest.mark.parametrize(
    ("setting", "value", "reason"),
    [
        ("request_headers", "Host: elsewhere", "header Host is not settable"),
        ("request_headers", "range: bytes=0-1", "header range is not settable"),
        ("request_headers", "A: b | If-None-Match: x", "header If-None-Match is not settable"),
        ("request_headers", "Authorization: Bearer t", "imgpress.set_origin_header()"),
        ("request_headers", "A: b\r\nHost: evil", "not printable ASCII"),
        ("request_headers", "nonsense", "a name and a value"),
        ("user_agent", "a\nHost: evil", "printable ASCII"),
    ],
)
def test_what_a_setting_refuses(own, setting, value, reason):
    error = own.cluster.refused("22023", f"ALTER SYSTEM SET imgpress.{setting} = %s", (value,))
    assert reason in error.diag.message_detail
