#include "plugin/store/ingest.h"

#include <sys/stat.h>

#include "plugin/base/text.h"
#include "tests/unit/store/temp_store.h"

namespace paceline::store {
namespace {

namespace fs = std::filesystem;

class Ingests : public StoreTest {
 protected:
  std::unique_ptr<Ingest> open(const std::string& ref, std::uint64_t total = 0) {
    auto ingest = store->open_ingest(ref, total, {});
    EXPECT_TRUE(ingest) << ingest.error().message;
    return ingest ? std::move(*ingest) : nullptr;
  }
};

TEST_F(Ingests, FilesAreContainerds) {
  const std::string ref = "default/1/layer-sha256:abc";
  auto ingest = open(ref, 10);
  ASSERT_TRUE(ingest->append(as_span("half")));
  const auto path = ingest_folder(ref);
  EXPECT_EQ(read_file(path / "ref").value(), ref);
  EXPECT_EQ(read_file(path / "total").value(), "10");
  EXPECT_EQ(read_file(path / "data").value(), "half");
  EXPECT_EQ(parse_rfc3339(read_file(path / "startedat").value()).value(), clock.wall());
  EXPECT_EQ(parse_rfc3339(read_file(path / "updatedat").value()).value(), clock.wall());
  for (const auto* name : {"ref", "total", "data", "startedat", "updatedat"}) {
    struct stat about {};
    ASSERT_EQ(::stat((path / name).c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777, 0644U) << name;
  }
  clock.advance(std::chrono::seconds(3));
  ASSERT_TRUE(ingest->append(as_span("more")));
  ingest.reset();
  EXPECT_EQ(parse_rfc3339(read_file(path / "updatedat").value()).value(), clock.wall());
  EXPECT_FALSE(fs::exists(ingest_folder("unknown total") / "total"));
}

TEST_F(Ingests, StatusMovesWithTheBytes) {
  auto ingest = open("ref", 6);
  EXPECT_EQ(store->ingest_status("ref")->offset, 0U);
  ASSERT_TRUE(ingest->append(as_span("abc")));
  EXPECT_EQ(store->ingest_status("ref")->offset, 3U);
  EXPECT_EQ(store->ingest_status("ref")->total, 6U);
  EXPECT_EQ(store->ingests().size(), 1U);
  EXPECT_EQ(store->usage().partial_bytes, 3U);
  EXPECT_EQ(ingest->digest(), sha256("abc"));
  EXPECT_EQ(store->ingest_status("other").error().code, Code::kNotFound);
}

TEST_F(Ingests, OneWriterARef) {
  auto first = open("ref");
  EXPECT_EQ(store->open_ingest("ref", 0, {}).error().code, Code::kUnavailable);
  EXPECT_EQ(store->abort_ingest("ref").error().code, Code::kUnavailable);
  first.reset();
  EXPECT_TRUE(open("ref"));
  EXPECT_TRUE(store->abort_ingest("ref"));
  EXPECT_EQ(store->abort_ingest("ref").error().code, Code::kNotFound);
  EXPECT_FALSE(fs::exists(ingest_folder("ref")));
}

TEST_F(Ingests, ResumesAtTheRealOffsetAfterRestart) {
  auto ingest = open("ref", 6);
  ASSERT_TRUE(ingest->append(as_span("abc")));
  const auto started = ingest->status().started;
  ingest.reset();
  clock.advance(std::chrono::hours(1));
  reopen();
  EXPECT_EQ(store->ingest_status("ref")->offset, 3U);
  EXPECT_EQ(store->usage().partial_bytes, 3U);
  ingest = open("ref", 6);
  EXPECT_EQ(ingest->status().started, started);
  ASSERT_TRUE(ingest->append(as_span("def")));
  EXPECT_EQ(ingest->commit(6, sha256("abcdef"), {}).value(), sha256("abcdef"));
  EXPECT_EQ(read(sha256("abcdef")), "abcdef");
  EXPECT_EQ(store->usage().partial_bytes, 0U);
}

TEST_F(Ingests, TakesOverWhatContainerdLeft) {
  const std::string ref = "k8s.io/2/layer-sha256:def";
  store.reset();
  const auto path = ingest_folder(ref);
  fs::create_directories(path);
  const auto put = [&](const char* name, const std::string& text) {
    ASSERT_TRUE(write_file_atomically(path / name, text, Durability::kProcessCrash, 0644));
  };
  put("ref", ref);
  put("startedat", "2024-05-06T07:08:09.123456789+02:00");
  put("updatedat", "2024-05-06T07:08:10Z");
  put("updatedat.tmp", "2024");
  put("total", "8");
  put("data", "abcd");
  reopen();
  const auto status = store->ingest_status(ref);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->offset, 4U);
  EXPECT_EQ(status->total, 8U);
  EXPECT_EQ(format_rfc3339(status->started), "2024-05-06T05:08:09.123456789Z");
  EXPECT_FALSE(fs::exists(path / "updatedat.tmp"));
  auto ingest = open(ref, 8);
  EXPECT_EQ(ingest->digest(), sha256("abcd"));
}

TEST_F(Ingests, WhatCannotBeResumedIsCleared) {
  store.reset();
  fs::create_directories(ingest_folder("no data"));
  ASSERT_TRUE(write_file_atomically(ingest_folder("no data") / "ref", "no data", Durability::kProcessCrash));
  fs::create_directories(ingest_folder("wrong ref"));
  ASSERT_TRUE(write_file_atomically(ingest_folder("wrong ref") / "ref", "another", Durability::kProcessCrash));
  ASSERT_TRUE(write_file_atomically(ingest_folder("wrong ref") / "data", "x", Durability::kProcessCrash));
  reopen();
  EXPECT_TRUE(store->ingests().empty());
  EXPECT_TRUE(fs::is_empty(options.content / "ingest"));
}

TEST_F(Ingests, MoreDataThanTotalOrAnotherTotalBeginsAgain) {
  ASSERT_TRUE(open("long")->append(as_span("abcdef")));
  EXPECT_EQ(open("long", 3)->status().offset, 0U);
  ASSERT_TRUE(open("other", 10)->append(as_span("abc")));
  EXPECT_EQ(open("other", 12)->status().offset, 0U);
  EXPECT_EQ(open("other", 12)->status().total, 12U);
  EXPECT_EQ(store->usage().partial_bytes, 0U);
}

TEST_F(Ingests, TotalMayBecomeKnownLate) {
  auto ingest = open("ref");
  ASSERT_TRUE(ingest->append(as_span("abc")));
  ingest->set_total(4);
  ingest->set_expected(sha256("abcd"));
  EXPECT_EQ(store->ingest_status("ref")->expected, sha256("abcd"));
  EXPECT_EQ(ingest->append(as_span("de")).error().code, Code::kFailedPrecondition);
  ASSERT_TRUE(ingest->append(as_span("d")));
  ingest.reset();
  reopen();
  EXPECT_EQ(store->ingest_status("ref")->total, 4U);
}

TEST_F(Ingests, TruncateHashesAnew) {
  auto ingest = open("ref");
  ASSERT_TRUE(ingest->append(as_span("abcdef")));
  EXPECT_EQ(ingest->truncate(7).error().code, Code::kOutOfRange);
  ASSERT_TRUE(ingest->truncate(2));
  EXPECT_EQ(ingest->digest(), sha256("ab"));
  ASSERT_TRUE(ingest->append(as_span("X")));
  EXPECT_EQ(ingest->commit({}, {}, {}).value(), sha256("abX"));
  EXPECT_EQ(read(sha256("abX")), "abX");
}

TEST_F(Ingests, AMismatchAtCommitKeepsTheIngest) {
  auto ingest = open("ref");
  ASSERT_TRUE(ingest->append(as_span("abc")));
  EXPECT_EQ(ingest->commit(4, {}, {}).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(ingest->commit({}, sha256("abd"), {}).error().code, Code::kFailedPrecondition);
  ingest.reset();
  ingest = open("ref");
  EXPECT_EQ(ingest->status().offset, 3U);
  EXPECT_TRUE(ingest->commit(3, sha256("abc"), {}));
  EXPECT_EQ(ingest->commit(3, {}, {}).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(ingest->append(as_span("x")).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(ingest->digest(), sha256("abc"));
}

TEST_F(Ingests, CommitOfWhatIsThereSaysSoAndDropsTheIngest) {
  commit("abc");
  auto ingest = open("ref");
  ASSERT_TRUE(ingest->append(as_span("abc")));
  EXPECT_EQ(ingest->commit({}, {}, {}).error().code, Code::kAlreadyExists);
  ingest.reset();
  EXPECT_TRUE(store->ingests().empty());
  EXPECT_EQ(read(sha256("abc")), "abc");
}

TEST_F(Ingests, CommitOfAHiddenBlobAdoptsIt) {
  const Digest digest = hide("abc");
  auto ingest = open("ref");
  ASSERT_TRUE(ingest->append(as_span("abc")));
  EXPECT_EQ(ingest->commit({}, {}, {}).error().code, Code::kAlreadyExists);
  EXPECT_EQ(store->find(digest)->visibility, Visibility::kListed);
  EXPECT_EQ(read(digest), "abc");
}

TEST_F(Ingests, RefsMayHoldAnythingButNotNothing) {
  const std::string odd = std::string("../../etc/passwd\n\0\xff", 19);
  {
    auto ingest = open(odd);
    ASSERT_TRUE(ingest);
    ASSERT_TRUE(ingest->append(as_span("abc")));
  }
  reopen();
  EXPECT_EQ(store->ingest_status(odd)->offset, 3U);
  EXPECT_EQ(store->open_ingest("", 0, {}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(store->open_ingest(std::string(40'000, 'r'), 0, {}).error().code, Code::kInvalidArgument);
  EXPECT_TRUE(open(std::string(32'768, 'r')));
}

TEST_F(Ingests, EmptyBlobCommits) {
  EXPECT_EQ(open("ref")->commit({}, {}, {}).value(), sha256(""));
  EXPECT_EQ(read(sha256("")), "");
}

TEST_F(Ingests, DeletedUnderUsBeginsAgain) {
  ASSERT_TRUE(open("ref")->append(as_span("abc")));
  fs::remove_all(ingest_folder("ref"));
  EXPECT_EQ(open("ref")->status().offset, 0U);
}

TEST_F(Ingests, FloorRefusesAndTheOffsetStays) {
  auto ingest = open("ref");
  ASSERT_TRUE(ingest->append(as_span("abc")));
  ingest.reset();
  options.free_floor = 1ULL << 62U;
  reopen();
  ingest = open("ref");
  EXPECT_EQ(ingest->append(as_span("def")).error().code, Code::kResourceExhausted);
  EXPECT_EQ(ingest->status().offset, 3U);
  EXPECT_EQ(ingest->digest(), sha256("abc"));
}

}  // namespace
}  // namespace paceline::store
