"""compress_image() and compress_image_url() in an ordinary session."""

import threading
import time

import psycopg2
import pytest
from PIL import Image, ImageCms

from harness.catalogue import REFUSED_URL
from harness.images import decode, encode, is_progressive, jpeg, painting, psnr, truncated
from harness.waiting import wait_for_exit
from pictures import PICTURES

SLACK = 0.1  # seconds within which a cancel or timeout must take effect
ROUNDS = 3  # the fastest of these counts, because the machine may be busy


def compress(shop, image, quality=50):
    return bytes(shop.value("SELECT imgpress.compress_image(%s, %s)", image, quality))


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_sample_pictures(shop, pictures, picture):
    source = (pictures / picture.name).read_bytes()
    output = compress(shop, source)
    assert len(output) < len(source)
    image = decode(output)
    assert image.format == "JPEG"
    assert psnr(decode(source), image) > 33


def compress_with(shop, image, **settings):
    """compress_image() in a new session with these settings."""
    with shop.cluster.session() as cursor:
        for name, value in settings.items():
            cursor.execute(f"SET imgpress.{name} = %s", (value,))
        cursor.execute("SELECT imgpress.compress_image(%s)", (image,))
        return bytes(cursor.fetchone()[0])


def test_effort(shop, pictures):
    source = (pictures / "mug-front.jpg").read_bytes()
    sizes = [len(compress_with(shop, source, effort=word)) for word in ("fast", "balanced", "small")]
    assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) == 3
    assert len(compress(shop, source)) == sizes[1]


def test_effort_as_an_argument(shop, pictures):
    source = (pictures / "mug-front.jpg").read_bytes()
    statement = "SELECT imgpress.compress_image(%s, 50, %s)"
    fast, small, as_set = (
        bytes(shop.value(statement, source, effort)) for effort in ("fast", "small", None)
    )
    assert fast == compress_with(shop, source, effort="fast")
    assert small == compress_with(shop, source, effort="small")
    assert as_set == compress(shop, source) not in (fast, small)
    assert (is_progressive(fast), is_progressive(small)) == (False, True)
    url = shop.origin.url("mug-front.jpg")
    from_url = shop.value("SELECT imgpress.compress_image_url(%s, effort => 'small')", url)
    assert bytes(from_url) == small


def test_accept_truncated(shop, pictures):
    whole = (pictures / "mug-front.jpg").read_bytes()
    most, little = truncated(whole, 0.95), truncated(whole, 0.25)
    shop.refused("IP002", "SELECT imgpress.compress_image(%s)", most)
    assert decode(compress_with(shop, most, accept_truncated="on")).size == decode(whole).size
    with pytest.raises(psycopg2.Error) as raised:
        compress_with(shop, little, accept_truncated="on")
    assert raised.value.pgcode == "IP002"


def test_orientation_is_kept(shop, pictures):
    source = (pictures / "lamp-portrait.jpg").read_bytes()
    assert psnr(decode(source), decode(compress(shop, source))) > 33


def test_transparency_becomes_white(shop):
    image = painting(400, 300)
    image.putalpha(Image.new("L", image.size, 0))
    output = decode(compress(shop, encode(image, "PNG")))
    assert output.format == "JPEG"
    assert output.convert("L").getextrema()[0] > 250


def test_profile_is_kept(shop):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    output = compress(shop, jpeg(400, 300, icc_profile=profile))
    assert decode(output).info["icc_profile"] == profile


def test_never_larger_than_the_source(shop):
    source = jpeg(300, 200, quality=5)
    assert len(compress(shop, source, 95)) <= len(source)
    once = compress(shop, jpeg(300, 200))
    assert len(compress(shop, once)) <= len(once)


def test_quality(shop):
    source = jpeg(600, 400, quality=98)
    sizes = [len(compress(shop, source, quality)) for quality in (1, 30, 60, 90)]
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1]


def test_from_url(shop):
    output = bytes(
        shop.value("SELECT imgpress.compress_image_url(%s)", shop.origin.url("mug-front.jpg"))
    )
    assert psnr(decode(shop.origin.content("mug-front.jpg")), decode(output)) > 33


def test_null_is_null(shop):
    assert shop.sql("SELECT imgpress.compress_image(NULL), imgpress.compress_image_url(NULL)") == [
        (None, None)
    ]


def test_an_option_that_is_null_is_the_setting(shop):
    source = jpeg()
    as_set = bytes(shop.value("SELECT imgpress.compress_image(%s, NULL, NULL)", source))
    assert as_set == compress(shop, source, 50) != compress(shop, source, 60)
    with shop.cluster.session() as session:
        session.execute("SET imgpress.quality = 60")
        session.execute("SELECT imgpress.compress_image(%s)", (source,))
        assert bytes(session.fetchone()[0]) == compress(shop, source, 60)


@pytest.mark.parametrize(
    ("image", "state"),
    [
        (b"", "IP001"),
        (b"plain text", "IP001"),
        (b"<html></html>", "IP001"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + b"nonsense" * 100, "IP002"),
        (encode(painting(), "TIFF"), "IP003"),
    ],
    ids=["empty", "text", "html", "garbage", "tiff"],
)
def test_bad_image(shop, image, state):
    shop.refused(state, "SELECT imgpress.compress_image(%s)", image)
