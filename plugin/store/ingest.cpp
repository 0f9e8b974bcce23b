#include "plugin/store/ingest.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <limits>

#include "plugin/base/files.h"
#include "plugin/base/log.h"
#include "plugin/store/hash_file.h"
#include "plugin/store/ingest_files.h"
#include "plugin/store/parts.h"
#include "plugin/store/write_back.h"

namespace paceline::store {
namespace {

// containerd's metadata database takes no longer key, so no longer ref ever comes from it.
constexpr std::size_t kMaxRef = 32768;
constexpr auto kMaxSize = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

}  // namespace

class Ingest::Impl {
 public:
  Impl(Parts& parts, IngestStatus status, UniqueFd data)
      : parts_(parts),
        folder_(parts.layout.ingest_folder(status.ref)),
        status_(std::move(status)),
        fd_(std::move(data)) {}

  ~Impl() {
    if (spent_) return;
    if (written_) {
      if (auto done = write_updated(folder_, status_.updated); !done) spdlog::warn("{}", done.error().message);
    }
    parts_.ingests.release(status_.ref, true);
  }

  [[nodiscard]] const IngestStatus& status() const { return status_; }

  void set_total(std::uint64_t total) {
    if (spent_ || total == status_.total) return;
    status_.total = total;
    if (auto done = write_total(folder_, total); !done) spdlog::warn("{}", done.error().message);
    parts_.ingests.publish(status_);
  }

  void set_expected(const Digest& expected) {
    status_.expected = expected;
    parts_.ingests.publish(status_);
  }

  Status append(std::span<const std::byte> data) {
    if (auto ready = check_open(); !ready) return ready;
    if (data.size() > kMaxSize - status_.offset) return fail(Code::kOutOfRange, name() + ": too large");
    if (status_.total != 0 && status_.offset + data.size() > status_.total) {
      return fail(Code::kFailedPrecondition, name() + ": " + std::to_string(data.size()) + " bytes at " +
                                                 std::to_string(status_.offset) + " pass the announced total of " +
                                                 std::to_string(status_.total));
    }
    if (auto caught_up = catch_up(); !caught_up) return caught_up;
    if (auto room = parts_.space.take(data.size()); !room) return room;
    if (auto done = write_at(fd_.get(), data, status_.offset); !done) {
      // A part may be written: cut it off, so that the file's size stays the offset.
      (void)::ftruncate(fd_.get(), static_cast<off_t>(status_.offset));
      parts_.space.drop_partial(data.size());
      return fail(done.error().context(name()));
    }
    hash_.update(data);
    status_.offset += data.size();
    hashed_ = status_.offset;
    synced_ = false;
    touch();
    write_back_.advance(fd_.get(), status_.offset);
    return status_.total != 0 && status_.offset == status_.total ? sync() : Status{};
  }

  Status truncate(std::uint64_t offset) {
    if (auto ready = check_open(); !ready) return ready;
    if (offset > status_.offset) {
      return fail(Code::kOutOfRange, name() + ": cannot cut back to " + std::to_string(offset) + ", it has " +
                                         std::to_string(status_.offset) + " bytes");
    }
    if (::ftruncate(fd_.get(), static_cast<off_t>(offset)) != 0) return fail(errno_error(errno, name()));
    parts_.space.drop_partial(status_.offset - offset);
    status_.offset = offset;
    hash_ = Sha256();
    hashed_ = 0;
    synced_ = false;
    write_back_.restart();
    touch();
    return {};
  }

  Status sync() {
    if (auto ready = check_open(); !ready) return ready;
    if (auto caught_up = catch_up(); !caught_up) return caught_up;
    if (synced_) return {};
    if (::fdatasync(fd_.get()) != 0) {
      const Error error = errno_error(errno, name() + ": sync");
      // The kernel reports a failed write-back once and then takes the pages for clean: what it lost is unknown.
      (void)truncate(0);
      return fail(error);
    }
    synced_ = true;
    return {};
  }

  Digest digest() {
    if (auto caught_up = spent_ ? Status{} : catch_up(); !caught_up) spdlog::warn("{}", caught_up.error().message);
    return hash_.digest();
  }

  Result<Digest> commit(std::optional<std::uint64_t> size, std::optional<Digest> expected, const Labels& labels) {
    if (auto ready = check_open(); !ready) return fail(ready.error());
    if (auto valid = check_labels(labels); !valid) return fail(valid.error());
    if (size && *size != status_.offset) {
      return fail(Code::kFailedPrecondition, name() + ": it has " + std::to_string(status_.offset) +
                                                 " bytes, the commit expects " + std::to_string(*size));
    }
    if (auto on_disk = sync(); !on_disk) return fail(on_disk.error());
    const Digest actual = hash_.digest();
    if (expected && *expected != actual) {
      return fail(Code::kFailedPrecondition, name() + ": the bytes have digest " + actual.to_string() +
                                                 ", the commit expects " + expected->to_string());
    }
    auto landed = parts_.files.land_listed(folder_ / "data", fd_.get(), actual, status_.offset, labels);
    if (!landed && landed.error().code != Code::kAlreadyExists) return fail(landed.error().context(name()));
    drop();
    if (!landed) return fail(landed.error());
    parts_.space.trim_soon();
    return actual;
  }

 private:
  [[nodiscard]] std::string name() const { return "ingest '" + status_.ref.substr(0, 200) + "'"; }

