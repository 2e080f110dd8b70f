// compress_image_urls() and compress_images(): many images at a time, compressed by presses of this
// session. Each call returns one row, as soon as its image has ended, so that no more images are
// held than are being worked on.
#include <algorithm>
#include <deque>
#include <unordered_map>
#include <utility>

#include "channel/sealed_memory.hpp"

#include "backend/access/origin_headers.hpp"
#include "backend/bridge/boundary.hpp"
#include "backend/image_options.hpp"
#include "backend/presses/press_path.hpp"
#include "backend/presses/session_pipeline.hpp"
#include "backend/settings.hpp"
#include "backend/worker/drainer_settings.hpp"

namespace imgpress {
namespace {

constexpr std::size_t kMostDownloads = 64;
constexpr std::uint64_t kMostBytes = 64 << 20;  // of the images that are held
// As often may the process that downloads end with an image before that is the image's error.
constexpr int kMaxInterruptions = 3;
constexpr long kLongestWaitMs = 60'000;

// A call in a query, from its first row to its last.
struct ImageSet {
  PipelineLease pipeline;
  ImageOptions options;
  std::size_t codecs = 0;
  bool are_urls = false;
  Datum* elements = nullptr;
  bool* nulls = nullptr;
  int count = 0;
  int next = 0;             // index of the first element that has not been begun
  std::deque<int> again;    // elements whose download was cut short
  std::size_t held = 0;     // images that are being worked on
  std::uint64_t bytes = 0;  // of those that were given as bytes
  std::unordered_map<int, int> interruptions;
  bool host_wants_pause = false;
  std::deque<ImageOutcome> ended;
  ImageOutcome current;  // of the row that is being returned

