#include "plugin/analyze/image_tree.h"

#include <algorithm>

#include "plugin/base/text.h"
#include "plugin/unpack/entry_path.h"

namespace paceline::analyze {
namespace {

constexpr std::size_t kBlock = 64U << 10U;

/// The first component of a path, which goes on behind it.
std::string_view next_name(std::string_view& path) {
  const std::size_t slash = std::min(path.find('/'), path.size());
  const std::string_view name = path.substr(0, slash);
  path.remove_prefix(std::min(slash + 1, path.size()));
  return name;
}

tl::unexpected<Error> too_many(std::size_t limit, const char* what) {
  return fail(Code::kResourceExhausted,
              "the image has more than " + std::to_string(limit) + " " + what + " up to here, the limit");
}

}  // namespace

ImageTree::ImageTree(const TreeLimits& limits) : limits_(limits) { nodes_.emplace_back(); }

std::string_view ImageTree::intern(std::string_view name) {
  if (blocks_.empty() || blocks_.back().capacity() - blocks_.back().size() < name.size()) {
    blocks_.emplace_back().reserve(std::max(kBlock, name.size()));
  }
  std::string& block = blocks_.back();
  const std::size_t at = block.size();
  block += name;  // Within its capacity: what points into it stays.
  return std::string_view(block).substr(at);
}

std::uint32_t ImageTree::child(std::uint32_t parent, std::string_view name) const {
  const auto found = children_.find({parent, name});
  return found == children_.end() ? kNone : found->second;
}

Result<std::uint32_t> ImageTree::make(std::string_view path) {
  std::uint32_t node = 0;
  while (!path.empty()) {
    if (auto status = make_room_below(node); !status) return fail(status.error());
    const std::string_view name = next_name(path);
    std::uint32_t next = child(node, name);
    if (next == kNone) {
      if (nodes_.size() > limits_.nodes) return too_many(limits_.nodes, "names and folders");  // Besides the root.
      next = static_cast<std::uint32_t>(nodes_.size());
      Node fresh;
      fresh.name = intern(name);
      fresh.parent = node;
      fresh.next_sibling = nodes_[node].first_child;
      nodes_.push_back(fresh);
      nodes_[node].first_child = next;
      children_.emplace(Key{node, nodes_[next].name}, next);
    }
    node = next;
  }
  return node;
}

/// Something lies in `node`: then it is a folder, whether this layer has an entry for it or not. Layers are unpacked
/// each for itself, so that a link of a lower one is not followed.
Status ImageTree::make_room_below(std::uint32_t node) {
  const std::uint32_t file = nodes_[node].file;
  if (file == kNone || files_[file].kind == EntryKind::kDirectory) return {};
  if (files_[file].layer < layers_) {
    hide(node);
  } else if (files_[file].kind != EntryKind::kSymlink) {
    return fail(Code::kInvalidArgument, unpack::printable(this->path(node)) + " is no folder");
  }
  return {};
}

std::uint32_t ImageTree::lookup(std::string_view path) const {
  std::uint32_t node = 0;
  while (!path.empty() && node != kNone) node = child(node, next_name(path));
  return node;
}

std::string ImageTree::path(std::uint32_t node) const {
  std::vector<std::string_view> names;
  for (; node != 0; node = nodes_[node].parent) names.push_back(nodes_[node].name);
  std::string out;
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    if (!out.empty()) out += '/';
    out += *name;
  }
  return out;
}

std::uint32_t ImageTree::resolve(std::string_view path, unsigned& links) const {
  std::uint32_t node = 0;
  while (!path.empty()) {
    const bool last = path.find('/') == std::string_view::npos;
    const std::string_view name = next_name(path);
    if (name.empty() || name == ".") continue;
    const std::uint32_t next = child(node, name);
    if (next == kNone) return kNone;
    const std::uint32_t file = nodes_[next].file;
    if (!last && file != kNone && files_[file].kind == EntryKind::kSymlink) {
      if (++links > unpack::kMaxLinks) return kNone;
      const std::string target = unpack::resolve_path(this->path(nodes_[next].parent), symlinks_[link_of_.at(file)]);
      const std::uint32_t folder = resolve(target + "/.", links);
      if (folder == kNone) return kNone;
      node = folder;
      continue;
    }
    node = next;
  }
  return node;
}

std::uint32_t ImageTree::find(std::string_view path) const {
  unsigned links = 0;
  const std::uint32_t node = resolve(path, links);
  return node == kNone ? kNone : nodes_[node].file;
}

void ImageTree::count(std::uint32_t node, std::int32_t change) {
  for (;; node = nodes_[node].parent) {
    nodes_[node].live += static_cast<std::uint32_t>(change);
    if (node == 0) return;
  }
}

