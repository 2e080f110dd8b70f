"""What members of imgpress's roles may do, and what others may not."""

from harness.shop import GATEWAY_LOGIN




def test_user_and_gateway(shop):
    shop.sql("CREATE ROLE nobody LOGIN")
    shop.sql("CREATE ROLE clerk LOGIN IN ROLE imgpress_user")
    csv, url = shop.csv("small0.jpg"), shop.origin.url("small0.jpg")
    shop.refused("42501", "SELECT imgpress.submit_csv(%s)", csv, user="nobody")
    shop.refused("42501", "SELECT imgpress.compress_image_url(%s)", url, user="nobody")
    request = shop.cluster.scalar("SELECT imgpress.submit_csv(%s)", (csv,), user="clerk")
    assert (
        shop.cluster.scalar("SELECT imgpress.wait(%s, '30 s')", (request,), user="clerk")
        == "Completed"
    )
    assert shop.cluster.scalar("SELECT count(*) FROM imgpress.progress", user="clerk") >= 1
    shop.refused("42501", "SELECT imgpress.purge('0')", user="clerk")
    shop.refused("42501", "SELECT * FROM imgpress.check()", user="clerk")
    shop.sql("GRANT imgpress_admin TO clerk")
    violations = "SELECT * FROM imgpress.check() WHERE request_id = %s"
    assert shop.cluster.query(violations, (request,), user="clerk") == []
    shop.refused("42501", "SELECT * FROM imgpress.processing_requests", user=GATEWAY_LOGIN)
    shop.refused("42501", "SELECT imgpress.cancel(%s)", request, user=GATEWAY_LOGIN)
    shop.sql("DROP ROLE nobody, clerk")
