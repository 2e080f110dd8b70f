#include <gtest/gtest.h>

#include <string>

#include "core/rules/fault.hpp"
#include "press/codec/image_signature.hpp"

namespace imgpress::press {
namespace {

ByteView view(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

struct Refusal {
  Fault fault;
  std::string message;
};

Refusal refusal_of(const std::string& file) {
  try {
    identify_image(view(file));
  } catch (const FaultError& error) {
    return {error.fault(), error.what()};
  }
  return {Fault::kNone, ""};
}

void expect_refusal(const std::string& file, Fault fault, const std::string& words) {
  const Refusal refusal = refusal_of(file);
  EXPECT_EQ(refusal.fault, fault) << words;
  EXPECT_NE(refusal.message.find(words), std::string::npos)
      << "\"" << refusal.message << "\" does not say \"" << words << "\"";
}

TEST(ImageSignature, KnowsTheReadableFormats) {
  EXPECT_EQ(identify_image(view("\xFF\xD8\xFF\xE0")).format, ImageFormat::kJpeg);
  EXPECT_EQ(identify_image(view("\x89PNG\r\n\x1A\n")).format, ImageFormat::kPng);
  EXPECT_EQ(identify_image(view("GIF89a...")).format, ImageFormat::kGif);
  EXPECT_EQ(identify_image(view("GIF87a...")).format, ImageFormat::kGif);
  EXPECT_EQ(identify_image(view("RIFF1234WEBPVP8 ")).format, ImageFormat::kWebp);
}

TEST(ImageSignature, NamesUnreadableFormats) {
  expect_refusal(std::string("II*\0\0\0", 6), Fault::kUnsupportedImage, "TIFF");
  expect_refusal(std::string("MM\0*\0\0", 6), Fault::kUnsupportedImage, "TIFF");
  expect_refusal(std::string("\0\0\0\x1C", 4) + "ftypavif", Fault::kUnsupportedImage, "AVIF");
  expect_refusal(std::string("\0\0\0\x1C", 4) + "ftypheic", Fault::kUnsupportedImage, "HEIC");
  expect_refusal("\xFF\x0A\xFA", Fault::kUnsupportedImage, "JPEG XL");
  expect_refusal("8BPS..", Fault::kUnsupportedImage, "Photoshop");
  expect_refusal("P5\n3 2\n255\n", Fault::kUnsupportedImage, "Netpbm");
  expect_refusal(std::string("BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", 18),
                 Fault::kUnsupportedImage, "BMP");
  expect_refusal("<svg xmlns='http://www.w3.org/2000/svg'/>", Fault::kUnsupportedImage, "SVG");
  expect_refusal("\xEF\xBB\xBF<?xml version='1.0'?>\n<!-- drawn by hand -->\n<svg>",
                 Fault::kUnsupportedImage, "SVG");
}

TEST(ImageSignature, NamesOtherFiles) {
  expect_refusal("", Fault::kNotAnImage, "empty");
  expect_refusal("<!DOCTYPE html><html>", Fault::kNotAnImage, "an HTML page");
  expect_refusal("\r\n  <HTML lang='en'>", Fault::kNotAnImage, "an HTML page");
  expect_refusal("<!doctype html><html><body><svg></svg></body></html>", Fault::kNotAnImage,
                 "an HTML page");
  expect_refusal("<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
                 Fault::kNotAnImage, "XML");
  expect_refusal("{\"error\": \"no such image\"}", Fault::kNotAnImage, "JSON");
  expect_refusal("Not Found", Fault::kNotAnImage, "plain text");
  expect_refusal("BMW builds cars and motorcycles", Fault::kNotAnImage, "plain text");
  expect_refusal("%PDF-1.7", Fault::kNotAnImage, "PDF");
  expect_refusal("PK\3\4", Fault::kNotAnImage, "ZIP");
  expect_refusal(std::string("\0\0\0\x20", 4) + "ftypisom", Fault::kNotAnImage, "video");
  expect_refusal(std::string("\1\2\0\3", 4), Fault::kNotAnImage, "01 02 00 03");
}

TEST(ImageSignature, TruncatedSignaturesAreNotImages) {
  for (const std::string file : {"\xFF", "\x89PNG", "GIF8", "RIFF1234WEB", "RIFF1234WAVEfmt "}) {
    EXPECT_EQ(refusal_of(file).fault, Fault::kNotAnImage) << file;
  }
}

}  // namespace
}  // namespace imgpress::press
