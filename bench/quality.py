"""Compares compressed pictures with the pristine ones: SSIM and PSNR."""

import multiprocessing

import numpy
from PIL import Image

LUMA = numpy.array([0.299, 0.587, 0.114], dtype=numpy.float32)
WINDOW = numpy.exp(-(numpy.arange(-5, 6) ** 2) / (2 * 1.5**2)).astype(numpy.float32)
WINDOW /= WINDOW.sum()
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


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


def judge(pristine, copies):
    """(SSIM of luma, PSNR of luma, PSNR of RGB) of each copy. SSIM as defined by Wang, Bovik,
    Sheikh and Simoncelli, 2004: Gaussian window of 11x11 and sigma 1.5, mean over all positions."""
    original = _read(pristine)
    luma = original @ LUMA
    mean = _smooth(luma)
    variance = _smooth(luma * luma) - mean * mean
    scores = []
    for path in copies:
        copy = _read(path)
        other = copy @ LUMA
        other_mean = _smooth(other)
        other_variance = _smooth(other * other) - other_mean * other_mean
        covariance = _smooth(luma * other) - mean * other_mean
        ssim = ((2 * mean * other_mean + C1) * (2 * covariance + C2)) / (
            (mean * mean + other_mean * other_mean + C1) * (variance + other_variance + C2)
        )
        scores.append((float(ssim.mean()), _psnr(luma, other), _psnr(original, copy)))
    return scores


def judge_all(jobs):
    """judge() of every (pristine, copies), on all cores."""
    with multiprocessing.Pool() as pool:
        return pool.starmap(judge, jobs, chunksize=1)
