// TransferEngine: prefetches under their caps. A stream whose bytes overdraw a cap is paused, which slows its sender
// down through TCP, and goes on when the cap allows it: the one that has waited longest first.
#include <algorithm>

#include "plugin/pull/engine.h"

namespace paceline::pull {
namespace {

// A stream's first bytes come before it can be paused, as much as libcurl hands over at once (CURL_MAX_WRITE_SIZE):
// charged in advance, or all streams of a pull would bring theirs at the same moment.
constexpr std::uint64_t kFirstBytes = 16U << 10U;

}  // namespace

void TransferEngine::pay_in_advance(Stream& stream) {
  if (foreground_.contains(stream.pull)) return;
  stream.prepaid = kFirstBytes;
  prefetch_caps_.take(stream.blob->registry(), kFirstBytes, now());
}

bool TransferEngine::must_wait(PullKey pull) const {
  if (foreground_.contains(pull)) return false;
  const auto any = std::find_if(blobs_.begin(), blobs_.end(), [&](const auto& e) { return e.second->owner == pull; });
  return any != blobs_.end() && prefetch_caps_.wait(any->second->registry(), now()).count() > 0;
}

net::Flow TransferEngine::pay(Stream& stream, std::size_t bytes) {
  if (foreground_.contains(stream.pull)) return net::Flow::kContinue;
  const std::string& registry = stream.blob->registry();
  const std::uint64_t prepaid = std::min<std::uint64_t>(stream.prepaid, bytes);
  stream.prepaid -= prepaid;
  prefetch_caps_.take(registry, bytes - prepaid, now());
  const Duration wait = prefetch_caps_.wait(registry, now());
  // A body that is all here may as well end.
  if (wait.count() == 0 || stream.position == stream.asked.end) return net::Flow::kContinue;
  if (auto* planner = stream.planner()) planner->hold(stream.range);
  paused_.push_back(stream.id);
  resume_in(wait);
  return net::Flow::kPause;
}

void TransferEngine::resume_in(Duration delay) {
  const TimePoint at = clock_.now() + delay;
  if (resume_timer_ != 0 && resume_at_ <= at) return;
  network_.cancel_timer(resume_timer_);
  resume_at_ = at;
  resume_timer_ = network_.after(delay, [this, alive = alive_] {
    if (!*alive) return;
    resume_timer_ = 0;
    resume_paused();
  });
}

void TransferEngine::resume_paused() {
  std::optional<Duration> soonest;
  for (auto it = paused_.begin(); it != paused_.end();) {
    const auto found = streams_.find(*it);
    if (found == streams_.end()) {  // Ended while it waited.
      it = paused_.erase(it);
      continue;
    }
    const Duration wait = prefetch_caps_.wait(found->second->blob->registry(), now());
    if (wait.count() == 0) {
      paused_.erase(it);
      resume(*found->second);
      // What it brings at once is paid before the next one may go on.
      if (!paused_.empty()) resume_in(Duration{0});
      return;
    }
    soonest = std::min(soonest.value_or(wait), wait);
    ++it;
  }
  if (soonest) resume_in(*soonest);
}

bool TransferEngine::held_by_a_cap(const Path& path) const {
  // A foreground pull's bytes are not held, and its streams are what the path is watched for.
  const bool foreground = std::any_of(streams_.begin(), streams_.end(), [&](const auto& entry) {
    return entry.second->blob->path == &path && foreground_.contains(entry.second->pull);
  });
  return !foreground && std::any_of(paused_.begin(), paused_.end(), [&](std::uint64_t id) {
    const auto found = streams_.find(id);
    return found != streams_.end() && found->second->blob->path == &path;
  });
}

void TransferEngine::resume_foreground() {
  std::erase_if(paused_, [this](std::uint64_t id) {
    const auto found = streams_.find(id);
    if (found == streams_.end()) return true;
    if (!foreground_.contains(found->second->pull)) return false;
    resume(*found->second);
    return true;
  });
}

void TransferEngine::resume(const Stream& stream) {
  if (auto* planner = stream.planner()) planner->release(stream.range, now());
  network_.resume(stream.transfer);
}

}  // namespace paceline::pull
