#include "core/rules/fault.hpp"

namespace imgpress {
namespace {

struct FaultInfo {
  const char* name;
  const char* sqlstate;
  bool transient;
  const char* hint;
};

// Indexed by Fault.
constexpr FaultInfo kFaults[kFaultCount] = {
    {"none", "00000", false, nullptr},
    {"not_an_image", "IP001", false, "The bytes must be a JPEG, PNG, WebP or GIF image."},
    {"damaged_image", "IP002", false, nullptr},
    {"unsupported_image", "IP003", false, "Supported formats are JPEG, PNG, WebP and GIF."},
    {"too_many_pixels", "IP004", false, "The limit is the setting imgpress.max_pixels."},
    {"too_large", "IP005", false, "The limit is the setting imgpress.max_image_bytes."},
    {"out_of_resources", "IP006", false, nullptr},
    {"bad_url", "IP007", false, "Give an absolute http:// or https:// URL."},
    {"address_denied", "IP008", false,
     "Only public addresses on ports 80 and 443 are fetched. To open a private network, name it in "
     "the setting imgpress.allowed_networks."},
    {"http_status", "IP009", false, nullptr},
    {"too_many_redirects", "IP010", false, nullptr},
    {"timeout", "IP011", true, "The limit is the setting imgpress.fetch_timeout."},
    {"connection", "IP012", true, nullptr},
    {"tls", "IP013", false, nullptr},
    {"press_died", "IP014", true, nullptr},
    {"cancelled", "IP015", false, nullptr},
};

const FaultInfo& info(Fault fault) {
  const auto index = static_cast<int>(fault);
  return kFaults[index < kFaultCount ? index : static_cast<int>(Fault::kPressDied)];
}

}  // namespace

const char* fault_name(Fault fault) {
  return info(fault).name;
}

const char* fault_sqlstate(Fault fault) {
  return info(fault).sqlstate;
}

const char* fault_hint(Fault fault) {
  return info(fault).hint;
}

bool fault_is_transient(Fault fault, int http_status) {
  if (fault == Fault::kHttpStatus) {
    return http_status == 206 || http_status == 408 || http_status == 425 || http_status == 429 ||
           http_status >= 500;
  }
  return info(fault).transient;
}

}  // namespace imgpress
