#!/usr/bin/python3
"""Compares compressors at equal visual quality, and draws results/quality.svg: the bytes that each
needs for it.

    quality.py [--pictures N]

Every photograph is given to each compressor as a JPEG of quality 90 and as PNG, at several qualities.
Quality 50 of one compressor is not that of another. So the outputs are compared with the pristine
pictures, by SSIMULACRA2 and butteraugli (3-norm), which follow the eye, and by SSIM of luma, also in
the worst places: the first percentile over all squares of 48x48 positions. The figures are the bytes
at the score that Pillow reaches with quality 50, interpolated between qualities.
"""

import argparse
import math
import statistics
import tempfile
from pathlib import Path

from kit import photographs
from kit import report
from kit import similarity
from kit.report import RESULTS
from peers import codec_peers
from plot import STYLE, label, line

QUALITIES = (20, 35, 50, 65, 80, 90)
REFERENCE = ("Pillow", 50)
SOURCES = {"JPEG of quality 90": "jpeg", "PNG": "png"}
MEASURES = ("SSIMULACRA2", "butteraugli", "SSIM", "worst SSIM")
MISSING = (
    "{} is missing. Debian 13's libjxl-devtools has it; elsewhere set {} to a command that runs it "
    "there, such as a script that calls it in a chroot."
)
# Of the plot: the drawing area, and the ranges of its axes.
LEFT, TOP, WIDTH, HEIGHT, GAP = 60, 70, 330, 300, 80
SCORES = (20, 90)
COLOURS = ("#8b949e", "#3fa7d6", "#1a7f64", "#c4561a", "#8957e5")


def make_sources(folder, most):
    """{name of the kind of source: folder}, and the folder of pristine pictures."""
    pristine = folder / "pristine"
    pristine.mkdir()
    photographs.write_pristine(pristine)
    pictures = sorted(pristine.iterdir())
    for path in set(pictures) - set(pictures[:: math.ceil(len(pictures) / most)]):
        path.unlink()
    jpeg = folder / "jpeg"
    jpeg.mkdir()
    photographs.write_sources(pristine, jpeg, 90, "4:2:0")
    return {"JPEG of quality 90": jpeg, "PNG": pristine}, pristine


def compress(sources, folder):
    """{(kind of source, peer, quality): folder of outputs}, and what is missing and found."""
    outputs, notes = {}, []
    for quality in QUALITIES:
        peers, missing, versions = codec_peers.open_encoders(quality)
        notes = [*versions, *missing]
        for kind, originals in sources.items():
            for name, peer in peers.items():
                outputs[kind, name, quality] = folder / f"{SOURCES[kind]}-{name}-{quality}"
                outputs[kind, name, quality].mkdir()
                peer.run(originals, outputs[kind, name, quality])
        for peer in peers.values():
            peer.close()
    return outputs, notes


