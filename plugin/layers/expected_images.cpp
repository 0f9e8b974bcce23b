#include "plugin/layers/expected_images.h"

#include <algorithm>
#include <functional>

namespace paceline::layers {
namespace {

// As long as the store keeps a foreground pull's blobs for containerd: by then it has read, or will not.
constexpr Duration kExpected = std::chrono::minutes(10);

}  // namespace

void ExpectedImages::expect(const Digest& digest, const oci::Manifest& manifest, TimePoint now) {
  if (const auto known = entries_.find(digest); known != entries_.end()) {
    known->second->since = now;
    known->second->image.by_client = false;
    return;
  }
  const auto entry = std::make_shared<Entry>(Entry{digest, {manifest, {}, false}, now});
  entries_[digest] = entry;
  entries_[manifest.config.digest] = entry;
}

bool ExpectedImages::read(const Digest& blob, const std::string& reader) {
  const auto it = entries_.find(blob);
  if (it == entries_.end()) return false;
  auto& image = it->second->image;
  if (reader.empty()) {
    image.by_client = true;
  } else {
    image.readers.insert(reader);
  }
  return !image.by_client;
}

bool ExpectedImages::has_layer(const Digest& blob) const {
  return std::ranges::any_of(entries_, [&](const auto& item) {
    return std::ranges::any_of(item.second->image.manifest.layers,
                               [&](const auto& layer) { return layer.digest == blob; });
  });
}

std::optional<ExpectedImages::Image> ExpectedImages::take(const Digest& blob) {
  const auto it = entries_.find(blob);
  if (it == entries_.end()) return std::nullopt;
  const auto entry = it->second;
  std::erase_if(entries_, [&](const auto& item) { return item.second == entry; });
  return std::move(entry->image);
}

std::vector<oci::Manifest> ExpectedImages::all() const {
  std::vector<std::shared_ptr<Entry>> latest;
  for (const auto& [digest, entry] : entries_) {
    if (digest == entry->digest) latest.push_back(entry);
  }
  std::ranges::sort(latest, std::greater(), [](const auto& entry) { return entry->since; });
  std::vector<oci::Manifest> manifests;
  for (const auto& entry : latest) manifests.push_back(entry->image.manifest);
  return manifests;
}

void ExpectedImages::forget_old(TimePoint now) {
  std::erase_if(entries_, [&](const auto& item) { return now - item.second->since > kExpected; });
}

}  // namespace paceline::layers
