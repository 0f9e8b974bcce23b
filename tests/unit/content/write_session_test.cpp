#include "plugin/content/write_session.h"

#include <gtest/gtest.h>

#include "plugin/base/clock.h"
#include "tests/support/temp_dir.h"

namespace paceline::content {
namespace {

using Outcome = WriteSession::Outcome;

/// A store, a table of flights, and Write streams on them.
class WriteSessionTest : public ::testing::Test {
 protected:
  WriteSessionTest() {
    store::StoreOptions options;
    options.content = dir_.path() / "content";
    options.free_floor = 0;
    auto store = store::Store::open(options, clock_);
    EXPECT_TRUE(store.has_value());
    store_ = std::move(*store);
    backend_ = std::make_unique<Backend>(Backend{*store_, flights_, active_, trail_, second_tries_, clock_});
  }

  struct Stream {
    explicit Stream(const Backend& backend) : session(backend) {}
    ~Stream() { session.close(false); }
    /// As the reactor does it: in memory where possible.
    Result<Outcome> send(const api::WriteContentRequest& request) {
      response.Clear();
      const auto outcome = session.handle_in_memory(request, response);
      if (outcome && !(*outcome && **outcome == Outcome::kRetry)) return *outcome;
      return session.handle(request, response, true);
    }
    Result<Outcome> stat(const std::string& ref = "", std::uint64_t total = 0) {
      api::WriteContentRequest request;
      request.set_ref(ref);
      request.set_total(static_cast<std::int64_t>(total));
      return send(request);
    }
    Result<Outcome> write(std::uint64_t offset, std::string_view data) {
      api::WriteContentRequest request;
      request.set_action(api::WRITE);
      request.set_offset(static_cast<std::int64_t>(offset));
      request.set_data(std::string(data));
      return send(request);
    }
    Result<Outcome> commit(std::uint64_t offset, std::uint64_t total, const std::string& expected) {
      api::WriteContentRequest request;
      request.set_action(api::COMMIT);
      request.set_offset(static_cast<std::int64_t>(offset));
      request.set_total(static_cast<std::int64_t>(total));
      request.set_expected(expected);
      return send(request);
    }
    [[nodiscard]] std::uint64_t offset() const { return static_cast<std::uint64_t>(response.offset()); }

    WriteSession session;
    api::WriteContentResponse response;
  };

  /// A download of ours that has written the first `bytes` of `blob` and then gave up.
  void fetch_part(const std::string& blob, std::size_t bytes) {
    auto file = store_->begin_fetch(sha256(blob), blob.size(), store::Purpose::kForeground);
    ASSERT_TRUE(file.has_value()) << file.error().to_string();
    ASSERT_TRUE((*file)->write(std::as_bytes(std::span(blob).first(bytes)), 0));
    ASSERT_TRUE((*file)->save_progress());
  }
  void fetch_all(const std::string& blob) {
    ASSERT_TRUE(store_->put_hidden(sha256(blob), blob, store::Purpose::kForeground));
  }
  [[nodiscard]] static std::string ref_of(const std::string& blob) {
    return "default/1/layer-" + sha256(blob).to_string();
  }

