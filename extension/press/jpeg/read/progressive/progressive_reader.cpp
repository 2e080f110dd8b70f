#include "press/jpeg/read/progressive/progressive_reader.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "press/jpeg/libjpeg_quant_tables.hpp"
#include "press/jpeg/read/progressive/scan_reader.hpp"
#include "press/jpeg/read/progressive/scan_script.hpp"
#include "press/jpeg/rows/narrow_plane.hpp"

namespace imgpress::press {
namespace {

bool is_plain_progressive(const jpeg_decompress_struct& header) {
  return header.progressive_mode != FALSE && header.arith_code == FALSE &&
         header.data_precision == 8;
}

// A row of MCUs of an image. Its blocks are kept as they are read until all scans have been there.
class RowWindow {
 public:
  explicit RowWindow(const CoefficientImage& image) : image_(image), rows_(image.size()) {
    for (const Plane& plane : image) {
      part_.push_back(plane_like(plane, plane.v_factor));
      masks_.emplace_back(part_.back().count());
    }
  }

  // All zeros.
  const std::vector<OpenRows>& open(std::uint32_t mcu_y) {
    for (std::size_t i = 0; i < image_.size(); ++i) {
      Plane& part = part_[i];
      std::fill(masks_[i].begin(), masks_[i].end(), 0);
      std::fill_n(part.blocks.get(), part.count(), Block{});
      rows_[i] = {};
      for (std::uint32_t dy = 0; dy < rows_of(i, mcu_y); ++dy) {
        rows_[i][dy] = {part.row(dy), masks_[i].data() + std::size_t{dy} * part.width};
      }
    }
    return rows_;
  }

  void copy_to(std::vector<NarrowPlane*>& planes, std::uint32_t mcu_y) const {
    for (std::size_t i = 0; i < planes.size(); ++i) {
      for (std::uint32_t dy = 0; dy < rows_of(i, mcu_y); ++dy) {
        planes[i]->set_row(mcu_y * image_[i].v_factor + dy, part_[i].row(dy));
      }
    }
  }

 private:
  // Of plane `i`, without those beyond the lower edge.
  std::uint32_t rows_of(std::size_t i, std::uint32_t mcu_y) const {
    const Plane& plane = image_[i];
    const std::uint32_t top = std::min(mcu_y * plane.v_factor, plane.height);
    return std::min(plane.v_factor, plane.height - top);
  }

  const CoefficientImage& image_;
  CoefficientImage part_;
  std::vector<std::vector<std::uint64_t>> masks_;
  std::vector<OpenRows> rows_;
};

std::vector<ScanReader> make_readers(const std::vector<ProgressiveScan>& scans,
                                     const CoefficientImage& image) {
  std::vector<ScanReader> readers;
  for (const ProgressiveScan& scan : scans) {
    std::optional<ScanReader> reader = ScanReader::make(scan, image);
    if (!reader) return {};
    readers.push_back(std::move(*reader));
  }
  return readers;
}

bool read_rows(std::vector<ScanReader>& readers, const CoefficientImage& image,
               std::vector<NarrowPlane*> planes) {
  RowWindow window(image);
  const std::uint32_t mcu_rows = mcus_for(image[0].height, image[0].v_factor);
  for (std::uint32_t y = 0; y < mcu_rows; ++y) {
    const std::vector<OpenRows>& rows = window.open(y);
    for (ScanReader& reader : readers) {
      if (!reader.read(rows)) return false;
    }
    window.copy_to(planes, y);
  }
  for (const NarrowPlane* plane : planes) plane->check_memory();
  return true;
}

}  // namespace

ImageRows read_progressive(const LibjpegDecoder& decoder, const CoefficientImage& image) {
  if (!is_plain_progressive(decoder.state()) || !has_all_tables(decoder)) return {};
  const std::optional<std::vector<ProgressiveScan>> scans = parse_scans(decoder, image);
  if (!scans) return {};
  std::vector<ScanReader> readers = make_readers(*scans, image);
  if (readers.empty()) return {};
  ImageRows rows;
  std::vector<NarrowPlane*> planes;
  for (const Plane& plane : image) {
    auto blocks = std::make_unique<NarrowPlane>(plane.width, plane.height);
    planes.push_back(blocks.get());
    rows.push_back(std::move(blocks));
  }
  if (!read_rows(readers, image, planes)) return {};
  return rows;
}

}  // namespace imgpress::press
