// All layers of an image on top of each other: which entries a container sees, and which a later layer has overwritten
// or deleted. Rules as OCI image-spec layer.md, "Applying": a whiteout hides what lower layers have, never its own
// layer's; a file in place of a folder hides what was below it, a folder in place of a file hides the file (with an
// entry of its own or without); an inode lives as long as one of its names does, and a hard link to a file of a lower
// layer is one more name of it. An entry lies where the symlinks of its own layer lead. One thread. Views into names
// last as long as the tree.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "plugin/analyze/layer_scan.h"

namespace paceline::analyze {

inline constexpr std::uint32_t kNone = UINT32_MAX;

/// What the names of one file share.
struct Inode {
  std::uint64_t size = 0;
  std::uint64_t stored = 0;  ///< Of these, what the tar has.
  ContentKey content{};
  std::uint32_t layer = 0;                  ///< That brought its bytes.
  std::uint32_t names = 0, live_names = 0;  ///< Of all layers.
};

/// One name that a layer brought.
struct File {
  std::uint32_t node = 0;
  std::uint32_t inode = 0;
  std::uint32_t layer = 0;
  std::uint32_t hidden_by = kNone;  ///< The layer that overwrote or deleted it; kNone: a container sees it.
  EntryKind kind = EntryKind::kFile;
  std::uint64_t own_compressed = 0;  ///< Of its header and, unless it is a hard link, its content.

  [[nodiscard]] bool live() const { return hidden_by == kNone; }
};

/// What an image may be before it is taken for an attack. Over all its layers.
struct TreeLimits {
  std::size_t entries = 8'000'000;  ///< Whiteouts too. Some 150 bytes each.
  std::size_t nodes = 8'000'000;    ///< Names and the folders they lie in, also those without an entry of their own.
  std::size_t kept_bytes = 128U << 20U;  ///< Contents that are kept of live files, at any time.
  /// Symlinks' targets and the paths that they lead to, at every link on the way to a file. Half a million of listed
  /// files below a linked folder take 32 MiB.
  std::uint64_t followed_bytes = 256U << 20U;
};

class ImageTree {
 public:
  ImageTree() : ImageTree(TreeLimits()) {}
  explicit ImageTree(const TreeLimits& limits);
  ~ImageTree() = default;
  ImageTree(ImageTree&&) = default;
  ImageTree& operator=(ImageTree&&) = default;
  ImageTree(const ImageTree&) = delete;  // Its views are into itself.
  ImageTree& operator=(const ImageTree&) = delete;

  /// The next layer, bottom first. kResourceExhausted: beyond the limits. kInvalidArgument: an entry lies in a file, or
  /// is a hard link to nothing or to a folder.
  Status add(const ScannedLayer& layer);

  [[nodiscard]] const std::vector<File>& files() const { return files_; }
  [[nodiscard]] const std::vector<Inode>& inodes() const { return inodes_; }
  [[nodiscard]] std::uint32_t layers() const { return layers_; }
  /// From the root, without a leading slash.
  [[nodiscard]] std::string path(std::uint32_t node) const;
  [[nodiscard]] std::string_view name(std::uint32_t node) const { return nodes_[node].name; }
  [[nodiscard]] std::uint32_t parent(std::uint32_t node) const { return nodes_[node].parent; }
  /// The live file at `path`, symbolic links of its folders followed inside the image; kNone: there is none.
  [[nodiscard]] std::uint32_t find(std::string_view path) const;
  /// kResourceExhausted: links were too much to follow, and find() has said kNone of what may be there.
  [[nodiscard]] Status followed_all() const;
  /// File → content, of the files that were kept and are live.
  [[nodiscard]] const std::unordered_map<std::uint32_t, std::string>& kept() const { return kept_; }

 private:
  struct Node {
    std::string_view name;
    std::uint32_t parent = kNone;
    std::uint32_t first_child = kNone, next_sibling = kNone;
    std::uint32_t file = kNone;       // The live one.
    std::uint32_t live = 0;           // Live files here and below.
    std::uint32_t hidden_in = kNone;  // The layer that last had a whiteout of it.
    std::uint32_t hidden_below_in = kNone;
  };
  struct Key {
    std::uint32_t parent;
    std::string_view name;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      return std::hash<std::string_view>()(key.name) ^ (std::size_t{key.parent} * 0x9E3779B97F4A7C15ULL);
    }
  };

  /// What lower layers have in place of one of its folders is hidden.
  Result<std::uint32_t> make(std::string_view path);
  Status make_room_below(std::uint32_t node);
  /// kNone: no layer has said anything of it.
  [[nodiscard]] std::uint32_t lookup(std::string_view path) const;
  [[nodiscard]] std::uint32_t child(std::uint32_t parent, std::string_view name) const;
  [[nodiscard]] Result<std::uint32_t> resolve(std::string_view path) const;
  [[nodiscard]] Result<std::string> through(std::uint32_t link, std::string_view rest, unsigned& links) const;
  [[nodiscard]] const std::string* target_of(std::uint32_t file) const;
  [[nodiscard]] Result<std::uint32_t> link_target(std::string_view path) const;
  std::string_view intern(std::string_view name);
  Status put(std::uint32_t node, const Entry& entry, const ScannedLayer& layer);
  std::uint32_t make_inode(const Entry& entry);
  Status finish_links(const ScannedLayer& layer);
  void hide(std::uint32_t node);
  void hide_below(std::uint32_t node, bool with_itself);
  void drop_below(std::uint32_t node);
  Status keep(std::uint32_t file, const std::string& content);
  void count(std::uint32_t node, std::int32_t change);

  TreeLimits limits_;
  std::size_t entries_ = 0;
  std::vector<Node> nodes_;
  std::vector<File> files_;
  std::vector<Inode> inodes_;
  std::unordered_map<std::uint32_t, std::string> symlinks_;  // Inode → target.
  // Hard links whose target this layer may still bring, by file, which has no inode until then; and its entry.
  std::vector<std::pair<std::uint32_t, std::size_t>> pending_;
  std::unordered_map<Key, std::uint32_t, KeyHash> children_;
  std::unordered_map<std::uint32_t, std::string> kept_;
  std::size_t kept_bytes_ = 0;      // Of all of them.
  std::deque<std::string> blocks_;  // Names, end to end.
  std::uint32_t layers_ = 0;
  mutable std::uint64_t followed_ = 0;
};

}  // namespace paceline::analyze
