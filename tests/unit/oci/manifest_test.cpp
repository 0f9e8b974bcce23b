#include "plugin/oci/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace paceline::oci {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json descriptor(const std::string& content, std::uint64_t size, const std::string& type) {
  return {{"mediaType", type}, {"digest", sha256(content).to_string()}, {"size", size}};
}

json image() {
  const std::string layer = "application/vnd.oci.image.layer.v1.tar+gzip";
  return {{"schemaVersion", 2},
          {"mediaType", kOciManifest},
          {"config", descriptor("config", 10, "application/vnd.oci.image.config.v1+json")},
          {"layers", {descriptor("bottom", 100, layer), descriptor("top", 200, layer)}}};
}

json entry(const std::string& name, const std::string& platform) {
  json out = descriptor(name, 500, std::string(kOciManifest));
  if (platform.empty()) return out;
  const auto slash = platform.find('/');
  const auto second = platform.find('/', slash + 1);
  out["platform"] = {{"os", platform.substr(0, slash)},
                     {"architecture", platform.substr(slash + 1, second - slash - 1)}};
  if (second != std::string::npos) out["platform"]["variant"] = platform.substr(second + 1);
  return out;
}

Index index_of(std::vector<std::string> platforms) {
  json out = {{"schemaVersion", 2}, {"manifests", json::array()}};
  for (const auto& platform : platforms) out["manifests"].push_back(entry("image for " + platform, platform));
  return std::get<Index>(parse_document(out.dump(), kOciIndex).value());
}

void expect_refused(const json& document, const std::string& reason, std::string_view type = kOciManifest) {
  const auto parsed = parse_document(document.dump(), type);
  ASSERT_FALSE(parsed) << reason;
  EXPECT_EQ(parsed.error().code, Code::kInvalidArgument);
  EXPECT_THAT(parsed.error().message, HasSubstr(reason));
}

TEST(ParseDocument, ReadsAnImageManifest) {
  const auto parsed = parse_document(image().dump(), std::string(kOciManifest) + "; charset=utf-8");
  ASSERT_TRUE(parsed) << parsed.error().message;
  const auto& manifest = std::get<Manifest>(*parsed);
  EXPECT_EQ(manifest.config.digest, sha256("config"));
  ASSERT_EQ(manifest.layers.size(), 2U);
  EXPECT_EQ(manifest.layers[0].digest, sha256("bottom"));
  EXPECT_EQ(manifest.layers[1].size, 200U);
  EXPECT_FALSE(manifest.layers[1].foreign);
}

TEST(ParseDocument, GoesByItsOwnTypeOrShapeWhenTheContentTypeIsGeneric) {
  for (const char* type : {"", "application/json", "text/plain; charset=utf-8", "application/octet-stream"}) {
    EXPECT_TRUE(parse_document(image().dump(), type)) << type;
    json bare = image();
    bare.erase("mediaType");
    EXPECT_TRUE(parse_document(bare.dump(), type)) << type;
  }
  const json list = {{"schemaVersion", 2}, {"manifests", {entry("a", "linux/amd64")}}};
  EXPECT_TRUE(std::holds_alternative<Index>(parse_document(list.dump(), "").value()));
}

TEST(ParseDocument, MarksForeignLayers) {
  json document = image();
  document["layers"][0]["mediaType"] = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
  document["layers"][1]["urls"] = {"https://elsewhere.example/layer"};
  const auto manifest = std::get<Manifest>(parse_document(document.dump(), kOciManifest).value());
  EXPECT_TRUE(manifest.layers[0].foreign);
  EXPECT_TRUE(manifest.layers[1].foreign);
}

TEST(ParseDocument, RefusesBadSizes) {
  for (const json& size :
       {json(-1), json(1.5), json("7"), json(nullptr), json(1e30), json::parse("18446744073709551616")}) {
    json document = image();
    document["layers"][1]["size"] = size;
    expect_refused(document, "layer 1: size");
  }
  json document = image();
  document["layers"][0]["size"] = 9223372036854775807ULL;
  expect_refused(document, "add up");
  document["layers"][0].erase("size");
  expect_refused(document, "layer 0 has no size");
}

