-- pg_dump takes the data along; a restored copy works only where its database is named in
-- imgpress.databases, and rescues what was in flight.
SELECT pg_catalog.pg_extension_config_dump('imgpress.processing_requests', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress.products', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress.images', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress.outputs', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress.webhook_deliveries', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress.webhook_deliveries_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress.webhook_secrets', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress_internal.leases', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress_internal.image_aliases', '');
