"""The systemd unit that make install installs."""

import shutil
import subprocess
from pathlib import Path

import pytest

from harness.gateway import gateway_program

UNIT = (
    Path(gateway_program()).parents[1] / "lib" / "systemd" / "system" / "imgpress-gateway.service"
)

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd")


def analyze(*arguments):
    command = ["systemd-analyze", *arguments, UNIT]
    return subprocess.run(command, capture_output=True, text=True)


def test_systemd_understands_the_unit():
    """And finds the program that it starts."""
    result = analyze("verify", "--man=no")
    assert (result.returncode, result.stdout + result.stderr) == (0, "")


def test_the_service_is_confined():
    """systemd rates how much of the system a service could reach, from 0 to 10."""
    result = analyze("security", "--offline=true", "--threshold=20")
    assert result.returncode == 0, result.stdout
