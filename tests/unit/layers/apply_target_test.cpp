#include "plugin/layers/apply_target.h"

#include <gtest/gtest.h>

namespace paceline::layers {
namespace {

using Mounts = google::protobuf::RepeatedPtrField<containerd::types::Mount>;

Mounts mount(const std::string& type, const std::string& source, std::initializer_list<const char*> options) {
  Mounts mounts;
  auto* one = mounts.Add();
  one->set_type(type);
  one->set_source(source);
  for (const auto* option : options) one->add_options(option);
  return mounts;
}

TEST(ApplyTarget, ABindMountIsTheBottomLayer) {
  const auto target = apply_target(mount("bind", "/s/1/fs", {"rw", "rbind"}));
  ASSERT_TRUE(target) << target.error().message;
  EXPECT_EQ(target->upper, "/s/1/fs");
  EXPECT_TRUE(target->lowers.empty());
}

TEST(ApplyTarget, AnOverlayIsWrittenToItsUpperFolder) {
  const auto target = apply_target(
      mount("overlay", "overlay", {"index=off", "workdir=/s/3/work", "upperdir=/s/3/fs", "lowerdir=/s/2/fs:/s/1/fs"}));
  ASSERT_TRUE(target) << target.error().message;
  EXPECT_EQ(target->upper, "/s/3/fs");
  EXPECT_EQ(target->lowers, (std::vector<std::filesystem::path>{"/s/2/fs", "/s/1/fs"}));
}

TEST(ApplyTarget, LeavesWhatItDoesNotKnowToTheNextDiffer) {
  auto two = mount("bind", "/a", {"rw", "rbind"});
  *two.Add() = two.Get(0);
  for (const Mounts& mounts :
       {Mounts(), two, mount("bind", "/a", {"ro", "rbind"}), mount("bind", "a", {"rw", "rbind"}),
        mount("bind", "/a", {"rw", "rbind", "uidmap=0:1000:1"}), mount("ext4", "/dev/sda", {"rw"}),
        mount("overlay", "overlay", {"upperdir=/a", "workdir=/w"}), mount("overlay", "overlay", {"lowerdir=/a:/b"}),
        mount("overlay", "overlay", {"upperdir=/a", "lowerdir=b"}),
        mount("overlay", "overlay", {"upperdir=/a", "lowerdir=/b\\:c"}),
        mount("overlay", "overlay", {"upperdir=/a", "lowerdir=/b::/c"}),
        mount("overlay", "overlay", {"userxattr", "upperdir=/a", "lowerdir=/b"}),
        mount("overlay", "overlay", {"redirect_dir=on", "upperdir=/a", "lowerdir=/b"})}) {
    const auto target = apply_target(mounts);
    ASSERT_FALSE(target);
    EXPECT_EQ(target.error().code, Code::kUnimplemented);
  }
}

}  // namespace
}  // namespace paceline::layers
