"""Files that \\copy loads through the view csv_upload: columns by name, all faults at once."""

import subprocess

import pytest

from harness.catalogue import HEADER_LINE, catalogue
from harness.csv_forms import A, B, copy, faults, read_copied
from harness.waiting import wait_until

MATCH = "(FORMAT csv, HEADER match)"
VIEW_HEADER = "serial_number,product_name,input_image_urls\n"
SWAPPED = f"Product Name,Image Urls,S. No.\nMug,{A},1\nVase,{B},2\n"
REQUESTS = "SELECT count(*) FROM imgpress.processing_requests"


def refused(shop, csv, options="CSV"):
    """The message of a \\copy that must fail because of its file, and stores nothing."""
    before = shop.value(REQUESTS)
    done = copy(shop, csv, options, check=False)
    assert done.returncode != 0 and "ERROR:  22P04: " in done.stderr, done.stderr
    assert shop.value(REQUESTS) == before
    return done.stderr


def refused_by_submit_csv(shop, csv):
    """The beginning of the message that submit_csv() raises for the same file."""
    diag = shop.cluster.refused("22P04", "SELECT imgpress.submit_csv(%s)", (csv,)).diag
    parts = [("ERROR:  22P04: ", diag.message_primary), ("DETAIL:  ", diag.message_detail)]
    return "\n".join(f"{kind}{text}" for kind, text in [*parts, ("HINT:  ", diag.message_hint)])


def test_copy_of_a_file(shop, tmp_path):
    path = tmp_path / "sample.csv"
    one, two, three = (shop.origin.url(f"small{n}.jpg") for n in range(3))
    path.write_text(catalogue([(1, "Mug", [one, two]), (2, "Vase", [three])]))
    newest = "SELECT id FROM imgpress.processing_requests ORDER BY created_at DESC LIMIT 1"
    load = f"\\copy imgpress.csv_upload FROM '{path}' CSV"
    done = shop.cluster.psql("-qAt", "-c", load, "-c", newest)
    request = done.stdout.strip()
    assert f"imgpress request {request}" in done.stderr
    assert [product["product_name"] for product in shop.finish(request)] == ["Mug", "Vase"]
    assert shop.sql("SELECT * FROM imgpress.csv_upload") == []


PLAIN = f"{HEADER_LINE}1,Mug,{A}\n2,Vase,{B}\n"
COLUMNS = "(product_name, input_image_urls, serial_number)"


@pytest.mark.parametrize(
    ("csv", "options", "columns"),
    [
        pytest.param(SWAPPED, "CSV", "", id="other order"),
        pytest.param("\ufeff" + SWAPPED.replace("\n", "\r\n"), "CSV", "", id="BOM, CRLF"),
        pytest.param(SWAPPED.replace(",", ";"), "CSV DELIMITER ';'", "", id="semicolons"),
        pytest.param(PLAIN, "CSV HEADER", "", id="HEADER"),
        pytest.param(PLAIN.replace(HEADER_LINE, VIEW_HEADER), MATCH, "", id="HEADER match"),
        pytest.param(PLAIN.replace(HEADER_LINE, ""), "CSV", "", id="no header"),
        pytest.param(SWAPPED, "CSV HEADER", COLUMNS, id="columns named"),
    ],
)
def test_forms_of_a_file(shop, csv, options, columns):
    assert read_copied(shop, csv, options, columns) == [(1, "Mug", [A]), (2, "Vase", [B])]


def test_a_product_that_is_named_like_a_heading(shop):
    assert read_copied(shop, f"{HEADER_LINE}1,Image,{A}\n", "CSV HEADER") == [(1, "Image", [A])]


def test_a_number_as_name_is_told_from_the_serial_number(shop):
    csv = f"Product Name,S. No.,URLs\n12345,1,{A}\n"
    assert read_copied(shop, csv) == [(1, "12345", [A])]


@pytest.mark.parametrize(
    "name",
    ['Vase "big", blue', "a\nb", "back\\", 'back\\" and, on', '"', "\u201ccurly\u201d", "O'Neil"],
)
def test_odd_names(shop, name):
    assert read_copied(shop, catalogue([(1, name, [A, B])])) == [(1, name, [A, B])]


def test_faults_are_those_of_submit_csv(shop):
    csv = f'{HEADER_LINE}x,,nix\n2,"a\nb",\n"",z,{A}\n'
    assert [line for line, _, _ in faults(shop, csv)] == [2, 2, 2, 3, 5]
    assert refused(shop, csv).startswith(refused_by_submit_csv(shop, csv))


@pytest.mark.parametrize("csv", ["", HEADER_LINE, "Nr,Bezeichnung,Bilder\n1,x,y\n"])
def test_files_without_a_product(shop, csv):
    assert refused(shop, csv).startswith(refused_by_submit_csv(shop, csv))


def test_swapped_columns_whose_header_is_dropped(shop):
    hint = "leave out HEADER"
    message = refused(shop, SWAPPED, "CSV HEADER")
    assert "line 2, Serial Number: " in message and "line 3, Serial Number: " in message
    assert hint in message
    assert hint not in refused(shop, f"{HEADER_LINE}x,Mug,{A}\n")
    assert "column name mismatch in header line field 1" in refused(shop, SWAPPED, MATCH)


