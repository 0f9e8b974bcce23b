// One 512-byte header block of a tar archive: pre-POSIX, ustar, star and GNU, octal and base-256 numbers. Reads what
// Go's archive/tar reads, since that decides what a layer means to containerd. Pure functions, any thread.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/base/result.h"

namespace paceline::unpack {

inline constexpr std::size_t kTarBlock = 512;
using TarBlock = std::span<const std::byte, kTarBlock>;

struct Timestamp {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
  auto operator<=>(const Timestamp&) const = default;  // NOLINT(modernize-use-nullptr): clang-tidy 14 takes <=> for one
};

/// A run of stored bytes of a sparse file.
struct Extent {
  std::int64_t offset = 0;
  std::int64_t length = 0;
};

/// POSIX's type flags and GNU's and PAX's additions; the values are the archive's.
enum class TarType : char {
  kRegular = '0',
  kHardLink = '1',
  kSymlink = '2',
  kCharacterDevice = '3',
  kBlockDevice = '4',
  kDirectory = '5',
  kFifo = '6',
  kGnuLongLink = 'K',
  kGnuLongName = 'L',
  kGnuSparse = 'S',
  kPaxGlobal = 'g',
  kPaxEntry = 'x',
  kRegularOld = '\0',
};

struct TarHeader {
  std::string name;
  std::string link;
  TarType type = TarType::kRegular;
  std::int64_t size = 0;
  std::int64_t mode = 0;
  std::int64_t uid = 0;
  std::int64_t gid = 0;
  Timestamp modified;
  Timestamp accessed;
  std::int64_t device_major = 0;
  std::int64_t device_minor = 0;
  bool gnu = false;  ///< GNU's layout: only there type 'S' has a sparse map.
};

bool is_zero_block(TarBlock block);
/// kInvalidArgument: wrong checksum, or a number that is none.
Result<TarHeader> parse_tar_header(TarBlock block);
/// Octal padded with spaces and NULs, or base-256 (first bit set; two's complement).
Result<std::int64_t> parse_tar_number(std::string_view field);
/// Types that have no data, whatever their size field says.
bool is_header_only(TarType type);

/// Old GNU sparse maps: appends the runs of a header's map (4), or of a continuation block (21); true: another
/// continuation block follows.
Result<bool> append_gnu_extents(TarBlock block, bool continuation, std::vector<Extent>& extents);
/// A type-'S' header's "real size": that of the file with its holes.
Result<std::int64_t> gnu_real_size(TarBlock header);

}  // namespace paceline::unpack
