#include "plugin/unpack/layer_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "plugin/base/files.h"
#include "plugin/unpack/remove_tree.h"

namespace paceline::unpack {
namespace {

constexpr const char* kOpaqueXattr = "trusted.overlay.opaque";
constexpr mode_t kSetIds = S_ISUID | S_ISGID;
// What the kernel's device numbers hold (include/linux/kdev_t.h).
constexpr std::int64_t kMaxMajor = (1 << 12) - 1;
constexpr std::int64_t kMaxMinor = (1 << 20) - 1;

bool has(const Xattrs& xattrs, std::string_view key) {
  return std::any_of(xattrs.begin(), xattrs.end(), [&](const auto& each) { return each.first == key; });
}

Status write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(errno_error(errno, "write"));
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

Status write_sparse(int fd, const TarEntry& entry, TarReader& reader) {
  for (const Extent& extent : entry.extents) {
    auto offset = static_cast<std::uint64_t>(extent.offset);
    const std::uint64_t end = offset + static_cast<std::uint64_t>(extent.length);
    while (offset < end) {
      auto bytes = reader.data(end - offset);
      if (!bytes) return fail(bytes.error());
      if (auto status = write_at(fd, *bytes, offset); !status) return status;
      offset += bytes->size();
    }
  }
  if (::ftruncate(fd, entry.header.size) != 0) return fail(errno_error(errno, "set size"));
  return {};
}

}  // namespace

LayerWriter::LayerWriter(int root, const Options& options)
    : root_(root),
      options_(options),
      directories_(root),
      umask_(process_umask()),
      own_uid_(::geteuid()),
      own_gid_(::getegid()) {
  struct stat info {};
  inheriting_ = ::fstat(root, &info) != 0 || (info.st_mode & S_ISGID) != 0 ||
                ::fgetxattr(root, kDefaultAcl.data(), nullptr, 0) >= 0;
}

Status LayerWriter::apply(const TarEntry& entry, TarReader& reader) {
  auto path = parse_entry_path(entry.header.name);
  if (!path) return fail(path.error());
  if (path->name.empty()) return {};  // The root has its attributes from the snapshotter.
  auto metadata = to_metadata(entry.header);
  if (!metadata) return fail(metadata.error());
  const TarType type = entry.header.type;
  if (!options_.device_nodes && (type == TarType::kCharacterDevice || type == TarType::kBlockDevice)) return {};
  auto folder = directories_.open(path->folder);
  if (!folder) return fail(folder.error());
  auto whiteout_kind = classify_whiteout(path->name);
  if (!whiteout_kind) return fail(whiteout_kind.error());

  Place place{*folder, *path};
  if (*whiteout_kind == Whiteout::kOpaque) return make_opaque(**folder);
  if (*whiteout_kind == Whiteout::kFile) return whiteout(place, *metadata);
  switch (type) {
    case TarType::kRegular:
      return write_file(place, entry, *metadata, reader);
    case TarType::kDirectory:
      return make_folder(place, entry, *metadata);
    case TarType::kSymlink:
      return make_symlink(place, entry, *metadata);
    case TarType::kHardLink:
      return make_link(place, entry, *metadata);
    case TarType::kCharacterDevice:
    case TarType::kBlockDevice:
    case TarType::kFifo:
      return make_node(place, entry, *metadata);
    case TarType::kPaxGlobal:
      return clear(place);  // Says nothing, but for containerd it has the place of an entry.
    default:
      return fail(Code::kInvalidArgument,
                  "entries of type " + printable(std::string(1, static_cast<char>(type))) + " are not known");
  }
}

template <class Make>
Status LayerWriter::create(Place& place, Make make) {
  if (make(place.folder->fd, place.path.name.c_str()) == 0) return {};
  if (errno != EEXIST) return fail(errno_error(errno, "create"));
  if (auto status = clear(place); !status) return status;
  if (make(place.folder->fd, place.path.name.c_str()) == 0) return {};
  return fail(errno_error(errno, "create"));
}

Status LayerWriter::clear(Place& place) {
  if (auto status = remove(*place.folder, place.path.name); !status) return status;
  auto folder = directories_.open(place.path.folder);
  if (!folder) return fail(folder.error());
  place.folder = *folder;
  return {};
}

Status LayerWriter::remove(const Directory& folder, const std::string& name) {
  const std::string real = folder.path.empty() ? name : folder.path + "/" + name;
  Status status = remove_tree(folder.fd, name);
  removed_any_ = true;
  directories_.drop_implicit(real);
  directories_.forget();  // `folder` is gone with it.
  return status;
}

Status LayerWriter::make_opaque(const Directory& folder) {
  if (!options_.bottom) {
    if (::fsetxattr(folder.fd, kOpaqueXattr, "y", 1, 0) != 0) return fail(errno_error(errno, "mark as opaque"));
    return {};
  }
  // Nothing lies below; what containerd's marker then removes are folders that no entry so far has described.
  const std::string prefix = folder.path.empty() ? std::string() : folder.path + "/";
  std::vector<std::string> undescribed;
  for (const ImplicitDirectory& each : directories_.implicit()) {
    if (!each.described && each.path.starts_with(prefix)) undescribed.push_back(each.path);
  }
  for (const std::string& path : undescribed) {
    auto parsed = parse_entry_path(path);
    if (!parsed) return fail(parsed.error());
    auto parent = directories_.find(parsed->folder);
    if (!parent) continue;  // Gone with one that was removed before it.
    if (auto status = remove(**parent, parsed->name); !status) return status;
  }
  return {};
}

Status LayerWriter::whiteout(Place place, const Metadata& metadata) {
  const std::string target(whiteout_target(place.path.name));
  if (options_.bottom) return remove(*place.folder, target);
  const FileAt file{place.folder->fd, target.c_str()};
  if (::mknodat(file.folder, file.name, S_IFCHR, 0) != 0) return fail(errno_error(errno, "make whiteout"));
  return set_owner(file, metadata);
}

Status LayerWriter::describe_new(const FileAt& file, const Metadata& metadata, const Xattrs& xattrs, mode_t unset_bits,
                                 bool user_xattrs) {
  const bool other_owner = inheriting_ || metadata.uid != own_uid_ || metadata.gid != own_gid_;
  if (other_owner) {
    if (auto status = set_owner(file, metadata); !status) return status;
    unset_bits |= kSetIds;
  }
  if (!xattrs.empty()) {
    if (auto status = set_xattrs(file, xattrs, user_xattrs); !status) return status;
  }
  if (inheriting_ || !xattrs.empty() || (metadata.mode & unset_bits) != 0) return set_mode(file, metadata.mode);
  return {};
}

Status LayerWriter::write_file(Place place, const TarEntry& entry, const Metadata& metadata, TarReader& reader) {
  bytes_ += static_cast<std::uint64_t>(entry.header.size);
  if (bytes_ > options_.max_bytes)
    return fail(Code::kResourceExhausted, "its files exceed the limit of a layer's size");
  UniqueFd fd;
  auto status = create(place, [&](int folder, const char* name) {
    fd = UniqueFd(::openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, metadata.mode));
    return fd ? 0 : -1;
  });
  if (!status) return status;
  if (status = write_data(fd.get(), entry, reader); !status) return status;
  const FileAt file{place.folder->fd, place.path.name.c_str(), fd.get()};
  if (status = describe_new(file, metadata, entry.xattrs, umask_, true); !status) return status;
  return set_times(file, metadata);
}

