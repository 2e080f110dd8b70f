// JPEG files for tests, written and read with libjpeg.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <jpeglib.h>

#include "support/images/pictures.hpp"

namespace imgpress::press::fixtures {

struct JpegForm {
  int quality = 85;
  int luma_across = 2;  // sampling factors of the first component; 2, 2 is 4:2:0
  int luma_down = 2;
  bool progressive = false;
  bool optimised = false;
  bool arithmetic = false;
  J_COLOR_SPACE stored = JCS_UNKNOWN;  // JCS_UNKNOWN: libjpeg's choice
  bool scan_per_coefficient = false;   // 190 scans, which is valid
  bool scan_per_component = false;
  int chroma_factors = 1;                // sampling factors of the other components
  unsigned restart_interval = 0;         // in MCUs
  std::vector<jpeg_scan_info> script{};  // the scans of a progressive file, instead of libjpeg's
};

// Damages up to three bytes from index `from` on: a bit of each, or all of it.
inline void damage(Bytes& file, std::size_t from, std::mt19937& random) {
  for (unsigned i = 0; i <= random() % 3; ++i) {
    std::uint8_t& byte = file[from + random() % (file.size() - from)];
    byte = random() % 2 == 0 ? std::uint8_t(random()) : std::uint8_t(byte ^ 1 << random() % 8);
  }
}

inline Bytes make_jpeg(const Picture& picture, const JpegForm& form = {}) {
  jpeg_compress_struct jpeg;
  jpeg_error_mgr errors;
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* out = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&jpeg, &out, &size);
  jpeg.image_width = JDIMENSION(picture.width);
  jpeg.image_height = JDIMENSION(picture.height);
  jpeg.input_components = picture.channels;
  jpeg.in_color_space = picture.channels == 1   ? JCS_GRAYSCALE
                        : picture.channels == 3 ? JCS_RGB
                                                : JCS_CMYK;
  jpeg_set_defaults(&jpeg);
  if (form.stored != JCS_UNKNOWN) jpeg_set_colorspace(&jpeg, form.stored);
  jpeg_set_quality(&jpeg, form.quality, TRUE);
  jpeg.comp_info[0].h_samp_factor = form.luma_across;
  jpeg.comp_info[0].v_samp_factor = form.luma_down;
  for (int i = 1; i < jpeg.num_components; ++i) {
    jpeg.comp_info[i].h_samp_factor = jpeg.comp_info[i].v_samp_factor = form.chroma_factors;
  }
  jpeg.optimize_coding = form.optimised;
  jpeg.arith_code = form.arithmetic;
  if (form.progressive) jpeg_simple_progression(&jpeg);
  jpeg.restart_interval = form.restart_interval;
  std::vector<jpeg_scan_info> scans = form.script;
  if (form.scan_per_coefficient) {
    scans.push_back({3, {0, 1, 2, 0}, 0, 0, 0, 0});
    for (int i = 0; i < 3 * 63; ++i) {
      scans.push_back({1, {i % 3, 0, 0, 0}, 1 + i / 3, 1 + i / 3, 0, 0});
    }
  }
  for (int i = 0; form.scan_per_component && i < jpeg.num_components; ++i) {
    scans.push_back({1, {i, 0, 0, 0}, 0, 63, 0, 0});
  }
  if (!scans.empty()) {
    jpeg.scan_info = scans.data();
    jpeg.num_scans = int(scans.size());
  }
  jpeg_start_compress(&jpeg, TRUE);
  Picture copy = picture;
  while (jpeg.next_scanline < jpeg.image_height) {
    JSAMPROW row = copy.row(int(jpeg.next_scanline));
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  Bytes bytes(out, out + size);
  free(out);
  return bytes;
}

struct JpegFacts {
  Picture picture;  // decoded; CMYK stays CMYK
  std::vector<std::vector<int>> tables;
  std::vector<int> sampling;  // across and down of each component
  bool progressive = false;
  bool adobe = false;
  int components = 0;
  long warnings = 0;  // libjpeg's, while decoding
  J_COLOR_SPACE stored = JCS_UNKNOWN;
  Bytes exif;  // payload of the first APP1; empty when there is none
  Bytes icc;
  int app_segments = 0;  // APP1 to APP15 and comments, without Adobe's
};

inline JpegFacts read_jpeg(const Bytes& bytes) {
  jpeg_decompress_struct jpeg;
  jpeg_error_mgr errors;
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_decompress(&jpeg);
  jpeg_mem_src(&jpeg, bytes.data(), bytes.size());
  for (int i = 1; i < 16; ++i) jpeg_save_markers(&jpeg, JPEG_APP0 + i, 0xFFFF);
  jpeg_save_markers(&jpeg, JPEG_COM, 0xFFFF);
  jpeg_read_header(&jpeg, TRUE);
  JpegFacts facts;
  JOCTET* icc = nullptr;
  unsigned icc_size = 0;
  if (jpeg_read_icc_profile(&jpeg, &icc, &icc_size)) facts.icc.assign(icc, icc + icc_size);
  free(icc);
  for (const auto* m = jpeg.marker_list; m != nullptr; m = m->next) {
    if (m->marker == JPEG_APP0 + 1 && facts.exif.empty()) {
      facts.exif.assign(m->data, m->data + m->data_length);
    }
    if (m->marker != JPEG_APP0 + 14) ++facts.app_segments;
  }
  facts.progressive = jpeg.progressive_mode;
  facts.adobe = jpeg.saw_Adobe_marker;
  facts.components = jpeg.num_components;
  facts.stored = jpeg.jpeg_color_space;
  jpeg_start_decompress(&jpeg);
  facts.picture = {int(jpeg.output_width), int(jpeg.output_height), jpeg.output_components, {}};
  facts.picture.samples.resize(std::size_t(jpeg.output_width) * jpeg.output_height *
                               jpeg.output_components);
  for (int i = 0; i < jpeg.num_components; ++i) {
    const auto& component = jpeg.comp_info[i];
    facts.sampling.push_back(component.h_samp_factor);
    facts.sampling.push_back(component.v_samp_factor);
    facts.tables.emplace_back(std::begin(component.quant_table->quantval),
                              std::end(component.quant_table->quantval));
  }
  while (jpeg.output_scanline < jpeg.output_height) {
    JSAMPROW row = facts.picture.row(int(jpeg.output_scanline));
    jpeg_read_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_decompress(&jpeg);
  facts.warnings = errors.num_warnings;
  jpeg_destroy_decompress(&jpeg);
  return facts;
}

// Inserts a segment right after the start marker.
inline Bytes with_segment(const Bytes& jpeg, int marker, std::string_view payload) {
  const std::size_t length = payload.size() + 2;
  Bytes bytes = {0xFF,
                 0xD8,
                 0xFF,
                 std::uint8_t(marker),
                 std::uint8_t(length >> 8),
                 std::uint8_t(length & 0xFF)};
  std::copy(payload.begin(), payload.end(), std::back_inserter(bytes));
  bytes.insert(bytes.end(), jpeg.begin() + 2, jpeg.end());
  return bytes;
}

inline Bytes with_icc(const Bytes& jpeg, std::string_view profile, std::size_t chunks = 1) {
  Bytes bytes = jpeg;
  const std::size_t each = (profile.size() + chunks - 1) / chunks;
  for (std::size_t i = chunks; i-- > 0;) {  // in reverse, since each is inserted before the others
    std::string payload("ICC_PROFILE\0", 12);
    payload += char(i + 1);
    payload += char(chunks);
    payload += profile.substr(i * each, each);
    bytes = with_segment(bytes, 0xE2, payload);
  }
  return bytes;
}

// What other tools do: decode to pixels, and encode again.
inline Bytes decode_and_encode(const Bytes& jpeg, int quality) {
  JpegForm form;
  form.quality = quality;
  form.optimised = true;
  const Picture picture = read_jpeg(jpeg).picture;
  if (picture.channels == 1) form.luma_across = form.luma_down = 1;
  return make_jpeg(picture, form);
}

// An EXIF block with the name of a camera, the orientation, and a place.
inline std::string exif_block(int orientation, bool big_endian = true) {
  std::string block(big_endian ? "MM" : "II");
  const auto number = [&block, big_endian](std::uint32_t value, int size) {
    for (int i = 0; i < size; ++i) {
      block += char(value >> 8 * (big_endian ? size - 1 - i : i));
    }
  };
  number(42, 2);
  number(8, 4);
  number(3, 2);
  number(0x010F, 2), number(2, 2), number(12, 4), number(50, 4);  // make: the text is further back
  number(0x0112, 2), number(3, 2), number(1, 4), number(std::uint32_t(orientation), 2),
      number(0, 2);
  number(0x8825, 2), number(4, 2), number(1, 4), number(62, 4);  // GPS directory
  number(0, 4);
  block += "SecretCamera";
  block += std::string(8, '\0') + "GPS 48.2082N 16.3738E";
  return block;
}

inline std::string exif_payload(int orientation, bool big_endian = true) {
  return std::string("Exif\0\0", 6) + exif_block(orientation, big_endian);
}

}  // namespace imgpress::press::fixtures
