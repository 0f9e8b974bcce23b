#include "plugin/store/fetch_file.h"

#include <sys/stat.h>

#include "tests/unit/store/temp_store.h"

namespace paceline::store {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kSize = 1'000'000;
using Ranges = std::vector<ByteRange>;

class Fetches : public StoreTest {
 protected:
  std::unique_ptr<FetchFile> begin(Purpose purpose = Purpose::kPrefetch) {
    auto file = store->begin_fetch(digest, bytes.size(), purpose);
    EXPECT_TRUE(file) << file.error().message;
    return file ? std::move(*file) : nullptr;
  }
  Status write(FetchFile& file, std::size_t first, std::size_t end) {
    return file.write(as_span(bytes).subspan(first, end - first), first);
  }
  std::string bytes = make_bytes(kSize, 1);
  Digest digest = sha256(bytes);
};

TEST_F(Fetches, OutOfOrderRangesBecomeAHiddenBlob) {
  auto file = begin();
  EXPECT_EQ(file->missing(), (Ranges{{0, kSize}}));
  ASSERT_TRUE(write(*file, 500'000, kSize));
  EXPECT_EQ(file->prefix(), 0U);
  EXPECT_EQ(file->missing(), (Ranges{{0, 500'000}}));
  ASSERT_TRUE(write(*file, 0, 200'000));
  EXPECT_EQ(file->prefix(), 200'000U);
  ASSERT_TRUE(file->hash_prefix());
  EXPECT_EQ(file->hashed(), 200'000U);
  EXPECT_EQ(file->finish().error().code, Code::kFailedPrecondition) << "not complete";
  ASSERT_TRUE(write(*file, 200'000, 500'000));
  EXPECT_EQ(store->usage().partial_bytes, kSize);
  ASSERT_TRUE(file->finish());
  EXPECT_FALSE(file->write(as_span("x"), 0));
  file.reset();
  EXPECT_EQ(read(digest), bytes);
  EXPECT_EQ(store->find(digest)->visibility, Visibility::kHidden);
  struct stat about {};
  ASSERT_EQ(::stat(hidden_file(digest).c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0444U);
  EXPECT_FALSE(fs::exists(fetch_folder(digest)));
  EXPECT_EQ(store->usage().partial_bytes, 0U);
}

TEST_F(Fetches, WrongBytesAreDiscarded) {
  auto file = begin();
  bytes[7] ^= 1;
  ASSERT_TRUE(write(*file, 0, kSize));
  EXPECT_EQ(file->finish().error().code, Code::kFailedPrecondition);
  file.reset();
  EXPECT_FALSE(store->find(digest));
  EXPECT_FALSE(fs::exists(fetch_folder(digest)));
  EXPECT_EQ(store->usage().partial_bytes, 0U);
}

TEST_F(Fetches, BytesSentTwiceNeverReplaceTheFirst) {
  auto file = begin();
  ASSERT_TRUE(write(*file, 0, 600'000));
  ASSERT_TRUE(file->hash_prefix());
  const std::string evil = make_bytes(500'000, 99);
  std::string mixed = evil;
  mixed.replace(100'000, 400'000, bytes.substr(600'000, 400'000));
  ASSERT_TRUE(file->write(as_span(evil), 0));
  ASSERT_TRUE(file->write(as_span(mixed), 500'000));
  ASSERT_TRUE(file->finish());
  EXPECT_EQ(read(digest), bytes);
}

TEST_F(Fetches, BytesPastTheEndAreRefused) {
  auto file = begin();
  EXPECT_EQ(file->write(as_span("x"), kSize).error().code, Code::kOutOfRange);
  EXPECT_EQ(file->write(as_span("xy"), kSize - 1).error().code, Code::kOutOfRange);
  EXPECT_EQ(file->write(as_span("x"), ~0ULL).error().code, Code::kOutOfRange);
  EXPECT_TRUE(file->write({}, kSize));
}

TEST_F(Fetches, ResumesWhatWasWritten) {
  auto file = begin();
  ASSERT_TRUE(write(*file, 0, 300'000));
  ASSERT_TRUE(write(*file, 600'000, 700'000));
  file.reset();
  EXPECT_LT(store->usage().partial_bytes, 500'000U) << "what is not written holds no disk";
  reopen();
  EXPECT_LT(store->usage().partial_bytes, 500'000U);
  file = begin();
  EXPECT_EQ(file->resumed_bytes(), 400'000U);
  EXPECT_EQ(file->prefix(), 300'000U);
  EXPECT_EQ(file->missing(), (Ranges{{300'000, 600'000}, {700'000, kSize}}));
  ASSERT_TRUE(write(*file, 300'000, 600'000));
  ASSERT_TRUE(write(*file, 700'000, kSize));
  ASSERT_TRUE(file->finish());
  EXPECT_EQ(read(digest), bytes);
}

TEST_F(Fetches, DamagedProgressStartsOver) {
  auto file = begin();
  ASSERT_TRUE(write(*file, 0, 300'000));
  file.reset();
  ASSERT_TRUE(write_file_atomically(fetch_folder(digest) / "progress", "garbage", Durability::kProcessCrash));
  file = begin();
  EXPECT_EQ(file->resumed_bytes(), 0U);
  ASSERT_TRUE(write(*file, 0, 300'000));
  file.reset();
  fs::resize_file(fetch_folder(digest) / "data", 1000);
  reopen();
  EXPECT_FALSE(fs::exists(fetch_folder(digest))) << "progress claims more than the data has";
  EXPECT_EQ(store->usage().partial_bytes, 0U);
}

TEST_F(Fetches, AnotherSizeStartsOver) {
  auto file = begin();
  ASSERT_TRUE(write(*file, 0, 300'000));
  file.reset();
  auto other = store->begin_fetch(digest, kSize * 2, Purpose::kPrefetch);
  ASSERT_TRUE(other);
  EXPECT_EQ((*other)->resumed_bytes(), 0U);
  EXPECT_EQ(store->usage().partial_bytes, kSize * 2);
}

TEST_F(Fetches, OneDownloadADigestAndNoneOfWhatIsThere) {
  auto file = begin();
  EXPECT_EQ(store->begin_fetch(digest, kSize, Purpose::kPrefetch).error().code, Code::kUnavailable);
  file->discard();
  file.reset();
  EXPECT_EQ(store->usage().partial_bytes, 0U);
  commit(bytes);
  EXPECT_EQ(store->begin_fetch(digest, kSize, Purpose::kPrefetch).error().code, Code::kAlreadyExists);
}

TEST_F(Fetches, BlobThatContainerdCommitsMeanwhileWins) {
  auto file = begin();
  ASSERT_TRUE(write(*file, 0, kSize));
  commit(bytes);
  ASSERT_TRUE(file->finish());
  EXPECT_EQ(store->find(digest)->visibility, Visibility::kListed);
  EXPECT_FALSE(fs::exists(hidden_file(digest)));
  EXPECT_EQ(store->usage().partial_bytes, 0U);
}

TEST_F(Fetches, EmptyBlob) {
  auto file = store->begin_fetch(sha256(""), 0, Purpose::kForeground);
  ASSERT_TRUE(file);
  EXPECT_TRUE((*file)->missing().empty());
  ASSERT_TRUE((*file)->finish());
  EXPECT_TRUE(store->find(sha256("")));
}

TEST_F(Fetches, AbsurdSizesAreRefused) {
  EXPECT_EQ(store->begin_fetch(digest, ~0ULL, Purpose::kForeground).error().code, Code::kInvalidArgument);
  EXPECT_EQ(store->begin_fetch(digest, 1ULL << 62U, Purpose::kForeground).error().code, Code::kResourceExhausted);
  EXPECT_FALSE(fs::exists(fetch_folder(digest)));
}

TEST_F(Fetches, StaleDownloadIsCleared) {
  auto file = begin();
  ASSERT_TRUE(write(*file, 0, 300'000));
  file.reset();
  const timespec old[2] = {{1000, 0}, {1000, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, fetch_folder(digest).c_str(), old, 0), 0);
  reopen();
  EXPECT_FALSE(fs::exists(fetch_folder(digest)));
}

TEST_F(Fetches, HandOverGivesThePrefixToContainerd) {
  auto file = begin();
  ASSERT_TRUE(write(*file, 0, 300'000));
  ASSERT_TRUE(write(*file, 600'000, 700'000));
  EXPECT_TRUE(store->hand_over(digest, "ref", kSize)) << "no-op while it is open";
  EXPECT_TRUE(store->ingests().empty());
  file.reset();
  ASSERT_TRUE(store->hand_over(digest, "ref", kSize));
  EXPECT_EQ(store->ingest_status("ref")->offset, 300'000U);
  EXPECT_FALSE(fs::exists(fetch_folder(digest)));
  EXPECT_EQ(store->usage().partial_bytes, 300'000U);
  reopen();
  auto ingest = store->open_ingest("ref", kSize, digest).value();
  EXPECT_EQ(ingest->status().offset, 300'000U);
  ASSERT_TRUE(ingest->append(as_span(bytes).subspan(300'000)));
  EXPECT_TRUE(ingest->commit(kSize, digest, {}));
  EXPECT_EQ(read(digest), bytes);
}

TEST_F(Fetches, HandOverWithoutUseIsANoOp) {
  EXPECT_TRUE(store->hand_over(digest, "ref", kSize)) << "no such download";
  auto file = begin();
  ASSERT_TRUE(write(*file, 600'000, 700'000));
  file.reset();
  EXPECT_TRUE(store->hand_over(digest, "ref", kSize)) << "nothing from byte 0 on";
  file = begin();
  ASSERT_TRUE(write(*file, 0, 1000));
  file.reset();
  EXPECT_TRUE(store->hand_over(digest, "ref", kSize + 1)) << "another size";
  EXPECT_TRUE(store->ingests().empty());
  {
    auto ingest = store->open_ingest("ref", kSize, {}).value();
    EXPECT_TRUE(store->hand_over(digest, "ref", kSize)) << "the ref is being written";
    ASSERT_TRUE(ingest->append(as_span(bytes).first(1000)));
  }
  EXPECT_TRUE(store->hand_over(digest, "ref", kSize)) << "the ref has as much";
  EXPECT_EQ(begin()->prefix(), 1000U);
}

TEST_F(Fetches, HandOverReplacesAnIngestThatHasLess) {
  { ASSERT_TRUE(store->open_ingest("ref", kSize, {}).value()->append(as_span("xy"))); }
  auto file = begin();
  ASSERT_TRUE(write(*file, 0, 1000));
  file.reset();
  ASSERT_TRUE(store->hand_over(digest, "ref", kSize));
  EXPECT_EQ(store->usage().partial_bytes, 1000U);
  auto ingest = store->open_ingest("ref", kSize, {}).value();
  EXPECT_EQ(ingest->status().offset, 1000U);
  EXPECT_EQ(ingest->digest(), sha256(bytes.substr(0, 1000)));
}

TEST_F(Fetches, FullDiskRefusesWithoutDamage) {
  options.content = folder.path / "small";
  const TemporaryMount mount(options.content, 0, "size=2m");
  if (!mount) GTEST_SKIP() << "needs the right to mount";
  reopen();
  EXPECT_EQ(store->begin_fetch(digest, 3'000'000, Purpose::kForeground).error().code, Code::kResourceExhausted);
  auto file = begin();
  ASSERT_TRUE(write(*file, 0, kSize));
  ASSERT_TRUE(file->finish());
  auto ingest = store->open_ingest("ref", 0, {}).value();
  Status status;
  std::uint64_t accepted = 0;
  while (status) {
    status = ingest->append(as_span(bytes).first(100'000));
    if (status) accepted += 100'000;
    ASSERT_LT(accepted, 4'000'000U);
  }
  EXPECT_EQ(status.error().code, Code::kResourceExhausted);
  EXPECT_EQ(ingest->status().offset, accepted);
  EXPECT_EQ(fs::file_size(ingest_folder("ref") / "data"), accepted);
  EXPECT_FALSE(store->find(digest)) << "the hidden blob made room";
}

}  // namespace
}  // namespace paceline::store
