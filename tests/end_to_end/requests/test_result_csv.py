"""The CSV that was submitted, with the output URLs."""

import csv
import io

import pytest

from harness.catalogue import ERROR_TEXT, split_urls

COLUMN = "Output Image Urls"
NAMES = ["Mug", 'A "small", red cup', "Füße\nin \\two\\ lines\n\nor more", "=1+1", " blank ", "a\tb"]
ADDED = "\\g (format=unaligned tuples_only=on) {}"


def as_file(rows):
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def read(text):
    return list(csv.reader(io.StringIO(text, newline="")))


def lines(shop, request):
    return "".join(f"{it}\n" for (it,) in shop.sql("SELECT * FROM imgpress.result_csv(%s)", request))


@pytest.fixture(name="table")
def fixture_table(shop):
    """A file with further columns, in an order of its own, and two columns of images."""
    rows = [["Colour", "Product Name", "Image 1", "", "Serial Number", "Image 2", "Note"]]
    for number, name in enumerate(NAMES):
        urls = shop.origin.url(f"small{number}.jpg"), shop.origin.url("gone.jpg")
        rows.append([f"n° {number}", name, urls[0], "", f"{number}.0", urls[1], f"'{number}'"])
    return rows


def test_all_columns_come_back_through_psql(shop, table, tmp_path):
    request = shop.submit_csv(as_file(table))
    shop.finish(request)
    path = tmp_path / "out.csv"
    shop.cluster.psql(
        stdin=f"SELECT * FROM imgpress.result_csv('{request}') {ADDED.format(path)}\n"
    )
    came = read(path.read_text())
    assert [row[:-1] for row in came] == table
    assert came[0][-1] == COLUMN
    for number, row in enumerate(came[1:]):
        output, failed = split_urls(row[-1])
        assert output.endswith(f"/small{number}_compressed.jpg") and failed == ERROR_TEXT


def test_copy_writes_the_same_file_where_nothing_needs_a_backslash(shop, table, tmp_path):
    request = shop.submit_csv(as_file([row for row in table if not set(row[1]) & set("\\\t")]))
    shop.finish(request)
    path = tmp_path / "out.csv"
    shop.cluster.psql(
        "-c", rf"\copy (SELECT * FROM imgpress.result_csv('{request}')) TO '{path}'"
    )
    assert path.read_text() == lines(shop, request)


def test_surplus_columns_stay_in_the_column_of_urls(shop):
    urls = [shop.origin.url(f"small{number}.jpg") for number in (0, 1)]
    request = shop.submit_csv(f"Name of it,S. No.,Product Name,URLs\nx,1,Mug,{urls[0]},{urls[1]}\n")
    shop.finish(request)
    (_, row) = read(lines(shop, request))
    assert row[:-1] == ["x", "1", "Mug", ",".join(urls)]
    assert len(split_urls(row[-1])) == 2


def test_the_usual_columns_are_not_stored_twice(shop):
    request = shop.submit("small0.jpg", "small1.jpg")
    shop.finish(request)
    stored = (
        "SELECT input_header, input_fields FROM imgpress.processing_requests r "
        "JOIN imgpress.products p ON p.request_id = r.id WHERE r.id = %s"
    )
    assert shop.sql(stored, request) == [(None, None)]
    (product,) = shop.products(request)
    header, row = read(lines(shop, request))
    assert header == ["S. No.", "Product Name", "Input Image Urls", COLUMN]
    assert row == [str(value) for value in product.values()]


@pytest.mark.parametrize("heading", [COLUMN, " output_image_urls", "Output-Image-Urls", '"Output image [URLs]"'])
def test_the_result_of_a_result_has_its_new_outputs_in_the_same_column(shop, table, heading):
    for row in table:
        row[3:3] = [heading if row is table[0] else "http://old.test/a_compressed.jpg,x"]
    first = shop.submit_csv(as_file(table))
    shop.finish(first)
    again = shop.gateway.upload(lines(shop, first)).json()["request_id"]
    shop.finish(again)
    for request, came in [
        (first, read(lines(shop, first))),
        (again, read(shop.gateway.get(f"/api/products/{again}.csv").body.decode())),
    ]:
        assert came[0] == table[0]
        assert [row[:3] + row[4:] for row in came] == [row[:3] + row[4:] for row in table]
        for row in came[1:]:
            output, failed = split_urls(row[3])
            assert request in output and failed == ERROR_TEXT


def test_a_short_row_gets_its_outputs_too(shop):
    url = shop.origin.url("small0.jpg")
    request = shop.submit_csv(f"S. No.,Product Name,URLs,{COLUMN},Note\n1,Mug,{url}\n")
    shop.finish(request)
    _, row = read(lines(shop, request))
    assert row[:3] == ["1", "Mug", url] and request in row[3] and row[4:] == [""]


def test_keys_come_first(shop):
    query = f"SELECT 'sku-' || n, 'Mug', '{shop.origin.url('small0.jpg')}' FROM generate_series(1, 2) n"
    request = shop.value("SELECT imgpress.submit_query(%s)", query)
    header, *rows = read(lines(shop, request))
    assert header == ["Key", "S. No.", "Product Name", "Input Image Urls", COLUMN]
    assert [(row[0], row[1]) for row in rows] == [("sku-1", "1"), ("sku-2", "2")]
    shop.finish(request)
    assert all(row[-1].endswith("/small0_compressed.jpg") for row in read(lines(shop, request))[1:])


def test_outputs_are_empty_until_the_product_has_ended(shop):
    gate = shop.origin.gate("csv")
    request = shop.submit("small0.jpg", "held/csv/small1.jpg")
    gate.wait_arrived()
    assert read(lines(shop, request))[1][-1] == ""
    gate.open()
    shop.finish(request)


def test_rest(shop, table):
    answer = shop.gateway.upload(as_file(table))
    request = answer.json()["request_id"]
    shop.finish(request)
    path = f"/api/products/{request}"
    expected = lines(shop, request)
    answers = [shop.gateway.get(f"{path}.csv"), shop.gateway.get(f"{path}.csv/")]
    answers.append(shop.gateway.get(f"{path}/", {"Accept": "text/csv"}))
    for answer in answers:
        assert answer.status == 200 and answer.body.decode() == expected
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        disposition = f'attachment; filename="products-{request}.csv"'
        assert answer.headers["Content-Disposition"] == disposition
        assert "Accept" in answer.headers["Vary"].split(", ")
    as_json = shop.gateway.get(f"{path}/", {"Accept": "application/json, text/csv"})
    assert as_json.json()["request_id"] == request
    assert as_json.headers["ETag"] != answers[0].headers["ETag"]
    same = {"If-None-Match": answers[0].headers["ETag"]}
    assert shop.gateway.get(f"{path}.csv", same).status == 304
    assert shop.gateway.get(f"{path}/", same).status == 200
    assert shop.gateway.get("/api/products/00000000-0000-4000-8000-000000000000.csv").status == 404
    assert shop.gateway.get("/api/products/x.csv").status == 404
