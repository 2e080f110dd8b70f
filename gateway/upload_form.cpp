#include "upload_form.hpp"

#include "ascii.hpp"

namespace imgpress::gateway {
namespace {

// Longer values are cut: no field takes one, so SQL refuses it anyway.
constexpr std::size_t kLongestValue = 4 * 1024;
constexpr std::size_t kMostFields = 100;

bool is_utf8(const std::string& text) {
  try {
    static_cast<void>(Json(text).dump());
    return true;
  } catch (const Json::type_error&) {
    return false;
  }
}

[[noreturn]] void refuse_second(const std::string& name) {
  throw FormError(400, "The form has more than one field \"" + name + "\".");
}

}  // namespace

void UploadForm::part_begins(const std::string& name) {
  in_file_ = name == "file";
  if (in_file_) {
    if (file_seen_) refuse_second(name);
    file_seen_ = true;
    sink_.begin();
    return;
  }
  if (fields_.contains(name)) refuse_second(name);
  if (fields_.size() == kMostFields) throw FormError(400, "The form has too many fields.");
  name_ = name;
  value_.clear();
}

void UploadForm::part_continues(std::string_view bytes) {
  if (in_file_) {
    file_bytes_ += bytes.size();
    if (file_bytes_ > most_bytes_) {
      throw FormError(413, "The upload is larger than " + std::to_string(most_bytes_) + " bytes.");
    }
    sink_.write(bytes);
  } else {
    value_.append(bytes.substr(0, kLongestValue - value_.size()));
  }
}

void UploadForm::part_ends() {
  if (in_file_) return;
  const std::string value(trimmed(value_));
  if (value.find('\0') != std::string::npos) {
    throw FormError(400, "The field \"" + name_ + "\" contains a zero byte.");
  }
  if (value_.size() < kLongestValue && !is_utf8(value)) {
    throw FormError(400, "The field \"" + name_ + "\" is not in UTF-8.");
  }
  fields_[name_] = value.empty() ? Json() : Json(value);
}

void UploadForm::require_file() const {
  if (!file_seen_) throw FormError(400, "The form has no field \"file\" with the CSV.");
}

}  // namespace imgpress::gateway