  void take_outcomes();
  bool is_full() const {
    if (are_urls) return held >= kMostDownloads;
    return held >= 3 * codecs || (held > 0 && bytes >= kMostBytes);
  }
  bool has_more() const { return next < count || !again.empty(); }
};

void ImageSet::take_outcomes() {
  for (ImageOutcome& outcome : pipeline.get()->take_image_outcomes()) {
    --held;
    if (!are_urls) bytes -= std::min(bytes, outcome.source_bytes);
    host_wants_pause = host_wants_pause || outcome.retry_after_seconds > 0;
    const int index = static_cast<int>(outcome.key) - 1;
    if (outcome.ending == Ending::kInterrupted && ++interruptions[index] < kMaxInterruptions) {
      again.push_back(index);
    } else {
      ended.push_back(std::move(outcome));
    }
  }
}

void begin_url(ImageSet* set, int index) {
  const char* url = set->nulls[index] ? "" : TextDatumGetCString(set->elements[index]);
  const Lines headers = session_headers(url);
  guard([&] {
    set->pipeline.get()->add(ImageTask{static_cast<std::uint64_t>(index) + 1,
                                       url,
                                       set->options,
                                       {},
                                       {headers.begin, headers.end}});
    ++set->held;
  });
}

// An image that ends without having been given to a codec.
void end_at_once(ImageSet* set, int index, Fault fault, const char* reason) {
  guard([&] {
    ImageOutcome outcome;
    outcome.key = static_cast<std::uint64_t>(index) + 1;
    outcome.fault = fault;
    outcome.reason = reason;
    set->ended.push_back(std::move(outcome));
  });
}

void begin_image(ImageSet* set, int index) {
  if (set->nulls[index]) return end_at_once(set, index, Fault::kNone, "");
  bytea* image = DatumGetByteaPP(set->elements[index]);
  const std::uint64_t size = VARSIZE_ANY_EXHDR(image);
  const int limit = settings().image_limits.max_image_bytes;
  if (size > static_cast<std::uint64_t>(limit)) {
    return end_at_once(set, index, Fault::kTooLarge,
                       psprintf("the image has %llu bytes; at most %d are allowed",
                                static_cast<unsigned long long>(size), limit));
  }
  guard([&] {
    FetchedImage source;
    source.task = {static_cast<std::uint64_t>(index) + 1, "", set->options};
    source.source = make_sealed("imgpress-source",
                                {reinterpret_cast<const std::uint8_t*>(VARDATA_ANY(image)), size});
    source.source_bytes = size;
    set->pipeline.get()->add(std::move(source));
    ++set->held;
    set->bytes += size;
  });
}

void begin_images(ImageSet* set) {
  while (set->has_more() && !set->is_full()) {
    CHECK_FOR_INTERRUPTS();
    int index = set->next;
    if (set->again.empty()) {
      ++set->next;
    } else {
      index = set->again.front();
      set->again.pop_front();
    }
    set->are_urls ? begin_url(set, index) : begin_image(set, index);
  }
}

// Milliseconds until the pipeline wants its turn.
long patience_ms(const PressPipeline* pipeline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(pipeline->deadline() - Clock::now());
  return std::clamp<long>(left.count(), 0, kLongestWaitMs);
}

// Waits until an image has ended; false if there is none any more.
bool next_image(ImageSet* set) {
  for (;;) {
    begin_images(set);
    if (set->ended.empty() && set->held > 0) {
      guard([&] {
        set->pipeline.get()->turn(Clock::now());
        set->take_outcomes();
      });
    }
    if (!set->ended.empty()) break;
    if (set->has_more() && !set->is_full()) continue;
    if (set->held == 0) return false;
    WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_SOCKET_READABLE | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
                      set->pipeline.get()->wait_fd(), patience_ms(set->pipeline.get()),
                      PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
  }
  set->current = std::move(set->ended.front());
  set->ended.pop_front();
  return true;
}

bytea* output_of(const ImageOutcome* outcome) {
  auto* bytes = static_cast<bytea*>(palloc(VARHDRSZ + outcome->output_bytes));
  SET_VARSIZE(bytes, VARHDRSZ + outcome->output_bytes);
  guard([&] { read_sealed(outcome->output.get(), VARDATA(bytes), outcome->output_bytes); });
  return bytes;
}

// Columns: position, (of URLs: url,) bytes, error, error_code, content_type, width, height,
// source_bytes.
Datum row_of(const ImageSet* set, TupleDesc descriptor) {
  constexpr int kMostColumns = 9;
  Datum values[kMostColumns] = {};
  bool nulls[kMostColumns];
  std::fill(std::begin(nulls), std::end(nulls), true);
  int column = 0;
  const auto put = [&](bool is_given, Datum value) {
    nulls[column] = !is_given;
    values[column++] = value;
  };
  const ImageOutcome* outcome = &set->current;
  const int index = static_cast<int>(outcome->key) - 1;
  const bool has_output = static_cast<bool>(outcome->output);
  const bool failed = outcome->fault != Fault::kNone;
  put(true, Int32GetDatum(index + 1));
  if (set->are_urls) put(!set->nulls[index], set->elements[index]);
  put(has_output, has_output ? PointerGetDatum(output_of(outcome)) : 0);
  put(failed, CStringGetTextDatum(outcome->reason.c_str()));
  put(failed, CStringGetTextDatum(error_code(outcome->fault).name));
  put(has_output, CStringGetTextDatum(info_of(outcome->format).media_type));
  put(has_output, Int32GetDatum(static_cast<int32>(outcome->width)));
  put(has_output, Int32GetDatum(static_cast<int32>(outcome->height)));
  put(outcome->source_bytes > 0, Int32GetDatum(static_cast<int32>(outcome->source_bytes)));
  return HeapTupleGetDatum(heap_form_tuple(descriptor, values, nulls));
}

ImageSet* begin_set(FunctionCallInfo fcinfo, bool are_urls) {
  auto* set = make_in<ImageSet>(CurrentMemoryContext);
  set->options = options_of_arguments(fcinfo, 1);
  set->are_urls = are_urls;
  deconstruct_array(PG_GETARG_ARRAYTYPE_P_COPY(0), are_urls ? TEXTOID : BYTEAOID, -1, false,
                    TYPALIGN_INT, &set->elements, &set->nulls, &set->count);
  if (set->count == 0) return set;
  const Settings config = settings();
  const char* path = press_path();
  guard([&] {
    PipelineSettings wanted = pipeline_settings(config, path);
    wanted.codecs = std::min(wanted.codecs, static_cast<std::size_t>(set->count));
    wanted.memory_limit = std::min(wanted.memory_limit, kMostBytes);
    set->pipeline.take(wanted, Clock::now());
    set->codecs = set->pipeline.get()->codecs();
  });
  return set;
}

// A host's wish for a pause holds for the next call, too, unless that has another fetcher: the user
// decides when to ask again.
void end_set(ImageSet* set) {
  if (set->pipeline.get() == nullptr) return;
  guard([&] { set->host_wants_pause ? set->pipeline.end() : set->pipeline.give_back(); });
}

Datum next_row(FunctionCallInfo fcinfo, bool are_urls) {
  if (SRF_IS_FIRSTCALL()) {
    FuncCallContext* first = SRF_FIRSTCALL_INIT();
    if (PG_ARGISNULL(0)) SRF_RETURN_DONE(first);
    const MemoryContext caller = MemoryContextSwitchTo(first->multi_call_memory_ctx);
    if (get_call_result_type(fcinfo, nullptr, &first->tuple_desc) != TYPEFUNC_COMPOSITE) {
      elog(ERROR, "return type must be a row type");
    }
    first->tuple_desc = BlessTupleDesc(first->tuple_desc);
    first->user_fctx = begin_set(fcinfo, are_urls);
    MemoryContextSwitchTo(caller);
  }
  FuncCallContext* call = SRF_PERCALL_SETUP();
  auto* set = static_cast<ImageSet*>(call->user_fctx);
  if (next_image(set)) {
    const Datum row = row_of(set, call->tuple_desc);
    guard([&] { set->current = {}; });
    SRF_RETURN_NEXT(call, row);
  }
  end_set(set);
  SRF_RETURN_DONE(call);
}

}  // namespace
}  // namespace imgpress

using namespace imgpress;

extern "C" {
PG_FUNCTION_INFO_V1(imgpress_compress_image_urls);
PG_FUNCTION_INFO_V1(imgpress_compress_images);
}

Datum imgpress_compress_image_urls(PG_FUNCTION_ARGS) {
  return next_row(fcinfo, true);
}

Datum imgpress_compress_images(PG_FUNCTION_ARGS) {
  return next_row(fcinfo, false);
}
