// The name of an output, and its URL.
//
// tests/cases/output_urls.tsv shows what they look like; the gateway serves what is made here.
#pragma once

#include <string>
#include <string_view>

namespace imgpress {

// The source's file name with `_compressed` and the extension of the output's format,
// percent-encoded where a path segment needs it: ".../a%20b/img1.png?w=3" -> "img1_compressed.jpg".
// Without a file name: "image_compressed.jpg". The source's own extension stays as it is if it fits
// the format ("JPG", "jpeg" and "jpe" for a JPEG). `format` is a FormatInfo::name; throws
// std::invalid_argument for anything else.
std::string output_name(std::string_view source_url, std::string_view format);

// <public URL>/images/<request id>/<image number>/<output name>
std::string served_url(std::string_view public_url, std::string_view request_id, int image_no,
                       std::string_view source_url, std::string_view format);

// The source URL itself with `_compressed` before the extension of its file name.
std::string simulated_url(std::string_view source_url);

}  // namespace imgpress
