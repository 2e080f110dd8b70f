// Makes and compares test images.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/text/bytes.hpp"
#include "press/codec/codec.hpp"

namespace imgpress::press::fixtures {

using Bytes = std::vector<std::uint8_t>;

inline ByteView view(const Bytes& bytes) {
  return {bytes.data(), bytes.size()};
}

inline bool contains(const Bytes& bytes, std::string_view text) {
  return std::search(bytes.begin(), bytes.end(), text.begin(), text.end()) != bytes.end();
}

inline CodecResult press(const Bytes& source, int quality = 50,
                         std::uint64_t max_pixels = 50'000'000) {
  CodecOptions options;
  options.quality = quality;
  options.max_pixels = max_pixels;
  return compress(view(source), options);
}

inline CodecResult press(const Bytes& source, Effort effort, int quality = 50) {
  CodecOptions options;
  options.quality = quality;
  options.effort = effort;
  options.max_pixels = 50'000'000;
  return compress(view(source), options);
}

// 8-bit samples. Channels: 1 grey, 2 grey with alpha, 3 RGB, 4 RGB with alpha (or CMYK).
struct Picture {
  int width = 0;
  int height = 0;
  int channels = 0;
  Bytes samples;

  std::uint8_t* row(int y) { return samples.data() + std::size_t(y) * width * channels; }
  const std::uint8_t* pixel(int x, int y) const {
    return samples.data() + (std::size_t(y) * width + x) * channels;
  }
};

// Deterministic noise from -1 to 1 at a lattice point.
inline double lattice(int x, int y, int seed) {
  std::uint32_t h = std::uint32_t(x) * 374761393U + std::uint32_t(y) * 668265263U +
                    std::uint32_t(seed) * 2246822519U;
  h = (h ^ h >> 13) * 1274126177U;
  return double((h ^ h >> 16) & 0xFFFF) / 32767.5 - 1;
}

inline double smooth_noise(double x, double y, int seed) {
  const int ix = int(std::floor(x));
  const int iy = int(std::floor(y));
  const double fx = (x - ix) * (x - ix) * (3 - 2 * (x - ix));
  const double fy = (y - iy) * (y - iy) * (3 - 2 * (y - iy));
  const double top = lattice(ix, iy, seed) * (1 - fx) + lattice(ix + 1, iy, seed) * fx;
  const double bottom = lattice(ix, iy + 1, seed) * (1 - fx) + lattice(ix + 1, iy + 1, seed) * fx;
  return top * (1 - fy) + bottom * fy;
}

// Resembles a photograph: large smooth areas, some edges, texture at all scales, a little noise.
inline Picture photograph(int width, int height, int channels = 3, int seed = 1) {
  Picture picture{width, height, channels, Bytes(std::size_t(width) * height * channels)};
  const int middle = height / 2;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      double light = 128 + 50.0 * (y - middle) / height;
      double amplitude = 60;
      for (double scale = 96; scale >= 1.5; scale /= 2, amplitude *= 0.52) {
        light += amplitude * smooth_noise(x / scale, y / scale, seed + int(scale));
      }
      if (smooth_noise(x / 70.0, y / 70.0, seed + 500) > 0.2) light -= 45;
      for (int c = 0; c < channels; ++c) {
        const double tint = 45 * smooth_noise(x / 60.0, y / 60.0, seed + 900 + c);
        picture.row(y)[x * channels + c] = std::uint8_t(std::clamp(light + tint, 0.0, 255.0));
      }
    }
  }
  return picture;
}

inline Picture plain(int width, int height, const Bytes& colour) {
  Picture picture{width, height, int(colour.size()), {}};
  for (int i = 0; i < width * height; ++i) {
    picture.samples.insert(picture.samples.end(), colour.begin(), colour.end());
  }
  return picture;
}

inline double luma_of(const Picture& picture, std::size_t i) {
  const std::uint8_t* p = picture.samples.data() + i * std::size_t(picture.channels);
  return picture.channels < 3 ? p[0] : 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
}

// PSNR of luma in decibels; 99 for equal images.
inline double psnr(const Picture& a, const Picture& b) {
  if (a.width != b.width || a.height != b.height) return 0;
  double sum = 0;
  const std::size_t count = std::size_t(a.width) * a.height;
  for (std::size_t i = 0; i < count; ++i) {
    const double difference = luma_of(a, i) - luma_of(b, i);
    sum += difference * difference;
  }
  return sum == 0 ? 99 : 10 * std::log10(255.0 * 255.0 * double(count) / sum);
}

// Each pixel is the mean of 4 x 4; those that do not fill one are left out.
inline std::vector<double> quarter_size(const Picture& picture) {
  std::vector<double> means;
  for (int y = 0; y + 4 <= picture.height; y += 4) {
    for (int x = 0; x + 4 <= picture.width; x += 4) {
      for (int channel = 0; channel < picture.channels; ++channel) {
        double sum = 0;
        for (int i = 0; i < 16; ++i) sum += picture.pixel(x + (i & 3), y + (i >> 2))[channel];
        means.push_back(sum / 16);
      }
    }
  }
  return means;
}

// PSNR of all channels at a quarter of the size: what an eye sees from a distance.
inline double psnr_from_afar(const Picture& a, const Picture& b) {
  const std::vector<double> first = quarter_size(a);
  const std::vector<double> second = quarter_size(b);
  if (first.size() != second.size()) return 0;
  double sum = 0;
  for (std::size_t i = 0; i < first.size(); ++i) sum += std::pow(first[i] - second[i], 2);
  return sum == 0 ? 99 : 10 * std::log10(255.0 * 255.0 * double(first.size()) / sum);
}

}  // namespace imgpress::press::fixtures
