#include "plugin/base/digest.h"

#include <openssl/evp.h>

#include <cstdlib>
#include <utility>

namespace paceline {
namespace {

constexpr std::string_view kPrefix = "sha256:";
constexpr std::size_t kHexLength = 64;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

EVP_MD_CTX* as_context(void* context) { return static_cast<EVP_MD_CTX*>(context); }

// OpenSSL's digest calls fail only when memory is gone or the library is broken; there is no way on from either.
void require(bool ok) {
  if (!ok) std::abort();
}

}  // namespace

Result<Digest> Digest::parse(std::string_view text) {
  if (!text.starts_with(kPrefix)) {
    return fail(Code::kInvalidArgument,
                "digest '" + std::string(text.substr(0, 80)) + "' is not sha256: expected 'sha256:' and 64 hex digits");
  }
  return from_hex(text.substr(kPrefix.size()));
}

Result<Digest> Digest::from_hex(std::string_view hex) {
  if (hex.size() != kHexLength) {
    return fail(Code::kInvalidArgument, "digest '" + std::string(hex.substr(0, 80)) + "' has " +
                                            std::to_string(hex.size()) + " characters, expected 64 hex digits");
  }
  Bytes bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int high = hex_value(hex[2 * i]);
    const int low = hex_value(hex[2 * i + 1]);
    if (high < 0 || low < 0) {
      return fail(Code::kInvalidArgument, "digest '" + std::string(hex) + "' is not lower-case hexadecimal");
    }
    bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return Digest(bytes);
}

std::string Digest::hex() const {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(kHexLength);
  for (const std::uint8_t byte : bytes_) {
    out.push_back(kDigits[byte >> 4U]);
    out.push_back(kDigits[byte & 15U]);
  }
  return out;
}

std::string Digest::to_string() const { return std::string(kPrefix) + hex(); }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  require(context_ != nullptr && EVP_DigestInit_ex(as_context(context_), EVP_sha256(), nullptr) == 1);
}

Sha256::~Sha256() { EVP_MD_CTX_free(as_context(context_)); }

Sha256::Sha256(Sha256&& other) noexcept : context_(std::exchange(other.context_, nullptr)) {}

Sha256& Sha256::operator=(Sha256&& other) noexcept {
  std::swap(context_, other.context_);
  return *this;
}

void Sha256::update(std::span<const std::byte> data) {
  require(EVP_DigestUpdate(as_context(context_), data.data(), data.size()) == 1);
}

Digest Sha256::digest() const {
  EVP_MD_CTX* copy = EVP_MD_CTX_new();
  Digest::Bytes bytes{};
  unsigned length = 0;
  require(copy != nullptr && EVP_MD_CTX_copy_ex(copy, as_context(context_)) == 1 &&
          EVP_DigestFinal_ex(copy, bytes.data(), &length) == 1 && length == bytes.size());
  EVP_MD_CTX_free(copy);
  return Digest(bytes);
}

Digest sha256(std::string_view data) {
  Sha256 hasher;
  hasher.update(data);
  return hasher.digest();
}

}  // namespace paceline
