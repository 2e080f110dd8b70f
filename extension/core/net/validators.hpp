// What an origin says about the version of an image (RFC 9110, section 8.8), so that it can be
// asked later whether the image has changed.
#pragma once

#include <ctime>
#include <string>
#include <string_view>

namespace imgpress {

// As they came in the headers ETag and Last-Modified; empty: not there, or not usable.
struct Validators {
  std::string etag;
  std::string last_modified;
};

// True for what may be sent back in If-None-Match: one entity tag with its quotes, weak or strong,
// of a sensible length. A "*" is none: it would stand for any version.
bool is_entity_tag(std::string_view text);

// True for what may be sent back in If-Modified-Since: one HTTP date and nothing else.
bool is_modification_date(std::string_view text);

// The usable ones of the headers of an answer. A date that is not older than a minute is not used:
// the image may have changed again within the same second. `received` is by the origin's clock, its
// header Date, if it has one; else by ours.
Validators usable_validators(std::string_view etag, std::string_view last_modified,
                             std::string_view date, std::time_t received);

}  // namespace imgpress