def judge(outputs, pristine):
    """For each key of `outputs` {measure: score}, with "bytes" and "bits a pixel"."""
    pictures = sorted(pristine.iterdir())
    pixels = sum(math.prod(photographs.size_of(path)) for path in pictures)
    jobs = [(path, output_of(folder, path)) for folder in outputs.values() for path in pictures]
    scores = iter(similarity.judge_all_as_seen(jobs))
    points = {}
    for key, folder in outputs.items():
        each = [next(scores) for _ in pictures]
        tiles = sorted(tile for score in each for tile in score.pop("tiles"))
        point = {name: statistics.fmean(score[name] for score in each) for name in each[0]}
        size = sum(output_of(folder, path).stat().st_size for path in pictures)
        points[key] = {
            **point,
            "worst SSIM": tiles[len(tiles) // 100],
            "bytes": size,
            "bits a pixel": 8 * size / pixels,
        }
    return points


def output_of(folder, picture):
    """Outputs have the names of their sources."""
    return next(folder.glob(f"{picture.stem}.*"))


def bytes_at(points, measure, score):
    """Of one peer, interpolated between the logarithms; None beyond its qualities."""
    known = sorted((point[measure], math.log(point["bytes"])) for point in points)
    for (low, small), (high, large) in zip(known, known[1:]):
        if low <= score <= high:
            return math.exp(small + (large - small) * (score - low) / (high - low))
    return None


def curves_of(points, kind):
    """{peer: its points, by quality}"""
    curves = {}
    for (source, peer, _), point in points.items():
        if source == kind:
            curves.setdefault(peer, []).append(point)
    return curves


def table_rows(points):
    rows = []
    for kind in SOURCES:
        reference = points[(kind, *REFERENCE)]
        for peer, curve in curves_of(points, kind).items():
            row = {"sources": kind, "by": peer}
            for measure in filter(reference.get, MEASURES):
                size = bytes_at(curve, measure, reference[measure])
                more = 0 if size is None else round(100 * (size / reference["bytes"] - 1), 1)
                row[measure] = "" if size is None else f"{more + 0.0:+.1f} %"
            rows.append(row)
    return rows


def place(point, widths):
    """Where a point lies in its panel: bits a pixel on a logarithmic scale, SSIMULACRA2."""
    low, high = (math.log(width) for width in widths)
    x = WIDTH * (math.log(point["bits a pixel"]) - low) / (high - low)
    y = HEIGHT * (SCORES[1] - point["SSIMULACRA2"]) / (SCORES[1] - SCORES[0])
    return x, y


def grid(left, widths):
    parts = []
    for score in range(SCORES[0], SCORES[1] + 1, 10):
        y = TOP + HEIGHT * (SCORES[1] - score) / (SCORES[1] - SCORES[0])
        parts.append(
            f'<line class="grid" x1="{left}" x2="{left + WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(label(left - 8, f"{y + 4:.1f}", str(score), "quiet", "end"))
    bits = 0.125
    while bits <= widths[1]:
        if bits >= widths[0]:
            x = left + place({"bits a pixel": bits, "SSIMULACRA2": 0}, widths)[0]
            parts.append(line(x, TOP, TOP + HEIGHT, "grid"))
            parts.append(label(x, TOP + HEIGHT + 18, f"{bits:g}", "quiet", "middle"))
        bits *= 2
    parts.append(label(left + WIDTH / 2, TOP + HEIGHT + 38, "bits a pixel", "quiet", "middle"))
    return parts


def panel(left, kind, curves, widths):
    parts = [label(left, TOP - 12, f"source: {kind}"), *grid(left, widths)]
    for colour, curve in zip(COLOURS, curves.values()):
        dots = [place(point, widths) for point in curve]
        inside = [(left + x, TOP + y) for x, y in dots if 0 <= y <= HEIGHT and 0 <= x <= WIDTH]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in inside)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in inside]
    return parts


def draw(points):
    bits = [point["bits a pixel"] for point in points.values()]
    widths = (min(bits) * 0.9, max(bits) * 1.1)
    parts = [label(12, 26, "SSIMULACRA2 (100: no difference) against bits a pixel", "title")]
    left = LEFT
    for kind in SOURCES:
        parts += panel(left, kind, curves_of(points, kind), widths)
        left += WIDTH + GAP
    width, height = left - GAP + 30, TOP + HEIGHT + 80
    x = LEFT
    for colour, name in zip(COLOURS, curves_of(points, next(iter(SOURCES)))):
        parts.append(f'<circle cx="{x}" cy="{height - 20}" r="5" fill="{colour}"/>')
        parts.append(label(x + 12, height - 15, name))
        x += 150
    body = "\n  ".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" role="img">\n'
        f"  <title>Visual quality and size of photographs by several compressors</title>\n"
        f"  <style>{STYLE}  </style>\n  {body}\n</svg>\n"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=12, help="at most so many")
    options = parser.parse_args()
    for name in similarity.missing_programs():
        print(MISSING.format(similarity.PROGRAMS[name], name))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources, pristine = make_sources(folder, options.pictures)
        outputs, notes = compress(sources, folder)
        points = judge(outputs, pristine)
    report.environment("quality", *notes)
    report.publish("quality", table_rows(points))
    if "SSIMULACRA2" in next(iter(points.values())):
        (RESULTS / "quality.svg").write_text(draw(points), encoding="utf-8")
        print("results/quality.svg")


if __name__ == "__main__":
    main()
