// The functions that SQL and the postmaster call by name; extension/imgpress.map exports them.
#pragma once

#include "backend/bridge/postgres_api.hpp"

extern "C" {
void _PG_init(void);

[[noreturn]] void imgpress_launcher_main(Datum);
[[noreturn]] void imgpress_drainer_main(Datum);

Datum imgpress_compress_image(PG_FUNCTION_ARGS);
Datum imgpress_compress_image_url(PG_FUNCTION_ARGS);
Datum imgpress_effort_or_setting(PG_FUNCTION_ARGS);
Datum imgpress_read_input(PG_FUNCTION_ARGS);
Datum imgpress_read_products(PG_FUNCTION_ARGS);
Datum imgpress_csv_faults(PG_FUNCTION_ARGS);
Datum imgpress_csv_faults_of_bytes(PG_FUNCTION_ARGS);
Datum imgpress_csv_text(PG_FUNCTION_ARGS);
Datum imgpress_ignored_columns(PG_FUNCTION_ARGS);
Datum imgpress_upload_bytes(PG_FUNCTION_ARGS);
Datum imgpress_output_url(PG_FUNCTION_ARGS);
Datum imgpress_served_url(PG_FUNCTION_ARGS);
Datum imgpress_is_http_url(PG_FUNCTION_ARGS);
Datum imgpress_wake_drainer(PG_FUNCTION_ARGS);
Datum imgpress_wake_drainer_trigger(PG_FUNCTION_ARGS);
Datum imgpress_wait(PG_FUNCTION_ARGS);
Datum imgpress_worker_state(PG_FUNCTION_ARGS);
}