Status LayerWriter::write_data(int fd, const TarEntry& entry, TarReader& reader) {
  if (entry.sparse) return write_sparse(fd, entry, reader);
  for (;;) {
    auto bytes = reader.data();
    if (!bytes) return fail(bytes.error());
    if (bytes->empty()) return {};
    if (auto status = write_all(fd, *bytes); !status) return status;
  }
}

Status LayerWriter::make_folder(Place place, const TarEntry& entry, const Metadata& metadata) {
  const std::string& name = place.path.name;
  bool merged = false;
  auto status = create(place, [&](int folder, const char* child) {
    if (::mkdirat(folder, child, metadata.mode) == 0) return 0;
    if (errno != EEXIST) return -1;
    struct stat info {};
    merged = ::fstatat(folder, child, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
    errno = EEXIST;
    return merged ? 0 : -1;
  });
  if (!status) return status;
  const FileAt file{place.folder->fd, name.c_str()};
  if (merged) {
    directories_.describe(place.folder->path.empty() ? name : place.folder->path + "/" + name);
    if (status = set_owner(file, metadata); !status) return status;
    if (status = set_xattrs(file, entry.xattrs, true); !status) return status;
    if (status = set_mode(file, metadata.mode); !status) return status;
  } else {
    // mkdir heeds the sticky bit, but not the other two.
    if (status = describe_new(file, metadata, entry.xattrs, umask_ | kSetIds, true); !status) return status;
  }
  inheriting_ = inheriting_ || (metadata.mode & S_ISGID) != 0 || has(entry.xattrs, kDefaultAcl);
  folder_times_.push_back({place.path.full(), metadata});
  return {};
}

Status LayerWriter::make_symlink(Place place, const TarEntry& entry, const Metadata& metadata) {
  auto status =
      create(place, [&](int folder, const char* name) { return ::symlinkat(entry.header.link.c_str(), folder, name); });
  if (!status) return status;
  const FileAt file{place.folder->fd, place.path.name.c_str()};
  if (inheriting_ || metadata.uid != own_uid_ || metadata.gid != own_gid_) {
    if (status = set_owner(file, metadata); !status) return status;
  }
  if (status = set_xattrs(file, entry.xattrs, false); !status) return status;
  return set_times(file, metadata);
}

Status LayerWriter::make_node(Place place, const TarEntry& entry, const Metadata& metadata) {
  mode_t type = S_IFIFO;
  if (entry.header.type == TarType::kCharacterDevice) type = S_IFCHR;
  if (entry.header.type == TarType::kBlockDevice) type = S_IFBLK;
  const std::int64_t major = entry.header.device_major;
  const std::int64_t minor = entry.header.device_minor;
  if (type != S_IFIFO && (major < 0 || major > kMaxMajor || minor < 0 || minor > kMaxMinor)) {
    return fail(Code::kInvalidArgument, "there is no device " + std::to_string(major) + ":" + std::to_string(minor));
  }
  const dev_t device = type == S_IFIFO ? 0 : makedev(static_cast<unsigned>(major), static_cast<unsigned>(minor));
  auto status = create(
      place, [&](int folder, const char* name) { return ::mknodat(folder, name, type | metadata.mode, device); });
  if (!status) return status;
  const FileAt file{place.folder->fd, place.path.name.c_str()};
  if (status = describe_new(file, metadata, entry.xattrs, umask_ | kSetIds, false); !status) return status;
  return set_times(file, metadata);
}

Status LayerWriter::link(Place& place, const std::string& target) {
  auto from = parse_entry_path(target);
  if (!from) return fail(from.error().context("its target"));
  const auto attempt = [&]() -> Status {
    auto source = directories_.find(from->folder);
    if (!source) return fail(source.error());
    const UniqueFd own(::fcntl((*source)->fd, F_DUPFD_CLOEXEC, 0));  // The next open() may close the other.
    if (!own) return fail(errno_error(errno, "open folder of " + printable(target)));
    auto folder = directories_.open(place.path.folder);
    if (!folder) return fail(folder.error());
    place.folder = *folder;
    if (::linkat(own.get(), from->name.c_str(), place.folder->fd, place.path.name.c_str(), 0) == 0) return {};
    if (errno == EEXIST) return fail(Code::kAlreadyExists, "exists");
    if (errno == EPERM) return fail(Code::kInvalidArgument, "its target " + printable(target) + " is a folder");
    return fail(errno_error(errno, "link to " + printable(target)));
  };
  auto status = attempt();
  if (status || status.error().code != Code::kAlreadyExists) return status;
  if (status = clear(place); !status) return status;
  return attempt();
}

Status LayerWriter::make_link(Place place, const TarEntry& entry, const Metadata& metadata) {
  std::string target = clean_path(entry.header.link);
  if (target.empty()) return fail(Code::kInvalidArgument, "its target is the root folder");
  auto status = link(place, target);
  if (!status && status.error().code == Code::kNotFound) {
    auto folder = directories_.open(place.path.folder);
    if (!folder) return fail(folder.error());
    pending_links_.push_back({{(*folder)->path, place.path.name}, std::move(target), metadata, entry.xattrs});
    return {};
  }
  if (!status) return status;
  return describe_link({place.folder->fd, place.path.name.c_str()}, metadata, entry.xattrs);
}

Status describe_link(const FileAt& file, const Metadata& metadata, const Xattrs& xattrs) {
  struct stat info {};
  if (::fstatat(file.folder, file.name, &info, AT_SYMLINK_NOFOLLOW) != 0) return fail(errno_error(errno, "look at it"));
  if (auto status = set_owner(file, metadata); !status) return status;
  if (auto status = set_xattrs(file, xattrs, S_ISREG(info.st_mode)); !status) return status;
  if (!S_ISLNK(info.st_mode)) {
    if (auto status = set_mode(file, metadata.mode); !status) return status;
  }
  return set_times(file, metadata);
}

Status LayerWriter::finish() {
  std::vector<PendingLink> still_pending;
  for (PendingLink& pending : pending_links_) {
    const auto named = [&](const Error& error) {
      return fail(error.context("hard link " + printable(pending.path.full())));
    };
    auto folder = directories_.find(pending.path.folder);
    // A later entry took the folder's place, or put a link there: what was in the folder is gone.
    if (!folder || (*folder)->path != pending.path.folder) continue;
    struct stat info {};
    if (::fstatat((*folder)->fd, pending.path.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) {
      continue;  // A later entry of that name, which wins.
    }
    Place place{*folder, pending.path};
    auto status = link(place, pending.target);
    if (status) {
      status = describe_link({place.folder->fd, pending.path.name.c_str()}, pending.metadata, pending.xattrs);
    } else if (status.error().code == Code::kNotFound && !options_.bottom) {
      still_pending.push_back(std::move(pending));
      continue;
    } else if (status.error().code == Code::kNotFound) {
      status = fail(Code::kInvalidArgument, "its target " + printable(pending.target) + " does not exist");
    }
    if (!status) return named(status.error());
  }
  pending_links_ = std::move(still_pending);
  for (const FolderTimes& times : folder_times_) {
    if (auto status = set_folder_times(times); !status) return fail(status.error().context(printable(times.path)));
  }
  return {};
}

Status LayerWriter::set_folder_times(const FolderTimes& times) {
  // A later entry may have put a link in the folder's place: containerd's times then go where that leads.
  std::string at = times.path;
  for (unsigned links = 0; links < kMaxLinks; ++links) {
    auto path = parse_entry_path(at);
    if (!path) return fail(path.error());
    auto folder = directories_.find(path->folder);
    if (!folder && removed_any_) return {};  // Removed by a later entry, or replaced by something else.
    if (!folder) return fail(folder.error());
    const char* name = path->name.empty() ? "." : path->name.c_str();
    if (removed_any_) {
      char target[kMaxPathBytes];
      const ssize_t size = ::readlinkat((*folder)->fd, name, target, sizeof(target));
      if (size < 0 && errno == ENOENT) return {};
      if (size >= 0) {
        at = resolve_path((*folder)->path, {target, static_cast<std::size_t>(size)});
        continue;
      }
    }
    return set_times({(*folder)->fd, name}, times.metadata);
  }
  return {};
}

Unfinished LayerWriter::take_unfinished() {
  Unfinished unfinished;
  if (!options_.bottom) unfinished.directories = directories_.implicit();
  unfinished.links = std::move(pending_links_);
  return unfinished;
}

}  // namespace paceline::unpack
