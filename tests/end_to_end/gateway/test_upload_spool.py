"""Uploads and large answers wait in files of --spool-dir, which have no name and a common limit."""

import contextlib
import os
import signal
import socket
import subprocess

import pytest

from harness.catalogue import HEADER_LINE, REFUSED_URL, catalogue
from harness.gateway import assert_error, multipart
from harness.waiting import wait_until

CSV = catalogue((n, f"SKU {n}", [REFUSED_URL]) for n in range(1000))
LARGE = HEADER_LINE + f"1,SKU,{REFUSED_URL}\n" * 20_000


@pytest.fixture(name="folder")
def fixture_folder(tmp_path):
    folder = tmp_path / "spool"
    folder.mkdir()
    return folder


@pytest.fixture(name="start")
def fixture_start(shop, unserved, folder):
    """A function that makes a gateway with this folder and these options."""
    return lambda *options: shop.new_gateway(
        "--spool-dir", str(folder), *options, database=unserved
    )


def spool_files(gateway, folder):
    """The gateway's open files in the folder: [(link, size)]"""
    files = []
    descriptors = f"/proc/{gateway.pid}/fd"
    for name in os.listdir(descriptors):
        with contextlib.suppress(FileNotFoundError):
            link = os.readlink(f"{descriptors}/{name}")
            if link.startswith(f"{folder}/"):
                files.append((link, os.stat(f"{descriptors}/{name}").st_size))
    return files


def begin_upload(gateway, size):
    """A conversation in the middle of an upload of this size, and its missing rest."""
    headers, body = multipart({}, file_bytes=LARGE[:size].rpartition("\n")[0].encode())
    head = f"POST /api/upload/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    conversation = gateway.converse()
    conversation.send(f"{head}Content-Type: {headers['Content-Type']}\r\n\r\n".encode())
    conversation.send(body[:-1000])
    conversation.wait_until_read()
    return conversation, body[-1000:]


def test_an_upload_has_no_name_in_the_folder(start, folder):
    with start() as gateway:
        conversation, rest = begin_upload(gateway, 200_000)
        with conversation:
            ((link, size),) = wait_until(lambda: spool_files(gateway, folder), "a spool file")
            assert link.endswith(" (deleted)") and size > 100_000
            assert os.listdir(folder) == []
            assert conversation.exchange(rest).status == 202
            # Closed with the upload, not with the connection.
            wait_until(lambda: not spool_files(gateway, folder), "the file is closed")


def test_nothing_is_left_after_kill(start, folder):
    with start() as gateway:
        conversation, _ = begin_upload(gateway, 200_000)
        with conversation:
            wait_until(lambda: spool_files(gateway, folder), "a spool file")
            gateway.signal(signal.SIGKILL)
            gateway.wait(10)
    assert os.listdir(folder) == []


@pytest.mark.parametrize("how", ["close", "reset"])
def test_an_upload_that_is_given_up_leaves_nothing(start, folder, how):
    with start() as gateway:
        conversation, _ = begin_upload(gateway, 200_000)
        wait_until(lambda: spool_files(gateway, folder), "a spool file")
        if how == "reset":
            conversation.socket.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, bytes([1] + [0] * 7)
            )
        conversation.close()
        wait_until(lambda: not spool_files(gateway, folder), "the file is closed")
    assert os.listdir(folder) == []


def test_a_large_answer_has_no_name_either(start, folder):
    with start() as gateway:
        answer = gateway.upload(LARGE)
        request = answer.json()["request_id"]
        with gateway.begin_answer(f"/api/products/{request}/") as conversation:
            ((link, size),) = wait_until(lambda: spool_files(gateway, folder), "a spool file")
            assert link.endswith(" (deleted)")
            assert os.listdir(folder) == []
            assert len(conversation.read().json()["products"]) == 20_000
            wait_until(lambda: not spool_files(gateway, folder), "the file is closed")


