#include "plugin/records/open_records.h"

#include <algorithm>

namespace paceline::records {
namespace {

using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr std::size_t kPulls = 256;
constexpr std::size_t kUnpacked = 4096;
constexpr std::size_t kContainers = 1024;
// A container or an unpacking that comes later than this after a pull is not of it.
constexpr double kSameStartMs = 10 * 60 * 1000;

void set_unpacked(EndedPull& pull, const UnpackedLayer& unpacked) {
  const std::string blob = unpacked.blob.to_string();
  for (Layer& layer : pull.record.layers) {
    if (layer.digest != blob) continue;
    layer.unpack_start_ms = Milliseconds(unpacked.start - pull.started).count();
    layer.unpack_end_ms = Milliseconds(unpacked.end - pull.started).count();
    layer.uncompressed_bytes = unpacked.uncompressed_bytes;
    layer.files = unpacked.files;
    layer.inflate_cpu_ms = Milliseconds(unpacked.inflate_cpu).count();
    layer.write_cpu_ms = Milliseconds(unpacked.write_cpu).count();
  }
}

/// Whether it is the pull's own unpacking: an image that is pulled again has the same layers.
bool may_unpack(const EndedPull& pull, const UnpackedLayer& unpacked) {
  const std::string blob = unpacked.blob.to_string();
  const auto& layers = pull.record.layers;
  const bool wants = std::any_of(layers.begin(), layers.end(),
                                 [&](const Layer& layer) { return layer.digest == blob && !layer.unpack_end_ms; });
  const double began = Milliseconds(unpacked.start - pull.started).count();
  return wants && began >= 0 && began - pull.record.pull_ms <= kSameStartMs;
}

double since_start(const ColdStart& record, WallTime when) {
  return Milliseconds(when.time_since_epoch()).count() - static_cast<double>(record.started_unix_ms);
}

// "host/repo" of "host/repo:tag@digest": a port is in front of the last slash.
std::string repository_of(const std::string& image) {
  std::string name = image.substr(0, image.find('@'));
  const auto slash = name.rfind('/');
  const auto colon = name.rfind(':');
  if (colon != std::string::npos && (slash == std::string::npos || colon > slash)) name.resize(colon);
  return name;
}

}  // namespace

const ColdStart& OpenRecords::pull_ended(EndedPull pull) {
  const auto entry = std::make_shared<EndedPull>(std::move(pull));
  for (const UnpackedLayer& layer : unpacked_) {
    if (may_unpack(*entry, layer)) set_unpacked(*entry, layer);
  }
  pulls_.push_back(entry);
  if (pulls_.size() > kPulls) pulls_.pop_front();
  return entry->record;
}

const ColdStart* OpenRecords::layer_unpacked(const UnpackedLayer& unpacked) {
  unpacked_.push_back(unpacked);
  if (unpacked_.size() > kUnpacked) unpacked_.pop_front();
  for (auto pull = pulls_.rbegin(); pull != pulls_.rend(); ++pull) {
    if (!may_unpack(**pull, unpacked)) continue;
    set_unpacked(**pull, unpacked);
    return &(*pull)->record;
  }
  return nullptr;
}

/// By its name; else by its digest; else the repository's last pull, as containerd may know the image by another tag:
/// but not where a pull of that very image is known, whose first container this is not.
OpenRecords::Entry OpenRecords::awaits_container(const std::string& image, WallTime created) const {
  const auto fits = [&](const auto& rule) -> Entry {
    for (auto pull = pulls_.rbegin(); pull != pulls_.rend(); ++pull) {
      const ColdStart& record = (*pull)->record;
      const double at = since_start(record, created);
      const bool open = !record.container && record.state == "done" && record.source != "prefetch" && at >= 0 &&
                        at - record.pull_ms <= kSameStartMs;
      if (open && rule(record)) return *pull;
    }
    return nullptr;
  };
  const auto named = [&](const ColdStart& record) { return record.image == image; };
  const auto same_digest = [&](const ColdStart& record) {
    return !record.manifest_digest.empty() && image.ends_with("@" + record.manifest_digest);
  };
  if (auto pull = fits(named)) return pull;
  if (auto pull = fits(same_digest)) return pull;
  const bool known = std::any_of(pulls_.begin(), pulls_.end(),
                                 [&](const Entry& pull) { return named(pull->record) || same_digest(pull->record); });
  if (known) return nullptr;
  return fits([&](const ColdStart& record) { return repository_of(record.image) == repository_of(image); });
}

void OpenRecords::container_created(const std::string& containerd_namespace, const std::string& id,
                                    const std::string& image, WallTime when) {
  const Entry pull = awaits_container(image, when);
  if (pull == nullptr) return;
  pull->record.container = Container{id, containerd_namespace,
                                     std::max(since_start(pull->record, when), pull->record.pull_ms), std::nullopt};
  if (containers_.size() >= kContainers) containers_.erase(containers_.begin());  // Created and never started.
  containers_[{containerd_namespace, id}] = pull;
}

const ColdStart* OpenRecords::task_started(const std::string& containerd_namespace, const std::string& id,
                                           WallTime when) {
  const auto it = containers_.find({containerd_namespace, id});
  if (it == containers_.end()) return nullptr;
  const Entry pull = it->second;
  containers_.erase(it);
  complete(*pull, since_start(pull->record, when));
  // It lives as long as the entry, which the list keeps at least until the next pull.
  return std::find(pulls_.begin(), pulls_.end(), pull) == pulls_.end() ? nullptr : &pull->record;
}

void OpenRecords::complete(EndedPull& pull, double started_ms) {
  ColdStart& record = pull.record;
  Container& container = *record.container;
  container.started_ms = std::max(started_ms, container.created_ms);
  record.cold_start_ms = container.started_ms;
  double unpacked = record.pull_ms;
  for (const Layer& layer : record.layers) unpacked = std::max(unpacked, layer.unpack_end_ms.value_or(0));
  unpacked = std::min(unpacked, container.created_ms);
  const auto phase = [&](const char* name, double start_ms, double end_ms) {
    if (end_ms > start_ms) record.phases.push_back({name, start_ms, end_ms});
  };
  phase("unpack", record.pull_ms, unpacked);
  phase("containerd", unpacked, container.created_ms);
  phase("start", container.created_ms, *container.started_ms);
}

}  // namespace paceline::records