TEST(ParseDocument, RefusesBrokenDescriptors) {
  json document = image();
  document["layers"][0].erase("digest");
  expect_refused(document, "no digest");
  document["layers"][0]["digest"] = "sha256:../../etc/passwd";
  expect_refused(document, "layer 0");
  document["layers"][0] = 7;
  expect_refused(document, "not an object");
  document["layers"] = "none";
  expect_refused(document, "not a list");
  document = image();
  document.erase("config");
  expect_refused(document, "no config");
  document = image();
  document["layers"][0].erase("mediaType");
  expect_refused(document, "mediaType");
  document = image();
  document["layers"] = json::array();
  for (int i = 0; i < 1001; ++i) document["layers"].push_back(descriptor(std::to_string(i), 1, "x/y"));
  expect_refused(document, "1001");
}

TEST(ParseDocument, RefusesTheWrongKindOfDocument) {
  json document = image();
  document["schemaVersion"] = 3;
  expect_refused(document, "schemaVersion");
  document["schemaVersion"] = 1;
  expect_refused(document, "schema 1", "");
  expect_refused(image(), "schema 1", "application/vnd.docker.distribution.manifest.v1+prettyjws");
  expect_refused(image(), "application/x-tar", "application/x-tar");
  expect_refused(image(), "calls itself", kOciIndex);
  document = image();
  document["manifests"] = json::array();
  expect_refused(document, "ambiguous");
  document = image();
  document.erase("mediaType");
  expect_refused(document, "is an image manifest", kOciIndex);
  expect_refused({{"schemaVersion", 2}}, "no image", "");
  expect_refused({{"schemaVersion", 2}, {"mediaType", "application/vnd.oci.artifact.manifest.v1+json"}}, "artifact",
                 "");
}

TEST(ParseDocument, RefusesWhatIsNotJson) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "empty"},
      {"<!DOCTYPE html><html>login</html>", "HTML"},
      {"{\"schemaVersion\": 2,\n \"layers\": [", "line 2"},
      {"[1, 2]", "not a JSON object"},
      {"{\"a\": \"\xff\"}", "not valid JSON"},
      {std::string(200'000, '['), "nested"},
      {"{\"a\":[" + std::string(600'000, ',') + "]}", "values"},
      {std::string(kMaxManifestBytes + 1, ' '), "4 MiB"},
  };
  for (const auto& [text, reason] : cases) {
    const auto parsed = parse_document(text, kOciManifest);
    ASSERT_FALSE(parsed) << reason;
    EXPECT_THAT(parsed.error().message, HasSubstr(reason));
  }
}

TEST(ParseDocument, DuplicateKeysAreNoError) {
  std::string text = image().dump();
  text.insert(1, "\"schemaVersion\":2,");
  EXPECT_TRUE(parse_document(text, kOciManifest));
}

TEST(ChoosePlatform, TakesTheBestThatRuns) {
  const auto arm7 = Platform::parse("linux/arm/v7").value();
  EXPECT_EQ(choose_platform(index_of({"linux/arm/v5", "linux/arm/v6", "linux/arm64"}), arm7)->digest,
            sha256("image for linux/arm/v6"));
  EXPECT_EQ(choose_platform(index_of({"linux/arm/v6", "linux/arm/v7"}), arm7)->digest,
            sha256("image for linux/arm/v7"));
  const auto amd64 = Platform::parse("linux/amd64").value();
  EXPECT_EQ(choose_platform(index_of({"linux/386", "windows/amd64", "linux/amd64"}), amd64)->digest,
            sha256("image for linux/amd64"));
  EXPECT_EQ(choose_platform(index_of({"", "linux/386"}), amd64)->digest, sha256("image for linux/386"));
  EXPECT_EQ(choose_platform(index_of({"", "linux/arm64"}), amd64)->digest, sha256("image for "));
}

TEST(ChoosePlatform, ListsTheOfferAndSkipsAttestations) {
  const auto chosen = choose_platform(index_of({"linux/arm64", "unknown/unknown", "linux/s390x"}),
                                      Platform::parse("linux/amd64").value());
  ASSERT_FALSE(chosen);
  EXPECT_EQ(chosen.error().code, Code::kNotFound);
  EXPECT_THAT(chosen.error().message, HasSubstr("linux/arm64/v8, linux/s390x"));
  EXPECT_FALSE(choose_platform(index_of({"unknown/unknown"}), Platform::parse("linux/amd64").value()));
}

}  // namespace
}  // namespace paceline::oci
