#include "press/jpeg_chroma.hpp"

#include <algorithm>

#include "press/chroma_halver.hpp"

namespace imgpress::press {
namespace {

JDIMENSION half_of(JDIMENSION blocks) {
  return (blocks + 1) / 2;
}

// 4:2:0 is written in units of two by two blocks of luma. libjpeg wants both rows at once, and all
// of them, of arrays that were made for that alone.
constexpr JDIMENSION kRowsInUnit = 2;

JpegBlockRows make_rows(JpegGuard& guard, jpeg_decompress_struct& in, JDIMENSION width,
                        JDIMENSION height) {
  jvirt_barray_ptr array = nullptr;
  guard.run([&] {
    const auto common = reinterpret_cast<j_common_ptr>(&in);
    array = in.mem->request_virt_barray(common, JPOOL_IMAGE, TRUE, width,
                                        half_of(height) * kRowsInUnit, kRowsInUnit);
    in.mem->realize_virt_arrays(common);
  });
  return {in, array, width, height};
}

JpegBlockRows halved(JpegGuard& guard, jpeg_decompress_struct& in, const JpegBlockRows& rows,
                     const QuantTable& steps, ChromaFineness fineness) {
  const ChromaHalver halver(steps, fineness.across, fineness.down);
  const JDIMENSION step = fineness.down ? 2 : 1;
  const JpegBlockRows result =
      make_rows(guard, in, fineness.across ? half_of(rows.width()) : rows.width(),
                fineness.down ? half_of(rows.height()) : rows.height());
  guard.run([&] {
    for (JDIMENSION y = 0; y < result.height(); ++y) {
      const JDIMENSION below = y * step + 1;
      const std::int16_t* lower =
          fineness.down && below < rows.height() ? rows.row(below) : nullptr;
      halver.halve(rows.row(y * step), lower, rows.width(), result.row(y));
    }
  });
  return result;
}

JpegBlockRows copied(JpegGuard& guard, jpeg_decompress_struct& in, const JpegBlockRows& rows) {
  const JpegBlockRows result = make_rows(guard, in, rows.width(), rows.height());
  guard.run([&] {
    for (JDIMENSION y = 0; y < rows.height(); ++y) {
      std::copy_n(rows.row(y), std::size_t{rows.width()} * kBlockSize, result.row(y));
    }
  });
  return result;
}

bool is_full_or_half(int chroma, int luma) {
  return chroma == luma || 2 * chroma == luma;
}

}  // namespace

bool has_ordinary_chroma(const jpeg_decompress_struct& header) {
  if (header.num_components != 3 || header.jpeg_color_space != JCS_YCbCr) return false;
  const jpeg_component_info* info = header.comp_info;
  return info[1].h_samp_factor == info[2].h_samp_factor &&
         info[1].v_samp_factor == info[2].v_samp_factor &&
         is_full_or_half(info[1].h_samp_factor, info[0].h_samp_factor) &&
         is_full_or_half(info[1].v_samp_factor, info[0].v_samp_factor);
}

ChromaFineness chroma_fineness(const jpeg_decompress_struct& header) {
  const jpeg_component_info* info = header.comp_info;
  return {info[1].h_samp_factor == info[0].h_samp_factor,
          info[1].v_samp_factor == info[0].v_samp_factor};
}

void halve_chroma(JpegGuard& guard, jpeg_decompress_struct& in, ChromaFineness fineness,
                  std::vector<JpegBlockRows>& components, ComponentTables& tables) {
  if (in.comp_info[0].v_samp_factor < static_cast<int>(kRowsInUnit)) {
    components[0] = copied(guard, in, components[0]);
  }
  for (const std::size_t i : {1, 2}) {
    components[i] = halved(guard, in, components[i], tables[i], fineness);
    tables[i].fill(1);
  }
}

}  // namespace imgpress::press
