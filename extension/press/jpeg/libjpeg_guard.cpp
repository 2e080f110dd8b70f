#include "press/jpeg/libjpeg_guard.hpp"

#include <jerror.h>

#include <new>
#include <string>
#include <type_traits>

namespace imgpress::press {
namespace {

Fault fault_of_error(int code) {
  switch (code) {
    case JERR_BAD_PRECISION:
    case JERR_SOF_UNSUPPORTED:
    case JERR_ARITH_NOTIMPL:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_FRACT_SAMPLE_NOTIMPL:
    case JERR_CCIR601_NOTIMPL:
    case JERR_BAD_MCU_SIZE:
    case JERR_IMAGE_TOO_BIG:
      return Fault::kUnsupportedImage;
    default:
      return Fault::kDamagedImage;
  }
}

// True for warnings after which part of the image is missing or wrong. Extraneous bytes are
// harmless elsewhere, but in front of a restart marker they belong to blocks that could not be
// decoded.
bool is_damage(const jpeg_error_mgr& warning) {
  switch (warning.msg_code) {
    case JWRN_EXTRANEOUS_DATA:
      return warning.msg_parm.i[1] >= JPEG_RST0 && warning.msg_parm.i[1] <= JPEG_RST0 + 7;
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
      return true;
    default:
      return false;
  }
}

}  // namespace

LibjpegGuard::LibjpegGuard() {
  static_assert(std::is_standard_layout_v<State> && std::is_trivially_destructible_v<State>);
  jpeg_std_error(&state_.manager);
  state_.manager.error_exit = on_error;
  state_.manager.emit_message = on_message;
  state_.manager.output_message = on_output;
}

void LibjpegGuard::leave(j_common_ptr jpeg, Stop stop) {
  State& state = state_of(jpeg);
  state.stop = stop;
  std::longjmp(state.landing, 1);
}

void LibjpegGuard::stop_at_scan_limit(j_common_ptr jpeg) {
  leave(jpeg, Stop::kScanLimit);
}

void LibjpegGuard::on_error(j_common_ptr jpeg) {
  State& state = state_of(jpeg);
  state.manager.format_message(jpeg, state.message);
  leave(jpeg, Stop::kError);
}

// True when the damage is that the file has ended, or a consequence of that.
bool LibjpegGuard::note_truncation(j_common_ptr jpeg) {
  State& state = state_of(jpeg);
  if (!state.accepts_truncation || jpeg->is_decompressor == FALSE) return false;
  if (state.is_truncated) return true;
  const auto& input = *reinterpret_cast<j_decompress_ptr>(jpeg);
  // libjpeg inserts an end marker where the file ends. One that the file has itself, in the middle
  // of the image, is a sign of other damage.
  if (state.manager.msg_code != JWRN_HIT_MARKER || !state.ended_early) return false;
  if (input.comps_in_scan < 1) return false;
  state.is_truncated = true;
  state.truncation = {input.input_iMCU_row, input.total_iMCU_rows,
                      input.cur_comp_info[0]->component_index, input.Ss, input.Ah == 0};
  return true;
}

void LibjpegGuard::on_message(j_common_ptr jpeg, int level) {
  if (level >= 0) return;  // trace messages; -1 is a warning
  State& state = state_of(jpeg);
  if (is_damage(state.manager) && !note_truncation(jpeg)) on_error(jpeg);
  if (state.manager.msg_code == JWRN_JPEG_EOF) state.ended_early = true;
  if (state.warning[0] == '\0') state.manager.format_message(jpeg, state.warning);
}

// Replaces libjpeg's default, which writes to standard error.
void LibjpegGuard::on_output(j_common_ptr) {}

void LibjpegGuard::explain() const {
  if (state_.stop == Stop::kScanLimit) {
    throw FaultError(Fault::kOutOfResources, "the JPEG file has too many scans");
  }
  if (state_.manager.msg_code == JERR_OUT_OF_MEMORY) throw std::bad_alloc();
  if (state_.manager.msg_code == JERR_NO_BACKING_STORE) {
    throw FaultError(Fault::kOutOfResources, "the JPEG file needs too much memory to decode");
  }
  throw FaultError(fault_of_error(state_.manager.msg_code),
                   std::string("JPEG file: ") + state_.message);
}

}  // namespace imgpress::press
