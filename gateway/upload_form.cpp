#include "upload_form.hpp"

#include <algorithm>

#include "ascii.hpp"

namespace imgpress::gateway {
namespace {

// Longer values are cut: no field takes one, so SQL refuses it anyway.
constexpr std::size_t kLongestValue = 4 * 1024;
constexpr std::size_t kLongestName = 100;

bool is_utf8(const std::string& text) {
  try {
    static_cast<void>(Json(text).dump());
    return true;
  } catch (const Json::type_error&) {
    return false;
  }
}

}  // namespace

void UploadForm::part_begins(const std::string& name) {
  in_file_ = name == "file";
  if (in_file_) {
    if (file_seen_) throw FormError(400, "The form has more than one field \"file\".");
    file_seen_ = true;
    sink_.begin();
    return;
  }
  name_ = name.substr(0, kLongestName);
  std::replace(name_.begin(), name_.end(), '\0', '?');  // jsonb has no zero characters
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
  const bool readable = value.find('\0') == std::string::npos && is_utf8(value);
  add_field(value.empty() ? Json() : readable ? Json(value) : Json::object());
}

void UploadForm::add_field(Json value) {
  if (!fields_.contains(name_)) {
    fields_[name_] = std::move(value);
    return;
  }
  Json& field = fields_[name_];
  if (!field.is_array()) field = Json::array({std::move(field)});
  field.push_back(std::move(value));
}

void UploadForm::require_file() const {
  if (!file_seen_) throw FormError(400, "The form has no field \"file\" with the CSV.");
}

}  // namespace imgpress::gateway
