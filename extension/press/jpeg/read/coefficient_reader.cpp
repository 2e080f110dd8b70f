#include "press/jpeg/read/coefficient_reader.hpp"

#include <algorithm>
#include <memory>
#include <set>

#include "press/jpeg/read/baseline_reader.hpp"
#include "press/jpeg/libjpeg_quant_tables.hpp"
#include "press/jpeg/read/progressive/progressive_reader.hpp"

namespace imgpress::press {
namespace {

// Components 1 and 2 of YCbCr and YCCK are chroma; all others (grey, RGB, CMYK, and black in YCCK)
// are treated as luma.
Channel channel_of(const jpeg_decompress_struct& header, int component) {
  const bool has_chroma =
      header.jpeg_color_space == JCS_YCbCr || header.jpeg_color_space == JCS_YCCK;
  if (has_chroma && component == 1) return Channel::kBlue;
  return has_chroma && component == 2 ? Channel::kRed : Channel::kLuma;
}

Plane describe_plane(const jpeg_decompress_struct& header, int component) {
  const jpeg_component_info& info = header.comp_info[component];
  Plane plane;
  plane.id = static_cast<std::uint8_t>(info.component_id);
  plane.channel = channel_of(header, component);
  if (header.num_components > 1) {  // with one component an MCU is always one block
    plane.h_factor = static_cast<std::uint32_t>(info.h_samp_factor);
    plane.v_factor = static_cast<std::uint32_t>(info.v_samp_factor);
  }
  plane.width = info.width_in_blocks;
  plane.height = info.height_in_blocks;
  return plane;
}

void copy_block(const JCOEF* coefficients, Block& block) {
  for (std::size_t i = 0; i < kBlockSize; ++i) {
    const std::int16_t lowest = i == 0 ? kMinDc : -kMaxLevel;
    block.at[i] = std::clamp<std::int16_t>(coefficients[kZigzag[i]], lowest, kMaxLevel);
  }
}

// Scans refer to components by identifier. A source may use one twice, which would make the scan
// headers that we write ambiguous.
void make_ids_unique(CoefficientImage& image) {
  std::set<std::uint8_t> ids;
  for (const Plane& plane : image) ids.insert(plane.id);
  if (ids.size() == image.size()) return;
  for (std::size_t i = 0; i < image.size(); ++i) image[i].id = static_cast<std::uint8_t>(i + 1);
}

// The rows in libjpeg's own memory.
class LibjpegRows : public BlockRows {
 public:
  LibjpegRows(LibjpegGuard& guard, jpeg_decompress_struct& decoder, jvirt_barray_ptr array,
              std::uint32_t width)
      : BlockRows(width), guard_(guard), decoder_(decoder), array_(array) {}

  void read(std::uint32_t y, Block* to) override {
    const auto common = reinterpret_cast<j_common_ptr>(&decoder_);
    guard_.run([&] {
      // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): libjpeg has set it or failed
      const JCOEF* row = decoder_.mem->access_virt_barray(common, array_, y, 1, FALSE)[0][0];
      for (std::uint32_t x = 0; x < width(); ++x) copy_block(row + x * kBlockSize, to[x]);
    });
  }

 private:
  LibjpegGuard& guard_;
  jpeg_decompress_struct& decoder_;
  jvirt_barray_ptr array_;
};

// Any file that libjpeg can read.
ImageRows read_by_libjpeg(LibjpegGuard& guard, LibjpegDecoder& decoder,
                          const CoefficientImage& image) {
  jpeg_decompress_struct& in = decoder.state();
  jvirt_barray_ptr* arrays = nullptr;
  guard.run([&in, &arrays] { arrays = jpeg_read_coefficients(&in); });
  decoder.check_complete();
  ImageRows rows;
  for (std::size_t i = 0; i < image.size(); ++i) {
    rows.push_back(std::make_unique<LibjpegRows>(guard, in, arrays[i], image[i].width));
  }
  return rows;
}

}  // namespace

CoefficientImage describe_image(const jpeg_decompress_struct& header) {
  CoefficientImage image;
  for (int i = 0; i < header.num_components; ++i) {
    image.push_back(describe_plane(header, i));
  }
  make_ids_unique(image);
  return image;
}

ImageRows read_coefficients(LibjpegGuard& guard, LibjpegDecoder& decoder, CoefficientImage& image) {
  ImageRows rows = read_baseline(decoder, image);
  if (rows.empty()) rows = read_progressive(decoder, image);
  if (rows.empty()) rows = read_by_libjpeg(guard, decoder, image);
  const ComponentTables steps = source_tables(decoder);
  for (std::size_t i = 0; i < image.size(); ++i) image[i].steps = steps[i];
  return rows;
}

}  // namespace imgpress::press
