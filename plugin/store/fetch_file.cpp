#include "plugin/store/fetch_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <limits>

#include "plugin/base/files.h"
#include "plugin/base/log.h"
#include "plugin/store/hash_file.h"
#include "plugin/store/ingest_files.h"
#include "plugin/store/parts.h"
#include "plugin/store/progress_file.h"
#include "plugin/store/write_back.h"

namespace paceline::store {
namespace fs = std::filesystem;
namespace {

constexpr auto kMaxSize = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
// A foreground pull's layers wait hidden until containerd asks for them, which takes as long as its slowest layer.
constexpr auto kKeepForeground = std::chrono::minutes(10);

}  // namespace

class FetchFile::Impl {
 public:
  Impl(Parts& parts, const Digest& digest, Progress progress, UniqueFd data, std::uint64_t unsettled, Purpose purpose)
      : parts_(parts),
        digest_(digest),
        size_(progress.size),
        resumed_(progress.written.covered()),
        purpose_(purpose),
        folder_(parts.layout.fetch_folder(digest)),
        fd_(std::move(data)),
        progress_(std::move(progress)),
        unsettled_(unsettled),
        prefix_(progress_.written.prefix()) {}

  ~Impl() {
    if (!spent_) leave();
  }

  [[nodiscard]] const Digest& digest() const { return digest_; }
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] std::uint64_t resumed_bytes() const { return resumed_; }
  [[nodiscard]] std::vector<ByteRange> missing() const { return progress_.written.missing(size_); }
  [[nodiscard]] std::uint64_t prefix() const { return prefix_.load(std::memory_order_acquire); }
  [[nodiscard]] std::uint64_t hashed() const { return hashed_.load(std::memory_order_relaxed); }

  Status write(std::span<const std::byte> data, std::uint64_t offset) {
    if (spent_) return fail(Code::kFailedPrecondition, name() + " is finished");
    if (offset > size_ || data.size() > size_ - offset) {
      return fail(Code::kOutOfRange, name() + ": " + std::to_string(data.size()) + " bytes at " +
                                         std::to_string(offset) + " pass its size of " + std::to_string(size_));
    }
    // Only what is missing: bytes that may be hashed already must never change, whoever sends them twice.
    for (const auto& gap : progress_.written.missing(offset, offset + data.size())) {
      auto done = write_at(fd_.get(), data.subspan(gap.first - offset, gap.end - gap.first), gap.first);
      if (!done) return fail(done.error().context(name()));
      progress_.written.add(gap.first, gap.end);
      settle(gap.end - gap.first);
    }
    prefix_.store(progress_.written.prefix(), std::memory_order_release);
    return {};
  }

  Status save() { return store::save_progress(folder_ / "progress", progress_); }

  Status hash_prefix() {
    const std::uint64_t end = prefix();
    auto done = hash_file(fd_.get(), hashed(), end, hash_, [this](std::uint64_t at) {
      hashed_.store(at, std::memory_order_relaxed);
      write_back_.advance(fd_.get(), at);
    });
    if (!done) return fail(done.error().context(name()));
    return {};
  }

  Status finish() {
    if (spent_) return fail(Code::kFailedPrecondition, name() + " is finished");
    if (prefix() != size_) {
      return fail(Code::kFailedPrecondition,
                  name() + " is not complete: " + std::to_string(prefix()) + " of " + std::to_string(size_) + " bytes");
    }
    if (auto hashed = hash_prefix(); !hashed) return hashed;
    if (const Digest actual = hash_.digest(); actual != digest_) {
      discard();
      return fail(Code::kFailedPrecondition, name() + ": the bytes received have digest " + actual.to_string() +
                                                 "; the registry or a proxy on the way sent something else");
    }
    if (::fdatasync(fd_.get()) != 0) {
      const Error error = errno_error(errno, name() + ": sync");
      discard();  // What a failed write-back lost is unknown.
      return fail(error);
    }
    const WallTime kept = purpose_ == Purpose::kForeground ? parts_.clock.wall() + kKeepForeground : WallTime{};
    auto landed = parts_.files.land_hidden(folder_ / "data", fd_.get(), digest_, size_, kept);
    if (!landed) return landed;
    discard();  // What is left of the folder.
    return {};
  }

  void discard() {
    if (spent_) return;
    spent_ = true;
    if (auto done = remove_folder(folder_); !done) spdlog::warn("{}", done.error().message);
    settle(unsettled_);
    parts_.space.drop_partial(size_);
    parts_.partials.release(digest_, std::nullopt);
  }

 private:
  [[nodiscard]] std::string name() const { return "download of " + digest_.to_string(); }

  void settle(std::uint64_t bytes) {
    bytes = std::min(bytes, unsettled_);
    if (bytes == 0) return;
    unsettled_ -= bytes;
    parts_.space.settle(bytes);
  }

  // Keeps what is there for a later try, and gives back the disk that was set aside for the rest.
  void leave() {
    if (progress_.written.covered() == 0 && size_ != 0) return discard();
    if (auto done = save(); !done) spdlog::warn("{}", done.error().message);
    for (const auto& gap : progress_.written.missing(size_)) {
      (void)::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(gap.first),
                        static_cast<off_t>(gap.end - gap.first));
    }
    struct stat about {};
    std::uint64_t allocated = size_;
    if (::fstat(fd_.get(), &about) == 0) allocated = std::min<std::uint64_t>(size_, about.st_blocks * 512ULL);
    settle(unsettled_);
    parts_.space.drop_partial(size_ - allocated);
    parts_.partials.release(digest_, PartialTable::Partial{allocated, parts_.clock.wall()});
  }

  Parts& parts_;
  const Digest digest_;
  const std::uint64_t size_;
  const std::uint64_t resumed_;
  const Purpose purpose_;
  const fs::path folder_;
  const UniqueFd fd_;

  // The network thread's.
  Progress progress_;
  std::uint64_t unsettled_;  ///< Set aside in Space, not allocated by the file system yet.

  // The hashing thread's.
  Sha256 hash_;
  WriteBack write_back_;

  bool spent_ = false;  ///< Set by finish() and discard(), after which nobody else calls.
  std::atomic<std::uint64_t> prefix_;
  std::atomic<std::uint64_t> hashed_{0};
};

