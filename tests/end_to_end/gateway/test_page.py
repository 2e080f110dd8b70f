"""The web page: its files, and its script run by Node.js."""

import json
import re
import shutil
import subprocess

import pytest

from harness.catalogue import ERROR_TEXT
from harness.cluster import CHECKOUT

FILES = {"/": "index.html", "/page.css": "page.css", "/page.js": "page.js"}

# As much of a browser as the page's script needs to load.
STUB = """
const node = () => new Proxy(function () {}, {
  get: (_, name) => name === 'tBodies' ? [node()] : node(), apply: node, set: () => true });
globalThis.document = { getElementById: node };
globalThis.sessionStorage = { getItem: () => null, setItem() {} };
"""


def source(path):
    return (CHECKOUT / "gateway" / "page" / FILES[path]).read_bytes()


@pytest.fixture(scope="module", name="page")
def fixture_page():
    """A function that evaluates a JavaScript expression inside the page's script."""
    if shutil.which("node") is None:
        pytest.skip("needs node")
    script = source("/page.js").decode()

    def evaluate(expression):
        program = f"{STUB}\n{script.replace('form.addEventListener', 'void ', 1)}"
        program += f"\nconsole.log(JSON.stringify(await {expression}));"
        command = ["node", "--input-type=module", "-"]
        done = subprocess.run(command, input=program, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return evaluate


@pytest.mark.parametrize(
    ("path", "content_type"),
    [("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript")],
)
def test_the_files_are_served_as_they_are(shop, path, content_type):
    answer = shop.gateway.get(path)
    assert answer.status == 200 and answer.body == source(path)
    assert answer.headers["Content-Type"] == f"{content_type}; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_only_the_pages_own_script_and_style_may_run(shop):
    policy = shop.gateway.get("/").headers["Content-Security-Policy"]
    directives = dict(directive.split(" ", 1) for directive in policy.split("; "))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["style-src"] == "'self'"


def test_the_page_works_below_a_path(shop):
    """A proxy may offer the gateway at /imgpress/: no URL in its files begins with a slash."""
    for path in FILES:
        text = shop.gateway.get(path).body.decode()
        assert not re.search(r"""(?:href|src)=["']?/|url\(["']?/|fetch\w*\(["'`]/""", text), path


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://a/images/1/1/x%2Cy_compressed.jpg", "x,y_compressed.jpg"),
        ("http://a/images/1/1/sch%C3%B6n_compressed.jpg", "sch\u00f6n_compressed.jpg"),
        ("http://a/images/1/1/%ff_compressed.jpg", "%ff_compressed.jpg"),
        ("http://a/images/1/1/x_compressed.jpg?expires=1&signature=a/b", "x_compressed.jpg"),
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


@pytest.mark.parametrize(
    ("fault", "place"),
    [
        ({"line": 3, "column": "Product Name", "field": "file"}, "Line 3, Product Name"),
        ({"line": 3, "column": None, "field": "file"}, "Line 3"),
        ({"line": None, "column": None, "field": "file"}, ""),
        ({"line": None, "column": None, "field": "quality"}, "quality"),
        ({"line": None, "column": None, "field": "given"}, ""),
    ],
)
def test_the_place_of_a_fault(page, fault, place):
    fault = {**fault, "message": "must be given"}
    assert page(f"placeOf({json.dumps(fault)})") == place


def refusal(page, status, body):
    """What fetchJson() throws for an answer with this status and body."""
    return page(
        f"""(async () => {{
      globalThis.fetch = async () => new Response({json.dumps(body)}, {{ status: {status} }});
      return fetchJson('x').catch((problem) => ({{ ...problem, message: problem.message }}));
    }})()"""
    )


def test_a_refusal_keeps_its_hint_and_details(page):
    details = [{"line": 2, "column": None, "field": "file", "message": "too short"}]
    body = {
        "error": "The CSV has 1 fault.",
        "code": "invalid_upload",
        "hint": "x",
        "details": details,
    }
    assert refusal(page, 400, json.dumps(body)) == {
        "message": "The CSV has 1 fault.",
        "hint": "x",
        "details": details,
        "refused": True,
    }


def test_an_error_page_of_a_proxy_is_reported_by_its_status(page):
    problem = refusal(page, 502, "<html>Bad Gateway</html>")
    assert "502" in problem["message"] and problem["refused"] is False
