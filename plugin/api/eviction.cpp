#include "plugin/api/eviction.h"

#include "plugin/api/convert.h"
#include "plugin/api/request_check.h"
#include "plugin/base/files.h"
#include "plugin/oci/manifest.h"

namespace paceline::api {
namespace {

std::string read_document(store::Store& store, const Digest& digest) {
  const auto info = store.find(digest);
  if (!info || info->size > oci::kMaxManifestBytes) return {};
  const auto blob = store.open_blob(digest);
  if (!blob) return {};
  std::string bytes(static_cast<std::size_t>((*blob)->size), '\0');
  const auto read = read_at((*blob)->fd.get(), std::as_writable_bytes(std::span(bytes)), 0);
  return read && *read == bytes.size() ? bytes : std::string();
}

}  // namespace

void Eviction::all() {
  for (const auto& blob : store_.list(store::Visibility::kHidden)) {
    if (!blob.pinned) drop(blob.digest);
  }
  drop_layers(std::nullopt);
}

void Eviction::drop_layers(const std::optional<Digest>& blob) {
  if (kept_ == nullptr) return;
  const auto dropped = kept_->evict(blob);
  report_.evicted_layers += dropped.layers;
  report_.evicted_layer_bytes += dropped.bytes;
}

void Eviction::target(const std::string& text) {
  if (text.starts_with("sha256:")) {
    const auto parsed = Digest::parse(text);
    if (parsed) return digest(text, *parsed);
    report_.failures.emplace_back(text, parsed.error());
  } else {
    const auto parsed = check_image(text);
    if (parsed) return image(text, *parsed);
    report_.failures.emplace_back(text, parsed.error());
  }
}

void Eviction::digest(const std::string& text, const Digest& digest) {
  const auto layers = report_.evicted_layers;
  drop_layers(digest);
  const auto info = store_.find(digest);
  if (!info && report_.evicted_layers > layers) return;
  const Status evicted =
      info ? store_.evict(digest) : Status(fail(Code::kNotFound, "blob " + text + " is not in the store"));
  if (!evicted) {
    report_.failures.emplace_back(text, evicted.error());
    return;
  }
  ++report_.evicted_blobs;
  report_.evicted_bytes += info->size;
}

void Eviction::image(const std::string& text, const oci::Reference& reference) {
  const auto blobs = blobs_of(reference);
  if (!blobs) {
    report_.failures.emplace_back(text, blobs.error());
    return;
  }
  for (const auto& blob : *blobs) {
    drop_layers(blob);
    drop(blob);
  }
}

Result<std::set<Digest>> Eviction::blobs_of(const oci::Reference& reference) const {
  const std::string name = reference.to_string();
  std::set<Digest> found;
  if (reference.digest) add_document(*reference.digest, 0, found);
  for (const auto& pull : pulls_.pulls()) {
    if (pull.image != name) continue;
    if (!is_over(pull.state)) {
      return fail(Code::kFailedPrecondition, "image " + name + " is being pulled (pull " + pull.id +
                                                 "): cancel that first, or wait until it is over");
    }
    if (pull.digest) add_document(*pull.digest, 0, found);
    for (const auto& blob : pull.blobs) found.insert(blob.digest);
  }
  if (found.empty()) {
    return fail(
        Code::kNotFound,
        "the blobs of image " + name +
            " are not known: it was not pulled lately; evict them by digest: `paceline blobs --hidden` shows those");
  }
  return found;
}

// The document itself and what it names; an index names manifests, so two levels at most.
void Eviction::add_document(const Digest& digest, int depth, std::set<Digest>& found) const {
  const std::string bytes = read_document(store_, digest);
  if (bytes.empty()) return;
  found.insert(digest);
  const auto document = oci::parse_document(bytes, "");
  if (!document) return;
  if (const auto* index = std::get_if<oci::Index>(&*document)) {
    if (depth > 0) return;
    for (const auto& manifest : index->manifests) add_document(manifest.digest, depth + 1, found);
  } else if (const auto* manifest = std::get_if<oci::Manifest>(&*document)) {
    found.insert(manifest->config.digest);
    for (const auto& layer : manifest->layers) found.insert(layer.digest);
  }
}

void Eviction::drop(const Digest& digest) {
  const auto info = store_.find(digest);
  if (!info) return;
  const bool hidden = info->visibility == store::Visibility::kHidden && !info->pinned;
  if (!hidden) {
    ++report_.kept_blobs;
    return;
  }
  const Status evicted = store_.evict(digest);
  if (evicted) {
    ++report_.evicted_blobs;
    report_.evicted_bytes += info->size;
  } else if (evicted.error().code == Code::kFailedPrecondition) {
    ++report_.kept_blobs;  // containerd adopted it, or somebody pinned it, just now.
  } else if (evicted.error().code != Code::kNotFound) {
    report_.failures.emplace_back(digest.to_string(), evicted.error());
  }
}

}  // namespace paceline::api
