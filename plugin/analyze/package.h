// A package that an image has installed, as its databases say. Values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace paceline::analyze {

enum class PackageKind : std::uint8_t { kDpkg, kApk, kPython };

struct Package {
  PackageKind kind = PackageKind::kDpkg;
  std::string name;
  std::string version;
  std::string section;                            ///< dpkg only.
  std::string architecture;                       ///< dpkg only: one name may be installed for several.
  bool required = false;                          ///< Essential, of priority "required", or what the image starts.
  std::vector<std::vector<std::string>> depends;  ///< Each: one of these names has to be there. Run time only.
  std::vector<std::string> provides;
  std::vector<std::string> paths;  ///< What it brought, folders too; from the root, without a leading slash.

  // What of that is in the image; filled in by attribute().
  std::uint64_t files = 0;       ///< Names that are no folders.
  std::uint64_t bytes = 0;       ///< Of their contents; hard links count once.
  std::uint64_t compressed = 0;  ///< Of the blobs.
  bool build_only = false;       ///< Nothing that stays needs it at run time.
};

/// "dpkg", "apk", "python"
[[nodiscard]] constexpr const char* word(PackageKind kind) {
  switch (kind) {
    case PackageKind::kApk:
      return "apk";
    case PackageKind::kPython:
      return "python";
    case PackageKind::kDpkg:
      break;
  }
  return "dpkg";
}

}  // namespace paceline::analyze
