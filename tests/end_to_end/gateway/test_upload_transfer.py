"""How an upload may be sent: by which clients, with which headers, how large and how fast."""

import contextlib
import http.client
import re
import subprocess
import threading

import pytest

from harness.catalogue import HEADER_LINE, REFUSED_URL, catalogue
from harness.gateway import assert_error, multipart

CSV = catalogue((n, f"SKU {n}", [REFUSED_URL]) for n in range(500))
PLAIN = {"Content-Type": "text/csv"}
FORM, BODY = multipart({}, file_bytes=CSV.encode())
LIMIT = 50_000


@pytest.fixture(scope="module", name="gateway")
def fixture_gateway(shop, unserved):
    """A gateway to a database where accepted uploads stay Pending, with a low limit."""
    with shop.new_gateway("--max-upload-bytes", str(LIMIT), database=unserved) as made:
        yield made


@pytest.fixture(name="requests")
def fixture_requests(shop, unserved):
    """A function that counts the stored requests."""
    return lambda: shop.cluster.scalar(
        "SELECT count(*) FROM imgpress.processing_requests", database=unserved
    )


@pytest.fixture(name="folder")
def fixture_folder(tmp_path):
    """A folder with the file products.csv."""
    (tmp_path / "products.csv").write_text(CSV)
    return tmp_path


def run_curl(folder, gateway, arguments):
    """The status that curl sees; the shell expands the arguments."""
    options = "-sS --noproxy '*' -o /dev/null -w '%{http_code}'"
    line = f"curl {options} {arguments} {gateway.base}/api/upload"
    return subprocess.check_output(["bash", "-c", line], cwd=folder, text=True)


@pytest.mark.parametrize(
    "arguments",
    [
        "-F file=@products.csv",
        "-F quality=40 -F file=@products.csv",
        '-F \'file=@products.csv;filename="a\\"b.csv"\'',
        "-F 'file=<products.csv'",
        "-F file=@- < products.csv",
        "-F file=@products.csv -H 'Transfer-Encoding: chunked'",
        "-F file=@products.csv -H 'Expect: 100-continue'",
        "-F file=@products.csv -H 'Expect:'",
        "-F file=@products.csv --http1.0",
        "-F file=@products.csv --limit-rate 100k",
        "-F file=@products.csv --form-escape -F 'webhook_url=http://a.example/'",
        "-H 'Content-Type: text/csv' --data-binary @products.csv",
        "-H 'Content-Type: text/csv' --data-binary @- < products.csv",
        "-H 'Content-Type: text/csv' -X POST -T products.csv",
        "-H 'Content-Type: text/csv' -X POST -T - < products.csv",
        "-H 'Content-Type: text/csv' -X POST -T . < products.csv",
        "-H 'Content-Type: text/csv' -H 'Transfer-Encoding: chunked' -d @products.csv",
    ],
)
def test_curl(gateway, folder, arguments):
    wanted = "400" if " -d " in arguments else "202"  # -d removes the line ends
    assert run_curl(folder, gateway, arguments) == wanted


