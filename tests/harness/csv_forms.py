"""How imgpress reads a CSV. Files are submitted and rolled back, so that nothing is downloaded."""

import json

A = "http://images.example/a.jpg"
B = "https://images.example/b.png"
C = "https://images.example/c.webp"

_IMAGES = (
    "SELECT serial_number, product_name, array_agg(url ORDER BY place) "
    "FROM imgpress.products p, unnest(image_nos) WITH ORDINALITY AS n(image_no, place) "
    "JOIN imgpress.images i USING (image_no) "
    "WHERE p.request_id = %s AND i.request_id = p.request_id "
    "GROUP BY product_no, serial_number, product_name ORDER BY product_no"
)


def _submitted(shop, statement, csv):
    with shop.cluster.session(autocommit=False) as session:
        session.execute(statement, (csv,))
        session.execute(_IMAGES, session.fetchone())
        return session.fetchall()


def read(shop, csv):
    """[(serial number, name, [URLs])] of a CSV given as text."""
    return _submitted(shop, "SELECT imgpress.submit_csv(%s)", csv)


def read_bytes(shop, csv):
    """The same of a CSV given as the bytes of a file."""
    return _submitted(shop, "SELECT imgpress.submit_csv(imgpress.csv_text(%s::bytea))", csv)


def copy(shop, csv, options="CSV", columns="", before=(), after=(), check=True):
    """Loads a file through the view csv_upload, between other commands of psql; returns psql."""
    load = f"\\copy imgpress.csv_upload {columns} FROM pstdin {options}"
    commands = [part for command in (*before, load, *after) for part in ("-c", command)]
    return shop.cluster.psql("-qAt", "-v", "VERBOSITY=verbose", *commands, stdin=csv, check=check)


def read_copied(shop, csv, options="CSV", columns=""):
    """The same of a file that \\copy loads."""
    newest = "(SELECT id FROM imgpress.processing_requests WHERE created_at = now())"
    rows = f"SELECT json_agg(p) FROM ({_IMAGES % newest}) p(serial, name, urls)"
    done = copy(shop, csv, options, columns, before=["BEGIN"], after=[rows, "ROLLBACK"])
    return [(row["serial"], row["name"], row["urls"]) for row in json.loads(done.stdout)]


def faults(shop, csv):
    """[(line, column, message)] of a CSV as text, or as bytes."""
    kind = "bytea" if isinstance(csv, bytes) else "text"
    return shop.sql(f'SELECT line, "column", message FROM imgpress.csv_faults(%s::{kind})', csv)
