#include "plugin/layers/image_plan.h"

#include <gtest/gtest.h>

namespace paceline::layers {
namespace {

oci::Manifest manifest_of(std::initializer_list<std::string_view> blobs) {
  oci::Manifest manifest;
  for (const auto blob : blobs) {
    oci::Descriptor layer;
    layer.media_type = "application/vnd.oci.image.layer.v1.tar+gzip";
    layer.digest = sha256(blob);
    layer.size = blob.size();
    manifest.layers.push_back(std::move(layer));
  }
  return manifest;
}

std::string config_of(std::initializer_list<Digest> diff_ids) {
  std::string list;
  for (const auto& diff_id : diff_ids) list += (list.empty() ? "\"" : ",\"") + diff_id.to_string() + "\"";
  return R"({"architecture":"amd64","rootfs":{"type":"layers","diff_ids":[)" + list + "]}}";
}

TEST(ImagePlan, JoinsBlobsDiffIdsAndChainIds) {
  const auto a = sha256("a");
  const auto b = sha256("b");
  const auto plan = plan_layers(manifest_of({"blob a", "blob b"}), config_of({a, b}));
  ASSERT_TRUE(plan) << plan.error().message;
  ASSERT_EQ(plan->size(), 2U);
  EXPECT_EQ((*plan)[0].blob, sha256("blob a"));
  EXPECT_EQ((*plan)[0].size, 6U);
  EXPECT_EQ((*plan)[0].diff_id, a);
  EXPECT_EQ((*plan)[0].chain_id, a);
  EXPECT_EQ((*plan)[1].diff_id, b);
  EXPECT_EQ((*plan)[1].chain_id, sha256(a.to_string() + " " + b.to_string()));
}

TEST(ImagePlan, AnImageWithoutLayersHasNone) {
  const auto plan = plan_layers(manifest_of({}), config_of({}));
  ASSERT_TRUE(plan);
  EXPECT_TRUE(plan->empty());
}

TEST(ImagePlan, RefusesAConfigThatDoesNotFit) {
  const auto manifest = manifest_of({"blob"});
  const auto digest = sha256("a").to_string();
  for (const std::string& config :
       {std::string("no JSON"), std::string("{}"), std::string(R"({"rootfs":[]})"), std::string(R"({"rootfs":{}})"),
        std::string(R"({"rootfs":{"diff_ids":{}}})"), std::string(R"({"rootfs":{"diff_ids":[1]}})"),
        std::string(R"({"rootfs":{"diff_ids":["sha256:ab"]}})"), std::string(R"({"rootfs":{"diff_ids":["../../x"]}})"),
        config_of({}), config_of({sha256("a"), sha256("b")})}) {
    const auto plan = plan_layers(manifest, config);
    ASSERT_FALSE(plan) << config;
    EXPECT_EQ(plan.error().code, Code::kInvalidArgument) << config;
  }
}

TEST(ImagePlan, RefusesWhatIsTooLarge) {
  EXPECT_FALSE(plan_layers(manifest_of({"blob"}), std::string(oci::kMaxConfigBytes + 1, ' ')));
}

}  // namespace
}  // namespace paceline::layers
