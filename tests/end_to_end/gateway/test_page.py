"""The script of the web page, run by Node.js."""

import json
import re
import shutil
import subprocess

import pytest

from harness.catalogue import ERROR_TEXT




# As much of a browser as the page's script needs to load.
STUB = """
const node = () => new Proxy(function () {}, {
  get: (_, name) => name === 'tBodies' ? [node()] : node(), apply: node, set: () => true });
globalThis.document = { getElementById: node };
"""


@pytest.fixture(scope="module", name="page")
def fixture_page(shop):
    """A function that evaluates a JavaScript expression inside the page's script."""
    if shutil.which("node") is None:
        pytest.skip("needs node")
    html = shop.gateway.get("/").body.decode()
    (script,) = re.findall(r"<script[^>]*>(.*?)</script>", html, re.DOTALL)

    def evaluate(expression):
        program = f"{STUB}\n{script.replace('form.addEventListener', 'void ', 1)}"
        program += f"\nconsole.log(JSON.stringify({expression}));"
        command = ["node", "-"]
        done = subprocess.run(command, input=program, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return evaluate


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://a/images/1/1/x%2Cy_compressed.jpg", "x,y_compressed.jpg"),
        ("http://a/images/1/1/sch%C3%B6n_compressed.jpg", "sch\u00f6n_compressed.jpg"),
        ("http://a/images/1/1/%ff_compressed.jpg", "%ff_compressed.jpg"),
        (ERROR_TEXT, ERROR_TEXT),
    ],
)
def test_file_names_are_decoded(page, url, name):
    assert page(f"nameOf({json.dumps(url)})") == name


def test_the_summary_counts_failed_images(page):
    good = {"output_image_urls": "http://a/1.jpg,http://a/2.jpg"}
    bad = {"output_image_urls": f"http://a/1.jpg,{ERROR_TEXT},{ERROR_TEXT}"}
    assert page(f"summaryOf({json.dumps([good])})")["text"] == ""
    text = page(f"summaryOf({json.dumps([good, bad])})")["text"]
    assert text == " 2 images failed, in 1 of 2 products."


def test_failures_come_first_if_not_all_products_fit(page):
    good = {"output_image_urls": "http://a/1.jpg"}
    bad = {"output_image_urls": ERROR_TEXT}
    summary = page(f"summaryOf({json.dumps([good] * 600 + [bad])})")
    assert summary["shown"] == [bad] + [good] * 499
    assert "1 image failed" in summary["text"] and "500 of 601" in summary["text"]
