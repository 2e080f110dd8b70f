#include "http/body.hpp"

#include <zlib.h>

#include <cctype>
#include <cstdlib>
#include <new>

namespace imgpress::gateway {
namespace {

constexpr std::size_t kWorthGzip = 1024;
constexpr int kLevel = 6;
constexpr int kGzipFormat = 15 + 16;  // the largest window, with gzip's header
constexpr int kMemoryLevel = 8;

}  // namespace

struct BodyBuilder::Gzip {
  Gzip() {
    if (deflateInit2(&stream, kLevel, Z_DEFLATED, kGzipFormat, kMemoryLevel, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
      throw std::bad_alloc();
    }
  }
  ~Gzip() { deflateEnd(&stream); }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  void write(std::string_view text, int flush, Spool& spool) {
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    do {
      char out[16 * 1024];
      stream.next_out = reinterpret_cast<Bytef*>(out);
      stream.avail_out = sizeof out;
      deflate(&stream, flush);
      spool.append({out, sizeof out - stream.avail_out});
    } while (stream.avail_out == 0);
  }

  z_stream stream{};
};

BodyBuilder::BodyBuilder(SpoolSpace& space, bool may_gzip)
    : spool_(std::make_shared<Spool>(space)), may_gzip_(may_gzip) {}

BodyBuilder::~BodyBuilder() = default;
BodyBuilder::BodyBuilder(BodyBuilder&&) noexcept = default;

void BodyBuilder::append(std::string_view text) {
  if (!may_gzip_) return spool_->append(text);
  if (gzip_) return gzip_->write(text, Z_NO_FLUSH, *spool_);
  first_.append(text);
  if (first_.size() < kWorthGzip) return;
  gzip_ = std::make_unique<Gzip>();
  gzip_->write(first_, Z_NO_FLUSH, *spool_);
}

Body BodyBuilder::finish(std::string type) {
  if (gzip_) {
    gzip_->write({}, Z_FINISH, *spool_);
  } else {
    spool_->append(first_);
  }
  return {std::move(spool_), std::move(type), gzip_ != nullptr};
}

bool accepts_gzip(const std::string& accept_encoding) {
  std::string list(",");
  for (const char c : accept_encoding) {
    if (c == ' ' || c == '\t') continue;
    list += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  list += ',';
  for (const std::string name : {",gzip", ",*"}) {
    const std::size_t at = list.find(name);
    if (at == list.npos) continue;
    const std::string rest = list.substr(at + name.size());
    if (rest[0] == ',') return true;
    if (rest.rfind(";q=", 0) == 0) return std::strtod(rest.c_str() + 3, nullptr) > 0;
  }
  return false;
}

}  // namespace imgpress::gateway
