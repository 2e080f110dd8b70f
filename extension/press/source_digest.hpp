// A cryptographic digest of what was downloaded: an origin cannot make two images that have the
// same one.
#pragma once

#include <openssl/evp.h>

#include <memory>
#include <new>
#include <string>

#include "core/text/bytes.hpp"

namespace imgpress::press {

class SourceDigest {
 public:
  SourceDigest() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    require(context_ != nullptr);
    restart();
  }
  void restart() { require(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1); }
  void add(ByteView bytes) {
    require(EVP_DigestUpdate(context_.get(), bytes.data, bytes.size) == 1);
  }
  // The 32 bytes of SHA-256. Nothing can be added afterwards.
  std::string finish() {
    std::string digest(static_cast<std::size_t>(EVP_MD_size(EVP_sha256())), '\0');
    auto* bytes = reinterpret_cast<unsigned char*>(digest.data());
    require(EVP_DigestFinal_ex(context_.get(), bytes, nullptr) == 1);
    return digest;
  }

 private:
  static void require(bool condition) {
    if (!condition) throw std::bad_alloc();
  }

  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace imgpress::press
