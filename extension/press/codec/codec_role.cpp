#include "press/codec/codec_role.hpp"

#include <malloc.h>
#include <sys/resource.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "channel/sealed_memory.hpp"
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

// A source up to this size is copied: mapping and unmapping it costs more.
constexpr std::uint64_t kMostCopiedBytes = 1 << 20;

struct Reply {
  wire::CompressReply message;
  UniqueFd image;
};

// The bytes of an image that has come in sealed memory.
class Source {
 public:
  // `copy` is kept from one image to the next.
  Source(int fd, std::uint64_t size, std::vector<std::uint8_t>& copy) {
    if (size > kMostCopiedBytes) {
      bytes_ = view_.emplace(fd).bytes();
      return;
    }
    copy.resize(size);
    read_sealed(fd, copy.data(), size);
    bytes_ = {copy.data(), size};
  }
  ByteView bytes() const { return bytes_; }

 private:
  std::optional<SealedView> view_;
  ByteView bytes_;
};

// Tells versions of an image apart for caches. It is not cryptographic, so it proves nothing.
std::string digest_of(const std::vector<std::uint8_t>& bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  std::array<char, 33> text{};
  std::snprintf(text.data(), text.size(), "%016llx%016llx",
                static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return text.data();
}

// The program, its libraries and the memory that it keeps.
constexpr std::uint64_t kProgramBytes = 96 << 20;

// An image that may not be large and that memory might not suffice for is refused by its header.
std::uint64_t large_above(const wire::CompressRequest& request, std::uint64_t memory,
                          std::uint64_t source_bytes) {
  if (request.may_be_large || memory == RLIM_INFINITY) return PixelLimits{}.large_above;
  const std::uint64_t fixed = kProgramBytes + 3 * source_bytes;  // itself, stripped, and the output
  return (memory - std::min(memory, fixed)) / kBytesPerPixel;
}

Reply compress_one(const wire::CompressRequest& request, ByteView source, std::uint64_t memory) {
  const CodecResult result = compress(
      source, {request.options, {request.max_pixels, large_above(request, memory, source.size)}});
  Reply reply;
  reply.image = make_sealed("imgpress output", {result.bytes.data(), result.bytes.size()});
  reply.message.format = result.format;
  reply.message.kept_source = result.kept_source;
  reply.message.width = result.width;
  reply.message.height = result.height;
  reply.message.warning = result.warning;
  reply.message.digest = digest_of(result.bytes);
  return reply;
}

Reply refusal(Fault fault, const std::string& reason) {
  Reply reply;
  reply.message.fault = fault;
  reply.message.reason = reason;
  return reply;
}

Reply large_image() {
  Reply reply;
  reply.message.is_large = true;
  return reply;
}

Reply out_of_memory(const wire::CompressRequest& request, std::uint64_t memory) {
  if (!request.may_be_large) return large_image();
  return refusal(Fault::kOutOfResources,
                 "the image needs more memory to decode than imgpress.codec_memory allows (" +
                     std::to_string(memory >> 20) + " MB)");
}

Reply handle(const wire::CompressRequest& request, int source_fd, std::uint64_t source_bytes,
             std::vector<std::uint8_t>& copy) {
  const std::uint64_t memory = limit_memory(!request.may_be_large);
  try {
    const Source source(source_fd, source_bytes, copy);
    limit_cpu(request.cpu_seconds);
    return compress_one(request, source.bytes(), memory);
  } catch (const LargeImage&) {
    return large_image();
  } catch (const FaultError& error) {
    return refusal(error.fault(), error.what());
  } catch (const std::bad_alloc&) {
    return out_of_memory(request, memory);
  } catch (const std::system_error& error) {
    if (error.code() == std::errc::not_enough_memory) return out_of_memory(request, memory);
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
  std::vector<std::uint8_t> copy;
  while (socket.receive(packet) == PacketSocket::Received::kPacket) {
    const auto* request = std::get_if<wire::CompressRequest>(&packet.message);
    if (request == nullptr) throw wire::WireError("unexpected message for a codec");
    const std::uint64_t source_bytes = sealed_size(packet.attachment.get());
    const std::clock_t begun = std::clock();
    Reply reply = handle(*request, packet.attachment.get(), source_bytes, copy);
    static_assert(CLOCKS_PER_SEC == 1'000'000);
    reply.message.work_us = static_cast<std::uint32_t>(std::clock() - begun);
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
