// Blobs: layout, visibility, reading, labels, pins, verification, opening.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <chrono>
#include <ctime>
#include <fstream>
#include <iostream>

#include "plugin/store/file_times.h"
#include "tests/unit/store/temp_store.h"

namespace paceline::store {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Blobs : public StoreTest {};

struct stat stat_of(const fs::path& path) {
  struct stat about {};
  EXPECT_EQ(::stat(path.c_str(), &about), 0) << path;
  return about;
}

TEST_F(Blobs, CommittedBlobLiesWhereContainerdExpectsIt) {
  const Digest digest = commit("hello");
  const auto about = stat_of(listed_file(digest));
  EXPECT_EQ(about.st_mode & 07777, 0444U);
  const auto info = store->find(digest);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->visibility, Visibility::kListed);
  EXPECT_EQ(info->size, 5U);
  EXPECT_EQ(to_wall_time(about.st_mtim), info->created);
  EXPECT_EQ(to_wall_time(about.st_atim), info->updated);
  EXPECT_EQ(info->created, clock.wall());
  EXPECT_EQ(stat_of(options.content / "blobs").st_mode & 07777, 0755U);
  EXPECT_EQ(stat_of(options.content / "blobs/sha256").st_mode & 07777, 0755U);
  EXPECT_TRUE(fs::is_empty(options.content / "ingest"));
  EXPECT_EQ(read(digest), "hello");
}

TEST_F(Blobs, HiddenStaysHiddenUntilAdopted) {
  const Digest digest = hide("layer");
  EXPECT_TRUE(store->list(Visibility::kListed).empty());
  EXPECT_EQ(store->list(Visibility::kHidden).size(), 1U);
  reopen();
  ASSERT_EQ(store->list(Visibility::kHidden).size(), 1U);
  EXPECT_EQ(read(digest), "layer");

  clock.advance(std::chrono::hours(1));
  const auto adopted = store->adopt(digest);
  ASSERT_TRUE(adopted);
  EXPECT_EQ(adopted->created, clock.wall());
  EXPECT_EQ(adopted->visibility, Visibility::kListed);
  EXPECT_TRUE(store->adopt(digest));
  EXPECT_FALSE(fs::exists(hidden_file(digest)));
  EXPECT_EQ(to_wall_time(stat_of(listed_file(digest)).st_mtim), clock.wall());
  reopen();
  EXPECT_EQ(store->find(digest)->visibility, Visibility::kListed);
  EXPECT_EQ(store->adopt(sha256("absent")).error().code, Code::kNotFound);
}

TEST_F(Blobs, ReadingKeepsUpdatedAt) {
  const Digest digest = commit("hello");
  const auto before = store->find(digest)->updated;
  clock.advance(std::chrono::hours(48));
  EXPECT_EQ(read(digest), "hello");
  reopen();
  EXPECT_EQ(store->find(digest)->updated, before);
}

TEST_F(Blobs, RemovedBlobIsGoneButOpenReadersGoOn) {
  const Digest digest = commit("hello");
  const auto blob = store->open_blob(digest);
  ASSERT_TRUE(blob);
  EXPECT_TRUE(store->remove(digest));
  EXPECT_FALSE(fs::exists(listed_file(digest)));
  EXPECT_FALSE(store->find(digest));
  EXPECT_EQ(store->remove(digest).error().code, Code::kNotFound);
  EXPECT_EQ(store->open_blob(digest).error().code, Code::kNotFound);
  std::string bytes(5, '\0');
  EXPECT_EQ(read_at((*blob)->fd.get(), std::as_writable_bytes(std::span(bytes)), 0).value(), 5U);
  EXPECT_EQ(bytes, "hello");
}

