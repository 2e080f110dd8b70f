#include "press/codec/codec_role.hpp"

#include <malloc.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "channel/sealed_memory.hpp"
#include "core/text/keyed_hash.hpp"
#include "press/codec/codec.hpp"
#include "press/sandbox/confinement.hpp"

namespace imgpress::press {
namespace {

// Memory of an image beyond these sizes goes back to the kernel at once instead of being kept by
// an idle process; below, keeping it makes the next image faster.
constexpr std::uint64_t kLargeSourceBytes = 4 << 20;
constexpr std::uint64_t kLargePixels = 8'000'000;

constexpr std::chrono::seconds kSendPatience{60};
constexpr int kKeptBlockBytes = 64 << 20;
constexpr int kKeptHeapBytes = 128 << 20;

struct Answer {
  wire::CompressReply reply;
  UniqueFd image;
};

// The hash is keyed with what everybody knows: it tells versions of a picture apart for caches, and
// is no proof of anything.
std::string digest_of(std::string_view bytes) {
  const KeyedHash hash = keyed_hash({}, bytes);
  std::array<char, 33> text{};
  std::snprintf(text.data(), text.size(), "%016llx%016llx",
                static_cast<unsigned long long>(hash.high),
                static_cast<unsigned long long>(hash.low));
  return text.data();
}

Answer compress_one(const wire::CompressRequest& request, ByteView source) {
  const CodecResult result = compress(source, {request.options, request.max_pixels});
  Answer answer;
  answer.image = make_sealed("imgpress output", {result.bytes.data(), result.bytes.size()});
  answer.reply.format = result.format;
  answer.reply.kept_source = result.kept_source;
  answer.reply.width = result.width;
  answer.reply.height = result.height;
  answer.reply.warning = result.warning;
  answer.reply.digest =
      digest_of({reinterpret_cast<const char*>(result.bytes.data()), result.bytes.size()});
  return answer;
}

Answer failed(Fault fault, const std::string& reason) {
  Answer answer;
  answer.reply.fault = fault;
  answer.reply.reason = reason;
  return answer;
}

Answer handle(const wire::CompressRequest& request, int source_fd) {
  try {
    const SealedView source(source_fd);
    limit_cpu(request.cpu_seconds);
    return compress_one(request, source.bytes());
  } catch (const FaultError& error) {
    return failed(error.fault(), error.what());
  } catch (const std::bad_alloc&) {
    return failed(Fault::kOutOfResources, "the image needs more memory than a codec may use");
  } catch (const std::system_error& error) {
    return failed(Fault::kOutOfResources, error.what());
  }
}

}  // namespace

void keep_memory_between_images() {
  ::mallopt(M_MMAP_THRESHOLD, kKeptBlockBytes);
  ::mallopt(M_TRIM_THRESHOLD, kKeptHeapBytes);
}

void run_codec(PacketSocket socket) {
  keep_memory_between_images();
  Packet packet;
  while (socket.receive(packet) == PacketSocket::Received::kPacket) {
    const auto* request = std::get_if<wire::CompressRequest>(&packet.message);
    if (request == nullptr) throw wire::WireError("unexpected message for a codec");
    const std::uint64_t source_bytes = sealed_size(packet.attachment.get());
    const auto begun = std::chrono::steady_clock::now();
    Answer answer = handle(*request, packet.attachment.get());
    answer.reply.work_us =
        static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                       std::chrono::steady_clock::now() - begun)
                                       .count());
    packet.attachment.reset();
    answer.reply.id = request->id;
    const std::uint64_t pixels = std::uint64_t{answer.reply.width} * answer.reply.height;
    // A refused image may have been a large one: then only its source tells.
    if (source_bytes > kLargeSourceBytes || pixels > kLargePixels ||
        answer.reply.fault != Fault::kNone) {
      ::malloc_trim(0);
    }
    if (socket.send_within(kSendPatience, answer.reply, answer.image.get()) !=
        PacketSocket::Sent::kYes) {
      return;
    }
  }
}

}  // namespace imgpress::press
