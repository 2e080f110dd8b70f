#include "press/jpeg/pixels/row_encoder.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "press/jpeg/rows/quantised_rows.hpp"

namespace imgpress::press {
namespace {

// For effort "small" the coefficients are left to the trellis quantiser, which wants to know what
// rounding would take away.
PixelTransform transform_for(PixelColours colours, std::uint32_t width, const QualityTables& tables,
                             Effort effort) {
  if (effort != Effort::kSmall) return PixelTransform(colours, width, tables, 1);
  QualityTables fine;
  fine.luma.fill(1);
  fine.chroma.fill(1);
  return PixelTransform(colours, width, fine, kFineness);
}

FrameHeader header_for(std::uint32_t width, std::uint32_t height) {
  FrameHeader header;
  header.width = width;
  header.height = height;
  header.jfif = true;
  return header;
}

}  // namespace

RowEncoder::RowEncoder(PixelColours colours, std::uint32_t width, std::uint32_t height,
                       const QualityTables& tables, Effort effort)
    : effort_(effort),
      header_(header_for(width, height)),
      transform_(transform_for(colours, width, tables, effort)),
      image_(make_image(colours, width,
                        effort == Effort::kSmall
                            ? height
                            : std::min(height, static_cast<std::uint32_t>(transform_.portion())))),
      baseline_(mcus_for(height, static_cast<std::uint32_t>(transform_.portion())), effort) {
  for (Plane& plane : image_) {
    plane.steps = plane.channel == Channel::kLuma ? tables.luma : tables.chroma;
  }
}

void RowEncoder::add(std::vector<const std::uint8_t*> rows) {
  if (effort_ == Effort::kSmall) {
    transform_.transform(std::move(rows), image_, next_row_++);
    return;
  }
  const std::size_t done = portion() * next_row_++;
  if (header_.height - done <= kSide) image_[0].height = 1;  // there are no lower blocks
  transform_.transform(std::move(rows), image_, 0);
  baseline_.add(image_);
}

std::optional<std::vector<std::uint8_t>> RowEncoder::finish(const ImageMetadata& metadata,
                                                            std::size_t size_limit) {
  if (effort_ != Effort::kSmall) return baseline_.finish(image_, header_, metadata, size_limit);
  ImageRows rows;
  for (const Plane& plane : image_) {
    rows.push_back(quantised(plane, std::make_unique<PlaneRows>(plane)));
  }
  return write_coefficients(image_, rows, header_, metadata, effort_, size_limit);
}

}  // namespace imgpress::press
