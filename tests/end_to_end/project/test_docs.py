"""The documentation agrees with the program: settings, objects, roles, packages; its links work."""

import re

import pytest

from harness.cluster import CHECKOUT, Cluster

DOCS = CHECKOUT / "docs"


def table_rows(document, heading):
    """The rows of the first table below a heading, as lists of cells."""
    text = (DOCS / document).read_text(encoding="utf-8")
    section = text[text.index(f"# {heading}\n") :]
    table = re.search(r"\n\| --- .*\n((?:\|.*\n)+)", section).group(1)
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]


@pytest.fixture(scope="module", name="cluster")
def fixture_cluster():
    """imgpress as installed, without a single changed setting."""
    with Cluster(preload=("imgpress",), name="docs") as made:
        made.query("CREATE EXTENSION imgpress")
        yield made


def test_settings_and_their_defaults(cluster):
    rows = table_rows("operation.md", "Settings")
    documented = {name.strip("`"): default.strip("`") for name, default, _ in rows}
    real = cluster.query(
        "SELECT name, current_setting(name) FROM pg_settings WHERE name LIKE 'imgpress.%%'"
    )
    assert documented == dict(real)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("function", "SELECT proname FROM pg_proc WHERE pronamespace = 'imgpress'::regnamespace"),
        (
            "table or view",
            "SELECT relname FROM pg_class "
            "WHERE relnamespace = 'imgpress'::regnamespace AND relkind IN ('r', 'v')",
        ),
    ],
)
def test_objects_of_the_schema(cluster, kind, names):
    text = (DOCS / "sql.md").read_text(encoding="utf-8")
    missing = [name for (name,) in cluster.query(names) if not re.search(rf"\b{name}\b", text)]
    assert missing == [], f"docs/sql.md does not name each {kind} of schema imgpress"


def test_folders():
    """docs/architecture.md lists every folder that holds sources of the extension."""
    documented = {row[0].strip("`/") for row in table_rows("architecture.md", "The folders")}
    sources = [*CHECKOUT.glob("extension/*/**/*.[ch]pp"), *CHECKOUT.glob("sql/**/*.sql")]
    folders = {str(path.parent.relative_to(CHECKOUT)) for path in sources}
    assert folders <= documented
    assert [name for name in documented if not (CHECKOUT / name).is_dir()] == []


TRANSIENT = {"yes": True, "no": False, "by status": None}


def test_error_codes(cluster):
    documented = [
        (code, sqlstate or None, TRANSIENT[transient])
        for sqlstate, code, transient, _ in table_rows("sql.md", "Error codes")
    ]
    real = cluster.query("SELECT code, sqlstate, transient FROM imgpress.error_codes()")
    assert documented == real


def test_fields_of_an_upload(cluster):
    documented = {name.strip("`") for name, *_ in table_rows("rest.md", "`POST /api/upload/`")}
    options = cluster.scalar("SELECT imgpress_internal.complete_options('{}')")
    assert documented == {"webhook_url", "priority", *options}


def test_fields_of_a_status(cluster):
    cells = [names for names, _ in table_rows("rest.md", "`GET /api/status/<id>/`")]
    documented = {"request_id", "status", *re.findall(r"\w+", " ".join(cells))}
    products = "ARRAY[(1, 'n', 'http://a/1')::imgpress.product_input]"
    status = "SELECT answer FROM imgpress_internal.status_as(NULL, NULL, 'never', %s)"
    request = cluster.scalar(f"SELECT imgpress.submit({products})")
    assert documented == cluster.scalar(status, (request,)).keys()


def test_roles(cluster):
    documented = [row[0].strip("`") for row in table_rows("operation.md", "Roles and rights")]
    roles = cluster.query("SELECT rolname FROM pg_roles WHERE rolname LIKE 'imgpress%%'")
    assert sorted(documented) == sorted(name for (name,) in roles)


def test_packages():
    """The list that is installed, and the table that explains it."""
    script = (CHECKOUT / "scripts" / "install-dependencies").read_text(encoding="utf-8")
    script = script.replace("$major", "N")
    lists = re.findall(r'packages="(?:\$packages)?([^"$]+)"', script)
    installed = {name for text in lists for name in text.split()}
    text = (DOCS / "dependencies.md").read_text(encoding="utf-8")
    explained = re.findall(r"^\| ([a-z].*?) \|", text, re.MULTILINE)
    assert set(", ".join(explained).split(", ")) - {"packages"} == installed


LINK = re.compile(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)")


def anchors(document):
    headings = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_lead_somewhere():
    broken = []
    for document in (*CHECKOUT.glob("*.md"), *DOCS.glob("*.md")):
        for path, anchor in LINK.findall(document.read_text(encoding="utf-8")):
            target = document.parent / path if path else document
            if not target.exists() or (anchor and anchor not in anchors(target)):
                broken.append(f"{document.name}: {path}#{anchor}")
    assert broken == []
