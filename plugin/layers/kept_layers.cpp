#include "plugin/layers/kept_layers.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "plugin/base/files.h"
#include "plugin/base/log.h"
#include "plugin/base/text.h"
#include "plugin/oci/json.h"
#include "plugin/unpack/remove_tree.h"

namespace paceline::layers {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxDescription = 4096;

std::uint64_t size_of(const snapshots::Usage& usage) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(usage.bytes, 0));
}

/// Deep trees hold read-only folders, links and devices: as the snapshotter removes them.
void remove_named(int root, const fs::path& path) {
  const auto removed = unpack::remove_tree(root, path.filename().string());
  if (!removed && removed.error().code != Code::kNotFound) {
    spdlog::warn("{}: {}; the next start tries again", path.string(), removed.error().message);
  }
}

}  // namespace

Result<std::unique_ptr<KeptLayers>> KeptLayers::open(const fs::path& root, store::Store& store, const Clock& clock) {
  if (auto made = make_directories(root); !made) return fail(made.error());
  if (::chmod(root.c_str(), 0700) != 0) return fail(errno_error(errno, "chmod " + root.string()));
  auto fd = open_file(root, O_RDONLY | O_DIRECTORY);
  if (!fd) return fail(fd.error());
  std::unique_ptr<KeptLayers> kept(new KeptLayers(root, std::move(*fd), store, clock));
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& item : fs::directory_iterator(root, error)) found.push_back(item.path());
  if (error) return fail(errno_error(error.value(), "read " + root.string()));
  for (const auto& path : found) {
    if (path.extension() == ".json") kept->load(path);
  }
  for (const auto& path : found) {
    const auto digest = Digest::parse("sha256:" + path.stem().string());
    if (!digest || !kept->entries_.contains(*digest)) remove_named(kept->fd_.get(), path);
  }
  kept->count();
  return kept;
}

void KeptLayers::load(const fs::path& path) {
  const auto chain_id = Digest::parse("sha256:" + path.stem().string());
  const auto text = read_file(path, kMaxDescription);
  if (!chain_id || !text) return;
  const auto json = oci::parse_json_object(*text, "description of a kept layer");
  std::error_code error;
  if (!json || !fs::is_directory(fs::symlink_status(place(*chain_id), error))) return;
  const auto blob = Digest::parse(json->value("blob", ""));
  if (!blob) return;
  entries_[*chain_id] = {
      *blob, {json->value("bytes", std::int64_t{0}), json->value("inodes", std::int64_t{0})}, clock_.wall()};
}

fs::path KeptLayers::place(const Digest& chain_id) const { return root_ / chain_id.hex(); }

fs::path KeptLayers::description(const Digest& chain_id) const { return root_ / (chain_id.hex() + ".json"); }

Result<fs::path> KeptLayers::put(const Digest& chain_id, const Digest& blob, const fs::path& made,
                                 const snapshots::Usage& usage, const std::set<Digest>& spared) {
  const std::uint64_t bytes = size_of(usage);
  if (auto room = reserve(bytes, spared); !room) return fail(room.error());
  auto moved = move_in(chain_id, blob, made, usage);
  const std::lock_guard lock(mutex_);
  reserved_ -= bytes;
  if (moved) entries_[chain_id] = {blob, usage, clock_.wall()};
  count();
  return moved;
}

Result<fs::path> KeptLayers::move_in(const Digest& chain_id, const Digest& blob, const fs::path& made,
                                     const snapshots::Usage& usage) {
  // It may wait for long, and nobody would unpack it again after a power loss.
  const auto files = open_file(made, O_RDONLY | O_DIRECTORY);
  if (!files) return fail(files.error());
  if (::syncfs(files->get()) != 0) return fail(errno_error(errno, "sync " + made.string()));
  const nlohmann::json about = {{"blob", blob.to_string()}, {"bytes", usage.bytes}, {"inodes", usage.inodes}};
  if (auto written = write_file_atomically(description(chain_id), about.dump(), Durability::kPowerLoss); !written) {
    return fail(written.error());
  }
  auto target = place(chain_id);
  if (::rename(made.c_str(), target.c_str()) != 0) {
    const auto error = errno_error(errno, "rename " + made.string() + " to " + target.string());
    if (!find(chain_id)) forget(chain_id);
    return fail(error);
  }
  (void)::fsync(fd_.get());
  return target;
}

