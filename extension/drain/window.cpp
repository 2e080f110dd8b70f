#include "drain/window.hpp"

#include <utility>

namespace imgpress {

std::uint64_t Window::hold(std::int64_t token, const ClaimedImage& image) {
  ++per_token_[token];
  ++per_request_[image.request_id];
  if (image.history.attempts > 1) ++retries_;
  images_.emplace(next_key_,
                  Held{token, image.request_id, image.image_no, image.history, image.source_key});
  return next_key_++;
}

std::vector<std::int64_t> Window::tokens() const {
  std::vector<std::int64_t> tokens;
  tokens.reserve(per_token_.size());
  for (const auto& [token, count] : per_token_) tokens.push_back(token);
  return tokens;
}

FinishedImage Window::judge(ImageOutcome outcome, const RetryLimits& limits, double unit_random) {
  const Held& held = images_.at(outcome.key);
  const AttemptResult result{outcome.ending, outcome.fault, outcome.http_status,
                             outcome.retry_after_seconds};
  FinishedImage finished;
  finished.key = outcome.key;
  finished.token = held.token;
  finished.request_id = held.request_id;
  finished.image_no = held.image_no;
  finished.verdict = judge_image(result, held.history, limits, unit_random);
  finished.http_status = outcome.http_status;
  if (outcome.ending != Ending::kDone) {
    finished.error_code = error_code(outcome.fault).name;
    finished.error = std::move(outcome.reason);
    return finished;
  }
  finished.warning = std::move(outcome.warning);
  finished.output = std::move(outcome.output);
  finished.source_bytes = outcome.source_bytes;
  finished.output_bytes = outcome.output_bytes;
  finished.format = outcome.format;
  finished.digest = std::move(outcome.digest);
  finished.width = outcome.width;
  finished.height = outcome.height;
  finished.kept_source = outcome.kept_source;
  finished.source_key = held.source_key;
  finished.source = std::move(outcome.source);
  finished.blob_id = outcome.blob_id;
  return finished;
}

void Window::release(std::uint64_t key) {
  const auto found = images_.find(key);
  const Held& image = found->second;
  const auto token = per_token_.find(image.token);
  if (--token->second == 0) per_token_.erase(token);
  const auto request = per_request_.find(image.request_id);
  if (--request->second == 0) per_request_.erase(request);
  if (image.history.attempts > 1) --retries_;
  images_.erase(found);
}

}  // namespace imgpress
