#include "upload_form.hpp"

#include <charconv>

namespace imgpress::gateway {
namespace {

constexpr std::size_t kLongestValue = 4 * 1024;

std::string trimmed(const std::string& text) {
  constexpr const char* kBlanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

bool is_integer(const std::string& text) {
  int value = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stopped == end;
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
  field_ = field_named(name);
  if (field_ == nullptr) return;
  if (field_->seen) refuse_second(name);
  field_->seen = true;
  value_.clear();
}

void UploadForm::part_continues(std::string_view bytes) {
  if (in_file_) {
    file_bytes_ += bytes.size();
    if (file_bytes_ > most_bytes_) {
      throw FormError(413, "The upload is larger than " + std::to_string(most_bytes_) + " bytes.");
    }
    sink_.write(bytes);
  } else if (field_ != nullptr) {
    value_.append(bytes);
    if (value_.size() > kLongestValue) {
      throw FormError(400, std::string("The field \"") + field_->name + "\" is too long.");
    }
  }
}

void UploadForm::part_ends() {
  if (in_file_ || field_ == nullptr) return;
  const std::string value = trimmed(value_);
  if (value.find('\0') != std::string::npos) {
    throw FormError(400, std::string("The field \"") + field_->name + "\" has a zero byte in it.");
  }
  if (field_ == &quality_ && !value.empty() && !is_integer(value)) {
    throw FormError(400,
                    "quality must be a whole number in plain digits, such as 50: no plus sign, no "
                    "decimal point.");
  }
  if (!value.empty()) field_->value = value;
  field_ = nullptr;
}

void UploadForm::require_file() const {
  if (!file_seen_) throw FormError(400, "The form has no field \"file\" with the CSV.");
}

UploadForm::Field* UploadForm::field_named(const std::string& name) {
  for (Field* field : {&webhook_url_, &quality_, &effort_}) {
    if (name == field->name) return field;
  }
  return nullptr;
}

}  // namespace imgpress::gateway
