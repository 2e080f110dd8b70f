#!/usr/bin/python3
"""Compares the codec with other image compressors at JPEG quality 50.

    codec.py [--rounds N]

Every original photograph is saved as a JPEG of quality 60, 75, 85, 90 and 95 in 4:2:0, 4:2:2 and
4:4:4, and as PNG, WebP and GIF, which is then compressed; the result is compared with the original.
Times are CPU seconds of
one core. The compressors take turns, folder by folder; a speed is the median over the rounds of the
ratio within a round.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

from kit import photographs
from kit import report
from kit import similarity
from peers import codec_peers
from kit.report import target

QUALITIES = (60, 75, 85, 90, 95)
AS_FOUND = ("4:2:0", None)
EFFORTS = ("fast", "balanced", "small")
# CPU time against Pillow's.
PNG_TARGETS = {"fast": 0.5, "balanced": 0.6, "small": 0.7}


def make_groups(folder):
    """{(subsampling, quality): folder of sources} and the folder of pristine pictures."""
    pristine = folder / "pristine"
    pristine.mkdir()
    photographs.write_pristine(pristine)
    groups = {}
    for subsampling in photographs.SUBSAMPLINGS:
        for source_quality in QUALITIES:
            sources = folder / f"{subsampling.replace(':', '')}-q{source_quality}"
            sources.mkdir()
            photographs.write_sources(pristine, sources, source_quality, subsampling)
            groups[subsampling, source_quality] = sources
    groups[AS_FOUND] = folder / "as-found"
    groups[AS_FOUND].mkdir()
    photographs.write_as_found(groups[AS_FOUND])
    return groups, pristine


def make_formats(folder, pristine):
    """{name of the format: folder of sources}"""
    formats = {}
    for number, (name, options) in enumerate(photographs.OTHER_FORMATS.items()):
        formats[name] = folder / f"format-{number}"
        formats[name].mkdir()
        photographs.write_in_format(pristine, formats[name], options)
    return formats


def output_folder(sources, peer):
    return sources.with_name(f"{sources.name}-by-{peer.replace(' ', '-')}")


class Measurements:
    """Times, sizes and scores of each peer for each group of sources."""

    def __init__(self, groups, peers, rounds):
        self._seconds = {(group, peer): [] for group in groups for peer in peers}
        self._bytes = {}
        self._scores = {}
        self._images = {group: len(list(sources.iterdir())) for group, sources in groups.items()}
        self.peers = list(peers)
        for group, sources in groups.items():
            for name, peer in peers.items():
                outputs = output_folder(sources, name)
                outputs.mkdir()
                if group == next(iter(groups)):
                    peer.run(sources, outputs)  # warms up caches and compilers
        for _ in range(rounds):
            for group, sources in groups.items():
                for name, peer in peers.items():
                    seconds, size = peer.run(sources, output_folder(sources, name))
                    self._seconds[group, name].append(seconds)
                    self._bytes[group, name] = size

    def judge(self, groups, pristine):
        """Compares every output with the pristine picture; for pictures as found, with the
        source."""
        jobs, owners = [], []
        for group, sources in groups.items():
            for source in sorted(sources.iterdir()):
                original = source if group == AS_FOUND else pristine / f"{source.stem}.png"
                copies = [output_folder(sources, peer) / source.name for peer in self.peers]
                jobs.append((original, copies))
                owners.append(group)
        for group, scores in zip(owners, similarity.judge_all(jobs)):
            for peer, score in zip(self.peers, scores):
                self._scores.setdefault((group, peer), []).append(score)

    def milliseconds(self, groups, peer):
        """CPU time per image."""
        images = sum(self._images[group] for group in groups)
        rounds = zip(*(self._seconds[group, peer] for group in groups))
        return 1000 * statistics.median(map(sum, rounds)) / images

    def speed(self, groups, peer, against="Pillow"):
        """How many times as many images per second and core."""
        ours = zip(*(self._seconds[group, peer] for group in groups))
        theirs = zip(*(self._seconds[group, against] for group in groups))
        return statistics.median(sum(b) / sum(a) for a, b in zip(ours, theirs))

    def size(self, groups, peer):
        """Bytes relative to Pillow's."""
        sizes = [sum(self._bytes[group, name] for group in groups) for name in (peer, "Pillow")]
        return sizes[0] / sizes[1]

    def gains(self, groups, peer):
        """Means of SSIM, PSNR of luma and PSNR of RGB, each minus Pillow's."""
        means = []
        for name in (peer, "Pillow"):
            scores = [score for group in groups for score in self._scores[group, name]]
            means.append([statistics.fmean(column) for column in zip(*scores)])
        return [a - b for a, b in zip(*means)]

    def ssim_gain(self, groups, peer):
        return self.gains(groups, peer)[0]

    def psnr_gain(self, groups, peer):
        """Of luma."""
        return self.gains(groups, peer)[1]


def of(subsampling):
    return [(subsampling, source_quality) for source_quality in QUALITIES]