def test_a_transaction_loads_several_files(shop, tmp_path):
    """Nothing is left of a COPY that fails, be it for its file or halfway through it."""
    contents = {
        "good": SWAPPED,
        "faulty": f"{HEADER_LINE}x,Mug,{A}\n",
        "half": f"{HEADER_LINE}7,Cup,{A}\n8\n",
    }
    script = ["\\set ON_ERROR_STOP off", "BEGIN;"]
    for name in ("good", "faulty", "good", "half", "good"):
        path = tmp_path / name
        path.write_text(contents[name])
        load = f"\\copy imgpress.csv_upload FROM '{path}' CSV"
        end = "RELEASE" if name == "good" else "ROLLBACK TO"
        script += ["SAVEPOINT before;", load, f"{end} before;"]
    counts = "SELECT array_agg(product_count) FROM imgpress.processing_requests"
    script += [f"{counts} WHERE created_at = now();", "ROLLBACK;"]
    done = shop.cluster.psql("-qAt", stdin="\n".join(script))
    assert done.stdout.split() == ["{2,2,2}"]
    assert done.stderr.count("ERROR: ") == 2


def test_two_sessions_load_at_once(shop):
    """One loads a file while the other is between two of its rows."""
    slowly = (
        "INSERT INTO imgpress.csv_upload SELECT i::text, 'Slow', "
        f"'{shop.origin.url('small0.jpg')}' FROM generate_series(1, 2) i, pg_advisory_xact_lock(i)"
    )
    products = (
        "SELECT count(*), max(product_name) FROM imgpress.products WHERE request_id = "
        "(SELECT id FROM imgpress.processing_requests ORDER BY created_at DESC LIMIT 1)"
    )
    command = ["psql", "-X", "-c", slowly]
    with shop.cluster.session() as session:
        session.execute("SELECT pg_advisory_lock(2)")
        with subprocess.Popen(
            command, env=shop.cluster.environment(), stderr=subprocess.PIPE
        ) as other:
            waiting = "SELECT true FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            wait_until(lambda: shop.value(waiting), "the first row is collected")
            assert [name for _, name, _ in read_copied(shop, SWAPPED)] == ["Mug", "Vase"]
            session.execute("SELECT pg_advisory_unlock(2)")
            assert b"imgpress request" in other.communicate(timeout=30)[1]
    assert shop.sql(products) == [(2, "Slow")]


def test_rights(shop):
    """INSERT on the view is enough; imgpress_user has it."""
    shop.sql("CREATE ROLE loader LOGIN")
    shop.sql("CREATE ROLE clerk LOGIN IN ROLE imgpress_user")
    url = shop.origin.url("small0.jpg")
    insert = f"INSERT INTO imgpress.csv_upload VALUES ('1', 'Mug', '{url}')"
    shop.refused("42501", insert, user="loader")
    shop.sql("GRANT USAGE ON SCHEMA imgpress TO loader")
    shop.sql("GRANT INSERT ON imgpress.csv_upload TO loader")
    before = shop.value(REQUESTS)
    for user in ("loader", "clerk"):
        shop.cluster.query(insert, user=user)
    assert shop.value(REQUESTS) == before + 2
    shop.sql("DROP OWNED BY loader")
    shop.sql("DROP ROLE loader, clerk")


INSERT = "INSERT INTO imgpress.csv_upload VALUES ('{}', '{}', 'http://a.test/1.jpg')"


def names_of_requests(shop):
    rows = shop.sql(
        "SELECT array_agg(p.product_name ORDER BY p.product_no) FROM imgpress.products p "
        "JOIN imgpress.processing_requests r ON r.id = p.request_id "
        "WHERE p.product_name LIKE 'nested%%' GROUP BY p.request_id ORDER BY 1"
    )
    return [names for (names,) in rows]


def test_a_statement_within_another_is_a_request_of_its_own(shop):
    """Also one that fails: nothing of it gets into the request of the outer statement."""
    inner, bad = INSERT.format(1, "nested inner"), INSERT.format("x", "nested bad")
    shop.sql(
        "CREATE FUNCTION inner_upload(name text) RETURNS text LANGUAGE plpgsql AS $f$ BEGIN "
        f"IF name = 'nested outer 2' THEN {inner}; END IF; "
        f"BEGIN {bad}; EXCEPTION WHEN bad_copy_file_format THEN NULL; END; "
        "RETURN name; END $f$"
    )
    try:
        shop.sql(
            "INSERT INTO imgpress.csv_upload SELECT n, inner_upload('nested outer ' || n), "
            "'http://a.test/1.jpg' FROM generate_series(1, 3) n"
        )
    finally:
        shop.sql("DROP FUNCTION inner_upload(text)")
    outer = [f"nested outer {n}" for n in (1, 2, 3)]
    assert names_of_requests(shop) == [["nested inner"], outer]


@pytest.mark.parametrize("when", ["BEFORE INSERT ON mine FOR EACH ROW", "AFTER INSERT ON mine"])
@pytest.mark.parametrize("function", ["begin", "collect", "submit"])
def test_its_trigger_functions_refuse_other_tables(shop, function, when):
    shop.sql("CREATE TABLE mine (a int, b int, c int)")
    try:
        name = f"imgpress_internal.{function}_csv_upload()"
        shop.sql(f"CREATE TRIGGER odd {when} EXECUTE FUNCTION {name}")
        shop.refused("39P01", "INSERT INTO mine VALUES (1, 2, 3)")
    finally:
        shop.sql("DROP TABLE mine")
