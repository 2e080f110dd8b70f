"""submit_json(): products as a program has them; the recipes of the documentation run as they are."""

import importlib.util
import json
import re
import shutil
import subprocess
from types import SimpleNamespace

import pytest
from psycopg2.extras import Json

from harness.cluster import CHECKOUT

RECIPES = (CHECKOUT / "docs" / "sql.md").read_text(encoding="utf-8")


def recipe(language):
    return re.search(rf"```{language}\n(.*?)```", RECIPES, re.DOTALL).group(1)


@pytest.fixture(name="catalogue")
def fixture_catalogue(shop):
    one, two = (shop.origin.url(f"small{n}.jpg") for n in range(2))
    return [
        {"sku": "SKU-1", "title": 'Größe "M"', "photos": [one, two]},
        {"sku": "SKU-2", "title": None, "photos": [{"src": one}, None]},
    ]


def check(shop, catalogue, request):
    one, two = catalogue[0]["photos"]
    assert shop.urls_by_key(request) == {"SKU-1": [one, two], "SKU-2": [one, ""]}
    assert [it["product_name"] for it in shop.finish(request)] == ['Größe "M"', "SKU-2"]


def test_objects_and_tuples(shop, catalogue):
    objects = [
        {"key": it["sku"], "name": it["title"], "urls": it["photos"]} for it in catalogue
    ]
    tuples = [tuple(it.values()) for it in catalogue]
    for products in (objects, tuples):
        check(shop, catalogue, shop.value("SELECT imgpress.submit_json(%s)", Json(products)))


def test_numbers_are_keys(shop):
    url = shop.origin.url("small0.jpg")
    request = shop.value("SELECT imgpress.submit_json(%s)", Json([[2**63 - 1, url], [7, url]]))
    assert shop.urls_by_key(request) == {"9223372036854775807": [url], "7": [url]}
    type_of = "SELECT key_type FROM imgpress.processing_requests WHERE id = %s"
    assert shop.value(type_of, request) == "numeric"


def test_many_products(shop, unserved):
    """More than one portion, of which nothing is left when the last product has a fault."""
    products = [[n, f"http://images.test/{n}"] for n in range(25_000)]
    submit = "SELECT imgpress.submit_json(%s)"
    request = shop.cluster.scalar(submit, (Json(products),), unserved)
    count = "SELECT count(*) FROM imgpress.products WHERE request_id = %s AND key::int = serial_number - 1"
    assert shop.cluster.scalar(count, (request,), unserved) == 25_000
    products.append(["last", "nothing"])
    before = shop.cluster.scalar("SELECT count(*) FROM imgpress.products", database=unserved)
    error = shop.cluster.refused("22023", submit, (Json(products),), unserved)
    assert "last: no http:// or https:// URL" in str(error)
    after = shop.cluster.scalar("SELECT count(*) FROM imgpress.products", database=unserved)
    assert after == before


def run_python(code, catalogue, cursor):
    names = {"catalogue": [SimpleNamespace(**it) for it in catalogue], "cursor": cursor}
    exec(code, names)  # pylint: disable=exec-used
    return names["request_id"]


def test_the_recipe_for_psycopg_2(shop, catalogue):
    (import_line,) = re.findall(r"version 2: `(.*?)`", RECIPES)
    code = re.sub(r"^from psycopg\..*$", import_line, recipe("python"), flags=re.MULTILINE)
    assert import_line in code
    with shop.cluster.session() as session:
        check(shop, catalogue, run_python(code, catalogue, session))


@pytest.mark.skipif(importlib.util.find_spec("psycopg") is None, reason="needs python3-psycopg")
def test_the_recipe_for_psycopg(shop, catalogue):
    import psycopg  # pylint: disable=import-outside-toplevel, import-error

    with psycopg.connect(shop.cluster.conninfo(), autocommit=True) as connection:
        request = run_python(recipe("python"), catalogue, connection.cursor())
    check(shop, catalogue, str(request))


def node_with_postgres():
    node = shutil.which("node")
    if node is None:
        return None
    found = subprocess.run([node, "-e", "require('pg')"], capture_output=True, check=False)
    return node if found.returncode == 0 else None


@pytest.mark.skipif(node_with_postgres() is None, reason="needs node with the package pg")
def test_the_recipe_for_node_postgres(shop, catalogue):
    script = (
        "const { Client } = require('pg');\n(async () => {\n"
        "const client = new Client(); await client.connect();\n"
        f"const catalogue = {json.dumps(catalogue)};\n{recipe('javascript')}"
        "console.log(requestId); await client.end(); })();\n"
    )
    done = subprocess.run(
        [node_with_postgres(), "-e", script],
        env=shop.cluster.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    check(shop, catalogue, done.stdout.strip())