  [[nodiscard]] Status check_open() const {
    if (spent_) return fail(Code::kFailedPrecondition, name() + " is committed already");
    return {};
  }

  // Hashes what an earlier writer left.
  Status catch_up() {
    if (hashed_ == status_.offset) return {};
    auto done = hash_file(fd_.get(), hashed_, status_.offset, hash_, [&](std::uint64_t at) { hashed_ = at; });
    if (!done) return fail(done.error().context(name()));
    return {};
  }

  void touch() {
    status_.updated = parts_.clock.wall();
    written_ = true;
    parts_.ingests.publish(status_);
  }

  void drop() {
    if (auto done = remove_folder(folder_); !done) spdlog::warn("{}", done.error().message);
    fd_.reset();
    spent_ = true;
    parts_.space.drop_partial(status_.offset);
    parts_.ingests.release(status_.ref, false);
  }

  Parts& parts_;
  const std::filesystem::path folder_;
  IngestStatus status_;
  UniqueFd fd_;
  Sha256 hash_;
  std::uint64_t hashed_ = 0;  ///< Bytes from 0 that hash_ has seen.
  bool synced_ = false;
  bool written_ = false;
  bool spent_ = false;
  WriteBack write_back_;
};

Ingest::Ingest(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Ingest::~Ingest() = default;
const IngestStatus& Ingest::status() const { return impl_->status(); }
void Ingest::set_total(std::uint64_t total) { impl_->set_total(total); }
void Ingest::set_expected(const Digest& expected) { impl_->set_expected(expected); }
Status Ingest::append(std::span<const std::byte> data) { return impl_->append(data); }
Status Ingest::truncate(std::uint64_t offset) { return impl_->truncate(offset); }
Status Ingest::sync() { return impl_->sync(); }
Digest Ingest::digest() { return impl_->digest(); }
Result<Digest> Ingest::commit(std::optional<std::uint64_t> size, std::optional<Digest> expected, const Labels& labels) {
  return impl_->commit(size, expected, labels);
}

namespace {

// Brings what is on disk in line with the claim's status: created, resumed, or begun again.
Result<UniqueFd> prepare_data(Parts& parts, IngestStatus& status, bool exists, std::uint64_t total) {
  const auto folder = parts.layout.ingest_folder(status.ref);
  const bool other_total = total != 0 && status.total != 0 && total != status.total;
  const std::uint64_t bound = total != 0 ? total : status.total;
  const bool unusable = exists && (other_total || (bound != 0 && status.offset > bound));
  if (unusable) {
    spdlog::info("ingest '{}' has {} bytes of {}, {} are announced now: it begins again", status.ref.substr(0, 200),
                 status.offset, status.total, total);
    parts.space.drop_partial(status.offset);
  }
  if (!exists || unusable) {
    status.offset = 0;
    status.total = total;
    status.started = status.updated = parts.clock.wall();
    if (auto made = create_ingest(parts.layout, status, true); !made) return fail(made.error());
  } else if (total != 0 && status.total == 0) {
    status.total = total;
    if (auto written = write_total(folder, total); !written) return fail(written.error());
  }
  return open_file(folder / "data", O_RDWR | O_NOFOLLOW);
}

Status check_ref(const std::string& ref) {
  if (ref.empty()) return fail(Code::kInvalidArgument, "the ref of an ingest must not be empty");
  if (ref.size() > kMaxRef) {
    return fail(Code::kInvalidArgument, "the ref of an ingest has " + std::to_string(ref.size()) + " bytes, at most " +
                                            std::to_string(kMaxRef) + " are allowed");
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Ingest>> open_ingest(Parts& parts, const std::string& ref, std::uint64_t total,
                                            std::optional<Digest> expected) {
  if (auto valid = check_ref(ref); !valid) return fail(valid.error());
  if (total > kMaxSize) return fail(Code::kInvalidArgument, "a total of " + std::to_string(total) + " is too large");
  auto known = parts.ingests.claim(ref);
  if (!known) return fail(known.error());
  IngestStatus status = known->value_or(IngestStatus{});
  status.ref = ref;
  if (expected) status.expected = expected;
  auto data = prepare_data(parts, status, known->has_value(), total);
  if (!data && known->has_value() && data.error().code == Code::kNotFound) {
    // Deleted under us: the ref begins again.
    parts.space.drop_partial(status.offset);
    data = prepare_data(parts, status, false, total);
  }
  if (!data) {
    parts.ingests.release(ref, known->has_value());
    return fail(data.error().context("ingest '" + ref.substr(0, 200) + "'"));
  }
  parts.ingests.publish(status);
  return std::make_unique<Ingest>(std::make_unique<Ingest::Impl>(parts, std::move(status), std::move(*data)));
}

Status abort_ingest(Parts& parts, const std::string& ref) {
  auto known = parts.ingests.claim(ref);
  if (!known) return fail(known.error());
  if (!*known) {
    parts.ingests.release(ref, false);
    return fail(Code::kNotFound, "there is no ingest '" + ref.substr(0, 200) + "'");
  }
  auto removed = remove_folder(parts.layout.ingest_folder(ref));
  if (removed) parts.space.drop_partial((*known)->offset);
  parts.ingests.release(ref, !removed);
  return removed;
}

}  // namespace paceline::store
