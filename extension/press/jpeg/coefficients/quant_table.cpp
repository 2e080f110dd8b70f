#include "press/jpeg/coefficients/quant_table.hpp"

#include <cmath>
#include <numeric>

namespace imgpress::press {
namespace {

// Steps fit into a byte, as in a baseline file.
constexpr int kMaxStep = 255;

// The steps for quality 50, row by row. Their shape is the model of Ahumada and Peterson
// ("Luminance-model-based DCT quantization for color image compression", 1992): the logarithm of
// the least visible amplitude is a parabola in that of the frequency. For column u and row v
//     f = sqrt(u^2 + v^2),  step = 16 * 10^(1.8 * log10(f / 2.4)^2),  or 16 where f is below 2.4,
// without their factor for diagonal frequencies. Two things differ from the standard tables and
// from those of other encoders. The mean (8) and the lowest frequencies (10, 15) are finer: smooth
// surfaces show every step between blocks. High frequencies are finer, too, since the trellis, not
// the step, decides which of them are worth their bits: so texture that a block lives by is kept.
//
// The parameters were chosen on 12 photographs of quality 90, for the fewest bytes at the
// SSIMULACRA2 / butteraugli / SSIM of Pillow's quality 50, while a bit cost 0.07 to 0.09:
//     the standard tables, as they were used before    -11 / -13 / -9 %
//     a minimum of 2.2, a factor of 2.87 and diagonals  -21 / -23 / -9, worst places lower
//     the same with a finer mean and lowest ones        -26 / -23 / -7
//     these, with the step 12 for the lowest            -25 / -26 / -11
// docs/performance.md has the figures for other photographs.
constexpr std::uint16_t kLumaSteps[kBlockSize] = {
    8,  10, 16, 17, 20, 24, 31, 39,  //
    10, 15, 16, 17, 20, 25, 31, 40,  //
    16, 16, 16, 18, 22, 27, 33, 42,  //
    17, 17, 18, 21, 24, 30, 37, 45,  //
    20, 20, 22, 24, 28, 34, 41, 50,  //
    24, 25, 27, 30, 34, 40, 48, 57,  //
    31, 31, 33, 37, 41, 48, 56, 66,  //
    39, 40, 42, 45, 50, 57, 66, 77,
};

// Chroma has the same steps but for its lowest frequencies.
constexpr std::uint16_t kLowestChromaStep = 14;

// How much coarser the steps are than the rule of the IJG would make them from those for quality
// 50, in per cent, so that each quality looks at least as good as libjpeg's: linear in between.
struct Coarsening {
  int quality;
  int percent;
};
constexpr Coarsening kCoarsening[] = {{1, 95},   {10, 95},  {25, 106}, {50, 131},
                                      {75, 130}, {90, 140}, {100, 150}};

// The mean and the slopes of a block, up to this place, are left out: they make up a smooth
// gradient, which must not show its blocks more than with libjpeg.
constexpr std::size_t kSlopes = 3;

// The steps for a fine source, in per cent of those for a coarse one, which has lost the texture
// that luma would keep; those of slopes are the same. 14 photographs of quality 90 took so much
// less than Pillow's at the SSIMULACRA2 / butteraugli / SSIM of its quality 50:
//     with 100 for both  -29 / -21.0 / -8      with these  -29 / -21.8 / -11.6
constexpr int kFineLumaPercent = 93;
constexpr int kFineChromaPercent = 106;

// A source is fine if libjpeg's steps are so much larger on average, as those of quality 50 are for
// one of quality 84.
constexpr double kFineGrowth = 3;

// How much coarser the low frequencies get on average, which most levels belong to.
double growth_of(const QuantTable& from, const QuantTable& to) {
  constexpr std::ptrdiff_t kLowest = 20;
  const int before = std::accumulate(from.begin(), from.begin() + kLowest, 0);
  const int after = std::accumulate(to.begin(), to.begin() + kLowest, 0);
  return static_cast<double>(after) / std::max(before, 1);
}

int coarsening(int quality) {
  const Coarsening* above = kCoarsening + 1;
  while (above->quality < quality) ++above;
  const Coarsening& below = above[-1];
  return below.percent + (above->percent - below.percent) * (quality - below.quality) /
                             (above->quality - below.quality);
}

// The rule of the IJG: how large the steps of a quality are, in per cent of those of quality 50.
int scale_of(int quality) {
  return quality < 50 ? 5000 / quality : 200 - 2 * quality;
}

std::uint16_t scaled(int step, int quality, int percent) {
  const int exact = (step * scale_of(quality) * percent + 5000) / 10000;
  return static_cast<std::uint16_t>(std::clamp(exact, 1, kMaxStep));
}

}  // namespace

QuantTable steps_between(const QuantTable& from, const QuantTable& to, const QuantTable& standard) {
  const double growth = growth_of(from, standard);
  const double most = growth * growth * growth;
  QuantTable steps;
  for (std::size_t i = 0; i < kBlockSize; ++i) {
    const double before = steps[i] = std::max<std::uint16_t>(from[i], 1);
    const double source_error = 2 * before * before;
    const double asked = std::min<double>(to[i], most * before);
    if (asked * asked < source_error) continue;
    const double hidden = i == 0 ? 0 : source_error;  // every step of DC is seen in smooth surfaces
    const double step = std::min(std::sqrt(to[i] * to[i] + hidden), most * before);
    steps[i] =
        std::max(from[i], static_cast<std::uint16_t>(std::min<long>(std::lround(step), kMaxStep)));
  }
  return steps;
}

SourceDetail detail_of(const QuantTable& source, const QuantTable& standard) {
  return growth_of(source, standard) >= kFineGrowth ? SourceDetail::kFine : SourceDetail::kCoarse;
}

QualityTables visual_tables(int quality, SourceDetail detail) {
  const bool is_fine = detail == SourceDetail::kFine;
  const int percent = coarsening(quality);
  const int luma = is_fine ? percent * kFineLumaPercent / 100 : percent;
  const int chroma = is_fine ? percent * kFineChromaPercent / 100 : percent;
  QualityTables tables;
  for (std::size_t i = 0; i < kBlockSize; ++i) {
    const int step = kLumaSteps[kZigzag[i]];
    const bool is_slope = i < kSlopes;
    tables.luma[i] = scaled(step, quality, is_slope ? 100 : luma);
    tables.chroma[i] =
        scaled(i == 1 || i == 2 ? kLowestChromaStep : step, quality, is_slope ? 100 : chroma);
  }
  return tables;
}

}  // namespace imgpress::press
