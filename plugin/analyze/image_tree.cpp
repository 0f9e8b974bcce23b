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
  std::string real;  // What `path` is of, once a link was on the way.
  unsigned links = 0;
  std::uint32_t node = 0;
  while (!path.empty()) {
    const std::uint32_t file = nodes_[node].file;
    // Layers are unpacked each for itself, so that a link of a lower one is not followed.
    if (target_of(file) != nullptr && files_[file].layer == layers_) {
      auto next = through(node, path, links);
      if (!next) return fail(next.error());
      real = std::move(*next);
      path = real;
      node = 0;
      continue;
    }
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

/// Something lies in `node`: then it is a folder, whether this layer has an entry for it or not.
Status ImageTree::make_room_below(std::uint32_t node) {
  const std::uint32_t file = nodes_[node].file;
  if (file == kNone || files_[file].kind == EntryKind::kDirectory) return {};
  if (files_[file].layer == layers_) {
    return fail(Code::kInvalidArgument, unpack::printable(this->path(node)) + " is no folder");
  }
  hide(node);
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

/// Of a symlink, or of a hard link to one; null: it is something else.
const std::string* ImageTree::target_of(std::uint32_t file) const {
  if (file == kNone) return nullptr;
  if (files_[file].kind != EntryKind::kSymlink && files_[file].kind != EntryKind::kHardLink) return nullptr;
  const auto link = symlinks_.find(files_[file].inode);
  return link == symlinks_.end() ? nullptr : &link->second;
}

Status ImageTree::followed_all() const {
  if (followed_ <= limits_.followed_bytes) return {};
  return fail(Code::kResourceExhausted, "the image's symlinks lead over paths of more than " +
                                            format_bytes(limits_.followed_bytes) + ", the limit");
}

/// The path from the root that a path with `link` on it means: where that leads, and what comes behind it. "link/.." in
/// a target is the folder that the link lies in, as for containerd.
Result<std::string> ImageTree::through(std::uint32_t link, std::string_view rest, unsigned& links) const {
  if (++links > unpack::kMaxLinks) return fail(Code::kInvalidArgument, "there are too many symlinks on its way");
  if (auto status = followed_all(); !status) return fail(status.error());
  const std::string& target = *target_of(nodes_[link].file);
  std::string path = unpack::resolve_path(this->path(nodes_[link].parent), target);
  path += '/';
  path += rest;
  followed_ += target.size() + path.size();  // "a/../a/.." leads nowhere and has to be read all the same.
  auto parsed = unpack::parse_entry_path(path);
  if (!parsed) return fail(parsed.error());
  return parsed->full();
}

Result<std::uint32_t> ImageTree::resolve(std::string_view path) const {
  std::string real;  // What `path` is of, once a link was on the way.
  unsigned links = 0;
  std::uint32_t node = 0;
  while (!path.empty()) {
    const bool last = path.find('/') == std::string_view::npos;
    const std::string_view name = next_name(path);
    if (name.empty() || name == ".") continue;
    node = child(node, name);
    if (node == kNone) return kNone;
    if (last || target_of(nodes_[node].file) == nullptr) continue;
    auto next = through(node, path, links);
    if (!next) return fail(next.error());
    real = std::move(*next);
    path = real;
    node = 0;
  }
  return node;
}

std::uint32_t ImageTree::find(std::string_view path) const {
  const auto node = resolve(path);
  return !node || *node == kNone ? kNone : nodes_[*node].file;
}

/// The file that a hard link to `path` is one more name of; kNone: there is none so far.
Result<std::uint32_t> ImageTree::link_target(std::string_view path) const {
  const auto node = resolve(path);
  if (!node) return fail(node.error().context("its target " + unpack::printable(path)));
  if (*node == kNone) return kNone;
  const std::uint32_t file = nodes_[*node].file;
  const bool implied = *node == 0 || nodes_[*node].live > 0;
  if (file == kNone ? implied : files_[file].kind == EntryKind::kDirectory) {
    return fail(Code::kInvalidArgument, "its target " + unpack::printable(path) + " is a folder");
  }
  return file == kNone || files_[file].inode == kNone ? kNone : file;
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
  if (files_[file].inode != kNone) --inodes_[files_[file].inode].live_names;
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

std::uint32_t ImageTree::make_inode(const Entry& entry) {
  Inode inode;
  inode.size = entry.size;
  inode.stored = entry.stored;
  inode.content = entry.content;
  inode.layer = layers_;
  inodes_.push_back(inode);
  return static_cast<std::uint32_t>(inodes_.size() - 1);
}

Status ImageTree::put(std::uint32_t node, const Entry& entry, const ScannedLayer& layer) {
  if (node == 0 && entry.kind != EntryKind::kDirectory) {
    return fail(Code::kInvalidArgument, "it is the root, and no folder");
  }
  hide(node);
  // It may have been a folder without an entry of its own.
  if (entry.kind != EntryKind::kDirectory) drop_below(node);
  File file;
  file.node = node;
  file.layer = layers_;
  file.kind = entry.kind;
  file.own_compressed = entry.compressed;
  const auto number = static_cast<std::uint32_t>(files_.size());
  if (entry.kind == EntryKind::kHardLink) {
    // In a lower layer too: what unpacking then copies is what that one brought.
    const auto target = link_target(layer.link(entry));
    if (!target) return fail(target.error());
    file.inode = *target == kNone ? kNone : files_[*target].inode;
  } else {
    file.inode = make_inode(entry);
  }
  if (file.inode == kNone) {
    pending_.emplace_back(number, static_cast<std::size_t>(&entry - layer.entries.data()));
  } else {
    ++inodes_[file.inode].names;
    ++inodes_[file.inode].live_names;
  }
  if (entry.kind == EntryKind::kSymlink) symlinks_.emplace(file.inode, layer.link(entry));
  files_.push_back(file);
  nodes_[node].file = number;
  count(node, 1);
  return {};
}

/// Links that came before their targets, once and in their order, as the unpack engine does it.
Status ImageTree::finish_links(const ScannedLayer& layer) {
  for (const auto& [number, index] : pending_) {
    const Entry& entry = layer.entries[index];
    File& file = files_[number];
    if (!file.live()) {
      // A later entry has its place: it is a name of nothing.
      file.inode = make_inode(entry);
      ++inodes_[file.inode].names;
      continue;
    }
    auto target = link_target(layer.link(entry));
    if (target && *target == kNone) {
      target = fail(Code::kInvalidArgument, "its target " + unpack::printable(layer.link(entry)) + " does not exist");
    }
    if (!target) return fail(target.error().context("entry " + unpack::printable(layer.name(entry))));
    file.inode = files_[*target].inode;
    ++inodes_[file.inode].names;
    ++inodes_[file.inode].live_names;
  }
  pending_.clear();
  return {};
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
    const auto named = [&](const Error& error) { return fail(error.context("entry " + unpack::printable(name))); };
    const auto node = make(name);
    if (!node) return named(node.error());
    if (auto status = put(*node, entry, layer); !status) return named(status.error());
    const auto kept = layer.kept.find(i);
    if (kept == layer.kept.end()) continue;
    if (auto status = keep(nodes_[*node].file, kept->second); !status) return status;
  }
  if (auto status = finish_links(layer); !status) return status;
  ++layers_;
  return {};
}

}  // namespace paceline::analyze
