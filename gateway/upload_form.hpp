// The form of an upload: a file, which is passed on piece by piece, and small fields.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include "answers.hpp"
#include "multipart.hpp"

namespace imgpress::gateway {

// The form is not a valid upload; what() is a sentence for the client.
class FormError : public std::runtime_error {
 public:
  FormError(int status, const std::string& message)
      : std::runtime_error(message), status_(status) {}
  int status() const { return status_; }

 private:
  int status_;
};

// Takes the bytes of the file.
class FileSink {
 public:
  virtual ~FileSink() = default;
  virtual void begin() = 0;
  virtual void write(std::string_view bytes) = 0;
};

class UploadForm : public PartListener {
 public:
  // A file of more than `most_bytes` is refused.
  UploadForm(FileSink& sink, std::uint64_t most_bytes) : sink_(sink), most_bytes_(most_bytes) {}

  // PartListener: these throw FormError, and the exceptions of the sink.
  void part_begins(const std::string& name) override;
  void part_continues(std::string_view bytes) override;
  void part_ends() override;

  // Call this at the end of the form. Throws FormError if there was no file.
  void require_file() const;

  // The other fields by name, as a JSON object. SQL validates those that it knows. An empty field
  // is null, a repeated one an array, and one that is not text in UTF-8 an object.
  const Json& fields() const { return fields_; }

 private:
  void add_field(Json value);

  FileSink& sink_;
  const std::uint64_t most_bytes_;
  std::uint64_t file_bytes_ = 0;
  bool file_seen_ = false;
  bool in_file_ = false;
  std::string name_;  // of the field whose value is being read
  std::string value_;
  Json fields_ = Json::object();
};

}  // namespace imgpress::gateway