def effort_targets(data, groups, effort, sources, bounds):
    """The targets of one effort against Pillow, with the worst group of sources."""
    peer, rows = f"imgpress {effort}", []
    measures = {
        "images/s": (data.speed, "images/s against Pillow", "at least", "times", 2),
        "bytes": (data.size, "bytes against Pillow", "at most", "times", 3),
        "SSIM": (data.ssim_gain, "SSIM minus Pillow's", "at least", "", 3),
        "PSNR": (data.psnr_gain, "PSNR minus Pillow's", "at least", "dB", 2),
    }
    for name, wanted in bounds.items():
        measure, words, bound, unit, digits = measures[name]
        mean = measure(groups, peer)
        each = [measure([group], peer) for group in groups] if len(groups) > 1 else ()
        what = f"{effort}, {sources}: {words}"
        rows.append(target(what, mean, bound, wanted, unit, digits, each))
    return rows


def target_rows(data):
    """The targets of the codec; those without their peer are left out."""
    half = of("4:2:0") + [AS_FOUND]
    no_worse = {"SSIM": 0, "PSNR": 0}
    rows = []
    for groups, effort, sources, bounds in (
        (half, "fast", "4:2:0", {"images/s": 2.3, "bytes": 1.03, **no_worse}),
        (half, "balanced", "4:2:0", {"images/s": 4, "bytes": 0.95, **no_worse}),
        ([("4:2:0", 75)], "balanced", "4:2:0 of quality 75", {"bytes": 0.75, "PSNR": 1}),
        (of("4:4:4"), "balanced", "4:4:4", {"images/s": 1.5, "bytes": 1.0, "SSIM": 0}),
        (of("4:2:2"), "balanced", "4:2:2", {"images/s": 1.5, "bytes": 1.0, "SSIM": 0}),
        (half, "small", "4:2:0", {"bytes": 0.85}),
    ):
        rows += effort_targets(data, groups, effort, sources, bounds)
    if "sharp mozjpeg" in data.peers:
        ratio = data.speed(half, "imgpress small", "sharp mozjpeg")
        rows.append(
            target("small, 4:2:0: images/s against mozjpeg", ratio, "at least", 3, "times")
        )
    if "jpegtran" in data.peers:
        ratio = data.speed(half, "jpegtran", "imgpress fast")
        rows.append(target("fast, 4:2:0: CPU against jpegtran", ratio, "at most", 1.1, "times"))
    return rows


def compared(data, groups, peer):
    ssim, luma, rgb = data.gains(groups, peer)
    return {
        "speed": f"{data.speed(groups, peer):.2f}",
        "bytes": f"{data.size(groups, peer):.3f}",
        "SSIM": f"{ssim:+.4f}",
        "PSNR luma": f"{luma:+.2f} dB",
        "PSNR RGB": f"{rgb:+.2f} dB",
    }


def png_targets(data):
    return [
        target(
            f"{effort}, PNG: CPU against Pillow",
            1 / data.speed(["PNG"], f"imgpress {effort}"),
            "at most",
            wanted,
            "times",
        )
        for effort, wanted in PNG_TARGETS.items()
    ]


def format_rows(data, formats):
    return [
        {
            "sources": name,
            "by": peer,
            "CPU per image": f"{data.milliseconds([name], peer):.2f} ms",
            **compared(data, [name], peer),
        }
        for name in formats
        for peer in data.peers
    ]


def peer_rows(data):
    """Every peer for each subsampling, averaged over the qualities. Without the pictures as found:
    some peers apply their ICC profiles, so that the pixels differ on purpose."""
    return [
        {
            "sources": subsampling,
            "by": peer,
            "CPU per image": f"{data.milliseconds(of(subsampling), peer):.2f} ms",
            **compared(data, of(subsampling), peer),
        }
        for subsampling in photographs.SUBSAMPLINGS
        for peer in data.peers
    ]


def quality_rows(data, groups):
    """The efforts for each quality of the sources."""
    return [
        {
            "sources": "as found" if group == AS_FOUND else f"{group[0]} of quality {group[1]}",
            "effort": effort,
            **compared(data, [group], f"imgpress {effort}"),
        }
        for group in groups
        for effort in EFFORTS
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        groups, pristine = make_groups(folder)
        formats = make_formats(folder, pristine)
        peers, missing, versions = codec_peers.open_peers(folder)
        report.environment("codec", *versions, *missing)
        try:
            data = Measurements(groups, peers, options.rounds)
            others = Measurements(formats, codec_peers.in_process(peers), options.rounds)
        finally:
            for peer in peers.values():
                peer.close()
        data.judge(groups, pristine)
        others.judge(formats, pristine)
    report.publish_targets("codec", target_rows(data) + png_targets(others))
    report.publish("codec-peers", peer_rows(data))
    report.publish("codec-420", quality_rows(data, of("4:2:0") + [AS_FOUND]))
    report.publish("codec-formats", format_rows(others, formats))
    report.publish("codec-other", quality_rows(data, of("4:2:2") + of("4:4:4")))


if __name__ == "__main__":
    main()
