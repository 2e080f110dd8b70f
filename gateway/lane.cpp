#include "lane.hpp"

#include "route.hpp"

namespace imgpress::gateway {

Lane lane_of(std::string_view method, std::string_view target) {
  if (method == "POST") return Lane::kUpload;
  if (method != "GET") return Lane::kQuick;
  const std::string_view path = target.substr(0, target.find_first_of("?#"));
  if (path.find('%') != path.npos) return Lane::kDownload;
  const Resource resource = parse_route(path).resource;
  const bool large = resource == Resource::kProducts || resource == Resource::kImage;
  return large ? Lane::kDownload : Lane::kQuick;
}

}  // namespace imgpress::gateway
