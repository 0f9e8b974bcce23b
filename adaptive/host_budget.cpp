#include "adaptive/host_budget.h"

#include <algorithm>
#include <tuple>

namespace paceline::adaptive {
namespace {

// Beside a foreground pull: streams, and one of so many. On a full path each stream has its part, so that one in twelve
// costs the foreground 9 %; on a near path the queue is too short to tell that the path is full.
constexpr unsigned kPrefetchMost = 2;
constexpr unsigned kPrefetchPart = 12;
// The least a range costs: a pull whose requests all fail must not be served before everybody else for ever.
constexpr std::uint64_t kLeastCharge = 64U << 10U;

std::size_t index(PullClass c) { return c == PullClass::kForeground ? 0 : 1; }

}  // namespace

void HostBudget::add(PullId pull, PullClass pull_class) {
  const auto [it, fresh] = pulls_.try_emplace(pull);
  if (!fresh) return reclass(pull, pull_class);
  it->second.pull_class = pull_class;
  it->second.served = level(pull_class, pull);
}

void HostBudget::remove(PullId pull) { pulls_.erase(pull); }

void HostBudget::reclass(PullId pull, PullClass pull_class) {
  const auto it = pulls_.find(pull);
  if (it == pulls_.end() || it->second.pull_class == pull_class) return;
  it->second.pull_class = pull_class;
  it->second.served = level(pull_class, pull);
}

void HostBudget::wants(PullId pull, bool more) {
  const auto it = pulls_.find(pull);
  if (it == pulls_.end()) return;
  Pull& p = it->second;
  // Who slept has no claim on what others used meanwhile.
  if (more && !p.active()) p.served = std::max(p.served, level(p.pull_class, pull));
  p.wants = more;
}

std::optional<PullId> HostBudget::next() const {
  if (running() >= limit_) return std::nullopt;
  const bool prefetch_may = running(PullClass::kPrefetch) < prefetch_share();
  std::optional<PullId> best;
  std::tuple<std::size_t, unsigned, std::uint64_t, std::uint64_t> best_rank;
  for (const auto& [id, p] : pulls_) {
    if (!p.wants || (p.pull_class == PullClass::kPrefetch && !prefetch_may)) continue;
    const std::tuple rank{index(p.pull_class), p.running, p.served, p.granted};
    if (!best || rank < best_rank) {
      best = id;
      best_rank = rank;
    }
  }
  return best;
}

void HostBudget::started(PullId pull) {
  const auto it = pulls_.find(pull);
  if (it == pulls_.end()) return;
  ++it->second.running;
  it->second.granted = ++serial_;
}

void HostBudget::finished(PullId pull, std::uint64_t bytes) {
  const auto it = pulls_.find(pull);
  if (it == pulls_.end()) return;
  Pull& p = it->second;
  if (p.running > 0) --p.running;
  p.served += std::max(bytes, kLeastCharge);
  std::uint64_t& high = high_[index(p.pull_class)];
  high = std::max(high, p.served);
}

std::vector<PullId> HostBudget::preempt() const {
  const unsigned prefetching = running(PullClass::kPrefetch);
  const unsigned share = prefetch_share();
  const unsigned above_share = prefetching > share ? prefetching - share : 0;
  const unsigned all = running();
  const unsigned above_limit = all > limit_ ? std::min(prefetching, all - limit_) : 0;

  std::vector<std::pair<unsigned, PullId>> holders;
  for (const auto& [id, p] : pulls_) {
    if (p.pull_class == PullClass::kPrefetch && p.running > 0) holders.emplace_back(p.running, id);
  }
  std::vector<PullId> victims;
  for (unsigned left = std::max(above_share, above_limit); left > 0; --left) {
    const auto most = std::max_element(holders.begin(), holders.end());
    --most->first;
    victims.push_back(most->second);
  }
  const auto equals = make_way_for_newcomers(static_cast<unsigned>(victims.size()));
  victims.insert(victims.end(), equals.begin(), equals.end());
  return victims;
}

/// Ranges take seconds: a pull that comes a moment after its equal would else wait for its first byte until some end.
/// Only who has nothing is made way for: the rest evens out as ranges end, without a stream being stopped for it.
std::vector<PullId> HostBudget::make_way_for_newcomers(unsigned freed) const {
  std::vector<std::pair<unsigned, PullId>> holders;
  unsigned newcomers = 0, active = 0;
  for (const auto& [id, p] : pulls_) {
    if (p.pull_class != PullClass::kForeground || !p.active()) continue;
    ++active;
    if (p.running == 0) ++newcomers;
    if (p.running > 0) holders.emplace_back(p.running, id);
  }
  std::vector<PullId> victims;
  if (newcomers == 0 || holders.empty()) return victims;
  const unsigned part = std::max(1U, limit_ / active);
  const unsigned most_kept = (limit_ + active - 1) / active;
  for (unsigned together = running() - freed + newcomers * part; together > limit_; --together) {
    const auto most = std::max_element(holders.begin(), holders.end());
    if (most->first <= std::max(1U, most_kept)) break;
    --most->first;
    victims.push_back(most->second);
  }
  return victims;
}

unsigned HostBudget::prefetch_share() const {
  if (!foreground_active()) return limit_;
  return queue_delay_ > kPrefetchPauseQueue ? 0 : std::min(kPrefetchMost, limit_ / kPrefetchPart);
}

unsigned HostBudget::running() const { return running(PullClass::kForeground) + running(PullClass::kPrefetch); }

unsigned HostBudget::running(PullId pull) const {
  const auto it = pulls_.find(pull);
  return it == pulls_.end() ? 0 : it->second.running;
}

unsigned HostBudget::share(PullId pull) const {
  const auto it = pulls_.find(pull);
  if (it == pulls_.end()) return 1;
  const PullClass c = it->second.pull_class;
  unsigned rivals = 1;
  for (const auto& [id, p] : pulls_) rivals += id != pull && p.pull_class == c && p.active() ? 1 : 0;
  const unsigned streams = c == PullClass::kForeground ? limit_ : prefetch_share();
  return std::max(1U, streams / rivals);
}

bool HostBudget::foreground_active() const {
  return std::any_of(pulls_.begin(), pulls_.end(), [](const auto& entry) {
    return entry.second.pull_class == PullClass::kForeground && entry.second.active();
  });
}

unsigned HostBudget::running(PullClass pull_class) const {
  unsigned sum = 0;
  for (const auto& [id, p] : pulls_) sum += p.pull_class == pull_class ? p.running : 0;
  return sum;
}

/// Where a newcomer of the class starts: level with the least served of those that are active.
std::uint64_t HostBudget::level(PullClass pull_class, PullId except) const {
  std::optional<std::uint64_t> least;
  for (const auto& [id, p] : pulls_) {
    if (id == except || p.pull_class != pull_class || !p.active()) continue;
    least = std::min(least.value_or(p.served), p.served);
  }
  return least.value_or(high_[index(pull_class)]);
}

}  // namespace paceline::adaptive
