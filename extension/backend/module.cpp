// Loading of the library: settings, shared memory, the launcher.
#include "backend/access/caller.hpp"
#include "backend/launcher/launcher.hpp"
#include "backend/settings.hpp"
#include "backend/worker/database_drop.hpp"
#include "backend/worker/shared_state.hpp"

extern "C" {
PG_MODULE_MAGIC;

// PostgreSQL calls it by this name.
void _PG_init(void);  // NOLINT(clang-diagnostic-reserved-identifier)
}

void _PG_init(void) {
  imgpress::define_settings();
  imgpress::define_acting_role();
  // In a session that loads the library by itself only the functions work; the workers need
  // shared_preload_libraries.
  if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade) return;
  imgpress::request_shared_state();
  imgpress::install_database_drop_hook();
  imgpress::register_launcher();
}
