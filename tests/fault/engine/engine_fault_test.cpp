// The transfer engine against servers that misbehave: everything real but the peer.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>
#include <random>
#include <thread>

#include "plugin/base/files.h"
#include "plugin/net/url.h"
#include "plugin/pull/engine.h"
#include "tests/support/fake_server.h"
#include "tests/support/temp_dir.h"

namespace paceline::pull {
namespace {

using test::FakeConnection;
using test::FakeRequest;
using test::FakeServer;

std::string random_bytes(std::size_t size, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::string out(size, '\0');
  for (auto& c : out) c = static_cast<char>(random());
  return out;
}

/// A repository whose endpoints are the given base URLs; reauthorize() hands out "Bearer 1", "Bearer 2", …
class FakeRepository final : public registry::Repository {
 public:
  explicit FakeRepository(std::vector<std::string> endpoints) : endpoints_(std::move(endpoints)) {}

  const std::string& registry() const override { return registry_; }
  const std::string& repository() const override { return repository_; }
  const registry::Access& access() const override { return access_; }
  tl::expected<registry::Document, registry::Refusal> document(const std::string&) override {
    return tl::unexpected(registry::Refusal{});
  }
  Result<std::string> small_blob(const Digest&, std::size_t) override { return fail(Code::kUnimplemented, ""); }
  std::size_t endpoints() override { return endpoints_.size(); }
  Result<net::HttpRequest> blob_request(const Digest& digest, std::size_t index) override {
    net::HttpRequest request;
    request.url = endpoints_[index] + "v2/a/blobs/" + digest.to_string();
    if (token_ > 0) request.headers.set("Authorization", "Bearer " + std::to_string(token_.load()));
    return request;
  }
  Status reauthorize(std::size_t, const std::string&, const std::string&) override {
    ++token_;
    return {};
  }
  Result<net::HttpRequest> request(const std::string&, const std::string&, std::size_t) override {
    return fail(Code::kUnimplemented, "");
  }

 private:
  std::vector<std::string> endpoints_;
  std::string registry_ = "fake", repository_ = "a";
  registry::Access access_;
  std::atomic<int> token_ = 0;
};

class EngineFault : public testing::Test {
 protected:
  EngineFault() {
    store::StoreOptions options;
    options.content = dir_.path() / "content";
    options.free_floor = 0;
    store_ = std::move(*store::Store::open(options, clock_));
    config_.fetch.retries = 2;
    config_.fetch.stall_window = std::chrono::milliseconds(700);
    config_.concurrency.mode = config::ConcurrencyMode::kFixed;
    config_.concurrency.streams = 4;
    start();
  }
  void start() {
    engine_.reset();
    engine_ = std::make_unique<TransferEngine>(EngineServices{clock_, network_, *store_, flights_, memory_}, config_);
  }
  void TearDown() override { engine_.reset(); }

  std::future<Status> fetch_async(const std::string& blob, std::vector<std::string> endpoints, PullKey pull = 1,
                                  std::uint64_t size = 0, bool foreground = true) {
    const Digest digest = sha256(blob);
    EXPECT_TRUE(flights_.take_off(digest, size == 0 ? blob.size() : size));
    auto promise = std::make_shared<std::promise<Status>>();
    flights_.wait(digest, [promise](const Status& status) { promise->set_value(status); });
    counters_ = std::make_shared<BlobCounters>();
    engine_->fetch(pull, foreground, std::make_shared<FakeRepository>(std::move(endpoints)),
                   {{digest, size == 0 ? blob.size() : size, counters_}});
    return promise->get_future();
  }
  Status fetch(const std::string& blob, std::vector<std::string> endpoints) {
    return fetch_async(blob, std::move(endpoints)).get();
  }
  std::string stored(const std::string& blob) {
    const auto open = store_->open_blob(sha256(blob));
    if (!open) return open.error().to_string();
    std::string bytes((*open)->size, '\0');
    EXPECT_TRUE(read_at((*open)->fd.get(), std::as_writable_bytes(std::span(bytes)), 0));
    return bytes;
  }

