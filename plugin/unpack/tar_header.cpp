#include "plugin/unpack/tar_header.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace paceline::unpack {
namespace {

/// Where fields lie (POSIX pax(1), "ustar Interchange Format"; GNU tar's manual, "Basic Tar Format").
struct Field {
  std::size_t offset;
  std::size_t length;
};
constexpr Field kName{0, 100};
constexpr Field kMode{100, 8};
constexpr Field kUid{108, 8};
constexpr Field kGid{116, 8};
constexpr Field kSize{124, 12};
constexpr Field kModified{136, 12};
constexpr Field kChecksum{148, 8};
constexpr Field kType{156, 1};
constexpr Field kLink{157, 100};
constexpr Field kMagic{257, 6};
constexpr Field kVersion{263, 2};
constexpr Field kDeviceMajor{329, 8};
constexpr Field kDeviceMinor{337, 8};
constexpr Field kUstarPrefix{345, 155};
constexpr Field kStarPrefix{345, 131};
constexpr Field kStarAccessed{476, 12};
constexpr Field kStarTrailer{508, 4};
constexpr Field kGnuAccessed{345, 12};
constexpr Field kGnuChanged{357, 12};
constexpr Field kGnuSparse{386, 96};
constexpr Field kGnuExtended{482, 1};
constexpr Field kGnuRealSize{483, 12};
constexpr Field kContinuedSparse{0, 504};
constexpr Field kContinuedExtended{504, 1};
constexpr std::size_t kExtentBytes = 24;
constexpr std::size_t kExtentNumber = 12;

std::string_view text(TarBlock block, Field field) {
  return {reinterpret_cast<const char*>(block.data()) + field.offset, field.length};
}

/// Up to the first NUL, or all of it.
std::string_view c_string(std::string_view field) { return field.substr(0, field.find('\0')); }

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// The sum of all bytes, those of the checksum itself counted as spaces. Old writers added them as signed.
bool checksum_is_right(TarBlock block) {
  auto stated = parse_tar_number(text(block, kChecksum));
  if (!stated) return false;
  const auto sum = [&]<class Byte>(Byte /*as*/) {
    std::int64_t total = 0;
    for (const std::byte byte : block) total += static_cast<Byte>(byte);
    for (const char byte : text(block, kChecksum)) total += ' ' - static_cast<Byte>(byte);
    return total;
  };
  return *stated == sum(std::uint8_t{}) || *stated == sum(std::int8_t{});
}

Result<std::int64_t> parse_base256(std::string_view field) {
  const unsigned char inversion = (static_cast<unsigned char>(field[0]) & 0x40U) != 0 ? 0xff : 0x00;
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < field.size(); ++i) {
    unsigned char byte = static_cast<unsigned char>(field[i]) ^ inversion;
    if (i == 0) byte &= 0x7fU;
    if (value >> 56U != 0) return fail(Code::kInvalidArgument, "a number is out of range");
    value = value << 8U | byte;
  }
  if (value >> 63U != 0) return fail(Code::kInvalidArgument, "a number is out of range");
  return inversion != 0 ? static_cast<std::int64_t>(~value) : static_cast<std::int64_t>(value);
}

/// Fills in what a number field says; false when it says none.
bool read_number(TarBlock block, Field field, std::int64_t& value) {
  auto number = parse_tar_number(text(block, field));
  if (number) value = *number;
  return number.has_value();
}

/// GNU headers have times where ustar has a prefix; early Go writers put the prefix there all the same.
std::string gnu_times_or_prefix(TarBlock block, TarHeader& header) {
  std::int64_t accessed = 0;
  std::int64_t changed = 0;
  const auto read = [&](Field field, std::int64_t& value) {
    return text(block, field)[0] == '\0' || read_number(block, field, value);
  };
  if (read(kGnuAccessed, accessed) && read(kGnuChanged, changed)) {
    header.accessed = {accessed, 0};
    return {};
  }
  const std::string_view prefix = c_string(text(block, kUstarPrefix));
  return is_ascii(prefix) ? std::string(prefix) : std::string();
}

}  // namespace

