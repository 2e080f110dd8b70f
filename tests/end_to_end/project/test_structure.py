"""The structure of the source tree: dependencies of the build, allowed includes, sizes of
folders."""

import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from harness.building import run_build
from harness.cluster import CHECKOUT, pg_config
from harness.gateway import gateway_program

LIBRARY = CHECKOUT / "extension" / "imgpress.so"


def make(*targets):
    run_build("make", "-s", *targets)


@pytest.mark.parametrize("folder", ["core", "channel", "drain", "backend/worker"])
def test_a_change_anywhere_relinks_the_library(folder):
    make("extension")
    before = LIBRARY.stat().st_mtime_ns
    make("extension")
    assert LIBRARY.stat().st_mtime_ns == before, "nothing had changed"
    source = sorted((CHECKOUT / "extension" / folder).rglob("*.cpp"))[0]
    os.utime(source)
    make("extension")
    assert LIBRARY.stat().st_mtime_ns > before


def test_the_library_has_no_global_constructors():
    """The postmaster would run them when it loads the library."""
    make("extension")
    symbols = subprocess.run(["nm", LIBRARY], check=True, capture_output=True, text=True).stdout
    assert "_GLOBAL__sub_I" not in symbols


def test_packages_of_the_container():
    programs = [Path(pg_config("--bindir"), "imgpress-press"), gateway_program()]
    script = CHECKOUT / "docker" / "runtime-packages"
    said = subprocess.run([script, *programs], check=True, capture_output=True, text=True).stdout
    packages = said.split()
    for name in ("libcurl4", "libjpeg62-turbo", "libgif7", "libpq5", "libcpp-httplib"):
        assert any(re.fullmatch(rf"{name}[\d.]*(t64)?", it) for it in packages), (name, packages)


@pytest.fixture(name="tree")
def fixture_tree(tmp_path):
    """A copy of the sources that a test may change."""
    for folder in ("extension", "gateway", "scripts"):
        built = shutil.ignore_patterns("*.o", "*.so", ".deps")
        shutil.copytree(CHECKOUT / folder, tmp_path / folder, ignore=built)
    return tmp_path


def check_boundaries(tree):
    return subprocess.run([tree / "scripts" / "check-boundaries"], capture_output=True, text=True)


def test_no_include_crosses_a_boundary(tree):
    result = check_boundaries(tree)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    "folder, include",
    [
        ("extension/core", '"channel/unique_fd.hpp"'),
        ("extension/core", "<unistd.h>"),
        ("extension/core", "<zlib.h>"),
        ("extension/core", "<poll.h>"),
        ("extension/channel", '"drain/queue.hpp"'),
        ("extension/channel", '"postgres.h"'),
        ("extension/drain", '"postgres.h"'),
        ("extension/drain", '"utils/timestamp.h"'),
        ("extension/drain", '"backend/settings.hpp"'),
        ("extension/drain", '"press/codec/codec.hpp"'),
        ("extension/drain", "<curl/curl.h>"),
        ("extension/drain", "<libpq-fe.h>"),
        ("extension/drain", '"commands/extension.h"'),
        ("extension/drain", "<server/postgres.h>"),
        ("extension/drain", '"channel/../backend/settings.hpp"'),
        ("extension/press", '"drain/pipeline/pipeline.hpp"'),
        ("extension/press", '"postgres.h"'),
        ("extension/press", '"core/../drain/queue.hpp"'),
        ("extension/backend/worker", "<curl/curl.h>"),
        ("extension/backend/functions", '"press/codec/codec.hpp"'),
        ("extension/backend/bridge", "<jpeglib.h>"),
        ("extension/backend/worker", '"libpq-fe.hpp"'),
        ("gateway", '"core/net/url.hpp"'),
        ("gateway", '"../extension/core/net/url.hpp"'),
        ("gateway", '"postgres.h"'),
    ],
)
def test_an_include_across_a_boundary_is_found(tree, folder, include):
    source: Path = sorted((tree / folder).rglob("*.[ch]pp"))[0]
    source.write_text(f"{source.read_text()}\n#  include {include}\n")
    result = check_boundaries(tree)
    assert result.returncode == 1
    assert str(source.relative_to(tree)) in result.stdout


def test_a_second_place_that_asks_for_the_version_is_found(tree):
    source = tree / "extension/backend/launcher/launcher.cpp"
    source.write_text(f"{source.read_text()}\n#if PG_VERSION_NUM >= 180000\n#endif\n")
    result = check_boundaries(tree)
    assert result.returncode == 1
    assert "backend/launcher/launcher.cpp" in result.stdout


TOP_FOLDERS = ("bench", "demo", "docker", "docs", "extension", "gateway", "scripts", "sql", "tests")


def source_files(endings):
    for folder in TOP_FOLDERS:
        files = (CHECKOUT / folder).rglob("*")
        yield from (it for it in files if it.suffix in endings and it.is_file())


MOST_FILES = 15


def test_folders_hold_at_most_15_source_files():
    files = source_files({".cpp", ".hpp", ".py", ".sql"})
    counts = Counter(str(it.parent.relative_to(CHECKOUT)) for it in files)
    assert {name: count for name, count in counts.items() if count > MOST_FILES} == {}


# A path begins with a folder of the checkout, or of extension/ as in an #include.
PATH = re.compile(
    rf"(?<![\w/.:-])(?:{'|'.join(TOP_FOLDERS)}|backend|channel|core|drain|press)/[\w./-]*\w"
)


def exists(path):
    """A comment may leave out extension/, and the ending of the file's name."""
    return any(
        (parent / f"{path}{ending}").exists()
        for parent in (CHECKOUT, CHECKOUT / "extension")
        for ending in ("", ".hpp", ".py")
    )


def test_paths_in_docs_and_comments_exist():
    """Except in sql/releases, whose files stay as they were released."""
    files = [*CHECKOUT.glob("*.md"), *CHECKOUT.glob("Makefile"), CHECKOUT / "CMakeLists.txt"]
    files += source_files({".cpp", ".hpp", ".py", ".sql", ".md", ".txt", ""})
    missing = [
        f"{file.relative_to(CHECKOUT)}: {path}"
        for file in files
        if file.parent.name != "releases"
        for path in PATH.findall(file.read_text(encoding="utf-8"))
        if not exists(path)
    ]
    assert missing == []
