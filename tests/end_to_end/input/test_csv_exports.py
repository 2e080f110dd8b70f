"""CSV files as shop systems, databases and spreadsheets export them, and as people write them by
hand. Each is read as the products that its author means."""

import psycopg2
import pytest

from harness.catalogue import HEADER_LINE
from harness.csv_forms import A, B, C, faults, read, read_bytes

ONE = [(1, "SKU1", [A])]
TWO = [(1, "SKU1", [A, B])]


@pytest.mark.parametrize(
    "csv",
    [
        pytest.param("S. No.,Product Name,Image 1,Image 2\n1,SKU1,{A},{B}\n", id="numbered"),
        pytest.param("S. No.,Product Name,URLs,URLs\n1,SKU1,{A},{B}\n", id="the same name twice"),
        pytest.param(
            "S. No.,Product Name,Input Image Urls,Input Image Urls 2,Image 3\n1,SKU1,{A},,{B}\n",
            id="an empty one in between",
        ),
        pytest.param("Image 1,S. No.,Image 2,Product Name\n{A},1,{B},SKU1\n", id="other order"),
        pytest.param(
            "S. No.,Product Name,Image Src,Image Src\n1,SKU1,{A},{B}\n", id="Shopify's name"
        ),
        pytest.param(
            "S. No.,Product Name,image_link,additional_image_link\n1,SKU1,{A},{B}\n",
            id="Google Merchant's names",
        ),
        pytest.param("S. No.,Product Name,Image 1,Image 2\n1,SKU1,{A},{B},,\n", id="commas at end"),
    ],
)
def test_several_image_columns(shop, csv):
    assert read(shop, csv.format(A=A, B=B)) == TWO


@pytest.mark.parametrize("nothing", ["N/A", "-", "NULL", "\\N", "none"])
def test_words_for_no_image(shop, nothing):
    csv = f"S. No.,Product Name,Image 1,Image 2,Image 3\n1,SKU1,{A},{nothing},{B}\n"
    assert read(shop, csv) == TWO


def test_lists_in_several_image_columns(shop):
    csv = f'S. No.,Product Name,Images,More,Image 2\n1,SKU1,"{A},{B}",x,"[""{C}""]"\n'
    assert read(shop, csv) == [(1, "SKU1", [A, B, C])]


def test_surplus_columns_after_several_image_columns(shop):
    csv = f"S. No.,Product Name,Image 1,Image 2\n1,SKU1,{A},{B},{C}\n"
    assert read(shop, csv) == [(1, "SKU1", [A, B, C])]


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param("{{{A},{B}}}", id="an array of PostgreSQL"),
        pytest.param('{{""{A}"",""{B}""}}', id="an array of PostgreSQL in quotes"),
        pytest.param('[""{A}"", ""{B}""]', id="JSON"),
        pytest.param("['{A}', '{B}']", id="Python"),
        pytest.param("[{A}, {B}]", id="Java"),
        pytest.param("<{A}>, <{B}>", id="in angle brackets"),
        pytest.param("{A}\u00a0,\u200b{B}\ufeff", id="blanks of all kinds"),
        pytest.param("{A}\n{B}", id="Alt+Enter"),
        pytest.param("{A} | {B}", id="bars"),
    ],
)
def test_quoted_lists(shop, cell):
    cell = cell.format(A=A, B=B)
    assert read(shop, f'{HEADER_LINE}1,SKU1,"{cell}"\n') == TWO


@pytest.mark.parametrize(
    "cell",
    [
        "{{{A},{B}}}",
        "['{A}','{B}']",
        '["{A}","{B}"]',
        "[{A},{B}]",
        "<{A}>,<{B}>",
        "'{A}','{B}'",
        '""{A},{B}""',
        ' "{A},{B}" ',
    ],
)
def test_unquoted_lists(shop, cell):
    assert read(shop, f"{HEADER_LINE}1,SKU1,{cell.format(A=A, B=B)}\n") == TWO


def test_json_with_escaped_slashes(shop):
    escaped = A.replace("/", "\\/")
    assert read(shop, f'{HEADER_LINE}1,SKU1,"[""{escaped}""]"\n') == ONE


@pytest.mark.parametrize(
    ("serial", "value"),
    [
        ("1.0", 1),
        ('"1,000"', 1000),
        ('"1,234,567.00"', 1234567),
        ("\u00a042\u200b", 42),
        ("1\u202f000", 1000),
        ("9223372036854775807", 9223372036854775807),
        ("-3", -3),
        ("\u22123", -3),
        ("0042", 42),
        ('="0042"', 42),
        ("\u201c42\u201d", 42),
        ('" 42 "', 42),
    ],
)
def test_serial_numbers(shop, serial, value):
    assert read(shop, f"{HEADER_LINE}{serial},SKU1,{A}\n") == [(value, "SKU1", [A])]


