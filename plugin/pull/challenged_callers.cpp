#include "plugin/pull/challenged_callers.h"

namespace paceline::pull {
namespace {

// A token service that takes longer has lost its client: containerd waits 30 s for an answer.
constexpr Duration kLongest = std::chrono::seconds(60);
// A caller that is refused again so long after the first time had given up in between: this is another start.
constexpr Duration kSameStart = std::chrono::seconds(5);
constexpr std::size_t kMost = 1000;

}  // namespace

void ChallengedCallers::refused(const std::string& repository, TimePoint began, TimePoint answered) {
  const std::lock_guard lock(mutex_);
  std::erase_if(waits_, [&](const auto& entry) { return entry.second.answered + kLongest < answered; });
  const auto known = waits_.find(repository);
  if (known != waits_.end()) {
    if (began - known->second.answered > kSameStart) known->second = {began, answered};
  } else if (waits_.size() < kMost) {
    waits_.emplace(repository, Wait{began, answered});
  }
}

std::optional<ChallengedCallers::Wait> ChallengedCallers::returned(const std::string& repository, TimePoint now) {
  const std::lock_guard lock(mutex_);
  auto found = waits_.extract(repository);
  if (found.empty() || found.mapped().answered + kLongest < now) return std::nullopt;
  return found.mapped();
}

}  // namespace paceline::pull