@pytest.mark.parametrize(
    "arguments, code",
    [
        ("-d @products.csv", "unsupported_media_type"),
        ("-T products.csv -X POST", "unsupported_media_type"),
        ("-H 'Content-Type: application/json' -d '{}'", "unsupported_media_type"),
        ("-X POST", "length_required"),
        ("-X POST -H 'Content-Type: text/csv'", "length_required"),
    ],
)
def test_the_hint_of_a_refused_upload_is_a_command_that_works(gateway, folder, arguments, code):
    line = f"curl -sS --noproxy '*' {arguments} {gateway.base}/api/upload"
    said = subprocess.check_output(["bash", "-c", line], cwd=folder, text=True)
    assert f'"code":"{code}"' in said.replace('": "', '":"')
    hint = (
        re.search(r'"hint": ?"((?:[^"\\]|\\.)*)"', said).group(1).encode().decode("unicode_escape")
    )
    command = re.search(r"curl .*?/api/upload/\S*", hint).group()
    assert gateway.base in command
    ran = subprocess.run(
        ["bash", "-c", command.replace("curl ", "curl -i --noproxy '*' ", 1)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "HTTP/1.1 202" in ran.stdout, (command, ran)


def test_a_large_faulty_upload_by_curl(gateway, folder, requests):
    """curl sends `Expect: 100-continue` before a body of this size."""
    (folder / "products.csv").write_text(HEADER_LINE + "x,SKU,nothing\n" * 3000)
    before = requests()
    assert run_curl(folder, gateway, "-F file=@products.csv") == "400"
    assert requests() == before


def test_an_iterator_as_body(gateway):
    """http.client sends it in chunks."""
    for size in (1, 7, 4096):
        pieces = (CSV[n : n + size].encode() for n in range(0, len(CSV), size))
        assert gateway.request("POST", "/api/upload/", pieces, PLAIN).status == 202


def test_many_uploads_on_one_connection(gateway):
    with gateway.converse() as conversation:
        for headers, body in ((FORM, BODY), (PLAIN, CSV.encode())) * 10:
            head = f"POST /api/upload/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
            head += f"Content-Type: {headers['Content-Type']}\r\n\r\n"
            assert conversation.exchange(head.encode() + body).status == 202


def test_chunked_uploads_by_a_client_that_keeps_connections(gateway):
    """The gateway closes the connection after each of them; the client opens another one."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    for pieces in ([BODY], BODY, [BODY[:5], BODY[5:]]) * 5:
        body = iter(pieces) if isinstance(pieces, list) else pieces
        connection.request("POST", "/api/upload/", body, FORM)
        answer = connection.getresponse()
        assert answer.status == 202, answer.read()
        answer.read()
    connection.close()


# --- Expect: 100-continue -------------------------------------------------------------------------


def expecting(headers, target="/api/upload/", method="POST"):
    head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
    return (head + "".join(f"{name}: {value}\r\n" for name, value in headers.items())).encode() + (
        b"\r\n"
    )


@pytest.mark.parametrize(
    "framing", [{"Content-Length": len(CSV)}, {"Transfer-Encoding": "chunked"}]
)
def test_continue(gateway, framing):
    body = CSV.encode()
    if "Transfer-Encoding" in framing:
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    with gateway.converse() as conversation:
        assert conversation.exchange(expecting(PLAIN | framing)).status == 100
        assert conversation.exchange(body).status == 202


@pytest.mark.parametrize(
    "request_head, code",
    [
        (expecting(PLAIN | {"Content-Length": 10**9}), "too_large"),
        (expecting(PLAIN | {"Content-Length": 10**18}), "too_large"),
        (expecting({"Content-Type": "text/plain", "Content-Length": 5}), "unsupported_media_type"),
        (expecting(PLAIN | {"Content-Length": "+5"}), "bad_request"),
        (expecting(PLAIN), "length_required"),
        (
            expecting(PLAIN | {"Content-Length": 5, "Content-Encoding": "gzip"}),
            "unsupported_media_type",
        ),
    ],
    ids=["1 GB", "1 EB", "type", "framing", "no length", "gzip"],
)
def test_refused_before_the_body_is_sent(gateway, request_head, code):
    """The answer comes at once, without 100, and the connection is closed."""
    with gateway.converse() as conversation:
        answer = conversation.exchange(request_head)
        assert_error(answer, code)
        assert conversation.ended()


# --- the limit ------------------------------------------------------------------------------------


def padded(size):
    """A CSV of exactly this size."""
    rows, rest = divmod(size - len(HEADER_LINE), 1000)
    row = f"1,SKU,{REFUSED_URL}?"
    return (HEADER_LINE + (row.ljust(999, "a") + "\n") * rows + " " * rest).encode()


def test_the_limit(gateway, requests):
    before = requests()
    for size, status in ((LIMIT, 202), (LIMIT + 1, 413)):
        for body in (padded(size), iter([padded(size)])):
            answer = gateway.request("POST", "/api/upload/", body, PLAIN)
            assert answer.status == status, answer.body
    assert requests() == before + 2
    assert_error(answer, "too_large")
    assert str(LIMIT) in answer.json()["error"] + str(answer.json()["hint"])


@pytest.mark.parametrize("chunked", [False, True])
def test_the_limit_of_a_form(gateway, requests, chunked):
    before = requests()
    for size, status in ((LIMIT - 2000, 202), (2 * LIMIT, 413)):
        headers, body = multipart({}, file_bytes=padded(size))
        body = iter([body]) if chunked else body
        assert gateway.request("POST", "/api/upload/", body, headers).status == status
    assert requests() == before + 1


ENDLESS = {
    "CSV": ("/api/upload/", PLAIN, b""),
    "file of a form": ("/api/upload/", FORM, BODY[:200]),
    "preamble of a form": ("/api/upload/", FORM, b""),
    "epilogue of a form": ("/api/upload/", FORM, BODY),
    "head of a part": ("/api/upload/", FORM, BODY[:60]),
    "end of a boundary": ("/api/upload/", FORM, BODY[:-4]),
    "field of a form": ("/api/upload/", FORM, BODY[:200].replace(b'"file"', b'"quality"')),
    "body for an unknown path": ("/api/nothing/", PLAIN, b""),
    "form for an unknown path": ("/api/nothing/", FORM, BODY),
    "body of another type": ("/api/upload/", {"Content-Type": "text/plain"}, b""),
    "POST to a status": ("/api/status/1/", PLAIN, b""),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_chunks_without_end(gateway, requests, name):
    """The client sends on until it is stopped, and sees why; the gateway keeps nothing of it."""
    target, headers, begin = ENDLESS[name]
    before = requests(), gateway.peak_memory_kib()
    with gateway.converse() as conversation:
        conversation.socket.settimeout(20)
        head = f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {headers['Content-Type']}\r\n"
        conversation.send(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        if begin:
            conversation.send(b"%x\r\n%s\r\n" % (len(begin), begin))
        sender = threading.Thread(target=send_for_ever, args=(conversation,))
        sender.start()
        try:
            answer = conversation.read()
            assert answer is not None, "it has an answer"
            codes = ("too_large", "bad_request", "not_found", "unsupported_media_type")
            assert_error(answer, *codes, "method_not_allowed")
            assert conversation.ended()
        finally:
            with contextlib.suppress(OSError):
                conversation.socket.shutdown(2)
            sender.join()
    assert requests() == before[0]
    assert gateway.peak_memory_kib() - before[1] < 16 * 1024


def send_for_ever(conversation):
    chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    with pytest.raises(OSError):
        while True:
            conversation.socket.sendall(chunk)


def test_a_large_body_for_an_unknown_path(gateway):
    for body in (b"x" * 10 * LIMIT, iter([b"x" * 10 * LIMIT])):
        answer = gateway.request("POST", "/api/nothing/", body, PLAIN)
        assert_error(answer, "not_found", "too_large")
    assert gateway.peak_memory_kib() < 64 * 1024