@pytest.mark.parametrize(
    "csv",
    [
        pytest.param("sep=;\nS. No.;Product Name;URLs\n1;SKU1;{A}\n", id="sep=;"),
        pytest.param("sep=^\nS. No.^Product Name^URLs\n1^SKU1^{A}\n", id="sep=^"),
        pytest.param("S. No.|Product Name|URLs\n1|SKU1|{A}\n", id="bars"),
        pytest.param("S. No.\tProduct Name\tURLs\n1\tSKU1\t{A}\n", id="tabs"),
        pytest.param("S. No.;Product Name;URLs;;\n1;SKU1;{A};;\n", id="trailing separators"),
        pytest.param("\n\n;;\nS. No.;Product Name;URLs\n;;\n1;SKU1;{A}\n;;\n", id="blank rows"),
        pytest.param("S. No.,,Product Name,,URLs\n1,,SKU1,,{A}\n", id="empty columns"),
        pytest.param("S. No.,Product Name,URLs\r1,SKU1,{A}\r", id="old Macs"),
        pytest.param("'S. No.','Product Name','URLs'\n'1','SKU1','{A}'\n", id="apostrophes"),
        pytest.param(
            "\u201cS. No.\u201d,\u201cProduct Name\u201d,\u201cURLs\u201d\n"
            "\u201c1\u201d,\u201cSKU1\u201d,\u201c{A}\u201d\n",
            id="a word processor's quotes",
        ),
        pytest.param("S._No.,PRODUCT.NAME,image-urls\n1,SKU1,{A}\n", id="dots and underscores"),
        pytest.param(
            "S.\u00a0No.,Product\u00a0Name,URLs\u200b\n1,SKU1,{A}\n", id="no-break blanks"
        ),
        pytest.param("Sl. No.,Product Name,Image URL\n1,SKU1,{A}\n", id="Sl. No."),
        pytest.param(",S. No.,Product Name,URLs\n0,1,SKU1,{A}\n", id="an index without a name"),
        pytest.param('"S. No.","Product Name","URLs"\n"1","SKU1","{A}"\n\x0c\n', id="a form feed"),
        pytest.param("S. No.,Product Name,URLs\n1,SKU1,{A}\n\u00a0,\u200b,\n", id="blank last row"),
        pytest.param("S. No.,Product Name,URLs\r\n1,SKU1,{A}\r\n\x1a", id="DOS"),
    ],
)
def test_separators_and_headings(shop, csv):
    assert read(shop, csv.format(A=A)) == ONE


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ('"Chair ""Oslo"", red"', 'Chair "Oslo", red'),
        ('12" Monitor', '12" Monitor'),
        ('"12" Monitor"', '12" Monitor'),
        ('"Chair \\"Oslo\\", red"', 'Chair "Oslo", red'),
        ('"Best" chair', '"Best" chair'),
        ("\u201cChair, red\u201d", "Chair, red"),
        ("\u201eStuhl, rot\u201c", "Stuhl, rot"),
        ("\u201cBest\u201d chair", "\u201cBest\u201d chair"),
        ('"two\r\nlines"', "two\nlines"),
        ("NULL", "NULL"),
        ("\u00a0Caf\u00e9\u200b", "Caf\u00e9"),
    ],
)
def test_quotation_marks_in_names(shop, cell, name):
    assert read(shop, f"{HEADER_LINE}1,{cell},{A}\n") == [(1, name, [A])]


@pytest.mark.parametrize(
    "url",
    [
        "HTTPS://Images.Example/A.JPG",
        "http://images.example/my photo (1).jpg",
        "http://images.example/a%20b%2Cc.jpg",
        "http://b\u00fccher.example/\u00fc.jpg",
        "http://images.example/t/w_300,h_200/a.jpg",
        "http://images.example/a;b;c.jpg",
        "http://images.example/a.jpg?u=http://other.example/b.jpg",
        "http://images.example/{size}/a.jpg",
        "http://images.example/a.jpg#top",
        "http://[2001:db8::1]:8080/a.jpg",
        "http://images.example/it's.jpg",
    ],
)
def test_unusual_urls(shop, url):
    assert read(shop, f'{HEADER_LINE}1,SKU1,"{url},{B}"\n') == [(1, "SKU1", [url, B])]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("delimiter", ["\t", ","])
def test_unicode_text(shop, encoding, delimiter):
    """Excel's "Unicode Text" is UTF-16 with tabs and CRLF."""
    text = f"S. No.,Product Name,URLs\r\n1,Caf\u00e9 \u5317\u4eac \U0001f4f7,{A}\r\n"
    text = text.replace(",", delimiter)
    mark = "" if encoding == "utf-16" else "\ufeff"
    file = (mark + text).encode(encoding)
    assert read_bytes(shop, file) == [(1, "Caf\u00e9 \u5317\u4eac \U0001f4f7", [A])]
    assert faults(shop, file) == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_database_in_another_encoding(shop, encoding):
    """The file is converted in several pieces."""
    locale = "LC_COLLATE 'C' LC_CTYPE 'C'"
    shop.sql(f"CREATE DATABASE latin ENCODING 'LATIN1' {locale} TEMPLATE template0")
    try:
        shop.cluster.query("CREATE EXTENSION imgpress", database="latin")
        text = "S. No.,Product Name,URLs\n" + "".join(f"{n},Caf\u00e9,{A}\n" for n in range(500))
        statement = "SELECT imgpress.csv_text(%s::bytea)"
        assert shop.cluster.query(statement, (text.encode(encoding),), "latin") == [(text,)]
        with pytest.raises(psycopg2.Error) as raised:
            foreign = text.replace("Caf\u00e9", "\u5317\u4eac").encode(encoding)
            shop.cluster.query(statement, (foreign,), "latin")
        assert raised.value.pgcode == "22P05"
    finally:
        shop.sql("DROP DATABASE latin WITH (FORCE)")
