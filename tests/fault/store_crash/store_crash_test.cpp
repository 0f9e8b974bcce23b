// kill -9 at any instant: a child process works on a store at random until it is killed; then the store is opened and
// everything it says is compared with what is on disk and with what the bytes must be.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>
#include <thread>

#include "plugin/base/files.h"
#include "plugin/store/store.h"

namespace paceline::store {
namespace {

namespace fs = std::filesystem;

constexpr int kRounds = 60;
constexpr auto kLongestLife = std::chrono::milliseconds(120);
constexpr std::size_t kBlobs = 12;

std::string make_blob(std::size_t index) {
  std::string bytes(index * index * 2500 + index, '\0');  // 0 to 300 KB.
  std::mt19937_64 random(index);
  for (auto& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

struct Blob {
  std::string bytes;
  Digest digest;
  std::string ref;
};

std::vector<Blob> make_blobs() {
  std::vector<Blob> blobs;
  for (std::size_t i = 0; i < kBlobs; ++i) {
    Blob blob{make_blob(i), {}, "default/1/layer-" + std::to_string(i)};
    blob.digest = sha256(blob.bytes);
    blobs.push_back(std::move(blob));
  }
  return blobs;
}

std::span<const std::byte> as_span(std::string_view text) { return std::as_bytes(std::span(text)); }

// ---- the child

class Worker {
 public:
  Worker(Store& store, const std::vector<Blob>& blobs, unsigned seed) : store_(store), blobs_(blobs), random_(seed) {}

  [[noreturn]] void run() {
    for (;;) step();
  }

 private:
  std::size_t below(std::size_t bound) { return bound == 0 ? 0 : random_() % bound; }

  // Refusals are part of the game; damage and bugs are not.
  void check(const Status& status) {
    if (status) return;
    if (status.error().code != Code::kInternal && status.error().code != Code::kDataLoss &&
        status.error().code != Code::kPermissionDenied && status.error().code != Code::kResourceExhausted) {
      return;
    }
    std::cerr << status.error().to_string() << std::endl;
    ::_exit(3);
  }

  template <class T>
  void check(const Result<T>& result) {
    if (!result) check(Status(tl::unexpected(result.error())));
  }

  void step() {
    const Blob& blob = blobs_[below(blobs_.size())];
    switch (below(14)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return fetch(blob);
      case 4:
      case 5:
      case 6:
        return ingest(blob);
      case 7:
        return check(store_.adopt(blob.digest));
      case 8:
        return check(store_.evict(blob.digest));
      case 9:
        return check(store_.remove(blob.digest));
      case 10:
        return check(store_.put_hidden(blob.digest, blob.bytes, Purpose::kPrefetch));
      case 11:
        return check(store_.hand_over(blob.digest, blob.ref, blob.bytes.size()));
      case 12:
        return check(store_.set_labels(blob.digest, {{"label", std::to_string(random_())}}));
      default:
        check(store_.pin("image", {blob.digest}));
        if (below(2) == 0) check(store_.unpin("image"));
    }
  }

  void fetch(const Blob& blob) {
    auto file = store_.begin_fetch(blob.digest, blob.bytes.size(), Purpose::kPrefetch);
    check(file);
    if (!file) return;
    for (std::size_t pieces = below(30); pieces > 0; --pieces) {
      const auto gaps = (*file)->missing();
      if (gaps.empty()) break;
      const auto& gap = gaps[below(gaps.size())];
      const std::size_t length = 1 + below(std::min<std::size_t>(gap.end - gap.first, 60'000));
      const std::size_t first = below(2) == 0 ? gap.first : gap.first + below(gap.end - gap.first - length + 1);
      check((*file)->write(as_span(blob.bytes).subspan(first, length), first));
      if (below(3) == 0) check((*file)->save_progress());
      if (below(3) == 0) check((*file)->hash_prefix());
    }
    if ((*file)->missing().empty()) check((*file)->finish());
  }

  void ingest(const Blob& blob) {
    auto ingest = store_.open_ingest(blob.ref, blob.bytes.size(), blob.digest);
    check(ingest);
    if (!ingest) return;
    if (below(8) == 0) check((*ingest)->truncate(below((*ingest)->status().offset + 1)));
    while ((*ingest)->status().offset < blob.bytes.size() && below(10) != 0) {
      const std::size_t offset = (*ingest)->status().offset;
      const std::size_t length = 1 + below(std::min<std::size_t>(blob.bytes.size() - offset, 60'000));
      check((*ingest)->append(as_span(blob.bytes).subspan(offset, length)));
    }
    if ((*ingest)->status().offset == blob.bytes.size()) {
      check((*ingest)->commit(blob.bytes.size(), blob.digest, {{"label", "of commit"}}));
    }
    ingest->reset();
    if (below(6) == 0) check(store_.abort_ingest(blob.ref));
  }

  Store& store_;
  const std::vector<Blob>& blobs_;
  std::mt19937 random_;
};

[[noreturn]] void live(const StoreOptions& options, const std::vector<Blob>& blobs, unsigned seed) {
  const SystemClock clock;
  auto store = Store::open(options, clock);
  if (!store) {
    std::cerr << store.error().to_string() << std::endl;
    ::_exit(2);
  }
  std::thread other([&] { Worker(**store, blobs, seed + 1).run(); });
  Worker(**store, blobs, seed).run();
}

// ---- the parent

class StoreCrash : public testing::Test {
 protected:
  StoreCrash() {
    std::string pattern = (fs::temp_directory_path() / "paceline-crash-XXXXXX").string();
    options_.content = ::mkdtemp(pattern.data());
    options_.free_floor = 0;
  }
  ~StoreCrash() override {
    std::error_code ignored;
    fs::remove_all(options_.content, ignored);
  }

  void let_live_and_kill(unsigned seed, std::chrono::microseconds life) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) live(options_, blobs_, seed);
    std::this_thread::sleep_for(life);
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself with " << WEXITSTATUS(status) << ", seed " << seed;
  }

  [[nodiscard]] const Blob* find(const Digest& digest) const {
    for (const auto& blob : blobs_) {
      if (blob.digest == digest) return &blob;
    }
    return nullptr;
  }

  void check_blob_files(const Store& store, const fs::path& folder, Visibility visibility) {
    std::size_t files = 0;
    for (const auto& item : fs::directory_iterator(folder)) {
      const auto content = read_file(item.path());
      ASSERT_TRUE(content);
      ASSERT_EQ(sha256(*content).hex(), item.path().filename().string()) << folder;
      const auto info = store.find(sha256(*content));
      ASSERT_TRUE(info);
      ASSERT_EQ(info->visibility, visibility);
      ASSERT_EQ(info->size, content->size());
      ++files;
    }
    ASSERT_EQ(store.list(visibility).size(), files);
    blobs_seen_ += files;
  }

  void check_ingests(Store& store) {
    for (const auto& status : store.ingests()) {
      const auto path = options_.content / "ingest" / sha256(status.ref).hex() / "data";
      const auto data = read_file(path);
      ASSERT_TRUE(data);
      ASSERT_EQ(data->size(), status.offset);
      for (const auto& blob : blobs_) {
        if (blob.ref == status.ref) {
          ASSERT_EQ(*data, blob.bytes.substr(0, status.offset)) << status.ref;
        }
      }
      resumed_ingests_ += status.offset > 0 ? 1 : 0;
    }
  }

  void check_downloads(Store& store) {
    for (const auto& blob : blobs_) {
      const auto folder = options_.content / ".paceline/fetch" / blob.digest.hex();
      if (!fs::exists(folder)) continue;
      auto file = store.begin_fetch(blob.digest, blob.bytes.size(), Purpose::kPrefetch);
      ASSERT_TRUE(file) << file.error().message;
      std::string claimed = read_file(folder / "data").value();
      ASSERT_EQ(claimed.size(), blob.bytes.size());
      for (const auto& gap : (*file)->missing()) {
        claimed.replace(gap.first, gap.end - gap.first, blob.bytes, gap.first, gap.end - gap.first);
      }
      ASSERT_EQ(claimed, blob.bytes) << "progress claims bytes that were not written";
      resumed_downloads_ += (*file)->resumed_bytes() > 0 ? 1 : 0;
    }
  }

  void check_everything() {
    const SystemClock clock;
    auto opened = Store::open(options_, clock);
    ASSERT_TRUE(opened) << opened.error().message;
    Store& store = **opened;
    check_blob_files(store, options_.content / "blobs/sha256", Visibility::kListed);
    check_blob_files(store, options_.content / ".paceline/hidden/sha256", Visibility::kHidden);
    check_ingests(store);
    check_downloads(store);
    for (const auto& item : fs::recursive_directory_iterator(options_.content)) {
      if (item.is_regular_file()) {
        ASSERT_EQ(item.path().filename().string().find(".tmp"), std::string::npos) << item.path();
      }
    }
    ASSERT_TRUE(fs::is_empty(options_.content / ".paceline/tmp"));
    for (const auto& [name, digests] : store.pins()) ASSERT_EQ(digests.size(), 1U) << name;
  }

  void complete_everything() {
    const SystemClock clock;
    auto store = Store::open(options_, clock).value();
    for (const auto& blob : blobs_) {
      (void)store->abort_ingest(blob.ref);
      if (!store->find(blob.digest)) {
        auto file = store->begin_fetch(blob.digest, blob.bytes.size(), Purpose::kPrefetch).value();
        for (const auto& gap : file->missing()) {
          ASSERT_TRUE(file->write(as_span(blob.bytes).subspan(gap.first, gap.end - gap.first), gap.first));
        }
        ASSERT_TRUE(file->finish());
      }
    }
    EXPECT_EQ(store->list(std::nullopt).size(), blobs_.size());
    EXPECT_EQ(store->usage().partial_bytes, 0U);
  }

  const std::vector<Blob> blobs_ = make_blobs();
  StoreOptions options_;
  std::size_t blobs_seen_ = 0, resumed_ingests_ = 0, resumed_downloads_ = 0;
};

TEST_F(StoreCrash, NothingIsEverHalfThere) {
  std::random_device device;
  const char* fixed = std::getenv("STORE_CRASH_SEED");
  const unsigned seed = fixed != nullptr ? static_cast<unsigned>(std::strtoul(fixed, nullptr, 10)) : device();
  RecordProperty("seed", std::to_string(seed));
  std::cout << "STORE_CRASH_SEED=" << seed << std::endl;
  std::mt19937 random(seed);
  for (int round = 0; round < kRounds; ++round) {
    const auto life = std::chrono::microseconds(random() % std::chrono::microseconds(kLongestLife).count());
    let_live_and_kill(random(), life);
    if (HasFatalFailure()) return;
    check_everything();
    if (HasFatalFailure()) return;
  }
  std::cout << "after " << kRounds << " kills: " << blobs_seen_ << " blobs, " << resumed_ingests_ << " ingests and "
            << resumed_downloads_ << " downloads resumed" << std::endl;
  complete_everything();
}

}  // namespace
}  // namespace paceline::store
