// A content digest as OCI writes it (image-spec descriptor.md, "Digests"): "sha256:" and 64 lower-case hex digits.
// Only sha256 is accepted: it is what registries and containerd use for blobs. Immutable value, any thread.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "plugin/base/result.h"

namespace paceline {

class Digest {
 public:
  using Bytes = std::array<std::uint8_t, 32>;

  Digest() = default;  ///< All zero; only a placeholder for containers.
  explicit Digest(const Bytes& bytes) : bytes_(bytes) {}

  /// Parses "sha256:<64 hex>"; kInvalidArgument names what is wrong.
  static Result<Digest> parse(std::string_view text);
  /// Parses the bare 64 hex digits (a blob's file name).
  static Result<Digest> from_hex(std::string_view hex);

  [[nodiscard]] std::string hex() const;
  [[nodiscard]] std::string to_string() const;  ///< "sha256:<hex>"
  [[nodiscard]] std::string short_hex() const { return hex().substr(0, 12); }
  [[nodiscard]] const Bytes& bytes() const { return bytes_; }

  auto operator<=>(const Digest&) const = default;

 private:
  Bytes bytes_{};
};

/// Incremental SHA-256 (OpenSSL; uses SHA-NI where the CPU has it). One thread at a time; movable.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&& other) noexcept;
  Sha256& operator=(Sha256&& other) noexcept;

  void update(std::span<const std::byte> data);
  void update(std::string_view data) { update(std::as_bytes(std::span(data))); }
  /// Digest of what was fed so far; the object may be fed further.
  [[nodiscard]] Digest digest() const;

 private:
  void* context_;  // EVP_MD_CTX
};

[[nodiscard]] Digest sha256(std::string_view data);

}  // namespace paceline

template <>
struct std::hash<paceline::Digest> {
  std::size_t operator()(const paceline::Digest& digest) const noexcept {
    std::size_t value = 0;  // A digest is uniformly distributed: its first bytes are hash enough.
    for (std::size_t i = 0; i < sizeof(value); ++i) value = value << 8U | digest.bytes()[i];
    return value;
  }
};
