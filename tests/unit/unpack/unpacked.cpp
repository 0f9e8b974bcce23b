#include "tests/unit/unpack/unpacked.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "plugin/base/files.h"
#include "plugin/unpack/lower_layers.h"

namespace paceline::test {
namespace fs = std::filesystem;

Result<std::size_t> MemorySource::read(std::uint64_t offset, std::span<std::byte> buffer) {
  const std::size_t left = blob_.size() - std::min<std::size_t>(offset, blob_.size());
  const std::size_t count = std::min({left, step_, buffer.size()});
  std::memcpy(buffer.data(), blob_.data() + offset, count);
  return count;
}

Unpacked::Unpacked() : root_(temp_.path() / "layer") {
  fs::create_directory(root_);
  temp_.write("secret", "untouched");
  folder_ = UniqueFd(::open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

std::string Unpacked::unpack(const std::string& blob, const unpack::Options& options) {
  MemorySource source(blob);
  auto result = unpack::unpack_layer(source, "application/vnd.oci.image.layer.v1.tar", std::nullopt, folder(), options);
  if (!result) return result.error().to_string();
  layer = std::move(*result);
  return {};
}

std::string Unpacked::finish(const std::vector<const Unpacked*>& lowers) {
  std::vector<int> folders;
  folders.reserve(lowers.size());
  for (const Unpacked* lower : lowers) folders.push_back(lower->folder());
  auto status = unpack::finish_layer(folder(), layer.unfinished, folders);
  return status ? std::string() : status.error().to_string();
}

bool Unpacked::exists(std::string_view name) const { return info(name).st_nlink > 0; }

struct stat Unpacked::info(std::string_view name) const {
  struct stat info {};
  if (::lstat(path(name).c_str(), &info) != 0) info.st_nlink = 0;
  return info;
}

std::string Unpacked::content(std::string_view name) const {
  auto text = read_file(path(name), 64U << 20U);
  return text ? *text : text.error().to_string();
}

std::string Unpacked::link(std::string_view name) const {
  std::error_code error;
  return fs::read_symlink(path(name), error).string();
}

std::string Unpacked::xattr(std::string_view name, const char* key) const {
  char value[1024];
  const ssize_t size = ::lgetxattr(path(name).c_str(), key, value, sizeof(value));
  return size < 0 ? "-" : std::string(value, static_cast<std::size_t>(size));
}

bool Unpacked::is_whiteout(std::string_view name) const {
  const auto found = info(name);
  return S_ISCHR(found.st_mode) && found.st_rdev == makedev(0, 0);
}

std::string Unpacked::names() const {
  std::set<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(root_)) {
    names.insert(entry.path().lexically_relative(root_).string());
  }
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : " ") + name;
  return text;
}

bool Unpacked::nothing_escaped() const {
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(temp_.path())) ++files;
  auto text = read_file(temp_.path() / "secret");
  return files == 2 && text && *text == "untouched";
}

}  // namespace paceline::test
