#include "press/formats/gif.hpp"

#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "core/rules/fault.hpp"
#include "press/codec/choose_output.hpp"
#include "press/codec/pixel_image.hpp"

namespace imgpress::press {
namespace {

[[noreturn]] void refuse(const std::string& reason) {
  throw FaultError(Fault::kDamagedImage, "GIF file: " + reason);
}

[[noreturn]] void refuse(const GifFileType& gif) {
  if (gif.Error == D_GIF_ERR_NOT_ENOUGH_MEM) throw std::bad_alloc();
  if (gif.Error == D_GIF_ERR_READ_FAILED || gif.Error == D_GIF_ERR_EOF_TOO_SOON) {
    refuse("it ends before the picture is complete");
  }
  const char* reason = GifErrorString(gif.Error);
  refuse(reason == nullptr ? "it is corrupt" : reason);
}

struct CloseGif {
  void operator()(GifFileType* gif) const { DGifCloseFile(gif, nullptr); }
};
using Gif = std::unique_ptr<GifFileType, CloseGif>;

int read_bytes(GifFileType* gif, GifByteType* out, int size) {
  auto& unread = *static_cast<ByteView*>(gif->UserData);
  const std::size_t count = std::min(unread.size, static_cast<std::size_t>(std::max(size, 0)));
  std::memcpy(out, unread.data, count);
  unread = {unread.data + count, unread.size - count};
  return static_cast<int>(count);
}

// Reads an extension. Returns the transparent colour if it is a graphics control extension that
// names one, else -1.
int read_extension(GifFileType& gif) {
  int code = 0;
  GifByteType* block = nullptr;
  int transparent = NO_TRANSPARENT_COLOR;
  if (DGifGetExtension(&gif, &code, &block) == GIF_ERROR) refuse(gif);
  while (block != nullptr) {
    GraphicsControlBlock control;
    if (code == GRAPHICS_EXT_FUNC_CODE &&
        DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK) {
      transparent = control.TransparentColor;
    }
    if (DGifGetExtensionNext(&gif, &block) == GIF_ERROR) refuse(gif);
  }
  return transparent;
}

// Advances to the first frame and returns its transparent colour, or -1.
int find_first_frame(GifFileType& gif) {
  int transparent = NO_TRANSPARENT_COLOR;
  for (;;) {
    GifRecordType record = UNDEFINED_RECORD_TYPE;
    if (DGifGetRecordType(&gif, &record) == GIF_ERROR) refuse(gif);
    if (record == IMAGE_DESC_RECORD_TYPE) break;
    if (record == TERMINATE_RECORD_TYPE) refuse("it has no picture");
    if (record == EXTENSION_RECORD_TYPE) transparent = read_extension(gif);
  }
  if (DGifGetImageDesc(&gif) == GIF_ERROR) refuse(gif);
  return transparent;
}

using Palette = std::array<GifColorType, 256>;

// The colours of the frame. Undefined ones are black; the transparent one is white.
Palette read_palette(const GifFileType& gif, int transparent) {
  const ColorMapObject* map = gif.Image.ColorMap != nullptr ? gif.Image.ColorMap : gif.SColorMap;
  if (map == nullptr) refuse("it has no colours");
  Palette palette{};
  std::copy_n(map->Colors, std::min(map->ColorCount, 256), palette.begin());
  if (transparent >= 0 && transparent < 256) {
    palette[static_cast<std::size_t>(transparent)] = {0xFF, 0xFF, 0xFF};
  }
  return palette;
}

// The rows in the order in which they are stored: an interlaced frame has four passes.
std::vector<std::uint32_t> row_order(std::uint32_t height, bool interlaced) {
  struct Pass {
    std::uint32_t first, step;
  };
  constexpr Pass kPlain[] = {{0, 1}};
  constexpr Pass kInterlaced[] = {{0, 8}, {4, 8}, {2, 4}, {1, 2}};
  std::vector<std::uint32_t> order;
  order.reserve(height);
  const auto add = [&order, height](const Pass& pass) {
    for (std::uint32_t y = pass.first; y < height; y += pass.step) order.push_back(y);
  };
  if (interlaced) {
    std::for_each(std::begin(kInterlaced), std::end(kInterlaced), add);
  } else {
    std::for_each(std::begin(kPlain), std::end(kPlain), add);
  }
  return order;
}

void draw_frame(GifFileType& gif, const Palette& palette, PixelImage& canvas) {
  const auto left = static_cast<std::size_t>(gif.Image.Left);
  const auto top = static_cast<std::size_t>(gif.Image.Top);
  std::vector<GifPixelType> line(static_cast<std::size_t>(gif.Image.Width));
  for (const std::uint32_t y :
       row_order(static_cast<std::uint32_t>(gif.Image.Height), gif.Image.Interlace)) {
    if (DGifGetLine(&gif, line.data(), gif.Image.Width) == GIF_ERROR) refuse(gif);
    std::uint8_t* out = canvas.samples.data() + (top + y) * canvas.row_bytes() + left * 3;
    for (const GifPixelType index : line) {
      const GifColorType& colour = palette[index];
      *out++ = colour.Red;
      *out++ = colour.Green;
      *out++ = colour.Blue;
    }
  }
}

// True when a second frame follows the first one. Junk at the end of the file is no fault.
bool has_another_frame(GifFileType& gif) {
  GifRecordType record = UNDEFINED_RECORD_TYPE;
  while (DGifGetRecordType(&gif, &record) != GIF_ERROR) {
    if (record != EXTENSION_RECORD_TYPE) return record == IMAGE_DESC_RECORD_TYPE;
    int code = 0;
    GifByteType* block = nullptr;
    if (DGifGetExtension(&gif, &code, &block) == GIF_ERROR) return false;
    while (block != nullptr) {
      if (DGifGetExtensionNext(&gif, &block) == GIF_ERROR) return false;
    }
  }
  return false;
}

PixelImage read_gif(ByteView source, const PixelLimits& limits) {
  int error = 0;
  const Gif gif(DGifOpen(&source, read_bytes, &error));
  if (gif == nullptr) refuse("it ends within its header");

  const int transparent = find_first_frame(*gif);

  // Some writers leave the size of the screen out, or state one that is too small for the frame.
  PixelImage canvas;
  canvas.width =
      static_cast<std::uint32_t>(std::max(gif->SWidth, gif->Image.Left + gif->Image.Width));
  canvas.height =
      static_cast<std::uint32_t>(std::max(gif->SHeight, gif->Image.Top + gif->Image.Height));
  check_pixel_count(canvas.width, canvas.height, limits);
  canvas.samples.assign(canvas.row_bytes() * canvas.height, 0xFF);
  draw_frame(*gif, read_palette(*gif, transparent), canvas);
  canvas.has_more_frames = has_another_frame(*gif);
  return canvas;
}

}  // namespace

CodecResult compress_gif(ByteView source, const CodecOptions& options) {
  const auto copy = [source] {
    return std::vector<std::uint8_t>(source.data, source.data + source.size);
  };
  return compress_pixels(read_gif(source, options), source, copy, ImageFormat::kGif, options);
}

}  // namespace imgpress::press