  test::TempDir dir_;
  SystemClock clock_;
  std::unique_ptr<store::Store> store_;
  pull::FlightTable flights_;
  ActiveWrites active_;
  InfoTrail trail_;
  SecondTries second_tries_;
  std::unique_ptr<Backend> backend_;
  const std::string blob_ = std::string(1000, 'x') + std::string(500, 'y');
  const Digest digest_ = sha256(blob_);
};

#define EXPECT_OUTCOME(expected, call)                             \
  do {                                                             \
    const auto result = (call);                                    \
    ASSERT_TRUE(result.has_value()) << result.error().to_string(); \
    EXPECT_EQ(*result, expected);                                  \
  } while (false)
#define EXPECT_CODE(expected, call)                                         \
  do {                                                                      \
    const auto result = (call);                                             \
    ASSERT_FALSE(result.has_value());                                       \
    EXPECT_EQ(result.error().code, expected) << result.error().to_string(); \
  } while (false)

TEST_F(WriteSessionTest, HoldsTheSecondStatUntilTheFlightLandsAndAdoptsAtCommit) {
  std::optional<Digest> demanded;
  flights_.set_demand_hook([&](const Digest& digest) { demanded = digest; });
  flights_.take_off(digest_, blob_.size());
  Stream stream(*backend_);
  EXPECT_OUTCOME(Outcome::kAnswer, stream.stat(ref_of(blob_), blob_.size()));
  EXPECT_EQ(stream.offset(), 0U);
  EXPECT_EQ(stream.response.total(), 1500);
  EXPECT_EQ(demanded, digest_);
  EXPECT_OUTCOME(Outcome::kHold, stream.stat());
  EXPECT_EQ(stream.session.digest(), digest_);
  EXPECT_TRUE(active_.find_virtual(ref_of(blob_)));

  fetch_all(blob_);
  flights_.land(digest_, {});
  EXPECT_EQ(store_->find(digest_)->visibility, store::Visibility::kHidden);
  EXPECT_OUTCOME(Outcome::kAnswer, stream.stat());
  EXPECT_EQ(stream.offset(), blob_.size());
  EXPECT_EQ(stream.response.total(), 1500);
  EXPECT_EQ(stream.response.digest(), digest_.to_string());
  EXPECT_EQ(store_->find(digest_)->visibility, store::Visibility::kHidden);

  EXPECT_OUTCOME(Outcome::kAnswerAndEnd, stream.commit(0, blob_.size(), digest_.to_string()));
  EXPECT_EQ(stream.offset(), blob_.size());
  EXPECT_EQ(stream.response.digest(), digest_.to_string());
  EXPECT_EQ(store_->find(digest_)->visibility, store::Visibility::kListed);
  EXPECT_FALSE(active_.find_virtual(ref_of(blob_)));
}

TEST_F(WriteSessionTest, HandsAFailedFlightOverAtItsPrefixWithShiftedOffsets) {
  flights_.take_off(digest_, blob_.size());
  Stream stream(*backend_);
  EXPECT_OUTCOME(Outcome::kAnswer, stream.stat(ref_of(blob_), blob_.size()));
  EXPECT_OUTCOME(Outcome::kHold, stream.stat());
  fetch_part(blob_, 600);
  flights_.land(digest_, fail(Code::kUnavailable, "upstream is gone"));
  stream.session.flight_failed();

  EXPECT_OUTCOME(Outcome::kAnswer, stream.stat());
  EXPECT_EQ(stream.offset(), 600U);
  EXPECT_EQ(stream.response.digest(), sha256(blob_.substr(0, 600)).to_string());
  EXPECT_FALSE(active_.find_virtual(ref_of(blob_)));
  // The client still counts from 0: its first STAT said so.
  EXPECT_OUTCOME(Outcome::kAnswer, stream.write(0, blob_.substr(600, 400)));
  EXPECT_EQ(stream.offset(), 400U);
  EXPECT_OUTCOME(Outcome::kAnswer, stream.stat());
  EXPECT_EQ(stream.offset(), 1000U);
  EXPECT_OUTCOME(Outcome::kAnswer, stream.write(400, blob_.substr(1000)));
  EXPECT_EQ(stream.offset(), 900U);
  EXPECT_OUTCOME(Outcome::kAnswerAndEnd, stream.commit(900, blob_.size(), digest_.to_string()));
  EXPECT_EQ(stream.offset(), blob_.size());
  EXPECT_EQ(store_->find(digest_)->visibility, store::Visibility::kListed);
}

TEST_F(WriteSessionTest, TakesRealOffsetsAfterAHandOverToo) {
  flights_.take_off(digest_, blob_.size());
  Stream stream(*backend_);
  EXPECT_OUTCOME(Outcome::kAnswer, stream.stat(ref_of(blob_), blob_.size()));
  fetch_part(blob_, 600);
  flights_.land(digest_, fail(Code::kUnavailable, "upstream is gone"));  // Before the second STAT this time.
  EXPECT_OUTCOME(Outcome::kAnswer, stream.stat());
  EXPECT_EQ(stream.offset(), 600U);
  EXPECT_OUTCOME(Outcome::kAnswer, stream.write(600, blob_.substr(600)));
  EXPECT_EQ(stream.offset(), blob_.size());
  EXPECT_CODE(Code::kOutOfRange, stream.commit(900, blob_.size(), ""));
  EXPECT_OUTCOME(Outcome::kAnswerAndEnd, stream.commit(blob_.size(), blob_.size(), digest_.to_string()));
}

TEST_F(WriteSessionTest, StartsFromNothingWhenTheFlightGotNothing) {
  flights_.take_off(digest_, blob_.size());
  Stream stream(*backend_);
  EXPECT_OUTCOME(Outcome::kAnswer, stream.stat(ref_of(blob_), blob_.size()));
  flights_.land(digest_, fail(Code::kUnavailable, "upstream is gone"));
  EXPECT_OUTCOME(Outcome::kAnswer, stream.stat());
  EXPECT_EQ(stream.offset(), 0U);
  EXPECT_OUTCOME(Outcome::kAnswer, stream.write(0, blob_));
  EXPECT_OUTCOME(Outcome::kAnswerAndEnd, stream.commit(blob_.size(), blob_.size(), digest_.to_string()));
}

TEST_F(WriteSessionTest, AWrongPrefixOfOursDoesNotOutliveItsCommit) {
  flights_.take_off(digest_, blob_.size());
  {
    Stream stream(*backend_);
    EXPECT_OUTCOME(Outcome::kAnswer, stream.stat(ref_of(blob_), blob_.size()));
    auto file = store_->begin_fetch(digest_, blob_.size(), store::Purpose::kForeground);
    const std::string wrong(600, '?');
    ASSERT_TRUE((*file)->write(std::as_bytes(std::span(wrong)), 0));
    ASSERT_TRUE((*file)->save_progress());
    file->reset();
    flights_.land(digest_, fail(Code::kUnavailable, "upstream is gone"));
    EXPECT_OUTCOME(Outcome::kAnswer, stream.stat());
    EXPECT_OUTCOME(Outcome::kAnswer, stream.write(0, blob_.substr(600)));
    EXPECT_CODE(Code::kFailedPrecondition, stream.commit(900, blob_.size(), digest_.to_string()));
  }
  Stream again(*backend_);
  EXPECT_OUTCOME(Outcome::kAnswer, again.stat(ref_of(blob_), blob_.size()));
  EXPECT_EQ(again.offset(), 0U);
}

TEST_F(WriteSessionTest, ResumesAnEarlierDownloadOfOurs) {
  fetch_part(blob_, 600);
  Stream stream(*backend_);
  EXPECT_OUTCOME(Outcome::kAnswer, stream.stat(ref_of(blob_), blob_.size()));
  EXPECT_EQ(stream.offset(), 600U);
  EXPECT_OUTCOME(Outcome::kAnswer, stream.write(600, blob_.substr(600)));
  EXPECT_OUTCOME(Outcome::kAnswerAndEnd, stream.commit(blob_.size(), blob_.size(), digest_.to_string()));
}

TEST_F(WriteSessionTest, AHiddenBlobIsAdoptedThroughTheStatPath) {
  fetch_all(blob_);
  Stream stream(*backend_);
  EXPECT_OUTCOME(Outcome::kAnswer, stream.stat(ref_of(blob_)));
  EXPECT_EQ(stream.offset(), 0U);
  EXPECT_OUTCOME(Outcome::kAnswer, stream.stat());
  EXPECT_EQ(stream.offset(), blob_.size());
  EXPECT_OUTCOME(Outcome::kAnswerAndEnd, stream.commit(0, blob_.size(), digest_.to_string()));
}

TEST_F(WriteSessionTest, WhatWasAnnouncedIsNotEvictedBeforeTheCommit) {
  fetch_all(blob_);
  Stream stream(*backend_);
  EXPECT_OUTCOME(Outcome::kAnswer, stream.stat(ref_of(blob_)));
  EXPECT_OUTCOME(Outcome::kAnswer, stream.stat());
  EXPECT_EQ(stream.offset(), blob_.size());
  const auto evicted = store_->evict(digest_);
  ASSERT_FALSE(evicted);
  EXPECT_EQ(evicted.error().code, Code::kFailedPrecondition);
  EXPECT_OUTCOME(Outcome::kAnswerAndEnd, stream.commit(0, blob_.size(), digest_.to_string()));
}

TEST_F(WriteSessionTest, AStreamThatEndsWithoutACommitLetsItsBlobGo) {
  fetch_all(blob_);
  {
    Stream stream(*backend_);
    EXPECT_OUTCOME(Outcome::kAnswer, stream.stat(ref_of(blob_)));
    EXPECT_OUTCOME(Outcome::kAnswer, stream.stat());
  }
  EXPECT_TRUE(store_->evict(digest_));
}

TEST_F(WriteSessionTest, WhatIsGoneMayTakeOffAgain) {
  flights_.set_demand_hook([&](const Digest& digest) { flights_.take_off(digest, blob_.size()); });
  Stream stream(*backend_);
  EXPECT_OUTCOME(Outcome::kAnswer, stream.stat(ref_of(blob_), blob_.size()));
  EXPECT_TRUE(active_.find_virtual(ref_of(blob_)));
  EXPECT_OUTCOME(Outcome::kHold, stream.stat());
}

TEST_F(WriteSessionTest, AWriteForAListedBlobIsSentBackOnceSoThatItsInfoIsAskedAgain) {
  fetch_all(blob_);
  ASSERT_TRUE(store_->adopt(digest_));
  {
    Stream stream(*backend_);
    EXPECT_CODE(Code::kUnavailable, stream.stat(ref_of(blob_), blob_.size()));
  }
  EXPECT_EQ(active_.acquire(ref_of(blob_), nullptr), ActiveWrites::Lock::kTaken);  // It was given back.
  active_.release(ref_of(blob_));
  Stream other_size(*backend_);  // Another blob, whatever its reference says.
  EXPECT_OUTCOME(Outcome::kAnswer, other_size.stat("other/1/layer-" + digest_.to_string(), 17));
}

TEST_F(WriteSessionTest, AListedBlobMustBeWrittenAgainAndThenExists) {
  fetch_all(blob_);
  ASSERT_TRUE(store_->adopt(digest_));
  EXPECT_CODE(Code::kUnavailable, Stream(*backend_).stat(ref_of(blob_), blob_.size()));
  Stream stream(*backend_);
  EXPECT_OUTCOME(Outcome::kAnswer, stream.stat(ref_of(blob_), blob_.size()));
  EXPECT_OUTCOME(Outcome::kAnswer, stream.stat());
  EXPECT_EQ(stream.offset(), 0U);
  EXPECT_OUTCOME(Outcome::kAnswer, stream.write(0, blob_));
  EXPECT_CODE(Code::kAlreadyExists, stream.commit(blob_.size(), blob_.size(), digest_.to_string()));
  EXPECT_TRUE(store_->ingests().empty());
}

TEST_F(WriteSessionTest, TheSecondCommitterOfAFlightIsToldThatItExists) {
  flights_.take_off(digest_, blob_.size());
  Stream one(*backend_);
  Stream two(*backend_);
  const auto digest = digest_.to_string();
  EXPECT_OUTCOME(Outcome::kAnswer, one.stat("a/1/layer-" + digest, blob_.size()));
  EXPECT_OUTCOME(Outcome::kAnswer, two.stat("b/1/layer-" + digest, blob_.size()));
  fetch_all(blob_);
  flights_.land(digest_, {});
  EXPECT_OUTCOME(Outcome::kAnswer, one.stat());
  EXPECT_OUTCOME(Outcome::kAnswer, two.stat());
  EXPECT_OUTCOME(Outcome::kAnswerAndEnd, one.commit(0, blob_.size(), digest));
  EXPECT_CODE(Code::kAlreadyExists, two.commit(0, blob_.size(), digest));
}

TEST_F(WriteSessionTest, OneWriterAReference) {
  flights_.take_off(digest_, blob_.size());
  Stream held(*backend_);
  Stream plain(*backend_);
  EXPECT_OUTCOME(Outcome::kAnswer, held.stat(ref_of(blob_)));
  EXPECT_OUTCOME(Outcome::kAnswer, plain.stat("upload"));
  Stream other(*backend_);
  EXPECT_CODE(Code::kUnavailable, other.stat(ref_of(blob_)));
  EXPECT_CODE(Code::kUnavailable, other.stat("upload"));
  api::WriteContentRequest request;
  request.set_ref("upload");
  const auto first_try = other.session.handle(request, other.response, false);
  EXPECT_OUTCOME(Outcome::kRetry, first_try);
  plain.session.close(false);
  EXPECT_OUTCOME(Outcome::kAnswer, other.stat("upload"));
}

TEST_F(WriteSessionTest, ACommitBeforeTheLandingIsRefusedAndChangesNothing) {
  flights_.take_off(digest_, blob_.size());
  Stream stream(*backend_);
  EXPECT_OUTCOME(Outcome::kAnswer, stream.stat(ref_of(blob_), blob_.size()));
  EXPECT_CODE(Code::kFailedPrecondition, stream.commit(0, blob_.size(), digest_.to_string()));
  EXPECT_TRUE(flights_.find(digest_));
}

TEST_F(WriteSessionTest, AnImpatientClientMayWriteByItself) {
  flights_.take_off(digest_, blob_.size());
  Stream stream(*backend_);
  EXPECT_OUTCOME(Outcome::kAnswer, stream.stat(ref_of(blob_), blob_.size()));
  EXPECT_OUTCOME(Outcome::kAnswer, stream.write(0, blob_.substr(0, 700)));
  EXPECT_OUTCOME(Outcome::kAnswer, stream.stat());  // Not held: it is a plain write now.
  EXPECT_EQ(stream.offset(), 700U);
  fetch_all(blob_);
  flights_.land(digest_, {});
  EXPECT_OUTCOME(Outcome::kAnswer, stream.write(700, blob_.substr(700)));
  EXPECT_CODE(Code::kAlreadyExists, stream.commit(blob_.size(), blob_.size(), digest_.to_string()));
  EXPECT_EQ(store_->find(digest_)->visibility, store::Visibility::kListed);
}

TEST_F(WriteSessionTest, TheInfoBeforeNamesTheBlobOfAnOpaqueReference) {
  flights_.take_off(digest_, blob_.size());
  trail_.leave(digest_);
  {
    Stream other(*backend_);
    EXPECT_OUTCOME(Outcome::kAnswer, other.stat("opaque-1", 17));  // Another size: another blob.
    EXPECT_FALSE(active_.find_virtual("opaque-1"));
  }
  trail_.leave(digest_);
  Stream stream(*backend_);
  EXPECT_OUTCOME(Outcome::kAnswer, stream.stat("opaque-2", blob_.size()));
  EXPECT_TRUE(active_.find_virtual("opaque-2"));
}

TEST_F(WriteSessionTest, ADifferentTotalIsADifferentBlob) {
  flights_.take_off(digest_, blob_.size());
  Stream stream(*backend_);
  EXPECT_OUTCOME(Outcome::kAnswer, stream.stat(ref_of(blob_), 17));
  EXPECT_FALSE(active_.find_virtual(ref_of(blob_)));
}

TEST_F(WriteSessionTest, PlainOffsets) {
  Stream stream(*backend_);
  EXPECT_OUTCOME(Outcome::kAnswer, stream.stat("upload"));
  EXPECT_OUTCOME(Outcome::kAnswer, stream.write(0, "hello"));
  EXPECT_EQ(stream.response.digest(), sha256("hello").to_string());
  EXPECT_CODE(Code::kOutOfRange, stream.write(3, "x"));
  EXPECT_OUTCOME(Outcome::kAnswer, stream.write(5, " world"));
  EXPECT_EQ(stream.offset(), 11U);
  EXPECT_OUTCOME(Outcome::kAnswer, stream.write(0, "again"));  // Offset 0 starts over.
  EXPECT_EQ(stream.offset(), 5U);
  EXPECT_OUTCOME(Outcome::kAnswerAndEnd, stream.commit(0, 5, sha256("again").to_string()));
}

TEST_F(WriteSessionTest, ATotalIsAnAnnouncementUntilCommit) {
  Stream stream(*backend_);
  EXPECT_OUTCOME(Outcome::kAnswer, stream.stat("upload", 5));
  EXPECT_OUTCOME(Outcome::kAnswer, stream.write(0, "hello"));
  EXPECT_OUTCOME(Outcome::kAnswer, stream.write(5, " world"));
  EXPECT_OUTCOME(Outcome::kAnswerAndEnd, stream.commit(11, 11, sha256("hello world").to_string()));
}

TEST_F(WriteSessionTest, CommitsDataThatComesWithIt) {
  Stream stream(*backend_);
  api::WriteContentRequest request;
  request.set_action(api::COMMIT);
  request.set_ref("at once");
  request.set_data("hello");
  (*request.mutable_labels())["k"] = "v";
  EXPECT_OUTCOME(Outcome::kAnswerAndEnd, stream.send(request));
  EXPECT_EQ(store_->labels(sha256("hello")).at("k"), "v");
}

TEST_F(WriteSessionTest, RefusesNonsense) {
  EXPECT_CODE(Code::kInvalidArgument, Stream(*backend_).stat(""));
  EXPECT_CODE(Code::kInvalidArgument, Stream(*backend_).stat(std::string(100'000, 'r')));
  api::WriteContentRequest request;
  request.set_ref("r");
  request.set_total(-1);
  EXPECT_CODE(Code::kInvalidArgument, Stream(*backend_).send(request));
  request.set_total(0);
  request.set_expected("sha256:short");
  EXPECT_CODE(Code::kInvalidArgument, Stream(*backend_).send(request));
  request.set_expected("");
  request.set_action(static_cast<api::WriteAction>(9));
  EXPECT_CODE(Code::kInvalidArgument, Stream(*backend_).send(request));
  EXPECT_EQ(active_.acquire("r", nullptr), ActiveWrites::Lock::kTaken);  // All of them gave it back.
}

TEST_F(WriteSessionTest, ExpectingWhatIsThereEndsTheWrite) {
  fetch_all(blob_);
  Stream stream(*backend_);
  api::WriteContentRequest request;
  request.set_ref("upload");
  request.set_expected(digest_.to_string());
  EXPECT_CODE(Code::kAlreadyExists, stream.send(request));
  EXPECT_EQ(store_->find(digest_)->visibility, store::Visibility::kListed);  // containerd knows of it now.
}

}  // namespace
}  // namespace paceline::content
