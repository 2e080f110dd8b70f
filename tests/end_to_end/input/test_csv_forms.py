"""The accepted forms of a CSV, and which lines are faulty."""

import pytest

from harness.catalogue import HEADER_LINE, catalogue
from harness.csv_forms import A, B, faults, read



@pytest.mark.parametrize(
    "header",
    [
        "S. No.,Product Name,Input Image Urls",
        "S.No.,Product Name,Image Urls",
        "Serial Number,Product Name,URLs",
        "serial_number,product_name,input_image_urls",
        "SERIAL NUMBER,PRODUCT NAME,INPUT IMAGE URLS",
        " s no , productname , image_urls ",
        "S. No,Product.Name,Urls",
        '"S. No.","Product Name","Input Image Urls"',
    ],
)
def test_header_spellings(shop, header):
    assert read(shop, f"{header}\n1,SKU1,{A}\n") == [(1, "SKU1", [A])]


ONE_LINE = f"{HEADER_LINE}1,SKU1,{A}\n"


@pytest.mark.parametrize(
    "csv",
    [
        pytest.param(HEADER_LINE + f"1,SKU1,{A}", id="no newline at the end"),
        pytest.param("\ufeff" + ONE_LINE, id="BOM"),
        pytest.param(ONE_LINE.replace("\n", "\r\n"), id="CRLF"),
        pytest.param("\ufeff" + ONE_LINE.replace("\n", "\r\n"), id="BOM and CRLF"),
        pytest.param(ONE_LINE.replace(",", ";"), id="semicolon"),
        pytest.param(ONE_LINE.replace(",", "\t"), id="tab"),
        pytest.param(HEADER_LINE + f" 1 , SKU1 , {A} \n", id="blanks"),
        pytest.param(HEADER_LINE + f"1,SKU1,{A}\n\n\n", id="blank lines at the end"),
        pytest.param(HEADER_LINE + f'"1","SKU1","{A}"\n', id="all quoted"),
        pytest.param(f"Input Image Urls,Product Name,S. No.\n{A},SKU1,1\n", id="other order"),
        pytest.param(f"S. No.,Colour,Product Name,URLs\n1,red,SKU1,{A}\n", id="a further column"),
    ],
)
def test_forms_of_one_product(shop, csv):
    assert read(shop, csv) == [(1, "SKU1", [A])]


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(f'1,SKU1,"{A},{B}"', id="quoted"),
        pytest.param(f'1,SKU1,"{A}, {B}"', id="quoted, with a blank"),
        pytest.param(f'1,SKU1,"{A},{B},"', id="quoted, with a comma too many"),
        pytest.param(f'1,SKU1,"{A},\n{B}"', id="quoted, over two lines"),
        pytest.param(f"1,SKU1,{A},{B}", id="unquoted"),
        pytest.param(f"1,SKU1,{A}, {B},,", id="unquoted, with empty columns"),
    ],
)
def test_lists_of_urls(shop, row):
    assert read(shop, f"{HEADER_LINE}{row}\n") == [(1, "SKU1", [A, B])]


def test_semicolon_file_with_comma_list(shop):
    csv = f"S. No.;Product Name;Input Image Urls\n1;SKU1;{A},{B}\n2;SKU2;{A};{B}\n"
    assert read(shop, csv) == [(1, "SKU1", [A, B]), (2, "SKU2", [A, B])]


def test_urls_that_hold_commas(shop):
    one = "http://images.example/w_300,h_200,c_fill/a.jpg"
    two = "https://images.example/b.jpg?crop=1,2,3,4"
    expected = [(1, "SKU1", [one, two])]
    assert read(shop, catalogue([(1, "SKU1", [one, two])])) == expected
    assert read(shop, f"{HEADER_LINE}1,SKU1,{one},{two}\n") == expected


def test_duplicates_and_order_are_kept(shop):
    products = [(7, "Same", [A]), (7, "Same", [B]), (3, "Same", [A, A]), (-1, "Same", [B])]
    assert read(shop, catalogue(products)) == products


def test_unusual_characters_in_names(shop):
    products = [
        (1, 'He said "ciao", then left', [A]),
        (2, "Stuhl \u00fcber \u5317\u4eac \U0001f4f7", [A]),
        (3, "two\nlines", [B]),
    ]
    assert read(shop, catalogue(products)) == products


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (f"x,SKU,{A}", "Serial Number"),
        (f"1.5,SKU,{A}", "Serial Number"),
        (f",SKU,{A}", "Serial Number"),
        (f"9223372036854775808,SKU,{A}", "Serial Number"),
        (f"1,,{A}", "Product Name"),
        (f'1,"  ",{A}', "Product Name"),
        ("1,SKU,", "Input Image Urls"),
        ("1,SKU", "Input Image Urls"),
        ("1,SKU,a.jpg", "Input Image Urls"),
        ("1,SKU,ftp://images.example/a.jpg", "Input Image Urls"),
        ("1,SKU,http://", "Input Image Urls"),
    ],
)
def test_faulty_row(shop, row, column):
    found = faults(shop, f"{HEADER_LINE}1,Good,{A}\n{row}\n2,Good,{B}\n")
    assert [(line, where) for line, where, _ in found] == [(3, column)]
    assert found[0][2]


def test_every_fault_is_found_at_its_line(shop):
    csv = f'{HEADER_LINE}x,,\n1,"two\nlines",{A}\ny,SKU,{A}\n'
    lines = [line for line, _, _ in faults(shop, csv)]
    assert lines == [2, 2, 2, 5]


@pytest.mark.parametrize(
    "csv", ["", "\n", "\ufeff", HEADER_LINE, HEADER_LINE.strip(), HEADER_LINE + "\n\r\n"]
)
def test_no_product(shop, csv):
    assert faults(shop, csv)


def test_missing_column(shop):
    (line, column, message), *_ = faults(shop, f"S. No.,Name,Input Image Urls\n1,SKU,{A}\n")
    assert (line, column) == (1, "Product Name")
    assert message


def test_unterminated_quote(shop):
    found = faults(shop, f'{HEADER_LINE}1,SKU1,{A}\n2,"SKU2,{A}\n3,SKU3,{B}\n')
    assert found and found[0][0] >= 3


def test_submit_names_every_fault_in_one_error(shop):
    csv = f"{HEADER_LINE}x,SKU,{A}\n1,,{A}\n"
    error = shop.refused("22P04", "SELECT imgpress.submit_csv(%s)", csv)
    assert "Serial Number" in error and "Product Name" in error


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_every_form_over_rest(shop, newline, delimiter, bom):
    urls = [shop.origin.url("small0.jpg"), shop.origin.url("small1.jpg")]
    csv = catalogue([(1, "Caf\u00e9", urls)], delimiter=delimiter).replace("\n", newline)
    answer = shop.gateway.upload((bom + csv).encode())
    assert answer.status == 202, answer.body
    (product,) = shop.finish(answer.json()["request_id"])
    assert product["product_name"] == "Caf\u00e9"
    assert product["input_image_urls"] == ",".join(urls)
