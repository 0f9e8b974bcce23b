// The folders of a layer being written, as open descriptors: a path is resolved inside the layer's root one component
// at a time, never through a link the kernel follows, so nothing outside can be reached; symlinks of the layer are
// followed by hand as in a chroot. What is missing on the way is made. Recently used folders stay open: an entry next
// to its neighbours costs a lookup in a table. One thread; borrows the root's descriptor for life.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "plugin/base/fd.h"
#include "plugin/base/result.h"

namespace paceline::unpack {

/// A folder that had to be made for something in it: the layer itself says nothing about it (yet).
struct ImplicitDirectory {
  std::string path;        ///< From the root, without links.
  bool described = false;  ///< An entry of the layer followed later, and said all but the extended attributes.
};

class Directories {
 public:
  struct Directory {
    int fd = -1;
    std::string path;  ///< From the root, without links; empty for the root.
  };

  explicit Directories(int root);

  /// The folder `path` (clean), made where it is missing. Valid until the next call of a member that is not const.
  Result<const Directory*> open(std::string_view path);
  /// The same, but kNotFound when a part is missing.
  Result<const Directory*> find(std::string_view path);
  /// Something was removed or replaced: what is open may no longer be what its path means.
  void forget();
  /// An entry describes the folder at `path`.
  void describe(const std::string& path);
  /// `path` and all below was removed: forget what was implied there.
  void drop_implicit(const std::string& path);
  /// Outer ones first.
  [[nodiscard]] std::vector<ImplicitDirectory> implicit() const;
  /// How many folders were made that no entry had described by then.
  [[nodiscard]] std::uint64_t made() const { return made_; }

 private:
  enum class Missing { kMake, kFail };
  struct Node {
    std::string key;  // The path it was asked for by, links and all.
    UniqueFd owned;
    Directory directory;
  };

  Result<const Directory*> resolve(std::string_view path, Missing missing, unsigned& links);
  Result<const Directory*> step(const Directory& parent, std::string_view path, std::string_view name, Missing missing,
                                unsigned& links);
  const Directory* keep(std::string_view key, UniqueFd fd, std::string real);

  Directory root_;
  std::list<Node> nodes_;  // Most recently used first.
  std::unordered_map<std::string_view, std::list<Node>::iterator> by_key_;
  std::map<std::string, bool> implicit_;  // Path → described.
  std::uint64_t made_ = 0;
};

}  // namespace paceline::unpack
