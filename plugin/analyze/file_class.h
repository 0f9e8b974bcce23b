// What a file is there for, where that says that a running container does without it. Pure functions, any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "plugin/analyze/package.h"

namespace paceline::analyze {

enum class FileClass : std::uint8_t {
  kNeeded,        ///< Or nothing is known against it.
  kHidden,        ///< Overwritten or deleted in a later layer: it is in the image, and no container sees it.
  kBuildPackage,  ///< Of a package that is for building only.
  kAptLists,      ///< apt-get update brings them back.
  kCache,         ///< Of package managers: downloads and what they made of them.
  kHeader,        ///< For compilers, and of no package that stays.
  kStaticLibrary,
  kDocs,       ///< Manuals and documentation; licences stay.
  kLocale,     ///< Translations to other languages than English.
  kBytecode,   ///< Python makes it anew from the source beside it.
  kDuplicate,  ///< The same bytes as another file of the image.
};
inline constexpr std::size_t kFileClasses = 11;
inline constexpr std::array<FileClass, kFileClasses> kAllFileClasses = {
    FileClass::kNeeded, FileClass::kHidden,   FileClass::kBuildPackage,  FileClass::kAptLists,
    FileClass::kCache,  FileClass::kHeader,   FileClass::kStaticLibrary, FileClass::kDocs,
    FileClass::kLocale, FileClass::kBytecode, FileClass::kDuplicate};

/// "hidden", "build-packages", …: stable names, in JSON too.
[[nodiscard]] std::string_view name_of(FileClass file_class);

/// What has to be known of a file beside its path.
struct FileFacts {
  const Package* owner = nullptr;  ///< Null: of no package.
  bool symlink = false;
  bool compiling = false;  ///< Something in the image compiles at run time (build_only.h).
};

/// Never kHidden, kBytecode or kDuplicate, for which the rest of the image has to be looked at.
[[nodiscard]] FileClass classify(std::string_view path, const FileFacts& facts);

/// Of a path like "a/__pycache__/b.cpython-311.pyc": "a/b.py", from which Python makes it; empty: it is none.
[[nodiscard]] std::string bytecode_source(std::string_view path);

}  // namespace paceline::analyze
