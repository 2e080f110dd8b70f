-- pg_dump includes the data. A restored copy does no work until imgpress.databases names its database; then it
-- puts images that were being worked on back into the queue.
SELECT pg_catalog.pg_extension_config_dump('imgpress.processing_requests', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress.products', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress.images', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress.webhook_deliveries', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress.webhook_deliveries_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress.webhook_secrets', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress_internal.keys', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress_internal.keys_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress_internal.leases', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress_internal.image_aliases', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress_internal.queue_pause', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress_internal.attachments', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress_internal.attached_keys', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress_internal.attached_rows', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress_internal.attached_ends', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress_internal.attached_ends_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress_internal.attachment_progress', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress.hosts', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress.hosts_host_no_seq', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress_internal.blobs', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress_internal.blobs_blob_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress_internal.image_outputs', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress_internal.sources', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress_internal.unswept_blobs', '');
