"""Every command in README.md and docs/ runs as pasted: on a new cluster that has pg_cron already."""

import contextlib
import http.client
import os
import re

import pytest

from harness.cluster import CHECKOUT, Cluster, installed_libraries, pg_config
from harness.gateway import free_port
from harness.pasting import Bash, Psql, blocks_of
from harness.waiting import wait_until

DOCUMENTS = ("README.md", "docs/sql.md", "docs/rest.md", "docs/operation.md")

# First lines of blocks that are not typed here, and why.
NOT_PASTED = {
    "make demo     # installs missing packages, builds, and processes": "test_demo.py runs it",
    "make deps && make && make install": "has been run before the tests",
    "imgpress launcher": "a list of processes",
    "install -D -m 600": "needs systemd; test_service_unit.py tests the unit",
    '{"type": "request.completed"': "the body of a webhook",
    "pool_mode = transaction": "a file; test_behind_pgbouncer.py uses it",
}

SQL = re.compile(r"\\|--|(SELECT|CREATE|ALTER|INSERT|UPDATE|DELETE|WITH|LISTEN|GRANT|SET|BEGIN)\b")
FAILURES = re.compile(r"ERROR:|FATAL:|invalid command|FAILED: |not found|\"error\"|^curl: ", re.M)
LONGEST_ANSWER = 6000
FIRST_SETUP = "CREATE EXTENSION imgpress;\nSELECT * FROM imgpress.setup;\n\\gexec\n"  # then a restart


class Reader:
    """Reads the documents in their order, and types what they say."""

    def __init__(self, cluster, folder):
        self.cluster = cluster
        self.folder = folder
        self.ports = {"8000": str(free_port()), "8080": str(free_port())}
        self.environment = {
            **cluster.environment("postgres"),
            "HOME": str(folder),
            "IMGPRESS_LISTEN": f"127.0.0.1:{self.ports['8080']}",
            "no_proxy": "127.0.0.1",
            "PATH": f"{pg_config('--bindir')}:{os.environ['PATH']}",
        }
        self.bash = Bash(self.environment, CHECKOUT)
        self.bash.paste("createdb shop")
        self.psql = None
        self.open_psql()

    def open_psql(self):
        if self.psql is not None:
            self.psql.close()
        program = f"{pg_config('--bindir')}/psql"
        self.psql = Psql(program, "shop", self.environment, self.folder)

    def close(self):
        self.psql.close()
        self.bash.close()

    def adapted(self, text):
        """With ports and folders of this test."""
        for documented, own in self.ports.items():
            text = re.sub(rf"(127\.0\.0\.1:|http\.server ){documented}\b", rf"\g<1>{own}", text)
        return text.replace("/tmp/", f"{self.folder}/")

    def gateway_answers(self):
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", self.ports["8080"], timeout=5)
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        return False

    def read(self, document):
        """Pastes the blocks of a document; returns what the prompts said."""
        said = []
        for block in blocks_of(CHECKOUT / document):
            if any(block.startswith(first) for first in NOT_PASTED):
                continue
            if "EXTENSION IF NOT EXISTS pg_cron" in block and not installed_libraries(["pg_cron"]):
                continue  # which is optional
            prompt = self.psql if SQL.match(block) else self.bash
            answer = prompt.paste(self.adapted(block))
            assert not FAILURES.search(answer), f"{document}:\n{block}\n{answer}"
            assert len(answer) < LONGEST_ANSWER, f"{document} prints a wall of text:\n{block}"
            said.append(answer)
            if "imgpress-gateway " in block:
                wait_until(self.gateway_answers, "the gateway answers")
            if block == FIRST_SETUP:
                self.cluster.restart()
                self.open_psql()
        return "\n".join(said)


@contextlib.contextmanager
def new_cluster():
    settings = {"listen_addresses": "127.0.0.1", "port": free_port()}
    settings["cron.database_name"] = "shop"  # which the reader creates
    with Cluster(settings, database="postgres", preload=("pg_cron",), name="paste") as made:
        rules = made.data / "pg_hba.conf"
        login = "host all imgpress_gateway_login 127.0.0.1/32 scram-sha-256\n"
        rules.write_text(login + rules.read_text())
        made.restart()
        yield made


@pytest.fixture(scope="module", name="reader")
def fixture_reader(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reader")
    with new_cluster() as cluster, contextlib.closing(Reader(cluster, folder)) as reader:
        yield reader


def test_readme(reader):
    said = reader.read("README.md")
    preloaded = reader.cluster.scalar("SHOW shared_preload_libraries")
    assert preloaded == ", ".join([*installed_libraries(["pg_cron"]), "imgpress"])
    assert "WARNING:  nothing is processed in database" in said, "CREATE EXTENSION says what is missing"
    assert "Completed" in said
    failed = reader.cluster.query("SELECT url, error_code FROM imgpress.failures", database="shop")
    assert {url.rsplit("/", 1)[1] for url, _ in failed} == {"garden-chair-missing.jpg"}
    outputs = "SELECT count(*) FROM imgpress.outputs"
    wait_until(lambda: reader.cluster.scalar(outputs, database="shop") == 3 + 1 + 1 + 3, "outputs")
    small = "SELECT photo_small_url FROM my_pictures"
    wait_until(lambda: reader.cluster.scalar(small, database="shop"), "the attached row is written")
    assert '"output_image_urls"' in said, "the answer of the gateway"


@pytest.mark.parametrize("document", DOCUMENTS[1:])
def test_document(reader, document):
    reader.read(document)


def test_the_exceptions_exist():
    blocks = [block for document in DOCUMENTS for block in blocks_of(CHECKOUT / document)]
    unknown = [first for first in NOT_PASTED if not any(b.startswith(first) for b in blocks)]
    assert unknown == []
