#include "plugin/analyze/archive_source.h"

#include <nlohmann/json.hpp>

#include "plugin/analyze/archive_index.h"
#include "plugin/analyze/blobs.h"
#include "plugin/oci/json.h"

namespace paceline::analyze {
namespace {

using Archive = std::shared_ptr<const ArchiveIndex>;

class ArchiveBlobs final : public Blobs {
 public:
  explicit ArchiveBlobs(Archive archive) : archive_(std::move(archive)) {}
  [[nodiscard]] Result<std::unique_ptr<unpack::LayerSource>> open(const Digest& digest) const override {
    const Member* member = archive_->find("blobs/sha256/" + digest.hex());
    if (member == nullptr) return fail(Code::kNotFound, "the archive lacks blob " + digest.to_string());
    return ArchiveIndex::source(archive_, *member);
  }

 private:
  const Archive archive_;
};

class DockerArchive final : public ImageSource {
 public:
  DockerArchive(Archive archive, ImageInfo info, std::vector<Member> members)
      : archive_(std::move(archive)), info_(std::move(info)), members_(std::move(members)) {}
  [[nodiscard]] const ImageInfo& info() const override { return info_; }
  Result<std::unique_ptr<unpack::LayerSource>> open_layer(std::size_t index) override {
    return ArchiveIndex::source(archive_, members_[index]);
  }

 private:
  const Archive archive_;
  const ImageInfo info_;
  const std::vector<Member> members_;
};

std::vector<std::string> texts(const nlohmann::json& object, const char* key) {
  std::vector<std::string> out;
  const auto list = object.find(key);
  if (list == object.end() || !list->is_array()) return out;
  for (const auto& item : *list) {
    if (item.is_string()) out.push_back(item.get<std::string>());
  }
  return out;
}

/// The entry of manifest.json that is meant.
Result<nlohmann::json> choose(const nlohmann::json& list, const std::string& tag) {
  std::string offered;
  const nlohmann::json* found = nullptr;
  for (const auto& entry : list) {
    if (!entry.is_object()) return fail(Code::kInvalidArgument, "an entry of manifest.json is no object");
    for (const auto& name : texts(entry, "RepoTags")) {
      offered += (offered.empty() ? "" : ", ") + name;
      if (name == tag || name.ends_with(":" + tag)) found = &entry;
    }
  }
  if (tag.empty() && list.size() == 1) return list.front();
  if (found != nullptr && !tag.empty()) return *found;
  if (tag.empty()) {
    return fail(Code::kInvalidArgument, "the archive has several images, say which with --tag: " + offered);
  }
  return fail(Code::kNotFound, "the archive has no image '" + tag + "'; it has: " + offered);
}

Result<std::unique_ptr<ImageSource>> open_docker(const Archive& archive, const Member& manifest,
                                                 const std::string& path, const std::string& tag) {
  auto text = archive->read(manifest, oci::kMaxManifestBytes);
  if (!text) return fail(text.error().context("manifest.json"));
  // It is a list: wrapped into an object it goes through the same checks as all JSON from outside.
  auto wrapped = oci::parse_json_object("{\"images\":" + *text + "}", "manifest.json");
  if (!wrapped) return fail(wrapped.error());
  const auto& list = (*wrapped)["images"];
  if (!list.is_array() || list.empty()) return fail(Code::kInvalidArgument, "manifest.json lists no image");
  auto entry = choose(list, tag);
  if (!entry) return fail(entry.error());

  ImageInfo info;
  info.name = path;
  std::vector<Member> members;
  for (const auto& name : texts(*entry, "Layers")) {
    const Member* member = archive->find(name);
    if (member == nullptr) return fail(Code::kInvalidArgument, "the archive lacks its layer " + name);
    members.push_back(*member);
    info.layers.push_back({{}, member->size, {}, std::nullopt, {}});
  }
  const std::string config_name = oci::string_member(*entry, "Config");
  const Member* config = archive->find(config_name);
  if (config == nullptr) return fail(Code::kInvalidArgument, "the archive lacks its config " + config_name);
  auto config_text = archive->read(*config, oci::kMaxConfigBytes);
  if (!config_text) return fail(config_text.error().context("the image's config"));
  if (auto status = apply_config(*config_text, info); !status) return fail(status.error());
  for (auto& layer : info.layers) layer.digest = *layer.diff_id;
  return std::make_unique<DockerArchive>(archive, std::move(info), std::move(members));
}

}  // namespace

Result<std::unique_ptr<ImageSource>> open_archive(const std::string& path, const std::string& tag,
                                                  const oci::Platform& platform) {
  auto archive = ArchiveIndex::open(path);
  if (!archive) return fail(archive.error());
  // An OCI layout knows the blobs as a registry would have them; docker's own list beside it does not.
  if (const Member* index = (*archive)->find("index.json"); index != nullptr) {
    auto text = (*archive)->read(*index, oci::kMaxManifestBytes);
    if (!text) return fail(text.error().context("index.json"));
    auto digest = choose_from_layout(*text, tag, platform);
    if (!digest) return fail(digest.error().context(path));
    return image_of_blobs(std::make_unique<ArchiveBlobs>(*archive), *digest, platform, path);
  }
  if (const Member* manifest = (*archive)->find("manifest.json"); manifest != nullptr) {
    auto image = open_docker(*archive, *manifest, path, tag);
    if (!image) return fail(image.error().context(path));
    return image;
  }
  return fail(Code::kInvalidArgument,
              path + " has neither manifest.json nor index.json: it is no archive of an image (docker save, OCI)");
}

}  // namespace paceline::analyze
