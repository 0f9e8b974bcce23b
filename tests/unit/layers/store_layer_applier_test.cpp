#include "plugin/layers/store_layer_applier.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/unit/layers/layers_test.h"

namespace paceline::layers {
namespace {

using test::TarWriter;

class StoreLayerApplierTest : public LayersTest {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  }

  static differ::LayerToApply onto(const Digest& blob, const std::vector<snapshots::Mount>& mounts) {
    differ::LayerToApply what;
    what.layer.set_media_type("application/vnd.oci.image.layer.v1.tar+gzip");
    what.layer.set_digest(blob.to_string());
    for (const auto& mount : mounts) {
      auto* one = what.mounts.Add();
      one->set_type(mount.type);
      one->set_source(mount.source);
      for (const auto& option : mount.options) one->add_options(option);
    }
    return what;
  }

  std::vector<snapshots::Mount> prepare(const std::string& key, const std::string& parent) {
    return snapshotter_->create({snapshots::Kind::kActive, key, parent, {}}).value();
  }

  Result<containerd::types::Descriptor> apply(const differ::LayerToApply& what) { return applier_.apply(what, {}); }

  /// Those that were unpacked ahead.
  struct Ready final : ReadyLayers {
    std::optional<ReadyLayer> take(const Digest& blob, const std::vector<int>& lowers, int /*upper*/) override {
      asked = {blob, lowers.size()};
      return std::exchange(layer, std::nullopt);
    }
    std::pair<Digest, std::size_t> asked;
    std::optional<ReadyLayer> layer;
  };

  Ready ready_;
  StoreLayerApplier applier_{*store_, flights_, 2, &ready_};
};

TEST_F(StoreLayerApplierTest, UnpacksIntoContainerdsOwnMounts) {
  const auto bottom = TarWriter().folder("etc", 0700).file("etc/a", "1").finish();
  const auto applied = apply(onto(keep(test::gzip(bottom)), prepare("bottom", "")));
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_EQ(applied->digest(), sha256(bottom).to_string());
  EXPECT_EQ(applied->size(), static_cast<std::int64_t>(bottom.size()));
  EXPECT_EQ(applied->media_type(), "application/vnd.oci.image.layer.v1.tar");
  EXPECT_EQ(content(root() / "snapshots/1/fs/etc/a"), "1");
  ASSERT_TRUE(snapshotter_->commit("layer", "bottom", {}));

  // What the second layer leaves out comes from the first.
  const auto top = TarWriter().file("etc/b", "2").file("etc/.wh.a", "").finish();
  ASSERT_TRUE(apply(onto(keep(test::gzip(top)), prepare("top", "layer"))));
  struct stat about {};
  ASSERT_EQ(::lstat((root() / "snapshots/2/fs/etc").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777U, 0700U);
  ASSERT_EQ(::lstat((root() / "snapshots/2/fs/etc/a").c_str(), &about), 0);
  EXPECT_TRUE(S_ISCHR(about.st_mode));
}

TEST_F(StoreLayerApplierTest, WhatIsUnpackedAlreadyBecomesTheUpperFolder) {
  std::filesystem::create_directories(root() / "ready/etc");
  std::ofstream(root() / "ready/etc/a") << "1";
  bool taken = false;
  ready_.layer = ReadyLayer{root() / "ready", sha256("tar"), 10240, [&] { taken = true; }};
  const auto blob = sha256("a blob that need not be here");
  const auto applied = apply(onto(blob, prepare("bottom", "")));
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_EQ(ready_.asked, (std::pair<Digest, std::size_t>(blob, 0)));
  EXPECT_EQ(applied->digest(), sha256("tar").to_string());
  EXPECT_EQ(applied->size(), 10240);
  EXPECT_EQ(content(root() / "snapshots/1/fs/etc/a"), "1");
  EXPECT_FALSE(std::filesystem::exists(root() / "ready"));
  EXPECT_TRUE(taken);
}

TEST_F(StoreLayerApplierTest, WhatCannotBeMovedIsUnpackedAgain) {
  const auto bottom = TarWriter().file("a", "1").finish();
  bool taken = false;
  ready_.layer = ReadyLayer{root() / "gone", sha256("tar"), 1, [&] { taken = true; }};
  const auto applied = apply(onto(keep(test::gzip(bottom)), prepare("bottom", "")));
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_EQ(applied->digest(), sha256(bottom).to_string());
  EXPECT_FALSE(taken);
}

TEST_F(StoreLayerApplierTest, LeavesWhatIsNotItsOwnToOthers) {
  const auto blob = keep(test::gzip(TarWriter().file("a", "1").finish()));
  EXPECT_EQ(apply(onto(sha256("nowhere"), prepare("one", ""))).error().code, Code::kUnimplemented);
  EXPECT_EQ(apply(onto(blob, {{"ext4", "/dev/none", {}}})).error().code, Code::kUnimplemented);
  const auto mounts = prepare("two", "");
  std::ofstream(mounts.front().source + "/there") << "already";
  EXPECT_EQ(apply(onto(blob, mounts)).error().code, Code::kUnimplemented);
  EXPECT_EQ(content(mounts.front().source + "/there"), "already");
  EXPECT_FALSE(std::filesystem::exists(mounts.front().source + "/a"));
}

TEST_F(StoreLayerApplierTest, ABrokenLayerIsAnError) {
  const auto whole = test::gzip(TarWriter().file("a", "1").finish());
  const auto result = apply(onto(keep(whole.substr(0, whole.size() - 9)), prepare("one", "")));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace paceline::layers