def test_a_folder_that_does_not_exist(start, folder):
    folder.rmdir()
    said = start().refuse_to_start()
    assert str(folder) in said and "No such file or directory" in said


@pytest.mark.parametrize("path", ["/proc", "/dev/null", "/etc/passwd", ""])
def test_a_folder_where_no_file_can_be_created(shop, unserved, path):
    said = shop.new_gateway("--spool-dir", path, database=unserved).refuse_to_start()
    assert "--spool-dir" in said or path in said
    assert "listening" not in said


@pytest.mark.parametrize("value", ["", "x", "-1", "1e9", "4G", "99999999999999999999999"])
def test_a_limit_that_is_no_number(start, value):
    said = start("--max-spool-bytes", value).refuse_to_start()
    assert "--max-spool-bytes" in said and f'"{value}"' in said


def test_beyond_the_limit_of_all_files(start, folder):
    """Two uploads fit, the third is refused until there is room again."""
    with start("--max-spool-bytes", "1000000") as gateway:
        for _ in range(3):
            first, rest = begin_upload(gateway, 400_000)
            second, _ = begin_upload(gateway, 400_000)
            with first, second:
                answer = gateway.upload(LARGE[:400_000].rpartition("\n")[0])
                assert_error(answer, "busy")
                assert int(answer.headers["Retry-After"]) > 0
                small = gateway.upload(CSV)
                assert small.status == 202, "what fits is still taken"
                assert gateway.get(f"/api/status/{small.json()['request_id']}/").status == 200
                assert first.exchange(rest).status == 202
                assert gateway.upload(LARGE[:400_000].rpartition("\n")[0]).status == 202
            wait_until(lambda: not spool_files(gateway, folder), "the files are closed")


def test_an_upload_larger_than_the_limit_of_all_files(start, folder):
    with start("--max-spool-bytes", "100000") as gateway:
        for _ in range(5):
            assert_error(gateway.upload(LARGE), "busy")
            pieces = iter([LARGE.encode()])
            answer = gateway.request("POST", "/api/upload/", pieces, {"Content-Type": "text/csv"})
            assert_error(answer, "busy")
        assert gateway.upload(CSV).status == 202
        assert spool_files(gateway, folder) == []


def test_an_answer_larger_than_the_limit_of_all_files(shop, unserved, start):
    with start() as gateway:
        request = gateway.upload(LARGE).json()["request_id"]
    with start("--max-spool-bytes", "100000") as gateway:
        for _ in range(5):
            assert_error(gateway.get(f"/api/products/{request}/"), "busy")
            assert gateway.get(f"/api/status/{request}/").status == 200
        small = gateway.upload(CSV[:2000].rpartition("\n")[0]).json()["request_id"]
        assert gateway.get(f"/api/products/{small}/").status == 200


@pytest.fixture(name="small_disk")
def fixture_small_disk(folder):
    """The folder, as a file system of 200 kB."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k,mode=1777", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount a file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk(start, shop, unserved, small_disk):
    with shop.new_gateway(database=unserved) as elsewhere:
        request = elsewhere.upload(LARGE).json()["request_id"]
    with start() as gateway:
        for _ in range(3):
            assert_error(gateway.get(f"/api/products/{request}/"), "busy")
            assert_error(gateway.upload(LARGE), "busy")
            assert gateway.get(f"/api/status/{request}/").status == 200
            assert gateway.upload(CSV).status == 202
        assert spool_files(gateway, small_disk) == []


def test_the_environment_names_folder_and_limit(shop, unserved, folder, monkeypatch):
    monkeypatch.setenv("IMGPRESS_SPOOL_DIR", str(folder))
    monkeypatch.setenv("IMGPRESS_MAX_SPOOL_BYTES", "200000")
    with shop.new_gateway(database=unserved) as gateway:
        assert_error(gateway.upload(LARGE), "busy")
        conversation, _ = begin_upload(gateway, 150_000)
        with conversation:
            wait_until(lambda: spool_files(gateway, folder), "a spool file")
