// Many threads at one store; what must hold is checked from inside and at the end. Worth most under TSan.
#include <random>
#include <thread>

#include "tests/unit/store/temp_store.h"

namespace paceline::store {
namespace {

constexpr unsigned kThreads = 4;

class Concurrency : public StoreTest {
 protected:
  template <class Work>
  void in_parallel(Work work) {
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < kThreads; ++i) threads.emplace_back([&work, i] { work(i); });
    for (auto& thread : threads) thread.join();
  }
};

TEST_F(Concurrency, OneOfManyCommitsOfOneDigestWins) {
  const std::string bytes = make_bytes(10'000, 1);
  for (int round = 0; round < 10; ++round) {
    std::atomic<int> won{0};
    std::atomic<int> there{0};
    in_parallel([&](unsigned i) {
      auto ingest = store->open_ingest("ref " + std::to_string(i), bytes.size(), {});
      ASSERT_TRUE(ingest);
      ASSERT_TRUE((*ingest)->append(as_span(bytes)));
      const auto done = (*ingest)->commit({}, sha256(bytes), {});
      ++(done ? won : there);
      if (!done) {
        EXPECT_EQ(done.error().code, Code::kAlreadyExists);
      }
    });
    EXPECT_EQ(won, 1);
    EXPECT_EQ(there, static_cast<int>(kThreads) - 1);
    EXPECT_TRUE(store->ingests().empty());
    EXPECT_TRUE(store->remove(sha256(bytes)));
  }
}

TEST_F(Concurrency, AdoptOrEvictNeverBoth) {
  for (unsigned round = 0; round < 50; ++round) {
    const std::string bytes = make_bytes(100, round);
    const Digest digest = hide(bytes);
    std::atomic<bool> adopted{false};
    std::atomic<bool> evicted{false};
    in_parallel([&](unsigned i) {
      if (i % 2 == 0) {
        if (store->adopt(digest)) adopted = true;
      } else if (store->evict(digest)) {
        evicted = true;
      }
    });
    EXPECT_NE(adopted, evicted);
    EXPECT_EQ(store->find(digest).has_value(), adopted);
    EXPECT_EQ(std::filesystem::exists(listed_file(digest)), adopted);
    EXPECT_FALSE(std::filesystem::exists(hidden_file(digest)));
  }
}

TEST_F(Concurrency, ReadersSeeWholeBlobsWhileTheyComeAndGo) {
  std::vector<std::string> blobs;
  for (unsigned i = 0; i < 8; ++i) blobs.push_back(make_bytes(2000 + i, i));
  options.open_blobs = 4;
  reopen();
  in_parallel([&](unsigned thread) {
    std::mt19937 random(thread);
    for (int step = 0; step < 400; ++step) {
      const std::string& bytes = blobs[random() % blobs.size()];
      const Digest digest = sha256(bytes);
      switch (random() % 8) {
        case 0:
          (void)store->put_hidden(digest, bytes, Purpose::kPrefetch);
          break;
        case 1:
          (void)store->adopt(digest);
          break;
        case 2:
          (void)store->evict(digest);
          break;
        case 3:
          (void)store->remove(digest);
          break;
        case 4:
          (void)(random() % 2 == 0 ? store->pin("pin", {digest}) : store->unpin("pin"));
          break;
        case 5:
          (void)store->list(std::nullopt);
          break;
        case 6:
          (void)store->usage();
          break;
        default:
          break;
      }
      const auto blob = store->open_blob(digest);
      if (!blob) {
        ASSERT_EQ(blob.error().code, Code::kNotFound) << blob.error().message;
        continue;
      }
      std::string got(bytes.size(), '\0');
      ASSERT_EQ(read_at((*blob)->fd.get(), std::as_writable_bytes(std::span(got)), 0).value(), bytes.size());
      ASSERT_EQ(got, bytes);
    }
  });
  const auto before = store->list(std::nullopt).size();
  reopen();
  EXPECT_EQ(store->list(std::nullopt).size(), before);
}

TEST_F(Concurrency, HashingFollowsWriting) {
  const std::string bytes = make_bytes(4'000'000, 5);
  const Digest digest = sha256(bytes);
  auto file = store->begin_fetch(digest, bytes.size(), Purpose::kPrefetch).value();
  std::atomic<bool> written{false};
  std::thread network([&] {
    for (std::size_t at = 0; at < bytes.size(); at += 50'000) {
      ASSERT_TRUE(file->write(as_span(bytes).subspan(at, 50'000), at));
      if (at % 500'000 == 0) {
        ASSERT_TRUE(file->save_progress());
      }
    }
    written = true;
  });
  while (!written) ASSERT_TRUE(file->hash_prefix());
  network.join();
  ASSERT_TRUE(file->finish());
  EXPECT_EQ(read(digest), bytes);
}

}  // namespace
}  // namespace paceline::store
