// compress_image() and compress_image_url(): an ordinary session's use of the press.
#include "core/plain_text.hpp"

#include "backend/bridge/boundary.hpp"
#include "backend/functions/effort_argument.hpp"
#include "backend/bridge/entry_points.hpp"
#include "backend/press_path.hpp"
#include "drain/session_press.hpp"
#include "backend/settings.hpp"
#include "channel/sealed_memory.hpp"

namespace imgpress {
namespace {

// How long after the press's own limit its answer may take.
constexpr long kGraceMs = 10 * 1000;

// Lives as long as the session: the press processes end with it.
SessionPress* session_press() {
  static SessionPress* press = nullptr;
  if (press == nullptr) {
    press = make_in<SessionPress>(TopMemoryContext);
    before_shmem_exit([](int, Datum arg) { reinterpret_cast<SessionPress*>(arg)->stop(); },
                      PointerGetDatum(press));
  }
  return press;
}

// What the caller wants the image to become.
struct Wish {
  int quality;
  Effort effort;
};

// Both functions take quality and effort behind the image.
Wish wish_of(FunctionCallInfo fcinfo) {
  const int quality = PG_GETARG_INT32(1);
  if (quality < 1 || quality > 100) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("quality %d is out of range", quality),
                    errhint("Give an integer from 1 to 100; 50 is the default.")));
  }
  return {quality, effort_argument(fcinfo, 2)};
}

void wait_for_answer(SessionPress* press, long timeout_ms) {
  const TimestampTz deadline =
      TimestampTzPlusMilliseconds(GetCurrentTimestamp(), timeout_ms + kGraceMs);
  bool answered = false;
  for (;;) {
    guard([&] { answered = press->poll(); });
    if (answered) return;
    const long left_ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);
    if (left_ms <= 0) {
      raise_fault(Fault::kTimeout, "the imgpress-press process does not answer");
    }
    WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_SOCKET_READABLE | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
                      press->wait_fd(), left_ms, PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
  }
}

// The press that still works for us is ended when an error (or a cancel) takes us out of here.
void wait_or_abandon(SessionPress* press, long timeout_ms) {
  PG_TRY();
  { wait_for_answer(press, timeout_ms); }
  PG_CATCH();
  {
    press->abandon();
    PG_RE_THROW();
  }
  PG_END_TRY();
}

void raise_if_failed(SessionPress* press, Fault fault, const std::string& message) {
  if (fault == Fault::kNone) return;
  char words[512];
  guard([&] { strlcpy(words, plain_text(message).c_str(), sizeof(words)); });
  press->forget_answer();
  raise_fault(fault, words);
}

// Copies the answer's memory into a bytea; `limit` is what a lying press must not exceed.
bytea* take_output(SessionPress* press, uint64 limit) {
  uint64 size = 0;
  guard([&] {
    size = sealed_size(press->attachment());
    if (size > limit) throw FaultError(Fault::kPressDied, "output of an impossible size");
  });
  auto* result = static_cast<bytea*>(palloc(VARHDRSZ + size));
  SET_VARSIZE(result, VARHDRSZ + size);
  guard([&] { read_sealed(press->attachment(), VARDATA(result), size); });
  press->forget_answer();
  return result;
}

// Compresses the sealed memory behind `source`.
bytea* compress(SessionPress* press, int source, uint64 source_size, Wish wish) {
  const Settings config = settings();
  const char* path = press_path();
  guard([&] {
    wire::CompressRequest request;
    request.id = 1;
    request.quality = static_cast<std::uint32_t>(wish.quality);
    request.max_pixels = static_cast<std::uint64_t>(config.max_pixels);
    request.cpu_seconds = static_cast<std::uint32_t>(config.codec_cpu_seconds);
    request.effort = wish.effort;
    request.accept_truncated = config.accept_truncated;
    press->begin(PressProcess::Role::kCodec, path, request, source);
  });
  wait_or_abandon(press, 4L * 1000 * config.codec_cpu_seconds);
  const auto* reply = std::get_if<wire::CompressReply>(&press->reply());
  if (reply == nullptr) raise_fault(Fault::kPressDied, "unexpected answer of imgpress-press");
  raise_if_failed(press, reply->fault, reply->message);
  return take_output(press, source_size);
}

// A sealed memory descriptor that is closed with the current memory context at the latest.
UniqueFd* make_descriptor() {
  return make_in<UniqueFd>(CurrentMemoryContext);
}

void fetch(SessionPress* press, const char* url, UniqueFd* body) {
  const Settings config = settings();
  const char* path = press_path();
  guard([&] {
    wire::FetchRequest request;
    request.id = 1;
    request.url = url;
    request.max_bytes = static_cast<std::uint64_t>(config.max_image_bytes);
    request.timeout_ms = static_cast<std::uint32_t>(config.fetch_timeout_ms);
    request.connect_timeout_ms = static_cast<std::uint32_t>(config.connect_timeout_ms);
    press->begin_fetch(path, {config.allowed_networks, 1, "imgpress"}, request);
  });
  wait_or_abandon(press, config.fetch_timeout_ms);
  const auto* reply = std::get_if<wire::FetchReply>(&press->reply());
  if (reply == nullptr) raise_fault(Fault::kPressDied, "unexpected answer of imgpress-press");
  raise_if_failed(press, reply->fault, reply->message);
  *body = press->take_attachment();
}

}  // namespace
}  // namespace imgpress

using namespace imgpress;

Datum imgpress_compress_image(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0) || PG_ARGISNULL(1)) PG_RETURN_NULL();
  const Wish wish = wish_of(fcinfo);
  bytea* image = PG_GETARG_BYTEA_PP(0);
  const uint64 size = VARSIZE_ANY_EXHDR(image);
  if (size > static_cast<uint64>(settings().max_image_bytes)) {
    raise_fault(Fault::kTooLarge,
                psprintf("the image has %llu bytes, more than the %d allowed",
                         static_cast<unsigned long long>(size), settings().max_image_bytes));
  }
  UniqueFd* source = make_descriptor();
  guard([&] {
    *source = make_sealed("imgpress-source",
                          {reinterpret_cast<const std::uint8_t*>(VARDATA_ANY(image)), size});
  });
  bytea* output = compress(session_press(), source->get(), size, wish);
  source->reset();
  PG_RETURN_BYTEA_P(output);
}

Datum imgpress_compress_image_url(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0) || PG_ARGISNULL(1)) PG_RETURN_NULL();
  const Wish wish = wish_of(fcinfo);
  const char* url = text_to_cstring(PG_GETARG_TEXT_PP(0));
  SessionPress* press = session_press();
  UniqueFd* source = make_descriptor();
  fetch(press, url, source);
  uint64 size = 0;
  guard([&] { size = sealed_size(source->get()); });
  bytea* output = compress(press, source->get(), size, wish);
  source->reset();
  PG_RETURN_BYTEA_P(output);
}
