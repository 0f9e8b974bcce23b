#include "plugin/content/second_tries.h"

namespace paceline::content {
namespace {

// containerd waits two seconds at most between its tries; the machine may be busy.
constexpr Duration kRemembered = std::chrono::minutes(1);
constexpr std::size_t kMaxEntries = 4096;

}  // namespace

bool SecondTries::is_first(const std::string& ref, TimePoint now) {
  const std::lock_guard lock(mutex_);
  std::erase_if(sent_back_, [now](const auto& entry) { return now - entry.second > kRemembered; });
  return sent_back_.size() < kMaxEntries && sent_back_.try_emplace(ref, now).second;
}

}  // namespace paceline::content
