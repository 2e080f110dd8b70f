#include "press/jpeg/write/jpeg_scans.hpp"

#include "press/jpeg/libjpeg_guard.hpp"

namespace imgpress::press {
namespace {

// Where the first component's coefficients are split: the coarse shapes come first.
constexpr int kLastCoarse = 5;

jpeg_scan_info scan_of(int component, int first, int last) {
  jpeg_scan_info scan{};
  scan.comps_in_scan = 1;
  scan.component_index[0] = component;
  scan.Ss = first;
  scan.Se = last;
  return scan;
}

jpeg_scan_info scan_of_means(int components) {
  jpeg_scan_info scan{};
  scan.comps_in_scan = components;
  for (int i = 0; i < components; ++i) scan.component_index[i] = i;
  return scan;
}

}  // namespace

void use_progressive_scans(jpeg_compress_struct& out) {
  const int components = out.num_components;
  const int count = components + 2;
  auto* scans = static_cast<jpeg_scan_info*>(
      out.mem->alloc_small(reinterpret_cast<j_common_ptr>(&out), JPOOL_IMAGE,
                           static_cast<std::size_t>(count) * sizeof(jpeg_scan_info)));
  scans[0] = scan_of_means(components);
  scans[1] = scan_of(0, 1, kLastCoarse);
  for (int i = 1; i < components; ++i) scans[1 + i] = scan_of(i, 1, DCTSIZE2 - 1);
  scans[count - 1] = scan_of(0, kLastCoarse + 1, DCTSIZE2 - 1);
  out.scan_info = scans;
  out.num_scans = count;
}

}  // namespace imgpress::press
