// The platform of an image (OCI image-index, "platform" object) and how one is matched. Values, any thread.
#pragma once

#include <string>
#include <string_view>

#include "plugin/base/result.h"

namespace paceline::oci {

struct Platform {
  std::string os;
  std::string architecture;
  std::string variant;  ///< "v7", "v8"; empty where the architecture has none.

  /// "linux/arm64/v8"; names are normalised as containerd does (x86_64 → amd64, aarch64 → arm64, …).
  static Result<Platform> parse(std::string_view text);
  /// The machine this process runs on.
  static Platform host();
  [[nodiscard]] std::string to_string() const;
  /// Whether an image built for `image` runs here; arm variants: a lower variant runs on a higher one.
  [[nodiscard]] bool runs(const Platform& image) const;

  bool operator==(const Platform&) const = default;
};

}  // namespace paceline::oci
