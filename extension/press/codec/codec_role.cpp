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
#include "press/sandbox/resource_limits.hpp"

namespace imgpress::press {
namespace {

// Memory of images larger than this is returned to the kernel at once. Keeping it makes the next
// image faster, but an idle codec should not hold on to much.
constexpr std::uint64_t kLargeSourceBytes = 4 << 20;
constexpr std::uint64_t kLargePixels = 8'000'000;

constexpr std::chrono::seconds kSendTimeout{60};
constexpr int kMmapThreshold = 64 << 20;
constexpr int kTrimThreshold = 128 << 20;

struct Reply {
  wire::CompressReply message;
  UniqueFd image;
};

// Tells versions of an image apart for caches. The key is no secret, so it proves nothing.
std::string digest_of(std::string_view bytes) {
  const KeyedHash hash = keyed_hash({}, bytes);
  std::array<char, 33> text{};
  std::snprintf(text.data(), text.size(), "%016llx%016llx",
                static_cast<unsigned long long>(hash.high),
                static_cast<unsigned long long>(hash.low));
  return text.data();
}

Reply compress_one(const wire::CompressRequest& request, ByteView source) {
  const CodecResult result = compress(source, {request.options, request.max_pixels});
  Reply reply;
  reply.image = make_sealed("imgpress output", {result.bytes.data(), result.bytes.size()});
  reply.message.format = result.format;
  reply.message.kept_source = result.kept_source;
  reply.message.width = result.width;
  reply.message.height = result.height;
  reply.message.warning = result.warning;
  reply.message.digest =
      digest_of({reinterpret_cast<const char*>(result.bytes.data()), result.bytes.size()});
  return reply;
}

Reply refusal(Fault fault, const std::string& reason) {
  Reply reply;
  reply.message.fault = fault;
  reply.message.reason = reason;
  return reply;
}

Reply handle(const wire::CompressRequest& request, int source_fd) {
  try {
    const SealedView source(source_fd);
    limit_cpu(request.cpu_seconds);
    return compress_one(request, source.bytes());
  } catch (const FaultError& error) {
    return refusal(error.fault(), error.what());
  } catch (const std::bad_alloc&) {
    return refusal(Fault::kOutOfResources, "the image needs more memory than a codec may use");
  } catch (const std::system_error& error) {
    return refusal(Fault::kOutOfResources, error.what());
  }
}

}  // namespace

void keep_memory_between_images() {
  ::mallopt(M_MMAP_THRESHOLD, kMmapThreshold);
  ::mallopt(M_TRIM_THRESHOLD, kTrimThreshold);
}

void run_codec(PacketSocket socket) {
  keep_memory_between_images();
  Packet packet;
  while (socket.receive(packet) == PacketSocket::Received::kPacket) {
    const auto* request = std::get_if<wire::CompressRequest>(&packet.message);
    if (request == nullptr) throw wire::WireError("unexpected message for a codec");
    const std::uint64_t source_bytes = sealed_size(packet.attachment.get());
    const auto begun = std::chrono::steady_clock::now();
    Reply reply = handle(*request, packet.attachment.get());
    reply.message.work_us =
        static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                       std::chrono::steady_clock::now() - begun)
                                       .count());
    packet.attachment.reset();
    reply.message.id = request->id;
    const std::uint64_t pixels = std::uint64_t{reply.message.width} * reply.message.height;
    // A refused image may have been large, but its size in pixels is not known.
    if (source_bytes > kLargeSourceBytes || pixels > kLargePixels ||
        reply.message.fault != Fault::kNone) {
      ::malloc_trim(0);
    }
    if (socket.send_within(kSendTimeout, reply.message, reply.image.get()) !=
        PacketSocket::Sent::kYes) {
      return;
    }
  }
}

}  // namespace imgpress::press
