"""Catalogues of products, as CSV text and as rows."""

import csv
import io

HEADER = ("S. No.", "Product Name", "Input Image Urls")
ERROR_TEXT = "Error processing image"


def catalogue(products, header=HEADER, delimiter=","):
    """CSV text of (serial, name, [urls]) products, quoted where CSV needs it."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(header)
    for serial, name, urls in products:
        writer.writerow((serial, name, ",".join(urls)))
    return text.getvalue()


def one_product(*urls, name="SKU1"):
    """A catalogue of a single product with these images."""
    return catalogue([(1, name, urls)])


def split_urls(joined):
    """The URLs (or error texts) of a joined list; for URLs that hold no comma themselves."""
    return joined.split(",") if joined else []