@pytest.mark.parametrize(
    ("path", "state"),
    [("missing.jpg", "IP009"), ("html/a.jpg", "IP001"), ("redirect-loop/a.jpg", "IP010")],
)
def test_bad_url_content(shop, path, state):
    shop.refused(state, "SELECT imgpress.compress_image_url(%s)", shop.origin.url(path))


@pytest.mark.parametrize(
    "url",
    ["", "a.jpg", "ftp://127.0.0.1/a.jpg", "file:///etc/passwd", "http://u:p@127.0.0.1/a.jpg"],
)
def test_bad_url(shop, url):
    shop.refused("IP007", "SELECT imgpress.compress_image_url(%s)", url)
def test_connection_refused(shop):
    shop.refused("IP012", "SELECT imgpress.compress_image_url(%s)", REFUSED_URL)


def test_bad_quality(shop):
    for quality in (0, 101):
        shop.refused("22023", "SELECT imgpress.compress_image('x', %s)", quality)
@pytest.mark.parametrize("effort", ["turbo", "", "FAST", "fast "])
def test_bad_effort(shop, effort):
    error = shop.refused("22023", "SELECT imgpress.compress_image('x', effort => %s)", effort)
    assert f'effort must be fast, balanced or small, not "{effort}"' in error
    url = shop.origin.url("small0.jpg?bad-effort")
    shop.refused("22023", "SELECT imgpress.compress_image_url(%s, effort => %s)", url, effort)
    assert shop.origin.ledger.total("/small0.jpg?bad-effort") == 0


def test_limits(shop):
    with shop.cluster.settings(
        {"imgpress.max_pixels": "1000", "imgpress.max_image_bytes": "100000"}
    ):
        shop.refused("IP004", "SELECT imgpress.compress_image(%s)", jpeg())
        large = shop.origin.url("large/a.jpg?bytes=200000&length=no")
        shop.refused("IP005", "SELECT imgpress.compress_image_url(%s)", large)
def test_fetch_timeout(shop):
    with shop.cluster.settings({"imgpress.fetch_timeout": "300ms"}):
        url = shop.origin.url("hang/timeout.jpg")
        shop.refused("IP011", "SELECT imgpress.compress_image_url(%s)", url)
def test_address_guard(shop):
    with shop.cluster.settings({"imgpress.allowed_networks": ""}):
        url = shop.origin.url("small0.jpg?guard")
        shop.refused("IP008", "SELECT imgpress.compress_image_url(%s)", url)
    assert shop.origin.ledger.count("/small0.jpg?guard") == 0


def shortest(measure):
    return min(measure() for _ in range(ROUNDS))


def timed_out(shop, limit_ms, statement, *parameters):
    """Seconds from statement_timeout to the error; the session must still work afterwards."""
    with shop.cluster.session() as cursor:
        cursor.execute("SELECT imgpress.compress_image(%s)", (jpeg(),))  # starts the press
        cursor.execute("SELECT set_config('statement_timeout', %s, false)", (str(limit_ms),))
        begin = time.monotonic()
        with pytest.raises(psycopg2.errors.QueryCanceled):
            cursor.execute(statement, parameters)
        overrun = time.monotonic() - begin - limit_ms / 1000
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SELECT imgpress.compress_image(%s)", (jpeg(),))
        assert cursor.fetchone()[0]
    return overrun


def test_statement_timeout_while_an_origin_hangs(shop):
    url = shop.origin.url("hang/statement.jpg")
    measure = lambda: timed_out(
        shop, 200, "SELECT imgpress.compress_image_url(%s)", url
    )  # noqa: E731
    assert shortest(measure) < SLACK


def test_statement_timeout_while_a_codec_works(shop):
    image = encode(Image.new("RGB", (7000, 6000), "navy"), "PNG", compress_level=1)
    measure = lambda: timed_out(shop, 60, "SELECT imgpress.compress_image(%s)", image)  # noqa: E731
    assert shortest(measure) < SLACK


def cancelled(shop, path):
    """Seconds from a cancel, sent when the origin has got the request, to the error."""
    sent = []
    with shop.cluster.session() as cursor:

        def cancel(expected):
            shop.origin.ledger.wait_total(path, expected)
            sent.append(time.monotonic())
            cursor.connection.cancel()

        thread = threading.Thread(target=cancel, args=(shop.origin.ledger.total(path) + 1,))
        thread.start()
        with pytest.raises(psycopg2.errors.QueryCanceled):
            cursor.execute("SELECT imgpress.compress_image_url(%s)", (shop.origin.url(path),))
        delay = time.monotonic() - sent[0]
        thread.join()
    return delay


def test_cancel_while_an_origin_hangs(shop):
    assert shortest(lambda: cancelled(shop, "/hang/cancel.jpg")) < SLACK


def test_presses_end_with_their_session(shop):
    url = shop.origin.url("small0.jpg")
    with shop.cluster.session() as cursor:
        cursor.execute("SELECT imgpress.compress_image_url(%s)", (url,))
        backend = cursor.connection.info.backend_pid
        pids = [press.pid for press in shop.cluster.presses() if press.parent == backend]
        assert pids, "the session has no press"
    assert wait_for_exit(pids) == []
