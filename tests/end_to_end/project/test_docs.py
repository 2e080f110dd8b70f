"""The documentation agrees with the program: settings, functions, packages and file names."""

import re

import pytest

from harness.cluster import CHECKOUT, Cluster

DOCS = CHECKOUT / "docs"


def table_rows(document, heading):
    """The rows of the first table below a heading, as lists of cells."""
    text = (DOCS / document).read_text(encoding="utf-8")
    section = text[text.index(f"\n## {heading}\n") :]
    table = re.search(r"\n\| --- .*\n((?:\|.*\n)+)", section).group(1)
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]


@pytest.fixture(scope="module", name="cluster")
def fixture_cluster():
    """imgpress as installed, without a single changed setting."""
    with Cluster(preload=("imgpress",), name="docs") as made:
        made.query("CREATE EXTENSION imgpress")
        yield made


def test_settings_and_their_defaults(cluster):
    documented = {row[0].strip("`"): row[1].strip("`") for row in table_rows("operation.md", "Settings")}
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


TRANSIENT = {"yes": True, "no": False, "by status": None}


def test_error_codes(cluster):
    documented = [
        (code, sqlstate or None, TRANSIENT[transient])
        for sqlstate, code, transient, _ in table_rows("sql.md", "Error codes")
    ]
    real = cluster.query("SELECT code, sqlstate, transient FROM imgpress.error_codes()")
    assert documented == real


def test_roles(cluster):
    documented = [row[0].strip("`") for row in table_rows("operation.md", "Roles and rights")]
    roles = cluster.query("SELECT rolname FROM pg_roles WHERE rolname LIKE 'imgpress%%'")
    assert sorted(documented) == sorted(name for (name,) in roles)


def test_packages():
    """The list that is installed, and the table that explains it."""
    script = (CHECKOUT / "scripts" / "install-dependencies").read_text(encoding="utf-8")
    major = re.search(r"PG_MAJOR:-(\d+)", script).group(1)
    script = script.replace("$pg_headers", f"postgresql-server-dev-{major}")
    script = script.replace("$pg", f"postgresql-{major}")
    lists = re.findall(r'packages="(?:\$packages)?([^"$]+)"', script)
    installed = {name for text in lists for name in text.split()}
    text = (DOCS / "dependencies.md").read_text(encoding="utf-8")
    explained = {
        name for line in re.findall(r"^\| ([a-z].*?) \|", text, re.MULTILINE) for name in line.split(", ")
    }
    assert explained - {"packages"} == installed


# What a path in prose or in a comment begins with: a folder of the checkout or of extension/.
FOLDERS = "bench|demo|docker|docs|extension|gateway|scripts|sql|tests|backend|channel|core|drain|press"
PATH = re.compile(rf"(?<![\w/.:-])(?:{FOLDERS})/[\w./-]*\w")
LINK = re.compile(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)")
SOURCES = (".cpp", ".hpp", ".py", ".sql", ".txt", ".md", "")


def exists(path):
    """A comment may leave out extension/, as an #include does, and the ending of a file."""
    return any(
        (parent / f"{path}{ending}").exists()
        for parent in (CHECKOUT, CHECKOUT / "extension")
        for ending in ("", ".hpp", ".py")
    )


def text_files():
    documents = [*CHECKOUT.glob("*.md"), *DOCS.glob("*.md"), CHECKOUT / "Makefile"]
    for folder in ("bench", "demo", "docker", "extension", "gateway", "scripts", "sql", "tests"):
        documents += (it for it in (CHECKOUT / folder).rglob("*") if it.suffix in SOURCES)
    return [it for it in documents if it.is_file() and "releases" not in it.parts]


def test_paths_that_are_mentioned_exist():
    missing = []
    for file in text_files():
        text = file.read_text(encoding="utf-8")
        missing += [
            f"{file.relative_to(CHECKOUT)}: {path}"
            for path in PATH.findall(text)
            if not exists(path)
        ]
    assert missing == []


def anchors(document):
    headings = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_lead_somewhere():
    broken = []
    for document in (CHECKOUT / "README.md", *DOCS.glob("*.md")):
        for path, anchor in LINK.findall(document.read_text(encoding="utf-8")):
            target = document.parent / path if path else document
            if not target.exists() or (anchor and anchor not in anchors(target)):
                broken.append(f"{document.name}: {path}#{anchor}")
    assert broken == []
