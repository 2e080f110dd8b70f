#!/usr/bin/python3
"""Copies the tables of results/ into docs/performance.md, and the plot beside it.

A table goes between <!-- NAME --> and <!-- end -->. If results/ has no table of this name, the one
in the document stays.
"""

import re
import shutil

from kit.report import RESULTS, ROOT

DOCUMENT = ROOT / "docs/performance.md"
PLOT = "performance.svg"
PLACE = re.compile(r"(<!-- ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main():
    def current(match):
        table = RESULTS / f"{match[2]}.md"
        if not table.exists():
            print(f"{match[2]}: no result, table left unchanged")
            return match[0]
        return match[1] + table.read_text(encoding="utf-8") + match[3]

    DOCUMENT.write_text(PLACE.sub(current, DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    shutil.copyfile(RESULTS / PLOT, DOCUMENT.parent / PLOT)


if __name__ == "__main__":
    main()
