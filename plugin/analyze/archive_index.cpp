#include "plugin/analyze/archive_index.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "plugin/base/files.h"
#include "plugin/unpack/entry_path.h"
#include "plugin/unpack/pax.h"
#include "plugin/unpack/tar_header.h"

namespace paceline::analyze {
namespace {

using unpack::TarType;

/// An image of the most layers that anybody allows (127), its configs and folders come nowhere near.
constexpr std::size_t kMostMembers = 100'000;
constexpr std::int64_t kMostSpecial = 1 << 20;
constexpr int kMostLinks = 16;

class Slice final : public unpack::LayerSource {
 public:
  Slice(std::shared_ptr<const ArchiveIndex> archive, int fd, const Member& member)
      : archive_(std::move(archive)), fd_(fd), member_(member) {}
  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> buffer) override {
    if (offset >= member_.size) return 0;
    const std::size_t count = std::min<std::uint64_t>(buffer.size(), member_.size - offset);
    return read_at(fd_, buffer.first(count), member_.offset + offset);
  }

 private:
  const std::shared_ptr<const ArchiveIndex> archive_;
  const int fd_;
  const Member member_;
};

class Walk {
 public:
  explicit Walk(int fd, std::uint64_t size) : fd_(fd), size_(size) {}

  Result<std::map<std::string, Member>> members() {
    std::map<std::string, Member> out;
    while (at_ + unpack::kTarBlock <= size_) {
      std::array<std::byte, unpack::kTarBlock> block{};
      auto count = read_at(fd_, block, at_);
      if (!count) return fail(count.error());
      if (*count != block.size() || unpack::is_zero_block(block)) break;
      auto header = unpack::parse_tar_header(block);
      if (!header) return fail(header.error());
      at_ += unpack::kTarBlock;
      if (auto status = one(*header, out); !status) return fail(status.error());
      if (out.size() > kMostMembers) return fail(Code::kResourceExhausted, "it has too many members for an image");
    }
    return out;
  }

 private:
  Status one(unpack::TarHeader& header, std::map<std::string, Member>& out) {
    if (header.type == TarType::kPaxEntry || header.type == TarType::kPaxGlobal ||
        header.type == TarType::kGnuLongName || header.type == TarType::kGnuLongLink) {
      return special(header);
    }
    if (auto status = unpack::apply_pax(records_, header); !status) return status;
    if (!name_.empty()) header.name = std::move(name_);
    if (!link_.empty()) header.link = std::move(link_);
    records_.clear();
    name_.clear();
    link_.clear();
    const std::uint64_t bytes = unpack::is_header_only(header.type) ? 0 : static_cast<std::uint64_t>(header.size);
    if (header.size < 0 || bytes > size_ - at_) {
      return fail(Code::kInvalidArgument, "it is cut off within " + unpack::printable(header.name));
    }
    if (header.type == TarType::kRegular || header.type == TarType::kRegularOld) {
      out[unpack::clean_path(header.name)] = {at_, bytes, {}};
    } else if (header.type == TarType::kSymlink || header.type == TarType::kHardLink) {
      const std::string name = unpack::clean_path(header.name);
      const auto slash = name.rfind('/');
      const bool symbolic = header.type == TarType::kSymlink && slash != std::string::npos;
      out[name] = {0, 0, unpack::resolve_path(symbolic ? name.substr(0, slash) : std::string(), header.link)};
    }
    at_ += padded(bytes);
    return {};
  }

  Status special(const unpack::TarHeader& header) {
    if (header.size < 0 || header.size > kMostSpecial) {
      return fail(Code::kInvalidArgument, "an extended header of it is too large");
    }
    std::string text(static_cast<std::size_t>(header.size), '\0');
    auto count = read_at(fd_, std::as_writable_bytes(std::span(text)), at_);
    if (!count) return fail(count.error());
    if (*count != text.size()) return fail(Code::kInvalidArgument, "it is cut off within an extended header");
    at_ += padded(text.size());
    if (header.type == TarType::kPaxEntry) {
      auto records = unpack::parse_pax(text);
      if (!records) return fail(records.error());
      records_ = std::move(*records);
    } else if (header.type != TarType::kPaxGlobal) {
      text.resize(std::min(text.find('\0'), text.size()));
      (header.type == TarType::kGnuLongName ? name_ : link_) = std::move(text);
    }
    return {};
  }

  static std::uint64_t padded(std::uint64_t bytes) {
    return (bytes + unpack::kTarBlock - 1) / unpack::kTarBlock * unpack::kTarBlock;
  }

  const int fd_;
  const std::uint64_t size_;
  std::uint64_t at_ = 0;
  unpack::PaxRecords records_;
  std::string name_, link_;
};

/// The program that packed the whole file; null: none that is known.
Result<const char*> packed_by(int fd) {
  static constexpr std::pair<std::string_view, const char*> kMagic[] = {
      {"\x1f\x8b", "gzip"}, {"\x28\xb5\x2f\xfd", "zstd"}, {"\3757zXZ", "xz"}, {"BZh", "bzip2"}};
  std::string begin(8, '\0');
  auto count = read_at(fd, std::as_writable_bytes(std::span(begin)), 0);
  if (!count) return fail(count.error());
  for (const auto& [magic, program] : kMagic) {
    if (begin.starts_with(magic)) return program;
  }
  return nullptr;
}

}  // namespace

Result<std::shared_ptr<const ArchiveIndex>> ArchiveIndex::open(const std::string& path) {
  auto file = open_file(path, O_RDONLY);
  if (!file) return fail(file.error());
  struct stat info {};
  if (::fstat(file->get(), &info) != 0) return fail(errno_error(errno, path));
  const auto packed = packed_by(file->get());
  if (!packed) return fail(packed.error());
  if (*packed != nullptr) {
    return fail(Code::kInvalidArgument, path + " is compressed: unpack it with '" + *packed + " -d' first");
  }
  auto members = Walk(file->get(), static_cast<std::uint64_t>(info.st_size)).members();
  if (!members) return fail(members.error().context(path + " is no archive of an image"));
  return std::shared_ptr<const ArchiveIndex>(new ArchiveIndex(std::move(*file), std::move(*members)));
}

const Member* ArchiveIndex::find(const std::string& name) const {
  std::string path = unpack::clean_path(name);
  for (int links = 0; links < kMostLinks; ++links) {
    const auto member = members_.find(path);
    if (member == members_.end()) return nullptr;
    if (member->second.link.empty()) return &member->second;
    path = member->second.link;
  }
  return nullptr;
}

std::unique_ptr<unpack::LayerSource> ArchiveIndex::source(std::shared_ptr<const ArchiveIndex> self,
                                                          const Member& member) {
  const int fd = self->file_.get();
  return std::make_unique<Slice>(std::move(self), fd, member);
}

Result<std::string> ArchiveIndex::read(const Member& member, std::size_t limit) const {
  if (member.size > limit) {
    return fail(Code::kResourceExhausted, "a member is larger than " + std::to_string(limit) + " bytes");
  }
  std::string text(static_cast<std::size_t>(member.size), '\0');
  auto count = read_at(file_.get(), std::as_writable_bytes(std::span(text)), member.offset);
  if (!count) return fail(count.error());
  if (*count != text.size()) return fail(Code::kInvalidArgument, "a member is cut off");
  return text;
}

}  // namespace paceline::analyze
