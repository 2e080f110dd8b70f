// The form of an upload: a file, which is spooled, and small fields.
#pragma once

#include <httplib.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "http/exchange.hpp"
#include "server/spool.hpp"

namespace imgpress::gateway {

class UploadForm {
 public:
  // A file of more than `most_bytes` is refused.
  UploadForm(SpoolSpace& space, std::uint64_t most_bytes) : file_(space), most_bytes_(most_bytes) {}

  // All throw HttpError, and what Spool::append() throws.
  void begin_part(const std::string& name);
  void take(std::string_view bytes);
  void add_parameters(const httplib::Params& parameters);
  void finish();

  const Spool& file() const { return file_; }

  // An object: a field's value is null if it is empty, an object if it is no text, and an array of
  // these if the form has the field more than once. "file" is in it only if it is missing (null) or
  // there is more than one (an array).
  const Json& fields() const { return fields_; }

 private:
  void end_field();
  void add_field(const std::string& name, const std::string& value);

  Spool file_;
  const std::uint64_t most_bytes_;
  std::uint64_t taken_ = 0;
  int files_ = 0;
  bool in_field_ = false;
  std::string name_;   // of the current field
  std::string value_;  // what has arrived of it
  Json fields_ = Json::object();
  std::size_t values_ = 0;
};

}  // namespace imgpress::gateway
