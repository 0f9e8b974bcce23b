#include "plugin/analyze/blobs.h"

#include <fcntl.h>

#include <nlohmann/json.hpp>
#include <set>

#include "plugin/base/files.h"
#include "plugin/oci/json.h"

namespace paceline::analyze {
namespace {

constexpr const char* kRefName = "org.opencontainers.image.ref.name";
/// An index of an index is legal, and nobody nests them deeper.
constexpr int kMostIndexes = 3;

class FolderBlobs final : public Blobs {
 public:
  explicit FolderBlobs(std::vector<std::filesystem::path> folders) : folders_(std::move(folders)) {}

  [[nodiscard]] Result<std::unique_ptr<unpack::LayerSource>> open(const Digest& digest) const override {
    Error error{Code::kNotFound, "there is no folder of blobs"};
    for (const auto& folder : folders_) {
      auto file = open_file(folder / digest.hex(), O_RDONLY);
      if (file) return std::make_unique<unpack::FileSource>(std::move(*file));
      error = file.error();
      if (error.code != Code::kNotFound) break;
    }
    return fail(error.context("blob " + digest.to_string()));
  }

 private:
  const std::vector<std::filesystem::path> folders_;
};

class BlobImage final : public ImageSource {
 public:
  BlobImage(std::unique_ptr<Blobs> blobs, ImageInfo info) : blobs_(std::move(blobs)), info_(std::move(info)) {}
  [[nodiscard]] const ImageInfo& info() const override { return info_; }
  Result<std::unique_ptr<unpack::LayerSource>> open_layer(std::size_t index) override {
    return blobs_->open(info_.layers[index].digest);
  }

 private:
  const std::unique_ptr<Blobs> blobs_;
  const ImageInfo info_;
};

Result<oci::Manifest> find_manifest(const Blobs& blobs, Digest& digest, const oci::Platform& platform) {
  for (int depth = 0; depth <= kMostIndexes; ++depth) {
    auto text = blobs.read(digest, oci::kMaxManifestBytes);
    if (!text) return fail(text.error());
    auto document = oci::parse_document(*text, "");
    if (!document) return fail(document.error().context(digest.to_string()));
    if (auto* manifest = std::get_if<oci::Manifest>(&*document)) return std::move(*manifest);
    auto chosen = oci::choose_platform(std::get<oci::Index>(*document), platform);
    if (!chosen) return fail(chosen.error());
    digest = chosen->digest;
  }
  return fail(Code::kInvalidArgument, "its indexes lead to further indexes only");
}

}  // namespace

Result<std::string> Blobs::read(const Digest& digest, std::size_t limit) const {
  auto source = open(digest);
  if (!source) return fail(source.error());
  std::string text;
  std::vector<std::byte> buffer(64U << 10U);
  for (;;) {
    auto count = (*source)->read(text.size(), buffer);
    if (!count) return fail(count.error());
    if (*count == 0) break;
    text.append(reinterpret_cast<const char*>(buffer.data()), *count);
    if (text.size() > limit) {
      return fail(Code::kResourceExhausted,
                  "blob " + digest.to_string() + " is larger than " + std::to_string(limit) + " bytes");
    }
  }
  if (sha256(text) != digest) {
    return fail(Code::kDataLoss, "blob " + digest.to_string() + " is damaged: its bytes have another digest");
  }
  return text;
}

std::unique_ptr<Blobs> folder_blobs(std::vector<std::filesystem::path> folders) {
  return std::make_unique<FolderBlobs>(std::move(folders));
}

Result<std::unique_ptr<ImageSource>> image_of_blobs(std::unique_ptr<Blobs> blobs, const Digest& digest,
                                                    const oci::Platform& platform, std::string name) {
  ImageInfo info;
  info.name = std::move(name);
  Digest chosen = digest;
  auto manifest = find_manifest(*blobs, chosen, platform);
  if (!manifest) return fail(manifest.error());
  info.manifest = chosen;
  for (const auto& layer : manifest->layers) {
    if (layer.foreign) {
      return fail(Code::kUnimplemented, "layer " + layer.digest.to_string() + " lies outside of registries (urls)");
    }
    info.layers.push_back({layer.digest, layer.size, layer.media_type, std::nullopt, {}});
  }
  auto config = blobs->read(manifest->config.digest, oci::kMaxConfigBytes);
  if (!config) return fail(config.error());
  if (auto status = apply_config(*config, info); !status) return fail(status.error());
  return std::make_unique<BlobImage>(std::move(blobs), std::move(info));
}

Result<Digest> choose_from_layout(std::string_view index_json, const std::string& tag, const oci::Platform& platform) {
  auto json = oci::parse_json_object(index_json, "index.json");
  if (!json) return fail(json.error());
  const auto manifests = json->find("manifests");
  if (manifests == json->end() || !manifests->is_array()) {
    return fail(Code::kInvalidArgument, "index.json lists no manifests");
  }
  nlohmann::json chosen = nlohmann::json::array();
  std::set<std::string> names;
  for (const auto& entry : *manifests) {
    if (!entry.is_object()) return fail(Code::kInvalidArgument, "an entry of index.json is no object");
    const auto annotations = entry.find("annotations");
    const std::string name = annotations != entry.end() && annotations->is_object()
                                 ? oci::string_member(*annotations, kRefName)
                                 : std::string();
    names.insert(name);
    if (tag.empty() || name == tag || name.ends_with(":" + tag)) chosen.push_back(entry);
  }
  std::string offered;
  for (const auto& name : names) offered += (offered.empty() ? "" : ", ") + (name.empty() ? "(no name)" : name);
  if (chosen.empty()) return fail(Code::kNotFound, "index.json has no image '" + tag + "'; it has: " + offered);
  if (tag.empty() && names.size() > 1) {
    return fail(Code::kInvalidArgument, "index.json has several images, say which with --tag: " + offered);
  }
  (*json)["manifests"] = chosen;
  auto document = oci::parse_document(json->dump(), oci::kOciIndex);
  if (!document) return fail(document.error().context("index.json"));
  const auto& index = std::get<oci::Index>(*document);
  if (index.manifests.size() == 1) return index.manifests.front().digest;
  auto descriptor = oci::choose_platform(index, platform);
  if (!descriptor) return fail(descriptor.error());
  return descriptor->digest;
}

}  // namespace paceline::analyze
