#include "plugin/store/space.h"

#include <sys/statvfs.h>

#include <algorithm>

#include "plugin/base/log.h"
#include "plugin/base/text.h"

namespace paceline::store {
namespace {

// Other processes write to the disk too, so a look at it holds for this long and this much only.
constexpr auto kCreditTime = std::chrono::milliseconds(200);
constexpr std::uint64_t kCreditBytes = 64U << 20U;
// Rounds of evicting for one reservation, should others keep taking what was freed.
constexpr int kRounds = 16;

std::uint64_t excess(std::uint64_t value, std::uint64_t bound) { return value > bound ? value - bound : 0; }

}  // namespace

Space::Space(std::filesystem::path content, std::uint64_t quota, std::uint64_t floor, const BlobTable& table,
             const Clock& clock, Background& background, Evictions& evictions, Evictor evictor)
    : content_(std::move(content)),
      quota_(quota),
      floor_(floor),
      table_(table),
      clock_(clock),
      background_(background),
      evictions_(evictions),
      evictor_(std::move(evictor)) {}

std::uint64_t Space::free_bytes() const {
  struct statvfs fs {};
  if (::statvfs(content_.c_str(), &fs) != 0) return 0;
  return static_cast<std::uint64_t>(fs.f_bavail) * fs.f_frsize;
}

Space::Shortage Space::shortage(std::uint64_t bytes, std::uint64_t on_disk) const {
  Shortage missing;
  if (quota_ != 0) {
    const auto totals = table_.totals();
    missing.quota = excess(totals.listed_bytes + totals.hidden_bytes + partial_ + elsewhere_ + bytes, quota_);
  }
  if (on_disk != 0) missing.disk = excess(on_disk + pending_ + floor_, free_bytes());
  return missing;
}

Error Space::floor_error(std::uint64_t bytes) const {
  return {Code::kResourceExhausted, "no room for " + format_bytes(bytes) + " in " + content_.string() + ": " +
                                        format_bytes(free_bytes()) + " are free and " + format_bytes(floor_) +
                                        " must stay free; free some space or lower [store] free_floor"};
}

Status Space::reserve(std::uint64_t bytes, std::uint64_t on_disk, Purpose purpose) {
  const bool foreground = purpose == Purpose::kForeground;
  for (int round = 0;; ++round) {
    Shortage missing;
    {
      const std::lock_guard lock(mutex_);
      missing = shortage(bytes, on_disk);
      const bool tried = round > 0;
      if (missing.disk == 0 && (missing.quota == 0 || (foreground && tried))) {
        partial_ += bytes;
        pending_ += on_disk;
        return {};
      }
    }
    const std::uint64_t wanted = std::max(missing.quota, missing.disk);
    const bool best_effort = foreground && missing.disk == 0;
    const auto why = missing.disk > missing.quota ? Eviction::kDisk : Eviction::kQuota;
    if (round < kRounds && (evict(wanted, why, best_effort) > 0 || best_effort)) continue;
    if (missing.disk > 0) return fail(floor_error(bytes));
    return fail(Code::kResourceExhausted,
                "no room for " + format_bytes(bytes) + " within the quota of " + format_bytes(quota_) +
                    ": what is stored is pinned or in use; evict, unpin or raise [store] quota");
  }
}

void Space::settle(std::uint64_t on_disk) {
  const std::lock_guard lock(mutex_);
  pending_ -= on_disk;
}

Status Space::take(std::uint64_t bytes) {
  for (int round = 0;; ++round) {
    std::uint64_t missing = 0;
    {
      const std::lock_guard lock(mutex_);
      const TimePoint now = clock_.now();
      if (bytes > credit_ || now >= credit_until_) {
        credit_ = std::min(excess(free_bytes(), floor_ + pending_), std::max(kCreditBytes, bytes));
        credit_until_ = now + kCreditTime;
        if (quota_ != 0 && shortage(bytes, 0).quota > 0) trim_soon();
      }
      if (bytes <= credit_) {
        credit_ -= bytes;
        partial_ += bytes;
        return {};
      }
      missing = bytes - credit_;
    }
    if (round == kRounds || evict(missing, Eviction::kDisk, false) == 0) return fail(floor_error(bytes));
  }
}

std::uint64_t Space::evict(std::uint64_t bytes, Eviction why, bool best_effort) {
  const auto order = evictor_.order();
  std::uint64_t possible = 0;
  for (const auto& candidate : order) possible += candidate.size;
  if (possible < bytes && !best_effort) return 0;

  std::uint64_t freed = 0;
  for (const auto& candidate : order) {
    if (freed >= bytes) break;
    if (!evictor_.evict(candidate)) continue;
    freed += candidate.size;
    evictions_.count(why, candidate.size);
    spdlog::debug("evicted {} ({}) to make room", candidate.digest.to_string(), format_bytes(candidate.size));
  }
  return freed;
}

void Space::trim_soon() {
  if (quota_ == 0) return;
  background_.once("trim", [this] {
    std::uint64_t over = 0;
    {
      const std::lock_guard lock(mutex_);
      over = shortage(0, 0).quota;
    }
    if (over > 0) evict(over, Eviction::kQuota, true);
  });
}

}  // namespace paceline::store
