// Writes a layer's entries into a folder in overlayfs form, one at a time, with the result containerd's Apply gives
// for an overlayfs snapshot: whiteouts become 0/0 character devices, opaque markers an attribute; in the bottom layer,
// which has nothing below it, both remove what the layer itself brought. One thread; borrows the folder's descriptor.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plugin/base/result.h"
#include "plugin/unpack/directories.h"
#include "plugin/unpack/entry_path.h"
#include "plugin/unpack/metadata.h"
#include "plugin/unpack/tar_reader.h"
#include "plugin/unpack/unfinished.h"

namespace paceline::unpack {

class LayerWriter {
 public:
  struct Options {
    bool bottom = false;
    bool device_nodes = true;     ///< false: devices of the archive are left out, as by containerd in a user namespace.
    std::uint64_t max_bytes = 0;  ///< Of all files together, holes included.
  };

  LayerWriter(int root, const Options& options);

  /// Writes the entry; its data is read from `reader`, which stands at it. Errors do not name the entry.
  Status apply(const TarEntry& entry, TarReader& reader);
  /// After the last entry: links that came before their targets, and the times of folders.
  Status finish();
  /// After finish(): what needs the lower layers.
  Unfinished take_unfinished();
  /// Folders that entries implied.
  [[nodiscard]] std::uint64_t folders_made() const { return directories_.made(); }

 private:
  using Directory = Directories::Directory;

  struct Place {
    const Directory* folder;
    const EntryPath& path;
  };
  struct FolderTimes {
    std::string path;
    Metadata metadata;
  };

  Status make_opaque(const Directory& folder);
  Status whiteout(Place place, const Metadata& metadata);
  Status write_file(Place place, const TarEntry& entry, const Metadata& metadata, TarReader& reader);
  Status write_data(int fd, const TarEntry& entry, TarReader& reader);
  Status make_folder(Place place, const TarEntry& entry, const Metadata& metadata);
  Status make_symlink(Place place, const TarEntry& entry, const Metadata& metadata);
  Status make_node(Place place, const TarEntry& entry, const Metadata& metadata);
  Status make_link(Place place, const TarEntry& entry, const Metadata& metadata);

  /// Calls `make`, which answers as a system call does; what stands in the way is removed and `make` called again.
  template <class Make>
  Status create(Place& place, Make make);
  /// Removes what is at the place, and opens its folder anew.
  Status clear(Place& place);
  Status remove(const Directory& folder, const std::string& name);
  /// Of a file just made with metadata's mode; `fresh_mode`: bits that creation may have left out.
  Status describe_new(const FileAt& file, const Metadata& metadata, const Xattrs& xattrs, mode_t unset_bits,
                      bool user_xattrs);
  /// linkat; kNotFound: the target is not in this layer (yet).
  Status link(Place& place, const std::string& target);
  Status set_folder_times(const FolderTimes& times);

  const int root_;
  const Options options_;
  Directories directories_;
  const mode_t umask_;
  const uid_t own_uid_;
  const gid_t own_gid_;
  /// Some folder hands down its group or a default ACL: then nothing new has the owner and mode it was made with.
  bool inheriting_ = false;
  bool removed_any_ = false;
  std::uint64_t bytes_ = 0;
  std::vector<FolderTimes> folder_times_;
  std::vector<PendingLink> pending_links_;
};

/// What a hard link's header says about its inode; the last link to it wins, as for containerd.
Status describe_link(const FileAt& file, const Metadata& metadata, const Xattrs& xattrs);

}  // namespace paceline::unpack
