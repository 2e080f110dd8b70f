"""What a release consists of has one version, and META.json is as PGXN wants it."""

import json
import re

import pytest

from harness.cluster import CHECKOUT

SEMANTIC_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+)?")
PHASES = {"configure", "build", "test", "runtime", "develop"}
RELATIONS = {"requires", "recommends", "suggests", "conflicts"}


@pytest.fixture(scope="module", name="version")
def fixture_version():
    """The version in development."""
    control = (CHECKOUT / "extension" / "imgpress.control").read_text(encoding="utf-8")
    return re.search(r"^default_version = '(.*)'$", control, re.MULTILINE).group(1)


@pytest.fixture(scope="module", name="meta")
def fixture_meta():
    return json.loads((CHECKOUT / "META.json").read_text(encoding="utf-8"))


def test_one_version(version, meta):
    changes = (CHECKOUT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (\S+)", changes, re.MULTILINE).group(1) == version
    assert meta["version"] == version
    assert {name: it["version"] for name, it in meta["provides"].items()} == {"imgpress": version}


def test_earlier_versions_can_be_updated(version):
    """Each version in CHANGELOG.md is kept as it was released, and has a script to a later one."""
    changes = (CHECKOUT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = set(re.findall(r"^## (\S+)", changes, re.MULTILINE)) - {version}
    scripts = [*CHECKOUT.glob("sql/releases/*.sql"), *CHECKOUT.glob("sql/upgrades/*.sql")]
    names = [re.sub(r"^imgpress--|(\.after)?\.sql$", "", path.name).split("--") for path in scripts]
    kept = {versions[0] for versions in names if len(versions) == 1}
    updated = {versions[0] for versions in names if len(versions) == 2}
    assert released == kept == updated


def test_meta_has_what_pgxn_requires(meta):
    """By the PGXN Meta Spec 1.0.0."""
    assert re.fullmatch(r"[^\s/\\\x00-\x1f]{2,}", meta["name"])
    for text in ("abstract", "maintainer", "license"):
        assert isinstance(meta[text], str) and meta[text].strip()
    assert SEMANTIC_VERSION.fullmatch(meta["version"])
    assert meta["meta-spec"]["version"] == "1.0.0"
    assert meta["license"] == "postgresql"
    assert meta["release_status"] in ("stable", "testing", "unstable")
    assert all(1 <= len(tag) <= 255 and "/" not in tag for tag in meta["tags"])


def test_meta_names_files_that_exist(meta):
    for extension in meta["provides"].values():
        assert SEMANTIC_VERSION.fullmatch(extension["version"])
        for kind in ("file", "docfile"):
            assert (CHECKOUT / extension[kind]).is_file()


def test_meta_names_prerequisites(meta):
    prerequisites = meta["prereqs"]
    assert set(prerequisites) <= PHASES
    for relations in prerequisites.values():
        assert set(relations) <= RELATIONS
        for versions in relations.values():
            assert all(it == 0 or SEMANTIC_VERSION.fullmatch(it) for it in versions.values())
    assert prerequisites["runtime"]["requires"] == {"PostgreSQL": "15.0.0"}
