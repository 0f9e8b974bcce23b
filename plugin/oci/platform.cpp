#include "plugin/oci/platform.h"

#include <sys/utsname.h>

#include <algorithm>
#include <charconv>

#include "plugin/base/text.h"

namespace paceline::oci {
namespace {

// The names that uname, Debian, Go and people use for the same machine (containerd/platforms, database.go).
void normalise(Platform& platform) {
  auto& [os, architecture, variant] = platform;
  os = to_lower(os);
  architecture = to_lower(architecture);
  variant = to_lower(variant);
  if (os == "macos") os = "darwin";
  if (!variant.empty() && variant.front() != 'v') {
    if (std::all_of(variant.begin(), variant.end(), [](char c) { return c >= '0' && c <= '9'; })) {
      variant.insert(0, "v");
    }
  }
  if (architecture == "x86_64" || architecture == "x86-64") architecture = "amd64";
  if (architecture == "i386" || architecture == "i486" || architecture == "i586" || architecture == "i686") {
    architecture = "386";
  }
  if (architecture == "aarch64") architecture = "arm64";
  if (architecture == "armhf" || architecture == "armv7l" || architecture == "armv7") {
    architecture = "arm";
    variant = "v7";
  } else if (architecture == "armel" || architecture == "armv6l" || architecture == "armv6") {
    architecture = "arm";
    variant = "v6";
  } else if (architecture == "armv8l") {
    architecture = "arm";
    variant = "v8";
  } else if (architecture == "armv5l" || architecture == "armv5tel" || architecture == "armv5") {
    architecture = "arm";
    variant = "v5";
  }
  if (architecture == "arm64" && variant.empty()) variant = "v8";
  if (architecture == "arm" && variant.empty()) variant = "v7";
  if (architecture == "amd64" && variant == "v1") variant.clear();
}

// "v8" → 8, "" → 1, anything else → 0: unknown, compared by name only.
unsigned variant_number(const std::string& variant) {
  if (variant.empty()) return 1;
  unsigned number = 0;
  const char* end = variant.data() + variant.size();
  const auto [rest, error] = std::from_chars(variant.data() + 1, end, number);
  return variant.front() == 'v' && error == std::errc{} && rest == end ? number : 0;
}

bool variant_runs(const std::string& machine, const std::string& image) {
  if (machine == image) return true;
  const unsigned ours = variant_number(machine);
  const unsigned theirs = variant_number(image);
  return ours != 0 && theirs != 0 && theirs <= ours;
}

bool valid_component(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '-';
  });
}

}  // namespace

Result<Platform> Platform::parse(std::string_view text) {
  const auto parts = split(text, '/');
  if (parts.size() < 2 || parts.size() > 3 || !std::all_of(parts.begin(), parts.end(), valid_component)) {
    return fail(Code::kInvalidArgument, "'" + std::string(text.substr(0, 80)) +
                                            "' is not a platform: write os/architecture[/variant], e.g. linux/arm64");
  }
  Platform platform{std::string(parts[0]), std::string(parts[1]), parts.size() == 3 ? std::string(parts[2]) : ""};
  normalise(platform);
  return platform;
}

Platform Platform::host() {
  utsname machine{};
  Platform platform{"linux", ::uname(&machine) == 0 ? machine.machine : "amd64", ""};
  normalise(platform);
  return platform;
}

std::string Platform::to_string() const {
  return os + "/" + architecture + (variant.empty() ? std::string() : "/" + variant);
}

bool Platform::runs(const Platform& image) const {
  if (os != image.os) return false;
  if (architecture == image.architecture) return variant_runs(variant, image.variant);
  // The 32-bit sets that a 64-bit machine runs too (containerd's order of preference knows the same two).
  if (architecture == "amd64") return image.architecture == "386";
  if (architecture == "arm64") return image.architecture == "arm" && variant_number(image.variant) <= 8;
  return false;
}

}  // namespace paceline::oci
