"""A real browser: what an evil page reaches, and how the gateway's own page asks for a key."""

import json

import pytest

from harness.catalogue import REFUSED_URL, one_product
from harness.servers.browser import Browser, browser_program
from harness.servers.http_server import Handler, HttpServer

pytestmark = pytest.mark.skipif(browser_program() is None, reason="needs chromium")

CSV = json.dumps(one_product(REFUSED_URL))
UNKNOWN = "00000000-0000-0000-0000-000000000001"

# Each ends with what the evil page has learnt, or with the error.
ATTACKS = f"""
const form = new FormData();
form.append('file', new File([{CSV}], 'a.csv', {{ type: 'text/csv' }}));
const learnt = async (work) => {{ try {{ return await work(); }} catch (error) {{ return 'no'; }} }};
const framed = (gateway) => new Promise((done) => {{
  const frame = document.createElement('iframe');
  frame.onload = () => {{ let seen = 'no'; try {{ seen = frame.contentDocument.title; }} catch {{}} done(seen); }};
  frame.src = gateway + '/';
  document.body.append(frame);
}});
const posted = (gateway) => new Promise((done) => {{
  const frame = document.createElement('iframe');
  frame.name = 'sink';
  document.body.append(frame);
  const made = document.createElement('form');
  Object.assign(made, {{ action: gateway + '/api/upload/', method: 'POST', target: 'sink',
                         enctype: 'multipart/form-data' }});
  const input = document.createElement('input');
  input.type = 'file';
  input.name = 'file';
  const files = new DataTransfer();
  files.items.add(new File([{CSV}], 'a.csv', {{ type: 'text/csv' }}));
  input.files = files.files;
  made.append(input);
  document.body.append(made);
  frame.onload = () => done('sent');
  made.submit();
}});
async function attack(gateway) {{
  const upload = {{ method: 'POST', body: form }};
  const status = gateway + '/api/status/{UNKNOWN}/';
  return {{
    blind: await learnt(async () => (await fetch(gateway + '/api/upload/', {{ ...upload, mode: 'no-cors' }})).type),
    upload: await learnt(async () => (await fetch(gateway + '/api/upload/', upload)).status),
    read: await learnt(async () => (await fetch(status)).status),
    form: await learnt(() => posted(gateway)),
    frame: await learnt(() => framed(gateway)),
  }};
}}
"""


class EvilSite(HttpServer):
    """A page with the attacks, at http://evil.test:port/."""

    class handler(Handler):  # pylint: disable=invalid-name
        def do_GET(self):
            page = f"<!DOCTYPE html><body><script>{ATTACKS}</script>"
            self.answer(200, page.encode(), "text/html; charset=utf-8")


@pytest.fixture(scope="module", name="browser")
def fixture_browser():
    with Browser() as made:
        yield made


@pytest.fixture(scope="module", name="evil")
def fixture_evil():
    with EvilSite() as made:
        yield f"http://evil.test:{made.port}"


@pytest.fixture(scope="module", name="open_gateway")
def fixture_open_gateway(shop, unserved):
    with shop.new_gateway(database=unserved) as made:
        yield made


def count(shop, database):
    return shop.cluster.scalar("SELECT count(*) FROM imgpress.processing_requests", database=database)


def attack(browser, evil, gateway):
    tab = browser.tab()
    tab.open(evil)
    return tab.run(f"attack('{gateway.base}')")


def test_an_evil_page_does_and_learns_nothing(shop, unserved, browser, evil, open_gateway):
    before = count(shop, unserved)
    said = attack(browser, evil, open_gateway)
    assert count(shop, unserved) == before, said
    # A form is sent without any question, and answered with an error that its page cannot read.
    assert said == {"blind": "no", "upload": "no", "read": "no", "form": "sent", "frame": "no"}


def test_the_attacks_work_where_they_are_allowed(shop, unserved, browser, evil):
    """So the test above would notice."""
    with shop.new_gateway("--cors-origin", evil, database=unserved) as gateway:
        before = count(shop, unserved)
        said = attack(browser, evil, gateway)
    assert said["upload"] == 202 and said["read"] == 404
    assert count(shop, unserved) == before + 3


def test_a_name_that_points_here(shop, unserved, browser, open_gateway):
    """After DNS rebinding, the evil page and the gateway are one site to the browser."""
    before = count(shop, unserved)
    tab = browser.tab()
    tab.open(f"http://evil.test:{open_gateway.port}/healthz")
    path = f"/api/status/{UNKNOWN}/"
    assert tab.run(f"fetch('{path}').then((answer) => answer.status)") == 421
    body = f"{{ method: 'POST', body: {CSV}, headers: {{ 'Content-Type': 'text/csv' }} }}"
    assert tab.run(f"fetch('/api/upload/', {body}).then((answer) => answer.status)") == 421
    assert count(shop, unserved) == before


def upload(tab):
    tab.run(
        f"""(() => {{
      const files = new DataTransfer();
      files.items.add(new File([{CSV}], 'a.csv', {{ type: 'text/csv' }}));
      document.getElementById('form').elements.file.files = files.files;
      document.getElementById('form').requestSubmit();
    }})()"""
    )


def enter_key(tab, key):
    tab.run(
        f"""(() => {{
      const form = document.getElementById('key-form');
      form.elements.key.value = {json.dumps(key)};
      form.requestSubmit();
    }})()"""
    )


def test_the_page_asks_for_a_key(shop, keyed, browser, make_key):
    key = make_key()
    with shop.new_gateway(database=keyed) as gateway:
        before = count(shop, keyed)
        tab = browser.tab()
        tab.open(f"{gateway.base}/")
        assert "Key" not in tab.run("document.body.innerText")
        upload(tab)
        tab.shows("This server asks for a key")
        assert tab.run("document.activeElement.name") == "key"
        assert tab.run("document.querySelector('#form button').disabled")
        for wrong in ("ipk_1_wrong", "schl\u00fcssel", f"{key}\n0"):
            enter_key(tab, wrong)
            tab.shows("This key is not valid")
        enter_key(tab, f" {key} ")
        tab.shows("Pending")
        assert not tab.run("document.getElementById('key-form').checkVisibility()")
        assert count(shop, keyed) == before + 1, "uploaded once"
        upload(tab)
        tab.shows("Pending")
        assert key not in tab.run("location.href + document.cookie + JSON.stringify(localStorage)")
        other = browser.tab()
        other.open(f"{gateway.base}/")
        upload(other)
        other.shows("This server asks for a key")


def test_the_page_needs_no_key_where_there_is_none(browser, open_gateway):
    tab = browser.tab()
    tab.open(f"{open_gateway.base}/")
    upload(tab)
    tab.shows("Pending")