FetchFile::FetchFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FetchFile::~FetchFile() = default;
const Digest& FetchFile::digest() const { return impl_->digest(); }
std::uint64_t FetchFile::size() const { return impl_->size(); }
std::uint64_t FetchFile::resumed_bytes() const { return impl_->resumed_bytes(); }
std::vector<ByteRange> FetchFile::missing() const { return impl_->missing(); }
std::uint64_t FetchFile::prefix() const { return impl_->prefix(); }
std::uint64_t FetchFile::hashed() const { return impl_->hashed(); }
Status FetchFile::write(std::span<const std::byte> data, std::uint64_t offset) { return impl_->write(data, offset); }
Status FetchFile::save_progress() { return impl_->save(); }
Status FetchFile::hash_prefix() { return impl_->hash_prefix(); }
Status FetchFile::finish() { return impl_->finish(); }
void FetchFile::discard() { impl_->discard(); }

namespace {

// What an earlier try left, if it is of this size and whole; otherwise an empty beginning.
Progress resume(Parts& parts, const Digest& digest, std::uint64_t size, std::uint64_t& allocated) {
  const fs::path folder = parts.layout.fetch_folder(digest);
  struct stat about {};
  if (::lstat((folder / "data").c_str(), &about) == 0 && S_ISREG(about.st_mode)) {
    auto progress = load_progress(folder / "progress");
    if (progress && progress->size == size && static_cast<std::uint64_t>(about.st_size) >= progress->written.end()) {
      return std::move(*progress);
    }
  }
  (void)remove_folder(folder);
  parts.space.drop_partial(allocated);
  allocated = 0;
  return {size, {}};
}

// Sets the whole file's disk aside at once: no download fails half-way for space, and the file lies in one piece.
// Answers whether the file system could; where it cannot, only the length is set.
Result<bool> allocate(int fd, std::uint64_t size) {
  if (size == 0) return true;
  if (::fallocate(fd, 0, 0, static_cast<off_t>(size)) == 0) return true;
  if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL) return fail(errno_error(errno, "allocate"));
  if (::ftruncate(fd, static_cast<off_t>(size)) != 0) return fail(errno_error(errno, "set the length"));
  return false;
}

struct Opened {
  UniqueFd data;
  bool allocated = false;
};

Result<Opened> open_data(const fs::path& folder, std::uint64_t size) {
  if (auto made = make_directories(folder); !made) return fail(made.error());
  auto data = open_file(folder / "data", O_RDWR | O_CREAT | O_NOFOLLOW);
  if (!data) return fail(data.error());
  const auto allocated = allocate(data->get(), size);
  if (!allocated) return fail(allocated.error());
  return Opened{std::move(*data), *allocated};
}

}  // namespace

Result<std::unique_ptr<FetchFile>> begin_fetch(Parts& parts, const Digest& digest, std::uint64_t size,
                                               Purpose purpose) {
  const std::string name = "download of " + digest.to_string();
  if (size > kMaxSize)
    return fail(Code::kInvalidArgument, name + ": a size of " + std::to_string(size) + " is too large");
  const auto claim = parts.partials.claim(digest);
  if (!claim) return fail(Code::kUnavailable, name + " is under way already");
  std::uint64_t allocated = claim->allocated;
  const auto give_up = [&](const Error& error) {
    (void)remove_folder(parts.layout.fetch_folder(digest));
    parts.space.drop_partial(allocated);
    parts.partials.release(digest, std::nullopt);
    return fail(error);
  };
  if (parts.table.find(digest)) {
    return give_up({Code::kAlreadyExists, "blob " + digest.to_string() + " is there already"});
  }

  Progress progress = resume(parts, digest, size, allocated);
  const std::uint64_t more = size - allocated;
  if (auto room = parts.space.reserve(more, more, purpose); !room) {
    // What an earlier try left stays for the time when there is room.
    if (allocated == 0) return give_up(room.error());
    parts.partials.release(digest, PartialTable::Partial{allocated, parts.clock.wall()});
    return fail(room.error());
  }
  allocated = size;  // From here on the whole size is accounted for.
  auto opened = open_data(parts.layout.fetch_folder(digest), size);
  if (!opened) {
    parts.space.settle(more);
    return give_up(opened.error().context(name));
  }
  if (opened->allocated) parts.space.settle(more);
  const std::uint64_t unsettled = opened->allocated ? 0 : more;
  return std::make_unique<FetchFile>(std::make_unique<FetchFile::Impl>(parts, digest, std::move(progress),
                                                                       std::move(opened->data), unsettled, purpose));
}

bool drop_partial(Parts& parts, const Digest& digest) {
  const auto claim = parts.partials.claim_existing(digest);
  if (!claim) return false;
  (void)remove_folder(parts.layout.fetch_folder(digest));
  parts.space.drop_partial(claim->allocated);
  parts.partials.release(digest, std::nullopt);
  return true;
}

}  // namespace paceline::store
