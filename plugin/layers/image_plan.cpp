#include "plugin/layers/image_plan.h"

#include "plugin/oci/json.h"

namespace paceline::layers {
namespace {

// OVL_MAX_STACK of Linux: with more, nothing runs.
constexpr std::size_t kMaxLayers = 500;

auto invalid(const std::string& what) { return fail(Code::kInvalidArgument, "image config: " + what); }

Result<std::vector<Digest>> read_diff_ids(std::string_view text) {
  if (text.size() > oci::kMaxConfigBytes) return invalid("larger than any real one");
  const auto config = oci::parse_json_object(text, "image config");
  if (!config) return fail(config.error());
  const auto rootfs = config->find("rootfs");
  if (rootfs == config->end() || !rootfs->is_object()) return invalid("it has no rootfs");
  const auto list = rootfs->find("diff_ids");
  if (list == rootfs->end() || !list->is_array()) return invalid("its rootfs has no list of diff_ids");
  std::vector<Digest> diff_ids;
  for (const auto& item : *list) {
    const auto* value = item.get_ptr<const std::string*>();
    const auto digest = value != nullptr ? Digest::parse(*value) : Result<Digest>(invalid("a diff_id is no string"));
    if (!digest) return invalid("a diff_id is no SHA-256 digest");
    diff_ids.push_back(*digest);
  }
  return diff_ids;
}

}  // namespace

Digest chain_id(const Digest& below, const Digest& diff_id) {
  return sha256(below.to_string() + " " + diff_id.to_string());
}

Result<std::vector<PlannedLayer>> plan_layers(const oci::Manifest& manifest, std::string_view config) {
  const auto diff_ids = read_diff_ids(config);
  if (!diff_ids) return fail(diff_ids.error());
  if (diff_ids->size() != manifest.layers.size()) {
    return invalid("it has " + std::to_string(diff_ids->size()) + " diff_ids, the manifest " +
                   std::to_string(manifest.layers.size()) + " layers");
  }
  if (diff_ids->size() > kMaxLayers) return invalid("more layers than overlayfs stacks");
  std::vector<PlannedLayer> layers;
  layers.reserve(diff_ids->size());
  for (std::size_t i = 0; i < diff_ids->size(); ++i) {
    const auto& blob = manifest.layers[i];
    const Digest& diff_id = (*diff_ids)[i];
    layers.push_back({.blob = blob.digest,
                      .size = blob.size,
                      .media_type = blob.media_type,
                      .diff_id = diff_id,
                      .chain_id = i == 0 ? diff_id : chain_id(layers.back().chain_id, diff_id)});
  }
  return layers;
}

}  // namespace paceline::layers
