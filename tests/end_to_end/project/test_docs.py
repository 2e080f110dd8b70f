"""The documentation says what the code does."""

from harness.cluster import CHECKOUT

TRANSIENT = {"yes": True, "no": False, "by status": None}


def documented_error_codes():
    text = (CHECKOUT / "docs" / "sql.md").read_text()
    section = text.split("\n## Error codes\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    return [(code, sqlstate or None, TRANSIENT[transient]) for sqlstate, code, transient, _ in cells]


def test_the_error_codes_are_those_of_the_library(shop):
    rows = shop.sql("SELECT code, sqlstate, transient FROM imgpress.error_codes()")
    assert documented_error_codes() == rows