TEST_F(Blobs, HiddenIsNotRemovedNorListedEvicted) {
  const Digest hidden = hide("hidden");
  const Digest listed = commit("listed");
  EXPECT_EQ(store->remove(hidden).error().code, Code::kNotFound);
  EXPECT_EQ(store->evict(listed).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(store->evict(sha256("absent")).error().code, Code::kNotFound);
  EXPECT_TRUE(store->evict(hidden));
  EXPECT_FALSE(fs::exists(hidden_file(hidden)));
}

TEST_F(Blobs, DescriptorsAreSharedAndBounded) {
  options.open_blobs = 2;
  reopen();
  const Digest a = hide("a");
  const Digest b = hide("b");
  const Digest c = hide("c");
  const auto first = store->open_blob(a).value();
  EXPECT_EQ(store->open_blob(a).value(), first);
  (void)store->open_blob(b);
  (void)store->open_blob(c);
  EXPECT_NE(store->open_blob(a).value(), first) << "the least recently used one is closed";
  EXPECT_EQ(first.use_count(), 1);
}

TEST_F(Blobs, PutHiddenChecksTheDigest) {
  EXPECT_EQ(store->put_hidden(sha256("right"), "wrong", Purpose::kForeground).error().code, Code::kFailedPrecondition);
  EXPECT_FALSE(store->find(sha256("right")));
  hide("twice");
  hide("twice");
  EXPECT_EQ(store->usage().hidden_blobs, 1U);
  EXPECT_TRUE(fs::is_empty(options.content / ".paceline/tmp"));
}

TEST_F(Blobs, LabelsAreKeptReplacedAndDropped) {
  const Labels odd{{"plain", "value"}, {"new\nline", std::string("nul\0byte", 8)}, {"empty", ""}};
  const Digest digest = commit("hello", odd);
  EXPECT_EQ(store->labels(digest), odd);
  reopen();
  EXPECT_EQ(store->labels(digest), odd);
  clock.advance(std::chrono::minutes(5));
  const auto info = store->set_labels(digest, {{"a", "b"}});
  ASSERT_TRUE(info);
  EXPECT_EQ(info->updated, clock.wall());
  reopen();
  EXPECT_EQ(store->labels(digest), (Labels{{"a", "b"}}));
  EXPECT_EQ(store->find(digest)->updated, clock.wall());
  EXPECT_TRUE(store->remove(digest));
  EXPECT_TRUE(store->labels(digest).empty());
  EXPECT_TRUE(fs::is_empty(options.content / ".paceline/labels"));
}

TEST_F(Blobs, LabelsHaveContainerdsLimit) {
  const Digest digest = commit("hello");
  EXPECT_TRUE(store->set_labels(digest, {{"k", std::string(4095, 'v')}}));
  EXPECT_EQ(store->set_labels(digest, {{"k", std::string(4096, 'v')}}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(store->set_labels(sha256("absent"), {}).error().code, Code::kNotFound);
  auto ingest = store->open_ingest("ref", 0, {}).value();
  ASSERT_TRUE(ingest->append(as_span("other")));
  EXPECT_EQ(ingest->commit({}, {}, {{"k", std::string(4096, 'v')}}).error().code, Code::kInvalidArgument);
}

TEST_F(Blobs, PinnedBlobIsHiddenAgainInsteadOfDeleted) {
  const Digest digest = commit("pinned", {{"gc", "x"}});
  ASSERT_TRUE(store->pin("docker.io/library/redis:7", {digest, sha256("not there yet")}));
  EXPECT_TRUE(store->find(digest)->pinned);
  EXPECT_EQ(store->usage().pinned_bytes, 6U);
  EXPECT_TRUE(store->remove(digest));
  EXPECT_EQ(store->find(digest)->visibility, Visibility::kHidden);
  EXPECT_TRUE(store->labels(digest).empty());
  EXPECT_EQ(store->evict(digest).error().code, Code::kFailedPrecondition);
  reopen();
  EXPECT_TRUE(store->find(digest)->pinned);
  EXPECT_EQ(store->pins().at("docker.io/library/redis:7").size(), 2U);
  EXPECT_TRUE(store->unpin("docker.io/library/redis:7"));
  EXPECT_EQ(store->unpin("docker.io/library/redis:7").error().code, Code::kNotFound);
  EXPECT_TRUE(store->evict(digest));
  reopen();
  EXPECT_TRUE(store->pins().empty());
}

TEST_F(Blobs, TwoPinsOfOneBlobCountTwice) {
  const Digest digest = hide("shared layer");
  ASSERT_TRUE(store->pin("a", {digest}));
  ASSERT_TRUE(store->pin("b", {digest}));
  ASSERT_TRUE(store->pin("a", {}));
  EXPECT_TRUE(store->find(digest)->pinned);
  ASSERT_TRUE(store->unpin("b"));
  EXPECT_FALSE(store->find(digest)->pinned);
  EXPECT_EQ(store->pin("", {}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(store->pin("two\nlines", {}).error().code, Code::kInvalidArgument);
}

void damage(const fs::path& path) {
  ::chmod(path.c_str(), 0644);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.put('X');
}

TEST_F(Blobs, VerifyReportsDamageAndRemovesOnlyTheHidden) {
  const Digest good = hide("good");
  const Digest hidden = hide("hidden");
  const Digest listed = commit("listed");
  const Digest shorter = commit("shorter");
  ASSERT_TRUE(store->pin("image", {hidden}));
  damage(hidden_file(hidden));
  damage(listed_file(listed));
  ::chmod(listed_file(shorter).c_str(), 0644);
  ASSERT_EQ(::truncate(listed_file(shorter).c_str(), 3), 0);
  EXPECT_EQ(store->open_blob(shorter).error().code, Code::kDataLoss);

  std::map<Digest, Status> found;
  store->verify({}, [&](const VerifyResult& result) {
    found[result.digest] = result.status;
    return true;
  });
  ASSERT_EQ(found.size(), 4U);
  EXPECT_TRUE(found[good]);
  EXPECT_EQ(found[hidden].error().code, Code::kDataLoss);
  EXPECT_EQ(found[listed].error().code, Code::kDataLoss);
  EXPECT_EQ(found[shorter].error().code, Code::kDataLoss);
  EXPECT_FALSE(store->find(hidden));
  EXPECT_FALSE(fs::exists(hidden_file(hidden)));
  EXPECT_TRUE(store->find(listed));
  EXPECT_TRUE(fs::exists(listed_file(listed)));
  hide("hidden");
  EXPECT_EQ(read(hidden), "hidden");
}

TEST_F(Blobs, VerifyOfSomeStopsWhenToldAndNamesTheAbsent) {
  const Digest a = hide("a");
  const Digest b = hide("b");
  int reports = 0;
  store->verify({a, b}, [&](const VerifyResult&) { return ++reports < 1; });
  EXPECT_EQ(reports, 1);
  store->verify({sha256("absent")}, [&](const VerifyResult& result) {
    EXPECT_EQ(result.status.error().code, Code::kNotFound);
    return true;
  });
}

TEST_F(Blobs, FileDeletedByHandIsForgotten) {
  const Digest hidden = hide("hidden");
  const Digest listed = commit("listed");
  fs::remove(hidden_file(hidden));
  fs::remove(listed_file(listed));
  EXPECT_EQ(store->adopt(hidden).error().code, Code::kNotFound);
  EXPECT_FALSE(store->find(hidden));
  EXPECT_EQ(store->open_blob(listed).error().code, Code::kNotFound);
  EXPECT_FALSE(store->find(listed));
}

TEST_F(Blobs, ForeignFilesAreLeftAlone) {
  store.reset();
  fs::create_directories(options.content / "blobs/sha512");
  for (const auto* name : {"blobs/sha256/README", "blobs/sha512/abc", "ingest/notes", ".paceline/hidden/sha256/x"}) {
    ASSERT_TRUE(write_file_atomically(options.content / name, "mine", Durability::kProcessCrash));
  }
  reopen();
  EXPECT_TRUE(store->list({}).empty());
  EXPECT_TRUE(fs::exists(options.content / "blobs/sha256/README"));
  EXPECT_TRUE(fs::exists(options.content / "blobs/sha512/abc"));
  EXPECT_TRUE(fs::exists(options.content / "ingest/notes"));
}

TEST_F(Blobs, HiddenTwinOfAListedBlobIsDropped) {
  const Digest digest = hide("twin");
  store.reset();
  fs::copy_file(hidden_file(digest), listed_file(digest));
  reopen();
  EXPECT_EQ(store->find(digest)->visibility, Visibility::kListed);
  EXPECT_FALSE(fs::exists(hidden_file(digest)));
}

TEST_F(Blobs, OpenClearsTemporaryFiles) {
  store.reset();
  ASSERT_TRUE(write_file_atomically(options.content / ".paceline/tmp/7", "half", Durability::kProcessCrash));
  reopen();
  EXPECT_TRUE(fs::is_empty(options.content / ".paceline/tmp"));
}

TEST_F(Blobs, OneDaemonAContentFolder) {
  const auto second = Store::open(options, clock);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(second.error().message, HasSubstr("process " + std::to_string(::getpid())));
}

TEST_F(Blobs, OpenNamesWhatIsWrongWithTheFolder) {
  StoreOptions other = options;
  other.content = folder.path / "file";
  ASSERT_TRUE(write_file_atomically(other.content, "x", Durability::kProcessCrash));
  auto opened = Store::open(other, clock);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(opened.error().message, HasSubstr("is a file, not a folder"));
  other.content = folder.path / "file" / "below";
  EXPECT_FALSE(Store::open(other, clock));
  other.content = "";
  EXPECT_EQ(Store::open(other, clock).error().code, Code::kInvalidArgument);
}

TEST_F(Blobs, ReadOnlyFolderIsAClearError) {
  StoreOptions other = options;
  other.content = folder.path / "mount";
  const TemporaryMount mount(other.content, MS_RDONLY, "size=64k");
  if (!mount) GTEST_SKIP() << "needs the right to mount";
  const auto opened = Store::open(other, clock);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::kPermissionDenied);
  EXPECT_THAT(opened.error().message, HasSubstr("make it writable"));
}

TEST_F(Blobs, TenThousandBlobsOpen) {
  store.reset();
  for (unsigned i = 0; i < 10'000; ++i) {
    const auto fd = open_file(listed_file(sha256(std::to_string(i))), O_WRONLY | O_CREAT, 0444);
    ASSERT_TRUE(fd);
  }
  // Processor time: what a busy test machine does not change. Printed, not asserted.
  const std::clock_t start = std::clock();
  reopen();
  std::cout << "opened 10000 blobs in " << 1000.0 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC
            << " ms of processor time\n";
  EXPECT_EQ(store->list(Visibility::kListed).size(), 10'000U);
}

}  // namespace
}  // namespace paceline::store
