"""Messages about a CSV: each fault is reported once, with its line, its column and what to do about
it; columns that are not used are listed."""

import pytest

from harness.catalogue import HEADER_LINE, one_product
from harness.csv_forms import A, B, faults

LIKE_DATA = "looks like data: put the header S. No.,Product Name,Input Image Urls above it"


@pytest.mark.parametrize(
    "csv",
    [
        f"1,SKU1,{A}\n2,SKU2,{B}\n",
        f'1;SKU1;"{A},{B}"\n',
        f"1\tSKU1\t{A}\n",
        "1,SKU1,a.jpg\n",
        f"SKU1,{A}\n",
        f'1,SKU1,"[""{A}""]"\n',
    ],
)
def test_a_missing_header_is_one_fault(shop, csv):
    assert faults(shop, csv) == [(1, None, f"line 1 {LIKE_DATA}")]
    assert faults(shop, "\n\n" + csv) == [(3, None, f"line 3 {LIKE_DATA}")]


@pytest.mark.parametrize(
    ("header", "column", "nearest"),
    [
        ("S. No.,Name,Image Urls", "Product Name", "Name"),
        ("S. No.,Prodcut Name,Image Urls", "Product Name", "Prodcut Name"),
        ("S. No.,Product,Image Urls", "Product Name", "Product"),
        ("Serial,Product Name,Image Urls", "Serial Number", "Serial"),
        ("Seriel Number,Product Name,Image Urls", "Serial Number", "Seriel Number"),
        ("S. No.,Product Name,Imgae Urls", "Input Image Urls", "Imgae Urls"),
        ("S. No.,Product Name,Input Image Url List", "Input Image Urls", "Input Image Url List"),
    ],
)
def test_the_most_similar_heading_is_suggested(shop, header, column, nearest):
    expected = f'column missing: is "{nearest}" meant? Rename it to "{column}"'
    assert faults(shop, f"{header}\n1,SKU1,{A}\n") == [(1, column, expected)]


def test_without_a_similar_heading_the_header_is_quoted(shop):
    ((line, column, message),) = faults(shop, f"S. No.,Colour,Image Urls\n1,SKU1,{A}\n")
    assert (line, column) == (1, "Product Name")
    assert '"Colour"' in message and 'name it "Product Name"' in message


def test_a_duplicate_column_is_reported_with_both_positions(shop):
    csv = f"S. No.,Product Name,URLs,product_name\n1,SKU1,{A},SKU2\n"
    ((line, column, message),) = faults(shop, csv)
    assert (line, column) == (1, "Product Name")
    assert 'columns 2 ("Product Name") and 4 ("product_name")' in message


@pytest.mark.parametrize(
    ("csv", "line", "message"),
    [
        (
            f"Products, spring\n\nS. No.;Product Name;URLs\n1;SKU1;{A}\n",
            1,
            "the header is in line 3: remove the lines above it",
        ),
        (
            f'"S. No.,Product Name,URLs"\n"1,SKU1,{A}"\n',
            1,
            "the whole line is in quotation marks: remove those around each line",
        ),
        (
            "hello\n",
            1,
            'the header has a single column, "hello": begin the file with '
            "S. No.,Product Name,Input Image Urls",
        ),
        (
            f"{HEADER_LINE}1,SKU1,{A}\n{HEADER_LINE}2,SKU2,{A}\n",
            3,
            "this line repeats the header: remove it",
        ),
    ],
)
def test_a_misplaced_header_is_one_fault(shop, csv, line, message):
    assert faults(shop, csv) == [(line, None, message)]


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0", "a JPEG image"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "a WebP image"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "a PDF"),
        (b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0[Content_Types].xml", "a spreadsheet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a spreadsheet (or another Office document)"),
        (b"\x1f\x8b\x08\0", "an archive (gzip)"),
        (b"<!DOCTYPE html>\n<html><body>Sign in</body></html>\n", "HTML"),
        (b'<?xml version="1.0"?>\n<Workbook>', "XML"),
        (b'[{"id": 1, "image": "http://a/1"}]\n', "JSON"),
    ],
)
def test_a_file_of_another_kind_is_recognised(shop, start, kind):
    message = f'this is {kind}, not a CSV: save the file as "CSV UTF-8"'
    assert faults(shop, start + b"rest") == [(1, None, message)]
    answer = shop.gateway.upload(start + b"rest")
    assert answer.status == 400
    assert answer.json()["details"] == [
        {"line": 1, "column": None, "field": "file", "message": message}
    ]


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        (f"1E+05,SKU,{A}", "Serial Number", '"1E+05" is a number that a spreadsheet has shortened'),
        (f"1.000,SKU,{A}", "Serial Number", '"1.000" may mean thousands or a fraction'),
        (f"x,SKU,{A}", "Serial Number", 'not an integer: "x"; write a whole number'),
        (f"9223372036854775808,SKU,{A}", "Serial Number", "does not fit into 64 bits"),
        (
            f"1;SKU;{A}",
            None,
            "one column, the header has 3: separate the columns with a comma, as the header does",
        ),
        ("Total,,", "Serial Number", "a row of totals, not a product: remove it"),
        (",Total: 2,", "Serial Number", "a row of totals, not a product: remove it"),
        (f"1,Shoe, red,{A}", "Product Name", "put text that contains a comma in double quotes"),
        (f'1,"SKU,{A}', "Product Name", "a quotation mark opens here and is never closed"),
        (f'1,SKU,"{A}', "Input Image Urls", "a quotation mark opens here and is never closed"),
        ("1,SKU,www.images.example/a.jpg", "Input Image Urls", "write the address in full"),
        (f'1,SKU,"[""{A}"""', "Input Image Urls", "this list of URLs cannot be read"),
        (f'1,SKU,"[{{""src"":""{A}""]"', "Input Image Urls", "this JSON cannot be read"),
        (f'1,SKU,"[{{""image"":""{A}""}}]"', "Input Image Urls", "none of the fields url, src and href"),
        (f"1,SKU,{A}{'x' * 9000}", "Input Image Urls", "is longer than 8192 bytes"),
        ("1,SKU,\\N", "Input Image Urls", "give at least one http:// or https:// URL"),
    ],
)
def test_a_fault_names_the_line_the_column_and_the_remedy(shop, row, column, words):
    ((line, where, message),) = faults(shop, f"{HEADER_LINE}1,Good,{A}\n{row}\n")
    assert (line, where) == (3, column)
    assert words in message
    assert len(message) < 300


