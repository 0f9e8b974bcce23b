// A store on a folder of its own, a clock that stands still unless told, and blobs to put in.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "plugin/base/files.h"
#include "plugin/store/store.h"
#include "tests/support/temp_mount.h"

namespace paceline::store {

class ManualClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return TimePoint(std::chrono::nanoseconds(nanoseconds_)); }
  [[nodiscard]] WallTime wall() const override {
    return WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::hours(24 * 365 * 56)) +
                    std::chrono::nanoseconds(nanoseconds_));
  }
  void advance(Duration by) { nanoseconds_ += by.count(); }

 private:
  std::atomic<std::int64_t> nanoseconds_{1};
};

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "paceline-store-XXXXXX").string();
    path = ::mkdtemp(pattern.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::filesystem::path path;
};

using test::TemporaryMount;

/// `size` bytes that differ from seed to seed.
inline std::string make_bytes(std::size_t size, unsigned seed) {
  std::string bytes(size, '\0');
  std::uint64_t state = seed * 0x9E3779B97F4A7C15ULL + 1;
  for (auto& byte : bytes) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    byte = static_cast<char>(state >> 56U);
  }
  return bytes;
}

inline std::span<const std::byte> as_span(std::string_view text) { return std::as_bytes(std::span(text)); }

class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    options.content = folder.path / "content";
    options.free_floor = 0;
  }
  void SetUp() override { reopen(); }

  void reopen() {
    store.reset();
    auto opened = Store::open(options, clock);
    ASSERT_TRUE(opened) << opened.error().message;
    store = std::move(*opened);
  }

  /// A hidden blob; the clock moves on, so that blobs have an order of use.
  Digest hide(const std::string& bytes, Purpose purpose = Purpose::kPrefetch) {
    const Digest digest = sha256(bytes);
    const auto done = store->put_hidden(digest, bytes, purpose);
    EXPECT_TRUE(done) << done.error().message;
    clock.advance(std::chrono::seconds(1));
    return digest;
  }

  /// A listed blob, as containerd commits it.
  Digest commit(const std::string& bytes, const Labels& labels = {}) {
    auto ingest = store->open_ingest("ref-of-" + sha256(bytes).hex(), bytes.size(), {});
    EXPECT_TRUE(ingest);
    EXPECT_TRUE((*ingest)->append(as_span(bytes)));
    const auto digest = (*ingest)->commit(bytes.size(), sha256(bytes), labels);
    EXPECT_TRUE(digest) << digest.error().message;
    return sha256(bytes);
  }

  std::string read(const Digest& digest) {
    const auto blob = store->open_blob(digest);
    if (!blob) return "<" + blob.error().message + ">";
    std::string bytes((*blob)->size, '\0');
    const auto count = read_at((*blob)->fd.get(), std::as_writable_bytes(std::span(bytes)), 0);
    return count && *count == bytes.size() ? bytes : "<short>";
  }

  [[nodiscard]] std::filesystem::path listed_file(const Digest& digest) const {
    return options.content / "blobs/sha256" / digest.hex();
  }
  [[nodiscard]] std::filesystem::path hidden_file(const Digest& digest) const {
    return options.content / ".paceline/hidden/sha256" / digest.hex();
  }
  [[nodiscard]] std::filesystem::path fetch_folder(const Digest& digest) const {
    return options.content / ".paceline/fetch" / digest.hex();
  }
  [[nodiscard]] std::filesystem::path ingest_folder(const std::string& ref) const {
    return options.content / "ingest" / sha256(ref).hex();
  }

  TemporaryFolder folder;
  ManualClock clock;
  StoreOptions options;
  std::unique_ptr<Store> store;
};

}  // namespace paceline::store
