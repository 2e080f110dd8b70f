"""What several tests of the gateway share."""

import random
from dataclasses import dataclass

import pytest

from harness.catalogue import HEADER_LINE, REFUSED_URL

PRODUCTS = 50_000


@dataclass
class Large:
    """A request with many products in the database `unserved`."""

    csv: str
    path: str  # of its products
    answer: bytes  # what the gateway sends for that path


@pytest.fixture(scope="session", name="large")
def fixture_large(shop, unserved):
    noise = random.Random(1)  # gzip must not make the answer small
    rows = (f"1,SKU,{REFUSED_URL}?{noise.randbytes(100).hex()}\n" for _ in range(PRODUCTS))
    csv = HEADER_LINE + "".join(rows)
    with shop.new_gateway(database=unserved) as gateway:
        path = f"/api/products/{gateway.upload(csv).json()['request_id']}/"
        return Large(csv, path, gateway.get(path).body)
