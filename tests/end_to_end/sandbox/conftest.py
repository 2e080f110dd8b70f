"""A cluster whose presses are in the hands of an attacker: see tests/hostile/hostile_press.cpp."""

import os
import shutil
import subprocess

import pytest

from harness.building import BUILD, run_build
from harness.shop import TEST_SETTINGS

NAMES = (
    "hostile",
    "hostile-abi2",
    "hostile-unconfined",
    "hostile-codec",
    "without-landlock",
    "without-seccomp",
)


class HostilePresses:
    """presses["hostile"] is the path of a press that PostgreSQL's user can run."""

    def __init__(self, folder):
        target = "imgpress-hostile-press"
        run_build("cmake", "--build", BUILD, "--target", target)
        folder.mkdir()
        self._folder = folder
        for name in NAMES:
            shutil.copy(BUILD / "tests" / "hostile" / target, folder / name)
            os.chmod(folder / name, 0o755)
        os.chmod(folder, 0o755)

    def __getitem__(self, name):
        return str(self._folder / name)

    def attacks(self):
        """The names of all attacks that the press knows."""
        command = [self["hostile"], "--attacks"]
        return subprocess.check_output(command, text=True).split()


@pytest.fixture(scope="package", name="prey")
def fixture_prey(open_shop):
    """A shop of its own, since its presses are replaced; with no networks allowed."""
    settings = {**TEST_SETTINGS, "imgpress.allowed_networks": "", "imgpress.codecs": "2"}
    with open_shop(settings=settings, gateway=False, name="prey") as made:
        yield made


@pytest.fixture(scope="package", name="hostile")
def fixture_hostile(prey):
    return HostilePresses(prey.cluster.home / "presses")
