#include "press/jpeg/libjpeg_guard.hpp"

#include <jerror.h>

#include <string>
#include <type_traits>

namespace imgpress::press {
namespace {

Fault fault_of_error(int code) {
  switch (code) {
    case JERR_OUT_OF_MEMORY:
    case JERR_NO_BACKING_STORE:
      return Fault::kOutOfResources;
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

// True for the warnings after which part of the picture is missing or wrong. Surplus bytes do no
// harm elsewhere, but in front of a restart marker they are blocks that could not be made out.
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
  static_assert(std::is_standard_layout_v<Frame> && std::is_trivially_destructible_v<Frame>);
  jpeg_std_error(&frame_.manager);
  frame_.manager.error_exit = on_error;
  frame_.manager.emit_message = on_message;
  frame_.manager.output_message = on_output;
}

void LibjpegGuard::leave(j_common_ptr jpeg, Stop stop) {
  Frame& frame = frame_of(jpeg);
  frame.stop = stop;
  std::longjmp(frame.landing, 1);
}

void LibjpegGuard::stop_at_size_limit(j_common_ptr jpeg) {
  leave(jpeg, Stop::kSizeLimit);
}

void LibjpegGuard::stop_at_scan_limit(j_common_ptr jpeg) {
  leave(jpeg, Stop::kScanLimit);
}

void LibjpegGuard::on_error(j_common_ptr jpeg) {
  Frame& frame = frame_of(jpeg);
  frame.manager.format_message(jpeg, frame.message);
  leave(jpeg, Stop::kError);
}

// True when the damage is that the data have ended, or a consequence of it.
bool LibjpegGuard::note_truncation(j_common_ptr jpeg) {
  Frame& frame = frame_of(jpeg);
  if (!frame.accepts_truncation || jpeg->is_decompressor == FALSE) return false;
  if (frame.is_truncated) return true;
  const auto& input = *reinterpret_cast<j_decompress_ptr>(jpeg);
  // An end marker of the file's own in the midst of a picture tells of other damage.
  if (frame.manager.msg_code != JWRN_HIT_MARKER || !frame.ended_early) return false;
  if (input.comps_in_scan < 1) return false;
  frame.is_truncated = true;
  frame.truncation = {input.input_iMCU_row, input.total_iMCU_rows,
                      input.cur_comp_info[0]->component_index, input.Ss, input.Ah == 0};
  return true;
}

void LibjpegGuard::on_message(j_common_ptr jpeg, int level) {
  if (level >= 0) return;  // a trace
  Frame& frame = frame_of(jpeg);
  if (is_damage(frame.manager) && !note_truncation(jpeg)) on_error(jpeg);
  if (frame.manager.msg_code == JWRN_JPEG_EOF) frame.ended_early = true;
  if (frame.warning[0] == '\0') frame.manager.format_message(jpeg, frame.warning);
}

// libjpeg's own writes to standard error.
void LibjpegGuard::on_output(j_common_ptr) {}

bool LibjpegGuard::explain() const {
  switch (frame_.stop) {
    case Stop::kSizeLimit:
      return false;
    case Stop::kScanLimit:
      throw FaultError(Fault::kOutOfResources, "the JPEG file has too many scans");
    case Stop::kError:
      break;
  }
  if (frame_.manager.msg_code == JERR_NO_BACKING_STORE) {
    throw FaultError(Fault::kOutOfResources, "the JPEG file needs too much memory to decode");
  }
  throw FaultError(fault_of_error(frame_.manager.msg_code),
                   std::string("JPEG file: ") + frame_.message);
}

}  // namespace imgpress::press
