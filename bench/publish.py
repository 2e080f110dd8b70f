#!/usr/bin/python3
"""Copies the tables of results/ into docs/performance.md, and the plots beside it.

A table goes between <!-- NAME --> and <!-- end -->. If results/ has no table or plot of this name,
the one in the documentation stays.
"""

import re
import shutil

from kit.report import RESULTS, ROOT

DOCUMENT = ROOT / "docs/performance.md"
PLOTS = ("performance.svg", "quality.svg")
PLACE = re.compile(r"(<!-- ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main():
    def current(match):
        table = RESULTS / f"{match[2]}.md"
        if not table.exists():
            print(f"{match[2]}: no result, table left unchanged")
            return match[0]
        return match[1] + table.read_text(encoding="utf-8") + match[3]

    DOCUMENT.write_text(PLACE.sub(current, DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    for plot in PLOTS:
        if (RESULTS / plot).exists():
            shutil.copyfile(RESULTS / plot, DOCUMENT.parent / plot)


if __name__ == "__main__":
    main()