void ImageTree::hide(std::uint32_t node) {
  const std::uint32_t file = nodes_[node].file;
  if (file == kNone) return;
  files_[file].hidden_by = layers_;
  --inodes_[files_[file].inode].live_names;
  nodes_[node].file = kNone;
  if (const auto kept = kept_.find(file); kept != kept_.end()) {
    kept_bytes_ -= kept->second.size();
    kept_.erase(kept);
  }
  count(node, -1);
}

/// What lower layers have there; what this layer brought stays.
void ImageTree::hide_below(std::uint32_t top, bool with_itself) {
  std::uint32_t& done = with_itself ? nodes_[top].hidden_in : nodes_[top].hidden_below_in;
  if (done == layers_) return;  // Said twice: the second time only this layer's own files are left.
  done = layers_;
  std::vector<std::uint32_t> open = {top};
  while (!open.empty()) {
    const std::uint32_t node = open.back();
    open.pop_back();
    if (nodes_[node].live == 0) continue;
    const std::uint32_t file = nodes_[node].file;
    if (file != kNone && files_[file].layer < layers_ && (with_itself || node != top)) hide(node);
    for (std::uint32_t next = nodes_[node].first_child; next != kNone; next = nodes_[next].next_sibling) {
      open.push_back(next);
    }
  }
}

/// All of it, whoever brought it: something that is no folder takes its place. The nodes are given up, so that a layer
/// that does this again and again costs no more than what it brings.
void ImageTree::drop_below(std::uint32_t top) {
  std::vector<std::uint32_t> open = {top};
  while (!open.empty()) {
    const std::uint32_t node = open.back();
    open.pop_back();
    if (node != top) {
      hide(node);
      children_.erase({nodes_[node].parent, nodes_[node].name});
    }
    for (std::uint32_t next = nodes_[node].first_child; next != kNone; next = nodes_[next].next_sibling) {
      open.push_back(next);
    }
    nodes_[node].first_child = kNone;
  }
}

void ImageTree::put(std::uint32_t node, const Entry& entry, const ScannedLayer& layer) {
  File file;
  file.node = node;
  file.layer = layers_;
  file.kind = entry.kind;
  file.own_compressed = entry.compressed;
  file.inode = kNone;
  if (entry.kind == EntryKind::kHardLink) {
    const std::uint32_t target = lookup(layer.link(entry));
    const std::uint32_t other = target == kNone ? kNone : nodes_[target].file;
    // A target in a lower layer would be copied: what that takes is not this layer's.
    if (other != kNone && files_[other].layer == layers_ && target != node) file.inode = files_[other].inode;
  }
  hide(node);
  // It may have been a folder without an entry of its own.
  if (entry.kind != EntryKind::kDirectory) drop_below(node);
  if (file.inode == kNone) {
    file.inode = static_cast<std::uint32_t>(inodes_.size());
    Inode inode;
    inode.size = entry.size;
    inode.content = entry.content;
    inode.layer = layers_;
    inodes_.push_back(inode);
  }
  Inode& inode = inodes_[file.inode];
  inode.compressed += entry.compressed;
  ++inode.names;
  ++inode.live_names;
  const auto number = static_cast<std::uint32_t>(files_.size());
  if (entry.kind == EntryKind::kSymlink) {
    link_of_[number] = static_cast<std::uint32_t>(symlinks_.size());
    symlinks_.emplace_back(layer.link(entry));
  }
  files_.push_back(file);
  nodes_[node].file = number;
  count(node, 1);
}

Status ImageTree::keep(std::uint32_t file, const std::string& content) {
  if (content.size() > limits_.kept_bytes - kept_bytes_) {
    return fail(Code::kResourceExhausted, "the image's package databases are larger than " +
                                              format_bytes(limits_.kept_bytes) + " together, the limit");
  }
  kept_bytes_ += content.size();
  kept_.emplace(file, content);
  return {};
}

Status ImageTree::add(const ScannedLayer& layer) {
  entries_ += layer.entries.size();
  if (entries_ > limits_.entries) return too_many(limits_.entries, "entries");
  for (std::size_t i = 0; i < layer.entries.size(); ++i) {
    const Entry& entry = layer.entries[i];
    const std::string_view name = layer.name(entry);
    if (entry.kind == EntryKind::kWhiteout || entry.kind == EntryKind::kOpaque) {
      // Where no layer has anything there is nothing to hide.
      const std::uint32_t node = lookup(name);
      if (node != kNone) hide_below(node, entry.kind == EntryKind::kWhiteout);
      continue;
    }
    const auto made = make(name);
    if (!made) return fail(made.error().context("entry " + unpack::printable(name)));
    const std::uint32_t node = *made;
    put(node, entry, layer);
    const auto kept = layer.kept.find(i);
    if (kept == layer.kept.end()) continue;
    if (auto status = keep(nodes_[node].file, kept->second); !status) return status;
  }
  ++layers_;
  return {};
}

}  // namespace paceline::analyze
