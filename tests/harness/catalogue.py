"""Product catalogues as CSV text."""

import csv
import io

HEADER = ("S. No.", "Product Name", "Input Image Urls")
HEADER_LINE = ",".join(HEADER) + "\n"
ERROR_TEXT = "Error processing image"
REFUSED_URL = "http://127.0.0.1:9/a.jpg"  # nothing listens on that port


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
    """The URLs (or error texts) of a joined list; only for URLs without commas."""
    return joined.split(",") if joined else []
