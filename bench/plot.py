#!/usr/bin/python3
"""Draws results/performance.svg: every measurement of results/*-targets.csv relative to its target,
on a logarithmic scale. Targets of 0 are left out, because they have no ratio."""

import csv
import math
from xml.sax.saxutils import escape

from kit.report import RESULTS

ORDER = ("codec", "pipeline", "overhead", "queue", "submit", "gateway")
LABELS, BARS, VALUES = 430, 300, 250  # widths of the three columns
ROW, TOP, BOTTOM = 24, 64, 34
DECADES = (0.125, 8)  # longer bars are cut off
STYLE = """
    text { font: 13px system-ui, sans-serif; fill: #1f2328 }
    .title { font-size: 16px; font-weight: 600 }
    .quiet { fill: #59636e }
    .grid { stroke: #d1d9e0 }
    .target { stroke: #1f2328; stroke-width: 1.5 }
    .yes { fill: #1a7f64 }
    .average { fill: #8fbfae }
    .no { fill: #c4561a }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 }
      .quiet { fill: #9198a1 }
      .grid { stroke: #3d444d }
      .target { stroke: #e6edf3 }
      .yes { fill: #4cc2a0 }
      .average { fill: #2f6b5b }
      .no { fill: #f0883e }
    }
"""


def read_targets():
    """The rows of every module's targets, in the order of the documentation."""
    rows = []
    for name in ORDER:
        path = RESULTS / f"{name}-targets.csv"
        if path.exists():
            with open(path, newline="", encoding="utf-8") as file:
                rows += [row for row in csv.DictReader(file) if float(row["target"]) != 0]
    return rows


def score(row):
    """1 if the target is just met, 2 if twice as good, 0.5 if half as good."""
    measured, wanted = float(row["measured"]), float(row["target"])
    ratio = measured / wanted if row["bound"] == "at least" else wanted / max(measured, 1e-9)
    return min(max(ratio, DECADES[0]), DECADES[1])


def scale(rows):
    """(lowest exponent, highest exponent, score -> x). The axis covers all bars, in powers of
    two."""
    exponents = [math.log2(score(row)) for row in rows]
    low, high = min(-1, math.floor(min(exponents))), max(1, math.ceil(max(exponents)))
    return low, high, lambda value: LABELS + BARS * (math.log2(value) - low) / (high - low)


def line(x, top, bottom, kind):
    return f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}"/>'


def label(x, y, words, kind="", anchor="start"):
    return f'<text class="{kind}" x="{x:.1f}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'


def axis(low, high, place, bottom):
    parts = []
    for exponent in range(low, high + 1):
        x = place(2.0**exponent)
        words = "target" if exponent == 0 else f"{2.0**exponent:g}x"
        parts.append(line(x, TOP - 6, bottom, "target" if exponent == 0 else "grid"))
        parts.append(label(x, TOP - 12, words, "" if exponent == 0 else "quiet", "middle"))
    return parts


def bar(row, y, place):
    left, right = sorted((place(1), place(score(row))))
    kind = {"yes": "yes", "no": "no"}.get(row["met"], "average")
    unit = f" {row['unit']}" if row["unit"] else ""
    wanted = f"{row['bound']} {float(row['target']):,g}"
    return [
        label(LABELS - 12, y + 15, row["what"], anchor="end"),
        f'<rect class="{kind}" x="{left:.1f}" y="{y + 4}" width="{max(right - left, 2.5):.1f}"'
        f' height="{ROW - 8}" rx="2"/>',
        label(LABELS + BARS + 12, y + 15, f"{float(row['measured']):,g}{unit}, {wanted}"),
    ]


def draw(rows):
    low, high, place = scale(rows)
    height = TOP + ROW * len(rows) + BOTTOM
    width = LABELS + BARS + VALUES
    parts = axis(low, high, place, height - BOTTOM + 4)
    for number, row in enumerate(rows):
        parts += bar(row, TOP + ROW * number, place)
    legend = "right of the line: met (faint: on average, not for each kind of source); left: missed"
    parts.append(label(12, 26, "imgpress, measured against its targets", "title"))
    parts.append(label(LABELS, height - 10, legend, "quiet", "middle"))
    body = "\n  ".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" role="img">\n'
        f"  <title>imgpress, measured against its targets</title>\n"
        f"  <style>{STYLE}  </style>\n  {body}\n</svg>\n"
    )


def main():
    rows = read_targets()
    if not rows:
        raise SystemExit("results/ has no targets: run make bench, or one of its modules, first")
    (RESULTS / "performance.svg").write_text(draw(rows), encoding="utf-8")
    print("results/performance.svg")


if __name__ == "__main__":
    main()
