// compress_image() and compress_image_url(): one image, compressed by the press of this session.
#include <algorithm>
#include <utility>

#include "channel/sealed_memory.hpp"
#include "drain/presses/session_press.hpp"

#include "backend/access/origin_headers.hpp"
#include "backend/bridge/boundary.hpp"
#include "backend/image_options.hpp"
#include "backend/presses/press_path.hpp"
#include "backend/settings.hpp"

namespace imgpress {
namespace {

// Lives as long as the session: the press processes end with it.
SessionPress* session_press() {
  static SessionPress* press = nullptr;
  if (press == nullptr) {
    press = make_in<SessionPress>(TopMemoryContext);
    before_shmem_exit(
        [](int, Datum arg) { reinterpret_cast<SessionPress*>(DatumGetPointer(arg))->stop(); },
        PointerGetDatum(press));
  }
  return press;
}

// Milliseconds until the press counts as hung, which poll() then reports.
long patience_ms(const SessionPress* press) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(press->deadline() - Clock::now());
  return std::max<long>(left.count(), 0);
}

void wait_for_answer(SessionPress* press) {
  bool answered = false;
  for (;;) {
    guard([&] { answered = press->poll(Clock::now()); });
    if (answered) return;
    WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_SOCKET_READABLE | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
                      press->wait_fd(), patience_ms(press), PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
  }
}

// Ends the press that still works on the image when an error or a cancel interrupts the wait.
void wait_or_abandon(SessionPress* press) {
  PG_TRY();
  { wait_for_answer(press); }
  PG_CATCH();
  {
    press->abandon();
    PG_RE_THROW();
  }
  PG_END_TRY();
}

// Settings for the press; they live in the current memory context.
const PressSettings* make_press_settings() {
  const Settings config = settings();
  auto* made = make_in<PressSettings>(CurrentMemoryContext);
  const char* path = press_path();
  guard([&] { *made = press_settings(config, path); });
  return made;
}

bytea* compress(SessionPress* press, FetchedImage* image, const PressSettings* config,
                const ImageOptions& options) {
  guard([&] {
    image->task = {1, "", options};
    press->begin_compression(std::move(*image), *config);
  });
  wait_or_abandon(press);
  const uint64 size = press->compressed().output_bytes;
  auto* result = static_cast<bytea*>(palloc(VARHDRSZ + size));
  SET_VARSIZE(result, VARHDRSZ + size);
  guard([&] {
    read_sealed(press->compressed().output.get(), VARDATA(result), size);
    press->forget_compressed();
  });
  return result;
}

}  // namespace
}  // namespace imgpress

using namespace imgpress;

extern "C" {
PG_FUNCTION_INFO_V1(imgpress_compress_image);
PG_FUNCTION_INFO_V1(imgpress_compress_image_url);
}

Datum imgpress_compress_image(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0)) PG_RETURN_NULL();
  const ImageOptions options = options_of_arguments(fcinfo, 1);
  bytea* image = PG_GETARG_BYTEA_PP(0);
  const uint64 size = VARSIZE_ANY_EXHDR(image);
  if (size > static_cast<uint64>(settings().image_limits.max_image_bytes)) {
    raise_fault(Fault::kTooLarge, psprintf("the image has %llu bytes; at most %d are allowed",
                                           static_cast<unsigned long long>(size),
                                           settings().image_limits.max_image_bytes));
  }
  auto* source = make_in<FetchedImage>(CurrentMemoryContext);
  guard([&] {
    source->source = make_sealed("imgpress-source",
                                 {reinterpret_cast<const std::uint8_t*>(VARDATA_ANY(image)), size});
    source->source_bytes = size;
  });
  PG_RETURN_BYTEA_P(compress(session_press(), source, make_press_settings(), options));
}

Datum imgpress_compress_image_url(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0)) PG_RETURN_NULL();
  const ImageOptions options = options_of_arguments(fcinfo, 1);
  const char* url = text_to_cstring(PG_GETARG_TEXT_PP(0));
  SessionPress* press = session_press();
  const PressSettings* config = make_press_settings();
  const Lines headers = session_headers(url);
  guard([&] { press->begin_download({url, {}, {headers.begin, headers.end}}, *config); });
  wait_or_abandon(press);
  auto* source = make_in<FetchedImage>(CurrentMemoryContext);
  guard([&] { *source = press->take_download(); });
  PG_RETURN_BYTEA_P(compress(press, source, config, options));
}
