"""The build and the walls between the folders: a change anywhere reaches the library, and an include
that crosses a line is caught."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.cluster import CHECKOUT

LIBRARY = CHECKOUT / "extension" / "imgpress.so"


def make(*targets):
    subprocess.run(["make", "-s", *targets], cwd=CHECKOUT, check=True, capture_output=True)


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


@pytest.fixture(name="tree")
def fixture_tree(tmp_path):
    """A copy of the sources that may be spoiled."""
    for folder in ("extension", "gateway", "scripts"):
        shutil.copytree(
            CHECKOUT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("*.o", "*.so", ".deps")
        )
    return tmp_path


def check_boundaries(tree):
    return subprocess.run([tree / "scripts" / "check-boundaries"], capture_output=True, text=True)


def test_the_walls_stand(tree):
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
def test_an_include_across_a_wall_is_caught(tree, folder, include):
    source: Path = sorted((tree / folder).rglob("*.?pp"))[0]
    source.write_text(f"{source.read_text()}\n#  include {include}\n")
    result = check_boundaries(tree)
    assert result.returncode == 1
    assert str(source.relative_to(tree)) in result.stdout