  const test::TempDir dir_;
  SystemClock clock_;
  config::Config config_;
  net::NetworkThread network_{net::NetworkOptions{}};
  std::unique_ptr<store::Store> store_;
  FlightTable flights_;
  PathMemory memory_{{}};
  std::shared_ptr<BlobCounters> counters_;
  std::unique_ptr<TransferEngine> engine_;
};

const std::string kBig = random_bytes(20'000'000);
const std::string kSmall = random_bytes(5'000, 2);

TEST_F(EngineFault, ALargeBlobComesInClosedRangesOverSeveralConnections) {
  FakeServer server([](const FakeRequest& r, FakeConnection& c) { c.serve(r, kBig); });
  ASSERT_TRUE(fetch(kBig, {server.url()}));
  EXPECT_TRUE(stored(kBig) == kBig);
  EXPECT_GT(server.connections(), 1U);
  for (const auto& request : server.requests()) {
    EXPECT_TRUE(request.header("Range").starts_with("bytes=") && !request.header("Range").ends_with("-"));
  }
}

TEST_F(EngineFault, SmallAndEmptyBlobsTakeAPlainRequestAtMost) {
  FakeServer server([](const FakeRequest& r, FakeConnection& c) { c.serve(r, kSmall); });
  ASSERT_TRUE(fetch(kSmall, {server.url()}));
  EXPECT_FALSE(server.requests().at(0).has("Range"));
  ASSERT_TRUE(fetch_async("", {server.url()}).get());
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST_F(EngineFault, AHostThatIgnoresRangesGetsOneStream) {
  FakeServer server([](const FakeRequest& r, FakeConnection& c) { c.respond(r, 200, kBig); });
  ASSERT_TRUE(fetch(kBig, {server.url()}));
  EXPECT_TRUE(stored(kBig) == kBig);
  // Not simply the last one: the ranged requests of the other streams may still be read by their server threads.
  const auto requests = server.requests();
  EXPECT_EQ(std::count_if(requests.begin(), requests.end(), [](const auto& r) { return !r.has("Range"); }), 1);
}

TEST_F(EngineFault, AHostWithWrongContentRangesGetsOneStream) {
  FakeServer server([](const FakeRequest& r, FakeConnection& c) {
    if (!r.has("Range")) return void(c.serve(r, kBig));
    c.respond(r, 206, "nonsense", {{"Content-Range", "bytes 5-12/20000000"}});
  });
  ASSERT_TRUE(fetch(kBig, {server.url()}));
  EXPECT_TRUE(stored(kBig) == kBig);
}

TEST_F(EngineFault, ConnectionsThatBreakAreTakenUpWhereTheyBroke) {
  std::atomic<int> breaks = 0;
  FakeServer server([&](const FakeRequest& r, FakeConnection& c) {
    if (breaks++ > 5) return void(c.serve(r, kBig));
    const auto range = net::parse_content_range(r.header("Range").replace(0, 6, "bytes ") + "/20000000");
    c.write("HTTP/1.1 206 Partial Content\r\nContent-Length: " + std::to_string(range->last + 1 - range->first) +
            "\r\nContent-Range: bytes " + r.header("Range").substr(6) + "/20000000\r\n\r\n");
    c.write(kBig.substr(range->first, 100'000));
    c.reset();
  });
  ASSERT_TRUE(fetch(kBig, {server.url()}));
  EXPECT_TRUE(stored(kBig) == kBig);
  EXPECT_GT(counters_->retries.load(), 0U);
}

TEST_F(EngineFault, AStalledStreamIsStartedAgain) {
  std::atomic<bool> stalled = false;
  FakeServer server([&](const FakeRequest& r, FakeConnection& c) {
    if (stalled.exchange(true)) return void(c.serve(r, kSmall));
    c.write("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + kSmall.substr(0, 3));
    c.wait_until_closed();
  });
  ASSERT_TRUE(fetch(kSmall, {server.url()}));
  EXPECT_TRUE(stored(kSmall) == kSmall);
}

/// Prefetches kBig under a cap that lets a thousandth of it through, sees that the streams are held inside their
/// ranges without being taken for dead, and then wants it now.
#define EXPECT_HELD_UNTIL_RAISED()                                                                     \
  do {                                                                                                 \
    start();                                                                                           \
    FakeServer server([](const FakeRequest& r, FakeConnection& c) { c.serve(r, kBig); });              \
    auto landed = fetch_async(kBig, {server.url()}, 1, 0, /*foreground=*/false);                       \
    while (counters_->fetched.load() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(10)); \
    EXPECT_EQ(landed.wait_for(4 * config_.fetch.stall_window), std::future_status::timeout);           \
    EXPECT_LT(counters_->fetched.load(), 1'000'000U);                                                  \
    EXPECT_EQ(counters_->retries.load(), 0U);                                                          \
    const auto asked = server.requests().size();                                                       \
    EXPECT_LE(asked, config_.concurrency.streams);                                                     \
    engine_->raise(sha256(kBig));                                                                      \
    ASSERT_TRUE(landed.get());                                                                         \
    EXPECT_TRUE(stored(kBig) == kBig);                                                                 \
    EXPECT_EQ(counters_->fetched.load(), kBig.size());                                                 \
  } while (false)

TEST_F(EngineFault, ACapHoldsAPrefetchInsideItsRangesUntilItIsWanted) {
  config_.prefetch.bytes_per_second = 1000;
  EXPECT_HELD_UNTIL_RAISED();
}

TEST_F(EngineFault, ARegistrysOwnCapDoesTheSame) {
  config_.concurrency_by_registry["fake"] = config_.concurrency;
  config_.concurrency_by_registry["fake"].prefetch_bytes_per_second = 1000;
  EXPECT_HELD_UNTIL_RAISED();
}

TEST_F(EngineFault, ACappedPrefetchComesWhole) {
  config_.prefetch.bytes_per_second = 20'000'000;
  start();
  FakeServer server([](const FakeRequest& r, FakeConnection& c) { c.serve(r, kBig); });
  ASSERT_TRUE(fetch_async(kBig, {server.url()}, 1, 0, /*foreground=*/false).get());
  EXPECT_TRUE(stored(kBig) == kBig);
  EXPECT_EQ(counters_->retries.load(), 0U);
}

TEST_F(EngineFault, ALiftedCapLetsAHeldPrefetchGo) {
  config_.prefetch.bytes_per_second = 1000;
  start();
  FakeServer server([](const FakeRequest& r, FakeConnection& c) { c.serve(r, kBig); });
  auto landed = fetch_async(kBig, {server.url()}, 1, 0, /*foreground=*/false);
  while (counters_->fetched.load() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  config_.prefetch.bytes_per_second = 0;
  engine_->reconfigure(config_);
  ASSERT_TRUE(landed.get());
  EXPECT_TRUE(stored(kBig) == kBig);
}

TEST_F(EngineFault, APatchedTogetherBlobWithAWrongDigestIsFetchedOnceMoreFromNothing) {
  std::atomic<bool> lied = false;
  FakeServer server([&](const FakeRequest& r, FakeConnection& c) {
    if (lied.exchange(true)) return void(c.serve(r, kSmall));
    c.write("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nabc");
    c.close();
  });
  ASSERT_TRUE(fetch(kSmall, {server.url()}));
  EXPECT_TRUE(stored(kSmall) == kSmall);
}

TEST_F(EngineFault, AWrongDigestGoesOnToTheNextEndpoint) {
  const std::string wrong = random_bytes(kSmall.size(), 3);
  FakeServer liar([&](const FakeRequest& r, FakeConnection& c) { c.serve(r, wrong); });
  FakeServer honest([](const FakeRequest& r, FakeConnection& c) { c.serve(r, kSmall); });
  ASSERT_TRUE(fetch(kSmall, {liar.url(), honest.url()}));
  EXPECT_TRUE(stored(kSmall) == kSmall);
}

TEST_F(EngineFault, AWrongDigestEverywhereFailsAndStoresNothing) {
  const std::string wrong = random_bytes(kSmall.size(), 3);
  FakeServer liar([&](const FakeRequest& r, FakeConnection& c) { c.serve(r, wrong); });
  const Status status = fetch(kSmall, {liar.url()});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kFailedPrecondition);
  EXPECT_FALSE(store_->find(sha256(kSmall)));
  EXPECT_FALSE(store_->find(sha256(wrong)));
}

TEST_F(EngineFault, AnotherSizeThanTheManifestsFailsWithBothNamed) {
  FakeServer server([](const FakeRequest& r, FakeConnection& c) { c.serve(r, kSmall); });
  const Status status = fetch_async(kSmall, {server.url()}, 1, 6000).get();
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("5000"), std::string::npos) << status.error().message;
  EXPECT_NE(status.error().message.find("6000"), std::string::npos);
}

TEST_F(EngineFault, AnEndlessBodyIsCutOffAndNeverStored) {
  FakeServer server([](const FakeRequest&, FakeConnection& c) {
    c.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    const std::string chunk = "10000\r\n" + std::string(65536, 'x') + "\r\n";
    while (c.write(chunk)) {
    }
  });
  EXPECT_FALSE(fetch(kSmall, {server.url()}));
  EXPECT_FALSE(store_->find(sha256(kSmall)));
}

TEST_F(EngineFault, RedirectsAreFollowedWithoutTheCredentials) {
  FakeServer blobs([](const FakeRequest& r, FakeConnection& c) { c.serve(r, kBig); });
  FakeServer server([&](const FakeRequest& r, FakeConnection& c) {
    if (r.header("Authorization") != "Bearer 1") {
      return void(c.respond(r, 401, "", {{"WWW-Authenticate", "Bearer realm=x"}}));
    }
    c.respond(r, 307, "", {{"Location", blobs.url("/signed?secret")}});
  });
  ASSERT_TRUE(fetch(kBig, {server.url()}));
  EXPECT_TRUE(stored(kBig) == kBig);
  for (const auto& request : blobs.requests()) EXPECT_FALSE(request.has("Authorization"));
}

TEST_F(EngineFault, AnExpiredSignedUrlIsRenewedAtTheRegistry) {
  std::atomic<int> generation = 0;
  std::atomic<int> served = 0;
  FakeServer blobs([&](const FakeRequest& r, FakeConnection& c) {
    if (r.target == "/signed1" && served++ > 1) return void(c.respond(r, 403, "expired"));
    c.serve(r, kBig);
  });
  FakeServer server([&](const FakeRequest& r, FakeConnection& c) {
    c.respond(r, 307, "", {{"Location", blobs.url("/signed" + std::to_string(++generation > 4 ? 2 : 1))}});
  });
  ASSERT_TRUE(fetch(kBig, {server.url()}));
  EXPECT_TRUE(stored(kBig) == kBig);
}

TEST_F(EngineFault, ARedirectLoopEnds) {
  FakeServer server([&](const FakeRequest& r, FakeConnection& c) { c.respond(r, 302, "", {{"Location", r.target}}); });
  const Status status = fetch(kSmall, {server.url()});
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("redirect"), std::string::npos) << status.error().message;
  EXPECT_LT(server.requests().size(), 20U);
}

TEST_F(EngineFault, AThrottlingHostIsLeftAloneForAsLongAsItAsks) {
  std::mutex mutex;
  std::optional<TimePoint> asked;
  std::atomic<bool> too_early = false;
  FakeServer server([&](const FakeRequest& r, FakeConnection& c) {
    const std::lock_guard lock(mutex);
    if (!asked) {
      asked = std::chrono::steady_clock::now();
      return void(c.respond(r, 429, "", {{"Retry-After", "1"}}));
    }
    // The four streams of the start were under way already.
    if (std::chrono::steady_clock::now() - *asked < std::chrono::milliseconds(900)) {
      too_early = server.requests().size() > 4;
      return void(c.respond(r, 429, "", {{"Retry-After", "1"}}));
    }
    c.serve(r, kBig);
  });
  ASSERT_TRUE(fetch(kBig, {server.url()}));
  EXPECT_FALSE(too_early);
}

TEST_F(EngineFault, ServerErrorsAreRetriedThenGivenUpWithTheHostNamed) {
  FakeServer server([&](const FakeRequest& r, FakeConnection& c) { c.respond(r, 500, "oops"); });
  const Status status = fetch(kSmall, {server.url()});
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find(server.host()), std::string::npos) << status.error().message;
  EXPECT_EQ(server.requests().size(), 3U);
}

TEST_F(EngineFault, AStreamThatDeliversIsNotCutOffByOthersThatFail) {
  FakeServer server([&](const FakeRequest& r, FakeConnection& c) {
    const auto range = net::parse_content_range(r.header("Range").replace(0, 6, "bytes ") + "/20000000");
    if (range->first > 0) return c.reset();
    c.write("HTTP/1.1 206 Partial Content\r\nContent-Length: " + std::to_string(range->last + 1) +
            "\r\nContent-Range: bytes " + r.header("Range").substr(6) + "/20000000\r\n\r\n");
    // Long enough for the other ranges to have failed more often than a blob may.
    for (std::size_t at = 0; at < 1'000'000; at += 100'000) {
      c.write(std::string_view(kBig).substr(at, 100'000));
      c.wait(std::chrono::milliseconds(100));
    }
    c.close();
  });
  ASSERT_FALSE(fetch(kBig, {server.url()}));
  const auto again = store_->begin_fetch(sha256(kBig), kBig.size(), store::Purpose::kForeground);
  ASSERT_TRUE(again);
  EXPECT_EQ((*again)->prefix(), 1'000'000U);
}

TEST_F(EngineFault, AStreamThatIsNotAnsweredYetIsNotCutOffByOthersThatFail) {
  std::atomic<int> failed = 0;
  std::atomic<std::uint64_t> first_range = 0;
  FakeServer server([&](const FakeRequest& r, FakeConnection& c) {
    const auto range = net::parse_content_range(r.header("Range").replace(0, 6, "bytes ") + "/20000000");
    if (range->first > 0) {
      ++failed;
      return c.reset();
    }
    first_range = range->last + 1;
    // Three rounds of the three others: more often than a blob may fail.
    while (failed < 9 && c.wait(std::chrono::milliseconds(5))) {
    }
    c.serve(r, kBig);
  });
  config_.fetch.stall_window = std::chrono::seconds(30);
  start();
  ASSERT_FALSE(fetch(kBig, {server.url()}));
  const auto again = store_->begin_fetch(sha256(kBig), kBig.size(), store::Purpose::kForeground);
  ASSERT_TRUE(again);
  EXPECT_EQ((*again)->prefix(), first_range.load());
}

TEST_F(EngineFault, AnAbandonedDownloadResumesWithoutFetchingTwice) {
  std::atomic<bool> healthy = false;
  std::atomic<std::uint64_t> sent = 0;
  FakeServer server([&](const FakeRequest& r, FakeConnection& c) {
    const auto range = net::parse_content_range(r.header("Range").replace(0, 6, "bytes ") + "/20000000");
    const std::uint64_t length = range->last + 1 - range->first;
    if (healthy) {
      sent += length;
      return void(c.serve(r, kBig));
    }
    c.write("HTTP/1.1 206 Partial Content\r\nContent-Length: " + std::to_string(length) + "\r\nContent-Range: bytes " +
            r.header("Range").substr(6) + "/20000000\r\n\r\n");
    c.write(std::string_view(kBig).substr(range->first, 1'000'000));
    c.wait_until_closed();
  });
  config_.fetch.retries = 0;
  start();
  const Status status = fetch(kBig, {server.url()});
  ASSERT_FALSE(status);
  healthy = true;
  ASSERT_TRUE(fetch(kBig, {server.url()}));
  EXPECT_TRUE(stored(kBig) == kBig);
  EXPECT_GT(counters_->resumed.load(), 0U);
  EXPECT_EQ(sent + counters_->resumed.load(), kBig.size());
}

TEST_F(EngineFault, ConnectionsAreOpenedAheadOfTheNextPull) {
  FakeServer server([&](const FakeRequest& r, FakeConnection& c) {
    if (r.method == "HEAD") return void(c.respond(r, 401));
    c.serve(r, kBig);
    c.close();  // So that only what is opened anew can be used.
  });
  ASSERT_TRUE(fetch(kBig, {server.url()}));
  const auto before = server.requests().size();
  engine_->warm("unknown");
  engine_->warm("fake");
  ASSERT_TRUE(server.wait_for_requests(before + 4));
  const std::string other = random_bytes(20'000'000, 9);
  const unsigned opened = server.connections();
  const auto warming = server.requests();
  for (std::size_t i = before; i < warming.size(); ++i) {
    EXPECT_EQ(warming[i].method, "HEAD");
    EXPECT_FALSE(warming[i].has("Authorization"));
  }
  EXPECT_FALSE(fetch(other, {server.url()}));  // Not what the server has; its first ranges use the open connections.
  const auto requests = server.requests();
  EXPECT_LT(requests.at(before + 4).connection, opened);
}

TEST_F(EngineFault, CancelLandsTheFlightAndStopsTheStreams) {
  FakeServer server([&](const FakeRequest&, FakeConnection& c) {
    c.write("HTTP/1.1 206 Partial Content\r\n");
    c.wait_until_closed();
  });
  auto landed = fetch_async(kBig, {server.url()}, 7);
  ASSERT_TRUE(server.wait_for_requests(1));
  engine_->cancel(7);
  const Status status = landed.get();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kCancelled);
  EXPECT_FALSE(flights_.find(sha256(kBig)));
}

TEST_F(EngineFault, ASharedBlobOutlivesThePullThatStartedIt) {
  std::atomic<bool> open = false;
  FakeServer server([&](const FakeRequest& r, FakeConnection& c) {
    while (!open && c.wait(std::chrono::milliseconds(5))) {
    }
    c.serve(r, kBig);
  });
  auto landed = fetch_async(kBig, {server.url()}, 1);
  ASSERT_TRUE(server.wait_for_requests(1));
  engine_->join(2, true, sha256(kBig), std::make_shared<FakeRepository>(std::vector<std::string>{server.url()}));
  engine_->cancel(1);
  open = true;
  EXPECT_TRUE(landed.get());
  EXPECT_TRUE(stored(kBig) == kBig);
}

TEST_F(EngineFault, StoppingInMidFlightKeepsTheProgress) {
  FakeServer server([&](const FakeRequest& r, FakeConnection& c) {
    const auto range = net::parse_content_range(r.header("Range").replace(0, 6, "bytes ") + "/20000000");
    c.write("HTTP/1.1 206 Partial Content\r\nContent-Length: " + std::to_string(range->last + 1 - range->first) +
            "\r\nContent-Range: bytes " + r.header("Range").substr(6) + "/20000000\r\n\r\n");
    c.write(std::string_view(kBig).substr(range->first, 500'000));
    c.wait_until_closed();
  });
  auto landed = fetch_async(kBig, {server.url()});
  while (counters_->received < 1'000'000) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  engine_.reset();
  EXPECT_EQ(landed.get().error().code, Code::kCancelled);
  const auto again = store_->begin_fetch(sha256(kBig), kBig.size(), store::Purpose::kForeground);
  ASSERT_TRUE(again);
  EXPECT_GE((*again)->resumed_bytes(), 1'000'000U);
}

}  // namespace
}  // namespace paceline::pull
