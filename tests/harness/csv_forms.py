"""What imgpress makes of a CSV. Files are submitted and rolled back: nothing is fetched, so that
any host name will do."""

import contextlib

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
    with contextlib.closing(shop.cluster.connect(autocommit=False)) as connection:
        with connection.cursor() as cursor:
            cursor.execute(statement, (csv,))
            cursor.execute(_IMAGES, cursor.fetchone())
            return cursor.fetchall()


def read(shop, csv):
    """[(serial number, name, [URLs])] as imgpress understands the CSV."""
    return _submitted(shop, "SELECT imgpress.submit_csv(%s)", csv)


def read_bytes(shop, csv):
    """The same of the bytes of a file."""
    return _submitted(shop, "SELECT imgpress.submit_csv(imgpress.csv_text(%s::bytea))", csv)


def faults(shop, csv):
    """[(line, column, message)] of a CSV as text, or as bytes."""
    kind = "bytea" if isinstance(csv, bytes) else "text"
    return shop.sql(f'SELECT line, "column", message FROM imgpress.csv_faults(%s::{kind})', csv)
