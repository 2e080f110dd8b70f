#include "press/formats/png_rows.hpp"

#include <libdeflate.h>

#include <algorithm>
#include <memory>
#include <new>

#include "press/formats/png_filters.hpp"

namespace imgpress::press {
namespace {

using Bytes = std::vector<std::uint8_t>;

// Empty when a chunk is damaged, or when others lie between them.
Bytes join(const std::vector<PngChunk>& chunks) {
  std::size_t size = 0;
  const std::uint8_t* next = nullptr;
  for (const PngChunk& chunk : chunks) {
    if ((next != nullptr && chunk.whole.data != next) || !chunk.is_intact()) return {};
    next = chunk.whole.data + chunk.whole.size;
    size += chunk.payload().size;
  }
  Bytes joined;
  joined.reserve(size);
  for (const PngChunk& chunk : chunks) {
    const ByteView payload = chunk.payload();
    joined.insert(joined.end(), payload.data, payload.data + payload.size);
  }
  return joined;
}

// zlib's header says how far back the data may refer. libdeflate does not check that.
bool may_refer_anywhere(const Bytes& packed, std::size_t unpacked_size) {
  constexpr std::size_t kFarthest = 32 << 10;
  return std::size_t{256} << (packed[0] >> 4) >= std::min(kFarthest, unpacked_size);
}

bool unpack(const Bytes& packed, std::uint8_t* out, std::size_t size) {
  if (packed.empty() || !may_refer_anywhere(packed, size)) return false;
  const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)>
      decompressor(libdeflate_alloc_decompressor(), &libdeflate_free_decompressor);
  if (decompressor == nullptr) throw std::bad_alloc();
  std::size_t used = 0;  // libpng does not mind bytes after the data either
  return libdeflate_zlib_decompress_ex(decompressor.get(), packed.data(), packed.size(), out, size,
                                       &used, nullptr) == LIBDEFLATE_SUCCESS;
}

}  // namespace

bool read_png_rows(const PngChunks& chunks, std::size_t width, std::size_t height,
                   std::size_t pixel_bytes, Bytes& pixels) {
  FilteredRows rows{nullptr, width, height, pixel_bytes};
  const std::size_t lead = kFilterRows * rows.row_bytes();
  pixels.resize(lead + rows.size());
  rows.data = pixels.data() + lead;
  if (!unpack(join(chunks.data), pixels.data() + lead, rows.size())) return false;
  if (!undo_png_filters(rows, pixels.data())) return false;
  pixels.resize(rows.row_bytes() * rows.height);
  return true;
}

}  // namespace imgpress::press
