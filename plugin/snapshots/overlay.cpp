#include "plugin/snapshots/overlay.h"

#include <linux/magic.h>
#include <sys/statfs.h>

#include <sstream>

#include "plugin/base/files.h"
#include "plugin/snapshots/id_mapping.h"

namespace paceline::snapshots {
namespace {

/// The initial user namespace maps every id to itself (user_namespaces(7)).
bool in_user_namespace() {
  const auto map = read_file("/proc/self/uid_map");
  if (!map) return false;  // A kernel without them.
  std::istringstream text(*map);
  std::uint64_t inside = 0;
  std::uint64_t outside = 0;
  std::uint64_t count = 0;
  text >> inside >> outside >> count;
  return !(inside == 0 && outside == 0 && count == 4294967295U);
}

/// tmpfs has no user.* attributes, so that overlayfs refuses the option there (before Linux 6.6).
bool on_tmpfs(const std::filesystem::path& root) {
  struct statfs status {};
  return ::statfs(root.c_str(), &status) == 0 && status.f_type == TMPFS_MAGIC;
}

std::vector<std::string> mapping_options(const Labels& labels) {
  std::vector<std::string> options;
  if (const auto user = labels.find(kUserMappingLabel); user != labels.end())
    options.push_back("uidmap=" + user->second);
  if (const auto group = labels.find(kGroupMappingLabel); group != labels.end()) {
    options.push_back("gidmap=" + group->second);
  }
  return options;
}

}  // namespace

OverlayFeatures detect_overlay_features(const std::filesystem::path& root) {
  std::error_code ignored;
  // userxattr came with Linux 5.11; Debian 12 has 6.1.
  return {.index_off = std::filesystem::exists("/sys/module/overlay/parameters/index", ignored),
          .user_xattr = in_user_namespace() && !on_tmpfs(root)};
}

std::vector<Mount> overlay_mounts(const Stack& stack, const Folders& folders, OverlayFeatures features) {
  const bool writable = stack.kind == Kind::kActive;
  std::vector<std::string> options = mapping_options(stack.labels);
  const auto bind = [&](FolderId folder) {
    options.emplace_back(writable ? "rw" : "ro");
    options.emplace_back("rbind");
    return std::vector<Mount>{{"bind", folders.files(folder).string(), options}};
  };
  if (stack.parents.empty()) return bind(stack.own);
  if (!writable && stack.parents.size() == 1) return bind(stack.parents.front());

  if (features.index_off) options.emplace_back("index=off");
  if (features.user_xattr) options.emplace_back("userxattr");
  if (writable) {
    options.push_back("workdir=" + folders.work(stack.own).string());
    options.push_back("upperdir=" + folders.files(stack.own).string());
  }
  std::string lower;
  for (const auto folder : stack.parents) lower += (lower.empty() ? "" : ":") + folders.files(folder).string();
  options.push_back("lowerdir=" + lower);
  return {{"overlay", "overlay", options}};
}

}  // namespace paceline::snapshots
