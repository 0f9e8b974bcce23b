#include "tests/unit/analyze/test_image.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

namespace paceline::test {
namespace {

using Json = nlohmann::ordered_json;

std::string config_of(const std::vector<std::string>& tars) {
  Json ids = Json::array();
  Json history = Json::array({{{"created_by", "ENV A=B"}, {"empty_layer", true}}});
  for (const auto& tar : tars) {
    ids.push_back(sha256(tar).to_string());
    history.push_back({{"created_by", "/bin/sh -c make layer " + std::to_string(ids.size())}});
  }
  return Json{{"os", "linux"},
              {"architecture", "amd64"},
              {"rootfs", {{"type", "layers"}, {"diff_ids", ids}}},
              {"history", history}}
      .dump();
}

void write(const std::filesystem::path& path, const std::string& bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace

Result<std::size_t> BytesSource::read(std::uint64_t offset, std::span<std::byte> buffer) {
  if (offset >= bytes_.size()) return 0;
  const std::size_t count = std::min<std::size_t>(buffer.size(), bytes_.size() - offset);
  std::memcpy(buffer.data(), bytes_.data() + offset, count);
  return count;
}

MemoryImage::MemoryImage(const std::vector<std::string>& tars, bool plain) {
  info_.name = "test";
  for (const auto& tar : tars) {
    blobs_.push_back(plain ? tar : gzip(tar));
    analyze::ImageLayer layer;
    layer.digest = sha256(blobs_.back());
    layer.size = blobs_.back().size();
    info_.layers.push_back(layer);
  }
  const auto status = analyze::apply_config(config_of(tars), info_);
  EXPECT_TRUE(status) << status.error().message;
}

Result<std::unique_ptr<unpack::LayerSource>> MemoryImage::open_layer(std::size_t index) {
  return std::make_unique<BytesSource>(blobs_[index]);
}

analyze::Analysis analyze_tars(const std::vector<std::string>& tars) {
  MemoryImage image(tars);
  auto analysis = analyze::analyze(image, {.threads = 2});
  EXPECT_TRUE(analysis) << analysis.error().message;
  return analysis ? std::move(*analysis) : analyze::Analysis{};
}

Digest write_layout(const std::filesystem::path& folder, const std::vector<std::string>& tars) {
  const auto blobs = folder / "blobs" / "sha256";
  const auto put = [&](const std::string& bytes) {
    write(blobs / sha256(bytes).hex(), bytes);
    return Json{{"digest", sha256(bytes).to_string()}, {"size", bytes.size()}};
  };
  Json layers = Json::array();
  for (const auto& tar : tars) {
    layers.push_back(put(gzip(tar)));
    layers.back()["mediaType"] = "application/vnd.oci.image.layer.v1.tar+gzip";
  }
  Json config = put(config_of(tars));
  config["mediaType"] = "application/vnd.oci.image.config.v1+json";
  const std::string manifest =
      Json{{"schemaVersion", 2}, {"mediaType", oci::kOciManifest}, {"config", config}, {"layers", layers}}.dump();
  Json entry = put(manifest);
  entry["mediaType"] = oci::kOciManifest;
  entry["annotations"] = {{"org.opencontainers.image.ref.name", "app:1"}};
  write(folder / "oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
  write(folder / "index.json", Json{{"schemaVersion", 2}, {"manifests", Json::array({entry})}}.dump());
  return sha256(manifest);
}

std::string docker_archive(const std::vector<std::string>& tars, const std::string& tag) {
  TarWriter archive;
  Json names = Json::array();
  for (std::size_t i = 0; i < tars.size(); ++i) {
    const std::string folder = "layer" + std::to_string(i);
    archive.folder(folder);
    if (i > 0 && tars[i] == tars[i - 1]) {  // docker save links equal layers.
      archive.symlink(folder + "/layer.tar", "../layer" + std::to_string(i - 1) + "/layer.tar");
    } else {
      archive.file(folder + "/layer.tar", tars[i]);
    }
    names.push_back(folder + "/layer.tar");
  }
  archive.file("config.json", config_of(tars));
  archive.file("manifest.json",
               Json::array({{{"Config", "config.json"}, {"RepoTags", Json::array({tag})}, {"Layers", names}}}).dump());
  return archive.finish();
}

std::string noise(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>('a' + random() % 16);
  return out;
}

}  // namespace paceline::test
