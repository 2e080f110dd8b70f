#include "drain/window.hpp"

namespace imgpress {

std::uint64_t Window::hold(const HeldImage& image) {
  ++per_token_[image.token];
  ++per_request_[image.request_id];
  if (image.history.attempts > 1) ++retries_;
  images_.emplace(next_key_, image);
  return next_key_++;
}

std::vector<std::int64_t> Window::tokens() const {
  std::vector<std::int64_t> tokens;
  tokens.reserve(per_token_.size());
  for (const auto& [token, count] : per_token_) tokens.push_back(token);
  return tokens;
}

FinishedImage Window::judge_outcome(const ImageOutcome& outcome, const RetryLimits& limits) {
  FinishedImage finished{};
  finished.held = images_.at(outcome.key);
  const AttemptResult result{outcome.fault, outcome.codec_died, outcome.interrupted,
                             outcome.http_status, outcome.retry_after_seconds};
  const double unit_random = std::uniform_real_distribution<double>(0, 1)(random_);
  finished.verdict = judge(result, finished.held.history, limits, unit_random);
  finished.output_fd = -1;
  if (outcome.fault != Fault::kNone) {
    finished.error_code = fault_name(outcome.fault);
    finished.error = outcome.message.c_str();
    return finished;
  }
  finished.source_bytes = static_cast<std::int64_t>(outcome.source_bytes);
  finished.output_bytes = static_cast<std::int64_t>(outcome.output_bytes);
  finished.output_fd = outcome.output.get();
  finished.content_type = wire::media_type(outcome.image.format);
  finished.width = static_cast<std::int32_t>(outcome.image.width);
  finished.height = static_cast<std::int32_t>(outcome.image.height);
  finished.kept_source = outcome.image.kept_source;
  finished.warning = outcome.message.empty() ? nullptr : outcome.message.c_str();
  return finished;
}

std::vector<std::int64_t> Window::tokens_ended_by(const std::vector<FinishedImage>& images) const {
  std::unordered_map<std::int64_t, int> released;
  for (const FinishedImage& image : images) {
    if (!image.put_off) ++released[image.held.token];
  }
  std::vector<std::int64_t> ended;
  for (const auto& [token, count] : released) {
    if (per_token_.at(token) == count) ended.push_back(token);
  }
  return ended;
}

void Window::release(std::uint64_t key) {
  const auto found = images_.find(key);
  const HeldImage& image = found->second;
  const auto token = per_token_.find(image.token);
  if (--token->second == 0) per_token_.erase(token);
  const auto request = per_request_.find(image.request_id);
  if (--request->second == 0) per_request_.erase(request);
  if (image.history.attempts > 1) --retries_;
  images_.erase(found);
}

}  // namespace imgpress
