#include "api/form.hpp"

#include <algorithm>

#include "http/text.hpp"

namespace imgpress::gateway {
namespace {

// Longer values are cut: no field takes one, so SQL refuses it anyway.
constexpr std::size_t kLongestValue = 4UL * 1024;
constexpr std::size_t kLongestName = 100;
constexpr std::size_t kMostValues = 100;

// Without the beginning of a character at the end, where the value was cut.
void drop_partial_character(std::string& value) {
  const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; };
  while (!value.empty() && continues(value.back())) value.pop_back();
  if (!value.empty()) value.pop_back();
}

bool is_text(const std::string& value) {
  try {
    static_cast<void>(Json(value).dump());
    return value.find('\0') == std::string::npos;
  } catch (const Json::type_error&) {
    return false;  // not UTF-8
  }
}

}  // namespace

void UploadForm::add_parameters(const httplib::Params& parameters) {
  for (const auto& [name, value] : parameters) add_field(name, value);
}

void UploadForm::begin_part(const std::string& name) {
  end_field();
  in_field_ = name != "file";
  if (in_field_) {
    name_ = name;
    return;
  }
  ++files_;
}

void UploadForm::take(std::string_view bytes) {
  taken_ += bytes.size();
  if (taken_ > most_bytes_) throw HttpError(too_large(most_bytes_));
  if (in_field_) {
    value_.append(bytes.substr(0, kLongestValue - value_.size()));
  } else if (files_ == 1) {
    file_.append(bytes);
  }
}

void UploadForm::finish() {
  end_field();
  if (files_ == 0) fields_["file"] = Json();
  if (files_ > 1) fields_["file"] = Json::array();
}

void UploadForm::end_field() {
  if (value_.size() == kLongestValue) drop_partial_character(value_);
  if (in_field_) add_field(name_, value_);
  in_field_ = false;
  value_.clear();
}

void UploadForm::add_field(const std::string& given_name, const std::string& given_value) {
  if (++values_ > kMostValues) {
    throw HttpError(
        {kBadRequest, "the form has more than " + std::to_string(kMostValues) + " fields"});
  }
  std::string name = given_name.substr(0, kLongestName);
  std::replace(name.begin(), name.end(), '\0', '?');  // jsonb has no zero characters
  const std::string value(trimmed(given_value));
  Json json = value.empty() ? Json() : is_text(value) ? Json(value) : Json::object();
  if (!fields_.contains(name)) {
    fields_[name] = std::move(json);
    return;
  }
  Json& field = fields_[name];
  if (!field.is_array()) field = Json::array({std::move(field)});
  field.push_back(std::move(json));
}

}  // namespace imgpress::gateway
