// What containerd's conformance suite asks is asked there; here is what it cannot see.
#include "plugin/snapshots/snapshotter.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "tests/unit/snapshots/temp_snapshotter.h"

namespace paceline::snapshots {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

class SnapshotterTest : public TempSnapshotter {};

mode_t mode_of(const std::filesystem::path& path) {
  struct stat status {};
  EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777U;
}

TEST_F(SnapshotterTest, ASingleFolderIsBoundAndSeveralAreLaidOver) {
  EXPECT_THAT(prepare("a"), ElementsAre(Mount{"bind", files(1), {"rw", "rbind"}}));
  commit("A", "a");
  const auto mounts = prepare("b", "A");
  ASSERT_EQ(mounts.size(), 1U);
  EXPECT_EQ(mounts[0].type, "overlay");
  EXPECT_EQ(mounts[0].source, "overlay");
  EXPECT_THAT(mounts[0].options, Contains("workdir=" + (folder(2) / "work").string()));
  EXPECT_THAT(mounts[0].options, Contains("upperdir=" + files(2)));
  EXPECT_THAT(mounts[0].options, Contains("lowerdir=" + files(1)));
  commit("B", "b");

  const auto view = [this](const std::string& key, const std::string& parent) {
    return snapshotter_->create({Kind::kView, key, parent, {}}).value();
  };
  EXPECT_THAT(view("of nothing", ""), ElementsAre(Mount{"bind", files(3), {"ro", "rbind"}}));
  EXPECT_THAT(view("of A", "A"), ElementsAre(Mount{"bind", files(1), {"ro", "rbind"}}));
  const auto both = view("of B", "B");
  EXPECT_THAT(both.at(0).options, Contains("lowerdir=" + files(2) + ":" + files(1)));
  EXPECT_THAT(both.at(0).options, Not(Contains(StartsWith("upperdir="))));
  EXPECT_EQ(snapshotter_->mounts("of B").value(), both);
}

TEST_F(SnapshotterTest, FoldersHaveTheModesThatContainersSeeWhateverTheUmask) {
  const auto before = ::umask(0077);
  prepare("a");
  ::umask(before);
  EXPECT_EQ(mode_of(files(1)), 0755U);
  EXPECT_EQ(mode_of(folder(1) / "work"), 0711U);
  EXPECT_EQ(mode_of(root()), 0700U);
  EXPECT_EQ(mode_of(root() / "snapshots"), 0700U);
}

TEST_F(SnapshotterTest, RefusesAsContainerdDoes) {
  layer("A");
  prepare("a", "A");
  EXPECT_EQ(code(snapshotter_->create({Kind::kActive, "x", "none", {}})), Code::kNotFound);
  EXPECT_EQ(code(snapshotter_->create({Kind::kActive, "x", "a", {}})), Code::kInvalidArgument);
  EXPECT_EQ(code(snapshotter_->create({Kind::kActive, "a", "", {}})), Code::kAlreadyExists);
  EXPECT_EQ(code(snapshotter_->create({Kind::kActive, "", "", {}})), Code::kInvalidArgument);
  EXPECT_EQ(code(snapshotter_->mounts("A")), Code::kFailedPrecondition);
  EXPECT_EQ(code(snapshotter_->mounts("none")), Code::kNotFound);
  EXPECT_EQ(code(snapshotter_->commit("B", "none", {})), Code::kNotFound);
  EXPECT_EQ(code(snapshotter_->commit("A", "a", {})), Code::kAlreadyExists);
  EXPECT_EQ(code(snapshotter_->commit("B", "A", {})), Code::kFailedPrecondition);
  EXPECT_EQ(code(snapshotter_->remove("A")), Code::kFailedPrecondition);
  EXPECT_EQ(code(snapshotter_->remove("none")), Code::kNotFound);
  EXPECT_EQ(code(snapshotter_->update("A", {}, std::vector<std::string>{"parent"})), Code::kInvalidArgument);
  // A refused one leaves nothing behind.
  ASSERT_TRUE(snapshotter_->clean_up());
  EXPECT_EQ(folders(), 2U);
}

TEST_F(SnapshotterTest, UpdatesSingleLabelsOrAll) {
  prepare("a", "", {{"one", "1"}, {"a.b/c", "2"}, {"empty", ""}});
  EXPECT_EQ(snapshotter_->stat("a")->labels, (Labels{{"one", "1"}, {"a.b/c", "2"}}));
  auto info = snapshotter_->update("a", {{"a.b/c", "3"}, {"other", "x"}}, std::vector<std::string>{"labels.a.b/c"});
  EXPECT_EQ(info->labels, (Labels{{"one", "1"}, {"a.b/c", "3"}}));
  EXPECT_GT(info->updated, info->created);
  info = snapshotter_->update("a", {}, std::vector<std::string>{"labels.one"});
  EXPECT_EQ(info->labels, (Labels{{"a.b/c", "3"}}));
  info = snapshotter_->update("a", {{"new", "n"}}, {});
  EXPECT_EQ(info->labels, (Labels{{"new", "n"}}));
  EXPECT_EQ(snapshotter_->stat("a")->labels, info->labels);
}

TEST_F(SnapshotterTest, ACommitReplacesLabelsAndCountsOnce) {
  prepare("a", "", {{"of", "key"}});
  std::ofstream(files(1) + "/file") << std::string(10'000, 'x');
  std::filesystem::create_hard_link(files(1) + "/file", files(1) + "/same");
  const auto counted = snapshotter_->usage("a").value();
  EXPECT_EQ(counted.inodes, 2);
  EXPECT_GE(counted.bytes, 10'000);
  commit("A", "a", {{"of", "name"}});
  EXPECT_EQ(snapshotter_->stat("A")->labels, (Labels{{"of", "name"}}));
  std::ofstream(files(1) + "/more") << "not counted any more";
  EXPECT_EQ(snapshotter_->usage("A").value(), counted);
}

TEST_F(SnapshotterTest, ListsByContainerdsFields) {
  layer("A");
  prepare("a", "A", {{"l", "1"}});
  EXPECT_THAT(names({"kind==committed"}), ElementsAre("A"));
  EXPECT_THAT(names({"parent==A"}), ElementsAre("a"));
  EXPECT_THAT(names({R"(parent=="")"}), ElementsAre("A"));
  EXPECT_THAT(names({"labels.l==1", "name==A"}), UnorderedElementsAre("A", "a"));
}

TEST_F(SnapshotterTest, RemovalFreesTheFolderAndNeverGivesItsNumberAgain) {
  layer("A");
  prepare("b", "A");
  ASSERT_TRUE(snapshotter_->remove("b"));
  EXPECT_FALSE(std::filesystem::exists(folder(2)));
  ASSERT_TRUE(snapshotter_->clean_up());
  EXPECT_EQ(folders(), 1U);
  prepare("c", "A");
  EXPECT_TRUE(std::filesystem::exists(folder(3)));
}

TEST_F(SnapshotterTest, EverythingIsThereAfterARestart) {
  layer("A");
  layer("B", "A");
  const auto mounts = prepare("c", "B", {{"l", "1"}});
  const auto before = snapshotter_->list(Filter()).value();
  reopen();
  const auto after = snapshotter_->list(Filter()).value();
  ASSERT_EQ(after.size(), before.size());
  for (std::size_t i = 0; i < after.size(); ++i) {
    EXPECT_EQ(after[i].name, before[i].name);
    EXPECT_EQ(after[i].parent, before[i].parent);
    EXPECT_EQ(after[i].created, before[i].created);
    EXPECT_EQ(after[i].labels, before[i].labels);
  }
  EXPECT_EQ(snapshotter_->mounts("c").value(), mounts);
}

TEST_F(SnapshotterTest, AStartDeletesWhatNoSnapshotNames) {
  layer("A");
  snapshotter_.reset();
  std::filesystem::create_directories(folder(7) / "fs");
  std::filesystem::create_directories(root() / "snapshots" / "strange");
  std::filesystem::create_directories(root() / "new" / "0" / "fs");
  std::filesystem::create_directories(root() / "removed" / "0" / "fs" / "deep");
  reopen();
  ASSERT_TRUE(snapshotter_->clean_up());
  EXPECT_EQ(folders(), 1U);
  EXPECT_THAT(names(), ElementsAre("A"));
}

TEST_F(SnapshotterTest, AStartForgetsSnapshotsWithoutFiles) {
  layer("A");
  layer("B", "A");
  prepare("c", "B");
  layer("other");
  snapshotter_.reset();
  std::filesystem::remove_all(folder(2));
  reopen();
  EXPECT_THAT(names(), UnorderedElementsAre("A", "other"));
  ASSERT_TRUE(snapshotter_->clean_up());
  EXPECT_EQ(folders(), 2U);
}

TEST_F(SnapshotterTest, ADatabaseOfANewerVersionIsLeftAlone) {
  snapshotter_.reset();
  {
    auto database = sqlite::Database::open(root() / "snapshots.db", 1, "").value();
    ASSERT_TRUE(database.run("PRAGMA user_version = 2"));
  }
  const auto opened = Snapshotter::open(root(), clock_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(opened.error().message, HasSubstr("schema 2"));
}

TEST_F(SnapshotterTest, MapsTheOwnerAndTheMountOfAUserNamespace) {
  const Labels labels = {{"containerd.io/snapshot/uidmapping", "0:0:1"},
                         {"containerd.io/snapshot/gidmapping", "0:0:1"}};
  const auto mounts = snapshotter_->create({Kind::kActive, "a", "", labels});
  if (::geteuid() == 0) {
    ASSERT_TRUE(mounts) << mounts.error().to_string();
    EXPECT_THAT(mounts->at(0).options, ElementsAre("uidmap=0:0:1", "gidmap=0:0:1", "rw", "rbind"));
  }
  const Labels half = {{"containerd.io/snapshot/uidmapping", "0:1000:65536"}};
  EXPECT_EQ(code(snapshotter_->create({Kind::kActive, "b", "", half})), Code::kInvalidArgument);
  const Labels rootless = {{"containerd.io/snapshot/uidmapping", "1:1000:65536"},
                           {"containerd.io/snapshot/gidmapping", "0:1000:65536"}};
  EXPECT_EQ(code(snapshotter_->create({Kind::kActive, "b", "", rootless})), Code::kInvalidArgument);
  EXPECT_EQ(code(snapshotter_->create({Kind::kActive, "b", "", {{"containerd.io/snapshot/uidmapping", "0:x"}}})),
            Code::kInvalidArgument);
}

// ---- layers that were unpacked elsewhere

Labels for_layer(const std::string& chain_id) { return {{kLayerLabel, chain_id}}; }

TEST_F(SnapshotterTest, AdoptsALayerByRename) {
  const auto layer = unpacked("one");
  EXPECT_FALSE(snapshotter_->find_layer("sha256:one", "", for_layer("sha256:one")).value());
  ASSERT_TRUE(snapshotter_->adopt_layer("sha256:one", "", for_layer("sha256:one"), layer));
  EXPECT_FALSE(std::filesystem::exists(layer.files));
  EXPECT_TRUE(std::filesystem::exists(files(1) + "/file"));
  // The question that containerd asks next.
  EXPECT_THAT(names({R"(labels."containerd.io/snapshot.ref"==sha256:one,parent=="")"}), ElementsAre("sha256:one/1"));
  EXPECT_EQ(snapshotter_->stat("sha256:one/1")->kind, Kind::kCommitted);
  EXPECT_EQ(snapshotter_->usage("sha256:one/1")->inodes, 2);
  EXPECT_TRUE(snapshotter_->find_layer("sha256:one", "", for_layer("sha256:one")).value());
  EXPECT_THAT(prepare("container", "sha256:one/1").at(0).options, Contains("lowerdir=" + files(1)));
}

TEST_F(SnapshotterTest, ALayerOnAnotherParentSharesTheFolder) {
  layer("default/1/base");
  layer("other/2/base");
  ASSERT_TRUE(snapshotter_->adopt_layer("sha256:two", "default/1/base", for_layer("sha256:two"), unpacked("two")));
  EXPECT_TRUE(snapshotter_->find_layer("sha256:two", "other/2/base", for_layer("sha256:two")).value());
  EXPECT_THAT(names({"parent==other/2/base"}), ElementsAre("sha256:two/4"));
  EXPECT_EQ(folders(), 3U);
  EXPECT_EQ(snapshotter_->usage("sha256:two/4").value(), snapshotter_->usage("sha256:two/3").value());
  const auto mounts = prepare("container", "sha256:two/4");
  EXPECT_THAT(mounts.at(0).options, Contains("lowerdir=" + files(3) + ":" + files(2)));

  // The folder goes with the last of them.
  reopen();
  ASSERT_TRUE(snapshotter_->remove("sha256:two/3"));
  EXPECT_TRUE(std::filesystem::exists(files(3)));
  ASSERT_TRUE(snapshotter_->remove("container"));
  ASSERT_TRUE(snapshotter_->remove("sha256:two/4"));
  EXPECT_FALSE(std::filesystem::exists(files(3)));
}

TEST_F(SnapshotterTest, ASecondHandoverOfALayerIsDeleted) {
  ASSERT_TRUE(snapshotter_->adopt_layer("sha256:one", "", for_layer("sha256:one"), unpacked("one")));
  const auto again = unpacked("one");
  ASSERT_TRUE(snapshotter_->adopt_layer("sha256:one", "", for_layer("sha256:one"), again));
  ASSERT_TRUE(snapshotter_->clean_up());
  EXPECT_FALSE(std::filesystem::exists(again.files));
  EXPECT_EQ(folders(), 1U);
  EXPECT_THAT(names(), ElementsAre("sha256:one/1"));
}

TEST_F(SnapshotterTest, ALayerThatCannotBeAdoptedIsDeleted) {
  const auto layer = unpacked("one");
  EXPECT_EQ(code(snapshotter_->adopt_layer("sha256:one", "none", for_layer("sha256:one"), layer)), Code::kNotFound);
  EXPECT_EQ(code(snapshotter_->adopt_layer("sha256:one", "", {}, {dir_.path() / "nowhere", std::nullopt})),
            Code::kNotFound);
  ASSERT_TRUE(snapshotter_->clean_up());
  EXPECT_FALSE(std::filesystem::exists(layer.files));
  EXPECT_EQ(folders(), 0U);
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(SnapshotterTest, OnlyLayersOfItsOwnMakingAreReused) {
  // Anybody may commit anything under any label: that is no proof of what is in it.
  prepare("key", "", for_layer("sha256:one"));
  commit("default/1/forged", "key", for_layer("sha256:one"));
  EXPECT_FALSE(snapshotter_->find_layer("sha256:one", "", for_layer("sha256:one")).value());
  ASSERT_TRUE(snapshotter_->adopt_layer("sha256:one", "", for_layer("sha256:one"), unpacked("one")));
  // containerd takes the first that it is told.
  EXPECT_THAT(names({R"(labels."containerd.io/snapshot.ref"==sha256:one)"}),
              ElementsAre("sha256:one/2", "default/1/forged"));
  // One whose label was changed would not be found by containerd: a second one is made, of the same files.
  ASSERT_TRUE(snapshotter_->update("sha256:one/2", for_layer("sha256:other"), {}));
  EXPECT_TRUE(snapshotter_->find_layer("sha256:one", "", for_layer("sha256:one")).value());
  EXPECT_THAT(names({"labels.\"containerd.io/snapshot.ref\"==sha256:one,name~=^sha256"}), ElementsAre("sha256:one/3"));
  EXPECT_FALSE(snapshotter_->find_layer("sha256:other", "", for_layer("sha256:other")).value());
}

}  // namespace
}  // namespace paceline::snapshots
