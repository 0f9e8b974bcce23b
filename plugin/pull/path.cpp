#include "plugin/pull/path.h"

#include <algorithm>
#include <utility>

#include "adaptive/observation_trace.h"
#include "plugin/base/log.h"

namespace paceline::pull {

using adaptive::PullClass;

namespace {

std::string policy_text(const config::Concurrency& concurrency) {
  return concurrency.mode == config::ConcurrencyMode::kFixed ? "fixed:" + std::to_string(concurrency.streams)
                                                             : "adaptive";
}

std::unique_ptr<adaptive::StreamController> controller_for(const config::Concurrency& concurrency) {
  const bool fixed = concurrency.mode == config::ConcurrencyMode::kFixed;
  return adaptive::make_controller(fixed ? std::optional<unsigned>(concurrency.streams) : std::nullopt,
                                   adaptive::Limits{.max_streams = concurrency.max_streams});
}

}  // namespace

Path::Path(std::string host, const config::Concurrency& concurrency, std::optional<adaptive::PathProfile> remembered)
    : host_(std::move(host)),
      concurrency_(concurrency),
      controller_(controller_for(concurrency)),
      budget_(controller_->streams()),
      remembered_(remembered) {
  if (remembered_) {
    rtt_ = remembered_->rtt_min;
    ranges_ = remembered_->ranges_ok.value_or(true);
  }
}

void Path::configure(const config::Concurrency& concurrency, std::int64_t wall_seconds) {
  remembered_ = learned(wall_seconds);
  concurrency_ = concurrency;
  controller_ = controller_for(concurrency);
  budget_.set_limit(controller_->streams());
}

adaptive::RangePlanner& Path::open_planner(PullKey pull, bool foreground) {
  budget_.add(pull, foreground ? PullClass::kForeground : PullClass::kPrefetch);
  budget_.wants(pull, true);
  const auto [it, fresh] = shares_.try_emplace(pull);
  if (fresh) it->second.serial = next_serial_++;
  return it->second.planner;
}

adaptive::RangePlanner* Path::planner(PullKey pull) {
  const auto it = shares_.find(pull);
  return it == shares_.end() ? nullptr : &it->second.planner;
}

std::uint64_t Path::serial(PullKey pull) const {
  const auto it = shares_.find(pull);
  return it == shares_.end() ? 0 : it->second.serial;
}

std::vector<PullKey> Path::pulls() const {
  std::vector<PullKey> out;
  for (const auto& [pull, share] : shares_) out.push_back(pull);
  return out;
}

void Path::close_if_done(PullKey pull) {
  const auto it = shares_.find(pull);
  if (it != shares_.end() && it->second.planner.remaining() == 0) close(pull);
}

void Path::close(PullKey pull) {
  shares_.erase(pull);
  budget_.remove(pull);
  if (shares_.empty()) idle_ = true;
}

void Path::wake(std::uint64_t total_bytes, unsigned layers, const net::TcpSample& sample, std::int64_t wall_seconds) {
  if (!idle_) return;
  idle_ = false;
  if (sample.rtt_min_connect.count() > 0) rtt_ = sample.rtt_min_connect;
  adaptive::PathFacts facts{.rtt = rtt_, .total_bytes = total_bytes, .layers = layers, .profile = std::nullopt};
  if (remembered_) {
    const auto aged = learned(wall_seconds).aged(wall_seconds);
    if (!aged.cold()) facts.profile = aged;
  }
  const auto decision = controller_->initial(facts);
  spdlog::trace("path {}: begins {},{},{} decided {} {}", host_,
                std::chrono::duration_cast<std::chrono::microseconds>(rtt_).count(), total_bytes, layers,
                decision.streams, adaptive::reason_name(decision.reason));
  reason_ = decision.reason;
  allow(decision);
}

void Path::allow(const adaptive::Decision& decision) {
  const unsigned before = budget_.limit();
  if (decision.streams != before) ++counts_.changes[{decision.reason, decision.streams > before}];
  budget_.set_limit(decision.streams);
}

unsigned Path::likely_streams(std::int64_t wall_seconds) const {
  const auto state = controller_->snapshot();
  if (state.policy == "fixed" || requests_ > 0 || !remembered_) return budget_.limit();
  const auto aged = remembered_->aged(wall_seconds);
  return aged.cold() ? budget_.limit() : std::clamp(aged.streams, 1U, state.limit);
}

adaptive::Duration Path::tick(adaptive::Time now, const net::TcpSample& sample, unsigned delivering) {
  adaptive::Observation seen;
  seen.now = now;
  seen.bytes = bytes_;
  seen.rtt_base = sample.rtt_min_connect;
  seen.rtt_now = sample.receive_rtt;
  seen.out_of_order = sample.out_of_order;
  seen.segments = sample.segments_in;
  seen.first_byte = first_byte_;
  seen.tail = true;
  for (const auto& [pull, share] : shares_) {
    seen.remaining += share.planner.remaining();
    seen.tail = seen.tail && share.planner.tail();
  }
  seen.throttled = throttled_;
  seen.retry_after = std::exchange(retry_after_, adaptive::Duration{0});
  seen.active = active_;
  seen.delivering = delivering;
  const auto decision = controller_->tick(seen);
  if (spdlog::should_log(spdlog::level::trace)) {
    spdlog::trace("path {}: observed {} decided {} {}", host_, adaptive::to_line(seen), decision.streams,
                  adaptive::reason_name(decision.reason));
  }
  if (decision.changed) reason_ = decision.reason;
  allow(decision);

  const auto state = controller_->snapshot();
  if (state.rtt_min.count() > 0) rtt_ = state.rtt_min;
  best_goodput_ = std::max(best_goodput_, state.goodput);
  budget_.set_queue_delay(std::max(adaptive::Duration{0}, state.rtt_now - state.rtt_min));
  return adaptive::tick_interval(rtt_);
}

void Path::want_all() {
  for (const auto& [pull, share] : shares_) budget_.wants(pull, share.planner.remaining() > 0);
}

adaptive::StreamHint Path::hint(PullKey pull) const {
  const double goodput = controller_->snapshot().goodput;
  return {.rate = active_ > 0 ? goodput / active_ : 0.0,
          .streams = budget_.share(pull),
          .rtt = rtt_,
          .first_byte = first_byte_,
          .path_rate = goodput > 0 || !remembered_ ? goodput : remembered_->goodput};
}

void Path::first_byte_seen(Duration first_byte) {
  const auto thinking = std::max(Duration{0}, first_byte - rtt_);
  // Smoothed as TCP smooths its RTT (RFC 6298: 1/8).
  first_byte_ = first_byte_.count() == 0 ? thinking : first_byte_ + (thinking - first_byte_) / 8;
}

void Path::throttled(adaptive::Time now, Duration retry_after) {
  ++throttled_;
  retry_after_ = std::max(retry_after_, retry_after);
  silence_.throttled(now, retry_after);
}

bool Path::throttled_before() const { return throttled_ > 0 || (remembered_ && remembered_->throttle_ceiling > 0); }

PathSnapshot Path::snapshot(adaptive::Time now) const {
  const auto state = controller_->snapshot();
  PathSnapshot out;
  out.host = host_;
  out.policy = policy_text(concurrency_);
  out.limit = budget_.limit();
  out.active = active_;
  out.ceiling = state.limit;
  out.mode = idle_ ? "idle" : std::string(state.mode);
  out.reason = std::string(adaptive::reason_name(reason_));
  out.rtt_seconds = adaptive::seconds(rtt_);
  out.first_byte_seconds = adaptive::seconds(first_byte_);
  out.bytes_per_second = idle_ ? 0.0 : state.goodput;
  out.best_bytes_per_second = std::max(best_goodput_, remembered_ ? remembered_->goodput : 0.0);
  out.ranges = ranges_;
  out.silent_seconds = adaptive::seconds(silence_.left(now));
  out.bytes = bytes_;
  out.requests = requests_;
  out.retries = retries_;
  out.throttled = throttled_;
  out.counts = counts_;
  return out;
}

adaptive::PathProfile Path::learned(std::int64_t wall_seconds) const {
  auto fresh = controller_->learned(wall_seconds);
  if (requests_ > 0) fresh.ranges_ok = ranges_;
  return remembered_ ? remembered_->merged(fresh) : fresh;
}

}  // namespace paceline::pull
