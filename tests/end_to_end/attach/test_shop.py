"""A whole shop whose pictures stay compressed: partitions, foreign keys, triggers, row security.

One long day: attach, load, change, an origin that breaks and comes back, a restart, detach."""

import pytest

from harness.waiting import wait_until

SCHEMA = """
CREATE ROLE merchant;
CREATE ROLE clerk;
GRANT imgpress_user TO merchant;
CREATE SCHEMA "Shop" AUTHORIZATION merchant;
SET ROLE merchant;
GRANT USAGE ON SCHEMA "Shop" TO clerk;
CREATE TABLE "Shop".brand (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL UNIQUE);
INSERT INTO "Shop".brand (name) VALUES ('Acme'), ('Oak & Sons');
CREATE TABLE "Shop"."Product" (
    id uuid DEFAULT gen_random_uuid(),
    region text NOT NULL,
    brand uuid NOT NULL REFERENCES "Shop".brand,
    sku text NOT NULL,
    tenant name NOT NULL DEFAULT current_user,
    "Photo URL" text,
    "Small Photo" text,
    "Photo Error" text,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (region, id),
    UNIQUE (region, sku)
) PARTITION BY LIST (region);
CREATE TABLE "Shop".product_eu PARTITION OF "Shop"."Product" FOR VALUES IN ('eu');
CREATE TABLE "Shop".product_us PARTITION OF "Shop"."Product" FOR VALUES IN ('us');
CREATE TABLE "Shop".price_list (region text, product uuid, cents integer NOT NULL,
    FOREIGN KEY (region, product) REFERENCES "Shop"."Product" (region, id) ON DELETE CASCADE);
CREATE TABLE "Shop".audit (sku text, small_photo text, by_role name DEFAULT current_user);
CREATE FUNCTION "Shop".touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER touch BEFORE UPDATE ON "Shop"."Product" FOR EACH ROW EXECUTE FUNCTION "Shop".touch();
CREATE FUNCTION "Shop".note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO "Shop".audit (sku, small_photo) VALUES (NEW.sku, NEW."Small Photo");
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER note AFTER UPDATE ON "Shop"."Product" DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION "Shop".note();
ALTER TABLE "Shop"."Product" ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON "Shop"."Product" TO clerk USING (tenant = current_user);
GRANT SELECT, INSERT, UPDATE, DELETE ON "Shop"."Product" TO clerk;
GRANT SELECT ON "Shop".brand TO clerk;
"""

TABLE = '"Shop"."Product"'


class Merchant:
    """The shop's own view of its table."""

    def __init__(self, shop):
        self._cluster = shop.cluster
        self.origin = shop.origin

    def run(self, statement, *parameters, role="merchant"):
        with self._cluster.session() as session:
            session.execute(f"SET ROLE {role}")
            session.execute(statement, parameters or None)
            return session.fetchall() if session.description else None

    def load(self, sku, picture, region="eu", role="merchant"):
        self.run(
            f'INSERT INTO {TABLE} (region, brand, sku, "Photo URL") '
            'SELECT %s, b.id, %s, %s FROM "Shop".brand b LIMIT 1',
            region,
            sku,
            picture and self.origin.url(picture),
            role=role,
        )

    def change(self, sku, picture):
        url = self.origin.url(picture)
        self.run(f'UPDATE {TABLE} SET "Photo URL" = %s WHERE sku = %s', url, sku)

    def row(self, sku):
        found = self.run(
            f'SELECT "Photo URL", "Small Photo", "Photo Error" FROM {TABLE} WHERE sku = %s', sku
        )
        return found[0] if found else None

    def small(self, sku, unlike=None):
        """The output URL of a product, once it is there and another one than before."""

        def there():
            value = self.row(sku)[1]
            return value if value not in (None, unlike) else None

        return wait_until(there, f"{sku} has its small photo")


@pytest.fixture(name="merchant", scope="module")
def fixture_merchant(open_shop):
    with open_shop(name="attached") as shop:
        shop.cluster.query(SCHEMA)
        yield shop, Merchant(shop)


def test_a_day_of_a_shop(merchant):
    shop, market = merchant
    for number in range(3):
        market.load(f"old-{number}", f"small{number}.jpg", region=("eu", "us")[number % 2])

    market.run(
        "SELECT imgpress.attach(%s, key => ARRAY['region', 'id'], url => 'Photo URL', "
        "output => 'Small Photo', error => 'Photo Error')",
        TABLE,
    )
    backfilled = [market.small(f"old-{number}") for number in range(3)]
    assert len(set(backfilled)) == 3
    for url in backfilled:
        assert shop.gateway.get(url).status == 200

    # A clerk, who may not use imgpress at all and sees only own rows, adds one.
    market.load("clerk-1", "small4.jpg", region="us", role="clerk")
    first = market.small("clerk-1")

    # The photograph changes: the old output stays until the new one is there.
    market.change("clerk-1", "small5.jpg")
    second = market.small("clerk-1", unlike=first)
    assert shop.gateway.get(second).status == 200

    # Owner's triggers ran as the owner, also the deferred one.
    roles = {role for (role,) in market.run('SELECT DISTINCT by_role FROM "Shop".audit')}
    assert roles == {"merchant"}

    # An origin breaks, and is repaired.
    market.load("broken", "status/404/late.jpg")
    error = wait_until(lambda: market.row("broken")[2], "the error is in the row")
    assert "404" in error and market.row("broken")[1] is None
    market.change("broken", "small6.jpg")
    market.small("broken")
    assert market.row("broken")[2] is None

    # A crash loses nothing of what was committed.
    market.load("before-crash", "slow/small7.jpg?ms=400")
    shop.cluster.restart(mode="immediate")
    shop.cluster.wait_ready()
    market.small("before-crash")

    # The outputs are kept until told.
    market.run("SELECT imgpress.detach(%s)", TABLE)
    assert [market.row(f"old-{number}")[1] for number in range(3)] == backfilled
    triggers = "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname ~ 'imgpress'"
    assert market.run(triggers, TABLE) == []
