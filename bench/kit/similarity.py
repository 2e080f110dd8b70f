"""Compares compressed pictures with the pristine ones: SSIM, also of the worst places, and PSNR; and
by two measures that follow the eye, SSIMULACRA2 and butteraugli, where their programs are installed."""

import multiprocessing
import os
import re
import shlex
import shutil
import subprocess

import numpy
from PIL import Image

LUMA = numpy.array([0.299, 0.587, 0.114], dtype=numpy.float32)
WINDOW = numpy.exp(-(numpy.arange(-5, 6) ** 2) / (2 * 1.5**2)).astype(numpy.float32)
WINDOW /= WINDOW.sum()
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
TILE = 48
# Environment variables may name other commands, such as one that runs the program in a chroot.
PROGRAMS = {"SSIMULACRA2": "ssimulacra2", "BUTTERAUGLI": "butteraugli_main"}


def _read(path):
    with Image.open(path) as image:
        return numpy.asarray(image.convert("RGB"), dtype=numpy.float32)


def _psnr(a, b):
    return float(10 * numpy.log10(255**2 / max(numpy.mean((a - b) ** 2), 1e-9)))


def _smooth(plane):
    """The Gaussian mean around every pixel whose window lies within the picture."""
    rows = plane.shape[0] - len(WINDOW) + 1
    plane = sum(weight * plane[i : i + rows] for i, weight in enumerate(WINDOW))
    columns = plane.shape[1] - len(WINDOW) + 1
    return sum(weight * plane[:, i : i + columns] for i, weight in enumerate(WINDOW))


def _ssim(luma, other):
    """SSIM as defined by Wang, Bovik, Sheikh and Simoncelli, 2004, at every position: Gaussian
    window of 11x11 and sigma 1.5."""
    mean, other_mean = _smooth(luma), _smooth(other)
    variance = _smooth(luma * luma) - mean * mean
    other_variance = _smooth(other * other) - other_mean * other_mean
    covariance = _smooth(luma * other) - mean * other_mean
    return ((2 * mean * other_mean + C1) * (2 * covariance + C2)) / (
        (mean * mean + other_mean * other_mean + C1) * (variance + other_variance + C2)
    )


def judge(pristine, copies):
    """(SSIM of luma, PSNR of luma, PSNR of RGB) of each copy, means over the picture."""
    original = _read(pristine)
    luma = original @ LUMA
    scores = []
    for path in copies:
        copy = _read(path)
        other = copy @ LUMA
        ssim = float(_ssim(luma, other).mean())
        scores.append((ssim, _psnr(luma, other), _psnr(original, copy)))
    return scores


def judge_all(jobs):
    """judge() of every (pristine, copies), on all cores."""
    with multiprocessing.Pool() as pool:
        return pool.starmap(judge, jobs, chunksize=1)


def _tiles(plane):
    """The mean of each square of 48x48 positions; those that do not fill one are left out."""
    rows, columns = (size // TILE for size in plane.shape)
    squares = plane[: rows * TILE, : columns * TILE].reshape(rows, TILE, columns, TILE)
    return squares.mean((1, 3)).ravel().tolist()


def _command(name):
    return shlex.split(os.environ.get(name, PROGRAMS[name]))


def missing_programs():
    """The measures whose programs are not installed."""
    return [name for name in PROGRAMS if shutil.which(_command(name)[0]) is None]


def _measured(name, pristine, copy, *options):
    """The last number that the program of this measure prints."""
    command = [*_command(name), str(pristine), str(copy), *options]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(re.findall(r"-?\d+(?:\.\d+)?", said)[-1])


def judge_as_seen(pristine, copy):
    """{measure: score} of the copy; those that follow the eye only where they are installed. "tiles"
    has the SSIM of luma of every 48x48 positions."""
    ssim = _ssim(_read(pristine) @ LUMA, _read(copy) @ LUMA)
    scores = {"SSIM": float(ssim.mean()), "tiles": _tiles(ssim)}
    missing = missing_programs()
    if "SSIMULACRA2" not in missing:
        scores["SSIMULACRA2"] = _measured("SSIMULACRA2", pristine, copy)
    if "BUTTERAUGLI" not in missing:
        scores["butteraugli"] = _measured("BUTTERAUGLI", pristine, copy, "--pnorm", "3")
    return scores


def judge_all_as_seen(jobs):
    """judge_as_seen() of every (pristine, copy), on all cores."""
    with multiprocessing.Pool() as pool:
        return pool.starmap(judge_as_seen, jobs, chunksize=4)