bool is_zero_block(TarBlock block) {
  return block[0] == std::byte{0} && std::memcmp(block.data(), block.data() + 1, block.size() - 1) == 0;
}

bool is_header_only(TarType type) {
  switch (type) {
    case TarType::kHardLink:
    case TarType::kSymlink:
    case TarType::kCharacterDevice:
    case TarType::kBlockDevice:
    case TarType::kDirectory:
    case TarType::kFifo:
      return true;
    default:
      return false;
  }
}

Result<std::int64_t> parse_tar_number(std::string_view field) {
  if (!field.empty() && (static_cast<unsigned char>(field[0]) & 0x80U) != 0) return parse_base256(field);
  const auto is_padding = [](char c) { return c == ' ' || c == '\0'; };
  while (!field.empty() && is_padding(field.front())) field.remove_prefix(1);
  while (!field.empty() && is_padding(field.back())) field.remove_suffix(1);
  if (field.empty()) return 0;
  field = c_string(field);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value, 8);
  if (error != std::errc() || end != field.data() + field.size()) {
    return fail(Code::kInvalidArgument, "a number field holds no number");
  }
  return static_cast<std::int64_t>(value);
}

Result<TarHeader> parse_tar_header(TarBlock block) {
  if (!checksum_is_right(block)) return fail(Code::kInvalidArgument, "the checksum is wrong: this is no tar header");
  TarHeader header;
  header.type = static_cast<TarType>(text(block, kType)[0]);
  header.name = c_string(text(block, kName));
  header.link = c_string(text(block, kLink));
  bool numbers = read_number(block, kSize, header.size) && read_number(block, kMode, header.mode) &&
                 read_number(block, kUid, header.uid) && read_number(block, kGid, header.gid) &&
                 read_number(block, kModified, header.modified.seconds);

  const std::string_view magic = text(block, kMagic);
  const bool ustar = magic == std::string_view("ustar\0", 6);
  header.gnu = magic == "ustar " && text(block, kVersion) == std::string_view(" \0", 2);
  if (ustar || header.gnu) {
    numbers = numbers && read_number(block, kDeviceMajor, header.device_major) &&
              read_number(block, kDeviceMinor, header.device_minor);
    std::string prefix;
    if (header.gnu) {
      prefix = gnu_times_or_prefix(block, header);
    } else if (text(block, kStarTrailer) == std::string_view("tar\0", 4)) {
      prefix = c_string(text(block, kStarPrefix));
      numbers = numbers && read_number(block, kStarAccessed, header.accessed.seconds);
    } else {
      prefix = c_string(text(block, kUstarPrefix));
    }
    if (!prefix.empty()) header.name = prefix + "/" + header.name;
  }
  if (!numbers) return fail(Code::kInvalidArgument, "a number field holds no number");
  return header;
}

Result<bool> append_gnu_extents(TarBlock block, bool continuation, std::vector<Extent>& extents) {
  std::string_view map = text(block, continuation ? kContinuedSparse : kGnuSparse);
  for (; !map.empty() && map[0] != '\0'; map.remove_prefix(kExtentBytes)) {
    auto offset = parse_tar_number(map.substr(0, kExtentNumber));
    auto length = parse_tar_number(map.substr(kExtentNumber, kExtentNumber));
    if (!offset || !length) return fail(Code::kInvalidArgument, "the sparse map holds something else than numbers");
    extents.push_back({*offset, *length});
  }
  return text(block, continuation ? kContinuedExtended : kGnuExtended)[0] > '\0';
}

Result<std::int64_t> gnu_real_size(TarBlock header) { return parse_tar_number(text(header, kGnuRealSize)); }

}  // namespace paceline::unpack
