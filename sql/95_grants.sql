-- Who may do what. Nothing is for PUBLIC: several functions reach the network.

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA imgpress FROM PUBLIC;
GRANT USAGE ON SCHEMA imgpress TO imgpress_user, imgpress_gateway, imgpress_admin, imgpress_worker;

GRANT EXECUTE ON FUNCTION
    imgpress.compress_image(bytea, integer, text), imgpress.compress_image_url(text, integer, text),
    imgpress.submit_csv(text, text, integer, uuid, text), imgpress.submit(imgpress.product_input[], text, integer, uuid, text),
    imgpress.csv_faults(text), imgpress.csv_faults(bytea), imgpress.csv_text(bytea), imgpress.ignored_columns(text), imgpress.request_status(uuid), imgpress.request_products(uuid),
    imgpress.output_image(uuid, integer), imgpress.output_etag(uuid, integer), imgpress.output_url(uuid, integer, text),
    imgpress.wait(uuid, interval), imgpress.cancel(uuid), imgpress.retry_failed(uuid, boolean),
    imgpress.worker_state()
    TO imgpress_user;
GRANT SELECT ON imgpress.processing_requests, imgpress.products, imgpress.images, imgpress.outputs,
    imgpress.webhook_deliveries, imgpress.csv_upload, imgpress.progress, imgpress.failures, imgpress.results, imgpress.workers
    TO imgpress_user;
GRANT INSERT ON imgpress.csv_upload TO imgpress_user;

GRANT EXECUTE ON FUNCTION
    imgpress.submit_csv(text, text, integer, uuid, text), imgpress.submit_upload(uuid, text, integer, text),
    imgpress.upload_faults(uuid), imgpress.request_status(uuid), imgpress.request_products(uuid),
    imgpress.output_image(uuid, integer), imgpress.output_etag(uuid, integer)
    TO imgpress_gateway;
GRANT INSERT ON imgpress.upload_parts TO imgpress_gateway;

GRANT EXECUTE ON FUNCTION
    imgpress.purge(interval), imgpress.retry_recent(interval), imgpress.webhook_secret(),
    imgpress.schedule_maintenance(interval, text, text, interval)
    TO imgpress_admin;
GRANT SELECT, INSERT, DELETE ON imgpress.webhook_secrets TO imgpress_admin;

GRANT SELECT, INSERT, UPDATE, DELETE ON imgpress.processing_requests, imgpress.images, imgpress.outputs,
    imgpress.copies_due, imgpress.leases, imgpress.webhook_deliveries TO imgpress_worker;
GRANT EXECUTE ON FUNCTION
    imgpress.turns_per_claim(), imgpress.claim_fresh(bigint, integer, uuid[], integer[]), imgpress.claim_retries(bigint, integer),
    imgpress.claim_images(integer, bigint, integer, integer, uuid[], integer[], interval), imgpress.announce_end(uuid),
    imgpress.end_of_share(uuid, integer, integer), imgpress.count_ended(uuid[], integer[], integer[], bigint[], bigint[]),
    imgpress.end_copies_of(uuid, integer), imgpress.end_copies(integer, uuid), imgpress.note_copies_due(imgpress.outcome[], integer[]),
    imgpress.finish_images(imgpress.outcome[], bytea[]), imgpress.end_leases(bigint[]),
    imgpress.renew_leases(bigint[], interval), imgpress.release_leases(bigint[], boolean), imgpress.rescue(integer),
    imgpress.next_due(), imgpress.webhook_secret(), imgpress.webhook_signature(text, bigint, text),
    imgpress.webhook_payload(imgpress.processing_requests), imgpress.hmac_sha256(bytea, bytea),
    imgpress.claim_deliveries(integer, bigint, integer, interval),
    imgpress.finish_delivery(bigint, bigint, integer, text, integer, double precision[])
    TO imgpress_worker;

-- pg_dump takes the data along; a restored copy works only where its database is named in
-- imgpress.databases, and rescues what was in flight.
SELECT pg_catalog.pg_extension_config_dump('imgpress.processing_requests', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress.products', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress.images', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress.outputs', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress.copies_due', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress.leases', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress.webhook_deliveries', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress.webhook_deliveries_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('imgpress.webhook_secrets', '');

-- A drainer that was waiting for this extension begins at commit.
SELECT imgpress.wake_drainer();
