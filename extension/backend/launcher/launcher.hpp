// The launcher: keeps one drainer running for each database named in imgpress.databases.
#pragma once

namespace imgpress {

// REQUIRES: called while the postmaster loads shared_preload_libraries.
void register_launcher();

}  // namespace imgpress
