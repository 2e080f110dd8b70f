"""What the codec is measured against. Every peer is asked for one folder at a time and says how
much CPU time that took, and how many bytes came out."""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import PIL
from PIL import Image

from report import BUILD

HERE = Path(__file__).resolve().parent
SHARP = BUILD / "sharp"
MODULES = {"NODE_PATH": str(SHARP / "node_modules")}
STARTS = 5
REPEATS = 4


class PeerError(RuntimeError):
    """A peer ended or answered with nonsense."""


class ServingPeer:
    """A process that lives for the whole run, reads a folder into memory and measures itself: only
    decoding and encoding count."""

    def __init__(self, command, environment=None):
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        self._command = command

    def run(self, sources, outputs):
        self._process.stdin.write(f"{sources}\t{outputs}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().split("\t")
        if len(answer) != 3:
            raise PeerError(f"{self._command} ended early")
        return float(answer[1]), int(answer[2])

    def close(self):
        self._process.stdin.close()
        self._process.wait()


class CommandPeer:
    """A program that is started anew. Its start, measured each time with a picture of 8x8 pixels,
    is taken off; reading and writing the files (from and to memory) stays in. command(files,
    outputs) is what to call; one that takes many files gets all of a folder, several times over, so
    that its start does not outweigh them."""

    def __init__(self, command, folder, takes_many):
        self._command = command
        self._tiny = folder / "tiny.jpg"
        self._takes_many = takes_many
        self._scratch = folder / "scratch"
        self._scratch.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(self._tiny)

    def _cpu_seconds(self, calls, outputs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        for files in calls:
            command = [str(word) for word in self._command(files, outputs)]
            subprocess.run(command, check=True, env={**os.environ, "VIPS_CONCURRENCY": "1"})
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    def run(self, sources, outputs):
        files = sorted(sources.iterdir())
        calls = [files * REPEATS] if self._takes_many else [[path] for path in files]
        start = self._cpu_seconds([[self._tiny]] * STARTS, self._scratch) / STARTS
        seconds = self._cpu_seconds(calls, outputs) - start * len(calls)
        size = sum((outputs / path.name).stat().st_size for path in files)
        return seconds / (REPEATS if self._takes_many else 1), size

    def close(self):
        """Nothing of it runs between two calls."""


def _said(command):
    """The first line that a program says of itself."""
    said = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **MODULES}
    )
    return (said.stdout + said.stderr).strip().partition("\n")[0]


def _install_sharp():
    """Puts sharp below build/. Returns why there is none, or nothing."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        return "npm is not installed"
    if not (SHARP / "node_modules/sharp").is_dir():
        SHARP.mkdir(parents=True, exist_ok=True)
        options = ["--silent", "--no-audit", "--no-fund", "--prefix", SHARP]
        command = ["npm", "install", *options, "sharp"]
        if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode != 0:
            return "npm could not install it"
    loads = ["node", "-e", "require('sharp')"]  # half of it may be there
    if subprocess.run(loads, env={**os.environ, **MODULES}, capture_output=True, check=False).returncode:
        return "what npm installed does not run"
    return None


def _vips(files, outputs):
    """Nothing is made smaller or turned: decode and encode, as `vips copy` does for one file."""
    size = ["--size", "100000x100000>", "--no-rotate"]
    return ["vipsthumbnail", *size, "-o", f"{outputs}/%s.jpg[Q=50,strip]", *files]


def _jpegtran(files, outputs):
    return ["jpegtran", "-copy", "none", "-outfile", outputs / files[0].name, files[0]]


def _open_sharp():
    node = ["node", str(HERE / "codec_sharp.js")]
    return {
        "sharp": ServingPeer(node, MODULES),
        "sharp mozjpeg": ServingPeer([*node, "mozjpeg"], MODULES),
    }


def open_peers(folder):
    """The peers by name, notes on those that are missing, and the versions of the others."""
    codec = str(BUILD / "imgpress-bench-codec")
    peers = {"Pillow": ServingPeer([sys.executable, str(HERE / "codec_pillow.py")])}
    for effort in ("fast", "balanced", "small"):
        peers[f"imgpress {effort}"] = ServingPeer([codec, "--effort", effort])
    missing, versions = [], [f"Pillow {PIL.__version__}"]
    if shutil.which("vipsthumbnail"):
        peers["libvips"] = CommandPeer(_vips, folder, takes_many=True)
        versions.append(_said(["vips", "--version"]).replace("vips-", "libvips "))
    else:
        missing.append("libvips: skipped, libvips-tools is not installed")
    if shutil.which("jpegtran"):
        peers["jpegtran"] = CommandPeer(_jpegtran, folder, takes_many=False)
        versions.append(_said(["jpegtran", "-version"]).split(" (")[0].replace(" version", ""))
    else:
        missing.append("jpegtran: skipped, libjpeg-turbo-progs is not installed")
    reason = _install_sharp()
    if reason is None:
        peers.update(_open_sharp())
        versions.append("sharp " + _said(["node", "-p", "require('sharp').versions.sharp"]))
    else:
        missing.append(f"sharp and mozjpeg: skipped, {reason}")
    return peers, missing, versions
