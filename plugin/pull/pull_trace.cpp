#include "plugin/pull/pull_trace.h"

#include <algorithm>
#include <utility>

namespace paceline::pull {
namespace {

// A controller that changes its mind more often than this has told enough.
constexpr std::size_t kChanges = 500;
// What fewer streams than these have in common may be chance.
constexpr unsigned kFewStreams = 3;

double in_ms(Duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

}  // namespace

void PullTrace::look(const std::string& host, const Look& look) {
  const std::lock_guard lock(mutex_);
  Seen& seen = hosts_[host];
  if (!std::exchange(seen.looked, true)) {
    seen.first_segments = look.segments;
    seen.first_out_of_order = look.out_of_order;
    seen.last = look.at;
  }
  const double passed = std::chrono::duration<double>(look.at - std::exchange(seen.last, look.at)).count();
  const adaptive::Pace& pace = look.streams_pace;
  if (pace.ranges > 0) {
    seen.queue_ms.add(in_ms(look.queue), passed);
    seen.stream_rate.add(pace.mean, passed);
  }
  if (pace.ranges >= kFewStreams) seen.stream_spread.add(pace.deviation / pace.mean, passed);
  if (look.streams != seen.streams && changes_.size() < kChanges) {
    changes_.push_back({look.at, host, look.streams, std::string(look.reason)});
    seen.streams = look.streams;
  }
  records::Host& facts = seen.host;
  facts.rtt_ms = in_ms(look.rtt);
  facts.first_byte_ms = in_ms(look.first_byte);
  facts.best_bytes_per_second = std::max(facts.best_bytes_per_second, look.bytes_per_second);
  // The sums never fall, but a pull may have begun before the first socket was seen.
  facts.segments = look.segments - std::min(look.segments, seen.first_segments);
  facts.out_of_order = look.out_of_order - std::min(look.out_of_order, seen.first_out_of_order);
}

void PullTrace::throttled(const std::string& host, Duration silence) {
  const std::lock_guard lock(mutex_);
  records::Host& facts = hosts_[host].host;
  ++facts.throttled;
  facts.silent_ms += in_ms(silence);
}

void PullTrace::set_mixed() {
  const std::lock_guard lock(mutex_);
  mixed_ = true;
}

bool PullTrace::mixed() const {
  const std::lock_guard lock(mutex_);
  return mixed_;
}

void PullTrace::describe(records::ColdStart& record, TimePoint started) const {
  const std::lock_guard lock(mutex_);
  record.mixed = mixed_;
  for (const Change& change : changes_) {
    record.streams.push_back({in_ms(change.at - started), change.host, change.streams, change.reason});
  }
  for (const auto& [host, seen] : hosts_) {
    record.hosts.push_back(seen.host);
    records::Host& facts = record.hosts.back();
    facts.host = host;
    facts.queue_ms = seen.queue_ms.value();
    facts.stream_bytes_per_second = seen.stream_rate.value();
    facts.stream_spread = seen.stream_spread.value();
  }
}

}  // namespace paceline::pull