def test_a_quote_that_ends_in_a_later_line_does_not_hide_later_faults(shop):
    csv = f'{HEADER_LINE}1,"SKU1,{A}\n2,"SKU2",{B}\n3,SKU3,\n'
    first, second = faults(shop, csv)
    assert first[:2] == (2, "Product Name") and "is closed in line 3" in first[2]
    assert second[:2] == (4, "Input Image Urls")


def test_the_first_thousand_faults_are_listed_and_the_others_counted(shop):
    found = faults(shop, HEADER_LINE + "1,SKU,\n" * 2500)
    assert [line for line, _, _ in found] == [*range(2, 1002), None]
    assert found[-1] == (None, None, "and 1500 more faults, which are not listed")
    answer = shop.gateway.upload(HEADER_LINE + "1,SKU,\n" * 2500)
    assert answer.status == 400 and "2500 faults" in answer.json()["error"]
    details = answer.json()["details"]
    assert len(details) == 1001 and details[-1]["line"] is None


def test_too_many_columns_are_a_fault(shop):
    ((line, _, message),) = faults(shop, "a," * 5000 + f"\n1,SKU1,{A}\n")
    assert line == 1 and "5001 columns, more than 4096" in message
    ((line, _, message),) = faults(shop, f"{HEADER_LINE}1,SKU1,{A}" + ",b" * 70_000 + "\n")
    assert line == 2 and "70003 columns, more than 65536" in message


@pytest.mark.parametrize("text", ["\r\nX-Header: 1", "\n", "\t", "\x01", "\x7f", "\x85"])
def test_control_characters_in_a_webhook_url_are_refused(shop, text):
    url = f"http://hooks.example/a{text}b"
    csv = f"{HEADER_LINE}1,SKU1,{A}\n"
    error = shop.refused("22023", "SELECT imgpress.submit_csv(%s, %s)", csv, url)
    assert "control character" in error
    answer = shop.gateway.upload(csv, webhook_url=url)
    assert answer.status == 400 and "control character" in answer.json()["error"]


UNUSED_COLUMNS = (
    "S. No.,Colour,Product Name,,Input Image Urls,Pr\u00e9is \u20ac\n1,red,SKU1,x,{url},9\n"
)


def test_unused_columns_are_listed_in_the_answer(shop):
    url = shop.origin.url("small0.jpg")
    answer = shop.gateway.upload(UNUSED_COLUMNS.format(url=url))
    assert answer.status == 202
    assert answer.json()["ignored_columns"] == ["Colour", "column 4", "Pr\u00e9is \u20ac"]
    answer = shop.gateway.upload(one_product(url))
    assert list(answer.json()) == ["request_id"]


def test_unused_columns_are_listed_in_a_notice(shop):
    csv = UNUSED_COLUMNS.format(url=A)
    with shop.cluster.session(autocommit=False) as session:
        session.execute("SELECT imgpress.submit_csv(%s)", (csv,))
        (notice,) = [text for text in session.connection.notices if "not used" in text]
    assert '3 columns of the CSV are not used: "Colour", "column 4", "Pr\u00e9is \u20ac"' in notice
    assert shop.value("SELECT imgpress.ignored_columns(%s)", csv) == [
        "Colour",
        "column 4",
        "Pr\u00e9is \u20ac",
    ]
