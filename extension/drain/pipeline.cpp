#include "drain/pipeline.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace imgpress {
namespace {

UniqueFd make_poll() {
  UniqueFd fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!fd) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  return fd;
}

}  // namespace

Pipeline::Pipeline(const PipelineSettings& settings)
    : poll_(make_poll()),
      compressing_(settings, poll_.get()),
      fetching_(settings, poll_.get()),
      max_waiting_bytes_(settings.max_waiting_bytes) {}

void Pipeline::reconfigure(const PipelineSettings& settings) {
  max_waiting_bytes_ = settings.max_waiting_bytes;
  compressing_.reconfigure(settings);
  fetching_.reconfigure(settings);
}

void Pipeline::turn(TimePoint now) {
  FetchStage::Results results{{}, &image_outcomes_, &delivery_outcomes_};
  const bool may_start_more = compressing_.waiting_bytes() < max_waiting_bytes_;
  fetching_.turn(now, may_start_more, results);
  for (FetchedImage& image : results.fetched) compressing_.add(std::move(image));
  compressing_.turn(now, image_outcomes_);
}

TimePoint Pipeline::deadline() const {
  return std::min(fetching_.deadline(), compressing_.deadline());
}

Pipeline::Load Pipeline::load() const {
  return {fetching_.size(), compressing_.waiting(), compressing_.compressing()};
}

}  // namespace imgpress