std::optional<snapshots::UnpackedLayer> KeptLayers::find(const Digest& chain_id) {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(chain_id);
  if (entry == entries_.end()) return std::nullopt;
  entry->second.used = clock_.wall();
  return snapshots::UnpackedLayer{place(chain_id), entry->second.usage};
}

std::optional<snapshots::UnpackedLayer> KeptLayers::take(const Digest& chain_id) {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(chain_id);
  if (entry == entries_.end()) return std::nullopt;
  return snapshots::UnpackedLayer{place(chain_id), drop_entry(entry).usage};
}

void KeptLayers::forget(const Digest& chain_id) { (void)::unlink(description(chain_id).c_str()); }

KeptLayers::Entry KeptLayers::drop_entry(Entries::iterator entry) {
  const Entry dropped = entry->second;
  entries_.erase(entry);
  count();
  return dropped;
}

std::uint64_t KeptLayers::counted() const {
  std::uint64_t bytes = reserved_;
  for (const auto& [chain_id, entry] : entries_) bytes += size_of(entry.usage);
  return bytes;
}

void KeptLayers::count() { store_.set_bytes_elsewhere(counted()); }

KeptLayers::Totals KeptLayers::totals() const {
  const std::lock_guard lock(mutex_);
  Totals totals;
  for (const auto& [chain_id, entry] : entries_) {
    ++totals.layers;
    totals.bytes += size_of(entry.usage);
  }
  return totals;
}

bool KeptLayers::may_go(const Entries::value_type& entry, const std::set<Digest>& spared) const {
  const auto blob = store_.find(entry.second.blob);
  return !spared.contains(entry.first) && (!blob || !blob->pinned);
}

KeptLayers::Totals KeptLayers::evict(const std::optional<Digest>& blob) {
  std::vector<Digest> dropped;
  Totals totals;
  {
    const std::lock_guard lock(mutex_);
    for (auto it = entries_.begin(); it != entries_.end();) {
      const auto entry = it++;
      if ((blob && entry->second.blob != *blob) || !may_go(*entry, {})) continue;
      dropped.push_back(entry->first);
      ++totals.layers;
      totals.bytes += size_of(drop_entry(entry).usage);
    }
  }
  for (const auto& chain_id : dropped) remove(chain_id);
  return totals;
}

bool KeptLayers::evict_oldest(const std::set<Digest>& spared) {
  std::optional<Digest> oldest;
  {
    const std::lock_guard lock(mutex_);
    auto found = entries_.end();
    for (auto it = entries_.begin(); it != entries_.end(); ++it) {
      if (may_go(*it, spared) && (found == entries_.end() || it->second.used < found->second.used)) found = it;
    }
    if (found == entries_.end()) return false;
    oldest = found->first;
    drop_entry(found);
  }
  spdlog::debug("layer {}: dropped to make room", oldest->to_string());
  remove(*oldest);
  return true;
}

Status KeptLayers::reserve(std::uint64_t bytes, const std::set<Digest>& spared) {
  for (;;) {
    const auto usage = store_.usage();
    const std::uint64_t stored = usage.listed_bytes + usage.hidden_bytes + usage.partial_bytes;
    bool enough = false;
    {
      const std::lock_guard lock(mutex_);
      const std::uint64_t needed = stored + counted() + bytes;
      if (usage.quota == 0 || needed <= usage.quota) {
        reserved_ += bytes;
        count();
        return {};
      }
      std::uint64_t possible = 0;
      for (const auto& entry : entries_) possible += may_go(entry, spared) ? size_of(entry.second.usage) : 0;
      enough = needed - possible <= usage.quota;
    }
    if (enough && evict_oldest(spared)) continue;
    return fail(Code::kResourceExhausted, "no room for " + format_bytes(bytes) +
                                              " of unpacked files within the quota of " + format_bytes(usage.quota) +
                                              " (store.quota)");
  }
}

void KeptLayers::remove(const Digest& chain_id) {
  forget(chain_id);  // First: files without it are of no worth, also to the next start.
  // A layer above may be reading: it must be able to tell that it has read less than all.
  const auto removed = root_ / ("removed-" + std::to_string(next_removed_.fetch_add(1)));
  if (::rename(place(chain_id).c_str(), removed.c_str()) != 0) {
    spdlog::warn("{}; the next start removes it", errno_error(errno, "rename " + place(chain_id).string()).message);
    return;
  }
  remove_named(fd_.get(), removed);
}

}  // namespace paceline::layers
