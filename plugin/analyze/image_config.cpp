#include <nlohmann/json.hpp>

#include "plugin/analyze/image_source.h"
#include "plugin/oci/json.h"

namespace paceline::analyze {
namespace {

constexpr std::size_t kMostCommand = 4096;
constexpr std::size_t kMostWords = 64;
// runc's, where the config has none.
constexpr const char* kSearchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Calls `use` with each text of the list `key`; other things in its place are passed over, as its absence.
void for_each_text(const nlohmann::json& object, const char* key, const auto& use) {
  const auto list = object.find(key);
  if (list == object.end() || !list->is_array()) return;
  for (const auto& text : *list) {
    if (text.is_string()) use(text.get_ref<const std::string&>());
  }
}

void apply_start(const nlohmann::json& config, StartCommand& start) {
  start.search_path = kSearchPath;
  const auto found = config.find("config");
  if (found == config.end() || !found->is_object()) return;
  for (const char* key : {"Entrypoint", "Cmd"}) {
    for_each_text(*found, key, [&](const std::string& word) {
      if (start.words.size() < kMostWords) start.words.push_back(word.substr(0, kMostCommand));
    });
  }
  for_each_text(*found, "Env", [&](const std::string& variable) {
    constexpr std::string_view kName = "PATH=";
    if (variable.starts_with(kName)) start.search_path = variable.substr(kName.size(), kMostCommand);
  });
  start.folder = oci::string_member(*found, "WorkingDir").substr(0, kMostCommand);
}

void apply_history(const nlohmann::json& config, ImageInfo& info) {
  const auto history = config.find("history");
  if (history == config.end() || !history->is_array()) return;
  std::size_t layer = 0;
  for (const auto& step : *history) {
    if (!step.is_object()) return;
    const auto empty = step.find("empty_layer");
    if (empty != step.end() && empty->is_boolean() && empty->get<bool>()) continue;
    if (layer == info.layers.size()) return;  // More steps than layers: whatever it describes, it is not these.
    info.layers[layer++].created_by = oci::string_member(step, "created_by").substr(0, kMostCommand);
  }
}

}  // namespace

Status apply_config(std::string_view text, ImageInfo& info) {
  auto config = oci::parse_json_object(text, "the image's config");
  if (!config) return fail(config.error());
  info.config_bytes = text.size();
  info.platform = oci::string_member(*config, "os") + "/" + oci::string_member(*config, "architecture");
  if (const auto variant = oci::string_member(*config, "variant"); !variant.empty()) info.platform += "/" + variant;
  const auto rootfs = config->find("rootfs");
  const auto* ids =
      rootfs != config->end() && rootfs->is_object() && rootfs->contains("diff_ids") ? &(*rootfs)["diff_ids"] : nullptr;
  if (ids == nullptr || !ids->is_array()) {
    return fail(Code::kInvalidArgument, "the image's config has no rootfs.diff_ids: is it an image of a container?");
  }
  if (ids->size() != info.layers.size()) {
    return fail(Code::kInvalidArgument, "the image's config knows " + std::to_string(ids->size()) +
                                            " layers, its manifest " + std::to_string(info.layers.size()));
  }
  for (std::size_t i = 0; i < ids->size(); ++i) {
    if (!(*ids)[i].is_string()) return fail(Code::kInvalidArgument, "a diffID of the image's config is no text");
    auto diff_id = Digest::parse((*ids)[i].get<std::string>());
    if (!diff_id) return fail(diff_id.error().context("the image's config"));
    info.layers[i].diff_id = *diff_id;
  }
  apply_history(*config, info);
  apply_start(*config, info.start);
  return {};
}

}  // namespace paceline::analyze
