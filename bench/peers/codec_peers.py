"""The compressors with which the codec is compared (peers). A peer compresses one folder at a time
and reports the CPU time and the bytes of the outputs."""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import PIL
from PIL import Image

from kit.report import BUILD

HERE = Path(__file__).resolve().parent
SHARP = BUILD / "sharp"
MODULES = {"NODE_PATH": str(SHARP / "node_modules")}
QUALITY = 50
STARTS = 5
REPEATS = 4


class PeerError(RuntimeError):
    """A peer ended or gave an invalid answer."""


class ServingPeer:
    """A process that runs all the time, reads a folder into memory, and measures only decoding and
    encoding."""

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
    """A program that is started for each call. The time of its start, measured with a picture of
    8x8 pixels, is subtracted; reading and writing files (in memory) is not. command(files, outputs)
    returns the command line. A program that takes many files gets the whole folder several times,
    so that its start matters little."""

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
        """Nothing runs between calls."""


def _said(command):
    """The first line of a program's output."""
    said = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **MODULES}
    )
    return (said.stdout + said.stderr).strip().partition("\n")[0]


_PILLOW = f"Pillow {PIL.__version__}"


def _sharp_version():
    return "sharp " + _said(["node", "-p", "require('sharp').versions.sharp"])


def _install_sharp():
    """Installs sharp below build/. Returns None, or the reason why it cannot."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        return "npm is not installed"
    if not (SHARP / "node_modules/sharp").is_dir():
        SHARP.mkdir(parents=True, exist_ok=True)
        options = ["--silent", "--no-audit", "--no-fund", "--prefix", SHARP]
        command = ["npm", "install", *options, "sharp"]
        if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode != 0:
            return "npm could not install it"
    loads = ["node", "-e", "require('sharp')"]  # an earlier installation may be incomplete
    if subprocess.run(
        loads, env={**os.environ, **MODULES}, capture_output=True, check=False
    ).returncode:
        return "what npm installed does not run"
    return None


def _vips(files, outputs):
    """Only decodes and encodes, like `vips copy` for many files: no scaling, no rotation."""
    size = ["--size", "100000x100000>", "--no-rotate"]
    return ["vipsthumbnail", *size, "-o", f"{outputs}/%s.jpg[Q={QUALITY},strip]", *files]


def _jpegtran(files, outputs):
    return ["jpegtran", "-copy", "none", "-outfile", outputs / files[0].name, files[0]]


def _open_pillow(quality):
    return ServingPeer([sys.executable, str(HERE / "codec_pillow.py"), str(quality)])


def _open_imgpress(effort, quality):
    codec = str(BUILD / "imgpress-bench-codec")
    return ServingPeer([codec, "--effort", effort, "--quality", str(quality)])


def _open_sharp(quality, *words):
    return ServingPeer(["node", str(HERE / "codec_sharp.js"), str(quality), *words], MODULES)


def open_encoders(quality):
    """Like open_peers(), those whose files differ in more than their codes."""
    peers = {"Pillow": _open_pillow(quality)}
    for effort in ("balanced", "small"):
        peers[f"imgpress {effort}"] = _open_imgpress(effort, quality)
    reason = _install_sharp()
    if reason is not None:
        return peers, [f"mozjpeg: skipped, sharp brings it, and {reason}"], [_PILLOW]
    peers["mozjpeg"] = _open_sharp(quality, "mozjpeg")
    return peers, [], [_PILLOW, _sharp_version()]


def in_process(peers):
    """Those whose decoding and encoding alone is measured, and which read any format."""
    return {name: peer for name, peer in peers.items() if isinstance(peer, ServingPeer)}


def open_peers(folder):
    """({name: peer}, notes about missing ones, versions of the others)"""
    peers = {"Pillow": _open_pillow(QUALITY)}
    for effort in ("fast", "balanced", "small"):
        peers[f"imgpress {effort}"] = _open_imgpress(effort, QUALITY)
    missing, versions = [], [_PILLOW]
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
        peers["sharp"] = _open_sharp(QUALITY)
        peers["sharp mozjpeg"] = _open_sharp(QUALITY, "mozjpeg")
        versions.append(_sharp_version())
    else:
        missing.append(f"sharp and mozjpeg: skipped, {reason}")
    return peers, missing, versions
