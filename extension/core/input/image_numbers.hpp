// Numbers the images of a request: an image is a distinct URL, and its number is the place where
// that URL occurs first among all URLs of the request.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "core/input/first_occurrences.hpp"
#include "core/text/work_meter.hpp"

namespace imgpress {

class ImageNumbers {
 public:
  explicit ImageNumbers(const HashKey& key) : first_occurrences_(key) {}

  // Numbers the images of the next product.
  void number(const std::vector<std::string>& urls, WorkMeter& meter) {
    image_nos_.clear();
    new_images_.clear();
    for (const std::string& url : urls) {
      meter.add(std::min(url.size(), WorkMeter::kBytesBetweenCheckpoints));
      const std::int32_t place = ++url_count_;
      const std::int32_t earlier = first_occurrences_.find_or_insert(url, place);
      if (earlier == 0) new_images_.push_back(image_nos_.size());
      image_nos_.push_back(earlier == 0 ? place : earlier);
    }
  }

  // Of the last product: the numbers of its images, and the indexes of those that no earlier
  // product names.
  const std::vector<std::int32_t>& image_nos() const { return image_nos_; }
  const std::vector<std::size_t>& new_images() const { return new_images_; }

 private:
  FirstOccurrences first_occurrences_;
  std::int32_t url_count_ = 0;
  std::vector<std::int32_t> image_nos_;
  std::vector<std::size_t> new_images_;
};

}  // namespace imgpress
