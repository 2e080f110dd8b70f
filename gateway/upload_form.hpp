// The form of an upload: a file, which is passed on as it comes, and a few small fields.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

#include "multipart.hpp"

namespace imgpress::gateway {

// The form is not what an upload needs; what() is a sentence for the client.
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
  // A file of more bytes than that is refused.
  UploadForm(FileSink& sink, std::uint64_t most_bytes) : sink_(sink), most_bytes_(most_bytes) {}

  // PartListener. They throw FormError and whatever the sink throws.
  void part_begins(const std::string& name) override;
  void part_continues(std::string_view bytes) override;
  void part_ends() override;

  // To be called at the end of the form. Throws FormError where there was no file.
  void require_file() const;

  // A field that is missing and one that is left empty are the same.
  const std::optional<std::string>& webhook_url() const { return webhook_url_.value; }
  const std::optional<std::string>& quality() const { return quality_.value; }
  const std::optional<std::string>& effort() const { return effort_.value; }

 private:
  struct Field {
    const char* name;
    std::optional<std::string> value;
    bool seen = false;
  };

  Field* field_named(const std::string& name);

  FileSink& sink_;
  const std::uint64_t most_bytes_;
  std::uint64_t file_bytes_ = 0;
  bool file_seen_ = false;
  bool in_file_ = false;
  Field* field_ = nullptr;  // the one whose value is being read
  std::string value_;
  Field webhook_url_{"webhook_url", std::nullopt};
  Field quality_{"quality", std::nullopt};
  Field effort_{"effort", std::nullopt};
};

}  // namespace imgpress::gateway
