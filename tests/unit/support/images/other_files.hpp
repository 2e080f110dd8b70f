// PNG, WebP and GIF files for tests.
#pragma once

#include <gif_lib.h>
#include <png.h>
#include <webp/decode.h>
#include <webp/encode.h>
#include <zlib.h>

#include <cstring>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/images/pictures.hpp"

namespace imgpress::press::fixtures {

// ---- PNG

struct PngForm {
  int bit_depth = 8;
  bool interlaced = false;
  std::string icc;
};

inline void append_png(png_structp png, png_bytep data, std::size_t size) {
  auto& bytes = *static_cast<Bytes*>(png_get_io_ptr(png));
  bytes.insert(bytes.end(), data, data + size);
}

inline Bytes make_png(const Picture& picture, const PngForm& form = {}) {
  constexpr int kTypes[] = {0, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                            PNG_COLOR_TYPE_RGB_ALPHA};
  Bytes bytes;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(png, &bytes, append_png, [](png_structp) {});
  png_set_IHDR(png, info, png_uint_32(picture.width), png_uint_32(picture.height), form.bit_depth,
               kTypes[picture.channels], form.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (!form.icc.empty()) {
    png_set_iCCP(png, info, "profile", 0, reinterpret_cast<png_const_bytep>(form.icc.data()),
                 png_uint_32(form.icc.size()));
  }
  png_write_info(png, info);
  const int bytes_each = form.bit_depth / 8;
  Bytes wide(picture.samples.size() * std::size_t(bytes_each));
  for (std::size_t i = 0; i < wide.size(); ++i) wide[i] = picture.samples[i / bytes_each];
  std::vector<png_bytep> rows;
  for (int y = 0; y < picture.height; ++y) {
    rows.push_back(wide.data() + std::size_t(y) * picture.width * picture.channels * bytes_each);
  }
  png_write_image(png, rows.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return bytes;
}

inline Bytes png_chunk(std::string_view type, std::string_view payload) {
  Bytes body(type.begin(), type.end());
  body.insert(body.end(), payload.begin(), payload.end());
  const std::uint32_t check = std::uint32_t(crc32(0, body.data(), uInt(body.size())));
  Bytes chunk;
  for (int shift = 24; shift >= 0; shift -= 8)
    chunk.push_back(std::uint8_t(payload.size() >> shift));
  std::copy(body.begin(), body.end(), std::back_inserter(chunk));
  for (int shift = 24; shift >= 0; shift -= 8) chunk.push_back(std::uint8_t(check >> shift));
  return chunk;
}

// Inserts a chunk right after the header.
inline Bytes with_chunk(const Bytes& png, std::string_view type, std::string_view payload) {
  constexpr int kHeader = 8 + 25;
  const Bytes chunk = png_chunk(type, payload);
  Bytes bytes = png;
  bytes.insert(bytes.begin() + kHeader, chunk.begin(), chunk.end());
  return bytes;
}

// A picture of one colour, with a palette of one entry. `index`: of every pixel.
inline Bytes make_palette_png(int side, const Bytes& colour, int alpha, std::uint8_t index = 0) {
  std::string header(13, '\0');
  header[3] = header[7] = char(side);
  header[8] = 8;  // bits
  header[9] = 3;  // palette
  Bytes rows(std::size_t(side) * std::size_t(side + 1), index);
  for (int y = 0; y < side; ++y) rows[std::size_t(y) * std::size_t(side + 1)] = 0;  // no filter
  Bytes packed(compressBound(uLong(rows.size())));
  uLongf size = uLongf(packed.size());
  compress2(packed.data(), &size, rows.data(), uLong(rows.size()), 0);
  const std::string data(packed.begin(), packed.begin() + std::ptrdiff_t(size));
  Bytes bytes = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  for (const auto& [type, payload] : std::vector<std::pair<std::string, std::string>>{
           {"IHDR", header},
           {"PLTE", std::string(colour.begin(), colour.end())},
           {"tRNS", std::string(1, char(alpha))},
           {"IDAT", data},
           {"IEND", ""}}) {
    const Bytes chunk = png_chunk(type, payload);
    bytes.insert(bytes.end(), chunk.begin(), chunk.end());
  }
  return bytes;
}

// ---- WebP

inline Bytes make_webp(const Picture& picture, bool lossless) {
  std::uint8_t* out = nullptr;
  std::size_t size = 0;
  const int stride = picture.width * picture.channels;
  const std::uint8_t* in = picture.samples.data();
  if (picture.channels == 4) {
    size = lossless ? WebPEncodeLosslessRGBA(in, picture.width, picture.height, stride, &out)
                    : WebPEncodeRGBA(in, picture.width, picture.height, stride, 90, &out);
  } else {
    size = lossless ? WebPEncodeLosslessRGB(in, picture.width, picture.height, stride, &out)
                    : WebPEncodeRGB(in, picture.width, picture.height, stride, 90, &out);
  }
  Bytes bytes(out, out + size);
  WebPFree(out);
  return bytes;
}

inline Bytes riff_chunk(std::string_view type, const Bytes& payload) {
  Bytes chunk(type.begin(), type.end());
  for (int shift = 0; shift < 32; shift += 8)
    chunk.push_back(std::uint8_t(payload.size() >> shift));
  chunk.insert(chunk.end(), payload.begin(), payload.end());
  if (payload.size() % 2 != 0) chunk.push_back(0);
  return chunk;
}

inline void put_u24(Bytes& bytes, int value) {
  for (int shift = 0; shift < 24; shift += 8) bytes.push_back(std::uint8_t(value >> shift));
}

// An extended file (VP8X) from these chunks.
inline Bytes webp_container(int flags, int width, int height, const std::vector<Bytes>& chunks) {
  Bytes header = {std::uint8_t(flags), 0, 0, 0};
  put_u24(header, width - 1);
  put_u24(header, height - 1);
  Bytes body = {'W', 'E', 'B', 'P'};
  const Bytes first = riff_chunk("VP8X", header);
  body.insert(body.end(), first.begin(), first.end());
  for (const Bytes& chunk : chunks) body.insert(body.end(), chunk.begin(), chunk.end());
  return riff_chunk("RIFF", body);
}

// The image chunks of a file that make_webp made.
inline Bytes webp_picture_chunks(const Bytes& webp) {
  const bool extended = std::memcmp(webp.data() + 12, "VP8X", 4) == 0;
  return Bytes(webp.begin() + (extended ? 30 : 12), webp.end());
}

inline Bytes animation_frame(const Bytes& webp, int x, int y, int width, int height) {
  Bytes payload;
  put_u24(payload, x / 2);
  put_u24(payload, y / 2);
  put_u24(payload, width - 1);
  put_u24(payload, height - 1);
  put_u24(payload, 100);
  payload.push_back(0);
  const Bytes picture = webp_picture_chunks(webp);
  payload.insert(payload.end(), picture.begin(), picture.end());
  return riff_chunk("ANMF", payload);
}

// ---- GIF

struct GifForm {
  int screen_width = 0;  // 0: as large as the frame
  int screen_height = 0;
  int left = 0;
  int top = 0;
  int transparent = NO_TRANSPARENT_COLOR;
  bool interlaced = false;
  int frames = 1;
};

// `indices` point into a palette of 4 colours: red, green, blue, black.
inline Bytes make_gif(int width, int height, const Bytes& indices, const GifForm& form = {}) {
  Bytes bytes;
  int error = 0;
  GifFileType* gif = EGifOpen(
      &bytes,
      [](GifFileType* file, const GifByteType* data, int size) {
        auto& out = *static_cast<Bytes*>(file->UserData);
        out.insert(out.end(), data, data + size);
        return size;
      },
      &error);
  const GifColorType colours[4] = {{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {0, 0, 0}};
  ColorMapObject* map = GifMakeMapObject(4, colours);
  EGifSetGifVersion(gif, true);
  EGifPutScreenDesc(gif, form.screen_width ? form.screen_width : width,
                    form.screen_height ? form.screen_height : height, 2, 0, map);
  std::vector<int> order;
  if (form.interlaced) {
    for (const auto& [first, step] :
         std::vector<std::pair<int, int>>{{0, 8}, {4, 8}, {2, 4}, {1, 2}}) {
      for (int y = first; y < height; y += step) order.push_back(y);
    }
  } else {
    for (int y = 0; y < height; ++y) order.push_back(y);
  }
  Bytes copy = indices;
  for (int frame = 0; frame < form.frames; ++frame) {
    GraphicsControlBlock control{DISPOSAL_UNSPECIFIED, false, 10, form.transparent};
    GifByteType extension[4];
    EGifGCBToExtension(&control, extension);
    EGifPutExtension(gif, GRAPHICS_EXT_FUNC_CODE, 4, extension);
    EGifPutImageDesc(gif, form.left, form.top, width, height, form.interlaced, nullptr);
    for (const int y : order) EGifPutLine(gif, copy.data() + std::size_t(y) * width, width);
  }
  GifFreeMapObject(map);
  EGifCloseFile(gif, &error);
  return bytes;
}

}  // namespace imgpress::press::fixtures
