// Writes a JPEG file from coefficients.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/rules/options.hpp"
#include "press/jpeg/write/segment_writer.hpp"
#include "press/jpeg/coefficients/coefficient_image.hpp"

namespace imgpress::press {

// Effort "small" writes a progressive file, the others a baseline file; "fast" chooses its Huffman
// codes from part of the image. std::nullopt when the file would not be smaller than `size_limit`
// bytes.
std::optional<std::vector<std::uint8_t>> write_coefficients(const CoefficientImage& image,
                                                            const FrameHeader& header,
                                                            const ImageMetadata& metadata,
                                                            Effort effort, std::size_t size_limit);

}  // namespace imgpress::press
