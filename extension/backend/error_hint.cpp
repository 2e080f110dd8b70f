#include "backend/error_hint.hpp"

#include "core/net/denial.hpp"

#include "backend/bridge/boundary.hpp"
#include "backend/settings.hpp"

namespace imgpress {

const char* error_hint(const ErrorCode* code, const char* message) {
  if (code == nullptr || code == &error_code(Fault::kAddressDenied)) {
    const char* networks = settings().allowed_networks;
    auto* hint = make_in<std::string>(CurrentMemoryContext);
    guard([&] {
      if (const auto address = denied_address(message)) {
        *hint = hint_about_denied(*address, networks);
      }
    });
    if (!hint->empty()) return hint->c_str();
  }
  return code != nullptr ? code->hint : nullptr;
}

}  // namespace imgpress
