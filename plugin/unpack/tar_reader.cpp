#include "plugin/unpack/tar_reader.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "plugin/unpack/entry_path.h"

namespace paceline::unpack {
namespace {

constexpr std::string_view kXattrPrefix = "SCHILY.xattr.";
/// A PAX header or a long name: Go's archive/tar has the same limit.
constexpr std::int64_t kMaxSpecialBytes = 1 << 20;
/// Before one entry: a PAX header, a GNU name and a GNU link are the most a writer has use for.
constexpr unsigned kMaxSpecials = 16;
/// 24 bytes an extent: 1 MiB of map, more than any file of a layer has holes.
constexpr std::size_t kMaxExtents = 1U << 20U;

Status check_extents(const std::vector<Extent>& extents, std::int64_t size, std::uint64_t stored) {
  const auto wrong = [](const char* why) {
    return fail(Code::kInvalidArgument, std::string("the sparse map is wrong: ") + why);
  };
  if (size < 0) return wrong("negative size");
  std::int64_t end = 0;
  std::uint64_t total = 0;
  for (const Extent& extent : extents) {
    if (extent.offset < 0 || extent.length < 0) return wrong("negative numbers");
    if (extent.offset > std::numeric_limits<std::int64_t>::max() - extent.length) return wrong("numbers out of range");
    if (extent.offset < end) return wrong("runs overlap or are out of order");
    end = extent.offset + extent.length;
    if (end > size) return wrong("a run lies beyond the file's end");
    total += static_cast<std::uint64_t>(extent.length);
  }
  if (total != stored) return wrong("it covers another number of bytes than are stored");
  return {};
}

}  // namespace

Result<std::span<const std::byte>> TarReader::take(std::uint64_t limit) {
  if (piece_.empty()) {
    auto piece = source_.next();
    if (!piece) return fail(piece.error());
    piece_ = *piece;
  }
  const auto bytes = piece_.first(static_cast<std::size_t>(std::min<std::uint64_t>(limit, piece_.size())));
  piece_ = piece_.subspan(bytes.size());
  return bytes;
}

/// Fills block_; false at the stream's end, with `partial` when that is within the block.
Result<bool> TarReader::read_block(bool& partial) {
  std::size_t done = 0;
  while (done < kTarBlock) {
    auto bytes = take(kTarBlock - done);
    if (!bytes) return fail(bytes.error());
    if (bytes->empty()) {
      partial = done > 0;
      return false;
    }
    std::memcpy(block_.data() + done, bytes->data(), bytes->size());
    done += bytes->size();
  }
  return true;
}

Status TarReader::must_read_block(std::string_view what) {
  bool partial = false;
  auto whole = read_block(partial);
  if (!whole) return fail(whole.error());
  if (!*whole) return fail(Code::kInvalidArgument, "the archive is cut off within " + std::string(what));
  return {};
}

Status TarReader::skip_data() {
  while (remaining_ > 0) {
    auto bytes = data();
    if (!bytes) return fail(bytes.error());
  }
  while (padding_ > 0) {
    auto bytes = take(padding_);
    if (!bytes) return fail(bytes.error());
    if (bytes->empty()) padding_ = 0;  // A last padding that is missing harms nobody; containerd lets it pass too.
    padding_ -= bytes->size();
  }
  return {};
}

Status TarReader::begin_data(const TarHeader& header) {
  if (is_header_only(header.type)) {
    remaining_ = padding_ = 0;
    return {};
  }
  if (header.size < 0) return fail(Code::kInvalidArgument, "its size is negative");
  remaining_ = static_cast<std::uint64_t>(header.size);
  padding_ = (kTarBlock - remaining_ % kTarBlock) % kTarBlock;
  return {};
}

Result<std::span<const std::byte>> TarReader::data(std::uint64_t limit) {
  if (remaining_ == 0) return std::span<const std::byte>();
  auto bytes = take(std::min(remaining_, limit));
  if (!bytes) return fail(bytes.error());
  if (bytes->empty()) return fail(Code::kInvalidArgument, "the archive is cut off within its data");
  remaining_ -= bytes->size();
  return bytes;
}

Result<std::string> TarReader::read_special(const TarHeader& header) {
  if (header.size > kMaxSpecialBytes) {
    return fail(Code::kInvalidArgument,
                "an extended header is larger than " + std::to_string(kMaxSpecialBytes) + " bytes");
  }
  std::string content;
  content.reserve(static_cast<std::size_t>(header.size));
  for (;;) {
    auto bytes = data();
    if (!bytes) return fail(bytes.error());
    if (bytes->empty()) return content;
    content.append(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  }
}

Result<bool> TarReader::next_header(TarEntry& entry) {
  bool partial = false;
  auto whole = read_block(partial);
  if (!whole) return fail(whole.error());
  if (*whole && is_zero_block(block_)) {
    // Two blocks of zeros end an archive; so does one before the stream's end.
    whole = read_block(partial);
    if (!whole) return fail(whole.error());
    if (*whole) {
      if (is_zero_block(block_)) return false;
      return fail(Code::kInvalidArgument, "a single block of zeros stands between entries");
    }
  }
  if (!*whole) {
    if (partial) return fail(Code::kInvalidArgument, "the archive is cut off within a header");
    return false;
  }
  auto header = parse_tar_header(block_);
  if (!header) return fail(header.error());
  entry.header = std::move(*header);
  return true;
}

Result<bool> TarReader::next(TarEntry& entry) {
  if (ended_) return false;
  records_.clear();
  LongNames names;
  for (unsigned specials = 0;; ++specials) {
    if (auto status = skip_data(); !status) return fail(status.error());
    auto more = next_header(entry);
    if (!more) return fail(more.error());
    if (!*more) {
      ended_ = true;
      return false;
    }
    if (specials > kMaxSpecials)
      return fail(Code::kInvalidArgument, "extended headers follow each other without an entry");
    if (auto status = begin_data(entry.header); !status) return fail(status.error());
    const TarType type = entry.header.type;
    if (type == TarType::kPaxEntry || type == TarType::kPaxGlobal) {
      auto content = read_special(entry.header);
      if (!content) return fail(content.error());
      auto records = parse_pax(*content);
      if (!records) return fail(records.error());
      if (type == TarType::kPaxGlobal) break;  // An entry without effect on others, to Go's reader.
      records_ = std::move(*records);
    } else if (type == TarType::kGnuLongName || type == TarType::kGnuLongLink) {
      auto content = read_special(entry.header);
      if (!content) return fail(content.error());
      content->resize(std::min(content->find('\0'), content->size()));
      (type == TarType::kGnuLongName ? names.name : names.link) = std::move(*content);
    } else {
      break;
    }
  }

  entry.xattrs.clear();
  entry.extents.clear();
  entry.sparse = false;
  if (entry.header.type == TarType::kPaxGlobal) return true;
  const auto named = [&](const Error& error) { return fail(error.context("entry " + printable(entry.header.name))); };
  if (auto status = apply_pax(records_, entry.header); !status) return named(status.error());
  if (!names.name.empty()) entry.header.name = std::move(names.name);
  if (!names.link.empty()) entry.header.link = std::move(names.link);
  if (entry.header.type == TarType::kRegularOld) {
    entry.header.type = entry.header.name.ends_with('/') ? TarType::kDirectory : TarType::kRegular;
  }
  if (auto status = begin_data(entry.header); !status) return named(status.error());
  if (auto status = set_up_sparse(entry); !status) return named(status.error());
  for (const auto& [key, value] : records_) {
    if (key.starts_with(kXattrPrefix)) entry.xattrs.emplace_back(key.substr(kXattrPrefix.size()), value);
  }
  return true;
}

Status TarReader::set_up_sparse(TarEntry& entry) {
  Status status;
  if (entry.header.type == TarType::kGnuSparse) {
    status = read_gnu_map(entry);
    entry.header.type = TarType::kRegular;
  } else {
    status = read_pax_map(entry);
  }
  if (!status || !entry.sparse) return status;
  if (is_header_only(entry.header.type)) return fail(Code::kInvalidArgument, "an entry without data has a sparse map");
  return check_extents(entry.extents, entry.header.size, remaining_);
}

Status TarReader::read_gnu_map(TarEntry& entry) {
  if (!entry.header.gnu) return fail(Code::kInvalidArgument, "a sparse entry in an unknown format");
  entry.sparse = true;
  auto size = gnu_real_size(block_);
  if (!size) return fail(size.error());
  entry.header.size = *size;
  auto more = append_gnu_extents(block_, false, entry.extents);
  while (more && *more) {
    if (entry.extents.size() > kMaxExtents) return fail(Code::kInvalidArgument, "the sparse map is too long");
    if (auto status = must_read_block("a sparse map"); !status) return status;
    const std::size_t before = entry.extents.size();
    more = append_gnu_extents(block_, true, entry.extents);
    if (more && *more && entry.extents.size() == before) {
      return fail(Code::kInvalidArgument, "the sparse map has an empty block that is not its last");
    }
  }
  if (!more) return fail(more.error());
  return {};
}

Status TarReader::read_pax_map(TarEntry& entry) {
  const PaxSparse format = pax_sparse_format(records_);
  if (format == PaxSparse::kNone) return {};
  entry.sparse = true;
  if (auto status = apply_pax_sparse(records_, entry.header); !status) return status;
  if (format == PaxSparse::kInRecords) {
    auto extents = parse_pax_sparse_map(records_);
    if (!extents) return fail(extents.error());
    entry.extents = std::move(*extents);
    return {};
  }

  // Format 1.0: decimal numbers, a line each, before the data and padded to whole blocks: how many runs, then offset
  // and length of each.
  const auto wrong = [] { return fail(Code::kInvalidArgument, "the sparse map before the data is malformed"); };
  std::string line;
  std::uint64_t expected = 1;
  std::uint64_t seen = 0;
  while (seen < expected) {
    if (remaining_ < kTarBlock) return wrong();
    if (auto status = must_read_block("a sparse map"); !status) return status;
    remaining_ -= kTarBlock;
    for (std::size_t i = 0; i < kTarBlock && seen < expected; ++i) {
      const char byte = std::to_integer<char>(block_[i]);
      if (byte != '\n') {
        line += byte;
        if (line.size() > 20) return wrong();
        continue;
      }
      auto number = parse_pax_number(line);
      if (!number || *number < 0) return wrong();
      line.clear();
      if (seen == 0) {
        if (static_cast<std::uint64_t>(*number) > kMaxExtents) return wrong();
        expected += 2 * static_cast<std::uint64_t>(*number);
      } else if (seen % 2 == 1) {
        entry.extents.push_back({*number, 0});
      } else {
        entry.extents.back().length = *number;
      }
      ++seen;
    }
  }
  return {};
}

}  // namespace paceline::unpack
