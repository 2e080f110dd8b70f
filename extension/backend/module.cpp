// Loading of the library: settings, shared memory, the launcher, and the list of what SQL may call.
#include "backend/worker/database_drop.hpp"
#include "backend/bridge/entry_points.hpp"
#include "backend/worker/launcher.hpp"
#include "backend/settings.hpp"
#include "backend/worker/shared_state.hpp"

extern "C" {
PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(imgpress_compress_image);
PG_FUNCTION_INFO_V1(imgpress_compress_image_url);
PG_FUNCTION_INFO_V1(imgpress_effort_or_setting);
PG_FUNCTION_INFO_V1(imgpress_read_input);
PG_FUNCTION_INFO_V1(imgpress_read_products);
PG_FUNCTION_INFO_V1(imgpress_csv_faults);
PG_FUNCTION_INFO_V1(imgpress_csv_faults_of_bytes);
PG_FUNCTION_INFO_V1(imgpress_csv_text);
PG_FUNCTION_INFO_V1(imgpress_ignored_columns);
PG_FUNCTION_INFO_V1(imgpress_upload_bytes);
PG_FUNCTION_INFO_V1(imgpress_output_url);
PG_FUNCTION_INFO_V1(imgpress_served_url);
PG_FUNCTION_INFO_V1(imgpress_is_http_url);
PG_FUNCTION_INFO_V1(imgpress_wake_drainer);
PG_FUNCTION_INFO_V1(imgpress_wake_drainer_trigger);
PG_FUNCTION_INFO_V1(imgpress_wait);
PG_FUNCTION_INFO_V1(imgpress_worker_state);
}

void _PG_init(void) {
  imgpress::define_settings();
  // In a session that loads the library by itself only the functions work; the workers need
  // shared_preload_libraries.
  if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade) return;
  imgpress::request_shared_state();
  imgpress::install_database_drop_hook();
  imgpress::register_launcher();
}
