#include "lane.hpp"

#include "route.hpp"

namespace imgpress::gateway {
namespace {

std::string_view path_of(std::string_view target) {
  return target.substr(0, target.find_first_of("?#"));
}

}  // namespace

Lane lane_of(std::string_view method, std::string_view target) {
  if (method == "POST") return Lane::kUpload;
  if (method != "GET") return Lane::kQuick;
  const std::string_view path = path_of(target);
  if (path.find('%') != path.npos) return Lane::kDownload;
  const Route route = parse_route(path);
  switch (route.resource) {
    case Resource::kProducts:
    case Resource::kImage:
      return Lane::kDownload;
    case Resource::kStatus:
      return route.request_id.empty() ? Lane::kQuick : Lane::kStatus;
    default:
      return Lane::kQuick;
  }
}

std::string request_id_in(std::string_view target) {
  return parse_route(path_of(target)).request_id;
}

}  // namespace imgpress::gateway
