#include "plugin/unpack/directories.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "plugin/unpack/entry_path.h"

namespace paceline::unpack {
namespace {

/// An archive walks a tree depth first: its current path and some neighbours are what is asked for again.
constexpr std::size_t kMaxOpen = 64;
constexpr mode_t kImplicitMode = 0755;

int open_directory(int parent, const std::string& name) {
  return ::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/// A link's target, or what stopped the reading: EINVAL when it is no link.
Result<std::string> read_link(int parent, const std::string& name, int& error) {
  std::string target(kMaxPathBytes + 1, '\0');
  const ssize_t size = ::readlinkat(parent, name.c_str(), target.data(), target.size());
  error = size < 0 ? errno : 0;
  if (size < 0) return fail(errno_error(error, "read link"));
  target.resize(static_cast<std::size_t>(size));
  return target;
}

}  // namespace

Directories::Directories(int root) { root_.fd = root; }

Result<const Directories::Directory*> Directories::open(std::string_view path) {
  unsigned links = 0;
  return resolve(path, Missing::kMake, links);
}

Result<const Directories::Directory*> Directories::find(std::string_view path) {
  unsigned links = 0;
  return resolve(path, Missing::kFail, links);
}

void Directories::forget() {
  by_key_.clear();
  nodes_.clear();
}

void Directories::describe(const std::string& path) {
  const auto found = implicit_.find(path);
  if (found != implicit_.end()) found->second = true;
}

void Directories::drop_implicit(const std::string& path) {
  implicit_.erase(path);
  implicit_.erase(implicit_.lower_bound(path + "/"), implicit_.lower_bound(path + "0"));  // "0" comes after "/".
}

std::vector<ImplicitDirectory> Directories::implicit() const {
  std::vector<ImplicitDirectory> all;
  all.reserve(implicit_.size());
  for (const auto& [path, described] : implicit_) all.push_back({path, described});
  return all;
}

Result<const Directories::Directory*> Directories::resolve(std::string_view path, Missing missing, unsigned& links) {
  if (path.empty()) return &root_;
  const auto found = by_key_.find(path);
  if (found != by_key_.end()) {
    nodes_.splice(nodes_.begin(), nodes_, found->second);
    return &found->second->directory;
  }
  const std::size_t slash = path.rfind('/');
  auto parent = resolve(slash == std::string_view::npos ? std::string_view() : path.substr(0, slash), missing, links);
  if (!parent) return parent;
  return step(**parent, path, slash == std::string_view::npos ? path : path.substr(slash + 1), missing, links);
}

Result<const Directories::Directory*> Directories::step(const Directory& parent, std::string_view path,
                                                        std::string_view name, Missing missing, unsigned& links) {
  const std::string child(name);
  std::string real = parent.path.empty() ? child : parent.path + "/" + child;
  UniqueFd fd(open_directory(parent.fd, child));
  if (fd) return keep(path, std::move(fd), std::move(real));
  const int cause = errno;
  if (cause == ENOENT && missing == Missing::kFail) return fail(Code::kNotFound, "no folder " + printable(path));
  if (cause == ENOENT) {
    if (real.size() > kMaxPathBytes || std::count(real.begin(), real.end(), '/') >= static_cast<long>(kMaxPathDepth)) {
      return fail(Code::kInvalidArgument, "its folder lies deeper than any path reaches");
    }
    if (::mkdirat(parent.fd, child.c_str(), kImplicitMode) != 0) {
      return fail(errno_error(errno, "make folder " + printable(real)));
    }
    fd = UniqueFd(open_directory(parent.fd, child));
    if (!fd) return fail(errno_error(errno, "open folder " + printable(real)));
    if (::fchmod(fd.get(), kImplicitMode) != 0) return fail(errno_error(errno, "set mode of " + printable(real)));
    implicit_.emplace(real, false);
    ++made_;
    return keep(path, std::move(fd), std::move(real));
  }
  if (cause != ELOOP && cause != ENOTDIR) return fail(errno_error(cause, "open folder " + printable(real)));

  int error = 0;
  auto target = read_link(parent.fd, child, error);
  if (!target && error == EINVAL) return fail(Code::kInvalidArgument, printable(real) + " is no folder");
  if (!target) return fail(target.error().context(printable(real)));
  if (++links > kMaxLinks) return fail(Code::kInvalidArgument, "too many symlinks on the way to " + printable(path));
  auto followed = resolve(resolve_path(parent.path, *target), missing, links);
  if (!followed || *followed == &root_) return followed;
  // Under the name it was asked for by as well, so that the link is not read again.
  fd = UniqueFd(::fcntl((*followed)->fd, F_DUPFD_CLOEXEC, 0));
  if (!fd) return fail(errno_error(errno, "open folder " + printable(path)));
  return keep(path, std::move(fd), std::string((*followed)->path));
}

const Directories::Directory* Directories::keep(std::string_view key, UniqueFd fd, std::string real) {
  if (nodes_.size() >= kMaxOpen) {
    by_key_.erase(nodes_.back().key);
    nodes_.pop_back();
  }
  const int number = fd.get();
  nodes_.push_front(Node{std::string(key), std::move(fd), Directory{number, std::move(real)}});
  by_key_.erase(key);  // Its view would be of an older node's key.
  by_key_.emplace(nodes_.front().key, nodes_.begin());
  return &nodes_.front().directory;
}

}  // namespace paceline::unpack
